"""`hwmem warmup`: compile what any later command needs, by doing a little of each. `goalloc warmup` is the other half, a process
of its own that this one starts, since hwmem knows nothing of Go.

Left out, and compiled when first used: kernels of the user's own, and the rarer calls of a machine at Python's prompt.
"""

import ctypes
import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec

from tqdm import tqdm

from hwmem import params as P
from hwmem._jit import DOORS, JIT_DISABLED

LEFT_OUT = "left out, and compiled when first used: kernels of your own, the rarer calls of a machine at Python's prompt"
TRACE = "I  04001000,3\n L 1ffeffe7e0,8\n S 1ffeffe7e0,8\n"
LITMUS = "X86 SB\n{ x=0; y=0; }\n P0 | P1 ;\n MOV [x],$1 | MOV [y],$1 ;\n MOV EAX,[y] | MOV EAX,[x] ;\nexists (0:EAX=0 /\\ 1:EAX=0)\n"


def warm_up(arguments):
    if JIT_DISABLED:
        print("hwmem: NUMBA_DISABLE_JIT is set: there is nothing to compile", file=sys.stderr)
        return
    other = [] if find_spec("goalloc") is None else [("goalloc", other_half)]
    steps = [("doors", lambda: bind(range(P.GUEST_DOORS))), *workloads(), ("run", run_one), ("trace", replay_traces)]
    steps += [("litmus", explore), ("prompt", at_the_prompt)]
    carry_out([*steps, *experiments(), *other])
    print(f"hwmem: {LEFT_OUT}", file=sys.stderr)


def carry_out(steps):
    """Do the steps, (name, function), behind a bar."""
    for name, step in (bar := tqdm(steps, desc="compiling", unit="part", disable=None, file=sys.stderr)):
        bar.set_postfix_str(name)
        step()


def bind(numbers):
    """Compile the doors among `numbers` that the tables name, but those whose code lies in the cache."""
    from hwmem.machine.machine import RECORD

    numbers = [n for n in numbers if n in P.DOOR_FILES and not DOORS.is_cached(n, RECORD)]
    DOORS.prepare(numbers, RECORD)
    for n in numbers:
        DOORS.compile(n, RECORD)


def workloads():
    from hwmem.programs import WORKLOADS
    from hwmem.runs.job import Job

    return [(name, lambda workload=workload: Job(workload).set_up()) for name, workload in WORKLOADS.items()]


def run_one():
    """A workload from its start to its end, watched in every way."""
    from hwmem.programs import find
    from hwmem.runs.job import Job
    from hwmem.runs.watch import Watch

    Job(find("false-sharing"), parameters={"iterations": 10}).run(watch=Watch(True, True, 10, True))


def replay_traces():
    """A trace on one core, and two on two; a trace at the prompt. One kernel reads every format (trace/parse.py)."""
    from hwmem.machine.machine import Machine
    from hwmem.runs.job import replay
    from hwmem.trace import open_trace

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "trace")
        with open(path, "w", encoding="ascii") as file:
            file.write(TRACE)
        replay(open_trace(path))
        replay([open_trace(path), open_trace(path)])
        Machine().replay(open_trace(path))


def at_the_prompt():
    """What the documents do in Python: a struct, a process's memory, a machine's check of itself."""
    from hwmem.machine.machine import Machine
    from hwmem.runs.struct import struct

    pair = type("Pair", (ctypes.Structure,), {"_fields_": [("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]})
    struct(pair, writes={"a": 0, "b": 1}, iterations=10)
    machine = Machine()
    process = machine.spawn()
    page = process.mmap(0, P.PAGE)
    process.store(page, 1)
    process.fetch_add(page, process.load(page))
    process.write(page, process.read(page, 16))
    process.load_many([page])
    machine.check()


def experiments():
    from hwmem.experiments.claims import EXPERIMENTS
    from hwmem.experiments.experiment import Lab

    return those_without_workloads(EXPERIMENTS, Lab())


def those_without_workloads(found, lab):
    """Steps that make the experiments which do not run workloads alone, where they can be made."""
    from hwmem.experiments.experiment import perform_if_possible

    return [(name, lambda one=one: perform_if_possible(one, lab)) for name, one in found.items() if not one.workloads]


def explore():
    from hwmem.litmus import parse
    from hwmem.litmus.text import report, results_of

    test = parse(LITMUS)
    report(test, results_of(test, "tso", runs=1))


def other_half():
    subprocess.run([sys.executable, "-m", "goalloc", "warmup"], stdin=subprocess.DEVNULL, check=True)

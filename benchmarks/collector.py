"""Part "collector": what the host takes to mark objects, to sweep slots, for a whole cycle as the heap grows, and for binary trees beside the real Go.

marking    objects of 16 bytes a CPU second: a slice of pointers to objects without any, a list, a tree; one P, everything modelled
sweeping   slots a CPU second, of the same heaps' spans
cycle      CPU seconds of marking and sweeping against the live heap, a slice of objects of 1 KiB
trees      the workload binary-trees on two Ps beside trees.go, the same program, where Go 1.21.13 is; seconds by the clock from its
           first step to its last
"""

import tempfile

import numpy as np
from tqdm import tqdm

from benchmarks.floors import UNDER, Floor
from benchmarks.malloc import go_program
from benchmarks.measure import cpu_seconds, run_child
from hwmem.config.machine import MachineConfig
from hwmem._jit import call_door
from hwmem.kernels import kernel, load8
from hwmem.report.table import table
from goalloc import params as P
from goalloc.gc.mgc_ready import WAITS
from goalloc.heap.mcentral import SWEEP_ONE
from goalloc.layout import p_
from goalloc.programs import run
from goalloc.runtime.runtime import Runtime
from goalloc.sched.chan import DONE
from goalloc.types import pointer

SHAPES = ("slice", "list", "tree")
OBJECTS, OBJECT, KIB, SPAN = 1 << 18, 16, 1 << 10, 8192
LIVE_MIB = (16, 64, 256, 1024)
MARKED, SWEPT, TIMES_GO, MOST_GROWTH = 3e6, 30e6, 25, 1.5
DEPTH, PS = 16, 2


@kernel
def mark(m, t, g0, waits):
    """A cycle as far as marking's end; while the program waits (the byte at `waits`), the P's other goroutines run."""
    while call_door(m, P.DOOR_CYCLE, t, P.GC_CALL, 0, 0) != DONE:
        while m.thread[t].guest[P.G] != g0 or load8(m, t, waits) != 0:
            call_door(m, P.DOOR_CYCLE, t, P.TURN, 1, 0)


@kernel
def sweep(m, t):
    """How many spans it swept: all that were to be."""
    spans = 0
    while call_door(m, P.DOOR_SWEEP, t, SWEEP_ONE, 0, 0) >= 0:
        spans += 1
    return spans


def heap(shape, n, size=OBJECT):
    """A runtime with one variable, from which `n` objects are reachable; their addresses."""
    rt = Runtime(config=MachineConfig().replace(cores=1, memory="2GiB"), gomaxprocs=1, gogc="off")
    root, x = rt.globals(1), rt.malloc_many([size] * n, noscan=shape == "slice")
    if shape == "slice":
        head = rt.mallocgc(8 * n, type=pointer, noscan=False)
        rt.process.write(head, x.tobytes())
    else:
        head, words = int(x[0]), np.zeros((n, 2), np.int64)
        if shape == "list":
            words[:-1, 0] = x[1:]
        else:  # in the order of an array that holds a complete tree
            words[: n // 2, 0], words[: n // 2 - 1, 1] = x[1::2], x[2::2][: n // 2 - 1]
        ends = np.flatnonzero(np.diff(x) != size) + 1
        for at, part in zip(np.split(x, ends), np.split(words, ends), strict=True):
            rt.process.write(int(at[0]), part.tobytes())
    rt.write_pointer(root, head)
    return rt


def collect(rt, repeats):
    """(objects that a cycle marks, least CPU seconds of marking, spans, least CPU seconds of sweeping)."""
    m, t = rt.machine.state, rt.process.thread_on(0)
    waits, guest = rt.process.load(rt.ps[0] + p_.m) + WAITS, rt.machine.state.process[rt.process.number].guest
    marking, sweeping = [], []
    for _ in range(repeats + 1):  # the first binds the doors
        m.thread[t].local[:] = 0
        before, swept = int(guest[P.OBJECTS_MARKED]), int(guest[P.SPANS_SWEPT])
        marking.append(cpu_seconds(lambda: mark(m, t, int(rt.gs[0]), waits)))
        objects = int(guest[P.OBJECTS_MARKED]) - before
        sweeping.append(cpu_seconds(lambda: sweep(m, t)))
        spans = int(guest[P.SPANS_SWEPT]) - swept
    rt.process.exit()
    return objects, min(marking[1:]), spans, min(sweeping[1:])


def emulated_trees():
    """Seconds from the program's first step to its last, as trees.go has it; not watched for contended lines."""
    return run("binary-trees", config=MachineConfig().replace(cores=PS), gomaxprocs=PS, depth=DEPTH, c2c=False).wall_seconds


def trees(program, repeats):
    """Least seconds by the clock of binary-trees, emulated and real (None without Go)."""
    ours = min(emulated_trees() for _ in range(repeats + 1))
    real = program and min(float(run_child([program, str(DEPTH)], {"GOMAXPROCS": str(PS)}).output) for _ in range(repeats + 1))
    return {"ours": ours, "go": real}


def measure(repeats):
    rates, growth = {}, {}
    with tempfile.TemporaryDirectory() as folder, tqdm(total=len(SHAPES) + len(LIVE_MIB) + 1, desc="collector", disable=None) as bar:
        program = go_program(folder, "trees")
        for shape in SHAPES:
            objects, marking, spans, sweeping = collect(heap(shape, OBJECTS), repeats)
            rates[shape] = {"marked": objects / marking, "swept": spans * (SPAN // OBJECT) / sweeping}
            bar.update()
        for mib in LIVE_MIB:
            objects, marking, _, sweeping = collect(heap("slice", mib << 10, KIB), min(repeats, 3))
            growth[mib] = {"mark": marking, "sweep": sweeping, "each": (marking + sweeping) / objects * 1e9}
            bar.update()
        built = trees(program, repeats)
        bar.update()
    return {"rates": rates, "growth": growth, "trees": built}


def text(result):
    rates = [[shape, found["marked"] / 1e6, found["swept"] / 1e6] for shape, found in result["rates"].items()]
    growth = [[f"{mib:,} MiB", found["mark"], found["sweep"], found["each"]] for mib, found in result["growth"].items()]
    ours, real = result["trees"]["ours"], result["trees"]["go"]
    return (
        "marking and sweeping, million objects and slots of 16 bytes a CPU second, everything modelled\n"
        + table(["heap", "marked", "swept"], rates)
        + "\n\na cycle's CPU seconds against the live heap, objects of 1 KiB\n"
        + table(["live", "marking", "sweeping", "ns an object"], growth)
        + f"\n\nbinary trees, depth {DEPTH}, {PS} Ps: {ours:.3f} s emulated, "
        + (f"{real:.4f} s real: {ours / real:.1f} times" if real else "not beside the real Go (pip install 'hwmem[go]')")
    )


def floors(result):
    for shape, found in result["rates"].items():
        yield Floor("marked objects a second", shape, found["marked"], MARKED)
    for shape, found in result["rates"].items():
        yield Floor("swept slots a second", shape, found["swept"], SWEPT)
    first, last = (result["growth"][mib]["each"] for mib in (LIVE_MIB[0], LIVE_MIB[-1]))
    yield Floor("an object's share of a cycle, grown", "16-1024 MiB", last / first, MOST_GROWTH, UNDER)
    if result["trees"]["go"]:
        yield Floor("emulated / real binary trees", f"depth {DEPTH}", result["trees"]["ours"] / result["trees"]["go"], TIMES_GO, UNDER)

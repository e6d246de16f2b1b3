"""Part "recorded": a recording of threads, read, put in order and replayed; what it takes of memory; names of a Go program.

    text of two threads that raise neighbouring counters ── Recording ── Order ── Replay         trace/, runs/strands.py

The text is made here, in the form of `hwmem record`: as an optimised C program prints it, ten instructions, a load and two stores for
each time round, two hundred thousand lines of one thread after another. MB is of text, and a reference is a load or a store. The memory is
that of a process of its own which replays fifty million lines: `python -m benchmarks.recorded FILE` prints its bytes beyond the
emulated ones. The Go program (malloc.go) is recorded here, where Valgrind and Go are.
"""

import lzma
import shutil
import sys
import tempfile
from pathlib import Path

ROUNDS = 512  # of a block of text: how often a counter is raised until the thread's own array begins anew
LINES = 13 * ROUNDS  # of a block
BLOCKS_A_SLICE = 30  # of one thread, until Valgrind lets another run
READ_BLOCKS, LONG_BLOCKS = 1_000, 7_520
HEAP, PAGE = 0x4035000, 4096
STACKS, OWN = (0x4100000, 0x4200000), (HEAP + PAGE, HEAP + 2 * PAGE)
LEAST_READ, LEAST_REPLAYED, LEAST_ORDERED = 400, 10, 5  # MB/s, million references a second
MOST_MB, MOST_NAMES_SECONDS = 300, 3
GO_ARGUMENTS = (16, 0, 100, 1)  # of malloc.go: a hundred objects


def head():
    """The program's start: a heap, and two threads."""
    calls = [("sys_brk ( 0x0 )", 12, HEAP), (f"sys_brk ( {HEAP + (1 << 20):#x} )", 12, HEAP + (1 << 20))]
    calls += [(f"sys_clone ( 3d0f00, {at:#x}, {at + 16:#x}, {at + 32:#x}, {at + 64:#x} )", 56, 77 + n) for n, at in enumerate(STACKS)]
    made = [f"SYSCALL[9,1]({number}) {text} --> [pre-success] Success({result:#x}) " for text, number, result in calls]
    return "\n".join(["==9== Command: ./adjacent", "==9== ", started(1), *made, f"I  {0x109000:08x},4", f" S {HEAP:08x},8", ""])


def started(slot):
    return f"--9--   SCHED[{slot}]:  acquired lock (thread_wrapper(starting new thread))"


def block(thread):
    """A stretch of one thread's: ROUNDS times round."""
    counter, lines = HEAP + 8 * thread, []
    for n in range(ROUNDS):
        pcs = iter((0x109196, 0x10919A, 0x10919E, 0x1091A2, 0x1091A5, 0x1091AB, 0x1091AF, 0x1091B2, 0x1091B6, 0x1091B9))
        touched = {0x109196: f" L {counter:08x},8", 0x10919E: f" S {counter:08x},8", 0x1091AF: f" S {OWN[thread] + 8 * n:08x},8"}
        for pc in pcs:
            lines.append(f"I  {pc:08x},4")
            lines += [touched[pc]] if pc in touched else []
    return "\n".join([*lines, ""])


def parts(blocks):
    """(text, how many times) of a recording of this many blocks, one after another."""
    release = "--9--   SCHED[{}]: releasing lock (VG_(scheduler):timeslice) -> VgTs_Yielding\n"
    again = "--9--   SCHED[{}]:  acquired lock (VG_(scheduler):timeslice)\n"
    texts, running, begun = [block(0), block(1)], 1, set()
    yield head(), 1
    for first in range(0, blocks, BLOCKS_A_SLICE):
        slot = 2 + first // BLOCKS_A_SLICE % 2
        yield release.format(running) + (again.format(slot) if slot in begun else started(slot) + "\n"), 1
        begun.add(slot)
        running = slot
        yield texts[slot - 2], min(BLOCKS_A_SLICE, blocks - first)
    yield "==9== Exit code:       0\n", 1


def write(path, blocks, packed=False):
    """A recording of this many blocks; `packed`: as xz streams, equal ones compressed only once."""
    pack, made = (lambda text: lzma.compress(text, preset=0)) if packed else bytes, {}
    with open(path, "wb") as file:
        for text, times in parts(blocks):
            if text not in made:
                made[text] = pack(text.encode())
            file.write(made[text] * times)


def measure(repeats):
    """{"rates": {"read": bytes a second, "replay", "order and replay": references a second}, "beyond": bytes, "lines": of that recording,
    "names": CPU seconds or None}."""
    from tqdm import tqdm

    from benchmarks.measure import last_json, python, run_child

    with tempfile.TemporaryDirectory() as folder, tqdm(total=3, desc="recorded", unit="measurement", disable=None) as bar:
        path = Path(folder, "adjacent.trace")
        write(path, READ_BLOCKS)
        rates = rates_of(path, repeats)
        bar.update()
        write(path, LONG_BLOCKS, packed=True)
        beyond = last_json(run_child(python("benchmarks.recorded", path)).output)
        bar.update()
        names = names_seconds(folder, repeats)
        bar.update()
    return {"repeats": repeats, "rates": rates, "lines": LONG_BLOCKS * LINES, "beyond": beyond, "names": names}


def rates_of(path, repeats):
    from benchmarks.measure import best_in_turn
    from hwmem.machine.machine import Machine
    from hwmem.machine.where import new_places
    from hwmem.runs.strands import Replay
    from hwmem.trace.order import CLOCK, Order
    from hwmem.trace.recording import Recording

    recording = Recording(path)
    order = Order(recording, CLOCK)
    references = sum(thread.loads + thread.stores for thread in recording.program.threads)
    stages = {
        "read": lambda: lambda: Recording(path),
        "order": lambda: lambda: Order(recording, CLOCK),
        "replay": lambda: Replay(Machine(), recording, order, new_places(False)).run,
    }
    stages["replay"]()()  # compiles, or loads what is compiled
    seconds = best_in_turn(stages, repeats)
    return {
        "read": path.stat().st_size / seconds["read"],
        "replay": references / seconds["replay"],
        "order and replay": references / (seconds["order"] + seconds["replay"]),
    }


def bytes_beyond(path):
    """A replay's, in a process that has done nothing else."""
    import numba  # noqa: F401

    import hwmem
    from benchmarks.memory import PAGE, resident
    from hwmem.machine.where import new_places
    from hwmem.runs.strands import Replay
    from hwmem.trace.order import CLOCK, Order
    from hwmem.trace.recording import Recording

    before = resident("VmRSS")
    recording = Recording(path)
    machine = hwmem.Machine()
    Replay(machine, recording, Order(recording, CLOCK), new_places(False)).run()
    return resident("VmHWM") - before - int(machine.state.frames.used) * PAGE


def names_seconds(folder, repeats):
    """CPU seconds that the names of a Go program take, of all that its report shows; None where it cannot be recorded."""
    from dataclasses import replace

    from benchmarks.malloc import go_program
    from benchmarks.measure import cpu_seconds, python, run_child
    from hwmem.machine.machine import Machine
    from hwmem.machine.where import new_places
    from hwmem.runs.recorded import KEPT, by_name
    from hwmem.runs.strands import Replay
    from hwmem.symbols.label import label
    from hwmem.symbols.names import Names
    from hwmem.trace.order import CLOCK, Order
    from hwmem.trace.recording import Recording

    program, path = shutil.which("valgrind") and go_program(folder), Path(folder, "go.trace")
    if not program:
        return None
    run_child(python("hwmem", "record", "-o", path, "--", program, *map(str, GO_ARGUMENTS)))
    recording, places = Recording(path), new_places(True, in_detail=True)
    replay = Replay(Machine(), recording, Order(recording, CLOCK), places)
    replay.run()

    def name():
        names, found = Names(recording.program), replace(replay.program)
        label(found, names)
        by_name(names, places, found, KEPT)

    return min(cpu_seconds(name) for _ in range(repeats))


def text(result):
    from benchmarks.measure import MB
    from hwmem.report.table import table

    rates, names = result["rates"], result["names"]
    rows = [
        ["MB of text read a second", rates["read"] / MB],
        ["million references replayed a second", rates["replay"] / 1e6],
        ["... put in order and replayed", rates["order and replay"] / 1e6],
        [f"MB for {result['lines'] / 1e6:.0f} million lines", result["beyond"] / MB],
        *([] if names is None else [["seconds for the names of a Go program", names]]),
    ]
    absent = [] if names is not None else ["no names of a Go program: valgrind or Go 1.21.13 is not installed"]
    return "\n".join([f"Recordings of threads, CPU time, best of {result['repeats']}", table(["", ""], rows), *absent])


def floors(result):
    from benchmarks.floors import UNDER, Floor
    from benchmarks.measure import MB

    rates = result["rates"]
    yield Floor("recording read, MB/s", "text", rates["read"] / MB, LEAST_READ)
    yield Floor("recording replayed, M/s", "2 threads", rates["replay"] / 1e6, LEAST_REPLAYED)
    yield Floor("ordered and replayed, M/s", "2 threads", rates["order and replay"] / 1e6, LEAST_ORDERED)
    yield Floor("memory of a recording, MB", f"{result['lines'] / 1e6:.0f} M lines", result["beyond"] / MB, MOST_MB, UNDER)
    if result["names"] is not None:
        yield Floor("names of a Go program", "CPU seconds", result["names"], MOST_NAMES_SECONDS, UNDER)


if __name__ == "__main__":
    print(bytes_beyond(*sys.argv[1:]))

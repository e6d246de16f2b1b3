"""The pacer's state as a program begins: what gcinit leaves, stored from Python, so that a program that never collects compiles nothing
of the pacer. Go: mgc.go gcinit, mgcpacer.go init, commit.
"""

from goalloc.constants import defaultHeapMinimum, sweepDrainedMask
from goalloc.gc.mgcmark_roots import DATA_ROOT_BYTES
from goalloc.layout import gcControllerState, mstats, scavenge, sweepdata, variables as V

NONE = -1


def init_controller(process, gogc, limit):
    """`gogc`: percent, -1 for off; `limit`: bytes. Nothing is marked, no cycle triggered, nothing to sweep or scavenge."""
    minimum = defaultHeapMinimum * (gogc % (1 << 64)) % (1 << 64) // 100
    fields = {
        "globalsScan": DATA_ROOT_BYTES,
        "heapMinimum": minimum,
        "memoryLimit": limit,
        "gcPercentHeapGoal": minimum if gogc >= 0 else NONE,
        "triggered": NONE,
    }
    for name, value in fields.items():
        process.store(V.gcController + getattr(gcControllerState, name), value)
    process.store(V.gcController + gcControllerState.gcPercent, gogc, size=4)
    process.store(V.sweep + sweepdata.active, sweepDrainedMask, size=4)
    for goal in (scavenge.gcPercentGoal, scavenge.memoryLimitGoal):
        process.store(V.scavenge + goal, NONE)


def add_globals(process, nbytes):
    """The program has this many more bytes of global variables. Before the first collection the goal is at least as much as GOGC allows for
    them. Go: addGlobals, which runs before init."""
    at = lambda name: V.gcController + getattr(gcControllerState, name)  # noqa: E731
    known = process.load(at("globalsScan")) + nbytes
    process.store(at("globalsScan"), known)
    gogc = process.load(at("gcPercent"), size=4)
    if process.load(V.memstats + mstats.numgc, size=4) == 0 and gogc < 1 << 31:
        process.store(at("gcPercentHeapGoal"), max(process.load(at("heapMinimum")), known * gogc // 100))

"""The pacer's state as a program begins: what gcinit leaves, stored from Python, so that a program that never collects compiles nothing
of the pacer. Go: mgc.go gcinit, mgcpacer.go init, commit.
"""
from goalloc.constants import defaultHeapMinimum, sweepDrainedMask
from goalloc.layout import gcControllerState, scavenge, sweepdata, variables as V

NONE = -1


def init_controller(process, gogc, limit):
    """`gogc`: percent, -1 for off; `limit`: bytes. Nothing is marked, no cycle triggered, nothing to sweep or scavenge."""
    minimum = defaultHeapMinimum * (gogc % (1 << 64)) % (1 << 64) // 100
    fields = {"heapMinimum": minimum, "memoryLimit": limit, "gcPercentHeapGoal": minimum if gogc >= 0 else NONE, "triggered": NONE}
    for name, value in fields.items():
        process.store(V.gcController + getattr(gcControllerState, name), value)
    process.store(V.gcController + gcControllerState.gcPercent, gogc, size=4)
    process.store(V.sweep + sweepdata.active, sweepDrainedMask, size=4)
    for goal in (scavenge.gcPercentGoal, scavenge.memoryLimitGoal):
        process.store(V.scavenge + goal, NONE)

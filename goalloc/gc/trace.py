"""The log from which Python tells what the collector did: a row a cycle, and a row for whatever else GODEBUG's traces print.

    CYCLE     at the end of a cycle, where gctrace prints its line         SCAVENGED    where scavtrace does
    FORCED    "GC forced": two minutes have passed

The log is the host's, as a terminal is (runtime/log.py makes it; a process without one logs nothing), so that a program has the same
memory whether somebody looks or not. What a row says is read as the trace reads it, from the runtime's variables.
observe/gctrace.py makes lines of rows.
"""

from hwmem._jit import cold, kernel
from hwmem.memory.ram import poke64
from goalloc import params as P
from goalloc.base.mstats import heapRetained
from goalloc.gc.mgcpacer_goal import C, GC_PERCENT, GLOBALS_SCAN, GOAL, HEAP_FREE, LAST_STACK_SCAN, MAPPED_READY
from goalloc.gc.mgcpacer import LAST_HEAP_GOAL
from goalloc.layout import gcControllerState, mstats, workType, variables as V
from goalloc.words import get8, get32, get64

CYCLE, SCAVENGED, FORCED = 1, 2, 3
ROWS, COLUMNS = 1 << 16, 32  # the oldest rows are lost where there are more
WORK, MEMSTATS = V.work, V.memstats
# What a row of a cycle has after its kind: words of memory, then what is no word of it
WORDS_OF = {
    "heap_start": WORK + workType.heap0,
    "heap_end": WORK + workType.heap1,
    "heap_marked": WORK + workType.heap2,
    "goal": LAST_HEAP_GOAL,
    "next_goal": GOAL,
    "stack_scan": LAST_STACK_SCAN,
    "globals_scan": GLOBALS_SCAN,
    "heap_scan_work": C + gcControllerState.heapScanWork,
    "assist_ns": C + gcControllerState.assistTime,
    "dedicated_ns": C + gcControllerState.dedicatedMarkTime,
    "fractional_ns": C + gcControllerState.fractionalMarkTime,
    "idle_ns": C + gcControllerState.idleMarkTime,
    "cons_mark": C + gcControllerState.consMark,
    "began": WORK + workType.tSweepTerm,
    "marking": WORK + workType.tMark,
    "terminating": WORK + workType.tMarkTerm,
    "ended": WORK + workType.tEnd,
    "pause_ns": WORK + workType.pauseNS,
    "cpu_fraction": MEMSTATS + mstats.gc_cpu_fraction,
    "mapped_ready": MAPPED_READY,
    "heap_free": HEAP_FREE,
    "heap_released": C + gcControllerState.heapReleased,
}
WORDS = tuple(WORDS_OF.values())
NAMES = (*WORDS_OF, "n", "forced", "heap_trigger", "procs", "maxprocs", "objects", "spans", "gogc")


@kernel
def new_row(m, t, kind):
    """Host address of the next row's second word, 0 without a log."""
    guest = m.process[m.thread[t].process].guest
    if guest[P.LOG] == 0:
        return 0
    row = guest[P.LOG] + guest[P.LOG_ROWS] % ROWS * COLUMNS * 8
    guest[P.LOG_ROWS] += 1
    poke64(row, kind)
    return row + 8


@cold
def log_cycle(m, t):
    """A cycle is over, but for sweeping."""
    row = new_row(m, t, CYCLE)
    if row == 0:
        return
    for i in range(len(WORDS)):
        poke64(row + 8 * i, get64(m, t, WORDS[i]))
    row += 8 * len(WORDS)
    guest = m.process[m.thread[t].process].guest
    poke64(row, get32(m, t, MEMSTATS + mstats.numgc))
    poke64(row + 8, get8(m, t, WORK + workType.userForced))
    poke64(row + 16, guest[P.TRIGGERED])
    poke64(row + 24, get32(m, t, WORK + workType.stwprocs))
    poke64(row + 32, get32(m, t, WORK + workType.maxprocs))
    poke64(row + 40, guest[P.OBJECTS_MARKED])
    poke64(row + 48, guest[P.SPANS_SWEPT])
    poke64(row + 56, get32(m, t, GC_PERCENT))


@cold
def log_scavenged(m, t, background, eager, forced, reset):
    """So many bytes have gone back since the last such row; `reset`: the scavenger's controller had to begin anew."""
    row = new_row(m, t, SCAVENGED)
    if row:
        values = (
            background,
            eager,
            get64(m, t, C + gcControllerState.heapReleased),
            get64(m, t, C + gcControllerState.heapInUse),
            heapRetained(m, t),
            int(forced),
            int(reset),
        )
        for i in range(len(values)):
            poke64(row + 8 * i, values[i])


@cold
def log_forced(m, t):
    new_row(m, t, FORCED)

"""The log from which Python reports what the collector did: a row per cycle, and a row for everything else that GODEBUG's traces print.

    CYCLE     at the end of a cycle, where gctrace prints its line         SCAVENGED    where scavtrace does
    FORCED    "GC forced": two minutes have passed

Behind its rows lies a second log, of turns: what the collector did on a P, from when to when.

    P 0's last turn | P 1's | ... 64 | kind, P, began, ended | ...        a turn that goes on where the P's last one ended is one with it

The log belongs to the host, as a terminal does (runtime/log.py makes it; a process without one logs nothing), so that a program has the
same memory whether somebody looks or not. A row's figures are read from the runtime's variables, as the trace reads them.
observe/gctrace.py turns rows into lines.
"""

from hwmem._jit import cold, kernel
from hwmem.memory.ram import peek64, poke64
from goalloc import params as P
from goalloc.base.mstats import heapRetained
from goalloc.base.nanotime import nanotime
from goalloc.gc.mgcpacer_goal import C, GC_PERCENT, GLOBALS_SCAN, GOAL, HEAP_FREE, LAST_STACK_SCAN, MAPPED_READY
from goalloc.gc.mgcpacer import LAST_HEAP_GOAL
from goalloc.layout import gcControllerState, mstats, workType, variables as V
from goalloc.words import get8, get32, get64

CYCLE, SCAVENGED, FORCED = 1, 2, 3
ROWS, COLUMNS = 1 << 16, 32  # the oldest rows are lost where there are more
PS, TURN_ROWS, TURN_WORDS = 64, 1 << 15, 4  # turns beyond those are not kept
ROWS_OF_BOTH = ROWS + (PS + TURN_ROWS * TURN_WORDS) // COLUMNS
DEDICATED, FRACTIONAL, IDLE, ASSIST, SWEEP = range(5)
TURNS_OF = ("dedicated", "fractional", "idle", "assist", "sweep")
GAP_NS = 2_000  # between turns of one kind that are one
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
    """This many bytes have gone back since the last such row; `reset`: the scavenger's controller had to start over."""
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


@cold
def log_turn(m, t, kind, began):
    """The thread's P has marked, or swept, from then until now; no access is made. A program's thread knows its P's number."""
    guest = m.process[m.thread[t].process].guest
    if guest[P.LOG] == 0:
        return
    p, ended = m.thread[t].local[0] & PS - 1, nanotime(m, t)
    last, rows = guest[P.LOG] + (ROWS * COLUMNS + p) * 8, guest[P.LOG] + (ROWS * COLUMNS + PS) * 8
    row = peek64(last)  # 0: it has none
    if row and peek64(row) == kind and began - peek64(row + 24) <= GAP_NS:
        poke64(row + 24, ended)
        return
    n = guest[P.TURNS]
    guest[P.TURNS] += 1
    if n >= TURN_ROWS:
        return
    row = rows + n * TURN_WORDS * 8
    poke64(row, kind)
    poke64(row + 8, p)
    poke64(row + 16, began)
    poke64(row + 24, ended)
    poke64(last, row)

"""The pacer: how much a cycle has to mark, who does it, and what it cost, which paces the next one.

    startCycle ── how many workers get a P to themselves (a quarter of the Ps), and what is left for fractional ones
    revise     ── scan work left / allocation left to the goal: what an assist owes per byte allocated
    endCycle   ── cons/mark: bytes allocated per byte scanned, as if each had all CPUs (the largest of five cycles)
    resetLive  ── what was marked is what lives

Called with the world stopped (startCycle, endCycle, resetLive); revise at each refill during marking, and now and then by a marker.
The state is gcController (mgcpacer_goal.py has goals and triggers, mgcpacer_workers.py who works). Times are nanoseconds, work is bytes.
Go: mgcpacer.go.
"""

from hwmem._jit import cold, kernel
from goalloc import constants as K, params as P
from goalloc.base.float64 import MIN_INT64, divide, get_float, put_float, to_int64
from goalloc.gc.mgcpacer_goal import (
    C,
    CONS_MARK,
    GC_PERCENT,
    GLOBALS_SCAN,
    HEAP_LIVE,
    HEAP_MARKED,
    LAST_HEAP_SCAN,
    LAST_STACK_SCAN,
    TRIGGERED,
    heapGoal,
    signed32,
)
from goalloc.gc.mgcpacer_workers import setMaxIdleMarkWorkers
from goalloc.layout import gcControllerState, p_, variables as V
from goalloc.words import get32, get64, put64

HEAP_SCAN, MAX_STACK_SCAN = C + gcControllerState.heapScan, C + gcControllerState.maxStackScan
HEAP_SCAN_WORK, STACK_SCAN_WORK = C + gcControllerState.heapScanWork, C + gcControllerState.stackScanWork
GLOBALS_SCAN_WORK, MARK_START = C + gcControllerState.globalsScanWork, C + gcControllerState.markStartTime
ASSIST_TIME, IDLE_MARK_TIME = C + gcControllerState.assistTime, C + gcControllerState.idleMarkTime
DEDICATED_NEEDED, FRACTIONAL_GOAL = C + gcControllerState.dedicatedMarkWorkersNeeded, C + gcControllerState.fractionalUtilizationGoal
ASSIST_WORK_PER_BYTE, ASSIST_BYTES_PER_WORK = C + gcControllerState.assistWorkPerByte, C + gcControllerState.assistBytesPerWork
LAST_CONS_MARK, LAST_HEAP_GOAL = C + gcControllerState.lastConsMark, C + gcControllerState.lastHeapGoal
NO_GOGC, MOST_OVERSHOOT, LEAST_WORK, CYCLES_KEPT = 100_000, 1.1, 1000, 4


@cold
def startCycle(m, t, markStartTime, procs, kind):
    """A cycle begins, with the heap as it is; `kind`: what triggered it."""
    for at in (
        gcControllerState.heapScanWork,
        gcControllerState.stackScanWork,
        gcControllerState.globalsScanWork,
        gcControllerState.bgScanCredit,
        gcControllerState.assistTime,
        gcControllerState.dedicatedMarkTime,
        gcControllerState.fractionalMarkTime,
        gcControllerState.idleMarkTime,
    ):
        put64(m, t, C + at, 0)
    put64(m, t, MARK_START, markStartTime)
    live = get64(m, t, HEAP_LIVE)
    put64(m, t, TRIGGERED, live)
    m.process[m.thread[t].process].guest[P.TRIGGERED] = live  # for the log: resetLive forgets it
    dedicated = share_out(m, t, procs)
    for i in range(get32(m, t, V.gomaxprocs)):
        pp = get64(m, t, get64(m, t, V.allp) + 8 * i)
        put64(m, t, pp + p_.gcAssistTime, 0)
        put64(m, t, pp + p_.gcFractionalMarkTime, 0)
    idle = procs - dedicated
    if kind == K.gcTriggerTime:  # nobody is in a hurry
        idle = 0 if dedicated else 1
    setMaxIdleMarkWorkers(m, t, idle)
    put64(m, t, DEDICATED_NEEDED, dedicated)
    revise(m, t)


@kernel
def share_out(m, t, procs):
    """A quarter of the Ps in dedicated workers, their number; fractional ones do the rest where rounding misses by more than 30 %."""
    total = procs * K.gcBackgroundUtilization
    dedicated, fraction = int(total + 0.5), 0.0
    if abs(dedicated / total - 1) > 0.3:
        if dedicated > total:
            dedicated -= 1
        fraction = (total - dedicated) / procs
    put_float(m, t, FRACTIONAL_GOAL, fraction)
    return dedicated


@kernel
def scan_work(m, t):
    """Bytes scanned in this cycle."""
    return get64(m, t, HEAP_SCAN_WORK) + get64(m, t, STACK_SCAN_WORK) + get64(m, t, GLOBALS_SCAN_WORK)


@cold
def revise(m, t):
    """The assist ratio, so that marking is done when the heap reaches its goal: as much scan work as in the last cycle is expected, or, if
    more has been done, all that there is, and the goal moves out as far, up to what GOGC would allow if all of it lived."""
    live, goal, work = get64(m, t, HEAP_LIVE), heapGoal(m, t), scan_work(m, t)
    globals_, triggered = get64(m, t, GLOBALS_SCAN), get64(m, t, TRIGGERED)
    expected = get64(m, t, LAST_HEAP_SCAN) + get64(m, t, LAST_STACK_SCAN) + globals_
    most = get64(m, t, HEAP_SCAN) + get64(m, t, MAX_STACK_SCAN) + globals_
    if work > expected:
        extra = to_int64(divide(float(goal - triggered), float(expected)) * float(most))
        goal = min(extra + triggered, hard_goal(m, t, goal))
        expected = most
    if live > goal:
        goal = to_int64(float(goal) * MOST_OVERSHOOT)
        expected = most
    work_left = max(expected - work, LEAST_WORK)
    heap_left = max(goal - live, 1) if goal != MIN_INT64 else P.maxInt64 - live + 1  # where the subtraction wraps around
    put_float(m, t, ASSIST_WORK_PER_BYTE, work_left / heap_left)
    put_float(m, t, ASSIST_BYTES_PER_WORK, heap_left / work_left)


@kernel
def hard_goal(m, t, goal):
    """What the heap may grow to if all that was allocated lives: GOGC once more over the goal."""
    percent = signed32(get32(m, t, GC_PERCENT))
    return to_int64((1.0 + (percent if percent >= 0 else NO_GOGC) / 100.0) * float(goal))


@cold
def endCycle(m, t, now, procs):
    """Marking is over: the goal it had, and cons/mark unless nothing was allocated meanwhile."""
    put64(m, t, LAST_HEAP_GOAL, heapGoal(m, t))
    live, triggered, cpu_time = get64(m, t, HEAP_LIVE), get64(m, t, TRIGGERED), (now - get64(m, t, MARK_START)) * procs
    if live <= triggered:
        return
    utilization, idle = K.gcBackgroundUtilization, 0.0
    if cpu_time > 0:
        utilization += get64(m, t, ASSIST_TIME) / cpu_time
        idle = get64(m, t, IDLE_MARK_TIME) / cpu_time
    current = divide((live - triggered) * (utilization + idle), scan_work(m, t) * (1 - utilization))
    largest = current
    for i in range(CYCLES_KEPT):
        at = LAST_CONS_MARK + 8 * i
        last = get_float(m, t, at)
        if last > largest:
            largest = last
        put_float(m, t, at, get_float(m, t, at + 8) if i < CYCLES_KEPT - 1 else current)
    put_float(m, t, CONS_MARK, largest)


@cold
def resetLive(m, t, marked):
    """`marked` bytes are alive; the next cycle has not been triggered."""
    put64(m, t, HEAP_MARKED, marked)
    put64(m, t, HEAP_LIVE, marked)
    scanned = get64(m, t, HEAP_SCAN_WORK)
    put64(m, t, HEAP_SCAN, scanned)
    put64(m, t, LAST_HEAP_SCAN, scanned)
    put64(m, t, LAST_STACK_SCAN, get64(m, t, STACK_SCAN_WORK))
    put64(m, t, TRIGGERED, -1)

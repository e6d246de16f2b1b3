"""The heap's goal, and how large it is when the next cycle begins.

    goal      marked + (marked + stacks + globals) * GOGC / 100, not below 4 MiB * GOGC / 100 (commit)
              or what the memory limit leaves for the heap, if that is less (memoryLimitHeapGoal)
    trigger   the goal less the runway, which is what will be allocated while marking has its quarter of the CPU

     marked     0.7 of the way    trigger    0.95       goal
       |---------------|------------|=========|===========|
         the program alone            marking beside it

commit is called when what the goal depends on has changed: at the end of marking, when sweeping is over, by SetGCPercent and
SetMemoryLimit. Sizes are bytes; GOAL is -1 (no goal) with GOGC off. Sweeping keeps two cycles 1 MiB apart (sweepDistMinTrigger),
except where the limit decides. Go: mgcpacer.go.
"""

from hwmem._jit import cold, kernel
from goalloc import constants as K, params as P
from goalloc.base.float64 import get_float, to_uint64
from goalloc.layout import gcControllerState, variables as V
from goalloc.words import get32, get64, put32, put64

C = V.gcController
GC_PERCENT, MEMORY_LIMIT, HEAP_MINIMUM = (
    C + gcControllerState.gcPercent,
    C + gcControllerState.memoryLimit,
    C + gcControllerState.heapMinimum,
)
GOAL, RUNWAY, TRIGGERED = C + gcControllerState.gcPercentHeapGoal, C + gcControllerState.runway, C + gcControllerState.triggered
SWEEP_DIST, CONS_MARK = C + gcControllerState.sweepDistMinTrigger, C + gcControllerState.consMark
HEAP_LIVE, HEAP_MARKED = C + gcControllerState.heapLive, C + gcControllerState.heapMarked
LAST_HEAP_SCAN, LAST_STACK_SCAN = C + gcControllerState.lastHeapScan, C + gcControllerState.lastStackScan
GLOBALS_SCAN = C + gcControllerState.globalsScan
HEAP_FREE, MAPPED_READY = C + gcControllerState.heapFree, C + gcControllerState.mappedReady
TOTAL_ALLOC, TOTAL_FREE = C + gcControllerState.totalAlloc, C + gcControllerState.totalFree
MIN_RUNWAY = 64 << 10
OFF_MINIMUM = ((1 << 64) - K.defaultHeapMinimum) // 100  # defaultHeapMinimum * uint64(-1) / 100


@cold
def controller_init(m, t, percent, limit):
    """Go: gcControllerState.init. There is nothing to sweep in the first cycle."""
    put64(m, t, TRIGGERED, -1)
    setGCPercent(m, t, percent)
    setMemoryLimit(m, t, limit)
    commit(m, t, True)


@cold
def setGCPercent(m, t, percent):
    """Set GOGC (negative: off), which the next commit takes up; the old value, -1 for off."""
    out = signed32(get32(m, t, GC_PERCENT))
    percent = max(percent, -1)
    put64(m, t, HEAP_MINIMUM, OFF_MINIMUM if percent < 0 else K.defaultHeapMinimum * percent // 100)
    put32(m, t, GC_PERCENT, percent)
    return out


@kernel
def signed32(word):
    return (word ^ 1 << 31) - (1 << 31)


@kernel
def percent_of(nbytes, percent):
    """uint64(nbytes) * uint64(percent) / 100, the product modulo 2^64."""
    return (nbytes * percent >> 1 & P.maxInt64) // 50


@cold
def setMemoryLimit(m, t, limit):
    """Set the memory limit, unless it is negative; the old one."""
    out = get64(m, t, MEMORY_LIMIT)
    if limit >= 0:
        put64(m, t, MEMORY_LIMIT, limit)
    return out


@cold
def commit(m, t, isSweepDone):
    """Goal and runway from what is known now."""
    put64(m, t, SWEEP_DIST, 0 if isSweepDone else get64(m, t, HEAP_LIVE) + K.sweepMinHeapDistance)
    percent, goal = signed32(get32(m, t, GC_PERCENT)), -1
    stacks, globals_ = get64(m, t, LAST_STACK_SCAN), get64(m, t, GLOBALS_SCAN)
    if percent >= 0:
        marked = get64(m, t, HEAP_MARKED)
        goal = max(marked + percent_of(marked + stacks + globals_, percent), get64(m, t, HEAP_MINIMUM))
    put64(m, t, GOAL, goal)
    mutator = get_float(m, t, CONS_MARK) * (1 - K.gcGoalUtilization) / K.gcGoalUtilization  # bytes allocated a byte scanned
    put64(m, t, RUNWAY, to_uint64(mutator * float(get64(m, t, LAST_HEAP_SCAN) + stacks + globals_)))


@cold
def heapGoalInternal(m, t):
    """(the heap's goal, the least trigger)."""
    goal, limited = get64(m, t, GOAL), memoryLimitHeapGoal(m, t)
    if goal < 0 or limited < goal:
        return limited, 0
    least = get64(m, t, SWEEP_DIST)
    goal = max(goal, least)
    triggered = get64(m, t, TRIGGERED)
    if triggered >= 0:
        goal = max(goal, triggered + MIN_RUNWAY)  # GOGC was lowered while a cycle runs
    return goal, least


@kernel
def heapGoal(m, t):
    goal, _ = heapGoalInternal(m, t)
    return goal


@cold
def memoryLimitHeapGoal(m, t):
    """How large the heap may become under the memory limit: what is mapped for other purposes is left out, and as much as the limit is
    passed by already; of the rest, 3 % (at least 1 MiB) stay free. Never less than what is marked."""
    mapped, limit, marked = get64(m, t, MAPPED_READY), get64(m, t, MEMORY_LIMIT), get64(m, t, HEAP_MARKED)
    other = mapped - get64(m, t, HEAP_FREE) - (get64(m, t, TOTAL_ALLOC) - get64(m, t, TOTAL_FREE))
    overage = max(mapped - limit, 0)
    if other + overage >= limit:
        return marked
    goal = limit - (other + overage)
    headroom = max(goal // 100 * K.memoryLimitHeapGoalHeadroomPercent, K.memoryLimitMinHeapGoalHeadroom)
    return max(headroom if goal - headroom < headroom else goal - headroom, marked)


@cold
def trigger(m, t):
    """(the heap's size at which a cycle begins, its goal)."""
    goal, least = heapGoalInternal(m, t)
    marked = get64(m, t, HEAP_MARKED)
    if marked >= goal:  # the limit is below what lives
        return goal, goal
    part = (goal - marked) // K.triggerRatioDen
    least = max(least, marked + part * K.minTriggerRatioNum)
    most = max(marked + part * K.maxTriggerRatioNum, least)
    if goal > K.defaultHeapMinimum:
        most = max(most, goal - K.defaultHeapMinimum)
    runway = get64(m, t, RUNWAY)
    return min(max(goal - runway if 0 <= runway <= goal else least, least), most), goal

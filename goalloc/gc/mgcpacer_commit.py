"""What follows when something that the goal depends on changes: goal, assist ratio, sweeping's pace and the scavenger's goals.

Called under the heap's lock or with the world stopped: at the end of marking, when sweeping is over, by SetGCPercent and
SetMemoryLimit, which change the goal at once and collect nothing. Go: mgcpacer.go gcControllerCommit, setGCPercent,
setMemoryLimit; mgcsweep.go gcPaceSweeper; mgcscavenge.go gcPaceScavenger.
"""

from hwmem._jit import cold, kernel
from goalloc import constants as K, params as P
from goalloc.base.float64 import below, put_float, to_int64, to_uint64
from goalloc.base.lock import lock, unlock
from goalloc.base.mstats import heapRetained
from goalloc.base.nanotime import cycles_of
from goalloc.gc.mgcpacer import LAST_HEAP_GOAL, revise
from goalloc.gc.mgcpacer_goal import HEAP_LIVE, MAPPED_READY, MEMORY_LIMIT, commit, setGCPercent, setMemoryLimit, trigger
from goalloc.layout import mheap, mstats, scavenge, sweepdata, variables as V
from goalloc.words import align_up, get32, get64, put64

HEAP_LOCK = V.mheap_ + mheap.lock
PERCENT_GOAL, LIMIT_GOAL = V.scavenge + scavenge.gcPercentGoal, V.scavenge + scavenge.memoryLimitGoal
SWEEP_MARGIN = 1 << 20
RETAIN_PART = 100 // K.retainExtraPercent


@kernel
def isSweepDone(m, t):
    """Whether everything has been swept, by all who sweep."""
    return get32(m, t, V.sweep + sweepdata.active) == K.sweepDrainedMask


@cold
def gcControllerCommit(m, t):
    commit(m, t, isSweepDone(m, t))
    if get32(m, t, V.gcphase) != K.GCoff:
        revise(m, t)
    first, goal = trigger(m, t)
    gcPaceSweeper(m, t, first)
    gcPaceScavenger(m, t, goal, get64(m, t, LAST_HEAP_GOAL))


@cold
def gcPaceSweeper(m, t, first):
    """Set the pages swept per byte allocated so that all are swept when the next cycle begins, at a heap of `first`, less a margin."""
    ratio = 0.0
    if not isSweepDone(m, t):
        live, swept = get64(m, t, HEAP_LIVE), get64(m, t, V.mheap_ + mheap.pagesSwept)
        pages = get64(m, t, V.mheap_ + mheap.pagesInUse) - swept
        if pages > 0:
            ratio = pages / max(first - live - SWEEP_MARGIN, P.pageSize)
            put64(m, t, V.mheap_ + mheap.sweepHeapLiveBasis, live)
            put64(m, t, V.mheap_ + mheap.pagesSweptBasis, swept)  # whoever sweeps learns by it
    put_float(m, t, V.mheap_ + mheap.sweepPagesPerByte, ratio)


@cold
def gcPaceScavenger(m, t, goal, last_goal):
    """What the background scavenger leaves to the heap (-1: everything): 10 % above what was in use at the last mark termination, times the
    goal's growth; and under a memory limit 95 times the limit, where 95 % was meant (1.21.13's own fault: it never has to act)."""
    limit = to_uint64(float(get64(m, t, MEMORY_LIMIT)) * (100.0 - K.reduceExtraPercent))
    put64(m, t, LIMIT_GOAL, limit if below(limit, get64(m, t, MAPPED_READY)) else -1)
    retain = -1
    if last_goal:
        retain = to_int64(float(get64(m, t, V.memstats + mstats.lastHeapInUse)) * (goal / last_goal))
        if retain >= 0:
            retain = align_up(retain + retain // RETAIN_PART, P.physPageSize)
            if heapRetained(m, t) - retain < P.physPageSize:
                retain = -1
    put64(m, t, PERCENT_GOAL, retain)


@kernel
def set_force_time(m, t, last):
    """A collection is due when more than two minutes have passed since the time of the last one, 0: none. Go: sysmon, gcTriggerTime."""
    if last:
        guest = m.process[m.thread[t].process].guest
        guest[P.FORCE_AT] = cycles_of(m, t, last + P.FORCE_PERIOD_NS + 1) + 1


@cold
def set_gc_percent(m, t, percent):
    """debug.SetGCPercent; the old value."""
    lock(m, t, HEAP_LOCK)
    out = setGCPercent(m, t, percent)
    gcControllerCommit(m, t)
    if percent >= 0:
        set_force_time(m, t, get64(m, t, V.memstats + mstats.last_gc_nanotime))
    unlock(m, t, HEAP_LOCK)
    return out


@cold
def set_memory_limit(m, t, limit):
    """debug.SetMemoryLimit; the old limit. A negative one only asks."""
    lock(m, t, HEAP_LOCK)
    out = setMemoryLimit(m, t, limit)
    if limit >= 0 and limit != out:
        gcControllerCommit(m, t)
    unlock(m, t, HEAP_LOCK)
    return out

"""What begins a cycle: the heap has reached its trigger, two minutes have passed, or runtime.GC() was called. Go: mgc.go gcTrigger."""

from hwmem._jit import cold
from goalloc import constants as C, params as P
from goalloc.gc.mgclimit import capacity_per_proc
from goalloc.gc.mgcpacer_goal import GC_PERCENT, HEAP_LIVE, signed32, trigger
from goalloc.layout import gcCPULimiterState, mstats, workType, variables as V
from goalloc.words import get32, get64, put8, put32, put64

CYCLES = V.work + workType.cycles
SEMAPHORES = (V.worldsema, V.gcsema, V.work + workType.startSema, V.work + workType.markDoneSema)


@cold
def gcinit(m, t):
    """Before the first cycle, finalizer or pin: the semaphores are free, and the CPU limiter knows the Ps. Go: gcinit, gcenable."""
    guest = m.process[m.thread[t].process].guest
    if guest[P.COLLECTOR] & P.READY:
        return
    guest[P.COLLECTOR] |= P.READY
    for sema in SEMAPHORES:
        put32(m, t, sema, 1)
    put8(m, t, V.memstats + mstats.enablegc, 1)
    put32(m, t, V.gcCPULimiter + gcCPULimiterState.nprocs, get32(m, t, V.gomaxprocs))
    put64(m, t, V.gcCPULimiter + gcCPULimiterState.bucket + 8, get32(m, t, V.gomaxprocs) * capacity_per_proc(m, t))


@cold
def test_trigger(m, t, kind, n):
    """Whether a cycle is to begin. `n`: of gcTriggerTime the time, of gcTriggerCycle the number of the cycle."""
    gcinit(m, t)
    if get32(m, t, V.gcphase) != C.GCoff:
        return False
    if kind == C.gcTriggerHeap:
        first, _ = trigger(m, t)
        live = get64(m, t, HEAP_LIVE)
        return live >= first and first >= 0 and m.process[m.thread[t].process].guest[P.COLLECTOR] & P.BEGINS == 0
    if kind == C.gcTriggerTime:
        last = get64(m, t, V.memstats + mstats.last_gc_nanotime)
        return signed32(get32(m, t, GC_PERCENT)) >= 0 and last != 0 and n - last > P.FORCE_PERIOD_NS
    return signed32(n - get32(m, t, CYCLES) & 0xFFFF_FFFF) > 0

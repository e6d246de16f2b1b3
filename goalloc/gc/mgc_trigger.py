"""What begins a cycle: the heap has reached its trigger, two minutes have passed, or runtime.GC() was called. Go: mgc.go gcTrigger."""
from hwmem._jit import cold
from goalloc import constants as C
from goalloc.gc.mgcpacer_goal import GC_PERCENT, HEAP_LIVE, signed32, trigger
from goalloc.layout import mstats, workType, variables as V
from goalloc.words import get8, get32, get64

FORCE_PERIOD_NS = 120 * 10 ** 9
CYCLES = V.work + workType.cycles


@cold
def test_trigger(m, t, kind, n):
    """Whether a cycle is to begin. `n`: of gcTriggerTime the time, of gcTriggerCycle the number of the cycle."""
    if get8(m, t, V.memstats + mstats.enablegc) == 0 or get32(m, t, V.gcphase) != C.GCoff:
        return False
    if kind == C.gcTriggerHeap:
        first, _ = trigger(m, t)
        live = get64(m, t, HEAP_LIVE)
        return live >= first and first >= 0
    if kind == C.gcTriggerTime:
        last = get64(m, t, V.memstats + mstats.last_gc_nanotime)
        return signed32(get32(m, t, GC_PERCENT)) >= 0 and last != 0 and n - last > FORCE_PERIOD_NS
    return signed32(n - get32(m, t, CYCLES) & 0xFFFF_FFFF) > 0

"""Sweeping after a cycle: spans are swept one by one, by any P that needs one or has time.

    bgsweep        the sweeper's goroutine, ten spans a turn            cacheSpan, grow     who needs a span of a class, or pages
    sweepone       GC() itself, and the start of the next cycle         deductSweepCredit   so many pages a byte allocated (pacer)

Spans come class by class, full lists before partial ones (sweep.centralIndex); `sweep.active` counts who sweeps, and has a bit for
"nothing left". Go: mgcsweep.go.
"""

from hwmem._jit import cold, kernel
from goalloc import constants as C, errors as E, params as P
from goalloc.base.float64 import get_float, to_int64
from goalloc.errors import throw
from goalloc.gc.mgcscavenge_goroutine import sweeping_is_over
from goalloc.gc.mgcsweep_span import sweep_span, try_acquire
from goalloc.heap.mbitmap import nextFreeIndex
from goalloc.heap.mcentral import SWEEPGEN, central_of, fullSwept, fullUnswept, partialUnswept
from goalloc.heap.mheap_grow import H
from goalloc.heap.mspanset import spanSet_pop, spanSet_push
from goalloc.layout import gcControllerState, mheap, mspan, sweepdata, variables as V
from goalloc.words import add64, get8, get32, get64, put32, put64

ACTIVE, CENTRAL_INDEX = V.sweep + sweepdata.active, V.sweep + sweepdata.centralIndex
NBGSWEEP, NPAUSESWEEP = V.sweep + sweepdata.nbgsweep, V.sweep + sweepdata.npausesweep
DRAINED = C.sweepDrainedMask
NOTHING = -1  # sweepone: all is swept
SPAN_BUDGET = 101  # spans that a class's allocation sweeps before it takes a new one


@kernel
def add32(m, t, va, delta):
    add64(m, t, va & ~7, delta << 32 if va & 4 else delta)


@kernel
def begin_sweeping(m, t):
    """Whether there may be something to sweep; then the caller counts as one that does."""
    if get32(m, t, ACTIVE) & DRAINED:
        return False
    add32(m, t, ACTIVE, 1)
    return True


@kernel
def end_sweeping(m, t):
    add32(m, t, ACTIVE, -1)


@cold
def nextSpanForSweep(m, t):
    """A span that was in an unswept list, or 0."""
    sg = get32(m, t, SWEEPGEN)
    for sc in range(get32(m, t, CENTRAL_INDEX), C.numSweepClasses):
        c = central_of(sc >> 1)
        s = spanSet_pop(m, t, partialUnswept(c, sg) if sc & 1 else fullUnswept(c, sg))
        if s:
            if sc > get32(m, t, CENTRAL_INDEX):
                put32(m, t, CENTRAL_INDEX, sc)
            return s
    put32(m, t, CENTRAL_INDEX, C.sweepClassDone)
    return 0


@cold
def sweepone(m, t):
    """Sweep a span: the pages that went back to the page heap, NOTHING if all is swept."""
    if not begin_sweeping(m, t):
        return NOTHING
    npages, over = NOTHING, False
    while True:
        s = nextSpanForSweep(m, t)
        if s == 0:
            if get32(m, t, ACTIVE) & DRAINED == 0:
                add32(m, t, ACTIVE, DRAINED)
                over = m.process[m.thread[t].process].guest[P.COLLECTOR] & P.ALONE == 0
            break
        if get8(m, t, s + mspan.state) != P.mSpanInUse:
            sg = get32(m, t, s + mspan.sweepgen)
            if sg != get32(m, t, SWEEPGEN) and sg != get32(m, t, SWEEPGEN) + 3:
                throw(m, t, E.UNSWEPT_NOT_IN_USE, 0, 0)
            continue  # reclaim has freed it
        if try_acquire(m, t, s):
            pages = get64(m, t, s + mspan.npages)
            npages = 0
            if sweep_span(m, t, s, False):
                npages = pages
                add64(m, t, H + mheap.reclaimCredit, pages)
            break
    end_sweeping(m, t)
    if over:
        sweeping_is_over(m, t)
    return npages


@cold
def ensureSwept(m, t, s):
    if begin_sweeping(m, t):
        if try_acquire(m, t, s):
            sweep_span(m, t, s, False)
        end_sweeping(m, t)


@cold
def span_to_allocate(m, t, spanclass):
    """A span of the class with a free object that sweeping finds, swept and in no list; 0 if it finds none. Go: in cacheSpan."""
    if not begin_sweeping(m, t):
        return 0
    sg, c, found, budget = get32(m, t, SWEEPGEN), central_of(spanclass), 0, SPAN_BUDGET
    while budget > 0 and found == 0:
        s = spanSet_pop(m, t, partialUnswept(c, sg))
        if s == 0:
            break
        budget -= 1
        if try_acquire(m, t, s):
            sweep_span(m, t, s, True)
            found = s
    while budget > 0 and found == 0:
        s = spanSet_pop(m, t, fullUnswept(c, sg))
        if s == 0:
            break
        budget -= 1
        if try_acquire(m, t, s):
            sweep_span(m, t, s, True)
            index = nextFreeIndex(m, t, s)
            if index != get64(m, t, s + mspan.nelems):
                put64(m, t, s + mspan.freeindex, index)
                found = s
            else:
                spanSet_push(m, t, fullSwept(c, sg), s)
    end_sweeping(m, t)
    return found


@cold
def deductSweepCredit(m, t, nbytes, sweptPages):
    """Before `nbytes` are allocated: sweep what is due, less the pages that the caller sweeps anyway."""
    ratio = get_float(m, t, H + mheap.sweepPagesPerByte)
    again = ratio != 0.0
    while again:
        again = False
        basis, live = get64(m, t, H + mheap.pagesSweptBasis), get64(m, t, V.gcController + gcControllerState.heapLive)
        allocated = nbytes + max(live - get64(m, t, H + mheap.sweepHeapLiveBasis), 0)
        target = to_int64(ratio * allocated) - sweptPages
        while target > get64(m, t, H + mheap.pagesSwept) - basis:
            if sweepone(m, t) == NOTHING:
                put64(m, t, H + mheap.sweepPagesPerByte, 0)
                return
            if get64(m, t, H + mheap.pagesSweptBasis) != basis:
                again = True
                break

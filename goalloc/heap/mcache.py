"""A P's own spans, one a class: an allocation that finds a free object ends here, without a lock or an atomic operation.

    alloc[136]      the spans; emptymspan, which is full, where there is none yet
    tiny, tinyoffset    the 16-byte block that small objects without pointers share

What allocation counts is kept in the span and moved to the shared counters when the span is given up: by refill, when it
is full, or by releaseAll. A span in a P's hands has sweepgen + 3. `c` is the address of an mcache. Reached through
DOOR_NEXT_FREE and DOOR_ALLOC_LARGE. Go: mcache.go, malloc.go nextFree.
"""

from hwmem._jit import DOORS, call_door, cold, kernel
from goalloc import errors as E, params as P
from goalloc.errors import throw
from goalloc.heap.stack import CACHE_CLEAR, stack_door
from goalloc.layout import gcControllerState, heapStatsDelta, mcache, mheap, mspan, variables as V
from goalloc.base.lock import lock, unlock
from goalloc.heap.mbitmap import initHeapBits, nextFreeIndex
from goalloc.heap.mcentral import SWEEP_CREDIT, SWEEPGEN, cacheSpan, central_of, fullSwept, may_sweep, uncacheSpan
from goalloc.base.mfixalloc import fixalloc_alloc
from goalloc.heap.mheap import alloc_span
from goalloc.heap.mspanset import spanSet_push
from goalloc.base.mstats import stats_acquire, stats_release, update_heap_live
from goalloc.words import add64, get16, get32, get64, put16, put32, put64, swap64

TOTAL_ALLOC = V.gcController + gcControllerState.totalAlloc


@kernel
def span_place(c, spanclass):
    return c + mcache.alloc + spanclass * 8


@cold
def allocmcache(m, t):
    """A new mcache, without spans."""
    lock(m, t, V.mheap_ + mheap.lock)
    c, _ = fixalloc_alloc(m, t, V.mheap_ + mheap.cachealloc)
    put32(m, t, c + mcache.flushGen, get32(m, t, SWEEPGEN))
    unlock(m, t, V.mheap_ + mheap.lock)
    for spanclass in range(P.numSpanClasses):
        put64(m, t, span_place(c, spanclass), V.emptymspan)
    return c


@DOORS.door(P.DOOR_NEXT_FREE)
def nextFree(m, t, c, spanclass, unused):
    """Address of a free object of the class, the P's span replaced if it is full; 0 after a fatal error."""
    s = get64(m, t, span_place(c, spanclass))
    index = nextFreeIndex(m, t, s)
    if index == get64(m, t, s + mspan.nelems):
        if get16(m, t, s + mspan.allocCount) != index:
            throw(m, t, E.ALLOCCOUNT, get16(m, t, s + mspan.allocCount), index)
            return 0
        refill(m, t, c, spanclass)
        s = get64(m, t, span_place(c, spanclass))
        if s == V.emptymspan:
            return 0
        index = nextFreeIndex(m, t, s)
    put16(m, t, s + mspan.allocCount, get16(m, t, s + mspan.allocCount) + 1)
    return get64(m, t, s + mspan.startAddr) + index * get64(m, t, s + mspan.elemsize)


@cold
def refill(m, t, c, spanclass):
    """The P's full span goes to the central list, one with free objects comes; emptymspan after a fatal error."""
    s = get64(m, t, span_place(c, spanclass))
    if get16(m, t, s + mspan.allocCount) != get64(m, t, s + mspan.nelems):
        throw(m, t, E.REFILL_FREE, 0, 0)
        return
    if s != V.emptymspan:
        if get32(m, t, s + mspan.sweepgen) != get32(m, t, SWEEPGEN) + 3:
            throw(m, t, E.BAD_SWEEPGEN, 0, 0)
            return
        uncacheSpan(m, t, central_of(spanclass), s)
        count_allocations(m, t, c, s, spanclass)
        put64(m, t, span_place(c, spanclass), V.emptymspan)
    s = cacheSpan(m, t, central_of(spanclass))
    if s == 0:
        throw(m, t, E.OUT_OF_MEMORY, 0, 0)
        return
    count = get16(m, t, s + mspan.allocCount)
    if count == get64(m, t, s + mspan.nelems):
        throw(m, t, E.NO_FREE_SPACE, 0, 0)
        return
    put32(m, t, s + mspan.sweepgen, get32(m, t, SWEEPGEN) + 3)
    put16(m, t, s + mspan.allocCountBeforeCache, count)
    free = get64(m, t, s + mspan.npages) * P.pageSize - count * get64(m, t, s + mspan.elemsize)
    update_heap_live(m, t, free, get64(m, t, c + mcache.scanAlloc))
    put64(m, t, c + mcache.scanAlloc, 0)
    put64(m, t, span_place(c, spanclass), s)
    m.process[m.thread[t].process].guest[P.HELP] = 1


@kernel
def count_allocations(m, t, c, s, spanclass):
    """Move what was allocated in a span since the P took it to the shared counters."""
    used = get16(m, t, s + mspan.allocCount) - get16(m, t, s + mspan.allocCountBeforeCache)
    stats = stats_acquire(m, t)
    add64(m, t, stats + heapStatsDelta.smallAllocCount + (spanclass >> 1) * 8, used)
    if spanclass == P.tinySpanClass:
        add64(m, t, stats + heapStatsDelta.tinyAllocCount, get64(m, t, c + mcache.tinyAllocs))
        put64(m, t, c + mcache.tinyAllocs, 0)
    stats_release(m, t)
    add64(m, t, TOTAL_ALLOC, used * get64(m, t, s + mspan.elemsize))
    put16(m, t, s + mspan.allocCountBeforeCache, 0)


@DOORS.door(P.DOOR_ALLOC_LARGE)
def allocLarge(m, t, size, noscan, unused):
    """A span of its own for an object above 32 KiB; 0 after a fatal error."""
    npages = (size >> P.pageShift) + (size & P.pageSize - 1 != 0)
    if may_sweep(m, t):
        call_door(m, P.DOOR_SWEEP, t, SWEEP_CREDIT, npages * P.pageSize, npages)
    s = alloc_span(m, t, npages, P.spanAllocHeap, noscan)
    if s == 0:
        throw(m, t, E.OUT_OF_MEMORY, 0, 0)
        return 0
    nbytes = npages * P.pageSize
    stats = stats_acquire(m, t)
    add64(m, t, stats + heapStatsDelta.largeAlloc, nbytes)
    add64(m, t, stats + heapStatsDelta.largeAllocCount, 1)
    stats_release(m, t)
    add64(m, t, TOTAL_ALLOC, nbytes)
    update_heap_live(m, t, nbytes, 0)
    m.process[m.thread[t].process].guest[P.HELP] = 1
    spanSet_push(m, t, fullSwept(central_of(noscan), get32(m, t, SWEEPGEN)), s)
    put64(m, t, s + mspan.limit, get64(m, t, s + mspan.startAddr) + size)
    initHeapBits(m, t, s)
    put64(m, t, s + mspan.freeindex, 1)
    put16(m, t, s + mspan.allocCount, 1)
    return s


@cold
def releaseAll(m, t, c):
    """Every span goes back to its central list, and the tiny block is left."""
    live, sweepgen = 0, get32(m, t, SWEEPGEN)
    for spanclass in range(P.numSpanClasses):
        s = get64(m, t, span_place(c, spanclass))
        if s != V.emptymspan:
            free = get64(m, t, s + mspan.nelems) - get16(m, t, s + mspan.allocCount)
            if get32(m, t, s + mspan.sweepgen) != sweepgen + 1:  # else the mark phase has counted it anew
                live -= free * get64(m, t, s + mspan.elemsize)
            count_allocations(m, t, c, s, spanclass)
            uncacheSpan(m, t, central_of(spanclass), s)
            put64(m, t, span_place(c, spanclass), V.emptymspan)
    put64(m, t, c + mcache.tiny, 0)
    put64(m, t, c + mcache.tinyoffset, 0)
    update_heap_live(m, t, live, get64(m, t, c + mcache.scanAlloc))
    put64(m, t, c + mcache.scanAlloc, 0)


@cold
def prepareForSweep(m, t, c):
    """After a mark phase: what the P has cached is swept, and belongs to the new sweep generation."""
    generation, sweepgen = get32(m, t, c + mcache.flushGen), get32(m, t, SWEEPGEN)
    if generation == sweepgen:
        return
    if generation != sweepgen - 2:
        throw(m, t, E.BAD_FLUSH_GEN, generation, sweepgen)
        return
    releaseAll(m, t, c)
    stack_door(m, t, CACHE_CLEAR, c, 0)
    swap64(m, t, c + mcache.flushGen, sweepgen)  # the last word; gcStart reads it on another core

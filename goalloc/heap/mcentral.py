"""A class's spans, shared by all Ps: those with free objects and those without, each as two sets, swept and not.

    partial[2], full[2]     the swept one of the two changes with every collection: sweepgen / 2 % 2

A P takes a span here when its own is full (mcache.py), and pushes the full one. `c` is the address of an mcentral.
Go: mcentral.go.
"""

from hwmem._jit import call_door, cold, kernel
from goalloc import errors as E, params as P
from goalloc.errors import throw
from goalloc.layout import CENTRAL_STRIDE, mcentral, mheap, mspan, spanSet, variables as V
from goalloc.heap.mbitmap import initHeapBits, refillAllocCache
from goalloc.heap.mheap import alloc_span
from goalloc.heap.mspanset import spanSet_pop, spanSet_push
from goalloc.words import get8, get16, get32, get64, put32, put64, put_mask, shr

SWEEPGEN = V.mheap_ + mheap.sweepgen
# DOOR_SWEEP, what a collection has left to do: a span; before so many bytes are allocated, for which so many pages were swept; a span of a
# class; so many pages; a span that was acquired (gc/door.py)
SWEEP_ONE, SWEEP_CREDIT, SWEEP_FOR_CLASS, SWEEP_SPAN, SOME_WBUFS = 0, 1, 2, 4, 5  # 3: SWEEP_RECLAIM (mheap.py)


@kernel
def central_of(spanclass):
    return V.mheap_ + mheap.central + spanclass * CENTRAL_STRIDE


@kernel
def partialSwept(c, sweepgen):
    return c + mcentral.partial + (sweepgen // 2 % 2) * spanSet.sizeof


@kernel
def fullSwept(c, sweepgen):
    return c + mcentral.full + (sweepgen // 2 % 2) * spanSet.sizeof


@kernel
def partialUnswept(c, sweepgen):
    return c + mcentral.partial + (1 - sweepgen // 2 % 2) * spanSet.sizeof


@kernel
def fullUnswept(c, sweepgen):
    return c + mcentral.full + (1 - sweepgen // 2 % 2) * spanSet.sizeof


@kernel
def may_sweep(m, t):
    """Whether there may be spans that are not swept: since the first collection."""
    return m.process[m.thread[t].process].guest[P.COLLECTOR] & P.SWEEPING != 0


@cold
def cacheSpan(m, t, c):
    """A span with a free object, its allocCache filled, for a P's own; 0 when out of memory."""
    spanclass, collects = get8(m, t, c + mcentral.spanclass), may_sweep(m, t)
    if collects:
        call_door(m, P.DOOR_SWEEP, t, SWEEP_CREDIT, get8(m, t, V.class_to_allocnpages + (spanclass >> 1)) * P.pageSize, 0)
    s = spanSet_pop(m, t, partialSwept(c, get32(m, t, SWEEPGEN)))
    if s == 0 and collects:
        s = call_door(m, P.DOOR_SWEEP, t, SWEEP_FOR_CLASS, spanclass, 0)
    if s == 0:
        s = grow(m, t, c)
        if s == 0:
            return 0
    freeindex = get64(m, t, s + mspan.freeindex)
    if get16(m, t, s + mspan.allocCount) == get64(m, t, s + mspan.nelems) or freeindex == get64(m, t, s + mspan.nelems):
        throw(m, t, E.NO_FREE_OBJECTS, 0, 0)
        return 0
    cache = refillAllocCache(m, t, s, freeindex & ~63)
    put_mask(m, t, s + mspan.allocCache, shr(cache, freeindex & 63))
    return s


@cold
def uncacheSpan(m, t, c, s):
    """A P gives its span back."""
    count, sweepgen = get16(m, t, s + mspan.allocCount), get32(m, t, SWEEPGEN)
    if count == 0:
        throw(m, t, E.UNCACHING, 0, 0)
        return
    stale = get32(m, t, s + mspan.sweepgen) == sweepgen + 1  # cached before the last mark phase ended
    put32(m, t, s + mspan.sweepgen, sweepgen - 1 if stale else sweepgen)
    if stale:
        call_door(m, P.DOOR_SWEEP, t, SWEEP_SPAN, s, 0)
        return
    spanSet_push(m, t, partialSwept(c, sweepgen) if get64(m, t, s + mspan.nelems) > count else fullSwept(c, sweepgen), s)


@kernel
def grow(m, t, c):
    """A new span of the class, or 0."""
    spanclass = get8(m, t, c + mcentral.spanclass)
    s = alloc_span(m, t, get8(m, t, V.class_to_allocnpages + (spanclass >> 1)), P.spanAllocHeap, spanclass)
    if s:
        nelems, base = get64(m, t, s + mspan.nelems), get64(m, t, s + mspan.startAddr)
        put64(m, t, s + mspan.limit, base + nelems * get64(m, t, s + mspan.elemsize))
        initHeapBits(m, t, s)
    return s

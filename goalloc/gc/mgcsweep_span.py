"""Sweeping one span: what is not marked is free, the mark bits become the allocation bits.

    sweepgen of a span, against the heap's sg     sg - 2 to be swept | sg - 1 being swept | sg swept | sg + 1 cached since before, to be
                                                  swept | sg + 3 swept, then cached

Unmarked objects with a finalizer live once more: the finalizer is queued, with all others of the object; else their specials are
freed. A span in which nothing lives goes back to the page heap. Go: mgcsweep.go sweep, tryAcquire; mheap.go freeSpecial.
"""

from hwmem._jit import call_door, cold, kernel
from goalloc import constants as C, errors as E, params as P
from goalloc.base.lock import lock, unlock
from goalloc.base.mstats import stats_acquire, stats_release
from goalloc.errors import throw
from goalloc.gc.mfinal_queue import queuefinalizer
from goalloc.gc.mgcmark_scan import is_marked
from goalloc.gc.pinner_bits import refreshPinnerBits
from goalloc.heap.malloc_sample import FREE
from goalloc.heap.mbitmap import refillAllocCache
from goalloc.heap.mcentral import SWEEPGEN, central_of, fullSwept, partialSwept
from goalloc.heap.mheap import LOCK, free_span
from goalloc.heap.mheap_gcbits import newMarkBits
from goalloc.heap.mheap_grow import H, arena_of
from goalloc.heap.mheap_special import free_special, page_bit
from goalloc.heap.mheap_spanlist import list_insert, list_remove
from goalloc.heap.mspanset import spanSet_push
from goalloc.layout import gcControllerState, heapArena, heapStatsDelta, mSpanList, mheap, mspan, special, specialReachable, variables as V
from goalloc.words import (
    NONE,
    add64,
    cas64,
    clear_bit8,
    get8,
    get16,
    get32,
    get64,
    get_mask,
    low_bits,
    popcount64,
    put8,
    put16,
    put32,
    put64,
)

TOTAL_FREE = V.gcController + gcControllerState.totalFree
QUARANTINE, READY = H + mheap.userArena + 8, H + mheap.userArena + 8 + mSpanList.sizeof


@kernel
def try_acquire(m, t, s):
    """Whether the span was to be swept; it is the caller's to sweep now."""
    sg = get32(m, t, SWEEPGEN)
    if get32(m, t, s + mspan.sweepgen) != sg - 2:
        return False
    word = get64(m, t, s + mspan.sweepgen)  # with divMul
    cas64(m, t, s + mspan.sweepgen, word, word + 1)
    return True


@cold
def sweep_span(m, t, s, preserve):
    """Sweep a span that was acquired; whether it went back to the page heap. `preserve`: it stays out of all lists."""
    sg, size = get32(m, t, SWEEPGEN), get64(m, t, s + mspan.elemsize)
    if get8(m, t, s + mspan.state) != P.mSpanInUse or get32(m, t, s + mspan.sweepgen) != sg - 1:
        throw(m, t, E.BAD_SPAN_STATE, get8(m, t, s + mspan.state), get32(m, t, s + mspan.sweepgen))
        return False
    add64(m, t, H + mheap.pagesSwept, get64(m, t, s + mspan.npages))
    if get64(m, t, s + mspan.specials):
        sweep_specials(m, t, s, size)
    if not check_zombies(m, t, s):
        return False
    nalloc, before = count_marked(m, t, s), get16(m, t, s + mspan.allocCount)
    if nalloc > before:
        throw(m, t, E.SWEEP_INCREASED, nalloc, before)
        return False
    put16(m, t, s + mspan.allocCount, nalloc)
    put64(m, t, s + mspan.freeindex, 0)
    put64(m, t, s + mspan.freeIndexForScan, 0)
    put64(m, t, s + mspan.allocBits, get64(m, t, s + mspan.gcmarkBits))
    put64(m, t, s + mspan.gcmarkBits, newMarkBits(m, t, get64(m, t, s + mspan.nelems)))
    if get64(m, t, s + mspan.pinnerBits):
        refreshPinnerBits(m, t, s)
    refillAllocCache(m, t, s, 0)
    put32(m, t, s + mspan.sweepgen, sg)
    m.process[m.thread[t].process].guest[P.SPANS_SWEPT] += 1
    if get8(m, t, s + mspan.isUserArenaChunk):
        sweep_chunk(m, t, s, nalloc)
        return False
    if get8(m, t, s + mspan.spanclass) >> 1:
        return sweep_small(m, t, s, (nalloc, before - nalloc), preserve)
    return sweep_large(m, t, s, before - nalloc, preserve)


@kernel
def sweep_small(m, t, s, counts, preserve):
    """`counts`: objects that live, objects that have been freed."""
    nalloc, nfreed = counts
    spanclass, sg = get8(m, t, s + mspan.spanclass), get32(m, t, SWEEPGEN)
    if nfreed:
        put8(m, t, s + mspan.needzero, 1)
        stats = stats_acquire(m, t)
        add64(m, t, stats + heapStatsDelta.smallFreeCount + (spanclass >> 1) * 8, nfreed)
        stats_release(m, t)
        add64(m, t, TOTAL_FREE, nfreed * get64(m, t, s + mspan.elemsize))
    if preserve:
        return False
    if nalloc == 0:
        free_span(m, t, s, P.spanAllocHeap)
        return True
    c = central_of(spanclass)
    spanSet_push(m, t, fullSwept(c, sg) if nalloc == get64(m, t, s + mspan.nelems) else partialSwept(c, sg), s)
    return False


@kernel
def sweep_large(m, t, s, nfreed, preserve):
    if preserve:
        return False
    if nfreed == 0:
        spanSet_push(m, t, fullSwept(central_of(get8(m, t, s + mspan.spanclass)), get32(m, t, SWEEPGEN)), s)
        return False
    size = get64(m, t, s + mspan.elemsize)
    stats = stats_acquire(m, t)
    add64(m, t, stats + heapStatsDelta.largeFreeCount, 1)
    add64(m, t, stats + heapStatsDelta.largeFree, size)
    stats_release(m, t)
    add64(m, t, TOTAL_FREE, size)
    free_span(m, t, s, P.spanAllocHeap)
    return True


@kernel
def sweep_chunk(m, t, s, nalloc):
    """A user arena's chunk: one that nothing points to any more can be used again."""
    if nalloc:
        spanSet_push(m, t, fullSwept(central_of(get8(m, t, s + mspan.spanclass)), get32(m, t, SWEEPGEN)), s)
        return
    add64(m, t, H + mheap.pagesInUse, -get64(m, t, s + mspan.npages))
    put8(m, t, s + mspan.state, P.mSpanDead)
    clear_in_use(m, t, get64(m, t, s + mspan.startAddr))
    if get64(m, t, s + mspan.list) != QUARANTINE:
        throw(m, t, E.ARENA_LIST, 0, 0)
        return
    lock(m, t, LOCK)
    list_remove(m, t, QUARANTINE, s)
    list_insert(m, t, READY, s)
    unlock(m, t, LOCK)


@kernel
def clear_in_use(m, t, base):
    """The span's bit of pageInUse. (Go leaves it, and sets it again when the chunk comes into use; here that would add to it.)"""
    page = base >> P.pageShift & P.pagesPerArena - 1
    clear_bit8(m, t, arena_of(m, t, base) + heapArena.pageInUse + (page >> 3), page & 7)


@kernel
def count_marked(m, t, s):
    """How many objects of the span are marked. Go: countAlloc."""
    bits, count = get64(m, t, s + mspan.gcmarkBits), 0
    for i in range((get64(m, t, s + mspan.nelems) + 63) // 64):
        count += popcount64(get_mask(m, t, bits + 8 * i))
    return count


@kernel
def check_zombies(m, t, s):
    """Nothing that is free is marked; else a fatal error and False."""
    nelems, first = get64(m, t, s + mspan.nelems), get64(m, t, s + mspan.freeindex)
    marks, allocated = get64(m, t, s + mspan.gcmarkBits), get64(m, t, s + mspan.allocBits)
    for i in range(first & ~63, nelems, 64):
        zombies = get_mask(m, t, marks + i // 8) & ~get_mask(m, t, allocated + i // 8)
        if i < first:
            zombies &= ~low_bits(first - i)
        if zombies != NONE:
            throw(m, t, E.ZOMBIES, s, get64(m, t, s + mspan.elemsize))
            return False
    return True


# Specials


@cold
def sweep_specials(m, t, s, size):
    base, link = get64(m, t, s + mspan.startAddr), s + mspan.specials
    sp = get64(m, t, link)
    while sp:
        i = get16(m, t, sp + special.offset) // size
        if is_marked(m, t, s, i):
            link = keep_special(m, t, link, sp)
        else:
            link = sweep_object(m, t, s, link, i)
        sp = get64(m, t, link)
    place, bit = page_bit(m, t, base)
    if get64(m, t, s + mspan.specials) == 0 and get8(m, t, place) >> bit & 1:
        clear_bit8(m, t, place, bit)


@kernel
def keep_special(m, t, link, sp):
    """Of an object that lives; where the next one's address lies."""
    if get8(m, t, sp + special.kind) != C.KindSpecialReachable:
        return sp + special.next
    put64(m, t, link, get64(m, t, sp + special.next))
    put8(m, t, sp + specialReachable.reachable, 1)
    put8(m, t, sp + specialReachable.done, 1)
    return link


@kernel
def sweep_object(m, t, s, link, i):
    """The specials, from the one that `link` names on, of object `i`, which was not reached."""
    size = get64(m, t, s + mspan.elemsize)
    end, has_finalizer = (i + 1) * size, False
    sp = get64(m, t, link)
    while sp and get16(m, t, sp + special.offset) < end and not has_finalizer:
        has_finalizer = get8(m, t, sp + special.kind) == C.KindSpecialFinalizer
        sp = get64(m, t, sp + special.next)
    if has_finalizer:
        place = get64(m, t, s + mspan.gcmarkBits) + (i >> 3)
        put8(m, t, place, get8(m, t, place) | 1 << (i & 7))
    sp = get64(m, t, link)
    while sp and get16(m, t, sp + special.offset) < end:
        kind, x = get8(m, t, sp + special.kind), get64(m, t, s + mspan.startAddr) + get16(m, t, sp + special.offset)
        if has_finalizer and kind != C.KindSpecialFinalizer:
            link = sp + special.next
        elif kind == C.KindSpecialProfile:
            call_door(m, P.DOOR_PROFILE, t, FREE, x, size)  # which takes it off the list
        else:
            put64(m, t, link, get64(m, t, sp + special.next))
            freeSpecial(m, t, sp, x)
        sp = get64(m, t, link)
    return link


@cold
def freeSpecial(m, t, sp, x):
    """The special of the object at `x` has done what it is for."""
    kind = get8(m, t, sp + special.kind)
    if kind == C.KindSpecialReachable:
        put8(m, t, sp + specialReachable.done, 1)
    elif kind == C.KindSpecialFinalizer:
        queuefinalizer(m, t, x, sp)
        free_special(m, t, mheap.specialfinalizeralloc, sp)
    elif kind == C.KindSpecialPinCounter:
        free_special(m, t, mheap.specialPinCounterAlloc, sp)
    else:
        throw(m, t, E.SPECIAL_KIND, 0, 0)

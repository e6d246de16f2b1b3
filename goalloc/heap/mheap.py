"""The page heap: spans from pages and back.

    allocSpan ── fewer than 16 pages: the P's page cache, without a lock ── else, or when that is empty: mheap.lock,
                 the page allocator, and if that has no room 4 MiB more from the system (mheap_grow.py)

A span is a run of go pages: `mSpanInUse` with objects of one size, `mSpanManual` for stacks. Its mspan comes from the P's
cache of 128 of them. Every page of a span in use points to it (heapArena.spans). A span needs zeroing if any of its pages
has been in use before, which an arena's zeroedBase says. Reached through DOOR_ALLOC_SPAN: npages (0: free the span),
type, class. Go: mheap.go.
"""

from hwmem._jit import DOORS, call_door, cold, kernel
from goalloc import errors as E, params as P
from goalloc.errors import throw
from goalloc.heap.mheap_gcbits import newMarkBits
from goalloc.heap.mheap_grow import H, arena_of, grow
from goalloc.heap.mheap_scavenge import scavenge_to_allocate
from goalloc.layout import gcControllerState, heapArena, heapStatsDelta, mheap, mspan, mstats, p_, slice_, variables as V
from goalloc.base.lock import lock, unlock
from goalloc.base.mem import sysAlloc, sysFree, sysUsed
from goalloc.base.mfixalloc import fixalloc_alloc, fixalloc_free
from goalloc.pages.mpagealloc import ALLOC, CACHE_FILL, FREE, pages_door
from goalloc.pages.mpagecache import pageCache_alloc, pageCache_empty
from goalloc.pages.mranges import move_words
from goalloc.base.mstats import stats_acquire, stats_release
from goalloc.base.malloc_persistent import current_p
from goalloc.words import add64, cas64, check_nil, clear_bit8, get8, get16, get32, get64, put8, put16, put32, put64, set_bit8

LOCK, PAGES = H + mheap.lock, H + mheap.pages
HEAP_FREE, HEAP_IN_USE = V.gcController + gcControllerState.heapFree, V.gcController + gcControllerState.heapInUse
HEAP_RELEASED = V.gcController + gcControllerState.heapReleased
ALLSPANS_BYTES = 64 << 10
SWEEP_RECLAIM = 3  # DOOR_SWEEP: free so many pages (mcentral.py has the others)


@kernel
def alloc_span(m, t, npages, typ, spanclass):
    """Address of a new span's mspan, or 0 when out of memory (a fatal error). `typ`: spanAllocHeap, spanAllocStack, ..."""
    return call_door(m, P.DOOR_ALLOC_SPAN, t, npages, typ, spanclass)


@kernel
def free_span(m, t, s, typ):
    """Go: freeSpan, freeManual."""
    call_door(m, P.DOOR_ALLOC_SPAN, t, 0, typ, s)


@DOORS.door(P.DOOR_ALLOC_SPAN)
def span_door(m, t, npages, typ, c):
    if npages > 0:
        if typ == P.spanAllocHeap and m.process[m.thread[t].process].guest[P.COLLECTOR] & P.SWEEPING:
            call_door(m, P.DOOR_SWEEP, t, SWEEP_RECLAIM, npages, 0)
        return allocSpan(m, t, npages, typ, c)
    if typ != P.spanAllocHeap:
        put8(m, t, c + mspan.needzero, 1)
    lock(m, t, LOCK)
    freeSpanLocked(m, t, c, typ)
    unlock(m, t, LOCK)
    return 0


@cold
def allocSpan(m, t, npages, typ, spanclass):
    pp = current_p(m, t)
    s, base, scav, growth = 0, 0, 0, 0
    if pp and npages < P.pageCachePages // 4:
        if pageCache_empty(m, t, pp + p_.pcache):
            lock(m, t, LOCK)
            pages_door(m, t, PAGES, CACHE_FILL, pp + p_.pcache, 0)
            unlock(m, t, LOCK)
        base, scav = pageCache_alloc(m, t, pp + p_.pcache, npages)
        if base:
            s = tryAllocMSpan(m, t, pp)
    if s == 0:
        lock(m, t, LOCK)
        if base == 0:
            base, scav, growth = take_pages(m, t, npages)
        if base:
            s = allocMSpanLocked(m, t, pp)
        unlock(m, t, LOCK)
        if base == 0 or s == 0:
            return 0
    scavenge_to_allocate(m, t, pp, scav, growth)
    if typ == P.spanAllocHeap:
        initSpan(m, t, s, spanclass, base, npages)
    else:
        init_manual(m, t, s, base, npages)
    if scav:
        sysUsed(m, t, base, npages * P.pageSize, scav)
    account_allocated(m, t, typ, npages * P.pageSize, scav)
    return s


@kernel
def take_pages(m, t, npages):
    """(address of free pages or 0, scavenged bytes among them, by how many bytes the heap grew for it); the lock is held."""
    base, growth = pages_door(m, t, PAGES, ALLOC, npages, 0), 0
    if base == 0:
        growth = grow(m, t, npages)
        if growth == 0:
            return 0, 0, 0
        base = pages_door(m, t, PAGES, ALLOC, npages, 0)
        if base == 0:
            throw(m, t, E.GREW_HEAP, 0, 0)
    return base, m.thread[t].guest[P.SECOND], growth


@kernel
def account_allocated(m, t, typ, nbytes, scav):
    if scav:
        add64(m, t, HEAP_RELEASED, -scav)
    add64(m, t, HEAP_FREE, scav - nbytes)
    if typ == P.spanAllocHeap:
        add64(m, t, HEAP_IN_USE, nbytes)
    stats = stats_acquire(m, t)
    add64(m, t, stats + heapStatsDelta.committed, scav)
    add64(m, t, stats + heapStatsDelta.released, -scav)
    add64(m, t, in_use_counter(stats, typ), nbytes)
    stats_release(m, t)


@kernel
def in_use_counter(stats, typ):
    """Where a heapStatsDelta counts the bytes of spans of a type."""
    if typ == P.spanAllocHeap:
        return stats + heapStatsDelta.inHeap
    if typ == P.spanAllocStack:
        return stats + heapStatsDelta.inStacks
    return stats + (heapStatsDelta.inWorkBufs if typ == P.spanAllocWorkBuf else heapStatsDelta.inPtrScalarBits)


# mspans


@kernel
def mspan_cache(pp):
    """(address of the length, address of the first entry) of a P's cache of mspans."""
    return pp + p_.mspancache, pp + p_.mspancache + 8


@kernel
def tryAllocMSpan(m, t, pp):
    """An mspan from the P's cache, or 0."""
    length, first = mspan_cache(pp)
    n = get64(m, t, length)
    if n == 0:
        return 0
    put64(m, t, length, n - 1)
    return get64(m, t, first + (n - 1) * 8)


@kernel
def allocMSpanLocked(m, t, pp):
    """An mspan, the P's cache half filled first if it is empty."""
    if pp == 0:
        return new_mspan(m, t)
    length, first = mspan_cache(pp)
    if get64(m, t, length) == 0:
        for i in range(P.mspanCacheEntries // 2):
            put64(m, t, first + i * 8, new_mspan(m, t))
        put64(m, t, length, P.mspanCacheEntries // 2)
    return tryAllocMSpan(m, t, pp)


@cold
def new_mspan(m, t):
    s, first_time = fixalloc_alloc(m, t, H + mheap.spanalloc)
    if first_time:
        recordspan(m, t, s)
    return s


@kernel
def recordspan(m, t, s):
    """allspans = append(allspans, s), in memory outside the heap."""
    spans = H + mheap.allspans
    array, n, capacity = get64(m, t, spans + slice_.array), get64(m, t, spans + slice_.len), get64(m, t, spans + slice_.cap)
    if n >= capacity:
        larger = max(ALLSPANS_BYTES // 8, capacity * 3 // 2)
        into = sysAlloc(m, t, larger * 8, V.memstats + mstats.other_sys)
        if into == 0:
            throw(m, t, E.CANNOT_ALLOCATE_MEMORY, 0, 0)
            return
        move_words(m, t, into, array, n * 8)
        put64(m, t, spans + slice_.array, into)
        put64(m, t, spans + slice_.cap, larger)
        if n:
            sysFree(m, t, array, capacity * 8, V.memstats + mstats.other_sys)
        array = into
    put64(m, t, array + n * 8, s)
    put64(m, t, spans + slice_.len, n + 1)


@kernel
def freeMSpanLocked(m, t, s):
    pp = current_p(m, t)
    if pp:
        length, first = mspan_cache(pp)
        n = get64(m, t, length)
        if n < P.mspanCacheEntries:
            put64(m, t, first + n * 8, s)
            put64(m, t, length, n + 1)
            return
    fixalloc_free(m, t, H + mheap.spanalloc, s)


# Spans


@cold
def init_manual(m, t, s, base, npages):
    """What Go's initSpan does for a span of another type than spanAllocHeap."""
    start_span(m, t, s, base, npages)
    put64(m, t, s + mspan.manualFreeList, 0)
    put64(m, t, s + mspan.nelems, 0)
    put64(m, t, s + mspan.limit, base + npages * P.pageSize)
    put8(m, t, s + mspan.state, P.mSpanManual)
    setSpans(m, t, base, npages, s)


@cold
def initSpan(m, t, s, spanclass, base, npages):
    """A span of objects."""
    start_span(m, t, s, base, npages)
    put8(m, t, s + mspan.spanclass, spanclass)
    nelems = cut_objects(m, t, s, spanclass >> 1, npages * P.pageSize)
    put64(m, t, s + mspan.allocCache, -1)
    put64(m, t, s + mspan.gcmarkBits, newMarkBits(m, t, nelems))
    put64(m, t, s + mspan.allocBits, newMarkBits(m, t, nelems))
    put32(m, t, s + mspan.sweepgen, get32(m, t, H + mheap.sweepgen))
    put8(m, t, s + mspan.state, P.mSpanInUse)
    setSpans(m, t, base, npages, s)
    arena, page = arena_of(m, t, base), base >> P.pageShift & P.pagesPerArena - 1
    set_bit8(m, t, arena + heapArena.pageInUse + (page >> 3), page & 7)
    add64(m, t, H + mheap.pagesInUse, npages)


@kernel
def start_span(m, t, s, base, npages):
    clear_span(m, t, s, base, npages)
    if allocNeedsZero(m, t, base, npages):
        put8(m, t, s + mspan.needzero, 1)


@kernel
def clear_span(m, t, s, base, npages):
    """Go: mspan.init."""
    for offset in (
        mspan.next,
        mspan.prev,
        mspan.list,
        mspan.elemsize,
        mspan.speciallock,
        mspan.specials,
        mspan.freeindex,
        mspan.freeIndexForScan,
        mspan.allocBits,
        mspan.gcmarkBits,
        mspan.pinnerBits,
    ):
        put64(m, t, s + offset, 0)
    put64(m, t, s + mspan.startAddr, base)
    put64(m, t, s + mspan.npages, npages)
    put16(m, t, s + mspan.allocCount, 0)
    put8(m, t, s + mspan.spanclass, 0)
    put8(m, t, s + mspan.needzero, 0)
    put8(m, t, s + mspan.state, P.mSpanDead)


@kernel
def cut_objects(m, t, s, sizeclass, nbytes):
    """Size and number of the span's objects; the number."""
    size, nelems, magic = nbytes, 1, 0
    if sizeclass:
        size = get16(m, t, V.class_to_size + 2 * sizeclass)
        nelems = nbytes // size
        magic = get32(m, t, V.class_to_divmagic + 4 * sizeclass)
    put64(m, t, s + mspan.elemsize, size)
    put64(m, t, s + mspan.nelems, nelems)
    put32(m, t, s + mspan.divMul, magic)
    return nelems


@kernel
def setSpans(m, t, base, npages, s):
    """Every page of [base, base + npages) belongs to span `s` (0: to none)."""
    arena = 0
    for va in range(base, base + npages * P.pageSize, P.pageSize):
        page = va >> P.pageShift & P.pagesPerArena - 1
        if page == 0 or arena == 0:
            arena = arena_of(m, t, va)
        put64(m, t, arena + heapArena.spans + page * 8, s)


@kernel
def allocNeedsZero(m, t, base, npages):
    """Whether any of the pages has been in use before; they have been from now on."""
    dirty = False
    while npages > 0:
        arena, start = arena_of(m, t, base), base & P.heapArenaBytes - 1
        check_nil(m, t, arena)
        zeroed = get64(m, t, arena + heapArena.zeroedBase)
        end = min(start + npages * P.pageSize, P.heapArenaBytes)
        if start < zeroed:
            dirty = True
        if end > zeroed and cas64(m, t, arena + heapArena.zeroedBase, zeroed, end) != zeroed:
            throw(m, t, E.OVERLAPPING, 0, 0)
        base += end - start
        npages -= (end - start) >> P.pageShift
    return dirty


@cold
def freeSpanLocked(m, t, s, typ):
    state, npages, base = get8(m, t, s + mspan.state), get64(m, t, s + mspan.npages), get64(m, t, s + mspan.startAddr)
    if not may_be_freed(m, t, s, state):
        return
    if state == P.mSpanInUse:
        add64(m, t, H + mheap.pagesInUse, -npages)
        arena, page = arena_of(m, t, base), base >> P.pageShift & P.pagesPerArena - 1
        clear_bit8(m, t, arena + heapArena.pageInUse + (page >> 3), page & 7)
    nbytes = npages * P.pageSize
    add64(m, t, HEAP_FREE, nbytes)
    if typ == P.spanAllocHeap:
        add64(m, t, HEAP_IN_USE, -nbytes)
    stats = stats_acquire(m, t)
    add64(m, t, in_use_counter(stats, typ), -nbytes)
    stats_release(m, t)
    pages_door(m, t, PAGES, FREE, base, npages)
    put8(m, t, s + mspan.state, P.mSpanDead)
    freeMSpanLocked(m, t, s)


@kernel
def may_be_freed(m, t, s, state):
    """False, after a fatal error, for a span that is in use or none."""
    count = get16(m, t, s + mspan.allocCount)
    if state == P.mSpanManual and count == 0:
        return True
    if state == P.mSpanInUse and get8(m, t, s + mspan.isUserArenaChunk):
        throw(m, t, E.INVALID_ARENA_FREE, 0, 0)
        return False
    if state == P.mSpanInUse and count == 0 and get32(m, t, s + mspan.sweepgen) == get32(m, t, H + mheap.sweepgen):
        return True
    code = E.INVALID_STACK_FREE if state == P.mSpanManual else E.INVALID_FREE if state == P.mSpanInUse else E.INVALID_STATE
    throw(m, t, code, 0, 0)
    return False

"""The page allocator: which go pages of the heap's address space are free, first fit by address.

    summary[0] ─ 2^14 words of 16 GiB ... summary[4] ─ a word a chunk (msummary.py)      a radix tree, searched from above
    chunks[l1][l2] ─ bitmaps of 512 pages a chunk (mpallocbits.py), and which of the pages are scavenged

No page below searchAddr is free. `p` is the address of a pageAlloc; the heap's lock is held, but for `test` ones. Pages are
counted, addresses are real. Reached through DOOR_PAGES: ALLOC, FREE, CACHE_FILL, CACHE_FLUSH, GROW, SCAVENGE.
Go: mpagealloc.go, mpagealloc_64bit.go, mpagecache.go, mgcscavenge.go scavengeOne.
"""
from hwmem._jit import DOORS, call_door, cold, kernel
from goalloc import errors as E, params as P
from goalloc.errors import throw
from goalloc.layout import mheap, pageAlloc, pageCache, pallocData, slice_, variables as V
from goalloc.lock import lock, unlock
from goalloc.mem import sysAlloc, sysMap, sysNoHugePage, sysReserve, sysUnused, sysUsed
from goalloc.mgcscavenge import (chunkBase, chunkIndex, index_change, index_find, index_free, index_grow, index_init, linear,
                                 set_flags, subtract)
from goalloc.mpallocbits import clearRange, find as find_in_chunk, findScavengeCandidate, popcntRange, setRange, summarize
from goalloc.mranges import find_address_at_or_above, find_succ, ranges_add, ranges_init
from goalloc.mstats import account_scavenged
from goalloc.msummary import end_of, max_of, merge, pack, start_of, summary_place
from goalloc.words import NONE, align_down, align_up, get8, get64, get_mask, popcount64, put8, put64, put_mask, test_bit

ALLOC, FREE, CACHE_FILL, CACHE_FLUSH, GROW, SCAVENGE = range(6)
SCAV = pageAlloc.scav
LAST_LEVEL = P.summaryLevels - 1


@kernel
def pages_door(m, t, p, operation, a, b):
    """Call the page allocator at `p`; a second result is in the thread's register SECOND."""
    m.thread[t].guest[P.SIZE] = b
    return call_door(m, P.DOOR_PAGES, t, p, operation, a)


@DOORS.door(P.DOOR_PAGES)
def pages(m, t, p, operation, a):
    b = m.thread[t].guest[P.SIZE]
    if operation == ALLOC:
        va, scavenged = alloc(m, t, p, a)
        m.thread[t].guest[P.SECOND] = scavenged
        return va
    if operation == FREE:
        free(m, t, p, a, b)
    elif operation == CACHE_FILL:
        allocToCache(m, t, p, a)
    elif operation == CACHE_FLUSH:
        flush(m, t, p, a)
    elif operation == GROW:
        grow(m, t, p, a, b)
    else:
        return scavenge(m, t, p, a, b)
    return 0


@kernel
def chunkOf(m, t, p, ci):
    """Address of a chunk's pallocData."""
    l2 = get64(m, t, p + pageAlloc.chunks + (ci >> P.pallocChunksL2Bits) * 8)
    return l2 + (ci & (1 << P.pallocChunksL2Bits) - 1) * pallocData.sizeof


@kernel
def chunkPageIndex(va):
    return (va & P.pallocChunkBytes - 1) >> P.pageShift


@kernel
def levelIndex(level, va):
    return linear(va) >> P.levelShift[level]


@kernel
def levelAddress(level, i):
    return (i << P.levelShift[level]) + P.arenaBaseOffset


# Growing


@kernel
def pageAlloc_init(m, t, p, lock_place, stat, test):
    """Reserve the summaries and the scavenge index; nothing is mapped yet."""
    put64(m, t, p + pageAlloc.sysStat, stat)
    ranges_init(m, t, p + pageAlloc.inUse, stat)
    for level in range(P.summaryLevels):
        entries = 1 << P.heapAddrBits - P.levelShift[level]
        place = p + pageAlloc.summary + level * slice_.sizeof
        put64(m, t, place + slice_.array, sysReserve(m, t, 0, align_up(entries * 8, P.physPageSize)))
        put64(m, t, place + slice_.cap, entries)
    put64(m, t, p + pageAlloc.searchAddr, P.maxOffAddr)
    put64(m, t, p + pageAlloc.mheapLock, lock_place)
    index_init(m, t, p + SCAV)
    put8(m, t, p + pageAlloc.test, test)


@cold
def grow(m, t, p, base, size):
    """Take over [base, base + size), which is free and scavenged."""
    limit = align_up(base + size, P.pallocChunkBytes)
    base = align_down(base, P.pallocChunkBytes)
    stat = get64(m, t, p + pageAlloc.sysStat)
    mapped = map_summaries(m, t, p, base, limit) + index_grow(m, t, p + SCAV, base, limit, stat)
    put64(m, t, p + pageAlloc.summaryMappedReady, get64(m, t, p + pageAlloc.summaryMappedReady) + mapped)
    start, end = get64(m, t, p + pageAlloc.start), get64(m, t, p + pageAlloc.end)
    if start == 0 or chunkIndex(base) < start:
        put64(m, t, p + pageAlloc.start, chunkIndex(base))
    if chunkIndex(limit) > end:
        put64(m, t, p + pageAlloc.end, chunkIndex(limit))
    ranges_add(m, t, p + pageAlloc.inUse, base, limit)
    lower_search(m, t, p, base)
    for ci in range(chunkIndex(base), chunkIndex(limit)):
        l1 = p + pageAlloc.chunks + (ci >> P.pallocChunksL2Bits) * 8
        if get64(m, t, l1) == 0:
            size_l2 = pallocData.sizeof << P.pallocChunksL2Bits
            l2 = sysAlloc(m, t, size_l2, stat)
            if l2 == 0:
                throw(m, t, E.OUT_OF_MEMORY, 0, 0)
                return
            if get8(m, t, p + pageAlloc.test) == 0:
                sysNoHugePage(m, t, l2, size_l2)
            put64(m, t, l1, l2)
        setRange(m, t, chunkOf(m, t, p, ci) + pallocData.scavenged, 0, P.pallocChunkPages)
    update(m, t, p, base, size // P.pageSize, True, False)


@kernel
def summary_bytes(m, t, p, level, base, limit):
    """The pages of a level's array that the summaries of [base, limit) lie on, as addresses. Go: sysGrow."""
    block = 1 << P.levelBits[level]
    low = align_down(levelIndex(level, base), block) * 8
    high = align_up(levelIndex(level, limit - 1) + 1, block) * 8
    array = summary_place(m, t, p, level, 0)
    return array + align_down(low, P.physPageSize), array + align_up(high, P.physPageSize)


@kernel
def map_summaries(m, t, p, base, limit):
    """Map the summaries of [base, limit) that the neighbouring ranges in use have not mapped; the bytes that took."""
    inUse = p + pageAlloc.inUse
    i, n, ranges = find_succ(m, t, inUse, base), get64(m, t, inUse + slice_.len), get64(m, t, inUse + slice_.array)
    mapped = 0
    for level in range(P.summaryLevels):
        last = levelIndex(level, limit - 1) + 1
        length = p + level * slice_.sizeof + slice_.len
        needed = align_up(last, 1 << P.levelBits[level])
        if needed > get64(m, t, length):
            put64(m, t, length, needed)
        low, high = summary_bytes(m, t, p, level, base, limit)
        for k in range(max(i - 1, 0), min(i + 1, n)):
            other = ranges + k * 16
            mapped_low, mapped_high = summary_bytes(m, t, p, level, get64(m, t, other), get64(m, t, other + 8))
            low, high = subtract(m, t, low, high, mapped_low, mapped_high)
        if low < high:
            sysMap(m, t, low, high - low, get64(m, t, p + pageAlloc.sysStat))
            sysUsed(m, t, low, high - low, high - low)
            mapped += high - low
    return mapped


# Keeping the summaries


@cold
def update(m, t, p, base, npages, contig, alloc):
    """The bits of [base, base + npages) have changed: to all allocated or all free if `contig`."""
    limit = base + npages * P.pageSize - 1
    sc, ec = chunkIndex(base), chunkIndex(limit)
    changed = False
    for ci in range(sc, ec + 1):
        place = summary_place(m, t, p, LAST_LEVEL, ci)
        if contig and sc < ci < ec:
            put64(m, t, place, 0 if alloc else P.freeChunkSum)
            changed = True
        else:
            changed = set_summary(m, t, place, summarize_chunk(m, t, p, ci)) or changed or sc < ec
    level = LAST_LEVEL - 1
    while level >= 0 and changed:
        changed = False
        for i in range(levelIndex(level, base), levelIndex(level, limit) + 1):
            below = summary_place(m, t, p, level + 1, i << 3)
            word = merge(m, t, below, P.levelLogPages[level + 1])
            changed = set_summary(m, t, summary_place(m, t, p, level, i), word) or changed
        level -= 1


@kernel
def set_summary(m, t, place, word):
    """Store a summary; whether it is another than before."""
    if get64(m, t, place) == word:
        return False
    put64(m, t, place, word)
    return True


@kernel
def summarize_chunk(m, t, p, ci):
    start, most, end = summarize(m, t, chunkOf(m, t, p, ci))
    return pack(start, most, end)


# Allocating and freeing


@cold
def alloc(m, t, p, npages):
    """(address of `npages` free pages, now allocated, or 0; bytes of them that were scavenged)."""
    search = get64(m, t, p + pageAlloc.searchAddr)
    if chunkIndex(search) >= get64(m, t, p + pageAlloc.end):
        return 0, 0
    va, new_search = 0, P.minOffAddr
    ci, page = chunkIndex(search), chunkPageIndex(search)
    if P.pallocChunkPages - page >= npages and max_of(get64(m, t, summary_place(m, t, p, LAST_LEVEL, ci))) >= npages:
        i, first = find_in_chunk(m, t, chunkOf(m, t, p, ci), npages, page)
        if i < 0:
            throw(m, t, E.BAD_SUMMARY, 0, 0)
            return 0, 0
        va, new_search = chunkBase(ci) + i * P.pageSize, chunkBase(ci) + first * P.pageSize
    else:
        va, new_search = find(m, t, p, npages)
        if va == 0:
            if npages == 1:                             # nothing is free at all
                put64(m, t, p + pageAlloc.searchAddr, P.maxOffAddr)
            return 0, 0
    scavenged = allocRange(m, t, p, va, npages)
    if search < new_search:
        put64(m, t, p + pageAlloc.searchAddr, new_search)
    return va, scavenged


@cold
def allocRange(m, t, p, base, npages):
    """Mark pages allocated; bytes of them that were scavenged."""
    va, end, scavenged = base, base + npages * P.pageSize, 0
    while va < end:
        ci, i = chunkIndex(va), chunkPageIndex(va)
        n = min((end - va) >> P.pageShift, P.pallocChunkPages - i)
        chunk = chunkOf(m, t, p, ci)
        scavenged += popcntRange(m, t, chunk + pallocData.scavenged, i, n)
        alloc_in_chunk(m, t, chunk, i, n)
        index_change(m, t, p + SCAV, ci, n)
        va += n * P.pageSize
    update(m, t, p, base, npages, True, True)
    return scavenged * P.pageSize


@kernel
def alloc_in_chunk(m, t, chunk, i, n):
    """Pages in use are not scavenged."""
    setRange(m, t, chunk, i, n)
    clearRange(m, t, chunk + pallocData.scavenged, i, n)


@cold
def free(m, t, p, base, npages):
    lower_search(m, t, p, base)
    va, end = base, base + npages * P.pageSize
    while va < end:
        ci, i = chunkIndex(va), chunkPageIndex(va)
        n = min((end - va) >> P.pageShift, P.pallocChunkPages - i)
        clearRange(m, t, chunkOf(m, t, p, ci), i, n)
        index_free(m, t, p + SCAV, ci, i, n)
        va += n * P.pageSize
    update(m, t, p, base, npages, True, False)


@kernel
def lower_search(m, t, p, va):
    if va < get64(m, t, p + pageAlloc.searchAddr):
        put64(m, t, p + pageAlloc.searchAddr, va)


# Searching the tree


@cold
def find(m, t, p, npages):
    """(address of the first run of `npages` free pages or 0, a bound below which no page is free): from the root down."""
    search = get64(m, t, p + pageAlloc.searchAddr)
    i, free_base, free_bound = 0, P.minOffAddr, P.maxOffAddr
    for level in range(P.summaryLevels):
        i <<= P.levelBits[level]
        entries = 1 << P.levelBits[level]
        j = levelIndex(level, search) - i
        j = j if 0 <= j < entries else 0
        whole, size, base, down = 1 << P.levelLogPages[level], 0, 0, -1
        while j < entries and size < npages and down < 0:
            word = get64(m, t, summary_place(m, t, p, level, i + j))
            if word == 0:
                size = 0
            else:
                va = levelAddress(level, i + j)
                if free_base <= va and va + whole * P.pageSize - 1 <= free_bound:
                    free_base, free_bound = va, va + whole * P.pageSize - 1
                start = start_of(word)
                if size + start >= npages:              # a run that begins further left ends here
                    base = base if size else j * whole
                    size += start
                elif max_of(word) >= npages:
                    down = i + j
                elif size == 0 or start < whole:
                    size = end_of(word)
                    base = (j + 1) * whole - size
                else:
                    size += whole
            j += 1
        if down < 0:
            if size >= npages:
                return levelAddress(level, i) + base * P.pageSize, findMappedAddr(m, t, p, free_base)
            if level > 0:
                throw(m, t, E.BAD_SUMMARY, 0, 0)
            return 0, P.maxOffAddr
        i = down
    return find_below(m, t, p, npages, i, free_base, free_bound)


@kernel
def find_below(m, t, p, npages, ci, free_base, free_bound):
    """The end of `find`: the run lies inside chunk `ci`."""
    j, first = find_in_chunk(m, t, chunkOf(m, t, p, ci), npages, 0)
    if j < 0:
        throw(m, t, E.BAD_SUMMARY, 0, 0)
        return 0, P.maxOffAddr
    va = chunkBase(ci) + first * P.pageSize
    if free_base <= va and chunkBase(ci + 1) - 1 <= free_bound:
        free_base = va
    return chunkBase(ci) + j * P.pageSize, findMappedAddr(m, t, p, free_base)


@kernel
def findMappedAddr(m, t, p, va):
    """The least address >= `va` that the heap has."""
    if get8(m, t, p + pageAlloc.test) == 0:
        l2 = get64(m, t, V.mheap_ + mheap.arenas)
        if l2 and get64(m, t, l2 + (linear(va) // P.heapArenaBytes) * 8):
            return va
    return find_address_at_or_above(m, t, p + pageAlloc.inUse, va)


# Page caches (mpagecache.py has what needs no lock)


@cold
def allocToCache(m, t, p, c):
    """Take the first aligned 64 pages with a free one into the page cache at `c`."""
    put64(m, t, c + pageCache.base, 0)
    put64(m, t, c + pageCache.cache, 0)
    put64(m, t, c + pageCache.scav, 0)
    search = get64(m, t, p + pageAlloc.searchAddr)
    if chunkIndex(search) >= get64(m, t, p + pageAlloc.end):
        return
    ci, page = chunkIndex(search), 0
    if get64(m, t, summary_place(m, t, p, LAST_LEVEL, ci)) != 0:
        page, _ = find_in_chunk(m, t, chunkOf(m, t, p, ci), 1, chunkPageIndex(search))
        if page < 0:
            throw(m, t, E.BAD_SUMMARY, 0, 0)
            return
    else:
        va, _ = find(m, t, p, 1)
        if va == 0:
            put64(m, t, p + pageAlloc.searchAddr, P.maxOffAddr)
            return
        ci, page = chunkIndex(va), chunkPageIndex(va)
    fill(m, t, p, c, ci, page & ~63)


@kernel
def fill(m, t, p, c, ci, page):
    """The free ones of the 64 pages from `page` of chunk `ci` become the cache's."""
    bits = chunkOf(m, t, p, ci) + page // 8
    scavenged = bits + pallocData.scavenged
    used, scav = get_mask(m, t, bits), get_mask(m, t, scavenged)
    base = chunkBase(ci) + page * P.pageSize
    put64(m, t, c + pageCache.base, base)
    put_mask(m, t, c + pageCache.cache, ~used)
    put_mask(m, t, c + pageCache.scav, scav)
    put_mask(m, t, bits, used | ~used)
    put_mask(m, t, scavenged, scav & used)
    update(m, t, p, base, P.pageCachePages, False, True)
    index_change(m, t, p + SCAV, ci, popcount64(~used))
    put64(m, t, p + pageAlloc.searchAddr, base + P.pageSize * (P.pageCachePages - 1))


@cold
def flush(m, t, p, c):
    """What the page cache at `c` has left goes back."""
    free_pages, scav = get_mask(m, t, c + pageCache.cache), get_mask(m, t, c + pageCache.scav)
    if free_pages == NONE:
        return
    base = get64(m, t, c + pageCache.base)
    ci, page = chunkIndex(base), chunkPageIndex(base)
    chunk = chunkOf(m, t, p, ci)
    for i in range(64):
        if test_bit(free_pages, i):
            clearRange(m, t, chunk, page + i, 1)
            index_free(m, t, p + SCAV, ci, page + i, 1)
        if test_bit(scav, i):
            setRange(m, t, chunk + pallocData.scavenged, page + i, 1)
    lower_search(m, t, p, base)
    update(m, t, p, base, P.pageCachePages, False, False)
    put64(m, t, c + pageCache.base, 0)
    put64(m, t, c + pageCache.cache, 0)
    put64(m, t, c + pageCache.scav, 0)


# Scavenging


@cold
def scavenge(m, t, p, nbytes, force):
    """Give `nbytes` of free pages back to the kernel, from the highest address down; the bytes that were."""
    released = 0
    while released < nbytes:
        ci, page = index_find(m, t, p + SCAV, force)
        if ci == 0:
            break
        released += scavengeOne(m, t, p, ci, page, nbytes - released)
    return released


@cold
def scavengeOne(m, t, p, ci, searchIdx, most):
    """Scavenge the highest run of chunk `ci` at or below `searchIdx`; the bytes, 0 if there is none (and it is remembered)."""
    heap_lock = get64(m, t, p + pageAlloc.mheapLock)
    lock(m, t, heap_lock)
    chunk, n, base = chunkOf(m, t, p, ci), 0, 0
    if max_of(get64(m, t, summary_place(m, t, p, LAST_LEVEL, ci))) >= 1:
        base, n = findScavengeCandidate(m, t, chunk, searchIdx, 1, min(most // P.pageSize + (most % P.pageSize != 0), P.pallocChunkPages))
    if n == 0:
        set_flags(m, t, p + SCAV, ci, 0, P.scavChunkFlagsMask & ~P.scavChunkHasFree)
        unlock(m, t, heap_lock)
        return 0
    va = chunkBase(ci) + base * P.pageSize
    alloc_in_chunk(m, t, chunk, base, n)                # nobody may take the pages meanwhile
    update(m, t, p, va, n, True, True)
    set_flags(m, t, p + SCAV, ci, P.scavChunkNoHugePage, P.scavChunkFlagsMask)
    unlock(m, t, heap_lock)
    if get8(m, t, p + pageAlloc.test) == 0:
        sysUnused(m, t, va, n * P.pageSize)
        account_scavenged(m, t, n * P.pageSize)
    lock(m, t, heap_lock)
    lower_search(m, t, p, va)
    clearRange(m, t, chunk, base, n)
    update(m, t, p, va, n, True, False)
    setRange(m, t, chunk + pallocData.scavenged, base, n)
    unlock(m, t, heap_lock)
    return n * P.pageSize

"""How the page allocator takes over address space: only the summaries and bitmaps for it are mapped.

A level's array is reserved whole, 600 MiB in all; of it, the pages that summaries of the heap's ranges lie on are mapped. Chunks'
bitmaps come 8192 at a time. Go: mpagealloc.go init, grow; mpagealloc_64bit.go sysInit, sysGrow.
"""

from hwmem._jit import cold, kernel
from goalloc import errors as E, params as P
from goalloc.errors import throw
from goalloc.layout import pageAlloc, pallocData, slice_
from goalloc.base.mem import sysAlloc, sysMap, sysNoHugePage, sysReserve, sysUsed
from goalloc.pages.mgcscavenge import chunkIndex, index_grow, index_init, subtract
from goalloc.pages.mpallocbits import setRange
from goalloc.pages.mranges import find_succ, ranges_add, ranges_init
from goalloc.pages.mpagealloc_summary import FREED, chunkOf, levelIndex, lower_search, summary_place, update
from goalloc.words import align_down, align_up, get8, get64, put8, put64

SCAV = pageAlloc.scav


@kernel
def pageAlloc_init(m, t, p, lock_place, stat, test):
    """Reserve the summaries and the scavenge index; nothing is mapped yet."""
    put64(m, t, p + pageAlloc.sysStat, stat)
    ranges_init(m, t, p + pageAlloc.inUse, stat)
    for level in range(P.summaryLevels):
        entries = 1 << P.heapAddrBits - P.levelShift[level]
        place = p + pageAlloc.summary + level * slice_.sizeof
        array = sysReserve(m, t, 0, align_up(entries * 8, P.physPageSize))
        if array == 0:
            throw(m, t, E.SUMMARY_RESERVE, 0, 0)
            return
        put64(m, t, place + slice_.array, array)
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
                throw(m, t, E.PAGES_MEMORY, 0, 0)
                return
            if get8(m, t, p + pageAlloc.test) == 0 and get8(m, t, p + pageAlloc.chunkHugePages) == 0:
                sysNoHugePage(m, t, l2, size_l2)
            put64(m, t, l1, l2)
        setRange(m, t, chunkOf(m, t, p, ci) + pallocData.scavenged, 0, P.pallocChunkPages)
    update(m, t, p, base, size // P.pageSize, FREED)


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

"""A P's page cache: 64 pages, aligned, that were taken from the page allocator at once; small spans are cut from it.

    base   first page's address         cache   1 is free          scav   1 is scavenged

`c` is the address of a pageCache (in the P), `p` of a pageAlloc. Reading and cutting it needs no lock; filling and flushing it
do, and are reached through the page allocator's door (mpagealloc.py). Go: mpagecache.go.
"""

from hwmem._jit import cold, kernel
from goalloc import errors as E, params as P
from goalloc.errors import throw
from goalloc.layout import pageAlloc, pageCache, pallocData
from goalloc.pages.mgcscavenge import chunkBase, chunkIndex, index_change, index_free
from goalloc.pages.mpagealloc_find import find
from goalloc.pages.mpallocbits import clearRange, find as find_in_chunk, findBitRange64, setRange
from goalloc.pages.mpagealloc_summary import LAST_LEVEL, MIXED, chunkOf, chunkPageIndex, lower_search, summary_place, update
from goalloc.words import NONE, get64, get_mask, low_bits, popcount64, put64, put_mask, shl, test_bit

SCAV = pageAlloc.scav


@kernel
def pageCache_empty(m, t, c):
    return get64(m, t, c + pageCache.cache) == 0


@kernel
def pageCache_alloc(m, t, c, npages):
    """(address of `npages` pages or 0, bytes of them that are scavenged)."""
    free = get_mask(m, t, c + pageCache.cache)
    if free == NONE:
        return 0, 0
    i = findBitRange64(free, npages)
    if i >= 64:
        return 0, 0
    mask = shl(low_bits(npages), i)
    scav = get_mask(m, t, c + pageCache.scav)
    put_mask(m, t, c + pageCache.cache, free & ~mask)
    put_mask(m, t, c + pageCache.scav, scav & ~mask)
    return get64(m, t, c + pageCache.base) + i * P.pageSize, popcount64(scav & mask) * P.pageSize


# Under the lock


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
    update(m, t, p, base, P.pageCachePages, MIXED)
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
    update(m, t, p, base, P.pageCachePages, MIXED)
    put64(m, t, c + pageCache.base, 0)
    put64(m, t, c + pageCache.cache, 0)
    put64(m, t, c + pageCache.scav, 0)

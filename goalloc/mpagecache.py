"""A P's page cache: 64 pages, aligned, that were taken from the page allocator at once; small spans are cut from it.

    base   first page's address         cache   1 is free          scav   1 is scavenged

`c` is the address of a pageCache (in the P). Reading and cutting it needs no lock; filling and flushing it are the page
allocator's (mpagealloc.py). Go: mpagecache.go.
"""
from hwmem._jit import kernel
from goalloc import params as P
from goalloc.layout import pageCache
from goalloc.mpallocbits import findBitRange64
from goalloc.words import NONE, get64, get_mask, low_bits, popcount64, put_mask, shl


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

"""The page allocator: which go pages of the heap's address space are free, first fit by address.

    summary[0] ─ 2^14 words of 16 GiB ... summary[4] ─ a word a chunk (mpagealloc_summary.py)      a radix tree, searched from above
    chunks[l1][l2] ─ bitmaps of 512 pages a chunk (mpallocbits.py), and which of the pages are scavenged

    ALLOC, FREE   here, with mpagealloc_find.py         CACHE_FILL, CACHE_FLUSH   mpagecache.py
    GROW          mpagealloc_grow.py                    SCAVENGE                  mgcscavenge_run.py

No page below searchAddr is free. `p` is the address of a pageAlloc; the heap's lock is held, but for `test` ones. Pages are
counted, addresses are real. Reached through DOOR_PAGES. Go: mpagealloc.go.
"""

from hwmem._jit import DOORS, call_door, cold, kernel
from goalloc import errors as E, params as P
from goalloc.errors import throw
from goalloc.layout import pageAlloc, pallocData
from goalloc.pages.mgcscavenge import chunkBase, chunkIndex, index_change, index_free
from goalloc.pages.mpagecache import allocToCache, flush
from goalloc.pages.mpagealloc_find import find
from goalloc.pages.mpagealloc_grow import grow
from goalloc.pages.mpallocbits import clearRange, find as find_in_chunk, popcntRange
from goalloc.pages.mgcscavenge_run import scavenge
from goalloc.pages.mpagealloc_summary import (
    ALLOCATED,
    FREED,
    LAST_LEVEL,
    alloc_in_chunk,
    chunkOf,
    chunkPageIndex,
    lower_search,
    max_of,
    summary_place,
    update,
)
from goalloc.words import get64, put64

ALLOC, FREE, CACHE_FILL, CACHE_FLUSH, GROW, SCAVENGE = range(6)
SCAV = pageAlloc.scav


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
            if npages == 1:  # nothing is free at all
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
    update(m, t, p, base, npages, ALLOCATED)
    return scavenged * P.pageSize


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
    update(m, t, p, base, npages, FREED)

"""Pages for an allocation while not all is swept: spans in which nothing was marked are freed first, so that the heap does not grow.

    reclaimIndex ── 512 pages a turn through the arenas: in use and no mark (pageInUse, pageMarks) ──> swept, and so freed
    reclaimCredit   pages that others have freed by sweeping, or this one in excess

Go: mheap.go reclaim, reclaimChunk.
"""

from hwmem._jit import cold, kernel
from goalloc import constants as C, params as P
from goalloc.base.lock import lock, unlock
from goalloc.gc.mgcsweep import begin_sweeping, end_sweeping
from goalloc.gc.mgcsweep_span import sweep_span, try_acquire
from goalloc.heap.mheap import LOCK
from goalloc.heap.mheap_grow import H
from goalloc.layout import heapArena, mheap, mspan, slice_
from goalloc.words import add64, cas64, get8, get64, put64

INDEX, CREDIT = H + mheap.reclaimIndex, H + mheap.reclaimCredit
DONE = -(1 << 63)


@cold
def reclaim(m, t, npage):
    """Free `npage` pages, if that is possible."""
    if get64(m, t, INDEX) < 0:
        return
    arenas, locked = get64(m, t, H + mheap.sweepArenas + slice_.len), False
    while npage > 0:
        credit = get64(m, t, CREDIT)
        if credit > 0:
            take = min(credit, npage)
            cas64(m, t, CREDIT, credit, credit - take)
            npage -= take
            continue
        i = add64(m, t, INDEX, C.pagesPerReclaimerChunk)
        if i // P.pagesPerArena >= arenas:
            put64(m, t, INDEX, DONE)
            break
        if not locked:
            lock(m, t, LOCK)
            locked = True
        found = reclaimChunk(m, t, i)
        if found > npage:
            add64(m, t, CREDIT, found - npage)
        npage -= min(found, npage)
    if locked:
        unlock(m, t, LOCK)


@cold
def reclaimChunk(m, t, i):
    """Pages that were freed of the 512 from number `i` of all arenas'; the lock is held."""
    if not begin_sweeping(m, t):
        return 0
    ai = get64(m, t, get64(m, t, H + mheap.sweepArenas) + 8 * (i // P.pagesPerArena))
    arena = get64(m, t, get64(m, t, H + mheap.arenas) + 8 * ai)
    first, freed = i % P.pagesPerArena, 0
    for byte in range(first // 8, (first + C.pagesPerReclaimerChunk) // 8):
        for bit in range(8):
            unmarked = get8(m, t, arena + heapArena.pageInUse + byte) & ~get8(m, t, arena + heapArena.pageMarks + byte)
            if unmarked == 0:
                break
            if unmarked >> bit & 1:
                freed += free_unmarked(m, t, get64(m, t, arena + heapArena.spans + 8 * (8 * byte + bit)))
    end_sweeping(m, t)
    return freed


@kernel
def free_unmarked(m, t, s):
    """The pages of a span, if it was to be swept and is free now; the lock is let go meanwhile."""
    if not try_acquire(m, t, s):
        return 0
    npages = get64(m, t, s + mspan.npages)
    unlock(m, t, LOCK)
    freed = sweep_span(m, t, s, False)
    lock(m, t, LOCK)
    return npages if freed else 0

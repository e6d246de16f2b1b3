"""Giving free pages back to the kernel: where the scavenge index says (mgcscavenge.py) they are taken, sysUnused, and free again.

During the system call the pages count as allocated, so that they cannot be taken, and the heap's lock is free.
Go: mgcscavenge.go scavenge, scavengeOne.
"""

from hwmem._jit import cold
from goalloc import params as P
from goalloc.layout import gcCPULimiterState, pageAlloc, pallocData, variables as V
from goalloc.base.lock import lock, unlock
from goalloc.base.mem import sysUnused
from goalloc.pages.mgcscavenge import chunkBase, index_find, set_flags
from goalloc.pages.mpallocbits import clearRange, findScavengeCandidate, setRange
from goalloc.base.mstats import account_scavenged
from goalloc.pages.mpagealloc_summary import (
    ALLOCATED,
    FREED,
    LAST_LEVEL,
    alloc_in_chunk,
    chunkOf,
    lower_search,
    max_of,
    summary_place,
    update,
)
from goalloc.words import get8, get64

SCAV = pageAlloc.scav
FORCE, UNLESS_LIMITING = 1, 2  # also dense chunks; stop as soon as the CPU limiter limits


@cold
def scavenge(m, t, p, nbytes, how):
    """Give `nbytes` of free pages back to the kernel, from the highest address down; the bytes that were."""
    released = 0
    while released < nbytes:
        ci, page = index_find(m, t, p + SCAV, how & FORCE)
        if ci == 0:
            break
        released += scavengeOne(m, t, p, ci, page, nbytes - released)
        if how & UNLESS_LIMITING and get8(m, t, V.gcCPULimiter + gcCPULimiterState.enabled):
            break
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
    alloc_in_chunk(m, t, chunk, base, n)  # nobody may take the pages meanwhile
    update(m, t, p, va, n, ALLOCATED)
    set_flags(m, t, p + SCAV, ci, P.scavChunkNoHugePage, P.scavChunkFlagsMask)
    unlock(m, t, heap_lock)
    if get8(m, t, p + pageAlloc.test) == 0:
        sysUnused(m, t, va, n * P.pageSize)
        account_scavenged(m, t, n * P.pageSize)
    lock(m, t, heap_lock)
    lower_search(m, t, p, va)
    clearRange(m, t, chunk, base, n)
    update(m, t, p, va, n, FREED)
    setRange(m, t, chunk + pallocData.scavenged, base, n)
    unlock(m, t, heap_lock)
    return n * P.pageSize

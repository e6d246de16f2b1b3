"""How a Go program's memory begins: the heap's structures, the first M and P, then the other Ps.

    schedinit ── mallocinit: mheap_.init, mcache0, arena hints ── procresize: a P from the heap, with an mcache, each

Reached through DOOR_RUNTIME: MALLOCINIT, SET_M (M, P), NEW_MCACHE, FLUSH_MCACHE (mcache), STOCK_MSPANS
(P, how many), INIT_PAGES (a page allocator of its own, its lock), PREPARE_FOR_SWEEP (mcache). The order of system calls is the real one's. Go: proc.go
schedinit, malloc.go mallocinit, mheap.go init.
"""

from hwmem._jit import DOORS, kernel
from goalloc import params as P
from goalloc.heap.mheap_grow import H
from goalloc.layout import (
    CENTRAL_STRIDE,
    arenaHint,
    g_,
    m_,
    mcache,
    mcentral,
    mheap,
    mspan,
    mstats,
    p_,
    specialPinCounter,
    specialReachable,
    specialfinalizer,
    specialprofile,
    variables as V,
)
from goalloc.heap.mcache import allocmcache, prepareForSweep, releaseAll
from goalloc.base.mfixalloc import fixalloc_alloc, fixalloc_init
from goalloc.heap.mheap import mspan_cache, new_mspan
from goalloc.pages.mpagealloc_grow import pageAlloc_init
from goalloc.words import get64, put8, put32, put64

MALLOCINIT, SET_M, NEW_MCACHE, FLUSH_MCACHE, STOCK_MSPANS, INIT_PAGES, PREPARE_FOR_SWEEP = range(7)
OTHER_SYS = V.memstats + mstats.other_sys
SPECIAL_SIZES = (
    (mheap.specialfinalizeralloc, specialfinalizer.sizeof),
    (mheap.specialprofilealloc, specialprofile.sizeof),
    (mheap.specialReachableAlloc, specialReachable.sizeof),
    (mheap.specialPinCounterAlloc, specialPinCounter.sizeof),
)


@DOORS.door(P.DOOR_RUNTIME)
def runtime_door(m, t, operation, a, b):
    if operation == MALLOCINIT:
        mallocinit(m, t)
    elif operation == SET_M:
        set_m(m, t, a, b)
    elif operation == NEW_MCACHE:
        return allocmcache(m, t)
    elif operation == FLUSH_MCACHE:
        releaseAll(m, t, a)
    elif operation == STOCK_MSPANS:
        stock_mspans(m, t, a, b)
    elif operation == PREPARE_FOR_SWEEP:
        prepareForSweep(m, t, a)
    else:
        pageAlloc_init(m, t, a, b, V.memstats + mstats.gcMiscSys, 1)
    return 0


@kernel
def mallocinit(m, t):
    fixalloc_init(m, t, H + mheap.spanalloc, mspan.sizeof, V.memstats + mstats.mspan_sys, 0)
    fixalloc_init(m, t, H + mheap.cachealloc, mcache.sizeof, V.memstats + mstats.mcache_sys, 1)
    for f, size in SPECIAL_SIZES:
        fixalloc_init(m, t, H + f, size, OTHER_SYS, 1)
    fixalloc_init(m, t, H + mheap.arenaHintAlloc, arenaHint.sizeof, OTHER_SYS, 1)
    for spanclass in range(P.numSpanClasses):
        put8(m, t, H + mheap.central + spanclass * CENTRAL_STRIDE + mcentral.spanclass, spanclass)
    pageAlloc_init(m, t, H + mheap.pages, H + mheap.lock, V.memstats + mstats.gcMiscSys, 0)
    put64(m, t, V.mcache0, allocmcache(m, t))
    for i in range(0x7F, -1, -1):  # 64 hints for the heap, 64 for user arenas, 1 TiB apart
        hint, _ = fixalloc_alloc(m, t, H + mheap.arenaHintAlloc)
        hints = H + (mheap.userArena if i > 0x3F else mheap.arenaHints)
        put64(m, t, hint + arenaHint.addr, i << 40 | 0xC0 << 32)
        put64(m, t, hint + arenaHint.next, get64(m, t, hints))
        put64(m, t, hints, hint)


@kernel
def set_m(m, t, mp, pp):
    """Tie an M and its g0 to a P, or to none yet."""
    g0 = get64(m, t, mp + m_.g0)
    put64(m, t, g0 + g_.m, mp)
    put64(m, t, mp + m_.p, pp)
    if pp:
        put64(m, t, pp + p_.m, mp)
        put32(m, t, pp + p_.status, 1)


@kernel
def stock_mspans(m, t, pp, n):
    """Fill a P's cache of mspans with `n` new ones."""
    length, first = mspan_cache(pp)
    for i in range(n):
        put64(m, t, first + i * 8, new_mspan(m, t))
    put64(m, t, length, n)

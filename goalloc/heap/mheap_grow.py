"""How the heap gets address space: arenas of 64 MiB at the hints, Prepared 4 MiB at a time.

    arenas ─> L2 map (one entry a 64 MiB of the 48-bit space) ─> heapArena: pointer bitmap, span of each page, page bits
    curArena [base, end): reserved and not yet prepared          arenaHints: where to reserve next, from 0xc000000000

The heap's lock is held. Go: mheap.go grow, malloc.go mheap.sysAlloc.
"""

from hwmem._jit import cold, kernel
from goalloc import errors as E, params as P
from goalloc.errors import throw
from goalloc.layout import arenaHint, gcControllerState, heapArena, heapStatsDelta, mheap, mstats, slice_, variables as V
from goalloc.base.mem import sysAllocOS, sysFreeOS, sysMap, sysNoHugePage, sysReserve
from goalloc.base.mfixalloc import fixalloc_alloc, fixalloc_free
from goalloc.pages.mgcscavenge import linear
from goalloc.pages.mpagealloc import GROW, pages_door
from goalloc.pages.mranges import move_words
from goalloc.base.mstats import stats_acquire, stats_release
from goalloc.base.malloc_persistent import persistentalloc
from goalloc.words import add64, align_up, get8, get64, put8, put64

H = V.mheap_
CUR_BASE, CUR_END = H + mheap.curArena, H + mheap.curArena + 8
GC_MISC = V.memstats + mstats.gcMiscSys
HEAP_RELEASED = V.gcController + gcControllerState.heapReleased


@kernel
def arenaIndex(va):
    return linear(va) // P.heapArenaBytes


@kernel
def arena_of(m, t, va):
    """Address of the heapArena of an address in the heap."""
    return get64(m, t, get64(m, t, H + mheap.arenas) + arenaIndex(va) * 8)


@cold
def grow(m, t, npage):
    """Add at least `npage` pages to the page allocator, whole chunks; the bytes, 0 when out of memory."""
    ask = align_up(npage, P.pallocChunkPages) * P.pageSize
    grown = 0
    base, end = get64(m, t, CUR_BASE), get64(m, t, CUR_END)
    possible = npage <= P.maxAlloc >> P.pageShift  # else the bytes may not fit a word
    if not possible or ask > end - base:
        v, size = sysAlloc(m, t, ask, H + mheap.arenaHints, True) if possible else (0, 0)
        if v == 0:
            in_use = (
                get64(m, t, V.gcController + gcControllerState.heapFree)
                + get64(m, t, HEAP_RELEASED)
                + get64(m, t, V.gcController + gcControllerState.heapInUse)
            )
            throw(m, t, E.CANNOT_ALLOCATE, ask, in_use)
            return 0
        if v == end:
            put64(m, t, CUR_END, v + size)
        else:
            if end > base:  # the rest of the old arena, before it is left
                grown = prepare(m, t, base, end - base)
            put64(m, t, CUR_BASE, v)
            put64(m, t, CUR_END, v + size)
    base = get64(m, t, CUR_BASE)
    put64(m, t, CUR_BASE, base + ask)
    asked = prepare(m, t, base, ask)
    return grown + asked if asked else 0


@kernel
def prepare(m, t, base, size):
    """Reserved memory becomes free pages, which count as released; `size`, or 0 after a fatal error."""
    if not sysMap(m, t, base, size, HEAP_RELEASED):
        return 0
    stats = stats_acquire(m, t)
    add64(m, t, stats + heapStatsDelta.released, size)
    stats_release(m, t)
    pages_door(m, t, H + mheap.pages, GROW, base, size)
    return size


@cold
def sysAlloc(m, t, n, hints, register):
    """Reserve `n` bytes, rounded up to arenas, at the first of `hints` that works, or else anywhere, and make their metadata,
    listed in allArenas if `register`; (address or 0, size)."""
    n = align_up(n, P.heapArenaBytes)
    v = reserve_at_hint(m, t, n, hints)
    if v == 0:
        v, n = reserve_anywhere(m, t, n)
        if v == 0:
            return 0, 0
    if arenaIndex(v + n - 1) >= P.arenaL2Entries:
        throw(m, t, E.BAD_ADDRESS, v, v + n)
        return 0, 0
    if v & (P.heapArenaBytes - 1):
        throw(m, t, E.MISROUNDED, 0, 0)
        return 0, 0
    for ri in range(arenaIndex(v), arenaIndex(v + n - 1) + 1):
        if not add_arena(m, t, ri, register):
            return 0, 0
    return v, n


@kernel
def reserve_at_hint(m, t, n, hints):
    """`n` bytes of address space where a hint says; 0 when no hint is left. One that fails is dropped."""
    hint = get64(m, t, hints)
    while hint:
        p, down = get64(m, t, hint + arenaHint.addr), get8(m, t, hint + arenaHint.down)
        if down:
            p -= n
        got = sysReserve(m, t, p, n) if p >= 0 and arenaIndex(p + n - 1) < P.arenaL2Entries else 0
        if got == p:
            put64(m, t, hint + arenaHint.addr, p if down else p + n)
            return p
        if got:
            sysFreeOS(m, t, got, n)
        put64(m, t, hints, get64(m, t, hint + arenaHint.next))
        fixalloc_free(m, t, H + mheap.arenaHintAlloc, hint)
        hint = get64(m, t, hints)
    return 0


@kernel
def reserve_anywhere(m, t, n):
    """(address, size) of `n` bytes or an arena more where the kernel has room, on a multiple of an arena, and hints to grow from
    there, up and down; (0, 0): no room. Go: sysReserveAligned."""
    got = sysReserve(m, t, 0, n + P.heapArenaBytes)
    if got == 0:
        return 0, 0
    v = align_up(got, P.heapArenaBytes)
    if v == got:
        n += P.heapArenaBytes
    else:
        sysFreeOS(m, t, got, v - got)
        sysFreeOS(m, t, v + n, got + P.heapArenaBytes - v)
    add_hint(m, t, v, True)
    add_hint(m, t, v + n, False)
    return v, n


@kernel
def add_hint(m, t, va, down):
    hint, _ = fixalloc_alloc(m, t, H + mheap.arenaHintAlloc)
    put64(m, t, hint + arenaHint.addr, va)
    put8(m, t, hint + arenaHint.down, down)
    put64(m, t, hint + arenaHint.next, get64(m, t, H + mheap.arenaHints))
    put64(m, t, H + mheap.arenaHints, hint)


@kernel
def add_arena(m, t, ri, register):
    """Metadata of arena number `ri`, listed if `register`; False after a fatal error."""
    l2 = get64(m, t, H + mheap.arenas)
    if l2 == 0:
        l2 = sysAllocOS(m, t, P.arenaL2Entries * 8)
        if l2 == 0:
            throw(m, t, E.ARENA_MAP, 0, 0)
            return False
        sysNoHugePage(m, t, l2, P.arenaL2Entries * 8)
        put64(m, t, H + mheap.arenas, l2)
    if get64(m, t, l2 + ri * 8):
        throw(m, t, E.ARENA_INITIALIZED, 0, 0)
        return False
    arena = persistentalloc(m, t, heapArena.sizeof, 8, GC_MISC)
    if arena == 0:
        throw(m, t, E.ARENA_METADATA, 0, 0)
        return False
    if register and not add_to_all(m, t, ri):
        return False
    put64(m, t, l2 + ri * 8, arena)
    return True


@kernel
def add_to_all(m, t, ri):
    """allArenas = append(allArenas, ri), in memory outside the heap; False after a fatal error."""
    arenas = H + mheap.allArenas
    array, n, capacity = get64(m, t, arenas + slice_.array), get64(m, t, arenas + slice_.len), get64(m, t, arenas + slice_.cap)
    if n == capacity:
        size = max(2 * capacity * 8, P.physPageSize)
        larger = persistentalloc(m, t, size, 8, GC_MISC)
        if larger == 0:
            throw(m, t, E.ALL_ARENAS, 0, 0)
            return False
        move_words(m, t, larger, array, n * 8)
        array = larger
        put64(m, t, arenas + slice_.array, array)
        put64(m, t, arenas + slice_.cap, size // 8)
    put64(m, t, array + n * 8, ri)
    put64(m, t, arenas + slice_.len, n + 1)
    return True

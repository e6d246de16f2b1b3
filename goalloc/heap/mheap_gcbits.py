"""Allocation and mark bits: a bit an object, cut from 64 KiB arenas that are freed whole, two collections later.

    gcBitsArenas:  next ─ being cut ── current ── previous ── free         moved one place on by each collection

Bits come in words of 64 and are zero. Go: mheap.go newMarkBits.
"""

from hwmem._jit import cold, kernel
from goalloc import errors as E, params as P
from goalloc.errors import throw
from goalloc.layout import gcBitsArena, gcBitsArenas, mstats, variables as V
from goalloc.base.lock import lock, unlock
from goalloc.base.mem import sysAlloc
from goalloc.words import add64, get64, put64

ROOM = P.gcBitsChunkBytes - P.gcBitsHeaderBytes
NEXT = V.gcBitsArenas + gcBitsArenas.next


@kernel
def try_alloc(m, t, arena, n):
    """Address of `n` bytes of an arena, or 0."""
    if arena == 0 or get64(m, t, arena + gcBitsArena.free) + n > ROOM:
        return 0
    start = add64(m, t, arena + gcBitsArena.free, n)
    return arena + gcBitsArena.bits + start if start + n <= ROOM else 0


@cold
def newMarkBits(m, t, nelems):
    """Address of zeroed bits for `nelems` objects."""
    n = (nelems + 63) // 64 * 8
    bits = try_alloc(m, t, get64(m, t, NEXT), n)
    if bits:
        return bits
    lock(m, t, V.gcBitsArenas + gcBitsArenas.lock)
    arena = new_arena(m, t)
    bits = try_alloc(m, t, arena, n)
    if arena == 0:
        throw(m, t, E.CANNOT_ALLOCATE_MEMORY, 0, 0)
    elif bits == 0:
        throw(m, t, E.MARKBITS, 0, 0)
    else:
        put64(m, t, arena + gcBitsArena.next, get64(m, t, NEXT))
        put64(m, t, NEXT, arena)
    unlock(m, t, V.gcBitsArenas + gcBitsArenas.lock)
    return bits


@kernel
def nextMarkBitArenaEpoch(m, t):
    """All spans are swept: bits of two collections ago are in no use, and those of now are cut from a new arena."""
    arenas = V.gcBitsArenas
    lock(m, t, arenas + gcBitsArenas.lock)
    previous = get64(m, t, arenas + gcBitsArenas.previous)
    if previous:
        last = previous
        while get64(m, t, last + gcBitsArena.next):
            last = get64(m, t, last + gcBitsArena.next)
        put64(m, t, last + gcBitsArena.next, get64(m, t, arenas + gcBitsArenas.free))
        put64(m, t, arenas + gcBitsArenas.free, previous)
    put64(m, t, arenas + gcBitsArenas.previous, get64(m, t, arenas + gcBitsArenas.current))
    put64(m, t, arenas + gcBitsArenas.current, get64(m, t, NEXT))
    put64(m, t, NEXT, 0)
    unlock(m, t, arenas + gcBitsArenas.lock)


@kernel
def new_arena(m, t):
    """An arena of zero bits: from the free list, or new."""
    arena = get64(m, t, V.gcBitsArenas + gcBitsArenas.free)
    if arena == 0:
        return sysAlloc(m, t, P.gcBitsChunkBytes, V.memstats + mstats.gcMiscSys)
    put64(m, t, V.gcBitsArenas + gcBitsArenas.free, get64(m, t, arena + gcBitsArena.next))
    for offset in range(0, P.gcBitsChunkBytes, 8):
        put64(m, t, arena + offset, 0)
    return arena

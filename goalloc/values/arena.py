"""User arenas: memory that a program allocates by moving a pointer and frees as a whole (GOEXPERIMENT=arenas).

    userArena ── active: the chunk in use          | with pointers ─> ....free.... <─ without pointers |
              ├─ fullList: those before            objects with pointers from the front, others from the back
              └─ refs: their addresses, which keep the chunks alive

An object above 2 MiB comes from the heap. A freed arena's chunks fault, but for the active one, which the next arena goes on with
(userArenaState.reuse). `a`: address of a userArena, `typ`: of a type. Reached through DOOR_ARENA: NEW, ALLOC (arena, type; how many
in the register SIZE, ONE for a single object), FREE (arena), CLONE (address, type; bytes in SIZE). Go: arena.go.
"""

import numpy as np

from hwmem._jit import DOORS, cold, kernel
from hwmem.core.fence import sfence
from goalloc import constants as C, errors as E, params as P
from goalloc.values.arena_chunk import FREE_BASE, FREE_LIMIT, STATE, allocUserArenaChunk, append_chunk, fault_waiting, freeUserArenaChunk
from goalloc.errors import throw
from goalloc.layout import (
    heapArena,
    liveUserArenaChunk,
    mcache,
    mheap,
    mspan,
    p_,
    slice_,
    specialfinalizer,
    type_,
    userArena,
    userArenaState,
    variables as V,
)
from goalloc.base.lock import lock, unlock
from goalloc.heap.malloc import mallocgc
from goalloc.heap.mbitmap import bitmap_place, flush_bits, pad_bits, write_bits, write_element, writer_at
from goalloc.base.memclr import memmove, put_pointer
from goalloc.base.malloc_persistent import current_p
from goalloc.heap.malloc_sample import profile
from goalloc.values.slice import append_word
from goalloc.heap.mheap_special import addspecial, free_special, new_special, removespecial, spanOf
from goalloc.words import ONE as BIT, align_down, align_up, get8, get64, get_mask, put8, put64

NEW, ALLOC, FREE, CLONE, FAULT_CHUNKS = range(5)
ONE = -1  # "how many": a single object, not a slice
TYPE_ARENA, TYPE_CHUNK, TYPE_POINTER = V.arenaTypes, V.arenaTypes + 8, V.arenaTypes + 16  # runtime.py puts them there


@DOORS.door(P.DOOR_ARENA)
def arena_door(m, t, operation, a, b):
    n = m.thread[t].guest[P.SIZE]
    if operation == NEW:
        return newUserArena(m, t)
    if operation == ALLOC:
        return alloc(m, t, a, b, n)
    if operation == FREE:
        free(m, t, a)
        return 0
    if operation == FAULT_CHUNKS:
        fault_waiting(m, t)
        return 0
    return heapify(m, t, a, b, n)


@cold
def new(m, t, size, typ):
    """An object or array in the heap."""
    return mallocgc(m, t, size, typ)


@kernel
def newUserArena(m, t):
    """An arena with a chunk; 0 after a fatal error. Its finalizer frees it."""
    a = new(m, t, userArena.sizeof, get64(m, t, TYPE_ARENA))
    if a == 0:
        return 0
    s = new_special(m, t, mheap.specialfinalizeralloc, C.KindSpecialFinalizer)
    put64(m, t, s + specialfinalizer.ot, get64(m, t, TYPE_ARENA))
    addspecial(m, t, a, s)
    return a if refill(m, t, a) else 0


@cold
def refill(m, t, a):
    """Another chunk becomes the arena's active one: one left by a freed arena, or a new one. Its span; 0 when out of memory."""
    s = get64(m, t, a + userArena.active)
    if s:
        if get64(m, t, s + FREE_LIMIT) - get64(m, t, s + FREE_BASE) > C.userArenaChunkMaxAllocBytes:
            throw(m, t, E.ARENA_WASTE, 0, 0)
            return 0
        put64(m, t, s + mspan.next, get64(m, t, a + userArena.fullList))
        put64(m, t, a + userArena.fullList, s)
        put64(m, t, a + userArena.active, 0)
    s, x = reused_chunk(m, t)
    if s == 0:
        s, x = new_chunk(m, t)
        if s == 0:
            throw(m, t, E.OUT_OF_MEMORY, 0, 0)
            return 0
    m.thread[t].guest[P.HELD] = x
    append_word(m, t, a + userArena.refs, x, get64(m, t, TYPE_POINTER))
    m.thread[t].guest[P.HELD] = 0
    put64(m, t, a + userArena.active, s)
    return s


@kernel
def reused_chunk(m, t):
    """(span, address) of the chunk that the last freed arena left; (0, 0) if there is none."""
    chunks, s, x = STATE + userArenaState.reuse, 0, 0
    lock(m, t, STATE)
    n = get64(m, t, chunks + slice_.len)
    if n:
        place = get64(m, t, chunks) + (n - 1) * liveUserArenaChunk.sizeof
        s, x = get64(m, t, place), get64(m, t, place + liveUserArenaChunk.x)
        put64(m, t, place, 0)
        put_pointer(m, t, place + liveUserArenaChunk.x, 0)
        put64(m, t, chunks + slice_.len, n - 1)
    unlock(m, t, STATE)
    return s, x


@kernel
def new_chunk(m, t):
    s = allocUserArenaChunk(m, t)
    if s == 0:
        return 0, 0
    x = get64(m, t, s + mspan.startAddr)
    profile(m, t, x, s, 0)
    return s, x


@kernel
def alloc(m, t, a, typ, n):
    """Address of an object, or of an array of `n`; 0 after a fatal error."""
    size = get64(m, t, typ + type_.Size_)
    if n > 0:
        if size > P.maxAlloc // n:
            throw(m, t, E.ALLOCATION_SIZE, 0, 0)
            return 0
        size *= n
    if size == 0 or n == 0:
        return V.zerobase
    if size > C.userArenaChunkMaxAllocBytes:
        return new(m, t, size, typ if get64(m, t, typ + type_.PtrBytes) else 0)
    s = get64(m, t, a + userArena.active)
    x = take(m, t, s, typ, size)
    while x == 0:
        s = refill(m, t, a)
        if s == 0:
            return 0
        x = take(m, t, s, typ, size)
    if get8(m, t, s + mspan.needzero):
        throw(m, t, E.ARENA_ZERO, 0, 0)
        return 0
    if get64(m, t, typ + type_.PtrBytes):
        note_pointers(m, t, s, x, typ, n)
    sfence(m, t)
    return x


@kernel
def take(m, t, s, typ, size):
    """`size` bytes of a chunk, aligned for the type, or 0."""
    align = get8(m, t, typ + type_.Align_)
    base, limit = get64(m, t, s + FREE_BASE), get64(m, t, s + FREE_LIMIT)
    if get64(m, t, typ + type_.PtrBytes) == 0:
        x = align_down(limit - size, align)
        if base > x:
            return 0
        put64(m, t, s + FREE_LIMIT, x)
        return x
    x = align_up(base, align)
    if x + size > limit:
        return 0
    put64(m, t, s + FREE_BASE, x + size)
    return x


@cold
def note_pointers(m, t, s, x, typ, n):
    """The pointer bits of an object or of `n`, and how much the collector has to scan. Go: userArenaHeapBitsSetSliceType."""
    size, ptrs, first = get64(m, t, typ + type_.Size_), get64(m, t, typ + type_.PtrBytes), get64(m, t, s + mspan.startAddr)
    for i in range(max(n, 1)):
        set_type(m, t, x + i * size, size, typ, first)
    c = get64(m, t, current_p(m, t) + p_.mcache)
    put64(m, t, c + mcache.scanAlloc, get64(m, t, c + mcache.scanAlloc) + (n * size - (size - ptrs) if n > 0 else ptrs))


@kernel
def set_type(m, t, x, size, typ, first):
    """One object's bits. At the start of a bitmap word the bit before is written again, so that word has no end in it.
    Go: userArenaHeapBitsSetType."""
    writer, ptrs = writer_at(x), get64(m, t, typ + type_.PtrBytes)
    if x & 511 == 0 and x != first:
        writer = write_bits(m, t, writer_at(x - 8), is_pointer(m, t, x - 8), 1)
    writer = write_element(m, t, writer, get64(m, t, typ + type_.GCData), ptrs // 8)
    flush_bits(m, t, pad_bits(m, t, writer, size - ptrs), x, size)


@kernel
def is_pointer(m, t, va):
    """The bitmap's bit of a word of the heap, as a mask."""
    arena, i = bitmap_place(m, t, va)
    return get_mask(m, t, arena + heapArena.bitmap + i * 8) >> np.uint64(va // 8 % 64) & BIT


@kernel
def free(m, t, a):
    """The arena's memory is gone: a panic if it has been before."""
    if get8(m, t, a + userArena.defunct):
        throw(m, t, E.ARENA_DOUBLE_FREE, 0, 0)
        return
    put8(m, t, a + userArena.defunct, 1)
    s = removespecial(m, t, a, C.KindSpecialFinalizer)
    if s:
        free_special(m, t, mheap.specialfinalizeralloc, s)
    refs, typ = get64(m, t, a + userArena.refs), get64(m, t, TYPE_CHUNK)
    i = get64(m, t, a + userArena.refs + slice_.len) - 2
    s = get64(m, t, a + userArena.fullList)
    while s:
        put64(m, t, a + userArena.fullList, get64(m, t, s + mspan.next))
        put64(m, t, s + mspan.next, 0)
        freeUserArenaChunk(m, t, s, get64(m, t, refs + 8 * i), typ)
        s = get64(m, t, a + userArena.fullList)
        i -= 1
    if i >= 0:
        throw(m, t, E.ARENA_REFS, 0, 0)
        return
    s = get64(m, t, a + userArena.active)
    if s:
        last = refs + 8 * (get64(m, t, a + userArena.refs + slice_.len) - 1)
        append_chunk(m, t, STATE + userArenaState.reuse, s, get64(m, t, last), typ)
    put64(m, t, a + userArena.active, 0)
    for word in range(0, slice_.sizeof, 8):
        put64(m, t, a + userArena.refs + word, 0)


@kernel
def heapify(m, t, x, typ, size):
    """arena.Clone: a copy in the heap of `size` bytes of an arena; what lies elsewhere is not copied. Go: arena_heapify."""
    s = spanOf(m, t, x)
    if s == 0 or not get8(m, t, s + mspan.isUserArenaChunk):
        return x
    y = new(m, t, size, typ if get64(m, t, typ + type_.PtrBytes) else 0)
    if y:
        memmove(m, t, y, x, size)
    return y

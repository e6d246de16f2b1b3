"""jemalloc's arenas: for each small class a bin with slabs of regions, and large blocks as extents of their own.

    bin: lock | the current slab | those with free regions, oldest and lowest first, in a heap       full ones are in no list
    slab: whole pages of regions of one size; a bit for each in its edata says which are free; the lowest goes first

A thread fills and flushes its tcache here and takes a bin's lock once for many regions. A slab whose regions are all free goes to the
extents at once.
Source: jemalloc 5.3.0 src/arena.c, large.c, bin_info.c.
"""

import numpy as np

from hwmem._jit import cold, kernel
from goalloc.base.lock import lock, unlock
from goalloc.words import ONE, ctz64, get8, get16, get64, get_mask, low_bits, put8, put16, put64, put_mask
from goalloc.baselines import jemalloc_layout as L
from goalloc.baselines.jemalloc_extents import (
    decay,
    give_extent,
    heap_insert,
    heap_remove,
    is_before,
    leaf_place,
    register,
    take_base,
    take_extent,
)
from goalloc.baselines.system import bad_free, data, local, policy


@cold
def new_arena(m, t, number):
    """An arena without anything; or 0."""
    arena = take_base(m, t, L.ARENA_BYTES)
    if arena:
        put64(m, t, arena + L.A_NUMBER, number)
        put64(m, t, arena + L.A_GROW, L.GROW_FIRST)
        put64(m, t, data(m, t) + L.ARENAS + 8 * number, arena)
    return arena


@cold
def choose_arena(m, t):
    """The thread's arena from now on: of those without threads the first, else one that there is not yet, else the one with fewest."""
    d = data(m, t)
    lock(m, t, d + L.ARENAS_LOCK)
    chosen, free, least = 0, -1, 1 << 30
    for i in range(get64(m, t, d + L.NUM_ARENAS)):
        arena = get64(m, t, d + L.ARENAS + 8 * i)
        if arena == 0:
            if free < 0:
                free = i
        elif get64(m, t, arena + L.A_THREADS) < least:
            chosen, least = arena, get64(m, t, arena + L.A_THREADS)
    if least > 0 and free >= 0:
        chosen = new_arena(m, t, free)
    if chosen:
        put64(m, t, chosen + L.A_THREADS, get64(m, t, chosen + L.A_THREADS) + 1)
        put64(m, t, local(m, t) + L.ARENA, chosen)
    unlock(m, t, d + L.ARENAS_LOCK)
    return chosen


@kernel
def arena_of(m, t, e):
    return get64(m, t, data(m, t) + L.ARENAS + 8 * get16(m, t, e + L.E_ARENA))


@cold
def edata_of(m, t, address):
    """The edata of the extent that has the page of `address`, or 0."""
    place = leaf_place(m, t, address, False)
    return get64(m, t, place) & L.EDATA_MASK if place else 0


@cold
def ticks(m, t, arena, n):
    """`n` events have happened to the arena; every 1,000 of a thread's the clock is looked at."""
    left = get64(m, t, local(m, t) + L.TICKS) - n
    if left < 0:
        left = L.TICKS_A_DECAY
        decay(m, t, arena, L.DIRTY)
        if policy(m, t) == L.MUZZY:
            decay(m, t, arena, L.MUZZY_PAGES)
    put64(m, t, local(m, t) + L.TICKS, left)


# Small


@kernel
def bin_of(arena, c):
    return arena + L.A_BINS + L.ABIN_BYTES * c


@cold
def new_slab(m, t, arena, c):
    """A slab with all regions free; or 0."""
    e = take_extent(m, t, arena, L.SLAB_PAGES[c] * L.PAGE)
    if e:
        n = L.REGIONS[c]
        put8(m, t, e + L.E_SLAB, 1)
        put8(m, t, e + L.E_CLASS, c)
        put16(m, t, e + L.E_FREE, n)
        for word in range(n + 63 >> 6):
            put_mask(m, t, e + L.E_MAP + 8 * word, low_bits(min(n - 64 * word, 64)))
        if not register(m, t, e):
            return 0
    return e


@cold
def fill(m, t, arena, c, to, n):
    """Up to `n` free regions of class `c`, their addresses from `to` on; how many."""
    place, got, fresh = bin_of(arena, c), 0, 0
    lock(m, t, place)
    while got < n:
        slab = get64(m, t, place + L.B_CURRENT)
        if slab and get16(m, t, slab + L.E_FREE):
            got += regions(m, t, slab, c, to + 8 * got, n - got)
            continue
        slab = get64(m, t, place + L.B_NONFULL)
        if slab:
            heap_remove(m, t, place + L.B_NONFULL, slab)
        elif fresh == 0:
            put64(m, t, place + L.B_CURRENT, 0)
            unlock(m, t, place)
            slab = fresh = new_slab(m, t, arena, c)
            lock(m, t, place)
            if fresh == 0:
                break
            fresh = 0
        put64(m, t, place + L.B_CURRENT, slab)
    put64(m, t, place + L.B_MALLOCS, get64(m, t, place + L.B_MALLOCS) + got)
    put64(m, t, place + L.B_REGIONS, get64(m, t, place + L.B_REGIONS) + got)
    put64(m, t, place + L.B_FILLS, get64(m, t, place + L.B_FILLS) + 1)
    unlock(m, t, place)
    ticks(m, t, arena, 1)
    return got


@cold
def regions(m, t, slab, c, to, n):
    """Take up to `n` of a slab's free regions, the lowest first; how many."""
    address, size, free = get64(m, t, slab + L.E_ADDRESS), L.SIZE_OF[c], get16(m, t, slab + L.E_FREE)
    n, got, word = min(n, free), 0, 0
    while got < n:
        mask = get_mask(m, t, slab + L.E_MAP + 8 * word)
        while mask and got < n:
            bit = ctz64(mask)
            mask &= mask - ONE
            put64(m, t, to + 8 * got, address + size * (64 * word + bit))
            got += 1
        put_mask(m, t, slab + L.E_MAP + 8 * word, mask)
        word += 1
    put16(m, t, slab + L.E_FREE, free - n)
    return n


@cold
def flush(m, t, c, pointers, n):
    """The `n` blocks of class `c` whose addresses are at `pointers` are free in their arenas; which, is written over them."""
    scratch = local(m, t) + L.SCRATCH
    for i in range(n):
        put64(m, t, scratch + 8 * i, edata_of(m, t, get64(m, t, pointers + 8 * i)))
    while n > 0:
        arena, left = arena_of(m, t, get64(m, t, scratch)), 0
        if c < L.NUM_BINS:
            lock(m, t, bin_of(arena, c))
        for i in range(n):
            x, e = get64(m, t, pointers + 8 * i), get64(m, t, scratch + 8 * i)
            if arena_of(m, t, e) != arena:  # the next time round
                put64(m, t, pointers + 8 * left, x)
                put64(m, t, scratch + 8 * left, e)
                left += 1
            elif c >= L.NUM_BINS:
                give_extent(m, t, arena, e)
            else:
                free_region(m, t, arena, e, x)
        if c < L.NUM_BINS:
            place = bin_of(arena, c)
            put64(m, t, place + L.B_REGIONS, get64(m, t, place + L.B_REGIONS) - (n - left))
            put64(m, t, place + L.B_FLUSHES, get64(m, t, place + L.B_FLUSHES) + 1)
            unlock(m, t, place)
        ticks(m, t, arena, n - left)
        n = left


@cold
def free_region(m, t, arena, slab, x):
    """A region of a slab is free; its bin is locked."""
    c = get8(m, t, slab + L.E_CLASS)
    place, i = bin_of(arena, c), (x - get64(m, t, slab + L.E_ADDRESS)) // L.SIZE_OF[c]
    word = slab + L.E_MAP + 8 * (i >> 6)
    mask = get_mask(m, t, word)
    if mask >> np.uint64(i & 63) & ONE:  # the real library goes on, with a heap that is not as it was
        bad_free(m, t)
        return
    put_mask(m, t, word, mask | ONE << np.uint64(i & 63))
    free, current = get16(m, t, slab + L.E_FREE) + 1, get64(m, t, place + L.B_CURRENT)
    put16(m, t, slab + L.E_FREE, free)
    if free == L.REGIONS[c]:
        if slab == current:
            put64(m, t, place + L.B_CURRENT, 0)
        elif free > 1:
            heap_remove(m, t, place + L.B_NONFULL, slab)
        give_extent(m, t, arena, slab)  # the real library does so after it has let the bin go
    elif free == 1 and slab != current:
        if current and is_before(m, t, slab, current):  # the lowest is the current one
            if get16(m, t, current + L.E_FREE):
                heap_insert(m, t, place + L.B_NONFULL, current)
            put64(m, t, place + L.B_CURRENT, slab)
        else:
            heap_insert(m, t, place + L.B_NONFULL, slab)


# Large


@cold
def take_large(m, t, arena, c):
    """A block of class `c` with an extent of its own, a page longer, in which it begins at any line of the first page; or 0."""
    e = take_extent(m, t, arena, L.SIZE_OF[c] + L.PAGE)
    if e == 0:
        return 0
    put8(m, t, e + L.E_CLASS, c)
    register(m, t, e)
    random = get64(m, t, local(m, t) + L.RANDOM) * 1103515245 + 12345 & 0x7FFF_FFFF
    put64(m, t, local(m, t) + L.RANDOM, random)
    ticks(m, t, arena, 1)
    return get64(m, t, e + L.E_ADDRESS) + (random >> 16 & 63) * 64

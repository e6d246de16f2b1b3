"""A bump allocator: a pointer that only advances, followed by the break a mebibyte at a time.

    malloc      fetch-and-add on the pointer (a load and a store while there is one thread), a comparison with the end, a bit that says where
                the block begins
    free        nothing: what was given out is never reused

    start | block | block | block    next ──>        end, where the break is
    bits    1     . 1     1 . .                      one for each 16 bytes, in a mapping of their own; a block ends where the next begins

All threads share the pointer, so its line moves at each call, and adjacent blocks of one line go to whichever thread allocates next. Blocks
have no headers, so that none of their lines is touched.
"""

import numpy as np

from hwmem._jit import DOORS, cold, kernel
from hwmem.core.access import fetch_add64, load64, store64
from goalloc import params as P
from goalloc.base.lock import lock, unlock
from goalloc.words import ctz64, get64, get_mask, low_bits
from goalloc.baselines.system import (
    FREE,
    INIT,
    LARGEST,
    LOCK,
    MALLOC,
    REALLOC,
    USABLE_SIZE,
    copy_block,
    data,
    is_alone,
    map_memory,
    move_break,
)

NEXT, END, START, BITS = 24, 32, 40, 48  # the allocator's variables
GROWTH, LARGEST_HEAP = 1 << 20, 8 << 30
BITS_SKEW = 0x5C0  # where in their first page the bits begin
GRANULE = 4  # blocks are of so many bytes, as a power of two


@DOORS.door(P.DOOR_BUMP)
def bump_door(m, t, operation, a, b):
    if operation == MALLOC:
        return take(m, t, a)
    if operation == FREE:
        return 0
    if operation == REALLOC:
        return resize(m, t, a, b)
    if operation == USABLE_SIZE:
        return usable(m, t, a)
    if operation == INIT:
        start = move_break(m, t, 0) + 15 & ~15
        for field in (NEXT, END, START):
            store64(m, t, data(m, t) + field, start)
        store64(m, t, data(m, t) + BITS, map_memory(m, t, (LARGEST_HEAP >> GRANULE + 3) + BITS_SKEW) + BITS_SKEW)
    return 0


@kernel
def take(m, t, n):
    """The address of `n` bytes, a multiple of 16, or 0."""
    if not 0 <= n < LARGEST:
        return 0
    d, size = data(m, t), max(n + 15 & ~15, 16)
    alone = is_alone(m, t)
    here = load64(m, t, d + NEXT) if alone else fetch_add64(m, t, d + NEXT, size)
    if here + size > load64(m, t, d + END) and not grow(m, t, here + size):
        if not alone:
            fetch_add64(m, t, d + NEXT, -size)
        return 0
    if alone:
        store64(m, t, d + NEXT, here + size)
    granule = here - load64(m, t, d + START) >> GRANULE
    word = load64(m, t, d + BITS) + (granule >> 6) * 8
    if alone:
        store64(m, t, word, load64(m, t, word) | 1 << (granule & 63))
    else:
        fetch_add64(m, t, word, 1 << (granule & 63))
    return here


@cold
def grow(m, t, end):
    """Move the break to `end` or beyond; whether it is there."""
    lock(m, t, data(m, t) + LOCK)
    now = load64(m, t, data(m, t) + END)
    if now < end <= load64(m, t, data(m, t) + START) + LARGEST_HEAP:
        now = move_break(m, t, end + GROWTH - 1 & -GROWTH)
        store64(m, t, data(m, t) + END, now)
    unlock(m, t, data(m, t) + LOCK)
    return now >= end


@cold
def usable(m, t, block):
    """Up to where the next block begins, or the pointer stands."""
    start, bits = get64(m, t, data(m, t) + START), get64(m, t, data(m, t) + BITS)
    here, last = (block - start >> GRANULE) + 1, get64(m, t, data(m, t) + NEXT) - start >> GRANULE
    while here < last:
        mask = get_mask(m, t, bits + (here >> 6) * 8) & ~low_bits(here & 63)
        if mask != np.uint64(0):
            here = (here & ~63) + ctz64(mask)
            break
        here = (here & ~63) + 64
    return start + (min(here, last) << GRANULE) - block


@cold
def resize(m, t, block, n):
    old = usable(m, t, block) if block else 0
    if block and n <= old:
        return block
    new = take(m, t, n)
    if new and block:
        copy_block(m, t, new, block, old)
    return new

"""A bump allocator: a pointer that only advances, followed by the break a mebibyte at a time.

    malloc      advance the pointer unless it reaches the end; note where the block begins
    free        nothing: what was given out is never reused

    start | block | block | block    next ──>        end, where the break is
    bits    1     . 1     1 . .                      one for each 16 bytes; a block ends where the next begins

Two words are all that most calls use:

    63     47                         0
     | bits | where the next block is |             the bits of its 256 bytes, so far
     | owner|        the end          |             the only thread that has called, plus one; 0: none has; SEVERAL

The owner stores the bits of 256 bytes together, when the pointer leaves them. Several threads advance the pointer and set bits with
fetch-and-add. The bits for address a are a/128 bytes behind a fixed place (as in AddressSanitizer's shadow memory).

All threads share the pointer, so its line moves at each call, and adjacent blocks of one line go to whichever thread allocates next. Blocks
have no headers, so that none of their lines is touched.
"""

import numpy as np

from hwmem._jit import DOORS, apart, cold, hot, kernel
from hwmem.core.access import fetch_add64, load64, store, store64
from goalloc import params as P
from goalloc.base.lock import lock, unlock
from goalloc.base.mem import PROT_RW, mmap
from goalloc.words import add64, ctz64, get64, get_mask, low_bits, put16, put64
from goalloc.baselines.system import (
    ADDRESS,
    ANONYMOUS,
    FREE,
    INIT,
    LARGEST,
    LOCK,
    MALLOC,
    REALLOC,
    SEVERAL,
    UPPER,
    USABLE_SIZE,
    copy_block,
    data,
    is_only,
    move_break,
)

NEXT, END, START = 24, 32, 40  # the allocator's variables
GROWTH, LARGEST_HEAP = 1 << 20, 8 << 30
GRANULE, GROUP = 4, 8  # 16 bytes, of which blocks have a whole number, and 256
BITS = -(LARGEST_HEAP + (1 << 30) >> 7)  # of address 0, from the variables on: for a heap that begins in the first gibibyte


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
        begin(m, t)
    return 0


@cold
def begin(m, t):
    start = move_break(m, t, 0) + 15 & ~15
    for field in (NEXT, END, START):
        store64(m, t, data(m, t) + field, start)
    first = word_of(m, t, start) & -4096
    mmap(m, t, first, (LARGEST_HEAP >> 7) + 4096, PROT_RW, ANONYMOUS)


@kernel
def word_of(m, t, block):
    """Where a block's bit is: it is number block >> GRANULE & 63 of this word."""
    return data(m, t) + BITS + (block >> GRANULE + 6 << 3)


@hot
def take(m, t, n):
    """The address of `n` bytes, a multiple of 16, or 0."""
    if not 0 <= n < LARGEST:
        return 0
    d, size = data(m, t), max(n + 15 & ~15, 16)
    end = load64(m, t, d + END)
    if end >> UPPER != t + 1:
        if end >> UPPER == SEVERAL or not begin_alone(m, t, end >> UPPER):
            return take_shared(m, t, size)
    next_ = load64(m, t, d + NEXT)
    here = next_ & ADDRESS
    if here + size > end & ADDRESS and not grow(m, t, here + size):
        return 0
    next_ = next_ + size | 1 << UPPER + (here >> GRANULE & 15)
    if (here ^ here + size) >> GROUP:
        store(m, t, d + BITS + (here >> GROUP << 1), 2, next_ >> UPPER)
        next_ &= ADDRESS
    store64(m, t, d + NEXT, next_)
    return here


@apart
def take_shared(m, t, size):
    """The same for one of several threads."""
    d = data(m, t)
    end = load64(m, t, d + END)
    here = fetch_add64(m, t, d + NEXT, size)
    if here + size > end & ADDRESS and not grow(m, t, here + size):
        fetch_add64(m, t, d + NEXT, -size)
        return 0
    fetch_add64(m, t, word_of(m, t, here), 1 << (here >> GRANULE & 63))
    return here


@cold
def begin_alone(m, t, owner):
    """A thread's first call: whether it is the only one; if not, the bits that the owner has not stored yet are there for all."""
    d = data(m, t)
    if is_only(m, t, d + END, owner):
        return True
    next_ = get64(m, t, d + NEXT)
    if next_ >> UPPER:
        put16(m, t, d + BITS + ((next_ & ADDRESS) >> GROUP << 1), next_ >> UPPER)
        put64(m, t, d + NEXT, next_ & ADDRESS)
    return False


@cold
def grow(m, t, wanted):
    """Move the break to `wanted` or beyond; whether it is there."""
    lock(m, t, data(m, t) + LOCK)
    now = get64(m, t, data(m, t) + END) & ADDRESS
    if now < wanted <= get64(m, t, data(m, t) + START) + LARGEST_HEAP:
        end = move_break(m, t, wanted + GROWTH - 1 & -GROWTH)
        add64(m, t, data(m, t) + END, end - now)
        now = end
    unlock(m, t, data(m, t) + LOCK)
    return now >= wanted


@cold
def usable(m, t, block):
    """Up to where the next block begins, or the pointer stands."""
    next_, here = get64(m, t, data(m, t) + NEXT), block + (1 << GRANULE)
    while here < next_ & ADDRESS:
        mask = bits_from(m, t, here, next_)
        here &= -64 << GRANULE
        if mask != np.uint64(0):
            return here + (ctz64(mask) << GRANULE) - block
        here += 64 << GRANULE
    return (next_ & ADDRESS) - block


@kernel
def bits_from(m, t, here, next_):
    """The bits from `here` to the end of their word; some may still be beside the pointer."""
    mask = get_mask(m, t, word_of(m, t, here))
    if word_of(m, t, here) == word_of(m, t, next_ & ADDRESS):
        mask |= np.uint64(next_ >> UPPER) << np.uint64((next_ >> GROUP & 3) * 16)
    return mask & ~low_bits(here >> GRANULE & 63)


@cold
def resize(m, t, block, n):
    old = usable(m, t, block) if block else 0
    if block and n <= old:
        return block
    new = take(m, t, n)
    if new and block:
        copy_block(m, t, new, block, old)
    return new

"""Explicit free lists with boundary tags: first fit, next fit, best fit, and segregated fit.

    | size·a | block ...                    | size·a |      a: 1, in use
    | size·0 | next | previous |   ...      | size·0 |      free, in a list

Every block has its size at both ends (Knuth's boundary tags), so a freed one finds its neighbours at once and is joined with those that
are free. The heap grows by the break and lies between two words that say "in use, 0 bytes". Free memory at its end is given back from
TRIM bytes on. One lock; one list, last in, first out, or, segregated, one for each of 128 ranges of sizes (four per power of two) and,
for each 64, a word of bits that says which are not empty.

    first        the first block of the list that is large enough
    next         the same, from where the last search ended
    best         the smallest of all that are large enough (of equals, the first)
    segregated   the first in its range that is large enough, else any of the next range that has one

A block is at least 32 bytes, its address a multiple of 16.
Source: Knuth, The Art of Computer Programming 1, 2.5, algorithms A to C; Wilson, Johnstone, Neely, Boles, 1995.
"""

import numpy as np

from hwmem._jit import DOORS, cold, kernel
from hwmem.bits import ctz64
from hwmem.core.access import load64
from goalloc import params as P
from goalloc.words import ONE, clz64, get64, get_mask, low_bits, put64, put_mask
from goalloc.baselines.system import (
    FREE,
    INIT,
    LARGEST,
    MALLOC,
    REALLOC,
    TICK,
    USABLE_SIZE,
    bad_free,
    copy_block,
    data,
    enter,
    leave,
    move_break,
    policy,
)

FIRST, NEXT, BEST, SEGREGATED = range(4)  # policies
START, END, ROVER, MAP, LISTS = 64, 72, 80, 128, 192  # the allocator's variables
RANGES, WORDS = 128, 2
TAG, LEAST = 8, 32
GROWTH, TRIM = 132 << 10, 132 << 10  # what glibc asks for at first


@DOORS.door(P.DOOR_FREELIST)
def freelist_door(m, t, operation, a, b):
    if operation == USABLE_SIZE:
        return size_of(m, t, a - TAG) - 2 * TAG
    if operation == INIT:
        return begin(m, t)
    alone, answer = enter(m, t), 0
    if operation == MALLOC:
        answer = take(m, t, a)
    elif operation == FREE:
        give(m, t, a - TAG)
    elif operation == REALLOC:
        answer = resize(m, t, a, b)
    elif operation == TICK and a:
        trim(m, t, 1)
    leave(m, t, alone)
    return answer


@cold
def begin(m, t):
    """The heap's two end words, next to each other: no block yet."""
    first = (move_break(m, t, 0) + 15 & ~15) + TAG
    if move_break(m, t, first + TAG) >= first + TAG:
        put64(m, t, first - TAG, 1)
        put64(m, t, first, 1)
        put64(m, t, data(m, t) + START, first)
        put64(m, t, data(m, t) + END, first)
    return 0


# A block at p: its size with its state at both ends


@kernel
def size_of(m, t, p):
    return load64(m, t, p) & ~1


@kernel
def is_taken(m, t, p):
    return load64(m, t, p) & 1


@cold
def set_tags(m, t, p, size, state):
    put64(m, t, p, size | state)
    put64(m, t, p + size - TAG, size | state)


# Lists of free blocks


@kernel
def range_of(m, t, size):
    """Which list a free block of `size` bytes is in."""
    if policy(m, t) != SEGREGATED:
        return 0
    order = 63 - clz64(np.uint64(size))
    return min(4 * (order - 5) + (size >> order - 2 & 3), RANGES - 1)


@cold
def link(m, t, p, size):
    """Block `p` is the first of its list."""
    r = range_of(m, t, size)
    head = data(m, t) + LISTS + 8 * r
    first = get64(m, t, head)
    put64(m, t, p + 8, first)
    put64(m, t, p + 16, 0)
    if first:
        put64(m, t, first + 16, p)
    elif policy(m, t) == SEGREGATED:
        word = data(m, t) + MAP + (r >> 6) * 8
        put_mask(m, t, word, get_mask(m, t, word) | ONE << np.uint64(r & 63))
    put64(m, t, head, p)


@cold
def unlink(m, t, p):
    """Block `p` is in no list."""
    after, before, r = get64(m, t, p + 8), get64(m, t, p + 16), range_of(m, t, size_of(m, t, p))
    if policy(m, t) == NEXT and get64(m, t, data(m, t) + ROVER) == p:
        put64(m, t, data(m, t) + ROVER, after)
    if before:
        put64(m, t, before + 8, after)
    else:
        put64(m, t, data(m, t) + LISTS + 8 * r, after)
        if after == 0 and policy(m, t) == SEGREGATED:
            word = data(m, t) + MAP + (r >> 6) * 8
            put_mask(m, t, word, get_mask(m, t, word) & ~(ONE << np.uint64(r & 63)))
    if after:
        put64(m, t, after + 16, before)


# Searches: a free block of `size` bytes or more, or 0


@kernel
def search(m, t, size):
    head = data(m, t) + LISTS
    if policy(m, t) == FIRST:
        return first_fit(m, t, load64(m, t, head), 0, size)
    if policy(m, t) == BEST:
        return best_fit(m, t, load64(m, t, head), size)
    if policy(m, t) == NEXT:
        rover = load64(m, t, data(m, t) + ROVER)
        found = first_fit(m, t, rover, 0, size) if rover else 0
        return found if found else first_fit(m, t, load64(m, t, head), rover, size)
    r = range_of(m, t, size)
    found = first_fit(m, t, load64(m, t, head + 8 * r), 0, size)
    return found if found else larger_range(m, t, r + 1)


@cold
def first_fit(m, t, p, until, size):
    """The first from `p` on, before `until`, that is large enough."""
    while p and p != until:
        if size_of(m, t, p) >= size:
            return p
        p = load64(m, t, p + 8)
    return 0


@cold
def best_fit(m, t, p, size):
    best, least = 0, LARGEST
    while p and least != size:
        here = size_of(m, t, p)
        if size <= here < least:
            best, least = p, here
        p = load64(m, t, p + 8)
    return best


@cold
def larger_range(m, t, r):
    """The first block of the first list from `r` on that has one."""
    while r < RANGES:
        mask = get_mask(m, t, data(m, t) + MAP + (r >> 6) * 8) & ~low_bits(r & 63)
        if mask:
            return get64(m, t, data(m, t) + LISTS + 8 * ((r & ~63) + ctz64(mask)))
        r = (r & ~63) + 64
    return 0


# The operations, under the lock


@kernel
def block_size(n):
    """Of a block for a request of `n` bytes."""
    return max(n + 2 * TAG + 15 & ~15, LEAST)


@kernel
def take(m, t, n):
    """The address of `n` bytes, or 0."""
    if not 0 <= n < LARGEST:
        return 0
    size = block_size(n)
    p = search(m, t, size)
    if p == 0:
        p = grow(m, t, size)
        if p == 0:
            return 0
    has = size_of(m, t, p)
    if has - size < LEAST:
        unlink(m, t, p)
        set_tags(m, t, p, has, 1)
    else:
        cut(m, t, p, has, size)
    return p + TAG


@cold
def cut(m, t, p, has, size):
    """The first `size` of a free block's `has` bytes are somebody's; the rest takes its place in the list, or, segregated, goes to its own."""
    rest = p + size
    if policy(m, t) == SEGREGATED:
        unlink(m, t, p)
        set_tags(m, t, rest, has - size, 0)
        link(m, t, rest, has - size)
    else:
        after, before = get64(m, t, p + 8), get64(m, t, p + 16)
        set_tags(m, t, rest, has - size, 0)
        put64(m, t, rest + 8, after)
        put64(m, t, rest + 16, before)
        put64(m, t, before + 8 if before else data(m, t) + LISTS, rest)
        if after:
            put64(m, t, after + 16, rest)
        if policy(m, t) == NEXT:
            put64(m, t, data(m, t) + ROVER, rest)
    set_tags(m, t, p, size, 1)


@cold
def give(m, t, p):
    """Free block `p`, and join it with its free neighbours."""
    size = size_of(m, t, p)
    if not is_taken(m, t, p) or get64(m, t, p + size - TAG) != size | 1:
        bad_free(m, t)
        return
    p = join(m, t, p, size)
    if p + size_of(m, t, p) == get64(m, t, data(m, t) + END) and size_of(m, t, p) >= TRIM:
        trim(m, t, 0)


@cold
def join(m, t, p, size):
    """The free block that `p` of `size` bytes becomes with its neighbours, in its list."""
    after = p + size
    if not is_taken(m, t, after):
        size += size_of(m, t, after)
        unlink(m, t, after)
    if not get64(m, t, p - TAG) & 1:
        size += get64(m, t, p - TAG)
        p -= get64(m, t, p - TAG)
        unlink(m, t, p)
    set_tags(m, t, p, size, 0)
    link(m, t, p, size)
    return p


@cold
def grow(m, t, size):
    """A free block of `size` bytes at least, at the heap's end; or 0."""
    end = get64(m, t, data(m, t) + END)
    last = get64(m, t, end - TAG)
    missing = size - last if not last & 1 else size
    more = max(missing, GROWTH) + 4095 & ~4095
    if move_break(m, t, end + more + TAG) < end + more + TAG:
        return 0
    put64(m, t, end + more, 1)
    put64(m, t, data(m, t) + END, end + more)
    return join(m, t, end, more)


@cold
def trim(m, t, everything):
    """Give back the whole pages of the free block at the heap's end, but GROWTH bytes of it unless `everything` goes."""
    end = get64(m, t, data(m, t) + END)
    last = get64(m, t, end - TAG)
    less = (last if everything else last - GROWTH // 2) & ~4095
    if last & 1 or less <= 0:
        return
    if 0 < last - less < LEAST:
        less -= 4096
    p = end - last
    unlink(m, t, p)
    put64(m, t, p, 1)  # where less is all of it
    if last > less:
        set_tags(m, t, p, last - less, 0)
        link(m, t, p, last - less)
        put64(m, t, end - less, 1)
    put64(m, t, data(m, t) + END, end - less)
    move_break(m, t, end - less + TAG)


@cold
def resize(m, t, block, n):
    """In place if it fits there or the next block is free and large enough."""
    if block == 0:
        return take(m, t, n)
    if not 0 <= n < LARGEST:
        return 0
    p, size = block - TAG, block_size(n)
    has = size_of(m, t, p)
    after = p + has
    if has < size and not is_taken(m, t, after) and has + size_of(m, t, after) >= size:
        unlink(m, t, after)
        has += size_of(m, t, after)
    if has >= size:
        if has - size >= LEAST:
            set_tags(m, t, p, size, 1)
            join(m, t, p + size, has - size)
        else:
            set_tags(m, t, p, has, 1)
        return block
    new = take(m, t, n)
    if new:
        copy_block(m, t, new, block, has - 2 * TAG)
        give(m, t, p)
    return new

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

from hwmem._jit import DOORS, apart, cold, hot, kernel
from hwmem.bits import ctz64
from hwmem.core.access import load64, store64
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


@hot
def set_tags(m, t, p, size, state):
    store64(m, t, p, size | state)
    store64(m, t, p + size - TAG, size | state)


# Lists of free blocks


@kernel
def range_of(m, t, size):
    """Which list a free block of `size` bytes is in."""
    if policy(m, t) != SEGREGATED:
        return 0
    order = 63 - clz64(np.uint64(size))
    return min(4 * (order - 5) + (size >> order - 2 & 3), RANGES - 1)


@kernel
def head_of(m, t, r):
    return data(m, t) + LISTS + 8 * r


@hot
def link(m, t, p, r, first):
    """Block `p` is the first of list `r`, before the one that was."""
    store64(m, t, p + 8, first)
    store64(m, t, p + 16, 0)
    if first:
        store64(m, t, first + 16, p)
    elif policy(m, t) == SEGREGATED:
        word = data(m, t) + MAP + (r >> 6) * 8
        put_mask(m, t, word, get_mask(m, t, word) | ONE << np.uint64(r & 63))
    store64(m, t, head_of(m, t, r), p)


@apart
def unlink(m, t, p, size):
    """Block `p` of `size` bytes is in no list."""
    after, before, r = load64(m, t, p + 8), load64(m, t, p + 16), range_of(m, t, size)
    if policy(m, t) == NEXT and get64(m, t, data(m, t) + ROVER) == p:
        put64(m, t, data(m, t) + ROVER, after)
    if before:
        store64(m, t, before + 8, after)
    else:
        store64(m, t, head_of(m, t, r), after)
        if after == 0 and policy(m, t) == SEGREGATED:
            word = data(m, t) + MAP + (r >> 6) * 8
            put_mask(m, t, word, get_mask(m, t, word) & ~(ONE << np.uint64(r & 63)))
    if after:
        store64(m, t, after + 16, before)


# Searches: a free block of `size` bytes or more and how many it has; (0, _): there is none


@kernel
def search(m, t, size):
    head = head_of(m, t, 0)
    if policy(m, t) == FIRST:
        return first_fit(m, t, load64(m, t, head), 0, size)
    if policy(m, t) == BEST:
        return best_fit(m, t, load64(m, t, head), size)
    if policy(m, t) == NEXT:
        rover = load64(m, t, data(m, t) + ROVER)
        found = first_fit(m, t, rover, 0, size) if rover else (0, 0)
        return found if found[0] else first_fit(m, t, load64(m, t, head), rover, size)
    r = range_of(m, t, size)
    found = first_fit(m, t, load64(m, t, head_of(m, t, r)), 0, size)
    return found if found[0] else larger_range(m, t, r + 1)


@kernel
def first_fit(m, t, p, until, size):
    """The first from `p` on, before `until`, that is large enough."""
    while p and p != until:
        has = size_of(m, t, p)
        if has >= size:
            return p, has
        p = load64(m, t, p + 8)
    return 0, 0


@cold
def best_fit(m, t, p, size):
    best, least = 0, LARGEST
    while p and least != size:
        here = size_of(m, t, p)
        if size <= here < least:
            best, least = p, here
        p = load64(m, t, p + 8)
    return best, least


@cold
def larger_range(m, t, r):
    """The first block of the first list from `r` on that has one."""
    while r < RANGES:
        mask = get_mask(m, t, data(m, t) + MAP + (r >> 6) * 8) & ~low_bits(r & 63)
        if mask:
            p = get64(m, t, head_of(m, t, (r & ~63) + ctz64(mask)))
            return p, size_of(m, t, p)
        r = (r & ~63) + 64
    return 0, 0


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
    p, has = search(m, t, size)
    if p == 0:
        p = grow(m, t, size)
        if p == 0:
            return 0
        has = size_of(m, t, p)
    if has - size < LEAST:
        unlink(m, t, p, has)
        set_tags(m, t, p, has, 1)
    else:
        cut(m, t, p, has, size)
    return p + TAG


@hot
def cut(m, t, p, has, size):
    """The first `size` of a free block's `has` bytes are somebody's; the rest takes its place in the list, or, segregated, goes to its own."""
    rest = p + size
    if policy(m, t) == SEGREGATED:
        unlink(m, t, p, has)
        r = range_of(m, t, has - size)
        link(m, t, rest, r, load64(m, t, head_of(m, t, r)))
    else:
        after, before = load64(m, t, p + 8), load64(m, t, p + 16)
        store64(m, t, rest + 8, after)
        store64(m, t, rest + 16, before)
        store64(m, t, before + 8 if before else head_of(m, t, 0), rest)
        if after:
            store64(m, t, after + 16, rest)
        if policy(m, t) == NEXT:
            put64(m, t, data(m, t) + ROVER, rest)
    set_tags(m, t, rest, has - size, 0)
    set_tags(m, t, p, size, 1)


@hot
def give(m, t, p):
    """Free block `p`, and join it with its free neighbours."""
    word = load64(m, t, p)
    size = word & ~1
    if word == size or load64(m, t, p + size - TAG) != word:
        bad_free(m, t)
        return
    if join(m, t, p, size):
        trim(m, t, 0)


@kernel
def join(m, t, p, size):
    """Block `p` of `size` bytes is free, with its free neighbours one block in a list. Whether it is at the heap's end, and large."""
    after, before = load64(m, t, p + size), load64(m, t, p - TAG)
    if not after & 1:
        unlink(m, t, p + size, after)
        size += after
        after = load64(m, t, p + size)
    r, old = range_of(m, t, size), 0
    if not before & 1:
        p, size, old = p - before, size + before, before
        r = range_of(m, t, size)
    set_tags(m, t, p, size, 0)
    first = load64(m, t, head_of(m, t, r))
    if first != p or policy(m, t) == NEXT:  # else it is where it should be
        if old:
            unlink(m, t, p, old)
        link(m, t, p, r, load64(m, t, head_of(m, t, r)) if first == p else first)
    return after == 1 and size >= TRIM  # where the heap ends there are no more bytes, in use


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
    join(m, t, end, more)
    return end + more - (get64(m, t, end + more - TAG) & ~1)


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
    unlink(m, t, p, last)
    put64(m, t, p, 1)  # where less is all of it
    if last > less:
        r = range_of(m, t, last - less)
        set_tags(m, t, p, last - less, 0)
        link(m, t, p, r, get64(m, t, head_of(m, t, r)))
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
        more = size_of(m, t, after)
        unlink(m, t, after, more)
        has += more
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

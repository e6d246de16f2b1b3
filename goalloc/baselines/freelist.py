"""Explicit free lists with boundary tags: first fit, next fit, best fit, and segregated fit.

    START | block | block | block | block | top ...          END, where the break is

    | size·p·1 | block ...                          |      in use; p: 2 if the block before it is in use
    | size·p·0 | next | previous |   ...     | size |      free, in a list

A free block has its size at its end too (Knuth's boundary tags), and the header behind it says that it is free, so a freed block finds its
neighbours at once and is joined with those that are free; those in use need no tag at their end. What lies behind the last block in use is
the top, which is in no list and serves what no list can; it is given back from TRIM bytes on. One list, last in, first out, or, segregated,
one for each of 63 ranges of sizes (four per power of two) and a word of bits that says which are not empty. A list's first block has no
link back.

    first        the first block of the list that is large enough
    next         the same, from where the last search ended
    best         the smallest of all that are large enough (of equals, the first)
    segregated   the first in its range that is large enough, else any of the next range that has one

A block is at least 32 bytes, its address a multiple of 16. One lock, which is not taken while only one thread has called:

    63     47                    0
     | owner|     the top        |      the only thread that has called, plus one; 0: none has; SEVERAL

Source: Knuth, The Art of Computer Programming 1, 2.5, algorithms A to C; Wilson, Johnstone, Neely, Boles, 1995 (the bit in
place of a tag; the top: Korn and Vo's wilderness).
"""

import numpy as np

from hwmem._jit import DOORS, apart, cold, hot, kernel
from hwmem.bits import ctz64
from hwmem.core.access import load64, store64
from goalloc import params as P
from goalloc.base.lock import lock, unlock
from goalloc.words import NONE, ONE, clz64, get64, get_mask, low_bits, put64, put_mask
from goalloc.baselines.system import (
    ADDRESS,
    FREE,
    INIT,
    LARGEST,
    LOCK,
    MALLOC,
    REALLOC,
    TICK,
    UPPER,
    USABLE_SIZE,
    bad_free,
    copy_block,
    data,
    is_only,
    move_break,
    policy,
)

FIRST, NEXT, BEST, SEGREGATED = range(4)  # policies
TOP, END, START, ROVER, LISTS = 64, 72, 80, 88, 128  # the allocator's variables
TAKEN, BEFORE = 1, 2  # of a header: the block is in use; the one before it is
SIZE = -16
RANGES = 64  # words of LISTS: the one list's head; segregated, 63 heads after the word of bits
TAG, LEAST = 8, 32
GROWTH, TRIM = 132 << 10, 132 << 10  # what glibc asks for at first


@DOORS.door(P.DOOR_FREELIST)
def freelist_door(m, t, operation, a, b):
    if operation == USABLE_SIZE:
        return (load64(m, t, a - TAG) & SIZE) - TAG
    if operation == INIT:
        return begin(m, t)
    d, answer = data(m, t), 0
    first = load64(m, t, d + LISTS) if operation == MALLOC else 0  # ahead of the top, which the last call may just have stored
    top = load64(m, t, d + TOP)
    alone = top >> UPPER == t + 1
    if not alone:
        alone = is_only(m, t, d + TOP, top >> UPPER)
        if not alone:
            lock(m, t, d + LOCK)
        first, top = load64(m, t, d + LISTS), load64(m, t, d + TOP)
    if operation == MALLOC:
        answer = take(m, t, d, first, top, a)
    elif operation == FREE:
        give(m, t, d, top, a - TAG)
    elif operation == REALLOC:
        answer = resize(m, t, d, top, a, b)
    elif operation == TICK and a:
        trim(m, t, d, 0)
    if not alone:
        unlock(m, t, d + LOCK)
    return answer


@cold
def begin(m, t):
    """An empty heap."""
    d, start = data(m, t), move_break(m, t, 0)
    put64(m, t, d + START, start)
    put64(m, t, d + END, start)
    put64(m, t, d + TOP, (start + 15 & ~15) + TAG)
    return 0


# Lists of free blocks


@hot
def range_of(m, t, size):
    """Which list a free block of `size` bytes is in."""
    if policy(m, t) != SEGREGATED:
        return 0
    order = 63 - clz64(np.uint64(size))
    return min(1 + 4 * (order - 5) + (size >> order - 2 & 3), RANGES - 1)


@hot
def head_of(d, r):
    return d + LISTS + 8 * r


@hot
def link(m, t, d, p, r):
    """Block `p` is the first of list `r`."""
    first = load64(m, t, head_of(d, r))
    store64(m, t, p + 8, first)
    if first:
        store64(m, t, first + 16, p)
    elif policy(m, t) == SEGREGATED:
        put_mask(m, t, d + LISTS, get_mask(m, t, d + LISTS) | ONE << np.uint64(r))
    store64(m, t, head_of(d, r), p)


@apart
def unlink(m, t, d, p, r):
    """Block `p` of list `r` is in none."""
    after, head = load64(m, t, p + 8), head_of(d, r)
    if policy(m, t) == NEXT and load64(m, t, d + ROVER) == p:
        store64(m, t, d + ROVER, after)
    if load64(m, t, head) == p:
        store64(m, t, head, after)
        if after == 0 and policy(m, t) == SEGREGATED:
            put_mask(m, t, d + LISTS, get_mask(m, t, d + LISTS) & ~(ONE << np.uint64(r)))
        return
    before = load64(m, t, p + 16)
    store64(m, t, before + 8, after)
    if after:
        store64(m, t, after + 16, before)


@apart
def relink(m, t, d, p, old, r):
    """Segregated: block `p` of list `old` is the first of list `r`. The word of bits is read and written once."""
    bits, after = load64(m, t, d + LISTS), load64(m, t, p + 8)
    first = load64(m, t, head_of(d, r)) if bits >> r & 1 else 0
    if load64(m, t, head_of(d, old)) == p:
        store64(m, t, head_of(d, old), after)
        bits &= ~(0 if after else 1 << old)
    else:
        before = load64(m, t, p + 16)
        store64(m, t, before + 8, after)
        if after:
            store64(m, t, after + 16, before)
    store64(m, t, p + 8, first)
    if first:
        store64(m, t, first + 16, p)
    store64(m, t, head_of(d, r), p)
    store64(m, t, d + LISTS, bits | 1 << r)


# Searches: a free block of `size` bytes or more and how many it has; (0, _): there is none. `first`: the first word of LISTS


@hot
def search(m, t, d, first, size):
    if first == 0:
        return 0, 0
    if policy(m, t) == SEGREGATED:
        return search_ranges(m, t, d, first, size)
    if policy(m, t) == FIRST:
        return first_fit(m, t, first, 0, size)
    if policy(m, t) == BEST:
        return best_fit(m, t, first, size)
    rover = load64(m, t, d + ROVER)
    found = first_fit(m, t, rover, 0, size)
    return found if found[0] else first_fit(m, t, first, rover, size)


@kernel
def first_fit(m, t, p, until, size):
    """The first from `p` on, before `until`, that is large enough."""
    while p and p != until:
        has = load64(m, t, p) & SIZE
        if has >= size:
            return p, has
        p = load64(m, t, p + 8)
    return 0, 0


@cold
def best_fit(m, t, p, size):
    best, least = 0, LARGEST
    while p and least != size:
        here = load64(m, t, p) & SIZE
        if size <= here < least:
            best, least = p, here
        p = load64(m, t, p + 8)
    return best, least


@apart
def search_ranges(m, t, d, lists, size):
    """... in the list of the size's range, or else the first block of the next one of `lists`, bits, that has any."""
    r = range_of(m, t, size)
    mask = np.uint64(lists) & ~low_bits(r)
    if mask & ONE << np.uint64(r):
        found = first_fit(m, t, load64(m, t, head_of(d, r)), 0, size)
        if found[0]:
            return found
        mask &= mask - ONE
    if mask == NONE:
        return 0, 0
    p = load64(m, t, head_of(d, ctz64(mask)))
    return p, load64(m, t, p) & SIZE


# The operations, by the only thread or under the lock; `top`: the word TOP


@hot
def block_size(n):
    """Of a block for a request of `n` bytes."""
    return max(n + TAG + 15 & SIZE, LEAST)


@hot
def take(m, t, d, first, top, n):
    """The address of `n` bytes, or 0."""
    if not 0 <= n < LARGEST:
        return 0
    size = block_size(n)
    p, has = search(m, t, d, first, size)
    if p:
        cut(m, t, d, p, has, size)
        return p + TAG
    p = top & ADDRESS
    if p + size > load64(m, t, d + END) and not grow(m, t, d, p + size):
        return 0
    store64(m, t, d + TOP, top + size)
    store64(m, t, p, size | BEFORE | TAKEN)
    return p + TAG


@apart
def cut(m, t, d, p, has, size):
    """The first `size` of a free block's `has` bytes are somebody's; the rest takes its place in the list, or, segregated, goes to its own."""
    if has - size < LEAST:
        unlink(m, t, d, p, range_of(m, t, has))
        store64(m, t, p, has | BEFORE | TAKEN)
        store64(m, t, p + has, load64(m, t, p + has) | BEFORE)
        return
    rest = p + size
    if policy(m, t) == SEGREGATED:
        unlink(m, t, d, p, range_of(m, t, has))
        link(m, t, d, rest, range_of(m, t, has - size))
    else:
        replace(m, t, d, p, rest)
    store64(m, t, rest, has - size | BEFORE)
    store64(m, t, p + has - TAG, has - size)
    store64(m, t, p, size | BEFORE | TAKEN)


@hot
def replace(m, t, d, p, rest):
    """In the one list `rest` is in the place of `p`, from where the next search goes on."""
    after = load64(m, t, p + 8)
    if load64(m, t, d + LISTS) == p:
        store64(m, t, d + LISTS, rest)
    else:
        before = load64(m, t, p + 16)
        store64(m, t, before + 8, rest)
        store64(m, t, rest + 16, before)
    store64(m, t, rest + 8, after)
    if after:
        store64(m, t, after + 16, rest)
    if policy(m, t) == NEXT:
        store64(m, t, d + ROVER, rest)


@hot
def give(m, t, d, top, p):
    """Free block `p`, and join it with its free neighbours."""
    word, end = load64(m, t, p), top & ADDRESS
    size = word & SIZE
    after = p + size
    if after == end and word & TAKEN:
        give_to_top(m, t, d, top, p, word)
        return
    behind = load64(m, t, after) if word & TAKEN and p < after < end else 0
    if not behind & BEFORE:
        bad_free(m, t)
        return
    if behind & TAKEN:
        store64(m, t, after, behind & ~BEFORE)
    else:
        unlink(m, t, d, after, range_of(m, t, behind & SIZE))
        size += behind & SIZE
    if word & BEFORE:
        link(m, t, d, p, range_of(m, t, size))
    else:
        old = load64(m, t, p - TAG)
        p, size = p - old, size + old
        r = range_of(m, t, size)
        if range_of(m, t, old) != r:
            relink(m, t, d, p, range_of(m, t, old), r)
    store64(m, t, p, size | BEFORE)
    store64(m, t, p + size - TAG, size)


@apart
def give_to_top(m, t, d, top, p, word):
    """... which is the last one: with a free one before it."""
    less = word & SIZE
    if not word & BEFORE:
        old = load64(m, t, p - TAG)
        unlink(m, t, d, p - old, range_of(m, t, old))
        less += old
    store64(m, t, d + TOP, top - less)
    if load64(m, t, d + END) - (top - less & ADDRESS) >= TRIM:
        trim(m, t, d, GROWTH // 2)


@cold
def grow(m, t, d, wanted):
    """Move the break to `wanted` or beyond; whether it is there."""
    end = max(wanted, get64(m, t, d + END) + GROWTH) + 4095 & ~4095
    if move_break(m, t, end) < end:
        return False
    put64(m, t, d + END, end)
    return True


@cold
def trim(m, t, d, kept):
    """Give back the whole pages of the top, but `kept` bytes of it."""
    end = get64(m, t, d + END)
    less = end - (get64(m, t, d + TOP) & ADDRESS) - kept & ~4095
    if less > 0:
        put64(m, t, d + END, end - less)
        move_break(m, t, end - less)


@cold
def resize(m, t, d, top, block, n):
    """In place if it fits there, or the next block is free and large enough, or the top is next."""
    first = get64(m, t, d + LISTS)
    if block == 0 or not 0 <= n < LARGEST:
        return take(m, t, d, first, top, n)
    p, size = block - TAG, block_size(n)
    word = get64(m, t, p)
    has = word & SIZE
    if has < size and p + has == top & ADDRESS and (p + size <= get64(m, t, d + END) or grow(m, t, d, p + size)):
        put64(m, t, d + TOP, top + size - has)
        put64(m, t, p, size | word & ~SIZE)
        return block
    if has < size:
        has += room_behind(m, t, d, p + has, size - has)
    if has >= size:
        shrink(m, t, d, p, has, size)
        return block
    new = take(m, t, d, first, top, n)
    if new:
        copy_block(m, t, new, block, has - TAG)
        give(m, t, d, get64(m, t, d + TOP), p)
    return new


@cold
def room_behind(m, t, d, p, missing):
    """If block `p`, unless it is the top, is free and large enough: its size, and it is in no list; else 0."""
    word = get64(m, t, p) if p < get64(m, t, d + TOP) & ADDRESS else TAKEN
    more = word & SIZE
    if word & TAKEN or more < missing:
        return 0
    unlink(m, t, d, p, range_of(m, t, more))
    put64(m, t, p + more, get64(m, t, p + more) | BEFORE)
    return more


@cold
def shrink(m, t, d, p, has, size):
    """Block `p`, which could have `has` bytes, has `size`; what is left is freed if it is a block."""
    more = has - size if has - size >= LEAST else 0
    put64(m, t, p, has - more | get64(m, t, p) & ~SIZE)
    if more:
        put64(m, t, p + size, more | BEFORE | TAKEN)
        give(m, t, d, get64(m, t, d + TOP), p + size)

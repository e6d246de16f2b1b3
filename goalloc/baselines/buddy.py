"""Binary buddies: blocks of 2^k bytes, halved for smaller requests and joined with the other half when both are free.

    region of 4 MiB, at a multiple of it: the buddy of the block at `p` of 2^k bytes is at p ^ 2^k

    | order·taken | usable ...        16 bytes in front of what the user gets
    | order       | next | previous   free, in the list of its order

Requests too large for a region are mappings of their own, given back when they are freed. A region that is wholly free is given back if
another free one is kept. One lock.
Source: Knowlton, 1965; Knuth, The Art of Computer Programming 1, 2.5, algorithms R and S.
"""

import numpy as np

from hwmem._jit import DOORS, cold, kernel
from hwmem.core.access import load64, store64
from goalloc import params as P
from goalloc.words import clz64, get64, put64
from goalloc.baselines.system import (
    FREE,
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
    map_aligned,
    map_memory,
    unmap,
)

LEAST_ORDER, REGION_ORDER = 5, 22
TAKEN, MAPPED = 1 << 8, 1 << 9  # beside the order; of a mapping the word is its bytes | MAPPED, its length a multiple of a page
FRONT = 16
EMPTY, LISTS, COUNT, REGIONS = 64, 128, 4096, 4104  # the allocator's variables; EMPTY: regions that are free as a whole
MOST_REGIONS = 100_000
KEPT = 1


@DOORS.door(P.DOOR_BUDDY)
def buddy_door(m, t, operation, a, b):
    if operation == USABLE_SIZE:
        return usable(m, t, a - FRONT)
    alone, answer = enter(m, t), 0
    if operation == MALLOC:
        answer = take(m, t, a)
    elif operation == FREE:
        give(m, t, a - FRONT)
    elif operation == REALLOC:
        answer = resize(m, t, a, b)
    elif operation == TICK and a:
        give_back(m, t, 0)
    leave(m, t, alone)
    return answer


@kernel
def usable(m, t, p):
    word = load64(m, t, p)
    return (word & ~4095 if word & MAPPED else 1 << (word & 255)) - FRONT


@kernel
def order_for(n):
    """The smallest order whose blocks hold `n` bytes."""
    return max(64 - clz64(np.uint64(n + FRONT - 1)), LEAST_ORDER)


@kernel
def head_of(m, t, order):
    return data(m, t) + LISTS + 8 * order


@kernel
def take(m, t, n):
    """The address of `n` bytes, or 0."""
    if not 0 <= n < LARGEST:
        return 0
    order = order_for(n)
    if order > REGION_ORDER:
        return map_block(m, t, n)
    found = order
    while found <= REGION_ORDER and load64(m, t, head_of(m, t, found)) == 0:
        found += 1
    if found > REGION_ORDER:
        if not add_region(m, t):
            return 0
        found = REGION_ORDER
    p = load64(m, t, head_of(m, t, found))
    unlink(m, t, p, found)
    while found > order:
        found -= 1
        link(m, t, p + (1 << found), found)
    store64(m, t, p, order | TAKEN)
    return p + FRONT


@cold
def map_block(m, t, n):
    size = n + FRONT + 4095 & ~4095
    p = map_memory(m, t, size)
    if p == 0:
        return 0
    put64(m, t, p, size | MAPPED)
    return p + FRONT


@cold
def add_region(m, t):
    n = get64(m, t, data(m, t) + COUNT)
    p = map_aligned(m, t, 1 << REGION_ORDER, 1 << REGION_ORDER) if n < MOST_REGIONS else 0
    if p:
        put64(m, t, data(m, t) + REGIONS + 8 * n, p)
        put64(m, t, data(m, t) + COUNT, n + 1)
        link(m, t, p, REGION_ORDER)
    return p != 0


@cold
def link(m, t, p, order):
    """The free block `p` is the first of its order's list."""
    first = get64(m, t, head_of(m, t, order))
    put64(m, t, p, order)
    put64(m, t, p + 8, first)
    put64(m, t, p + 16, 0)
    if first:
        put64(m, t, first + 16, p)
    put64(m, t, head_of(m, t, order), p)
    if order == REGION_ORDER:
        put64(m, t, data(m, t) + EMPTY, get64(m, t, data(m, t) + EMPTY) + 1)


@cold
def unlink(m, t, p, order):
    after, before = get64(m, t, p + 8), get64(m, t, p + 16)
    put64(m, t, before + 8 if before else head_of(m, t, order), after)
    if after:
        put64(m, t, after + 16, before)
    if order == REGION_ORDER:
        put64(m, t, data(m, t) + EMPTY, get64(m, t, data(m, t) + EMPTY) - 1)


@cold
def give(m, t, p):
    """Free block `p`; it is merged as long as its buddy is free and whole."""
    word = get64(m, t, p)
    if word & MAPPED:
        unmap(m, t, p, word & ~4095)
        return
    order = word & 255
    if not word & TAKEN or not LEAST_ORDER <= order <= REGION_ORDER:
        bad_free(m, t)
        return
    while order < REGION_ORDER and get64(m, t, p ^ 1 << order) == order:
        unlink(m, t, p ^ 1 << order, order)
        p &= ~(1 << order)
        order += 1
    link(m, t, p, order)
    if order == REGION_ORDER:
        give_back(m, t, KEPT)


@cold
def give_back(m, t, kept):
    """Regions that are free go back to the kernel, but `kept` of them."""
    while get64(m, t, data(m, t) + EMPTY) > kept:
        p = get64(m, t, head_of(m, t, REGION_ORDER))
        unlink(m, t, p, REGION_ORDER)
        unmap(m, t, p, 1 << REGION_ORDER)
        n, place = get64(m, t, data(m, t) + COUNT) - 1, data(m, t) + REGIONS
        while get64(m, t, place) != p:
            place += 8
        put64(m, t, place, get64(m, t, data(m, t) + REGIONS + 8 * n))
        put64(m, t, data(m, t) + COUNT, n)


@cold
def resize(m, t, block, n):
    """Where it is as long as the block is of the right order."""
    if (
        block
        and 0 <= n < LARGEST
        and usable(m, t, block - FRONT) >= n
        and order_for(n) >= 63 - clz64(np.uint64(usable(m, t, block - FRONT) + FRONT))
    ):
        return block
    new = take(m, t, n)
    if new and block:
        copy_block(m, t, new, block, min(usable(m, t, block - FRONT), n))
        give(m, t, block - FRONT)
    return new

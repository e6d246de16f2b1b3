"""Binary buddies: blocks of 2^k bytes, halved for smaller requests and joined with the other half when both are free.

    region   | block | block | ...  4 MiB, at a multiple of it | states: a byte for each 32 bytes |

The buddy of the block at `p` of 2^k bytes is at p ^ 2^k. The state of a block's first 32 bytes is its order, with FREE or TAKEN: whether a
buddy is free and whole is seen without touching it (as in Linux's page descriptors). Blocks have no headers.

    LISTS     the first free block of each order; in it, only if it has a successor: | next | previous |
    MASKS     bit k: there is a free block of order k        bit 32 + k: there are several

So a list of one block is a bit and its head: while a block is halved the lists in between are empty, and a half costs two stores; while
blocks are joined a buddy that is alone in its list costs none.

Requests too large for a region are mappings of their own with their length in 16 bytes before the block, given back when they are freed. A
region that is wholly free is given back if another free one is kept. One lock.
Source: Knowlton, 1965; Knuth, The Art of Computer Programming 1, 2.5, algorithms R and S.
"""

import numpy as np

from hwmem._jit import DOORS, apart, cold, hot
from hwmem.bits import clz64, ctz64
from hwmem.core.access import load8, load64, store8, store64
from goalloc import params as P
from goalloc.words import get64, put64
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
REGION = 1 << REGION_ORDER
STATES = REGION >> LEAST_ORDER  # bytes of them
ORDER, IS_FREE, TAKEN = 31, 32, 64  # of a state
FRONT = 16  # of a mapping: so its block is no multiple of 32
SEVERAL = 32  # the bit of an order in the upper half of MASKS
MASKS, LISTS, COUNT, REGIONS = 64, 128, 4096, 4104  # the allocator's variables
MOST_REGIONS = 100_000


@DOORS.door(P.DOOR_BUDDY)
def buddy_door(m, t, operation, a, b):
    if operation == USABLE_SIZE:
        return usable(m, t, a)
    alone, answer = enter(m, t), 0
    if operation == MALLOC:
        answer = take(m, t, a)
    elif operation == FREE:
        give(m, t, a)
    elif operation == REALLOC:
        answer = resize(m, t, a, b)
    elif operation == TICK and a:
        give_back(m, t)
    leave(m, t, alone)
    return answer


@hot
def state_of(p):
    """Where the state of the block at `p` is."""
    return (p & -REGION) + REGION + ((p & REGION - 1) >> LEAST_ORDER)


@hot
def head_of(d, order):
    return d + LISTS + 8 * order


@hot
def order_for(n):
    """The smallest order whose blocks hold `n` bytes."""
    return max(64 - clz64(np.uint64(max(n, 1) - 1)), LEAST_ORDER)


@cold
def usable(m, t, p):
    return get64(m, t, p - FRONT) - FRONT if p & FRONT else 1 << (load8(m, t, state_of(p)) & ORDER)


@hot
def take(m, t, n):
    """The address of `n` bytes, or 0."""
    if not 0 <= n < LARGEST:
        return 0
    order = order_for(n)
    if order > REGION_ORDER:
        return map_block(m, t, n)
    d = data(m, t)
    masks = load64(m, t, d + MASKS)
    here = masks & (1 << SEVERAL) - (1 << order)
    if here == 0:
        here = add_region(m, t)
        if here == 0:
            return 0
    found = ctz64(np.uint64(here))
    p = load64(m, t, head_of(d, found))
    now = pop(m, t, d, p, masks, found) if masks >> SEVERAL + found & 1 else masks & ~(1 << found)
    for k in range(found - 1, order - 1, -1):
        store8(m, t, state_of(p + (1 << k)), k | IS_FREE)
        store64(m, t, head_of(d, k), p + (1 << k))
    now |= (1 << found) - (1 << order)
    if now != masks:
        store64(m, t, d + MASKS, now)
    store8(m, t, state_of(p), order | TAKEN)
    return p


@apart
def pop(m, t, d, p, masks, order):
    """Block `p`, the first of several, is in no list; the new masks."""
    after = load64(m, t, p)
    store64(m, t, head_of(d, order), after)
    return masks if load64(m, t, after) else masks & ~(1 << SEVERAL + order)


@apart
def unlink(m, t, d, p, masks, order):
    """... or any of several."""
    first = load64(m, t, head_of(d, order))
    if first == p:
        return pop(m, t, d, p, masks, order)
    after, before = load64(m, t, p), load64(m, t, p + 8)
    store64(m, t, before, after)
    if after:
        store64(m, t, after + 8, before)
    return masks & ~(1 << SEVERAL + order) if before == first and after == 0 else masks


@apart
def push(m, t, d, p, masks, order):
    """Block `p` is the first of a list that has others; the new masks."""
    first = load64(m, t, head_of(d, order))
    if not masks >> SEVERAL + order & 1:
        store64(m, t, first, 0)
    store64(m, t, first + 8, p)
    store64(m, t, p, first)
    store64(m, t, head_of(d, order), p)
    return masks | 1 << SEVERAL + order


@hot
def give(m, t, p):
    """Free block `p`; it is merged as long as its buddy is free and whole."""
    if p & FRONT:
        unmap_block(m, t, p - FRONT)
        return
    state = load8(m, t, state_of(p))
    order, whole = state & ORDER, p
    if state & TAKEN == 0 or p & (1 << order) - 1:
        bad_free(m, t)
        return
    d = data(m, t)
    masks = load64(m, t, d + MASKS)
    now = masks
    while order < REGION_ORDER and load8(m, t, state_of(whole ^ 1 << order)) == order | IS_FREE:
        now = unlink(m, t, d, whole ^ 1 << order, now, order) if now >> SEVERAL + order & 1 else now & ~(1 << order)
        whole &= ~(1 << order)
        order += 1
    if whole != p:
        store8(m, t, state_of(p), 0)
    now = keep(m, t, d, whole, now, order)
    if now != masks:
        store64(m, t, d + MASKS, now)


@hot
def keep(m, t, d, p, masks, order):
    """Block `p` is free, and no buddy of its is; the new masks."""
    if masks >> order & 1:
        if order == REGION_ORDER:
            drop_region(m, t, p)
            return masks
        masks = push(m, t, d, p, masks, order)
    else:
        store64(m, t, head_of(d, order), p)
    store8(m, t, state_of(p), order | IS_FREE)
    return masks | 1 << order


# Memory from the kernel


@cold
def map_block(m, t, n):
    size = n + FRONT + 4095 & ~4095
    p = map_memory(m, t, size)
    if p == 0:
        return 0
    put64(m, t, p, size)
    return p + FRONT


@cold
def unmap_block(m, t, p):
    """A mapping of its own, which is whole pages."""
    size = get64(m, t, p)
    if (p | size) & 4095 or size <= REGION:
        bad_free(m, t)
    else:
        unmap(m, t, p, size)


@cold
def add_region(m, t):
    """A new one is the only free block of its order: its bit in MASKS, or 0."""
    d = data(m, t)
    n = get64(m, t, d + COUNT)
    p = map_aligned(m, t, REGION + STATES, REGION) if n < MOST_REGIONS else 0
    if p == 0:
        return 0
    put64(m, t, d + REGIONS + 8 * n, p)
    put64(m, t, d + COUNT, n + 1)
    put64(m, t, head_of(d, REGION_ORDER), p)
    return REGION


@cold
def give_back(m, t):
    """The region that is free goes back to the kernel."""
    d = data(m, t)
    masks = get64(m, t, d + MASKS)
    if masks & REGION:
        put64(m, t, d + MASKS, masks & ~REGION)
        drop_region(m, t, get64(m, t, head_of(d, REGION_ORDER)))


@cold
def drop_region(m, t, p):
    unmap(m, t, p, REGION + STATES)
    n, place = get64(m, t, data(m, t) + COUNT) - 1, data(m, t) + REGIONS
    while get64(m, t, place) != p:
        place += 8
    put64(m, t, place, get64(m, t, data(m, t) + REGIONS + 8 * n))
    put64(m, t, data(m, t) + COUNT, n)


@cold
def resize(m, t, block, n):
    """Where it is as long as the block is of the right order."""
    old = usable(m, t, block) if block else 0
    if block and 0 <= n <= old and order_for(n) >= 63 - clz64(np.uint64(old)):
        return block
    new = take(m, t, n)
    if new and block:
        copy_block(m, t, new, block, min(old, n))
        give(m, t, block)
    return new

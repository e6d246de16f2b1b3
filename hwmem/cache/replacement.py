"""Which way of a set goes next, and how a touched way stays.

Called by sets.py with the set's number. Policies are small integers (params.py):

- LRU, up to 16 ways: a recency stack in one word of `m.order`, a nibble a place, way numbers from the most
  recent (low) to the least, zero above; a new machine's are the identity. To touch is a dozen operations without a
  branch; the victim is the nibble at place ways-1.
- WIDE_LRU, above 16 ways: the time of the last touch of each entry, in `m.stamp`; the victim is the oldest.
- FIFO: the time at which the entry was filled, there too.
- TREE_PLRU: a bit a node of a binary tree, pointing away from what was touched (ways a power of two).
- NRU: a bit a way, all but the last cleared when every bit is set.
- RANDOM: xorshift64 a structure.

Invariant of LRU: each stack is a permutation of 0..ways-1, no two stamps of a set are equal (checked by check.py). Free
ways lie deepest, those never used like those emptied since (an invalidation), so that the victim is one of them while
there are any. The other policies look for a free way first. (With recency gem5 a cache has no ways emptied since: sets.py.)
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import cold, hot, kernel
from hwmem.bits import ONE, bit, ctz64, test_bit

IDENTITY = np.uint64(0xFEDCBA9876543210)
NIBBLES = np.uint64(0x1111111111111111)
NIBBLE_TOPS = np.uint64(0x8888888888888888)
NONE, FOUR, FIFTEEN = np.uint64(0), np.uint64(4), np.uint64(15)


def fresh_stack(ways):
    """The stack of a set of `ways` ways that were never used."""
    return IDENTITY & stack_mask(ways)


def stack_mask(ways):
    """The nibbles of a stack that are in use."""
    return np.uint64((1 << 4 * ways) - 1)


@hot
def touch(m, s, set_, way):
    """`way` of set `set_` becomes the most recently used."""
    if s.policy == P.LRU:
        i = np.uint64(s.order_base + set_)
        m.order[i] = to_front(m.order[i], np.uint64(way))
    elif s.policy == P.WIDE_LRU:
        stamp(m, s, s.first + (set_ << s.row_shift) + way)
    else:
        touch_other(m, s, set_, way)


@hot
def rotate(m, s, set_, first):
    """The way that a new line takes, made most recent; `first`: index of the set's first entry. Free ways first."""
    if s.policy == P.LRU:
        i = np.uint64(s.order_base + set_)
        stack = m.order[i]
        way = stack >> np.uint64(s.stack_top)
        m.order[i] = (stack << FOUR | way) & s.stack_mask
        return np.int64(way)
    way = other_victim(m, s, set_, first)
    if s.policy == P.FIFO:
        stamp(m, s, first + way)
    else:
        touch(m, s, set_, way)
    return way


@hot
def stamp(m, s, i):
    s.clock += 1
    m.stamp[i] = s.clock


@kernel
def retire(m, s, set_, way):
    """`way` of set `set_` is free from now on."""
    if s.policy == P.LRU:
        put_last(m, s, set_, way)
    elif s.policy == P.WIDE_LRU or s.policy == P.FIFO:
        m.stamp[s.first + (set_ << s.row_shift) + way] = 0


@hot
def put_last(m, s, set_, way):
    """Of an LRU stack: `way` becomes the next to be filled. Most often it was the most recent (a line that cores fight for)."""
    i, top = np.uint64(s.order_base + set_), np.uint64(s.stack_top)
    stack, way = m.order[i], np.uint64(way)
    m.order[i] = stack >> FOUR | way << top if stack & FIFTEEN == way else to_back(stack, way, top)


@hot
def put_first(m, s, set_, way):
    """touch, of an LRU stack where `way` is most often the first or the last."""
    i = np.uint64(s.order_base + set_)
    stack, way = m.order[i], np.uint64(way)
    if stack >> np.uint64(s.stack_top) == way:
        m.order[i] = (stack << FOUR | way) & s.stack_mask
    elif stack & FIFTEEN != way:
        m.order[i] = to_front(stack, way)


@hot
def down_to(stack, way):
    """Mask of the places from the front to that of `way`."""
    x = stack ^ (way * NIBBLES)
    found = ~((x | NIBBLE_TOPS) - NIBBLES | x) & NIBBLE_TOPS  # the tops of the nibbles of x that are 0; the lowest counts
    return found ^ (found - ONE)


@hot
def to_front(stack, way):
    """The stack of nibbles with `way` moved to the front."""
    return stack ^ (stack ^ (stack << FOUR | way)) & down_to(stack, way)


@kernel
def to_back(stack, way, top):
    """The stack of nibbles with `way` moved to the deepest place, which is at bit `top`."""
    above = down_to(stack, way) >> FOUR  # places more recent than the way's own
    return (stack & above) | ((stack >> FOUR) & ~above) | way << top


@cold
def touch_other(m, s, set_, way):
    if s.policy == P.TREE_PLRU:
        touch_tree(m, s.order_base + set_, s.ways, way)
    elif s.policy == P.NRU:
        touch_nru(m, s.order_base + set_, s.ways, way)


@cold
def other_victim(m, s, set_, first):
    if s.policy == P.WIDE_LRU or s.policy == P.FIFO:
        return oldest(m, first, s.ways)
    for way in range(s.ways):
        if not m.tag[first + way] & P.OCCUPIED:
            return way
    bits = m.order[s.order_base + set_]
    if s.policy == P.TREE_PLRU:
        return victim_tree(bits, s.ways)
    if s.policy == P.NRU:
        return ctz64(~bits) % s.ways  # (a set of one way has no other)
    return next_random(s) % s.ways


@kernel
def oldest(m, first, ways):
    way = 0
    for w in range(1, ways):
        if m.stamp[first + w] < m.stamp[first + way]:
            way = w
    return way


@kernel
def touch_tree(m, i, ways, way):
    node, half = 1, ways >> 1
    while half > 0:
        right = 1 if way & half else 0
        if right:
            m.order[i] &= ~bit(node)
        else:
            m.order[i] |= bit(node)
        node = 2 * node + right
        half >>= 1


@kernel
def victim_tree(bits, ways):
    node = 1
    while node < ways:
        node = 2 * node + (1 if test_bit(bits, node) else 0)
    return node - ways


@kernel
def touch_nru(m, i, ways, way):
    used = m.order[i] | bit(way)
    full = ~NONE if ways == 64 else bit(ways) - ONE
    m.order[i] = bit(way) if used == full else used


@kernel
def next_random(s):
    """Next non-negative number of the structure's own xorshift generator (Marsaglia, 2003)."""
    x = s.random
    x ^= x << 13
    x ^= (x >> 7) & 0x01FF_FFFF_FFFF_FFFF
    x ^= x << 17
    s.random = x
    return x & 0x7FFF_FFFF_FFFF_FFFF

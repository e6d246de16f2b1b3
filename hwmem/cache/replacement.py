"""Which way of a set goes next, and how a touched way stays.

Called by sets.py with the set's number. Policies are small integers (params.py):

- LRU, up to 16 ways: a recency stack in one word of `m.order`, a nibble a place, way numbers from the most
  recent (low) to the least; stored XOR the identity, so that zero is a fresh set. To touch is a dozen
  operations without a branch; the victim is the nibble at place ways-1.
- WIDE_LRU, above 16 ways: the time of the last touch of each entry, in `m.stamp`; the victim is the oldest.
- TREE_PLRU: a bit a node of a binary tree, pointing away from what was touched (ways a power of two).
- NRU: a bit a way, all but the last cleared when every bit is set.
- RANDOM: xorshift64 a structure.

Invariant of LRU: each stack is a permutation of 0..ways-1, no two stamps of a set are equal (checked by check.py). Ways never used lie deepest,
so the deepest place is a free way while there is one; ways emptied later (TLB invalidation) are counted in
`holes` and looked for first.
"""
import numpy as np

from hwmem import params as P
from hwmem._jit import cold, hot, kernel
from hwmem.bits import ONE, bit, ctz64, test_bit

IDENTITY = np.uint64(0xFEDCBA9876543210)
NIBBLES = np.uint64(0x1111111111111111)
NIBBLE_TOPS = np.uint64(0x8888888888888888)
NONE, TWO, THREE, FOUR, FIFTEEN = (np.uint64(n) for n in (0, 2, 3, 4, 15))


@hot
def touch(m, s, set_, way):
    """`way` of set `set_` becomes the most recently used."""
    if s.policy == P.LRU:
        i = np.uint64(s.order_base + set_)
        m.order[i] = to_front(m.order[i] ^ IDENTITY, np.uint64(way)) ^ IDENTITY
    elif s.policy == P.WIDE_LRU:
        s.clock += 1
        m.stamp[s.first + (set_ << s.row_shift) + way] = s.clock
    else:
        touch_other(m, s, set_, way)


@hot
def rotate(m, s, set_, first):
    """The way that a new line takes, made most recent; `first`: index of the set's first entry. Free ways first."""
    if s.policy == P.LRU and s.holes == 0:
        i = np.uint64(s.order_base + set_)
        stack = m.order[i] ^ IDENTITY
        way = (stack >> np.uint64(s.stack_top)) & FIFTEEN
        m.order[i] = ((stack << FOUR & s.stack_mask) | (stack & ~s.stack_mask) | way) ^ IDENTITY
        return np.int64(way)
    way = other_victim(m, s, set_, first)
    touch(m, s, set_, way)
    return way


@hot
def to_front(stack, way):
    """The stack of nibbles with `way` moved to the front."""
    x = stack ^ (way * NIBBLES)
    place = np.uint64(ctz64((x - NIBBLES) & ~x & NIBBLE_TOPS)) - THREE
    above = (ONE << place) - ONE                        # places more recent than the way's own
    kept = ~((TWO << (place + THREE)) - ONE)            # places less recent
    return (stack & kept) | ((stack & above) << FOUR) | way


@cold
def touch_other(m, s, set_, way):
    if s.policy == P.TREE_PLRU:
        touch_tree(m, s.order_base + set_, s.ways, way)
    elif s.policy == P.NRU:
        touch_nru(m, s.order_base + set_, s.ways, way)


@cold
def other_victim(m, s, set_, first):
    if s.holes > 0 or s.policy > P.WIDE_LRU:
        for way in range(s.ways):
            if not m.tag[first + way] & P.OCCUPIED:
                return way
    if s.policy == P.WIDE_LRU:
        return oldest(m, first, s.ways)
    bits = m.order[s.order_base + set_]
    if s.policy == P.TREE_PLRU:
        return victim_tree(bits, s.ways)
    if s.policy == P.NRU:
        return ctz64(~bits) % s.ways                    # (a set of one way has no other)
    if s.policy == P.RANDOM:
        return next_random(s) % s.ways
    return np.int64(((bits ^ IDENTITY) >> np.uint64(s.stack_top)) & FIFTEEN)


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

"""Which way of a set goes next, and how a touched way stays.

Called by sets.py with the set's number. Policies are small integers (params.py):

- LRU up to 16 ways: a recency stack in one word of `m.order`, a nibble a place, way numbers from the most
  recent (low) to the least; stored XOR the identity, so that zero is a fresh set. To touch is a dozen
  operations without a branch; the victim is the nibble at place ways-1.
- LRU above 16 ways: the same stack, a byte a place, in `m.age`.
- TREE_PLRU: a bit a node of a binary tree, pointing away from what was touched (ways a power of two).
- NRU: a bit a way, all but the last cleared when every bit is set.
- RANDOM: xorshift64* a structure.

Invariant of LRU: each stack is a permutation of 0..ways-1 (checked by check.py). Ways never used lie deepest,
so the deepest place is a free way while there is one; ways emptied later (TLB invalidation) are counted in
`holes` and looked for first.
"""
import numpy as np

from hwmem import params as P
from hwmem._jit import kernel
from hwmem.bits import ONE, bit, ctz64, test_bit

IDENTITY = np.uint64(0xFEDCBA9876543210)
NIBBLES = np.uint64(0x1111111111111111)
NIBBLE_TOPS = np.uint64(0x8888888888888888)
FOUR = np.uint64(4)
FIFTEEN = np.uint64(15)
TWO = np.uint64(2)
NONE = np.uint64(0)
NIBBLE_WAYS = 16


@kernel
def touch(m, s, set_, way):
    """`way` of set `set_` becomes the most recently used."""
    if s.policy == P.LRU:
        if s.ways <= NIBBLE_WAYS:
            touch_nibbles(m, s.order_base + set_, np.uint64(way))
        else:
            touch_bytes(m, s.base + set_ * s.ways, way)
    elif s.policy == P.TREE_PLRU:
        touch_tree(m, s.order_base + set_, s.ways, way)
    elif s.policy == P.NRU:
        touch_nru(m, s.order_base + set_, s.ways, way)


@kernel
def victim(m, s, set_):
    """The way that a new line takes (not yet touched). Free ways first."""
    first = s.base + set_ * s.ways
    if s.policy != P.LRU or s.holes > 0:
        for way in range(s.ways):
            if m.tag[first + way] == 0:
                return way
    if s.policy == P.LRU:
        if s.ways <= NIBBLE_WAYS:
            stack = m.order[s.order_base + set_] ^ IDENTITY
            return np.int64((stack >> np.uint64(4 * s.ways - 4)) & FIFTEEN)
        deepest = s.ways - 1
        return m.age[first + deepest] ^ deepest
    if s.policy == P.TREE_PLRU:
        return victim_tree(m.order[s.order_base + set_], s.ways)
    if s.policy == P.NRU:
        return ctz64(~m.order[s.order_base + set_])
    return next_random(s) % s.ways


@kernel
def touch_nibbles(m, i, way):
    stack = m.order[i] ^ IDENTITY
    x = stack ^ (way * NIBBLES)
    place = np.uint64(ctz64((x - NIBBLES) & ~x & NIBBLE_TOPS)) - np.uint64(3)
    above = (ONE << place) - ONE                        # places more recent than the way's own
    kept = ~((TWO << (place + np.uint64(3))) - ONE)     # places less recent
    m.order[i] = ((stack & kept) | ((stack & above) << FOUR) | way) ^ IDENTITY


@kernel
def touch_bytes(m, first, way):
    place = 0
    while m.age[first + place] ^ place != way:
        place += 1
    while place > 0:
        m.age[first + place] = (m.age[first + place - 1] ^ (place - 1)) ^ place
        place -= 1
    m.age[first] = way


@kernel
def touch_tree(m, i, ways, way):
    node, half = 1, ways >> 1
    while half > 0:
        right = way & half != 0
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
        node = 2 * node + test_bit(bits, node)
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

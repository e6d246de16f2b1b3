"""Set-associative arrays (cache/sets.py): entries where they belong, none twice, replacement state sound."""

import numpy as np

from hwmem import params as P
from hwmem._jit import kernel
from hwmem.bits import ONE
from hwmem.cache.replacement import FIFTEEN, NONE, oldest
from hwmem.cache.sets import key_of, row_of
from hwmem.observe.checks.faults import BAD_ORDER, BEHIND_LAST_WAY, FREE_NOT_DEEPEST, NOT_OCCUPIED, TWICE_IN_SET, WRONG_SET, fault

ARRAYS = ("l1d", "l2", "dtlb", "dtlb_2m", "stlb", "pml4e", "pdpte", "pde")
L1D, L2, DTLB, DTLB_2M, STLB, PML4E, PDPTE, PDE = range(len(ARRAYS))


@kernel
def array_of(core, k):
    """Array number `k` (ARRAYS) of a core."""
    if k == L1D:
        return core.l1d
    if k == L2:
        return core.l2
    if k == DTLB:
        return core.dtlb
    if k == DTLB_2M:
        return core.dtlb_2m
    if k == STLB:
        return core.stlb
    if k == PML4E:
        return core.pml4e
    if k == PDPTE:
        return core.pdpte
    return core.pde


@kernel
def check_array(m, s, private, found):
    """`private`: whether it is a core's L1D or L2, where an empty way may keep a line's tag, in state I."""
    if s.ways == 0:
        return 0
    for set_ in range(s.sets):
        first = s.first + (set_ << s.row_shift)
        here = 0
        for w in range(s.ways):
            here += m.tag[first + w] & P.OCCUPIED == 0
        code = 0
        if here < s.ways:
            code = check_tags(m, s, first, found)
        if code == 0:
            code = check_order(m, s, set_, first, private and m.recency == P.PROCESSOR, found)
        if code:
            return code
    return 0


@kernel
def is_free(tag, remembers):
    return tag & P.OCCUPIED == 0 or (remembers and tag & P.STATE_MASK == P.I)


@kernel
def check_tags(m, s, first, found):
    """The entries of the set whose row begins at `first`."""
    for i in range(first, first + s.ways):
        tag = m.tag[i]
        if tag == 0:
            continue
        if tag & P.OCCUPIED == 0:
            return fault(found, NOT_OCCUPIED, i, tag, 0, 0)
        key = key_of(tag)
        belongs = row_of(s, key)[1]
        if belongs != first:
            return fault(found, WRONG_SET, i, key, belongs, 0)
        for j in range(first, i):
            if (m.tag[j] ^ tag) & P.KEY_MASK == 0:
                return fault(found, TWICE_IN_SET, i, key, j, 0)
    for i in range(first + s.ways, first + (1 << s.row_shift)):
        if m.tag[i] != 0:
            return fault(found, BEHIND_LAST_WAY, i, m.tag[i], 0, 0)
    return 0


@kernel
def check_order(m, s, set_, first, remembers, found):
    """The replacement state of one set, whose empty ways come first. `remembers`: an entry in state I is one of them."""
    bits = m.order[s.order_base + set_]
    if s.policy == P.LRU:
        sound = is_stack(bits, s.ways)
        deepest = np.int64(bits >> np.uint64(4 * s.ways - 4) & FIFTEEN)
    elif s.policy == P.WIDE_LRU or s.policy == P.FIFO:
        sound = are_stamps(m, s, first)
        deepest = oldest(m, first, s.ways)
    else:
        unused = ONE if s.policy == P.TREE_PLRU else np.uint64(0)
        sound = s.policy == P.RANDOM or s.ways == 64 or (bits >> np.uint64(s.ways) == 0 and bits & unused == 0)
        deepest = -1
    if not sound:
        return fault(found, BAD_ORDER, set_, np.int64(bits), s.ways, 0)
    if deepest < 0:  # the policy keeps no order
        return 0
    free = 0
    for i in range(first, first + s.ways):
        free += is_free(m.tag[i], remembers)
    if free > 0 and not is_free(m.tag[first + deepest], remembers):
        return fault(found, FREE_NOT_DEEPEST, set_, deepest, 0, 0)
    return 0


@kernel
def is_stack(stack, ways):
    """Whether the nibbles of `stack` are a permutation of 0..ways-1, then zeros."""
    seen = 0
    for place in range(ways):
        seen |= 1 << np.int64((stack >> np.uint64(4 * place)) & FIFTEEN)
    return seen == (1 << ways) - 1 and (ways == P.NIBBLE_WAYS or stack >> np.uint64(4 * ways) == NONE)


@kernel
def are_stamps(m, s, first):
    """Whether the times of the last touches are past, different, and not 0 where there is an entry."""
    for i in range(first, first + s.ways):
        if m.stamp[i] > s.clock or (m.stamp[i] == 0 and m.tag[i] & P.OCCUPIED):
            return False
        for j in range(first, i):
            if m.stamp[j] == m.stamp[i] and m.stamp[i] != 0:
                return False
    return True


@kernel
def is_recent(m, s, i):
    """Whether entry `i` is as recent as a touch could make it."""
    set_, way = i - s.first >> s.row_shift, i - s.first & (1 << s.row_shift) - 1
    bits = m.order[s.order_base + set_]
    if s.policy == P.LRU:
        return np.int64(bits & FIFTEEN) == way
    if s.policy == P.WIDE_LRU:
        return is_newest(m, i, i - way, s.ways)
    if s.policy == P.TREE_PLRU:
        return points_away(bits, s.ways, way)
    return s.policy != P.NRU or (bits >> np.uint64(way)) & ONE == ONE


@kernel
def is_newest(m, i, first, ways):
    for j in range(first, first + ways):
        if m.stamp[j] > m.stamp[i]:
            return False
    return True


@kernel
def points_away(bits, ways, way):
    """Whether every node of the tree on the path to `way` points to the other side."""
    node, half = 1, ways >> 1
    while half > 0:
        right = 1 if way & half else 0
        if np.int64((bits >> np.uint64(node)) & ONE) == right:
            return False
        node, half = 2 * node + right, half >> 1
    return True

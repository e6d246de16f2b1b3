"""Coherence at rest: a writer is the only holder, owners are unique, the directory knows all holders.

A core's copy of a line is the stronger of its L1D's and L2's. The directory may name cores that dropped the line silently, but only in
state SHARED; where the LLC is not inclusive, it has no record of its own that could be wrong (cache/entry.py).
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import kernel
from hwmem.bits import bit, test_bit
from hwmem.cache.private import BELOW_SHIFT, copy_in_l1
from hwmem.cache.sets import index_of, key_of
from hwmem.cache.entry import far_entry, sharers_of
from hwmem.cache.peers import core_state
from hwmem.cache.protocol import PR_RD
from hwmem.observe.checks.faults import (
    BAD_DIRECTORY_STATE,
    BAD_FLAGS,
    BAD_LINK,
    BAD_OWNER,
    BAD_SHARERS,
    BAD_STATE,
    KEPT_WAY,
    LOST_BY_L2,
    NOT_A_SHARER,
    NOT_IN_LLC,
    NOT_OWNED,
    NOT_REMOTE,
    OTHER_SOCKET,
    TWO_COPIES,
    TWO_OWNERS,
    fault,
)

NOBODY = np.uint64(0)


@kernel
def check_private(m, c, s, is_l1, found):
    """Every valid copy in array `s`, the L1D (`is_l1`) or the L2 of core `c`."""
    for i in range(s.first, s.first + (s.sets << s.row_shift)):
        tag = m.tag[i]
        if tag == 0:
            continue
        line, state = key_of(tag), core_state(m, c, key_of(tag))
        if not has_state(m, state) or not (has_state(m, tag & P.STATE_MASK) or tag & P.STATE_MASK == P.E):
            return fault(found, BAD_STATE, c, line, tag & P.STATE_MASK, state)
        if tag & ~(P.STATE_MASK | P.OCCUPIED | P.KEY_MASK):
            return fault(found, BAD_FLAGS, c, line, tag, 0)
        if tag & P.STATE_MASK > P.I:
            code = check_links(m, c, line, i, is_l1, found) or check_copy(m, c, line, state, found)
            if code:
                return code
    return 0


@kernel
def has_state(m, state):
    """Whether the protocol has it. (One of a core's two copies may be in E where the other is in M, under MSI too.)"""
    return state == P.I or (state <= P.M and m.protocol.next_state[state, PR_RD] >= 0)


@kernel
def check_links(m, c, line, i, is_l1, found):
    """The links of entry `i` (cache/private.py): to the same line's entries, and to all that are valid."""
    core = m.core[c]
    if is_l1 and m.has_l2:
        j = m.word[i] - 1
        if j != valid_entry(m, core.l2, line):
            return fault(found, BAD_LINK, c, line, j, valid_entry(m, core.l2, line))
        if j >= 0 and m.tag[i] & P.STATE_MASK == P.E and m.tag[j] & P.STATE_MASK < P.E:
            return fault(found, LOST_BY_L2, c, line, m.tag[j] & P.STATE_MASK, 0)
        return 0
    if not is_l1:
        j = copy_in_l1(m, m.word[i], m.tag[i])
        if j != valid_entry(m, core.l1d, line):
            return fault(found, BAD_LINK, c, line, j, valid_entry(m, core.l1d, line))
    j = (m.word[i] if is_l1 else m.word[i] >> BELOW_SHIFT) - 1
    above = index_of(m, m.llc[core.socket], line) if m.has_llc and m.inclusion == P.INCLUSIVE else -1
    if j >= 0 and j != above:
        return fault(found, BAD_LINK, c, line, j, above)
    return 0


@kernel
def valid_entry(m, s, line):
    i = index_of(m, s, line)
    return i if i >= 0 and m.tag[i] & P.STATE_MASK > P.I else -1


@kernel
def check_copy(m, c, line, state, found):
    """Core `c` holds `line` in `state`: what do the other cores and the directory say?"""
    if state >= P.F:
        for d in range(m.cores):
            other = core_state(m, d, line) if d != c else P.I
            if state >= P.E and other > P.I:
                return fault(found, TWO_COPIES, c, line, state, d)
            if other == state:
                return fault(found, TWO_OWNERS, c, line, state, d)
    if state >= P.E and m.sockets > 1 and m.has_llc:
        for s in range(m.sockets):
            if s != m.core[c].socket and far_entry(m, s, line) >= 0:
                return fault(found, OTHER_SOCKET, c, line, state, s)
    if m.inclusion == P.NINE or not m.has_llc:
        return 0
    i = index_of(m, m.llc[m.core[c].socket], line)
    if i < 0 or m.holder[i] == P.GONE:
        return fault(found, NOT_IN_LLC, c, line, state, 0)
    if not test_bit(sharers_of(m, i), c):
        return fault(found, NOT_A_SHARER, c, line, state, np.int64(sharers_of(m, i)))
    if state >= P.E and m.holder[i] < P.OWNED:
        return fault(found, NOT_OWNED, c, line, state, m.holder[i])
    return 0


@kernel
def check_llc(m, s, found):
    """The directory entries of socket `s`."""
    llc = m.llc[s]
    cores = NOBODY
    for c in range(m.cores):
        if m.core[c].socket == s:
            cores |= bit(c)
    for i in range(llc.first, llc.first + (llc.sets << llc.row_shift)):
        if m.tag[i] != 0:
            code = check_entry(m, s, i, cores, found)
            if code:
                return code
    return 0


@kernel
def check_entry(m, s, i, cores, found):
    """Entry `i` of the LLC of socket `s`, whose cores are `cores`."""
    tag, line = m.tag[i], key_of(m.tag[i])
    state = np.int64(m.holder[i])
    owner = state - P.OWNED
    exact = m.inclusion == P.NINE
    if state == P.GONE and m.recency == P.PROCESSOR:
        return fault(found, KEPT_WAY, s, line, i, 0)
    if tag & P.STATE_MASK or owner >= m.cores or (exact and state >= P.SHARED):
        return fault(found, BAD_DIRECTORY_STATE, s, line, tag, state)
    if owner >= 0 and (not test_bit(cores, owner) or core_state(m, owner, line) < P.E):
        return fault(found, BAD_OWNER, s, line, owner, core_state(m, owner, line))
    sharers = sharers_of(m, i)
    if sharers & ~cores != NOBODY or (state == P.SHARED and sharers == NOBODY):
        return fault(found, BAD_SHARERS, s, line, np.int64(sharers), 0)
    if state == P.GONE or exact:
        return 0
    for other in range(m.sockets):
        j = index_of(m, m.llc[other], line) if other != s else -1
        if j >= 0 and m.holder[j] != P.GONE:
            if not tag & P.REMOTE:
                return fault(found, NOT_REMOTE, s, line, 0, other)
    return 0

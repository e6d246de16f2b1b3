"""An LLC entry as a directory entry: its states, how it is found, allocated and evicted.

directory.py and answer.py use these states. With `inclusion="inclusive"` an entry is the directory entry of its socket
(m.holder): PRESENT (no private copy known), SHARED (mask of sharers in its word, some perhaps gone: S copies leave
silently; one of them may be in O or F), OWNED (one core, in E or M), GONE (another socket took the line; the way is
kept: recency gem5). Evicting it recalls the private copies. With "nine" the LLC is a plain cache and the directory is exact: the
cores' own tags are asked (`holders`).

Invariant: every valid private copy is named by its socket's entry (inclusive; checks/coherence.py).
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import apart, hot, kernel
from hwmem.bits import bit, ctz64
from hwmem.cache.sets import empty, index_in, index_of, key_of, put, row_of, take_victim, touch_in
from hwmem.cache.peers import cores_holding, meet
from hwmem.cache.protocol import BUS_RDX
from hwmem.memory.dram import dram_write
from hwmem.observers.hooks import line_recalled

NOBODY = np.uint64(0)


@hot
def lookup(m, llc, line):
    """Index of the line's valid entry in an LLC, made most recent; or -1."""
    row = row_of(llc, line)
    i = index_in(m, llc, row, line)
    if i < 0 or m.holder[i] == P.GONE:
        return -1
    touch_in(m, llc, row, i)
    return i


@kernel
def sharers_of(m, i):
    """Mask of the cores that LLC entry `i` names: its owner, or the sharers in its word."""
    state = np.int64(m.holder[i])
    if state >= P.OWNED:
        return bit(state - P.OWNED)
    if state == P.SHARED:
        return np.uint64(m.word[i])
    return NOBODY


@kernel
def set_entry(m, i, state):
    """LLC entry `i`, which no core holds, is PRESENT or GONE from now on; memory is current."""
    m.tag[i] &= P.KEY_MASK
    m.holder[i] = state


@apart
def leave_sockets(m, far, line):
    """The sockets of mask `far` lose the line: another one writes it."""
    while far:
        socket = ctz64(np.uint64(far))
        i = far_entry(m, socket, line)
        if m.recency == P.PROCESSOR:
            empty(m, m.llc[socket], i)
            m.holder[i] = P.PRESENT
        else:
            set_entry(m, i, P.GONE)
        far &= far - 1


@hot
def name_holder(m, c, i, state):
    """Core `c` holds entry `i`'s line in `state`: as its owner, or as one sharer more."""
    if state >= P.E:
        m.holder[i] = P.OWNED + c
    else:
        m.word[i] = np.int64(sharers_of(m, i) | bit(c))
        m.holder[i] = P.SHARED


@hot
def give_up(m, i):
    """The owner of entry `i`'s line announces that it drops its clean copy (PUTX)."""
    m.directory.putx += 1
    m.holder[i] = P.PRESENT


@hot
def holders(m, c, line, i, far):
    """Mask of the cores other than `c` that may hold the line."""
    if m.inclusion == P.NINE or not m.has_llc:
        return cores_holding(m, line) & ~bit(c) if m.cores > 1 else NOBODY
    mask = sharers_of(m, i) if i >= 0 else NOBODY
    while far:
        mask |= sharers_of(m, far_entry(m, ctz64(np.uint64(far)), line))
        far &= far - 1
    return mask & ~bit(c)


@hot
def far_copies(m, socket, line, i, write):
    """Mask of the other sockets whose LLC holds the line; looked for only when it matters."""
    if m.sockets > 1 and m.has_llc and (i < 0 or m.inclusion == P.NINE or (write and m.tag[i] & P.REMOTE)):
        return ask_sockets(m, socket, line)
    return 0


@apart
def ask_sockets(m, socket, line):
    mask = 0
    for s in range(m.sockets):
        if s != socket and far_entry(m, s, line) >= 0:
            mask |= 1 << s
    return mask


@kernel
def far_entry(m, socket, line):
    i = index_of(m, m.llc[socket], line)
    return i if i >= 0 and m.holder[i] != P.GONE else -1


@apart
def allocate_again(m, c, line):
    """allocate, where the LLC may have had the line: a GONE entry keeps its way."""
    llc = m.llc[m.core[c].socket]
    row = row_of(llc, line)
    i = index_in(m, llc, row, line)
    if i < 0:
        return allocate(m, c, llc, line, row)
    set_entry(m, i, P.PRESENT)
    touch_in(m, llc, row, i)
    return i


@hot
def allocate(m, c, llc, line, row):
    """An entry of the LLC's row `row` for `line`, PRESENT; the victim's private copies are recalled (inclusive), its data
    written back."""
    i = take_victim(m, llc, row)
    if m.tag[i] != 0:
        evict(m, c, llc, i)
    put(m, i, line, 0)
    m.holder[i] = P.PRESENT
    return i


@hot
def evict(m, c, llc, i):
    llc.replacements += 1
    if m.tag[i] & P.DIRTY or m.holder[i] >= P.SHARED:
        evict_used(m, c, llc, i)


@apart
def evict_used(m, c, llc, i):
    """The victim has private copies, or differs from memory."""
    line = key_of(m.tag[i])
    dirty = m.tag[i] & P.DIRTY != 0
    mask = sharers_of(m, i)
    while mask != NOBODY:
        d = ctz64(mask)
        mask &= ~bit(d)
        m.directory.inv += 1
        m.directory.back_invalidations += 1
        m.core[d].invalidations_received += 1
        before = meet(m, d, line, BUS_RDX)
        if m.observe.watching:
            line_recalled(m, d, line)
        dirty = dirty or before == P.M or before == P.O
    if dirty:
        llc.dirty_evictions += 1
        dram_write(m, c, line)

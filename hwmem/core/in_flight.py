"""Stores in flight, which have retired but are not in the L1 yet; and the loads that meet them.

A store that finds the buffer empty and its line in E or M needs no entry there. Since no other core can see in which of the next few cycles
it is performed, its bytes go to memory at once. It still takes as long as any other store, and loads that meet it are charged for it.

    clock   T         T + 1  ...              T + drain    T + drain + 1 = sb_free_at
            retires   a store costs a cycle   is made      is gone

    recent_at[T & 7] = T, recent[T & 7] = host address << 4 | size       at most one retires a cycle, so the eight places hold all in flight

Entries of the buffer that drain are in flight likewise, from when they ask for their line until it is there (tso): the last
`sb_leaving` places ahead of the ring's head, of which the last is gone at sb_free_at and each other a cycle before the next.

A load that meets a store, waiting (store_buffer.py) or in flight:

    it lies inside the youngest that it overlaps    forwarded: store_buffer.forward in place of the L1's latency
    it overlaps that one partly                     blocked: until the store is gone, and `blocked` more than a forwarded one at least
    it overlaps none, but the low 12 bits of one    an alias: `alias` more than otherwise (the whole address is compared late)
    its line is under way for one                   until it is there

Most loads meet none, and `recent_words` says so at once: a bit for each word, modulo 64, that stores since the last quiet moment have
written (all bits when a store had to wait).

A store takes the same time whether others wait or not, and so does a load that meets it. (Machines whose buffer or delay is too large for
this record put every store into the buffer: config/build.py.)

Invariant: while the hit filter lets stores go ahead, no entry of the buffer is in flight, and none waits.
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import apart, hot, kernel
from hwmem.bits import ONE

RECENT = 8  # places; a power of two
SLOTS = 64  # of the buffer's ring
SIZE_BITS = 4
NO_WORDS, ALL_WORDS = np.uint64(0), np.uint64(0xFFFF_FFFF_FFFF_FFFF)
APART, COVERED, OVERLAPS, ALIAS = range(4)


@hot
def retire(core, host, size, words):
    """A store of `size` bytes at `host`, of so many `words` (words_of), that goes straight into the L1: charge it, and record it for later
    loads to meet."""
    place = np.uint64(core.cycles & RECENT - 1)
    core.recent[place] = host << SIZE_BITS | size
    core.recent_at[place] = core.cycles
    core.recent_words = words | (core.recent_words if core.sb_free_at > core.cycles else NO_WORDS)
    core.sb_free_at = core.cycles + core.sb_passage
    core.cycles += core.store_cycles


@hot
def word_of(address):
    """The bit of an aligned access of up to 8 bytes in `recent_words`."""
    return ONE << np.uint64(address >> 3 & 63)


@hot
def words_of(address, size):
    """The bits of any access."""
    return word_of(address) if (address & 7) + size <= 8 else ALL_WORDS


@hot
def may_meet(core, address):
    """Whether an aligned load of up to 8 bytes can meet a store: if it cannot, it costs a hit."""
    return core.sb_free_at > core.cycles and core.recent_words & word_of(address) != NO_WORDS


@hot
def meet_some(m, core, host, size, now):
    """What meet_stores says of a load that begins at cycle `now`, which most often meets none."""
    if core.sb_free_at <= now or core.recent_words & words_of(host, size) == NO_WORDS:
        return 0
    return meet_stores(m, core, host, size, now)


@hot
def is_last(core, host, size, now):
    """Whether a load that begins at cycle `now` reads just what was stored in the cycle before."""
    place = np.uint64(now - 1 & RECENT - 1)
    return core.recent_at[place] == now - 1 and core.recent[place] == host << SIZE_BITS | size


@kernel
def in_flight(core):
    """How many stores are in flight, at the core's clock."""
    left = core.sb_free_at - core.cycles
    if left <= 0 or core.sb_leaving > 0:
        return max(0, min(core.sb_leaving, left))
    count = 0
    for k in range(1, core.sb_passage):
        count += core.recent_at[core.cycles - k & RECENT - 1] == core.cycles - k
    return count


@kernel
def relation(at, n, host, size):
    """How a load of `size` bytes at `host` overlaps a store of `n` at `at`."""
    into = host - at
    if 0 <= into and into + size <= n:
        return COVERED
    if -size < into < n:
        return OVERLAPS
    low = into & P.PAGE - 1
    return ALIAS if low < n or low > P.PAGE - size else APART


@apart
def meet_stores(m, core, host, size, now):
    """Extra cycles of a load that hits the L1 at cycle `now`, for the stores that it meets."""
    alias = core.sb_count > 0 and meets_waiting(m, core, host, size)
    for k in range(1, core.sb_passage):
        place = now - k & RECENT - 1
        if core.recent_at[place] == now - k:
            how = relation(core.recent[place] >> SIZE_BITS, core.recent[place] & (1 << SIZE_BITS) - 1, host, size)
            if how == COVERED or how == OVERLAPS:
                return meet(m, core, how, core.sb_passage - k)
            alias |= how == ALIAS
    more = 0
    if core.sb_leaving > 0 or m.ordering == P.RELAXED:
        for k in range(min(core.sb_leaving, core.sb_free_at - now)):
            slot = (core.sb_head - 1 - k) % SLOTS
            how = relation(m.ram_base + core.sb_pa[slot], core.sb_size[slot], host, size)
            if how == COVERED or how == OVERLAPS:
                return meet(m, core, how, core.sb_free_at - k - now)
            alias |= how == ALIAS
        more = max(0, line_comes(m, core, host - m.ram_base >> P.LINE_SHIFT) - now - core.hit_cycles)
    if alias and m.cost.alias > 0:
        core.store_buffer_aliases += 1
        more += m.cost.alias
    return more


@kernel
def meets_waiting(m, core, host, size):
    """Whether a waiting store's address matches the low bits of the load's."""
    for k in range(core.sb_count):
        slot = (core.sb_head + k) % SLOTS
        if relation(m.ram_base + core.sb_pa[slot], core.sb_size[slot], host, size) == ALIAS:
            return True
    return False


@kernel
def meet(m, core, how, left):
    """Extra cycles beyond an L1 hit, for a store that is gone in `left` cycles."""
    if how == COVERED:
        core.forwards_in_flight += 1
        return core.forward_cycles - core.hit_cycles
    core.store_buffer_blocked += 1
    return max(left, core.forward_cycles + m.cost.blocked - core.hit_cycles)


@kernel
def line_comes(m, core, line):
    """When the line arrives, if the buffer has requested it; 0: it has not."""
    first = (core.sb_head - core.sb_leaving) % SLOTS
    if core.sb_leaving > 0 and core.sb_pa[first] >> P.LINE_SHIFT == line:
        return core.sb_free_at - core.sb_leaving + 1
    if m.ordering == P.RELAXED:
        for k in range(core.sb_count):
            slot = (core.sb_head + k) % SLOTS
            if core.sb_kind[slot] == P.ASKED and core.sb_pa[slot] >> P.LINE_SHIFT == line:
                return core.sb_due[slot]
    return 0

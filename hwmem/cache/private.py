"""A core's own L1D and L2: look-up, fill, eviction. The last thing before a request leaves the core.

    access_line ── hit_line ── L1 hit with rights ──> done
        └─ miss_line ── L2 hit, else directory.request ──> fill; victims go to the next level

L1 and L2 are neither inclusive nor exclusive of each other: a miss asks the next level before it evicts; a
dirty victim is written to the next level, where it refreshes recency or, missing there, is allocated without
a fetch (as in Dinero IV). The state of an L1 copy says what the L1 may do and whether it differs from the
next level: an L1 copy of a line that the L2 holds in E or M is E until it is written.

Two things follow gem5's MESI_Two_Level, count for count: where the LLC is inclusive, the victim of the core's last
private level leaves before the request goes out; victims in E or M are announced (PUTX), those in S or F are not. What
an invalidated line leaves behind, and whether an upgrade is a use of the line, is the machine's `recency` (sets.py).

Entries of one line point to each other, so that evictions need no search (indices; plus one where + stands, 0: none or unknown):

    m.word of an L1 entry   its L2 entry +           (without an L2: its LLC entry +)
    m.word of an L2 entry   its LLC entry + << 32 | the entry of the core's L1 that has the copy if any does, as its tag tells

Invariants: the core's right to a line is the stronger of its two copies; a valid entry's link leads to the line's entry in
that level, if that is valid.
"""

from hwmem import params as P
from hwmem._jit import apart, cold, hot, kernel
from hwmem.cache.hit_filter import HIT, cool
from hwmem.cache.sets import index_in, key_of, prefetch_row, put, refill, row_of, take_victim, touch_entry, touch_in
from hwmem.cache.directory import put_back, request, request_again
from hwmem.cache.shares import BY_WALKER
from hwmem.cache.entry import give_up
from hwmem.cache.protocol import PR_RD

BELOW_SHIFT = 32  # in an L2 entry's word: the LLC entry's link above, the L1 entry below it
LOW = (1 << BELOW_SHIFT) - 1
DIRECT = 1  # of an eviction: the machine is known to be `direct`


@hot
def access_line(m, c, line, write):
    """Core `c` reads or writes (`write` 0/1) a physical line; charges the cycles. What hit_line returned."""
    i = hit_line(m, c, row_of(m.core[c].l1d, line), line, write)
    if i != HIT:
        miss_line(m, c, line, write, i)
    return i


@hot
def hit_line(m, c, row, line, write):
    """HIT if the L1 served the access; else the index of the entry that has the line without the right to it, or -1. Such an
    entry is refilled in place (gem5: without becoming the most recent of its set). `row`: the line's in the L1."""
    core = m.core[c]
    l1 = core.l1d
    i = index_in(m, l1, row, line)
    if i >= 0:
        state = m.tag[i] & P.STATE_MASK
        if state > P.I and (write == 0 or state >= P.E):
            l1.hits += 1
            if write:
                m.tag[i] |= P.M  # E | M == M
            touch_in(m, l1, row, i)
            core.cycles += l1.latency
            core.source = P.FROM_L1
            return HIT
    return i


@hot
def access_physical(m, c, pa, write):
    """An access that did not come by a virtual address: a draining store's. (The walker's and the kernel's: look_up.)

    The L1 set's most recent line is now another one, so the hit filter forgets the set.
    """
    line = pa >> P.LINE_SHIFT
    cool(m.core[c], line)
    access_line(m, c, line, write)


@hot
def look_up(m, c, line, write):
    """An access by physical address of the walker or the kernel looks in the L1: the line's row there, and what hit_line returned.
    The set's most recent line is now another one."""
    core = m.core[c]
    cool(core, line)
    row = row_of(core.l1d, line)
    return row, hit_line(m, c, row, line, write)


@apart
def miss_line(m, c, line, write, i):
    """take_miss, as a call: most callers are small."""
    take_miss(m, c, row_of(m.core[c].l1d, line), line, write & 1, i)


@hot
def take_miss(m, c, row, line, how, i):
    """An L1 miss, or a store without the right to (`i`: the L1 entry that holds the tag, or -1). `how`: 0, or 1 of a write; and
    BY_WALKER."""
    core, write = m.core[c], how & 1
    core.l1d.misses += 1
    if how & BY_WALKER:
        core.walker.l1d_misses += 1
    row_2 = row_of(core.l2, line)
    j = index_in(m, core.l2, row_2, line)  # an L2 that is not there has no ways
    if j < 0 and i < 0 and m.direct:
        fetch_line(m, c, row, row_2, line, how)
        return
    state = m.tag[j] & P.STATE_MASK if j >= 0 else P.I
    if state > P.I and (write == 0 or state >= P.E):
        hit_l2(m, core, row_2, j)
    elif not m.has_l2:
        miss_without_l2(m, c, line, write, i)
        return
    else:
        j = miss_l2(m, c, line, write, i, j)
        state = m.tag[j] & P.STATE_MASK if j >= 0 else P.E
    old, link = fill_l1(m, core, row, line, l1_state(state, write), i, j)
    if leaves(m, old):
        replace_l1(m, c, old, link - 1, how)  # last: a dirty victim may take the new line's place in the L2


@hot
def fetch_line(m, c, row, row_2, line, how):
    """A line that neither level knows comes into both, into these rows; the machine is `direct`."""
    core = m.core[c]
    core.l2.misses += 1
    if how & BY_WALKER:
        core.walker.l2_misses += 1
    j = allocate_l2(m, c, line, row_2, DIRECT | how & BY_WALKER)
    state, e = request(m, c, line, how)
    i = take_victim(m, core.l1d, row)
    old, link = m.tag[i], m.word[i]
    put(m, i, line, l1_state(state, how & 1))
    m.word[i] = j + 1
    put(m, j, line, state)
    m.word[j] = (e + 1) << BELOW_SHIFT | i
    if leaves(m, old):
        replace_l1(m, c, old, link - 1, how)  # last, as above


@hot
def leaves(m, old):
    """Whether a line leaves a private level by the entry that was tagged `old` and has been taken: a way that remembers a line only
    is empty, but in gem5 (sets.py)."""
    return old != 0 and (old & P.STATE_MASK > P.I or m.recency == P.GEM5)


@hot
def l1_state(state, write):
    """The state of the L1's copy of a line that the core holds in `state`."""
    return P.E + write if state >= P.E else P.S  # E + 1 is M


@hot
def hit_l2(m, core, row, j):
    core.l2.hits += 1
    touch_in(m, core.l2, row, j)
    core.cycles += core.l2.latency
    core.source = P.FROM_L2


@hot
def fill_l1(m, core, row, line, state, i, below):
    """The line comes into the L1's row `row`, into entry `i` (-1: a victim's) in `state`; `below`: its entry in the L2, or -1.
    Tag and word of the entry that was taken, 0 if it was `i`."""
    old, link = 0, 0
    if i < 0:
        i = take_victim(m, core.l1d, row)
        old, link = m.tag[i], m.word[i]
    else:
        if m.tag[i] & P.STATE_MASK > P.I:
            count_upgrade(core)
        refill(m, core.l1d, i)
    put(m, i, line, state)
    m.word[i] = below + 1
    if below >= 0:
        m.word[below] = m.word[below] & ~LOW | i
    return old, link


@cold
def count_upgrade(core):
    """An entry of the L1, whose data was there, is about to get the right that a store missed."""
    core.l1d_upgrades += 1
    if core.walking:
        core.walker.l1d_upgrades += 1


@apart
def miss_without_l2(m, c, line, write, i):
    """The next level is the LLC, or memory."""
    had = m.tag[i] & P.STATE_MASK if i >= 0 else P.I
    found = i >= 0
    if not found and m.inclusion == P.INCLUSIVE:
        i = enter_alone(m, c, line)
    state = request_again(m, c, line, write, had)
    above = m.core[c].llc_entry
    if found:
        if m.tag[i] & P.STATE_MASK > P.I:
            count_upgrade(m.core[c])
        refill(m, m.core[c].l1d, i)
    elif i < 0:
        i = enter_alone(m, c, line)
    put(m, i, line, P.M if write else state)
    m.word[i] = above + 1


@cold
def enter_alone(m, c, line):
    """An entry of the L1 for `line`, in state I until it comes; the victim has gone to the LLC, for there is no L2."""
    l1 = m.core[c].l1d
    i = take_victim(m, l1, row_of(l1, line))
    old, link = m.tag[i], m.word[i]
    put(m, i, line, P.I)
    if leaves(m, old):
        state, dirty = old & P.STATE_MASK, is_dirty(old & P.STATE_MASK)
        l1.replacements += 1
        l1.dirty_evictions += dirty
        if m.core[c].walking:
            m.core[c].walker.l1d_replacements += 1
            m.core[c].walker.l1d_dirty_evictions += dirty
        if state >= P.O:
            put_back(m, c, key_of(old), state, 0, link - 1)
    return i


@apart
def miss_l2(m, c, line, write, i, j):
    """Any other miss: the L1's entry `i` or the L2's `j` (-1: none) has the tag, or no LLC includes them. The L2's entry has
    the right that is needed afterwards. Returns it."""
    core = m.core[c]
    core.l2.misses += 1
    if core.walking:
        core.walker.l2_misses += 1
    had = max(m.tag[i] & P.STATE_MASK if i >= 0 else P.I, m.tag[j] & P.STATE_MASK if j >= 0 else P.I)
    found = j >= 0
    if not found and had == P.I and m.inclusion == P.INCLUSIVE:
        j = allocate_l2_late(m, c, line)
    state = request_again(m, c, line, write, had)
    if had > P.I:  # an upgrade: the data was here
        if j >= 0:
            state = P.M if m.tag[j] & P.STATE_MASK == P.O else P.E
            m.tag[j] = m.tag[j] & ~P.STATE_MASK | state
            refill(m, core.l2, j)
        return j
    if found:
        refill(m, core.l2, j)
    elif j < 0:
        j = allocate_l2_late(m, c, line)
    put(m, j, line, state)
    m.word[j] = (core.llc_entry + 1) << BELOW_SHIFT | core.l1d.first
    return j


@hot
def expect_request(m, core, line):
    """Prefetch, on the host, the LLC set that will be searched for `line`."""
    if m.has_llc:
        llc = m.llc[core.socket]
        prefetch_row(m, llc, row_of(llc, line))


@hot
def replace_l1(m, c, old, below, how):
    """The L1 entry that was tagged `old` and linked to the L2's `below` has been taken for another line, `how` as in take_miss."""
    core = m.core[c]
    core.l1d.replacements += 1
    if how & BY_WALKER:
        core.walker.l1d_replacements += 1
    state = old & P.STATE_MASK
    if below < 0 and state > P.I:
        evict_l1(m, c, key_of(old), state)
    elif is_dirty(state):  # else the common victim: the L2 has it, and need not be told
        core.l1d.dirty_evictions += 1
        if how & BY_WALKER:
            core.walker.l1d_dirty_evictions += 1
        touch_entry(m, core.l2, below)
        m.tag[below] = m.tag[below] & ~P.STATE_MASK | state


@cold
def allocate_l2_late(m, c, line):
    core = m.core[c]
    return allocate_l2(m, c, line, row_of(core.l2, line), BY_WALKER if core.walking else 0)


@hot
def allocate_l2(m, c, line, row, how):
    """An entry of the L2's row `row` for `line`, in state I until the caller sets it. `how`: DIRECT, BY_WALKER.

    The core keeps its right to the victim while the L1 holds a copy.
    """
    j = take_victim(m, m.core[c].l2, row)
    if leaves(m, m.tag[j]):
        evict_l2(m, c, m.tag[j], m.word[j], how)
    put(m, j, line, P.I)
    return j


@apart
def evict_l1(m, c, line, state):
    """A valid victim of the L1 that no entry of the L2 takes."""
    if is_dirty(state):
        core = m.core[c]
        core.l1d.dirty_evictions += 1
        core.l2.write_back_misses += 1
        if core.walking:
            core.walker.l1d_dirty_evictions += 1
            core.walker.l2_write_back_misses += 1
        j = allocate_l2_late(m, c, line)
        m.tag[j] |= state
        m.word[j] = core.l1d.first
    elif state == P.E:
        put_back(m, c, line, state, 0, -1)


@hot
def evict_l2(m, c, old, links, how):
    """The L2 entry that was tagged `old`, with its links, has been taken for another line. `how`: DIRECT, BY_WALKER."""
    core = m.core[c]
    core.l2.replacements += 1
    if how & BY_WALKER:
        core.walker.l2_replacements += 1
    state = old & P.STATE_MASK
    if how & DIRECT and state >= P.E and links > LOW and (m.tag[links & LOW] ^ old) & P.KEY_MASK != 0:
        if state == P.M:
            core.l2.dirty_evictions += 1
            core.writebacks += 1
            if how & BY_WALKER:
                core.walker.l2_dirty_evictions += 1
                core.walker.writebacks += 1
            m.tag[(links >> BELOW_SHIFT) - 1] |= P.DIRTY
        give_up(m, (links >> BELOW_SHIFT) - 1)  # the common victim: the only copy, and nowhere else in the core
    elif state > P.I:
        evict_other_l2(m, c, old, state, links)


@kernel
def copy_in_l1(m, links, tag):
    """The L1's entry that has a valid copy of the line of an L2 entry with these links and this tag, or -1."""
    i = links & LOW
    return i if (m.tag[i] ^ tag) & P.KEY_MASK == 0 and m.tag[i] & P.STATE_MASK > P.I else -1


@apart
def evict_other_l2(m, c, old, state, links):
    """evict_l2, where the L1 has a copy or the LLC's entry is not known."""
    core, line, i, above = m.core[c], key_of(old), copy_in_l1(m, links, old), (links >> BELOW_SHIFT) - 1
    core.l2.dirty_evictions += is_dirty(state)
    if core.walking:
        core.walker.l2_dirty_evictions += is_dirty(state)
    if i >= 0:
        m.word[i] = 0
    if state == P.M and i >= 0 and m.protocol.next_state[P.I, PR_RD] < P.E:
        m.tag[i] |= P.M  # a protocol without E has no clean sole copy: the L1's is the dirty one now
    elif state >= P.O:
        put_back(m, c, line, state, 1 if i >= 0 else 0, above)


@kernel
def is_dirty(state):
    return state == P.M or state == P.O

"""A core's own L1D and L2: look-up, fill, eviction. The last thing before a request leaves the core.

    access_line ── L1 hit with rights ──> done
        └─ miss ── fetch_l2 ── L2 hit, else directory.request ──> fill; victims go to the next level

L1 and L2 are neither inclusive nor exclusive of each other: a miss asks the next level before it evicts; a
dirty victim is written to the next level, where it refreshes recency or, missing there, is allocated without
a fetch (as in Dinero IV). The state of an L1 copy says what the L1 may do and whether it differs from the
next level: an L1 copy of a line that the L2 holds in E or M is E until it is written.

Two things follow gem5's MESI_Two_Level, count for count: an invalidated line keeps its way and age and is
refilled in place without a touch; where the LLC is inclusive, the victim of the core's last private level
leaves before the request goes out, and victims in E or M are announced (PUTX), those in S or F are not.

Invariant: the core's right to a line is the stronger of its two copies.
"""
from hwmem import params as P
from hwmem._jit import kernel
from hwmem.cache.replacement import touch, victim
from hwmem.cache.sets import entry, find, index_of, put, set_of, touch_entry
from hwmem.coherence.directory import put_back, request


@kernel
def access_line(m, c, line, write):
    """Core `c` reads or writes (`write` 0/1) a physical line; charges the cycles, returns the L1 entry's index."""
    core = m.core[c]
    l1 = core.l1d
    set_ = set_of(l1, line)
    way = find(m, l1, set_, line)
    i = entry(l1, set_, way)
    if way >= 0:
        state = m.tag[i] & P.STATE_MASK
        if state > P.I and (write == 0 or state >= P.E):
            l1.hits += 1
            if write:
                m.tag[i] |= P.M                                 # E | M == M
            touch(m, l1, set_, way)
            core.cycles += l1.latency
            core.source = P.FROM_L1
            core.in_place = 0
            return i
    else:
        i = -1
    l1.misses += 1
    core.in_place = i >= 0
    return miss(m, c, line, write, i)


@kernel
def access_physical(m, c, pa, write):
    """An access that did not come by a virtual address: the walker's, the kernel's, a draining store's.

    The L1 set's most recent line is now another one, so the hit filter (core/access.py) forgets the set.
    """
    core = m.core[c]
    line = pa >> P.LINE_SHIFT
    core.hot_line[line & core.hot_mask] = 0
    core.hot_store[line & core.hot_mask] = 0
    access_line(m, c, line, write)


@kernel
def miss(m, c, line, write, i):
    """An L1 miss, or a store without the right to (`i`: the entry that holds the tag, or -1)."""
    had = m.tag[i] & P.STATE_MASK if i >= 0 else P.I
    if m.has_l2:
        state = fetch_l2(m, c, line, write, had)
    else:
        if i < 0 and m.inclusion == P.INCLUSIVE:
            i = allocate_l1(m, c, line)
        state = request(m, c, line, write, had)
    if i < 0:
        i = allocate_l1(m, c, line)
    m.tag[i] = m.tag[i] & ~P.STATE_MASK | (P.M if write else state)
    return i


@kernel
def fetch_l2(m, c, line, write, had):
    """Let the L2 have `line` with the right that is needed; returns the state the L1 may take for a read."""
    core = m.core[c]
    l2 = core.l2
    i = index_of(m, l2, line)
    state = m.tag[i] & P.STATE_MASK if i >= 0 else P.I
    if state > P.I and (write == 0 or state >= P.E):
        l2.hits += 1
        touch_entry(m, l2, i)
        core.cycles += l2.latency
        core.source = P.FROM_L2
        return P.E if state >= P.E else P.S
    l2.misses += 1
    if max(had, state) > P.I:                                   # an upgrade: the data is here
        request(m, c, line, write, max(had, state))
        if i >= 0:
            m.tag[i] = m.tag[i] & ~P.STATE_MASK | (P.M if state == P.O else P.E)
        return P.M
    if i < 0 and m.inclusion == P.INCLUSIVE:
        i = allocate_l2(m, c, line)
    state = request(m, c, line, write, P.I)
    if i < 0:
        i = allocate_l2(m, c, line)
    m.tag[i] = m.tag[i] & ~P.STATE_MASK | state
    return P.E if state >= P.E else P.S


@kernel
def allocate_l1(m, c, line):
    """A way of the L1 for `line`, in state I until the caller sets it; the victim has gone to the next level."""
    l1 = m.core[c].l1d
    set_ = set_of(l1, line)
    way = victim(m, l1, set_)
    old = m.tag[entry(l1, set_, way)]
    if old != 0:
        count_replacement(l1, old)
        evict_l1(m, c, old >> P.TAG_SHIFT, old & P.STATE_MASK)
    return put(m, l1, set_, way, line, P.I)


@kernel
def allocate_l2(m, c, line):
    """The same for the L2; the core keeps its right to the victim while the L1 holds a copy."""
    core = m.core[c]
    l2 = core.l2
    set_ = set_of(l2, line)
    way = victim(m, l2, set_)
    old = m.tag[entry(l2, set_, way)]
    if old != 0:
        count_replacement(l2, old)
        if old & P.STATE_MASK >= P.O:
            gone = old >> P.TAG_SHIFT
            i = index_of(m, core.l1d, gone)
            keeps = i >= 0 and m.tag[i] & P.STATE_MASK > P.I
            put_back(m, c, gone, old & P.STATE_MASK, keeps)
    return put(m, l2, set_, way, line, P.I)


@kernel
def evict_l1(m, c, line, state):
    core = m.core[c]
    if state < P.O:
        return
    if not m.has_l2:
        put_back(m, c, line, state, False)
    elif state == P.E:
        if m.inclusion == P.INCLUSIVE and index_of(m, core.l2, line) < 0:
            put_back(m, c, line, state, False)
    else:
        write_back_l2(m, c, line, state)


@kernel
def write_back_l2(m, c, line, state):
    """A dirty victim of the L1 arrives in the L2."""
    l2 = m.core[c].l2
    i = index_of(m, l2, line)
    if i >= 0:
        touch_entry(m, l2, i)
    else:
        l2.write_back_misses += 1
        i = allocate_l2(m, c, line)
    m.tag[i] = m.tag[i] & ~P.STATE_MASK | state


@kernel
def count_replacement(s, old):
    state = old & P.STATE_MASK
    s.replacements += 1
    if state == P.M or state == P.O:
        s.dirty_evictions += 1

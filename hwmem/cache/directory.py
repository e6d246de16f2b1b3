"""The directory beside the shared last-level cache: every request that leaves a core ends here.

    request(GETS | GETX | UPGRADE)             private.py, on a miss
      1. look the line up in the socket's LLC                                            entry.py
      2. who else may hold it                  holders: the entry's sharer mask, or (nine) the cores' own tags
      3. their copies meet the request         by the protocol's table                   answer.py, peers.py
      4. the line comes from a core, an LLC or DRAM, and the time that takes is charged  answer.py
      5. the entry is brought up to date
    put_back                                   private.py, when an O, E or M victim leaves a core

If the entry says that no core holds the line, `request` goes straight on; a writer gets it from its only holder by `take_over`; otherwise
`ask_others` takes all the steps.

Several sockets: an LLC answers its own cores when it has the line; a miss, or a store to a line whose REMOTE
flag says that another socket may have it, asks the other LLCs (snooping between sockets).

Two requests for one line that involve other cores do not overlap: the second waits for the first (`busy`).
Counts are gem5 24's MESI_Two_Level's: an upgrade is a hit, a forwarded request a miss, the message to a sharer
that has left silently counts.

Invariants: gets + getx + upgrades = hits + misses; at most one core in E or M and then no other copy.
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import apart, cold, hot, kernel
from hwmem.bits import bit
from hwmem.cache.sets import index_in, index_of, row_of, touch_in
from hwmem.cache.shares import BY_WALKER
from hwmem.cache.answer import answer_getx, answer_read, answer_upgrade, fetch_from_llc, fetch_from_memory, forward_getx
from hwmem.cache.entry import allocate, allocate_again, far_copies, holders, lookup, name_holder, sharers_of
from hwmem.cache.protocol import GETS, GETX, PR_RD, PUTX, UPGRADE
from hwmem.memory.periods import beginning, forget, used
from hwmem.memory.dram import dram_write
from hwmem.observers.hooks import change, log_event

NOBODY = np.uint64(0)


@hot
def request(m, c, line, how):
    """Core `c` of a `direct` machine, which has no entry for `line`, requests a copy or (`how`: 1, and BY_WALKER) the only copy.
    Returns the state granted, E to a writer (its L1 makes that M), and the line's entry in the LLC.
    """
    core, llc, write = m.core[c], m.llc[0], how & 1
    row = row_of(llc, line)
    i = index_in(m, llc, row, line)
    if i >= 0:
        touch_in(m, llc, row, i)
        if m.holder[i] != P.PRESENT:
            return ask_others(m, c, line, write, P.I, i), core.llc_entry
    if write:  # nobody has the line, nor did this core
        m.directory.getx += 1
    else:
        m.directory.gets += 1
    if i >= 0:
        core.llc_hits += 1
        if how & BY_WALKER:
            core.walker.llc_hits += 1
        fetch_from_llc(m, core)
    else:
        core.llc_misses += 1
        if how & BY_WALKER:
            core.walker.llc_misses += 1
        fetch_from_memory(m, c, line, 0)
        i = allocate(m, c, llc, line, row)
    state = P.E if write else np.int64(m.protocol.next_state[P.I, PR_RD])
    name_holder(m, c, i, state)
    return state, i


@hot
def request_again(m, c, line, write, had):
    """request, of any core for any line: `c` holds it in `had` (I: not at all)."""
    llc = m.llc[m.core[c].socket]
    i = lookup(m, llc, line) if m.has_llc else -1
    if write and had == P.I and m.direct and i >= 0 and m.holder[i] >= P.OWNED:
        return take_over(m, c, line, i)
    return ask_others(m, c, line, write, had, i)


@hot
def take_over(m, c, line, i):
    """ask_others, of a writer on a `direct` machine, where entry `i` says that another core has the only copy: what it costs most often
    where cores fight for a line."""
    core, owner = m.core[c], np.int64(m.holder[i]) - P.OWNED
    m.directory.getx += 1
    core.llc_hits += 1
    if core.walking:
        core.walker.llc_hits += 1
    wait_for_line(m, core, line)
    began = core.cycles
    forward_getx(m, c, owner, line)
    m.holder[i] = P.OWNED + c
    core.llc_entry = i
    hold_line(m, core, line, began)
    return P.E


@apart
def ask_others(m, c, line, write, had, i):
    """The request where other cores or sockets may hold the line, or where it is logged: steps 2 to 5. Returns the state
    granted; core.llc_entry is the line's entry afterwards, -1 where nothing keeps it there."""
    core = m.core[c]
    start = core.cycles
    kind = GETS if write == 0 else GETX if had == P.I else UPGRADE
    count_request(m, core, kind, i)
    far = far_copies(m, core.socket, line, i, write)
    mask = holders(m, c, line, i, far)
    if mask != NOBODY:
        wait_for_line(m, core, line)
    began = core.cycles
    if write == 0:
        owner = answer_read(m, c, line, i, far, mask)
        state = np.int64(grant_read(m, i, far, mask, owner))
    else:
        owner = answer_getx(m, c, line, i, far, mask) if kind == GETX else answer_upgrade(m, c, line, far, mask)
        state = P.E
    if i < 0 and m.has_llc and (kind != UPGRADE or m.inclusion == P.INCLUSIVE):
        i = allocate_again(m, c, line)
    if i >= 0:
        update_entry(m, c, i, state, far, write)
    core.llc_entry = i if m.inclusion == P.INCLUSIVE else -1  # a link that only inclusion keeps true
    if mask != NOBODY:
        hold_line(m, core, line, began)
    if m.observe.events:
        log_event(m, c, line, change(kind, had, P.M if write else state), owner, core.cycles - start)
    return state


@kernel
def count_request(m, core, kind, i):
    d = m.directory
    if kind == GETS:
        d.gets += 1
    elif kind == GETX:
        d.getx += 1
    else:
        d.upgrades += 1
        core.upgrades += 1
    if m.has_llc:
        hit = i >= 0 or kind == UPGRADE
        core.llc_hits += hit
        core.llc_misses += not hit
        if core.walking:
            core.walker.llc_hits += hit
            core.walker.llc_misses += not hit


@kernel
def grant_read(m, i, far, mask, owner):
    """The state in which a reader gets the line, from `owner` or (-1) no core: an exclusive one only if no other core can hold it."""
    alone = mask == NOBODY and far == 0
    if alone and i >= 0 and m.inclusion == P.INCLUSIVE:
        alone = m.holder[i] == P.PRESENT and not m.tag[i] & P.REMOTE
    if alone:
        return m.protocol.next_state[P.I, PR_RD]
    if i >= 0 and m.tag[i] & P.REMOTE and owner < 0:
        return P.S  # a core of another socket may be the one in F
    return m.protocol.next_shared[P.I, PR_RD]


@kernel
def update_entry(m, c, i, state, far, write):
    """The entry after core `c` was granted `state`."""
    if write:
        m.tag[i] &= ~P.REMOTE
    elif far:
        m.tag[i] |= P.REMOTE
    if m.inclusion == P.INCLUSIVE:
        name_holder(m, c, i, state)


@kernel
def busy_slot(m, line):
    """The slot that says until when the line is in transit between cores; it may hold another line's entry."""
    return m.busy[line & P.BUSY_SLOTS - 1]


@kernel
def hold_line(m, core, line, began):
    """The line was in transit to the core from cycle `began` until now: another core's request waits until it is over."""
    busy = busy_slot(m, line)
    if busy.line != line:
        busy.line = line
        forget(busy.transit, began)
    used(busy.transit, began, core.cycles)


@kernel
def keep_line(m, core, line):
    """The core's locked operation ends now; another core's request for the line waits until then."""
    busy = busy_slot(m, line)
    if busy.line == line and 0 < core.cycles - busy.transit.until <= m.cost.atomic:  # it came for this
        busy.transit.until = core.cycles


@hot
def wait_for_line(m, core, line):
    busy = busy_slot(m, line)
    if busy.line == line:
        wait = beginning(busy.transit, core.cycles) - core.cycles
        if wait > 0:
            core.line_waits += 1
            core.line_wait_cycles += wait
            core.cycles += wait


@apart
def put_back(m, c, line, state, keeps, i):
    """An O, E or M victim leaves a private level of core `c`; `keeps` (0/1): the core has another copy and stays a
    holder; `i`: the line's LLC entry, -1 if not known."""
    core = m.core[c]
    dirty = state != P.E
    core.writebacks += dirty
    if core.walking:
        core.walker.writebacks += dirty
    if m.inclusion == P.NINE or not m.has_llc:
        if dirty:
            write_back(m, c, line)
        return
    if i < 0:
        i = index_of(m, m.llc[core.socket], line)
    if dirty:
        m.tag[i] |= P.DIRTY
    if keeps:
        return
    m.directory.putx += 1
    left = sharers_of(m, i) & ~bit(c)
    if left == NOBODY:
        m.holder[i] = P.PRESENT
    else:
        m.word[i] = np.int64(left)
    if m.observe.events:
        log_event(m, c, line, change(PUTX, state, P.I), -1, 0)


@cold
def write_back(m, c, line):
    """A dirty victim arrives in an LLC that need not have it: refreshed, or allocated without a fetch."""
    if not m.has_llc:
        dram_write(m, c, line)
        return
    llc = m.llc[m.core[c].socket]
    i = lookup(m, llc, line)
    if i < 0:
        llc.write_back_misses += 1
        i = allocate_again(m, c, line)
    m.tag[i] |= P.DIRTY

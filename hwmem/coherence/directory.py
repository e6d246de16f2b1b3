"""The shared last-level cache and its directory: every request that leaves a core ends here.

    request(GETS | GETX | UPGRADE)             private.py, on a miss
      1. look the line up in the socket's LLC
      2. who else may hold it                  holders: the entry's sharer mask, or (nine) the cores' own tags
      3. their copies meet the request         peers.meet, by the protocol's table
      4. the line comes from a core, an LLC or DRAM, and the time that takes is charged
      5. the entry is brought up to date
    put_back                                   private.py, when an O, E or M victim leaves a core

With `inclusion="inclusive"` an LLC entry is the directory entry of its socket: PRESENT (no private copy known),
SHARED (mask of sharers, some perhaps gone: S copies leave silently; one of them may be in O or F), OWNED (one
core, in E or M). Evicting it recalls the private copies. With "nine" (neither inclusive nor
exclusive) the LLC is a plain cache and the directory is exact: duplicate tags of the private caches.

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
from hwmem.bits import bit, ctz64, test_bit
from hwmem.cache.sets import index_in, index_of, key_of, put, set_of, take_victim, touch_entry
from hwmem.coherence.peers import cores_holding, meet, supplier, take_away
from hwmem.coherence.protocol import BUS_RD, BUS_RDX, BUS_UPGR, GETS, GETX, MEM_WRITE, PR_RD, PUTX, UPGRADE
from hwmem.memory.dram import dram_read, dram_write
from hwmem.observe.hooks import line_recalled, log_event

NOBODY = np.uint64(0)


@hot
def request(m, c, line, write, had, set_):
    """Core `c`, which holds `line` in `had` (I: not at all), asks for a copy or the only copy; `set_`: the LLC's for it.
    Returns the state granted, E to a writer (its L1 makes that M); core.llc_entry is the line's entry afterwards.
    """
    core = m.core[c]
    i = lookup(m, m.llc[core.socket], set_, line) if m.has_llc else -1
    core.supplier = -1
    if not m.lone_llc or m.observe.events or (i >= 0 and m.holder[i] != P.PRESENT):
        return ask_others(m, c, line, write, had, i)
    state = P.E if write else np.int64(m.protocol.next_state[P.I, PR_RD])
    if write:                                   # nobody has the line, nor did this core
        m.directory.getx += 1
    else:
        m.directory.gets += 1
    if i < 0:
        core.llc_misses += 1
        fetch_from_memory(m, c, line)
        i = allocate(m, c, line, set_)
        name_holder(m, c, i, state)
    else:
        core.llc_hits += 1
        fetch_from_llc(m, core)
        name_holder(m, c, i, state)
    core.llc_entry = i
    return state


@kernel
def busy_slot(m, line):
    """Where it is noted until when the line is under way between cores; another line's note may be there."""
    return m.busy[line & P.BUSY_SLOTS - 1]


@kernel
def keep_line(m, core, line):
    """The core's locked operation ends now; until then a request for the line waits, if one came between cores."""
    busy = busy_slot(m, line)
    if busy.line == line:
        busy.until = core.cycles


@hot
def lookup(m, llc, set_, line):
    """Index of the line's valid entry in an LLC, made most recent; or -1."""
    i = index_in(m, llc, set_, line)
    if i < 0 or m.holder[i] == P.GONE:
        return -1
    touch_entry(m, llc, i)
    return i


@apart
def ask_others(m, c, line, write, had, i):
    """The request where other cores or sockets may hold the line, or where it is logged: steps 2 to 5. Returns the state
    granted."""
    core = m.core[c]
    start = core.cycles
    kind = GETS if write == 0 else GETX if had == P.I else UPGRADE
    count_request(m, core, kind, i)
    far = far_copies(m, core.socket, line, i, write)
    mask = holders(m, c, line, i, far)
    if mask != NOBODY:
        wait_for_line(m, core, line)
    if write == 0:
        core.supplier = answer_read(m, c, line, i, far, mask)
        state = np.int64(grant_read(m, c, i, far, mask))
    else:
        core.supplier = answer_write(m, c, line, i, far, mask, kind)
        state = P.E
    if i < 0 and m.has_llc and (kind != UPGRADE or m.inclusion == P.INCLUSIVE):
        i = allocate_again(m, c, line)
    if i >= 0:
        update_entry(m, c, i, state, far, write)
    core.llc_entry = i if m.inclusion == P.INCLUSIVE else -1        # a link that only inclusion keeps true
    if mask != NOBODY:
        busy = busy_slot(m, line)
        busy.line, busy.until = line, core.cycles
    if m.observe.events:
        log_event(m, c, line, kind, core.supplier, had, P.M if write else state, core.cycles - start)
    return state


@kernel
def far_copies(m, socket, line, i, write):
    """Mask of the other sockets whose LLC holds the line; looked for only when it matters."""
    mask = 0
    if m.sockets > 1 and m.has_llc:
        if i < 0 or m.inclusion == P.NINE or (write and m.tag[i] & P.REMOTE):
            for s in range(m.sockets):
                if s != socket and far_entry(m, s, line) >= 0:
                    mask |= 1 << s
    return mask


@kernel
def far_entry(m, socket, line):
    i = index_of(m, m.llc[socket], line)
    return i if i >= 0 and m.holder[i] != P.GONE else -1


@kernel
def holders(m, c, line, i, far):
    """Mask of the cores other than `c` that may hold the line."""
    if m.inclusion == P.NINE or not m.has_llc:
        return cores_holding(m, line) & ~bit(c) if m.cores > 1 else NOBODY
    mask = sharers_of(m, i) if i >= 0 else NOBODY
    for s in range(m.sockets):
        if far >> s & 1:
            mask |= sharers_of(m, far_entry(m, s, line))
    return mask & ~bit(c)


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


@kernel
def find_owner(m, line, i, mask):
    """The core of `mask` that will supply the line, or -1. Asks the cores' tags only where the entry cannot tell."""
    if mask == NOBODY:
        return -1
    if i >= 0 and m.inclusion == P.INCLUSIVE:
        if m.holder[i] >= P.OWNED:
            return ctz64(mask)
        if not m.sharers_supply:
            return -1
    return supplier(m, line, mask)


@cold
def wait_for_line(m, core, line):
    busy = busy_slot(m, line)
    if busy.line == line and busy.until > core.cycles:
        core.line_waits += 1
        core.line_wait_cycles += busy.until - core.cycles
        core.cycles = busy.until


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
        if i >= 0 or kind == UPGRADE:
            core.llc_hits += 1
        else:
            core.llc_misses += 1


@kernel
def answer_read(m, c, line, i, far, mask):
    """Bring the line to core `c` for reading; returns the core that supplied it, or -1."""
    owner = find_owner(m, line, i, mask)
    if owner >= 0:
        m.directory.fwd_gets += 1
        m.directory.misses += 1
        before = meet(m, owner, line, BUS_RD)
        charge_forward(m, c, owner, before)
        if m.protocol.action[before, BUS_RD] & MEM_WRITE:
            take_dirty(m, c, m.core[owner].socket, line)
    else:
        fetch(m, c, line, i, far)
    for s in range(m.sockets):
        if far >> s & 1:
            after_far_read(m, s, line)
    return owner


@apart
def answer_write(m, c, line, i, far, mask, kind):
    """Take the line from everybody else, and bring it unless core `c` has it; returns the core that supplied it, or -1."""
    core = m.core[c]
    owner = find_owner(m, line, i, mask) if kind == GETX else -1
    for d in range(m.cores):
        if test_bit(mask, d):
            m.core[d].invalidations_received += 1
            if d == owner:
                m.directory.fwd_getx += 1
                m.directory.misses += 1
                charge_forward(m, c, d, take_away(m, c, d, line, BUS_RDX))
            else:
                m.directory.inv += 1
                take_away(m, c, d, line, BUS_UPGR if kind == UPGRADE else BUS_RDX)
    if kind == UPGRADE:
        m.directory.hits += 1
        core.source = P.FROM_UPGRADE
        core.cycles += m.cost.upgrade
    elif owner < 0:
        fetch(m, c, line, i, far)
    if mask != NOBODY and owner < 0:
        core.cycles += m.cost.invalidate
    for s in range(m.sockets):
        if far >> s & 1:
            set_entry(m, far_entry(m, s, line), P.GONE)
    return owner


@kernel
def charge_forward(m, c, owner, before):
    """The line comes out of core `owner`, which held it in `before`."""
    core = m.core[c]
    near = m.core[owner].socket == core.socket
    if before == P.M or before == P.O:
        core.interventions_hit_modified += 1
        if near:
            core.source = P.FROM_HITM
            core.cycles += m.cost.forward
            return
        core.interventions_remote += 1
        core.source = P.FROM_REMOTE_HITM
        core.cycles += m.cost.remote_forward
    elif near:
        core.source = P.FROM_CLEAN
        core.cycles += m.cost.forward_clean
    else:
        core.source = P.FROM_REMOTE_CLEAN
        core.cycles += m.cost.remote_forward


@apart
def fetch(m, c, line, i, far):
    """The line comes from the socket's LLC, another socket's, or memory."""
    core = m.core[c]
    if i >= 0:
        fetch_from_llc(m, core)
    elif far:
        m.directory.misses += 1
        m.directory.remote_requests += 1
        core.source = P.FROM_REMOTE_LLC
        core.cycles += m.cost.remote_llc
    else:
        fetch_from_memory(m, c, line)


@hot
def fetch_from_llc(m, core):
    m.directory.hits += 1
    core.source = P.FROM_LLC
    core.cycles += m.llc[core.socket].latency


@hot
def fetch_from_memory(m, c, line):
    m.directory.misses += 1
    if m.core[c].overwrites:
        claim(m, m.core[c])
        return
    m.directory.memory_fills += 1
    m.core[c].cycles += dram_read(m, c, line)


@apart
def claim(m, core):
    """A line that will be overwritten whole comes without its data (Intel: ItoM, of fast-string stores; Arm CHI: MakeUnique,
    of DC ZVA): the way to the directory and back is all."""
    m.directory.make_unique += 1
    core.source = P.FROM_LLC
    core.cycles += m.cost.upgrade


@kernel
def take_dirty(m, c, socket, line):
    """A dirty line is written to its socket's LLC, or past it to memory."""
    i = far_entry(m, socket, line) if m.has_llc else -1
    if i >= 0:
        m.tag[i] |= P.DIRTY
    else:
        dram_write(m, c, line)


@kernel
def after_far_read(m, socket, line):
    """Another socket got a copy of a line that this socket's LLC has."""
    e = far_entry(m, socket, line)
    if m.holder[e] >= P.OWNED:
        m.word[e] = np.int64(sharers_of(m, e))
        m.holder[e] = P.SHARED
    m.tag[e] |= P.REMOTE


@kernel
def grant_read(m, c, i, far, mask):
    """The state in which a reader gets the line: as if alone only when nobody can hold it."""
    alone = mask == NOBODY and far == 0
    if alone and i >= 0 and m.inclusion == P.INCLUSIVE:
        alone = m.holder[i] == P.PRESENT and not m.tag[i] & P.REMOTE
    if alone:
        return m.protocol.next_state[P.I, PR_RD]
    if i >= 0 and m.tag[i] & P.REMOTE and m.core[c].supplier < 0:
        return P.S                              # a core of another socket may be the one in F
    return m.protocol.next_shared[P.I, PR_RD]


@apart
def allocate_again(m, c, line):
    """allocate, where the LLC may have had the line: a GONE entry keeps its way."""
    llc = m.llc[m.core[c].socket]
    set_ = set_of(llc, line)
    i = index_in(m, llc, set_, line)
    if i < 0:
        return allocate(m, c, line, set_)
    set_entry(m, i, P.PRESENT)
    touch_entry(m, llc, i)
    return i


@hot
def allocate(m, c, line, set_):
    """An LLC entry for `line`, PRESENT; the victim's private copies are recalled (inclusive), its data written back."""
    llc = m.llc[m.core[c].socket]
    i = take_victim(m, llc, set_)
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


@kernel
def update_entry(m, c, i, state, far, write):
    """The entry after core `c` was granted `state`."""
    if write:
        m.tag[i] &= ~P.REMOTE
    elif far:
        m.tag[i] |= P.REMOTE
    if m.inclusion == P.INCLUSIVE:
        name_holder(m, c, i, state)


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


@apart
def put_back(m, c, line, state, keeps, i):
    """An O, E or M victim leaves a private level of core `c`; `keeps` (0/1): the core has another copy and stays a
    holder; `i`: the line's LLC entry, -1 if not known."""
    core = m.core[c]
    dirty = state != P.E
    core.writebacks += 1 if dirty else 0
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
        log_event(m, c, line, PUTX, -1, state, P.I, 0)


@cold
def write_back(m, c, line):
    """A dirty victim arrives in an LLC that need not have it: refreshed, or allocated without a fetch."""
    if not m.has_llc:
        dram_write(m, c, line)
        return
    llc = m.llc[m.core[c].socket]
    i = lookup(m, llc, set_of(llc, line), line)
    if i < 0:
        llc.write_back_misses += 1
        i = allocate_again(m, c, line)
    m.tag[i] |= P.DIRTY

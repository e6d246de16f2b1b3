"""Who answers a request, what becomes of the other copies, and what the line's transfer costs.

directory.py comes here when other cores or sockets may hold the line (answer_read, _getx, _upgrade), and for a line that no other core
holds (fetch_from_llc, fetch_from_memory). The protocol's table says what the request does to the other copies (peers.py); the line comes
from a core, an LLC or DRAM, and core.source says which.

    another core, in M or O ── forward, a HITM        in E or F ── forward_clean         in another socket ── remote_forward
    the socket's LLC        ── its latency            another's ── remote_llc            DRAM ── memory/dram.py

Invariant: fwd_gets + fwd_getx + remote_requests + memory_fills + make_unique = misses of the directory.
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import apart, hot, kernel
from hwmem.bits import bit, ctz64
from hwmem.cache.entry import far_entry, leave_sockets, sharers_of
from hwmem.cache.peers import meet, supplier, take_away
from hwmem.cache.protocol import BUS_RD, BUS_RDX, BUS_UPGR, MEM_WRITE
from hwmem.memory.dram import dram_read, dram_write, home_node

NOBODY = np.uint64(0)


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
    while far:
        after_far_read(m, ctz64(np.uint64(far)), line)
        far &= far - 1
    return owner


@apart
def answer_getx(m, c, line, i, far, mask):
    """Invalidate all other copies and bring the line to core `c`; returns the core that supplied it, or -1."""
    owner = find_owner(m, line, i, mask)
    others = mask
    while others != NOBODY:
        d = ctz64(others)
        others &= ~bit(d)
        if d == owner:
            forward_getx(m, c, d, line)
        else:
            m.core[d].invalidations_received += 1
            m.directory.inv += 1
            take_away(m, c, d, line, BUS_RDX)
    if owner < 0:
        fetch(m, c, line, i, far)
        if mask != NOBODY:
            m.core[c].cycles += m.cost.invalidate
    if far:
        leave_sockets(m, far, line)
    return owner


@hot
def forward_getx(m, c, owner, line):
    """Core `owner` loses its copy and sends the line to core `c`, which will write it."""
    m.core[owner].invalidations_received += 1
    m.directory.fwd_getx += 1
    m.directory.misses += 1
    charge_forward(m, c, owner, take_away(m, c, owner, line, BUS_RDX))


@apart
def answer_upgrade(m, c, line, far, mask):
    """Invalidate all other copies of a line that core `c` has. Returns -1: no core supplied it."""
    core = m.core[c]
    others = mask
    while others != NOBODY:
        d = ctz64(others)
        others &= ~bit(d)
        m.core[d].invalidations_received += 1
        m.directory.inv += 1
        take_away(m, c, d, line, BUS_UPGR)
    m.directory.hits += 1
    core.source = P.FROM_UPGRADE
    core.cycles += m.cost.upgrade
    if mask != NOBODY:
        core.cycles += m.cost.invalidate
    if far:
        leave_sockets(m, far, line)
    return -1


@kernel
def find_owner(m, line, i, mask):
    """The core of `mask` that will supply the line, or -1. Looks at the cores' tags only if the entry does not say."""
    if mask == NOBODY:
        return -1
    if i >= 0 and m.inclusion == P.INCLUSIVE:
        if m.holder[i] >= P.OWNED:
            return ctz64(mask)
        if not m.sharers_supply:
            return -1
    return supplier(m, line, mask)


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
        fetch_from_memory(m, c, line, home_node(m, line))


@hot
def fetch_from_llc(m, core):
    m.directory.hits += 1
    core.source = P.FROM_LLC
    core.cycles += m.llc[core.socket].latency


@hot
def fetch_from_memory(m, c, line, node):
    m.directory.misses += 1
    if m.core[c].overwrites:
        claim(m, m.core[c])
        return
    m.directory.memory_fills += 1
    cycles = dram_read(m, c, line, node)
    m.core[c].cycles += cycles


@hot
def claim(m, core):
    """A line that will be overwritten whole comes without its data (Intel: ItoM, of fast-string stores; Arm CHI: MakeUnique,
    of DC ZVA): the only cost is the round trip to the directory."""
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

"""Past the caches: what becomes of the line of a non-temporal store; accesses to page tables that are not cached.

core/store_buffer.py comes here when a write-combining entry leaves. Every private copy is invalidated, including the core's own, and memory
takes the data; a line that an LLC has stays there, current and clean. No cache allocates the line (SDM vol. 1, 10.4.6.2: non-temporal
stores to write-back memory are write-combining, and coherent).

With walker.path = "memory" page tables are uncacheable (PCD; SDM vol. 3A, 4.9): the walker and the kernel read and write entries
in memory. When a frame becomes a table `write_past` clears it, line by line, so that no cache has a line of a table.
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import cold
from hwmem.bits import test_bit
from hwmem.cache.directory import wait_for_line
from hwmem.cache.entry import far_copies, far_entry, holders, leave_sockets, set_entry
from hwmem.cache.peers import meet, take_away
from hwmem.cache.protocol import BUS_RDX
from hwmem.memory.dram import dram_read, dram_write, home_node

NOBODY = np.uint64(0)


@cold
def write_past(m, c, line):
    """Core `c` writes (part of) `line` to memory; charges the cycles."""
    core = m.core[c]
    i = far_entry(m, core.socket, line) if m.has_llc else -1
    far = far_copies(m, core.socket, line, i, 1)
    mask = holders(m, c, line, i, far)
    if mask != NOBODY:
        wait_for_line(m, core, line)
        core.cycles += m.cost.invalidate
    for d in range(m.cores):
        if test_bit(mask, d):
            m.core[d].invalidations_received += 1
            m.directory.inv += 1
            take_away(m, c, d, line, BUS_RDX)
    meet(m, c, line, BUS_RDX)
    if i >= 0:
        set_entry(m, i, P.PRESENT)
    leave_sockets(m, far, line)
    dram_write(m, c, line)


@cold
def access_uncached(m, c, line, write, share):
    """Core `c` reads or writes (`write` 0/1) an entry in a line that no cache has; counted in `share`, its walker's or its
    kernel's. A read takes DRAM's time, a write costs the core nothing."""
    core = m.core[c]
    if write:
        dram_write(m, c, line)
        share.uncached_writes += 1
        share.dram_writes += 1
    else:
        cycles = dram_read(m, c, line, home_node(m, line))
        core.cycles += cycles
        share.uncached_reads += 1


@cold
def clear_uncached(m, c, line, share):
    """Core `c` writes the whole of a line that caches may have, as part of a new table."""
    before = m.core[c].dram_writes
    write_past(m, c, line)
    share.uncached_writes += 1
    share.dram_writes += m.core[c].dram_writes - before

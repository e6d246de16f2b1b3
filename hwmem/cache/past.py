"""A write past the caches: what becomes of the line of a non-temporal store.

core/store_buffer.py comes here when a write-combining entry leaves. Every private copy goes, also the core's own, and
memory takes the data; a line that an LLC has stays there, current and clean. No cache is given the line (SDM vol. 1,
10.4.6.2: non-temporal stores to write-back memory are write-combining, and coherent).
"""
import numpy as np

from hwmem import params as P
from hwmem._jit import cold
from hwmem.bits import test_bit
from hwmem.cache.directory import wait_for_line
from hwmem.cache.entry import far_copies, far_entry, holders, leave_sockets, set_entry
from hwmem.cache.peers import meet, take_away
from hwmem.cache.protocol import BUS_RDX
from hwmem.memory.dram import dram_write

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

"""TLB shootdowns: every core that has run a process forgets a range of its address space.

Code that takes rights or frames away calls `finish_stores` before it changes page-table entries, and `shoot_down` after. The calling core
invalidates by page, or the whole TLB above 33 pages (arch/x86/mm/tlb.c, tlb_single_page_flush_ceiling); the others are interrupted for it,
and both sides pay.
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import cold, kernel
from hwmem.bits import test_bit
from hwmem.cache.invalidations import process_all
from hwmem.core.service import clock_moved, drain_all
from hwmem.mmu.tlb import flush, invalidate_page


@kernel
def finish_stores(m, p):
    """Drain retired stores to the frames they were translated to, before those get another owner."""
    mask = np.uint64(m.process[p].cores)
    for d in range(m.cores):
        if test_bit(mask, d):
            drain_all(m, d)


@cold
def shoot_down(m, c, p, start, end):
    """Every core that ran process `p` forgets [start, end)."""
    mask = np.uint64(m.process[p].cores)
    for d in range(m.cores):
        if test_bit(mask, d):
            forget_range(m, d, m.process[p].asid, start, end)
            process_all(m.core[d])
            if d != c:
                m.core[c].shootdowns_sent += 1
                m.core[c].cycles += m.cost.shootdown
                m.core[d].shootdowns_received += 1
                m.core[d].cycles += m.cost.shootdown_remote
                clock_moved(m, d)


@kernel
def forget_range(m, d, asid, start, end):
    core = m.core[d]
    if end - start >> P.PAGE_SHIFT > P.FLUSH_CEILING:
        flush(m, d)
        return
    running = core.asid
    core.asid = asid
    for va in range(start, end, P.PAGE):
        invalidate_page(m, d, va)
    core.asid = running

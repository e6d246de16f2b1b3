"""Where a core's lines and pages were seen last: in which entry of its L1, or of its first-level TLB, with what it takes to use them there.

    seen[va >> 6 & mask]         where a line was        entry << 26 | its set's place in m.order << 4 | way
    seen_page[va >> 12 & mask]   where a page was        the same; 0: nowhere

The memory door notes them (see_line, mmu/tlb.py's see_page), core/near.py looks there. They are hints, so they need not be notified of changes:
who looks compares the entry's tag. Where the policy is not LRU nothing is noted.
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import hot
from hwmem.cache.replacement import FIFTEEN, to_front

ENTRY, ORDER = 26, 4
WAY, ORDERS = (1 << ORDER) - 1, (1 << ENTRY - ORDER) - 1


@hot
def line_seen(core, va):
    return core.seen[np.uint64(va >> P.LINE_SHIFT & P.SEEN - 1)]


@hot
def page_seen(core, va):
    return core.seen_page[np.uint64(va >> P.PAGE_SHIFT & P.SEEN_PAGES - 1)]


@hot
def entry_at(place):
    return place >> ENTRY


@hot
def see_line(m, core, va, pa, row):
    """Note the line of `va`, at `pa`, the most recent of its row of the L1; whether the core has it in M."""
    l1, (set_, first) = core.l1d, row
    if l1.policy != P.LRU or not m.mmu:
        return False
    order = l1.order_base + set_
    way = np.int64(m.order[np.uint64(order)] & FIFTEEN)
    core.seen[np.uint64(va >> P.LINE_SHIFT & P.SEEN - 1)] = first + way << ENTRY | order << ORDER | way
    return m.tag[first + way] & (P.KEY_MASK | P.STATE_MASK) == pa & -P.LINE | P.OCCUPIED | P.M


@hot
def see_page(core, va, row, i):
    """Note the page of `va`, entry `i` of its row of the first-level TLB."""
    set_, first = row
    if core.dtlb.policy == P.LRU:
        order = core.dtlb.order_base + set_
        core.seen_page[np.uint64(va >> P.PAGE_SHIFT & P.SEEN_PAGES - 1)] = i << ENTRY | order << ORDER | i - first


@hot
def use(m, place):
    """What is there becomes the most recently used of its set."""
    order = np.uint64(place >> ORDER & ORDERS)
    m.order[order] = to_front(m.order[order], np.uint64(place & WAY))

"""The hit filter: accesses that may skip the caches and TLBs.

It holds lines an access to which changes nothing but the clock and a counter: the line is the most recent of its L1 set, with the rights
needed, and its page the most recent of its TLB set.

    hot[va >> 6 & hot_mask].line   va | 63: the last line the memory door served in that L1 set; 0: none
                           .store  the same where a store may go ahead (state M, page dirty, no store waiting)
                           .host   host address of the line's first byte
    hot_page[va >> 12 & page_mask].page    va | 4095: the last page in that TLB set; 0: none
                                  .frame   its frame, bit 0 set where stores may go ahead
                         (without an MMU page_last is all bits, and the one page there is known from the start)

    asks     is_hot, is_hot_store, hot_host       core/access.py and machine/replay.py, before anything else
             known_frame                          the memory door, before it asks the TLBs
    notes    note_line, note_page                 the memory door, after an access
    forgets  cool            another line of the L1 set becomes the most recent, or the core's right to one weakens
             forget_stores   a store begins to wait: none may pass it
             forget_lines    translations change, or loads must ask elsewhere first (cache/invalidations.py)
             forget_page, forget_pages            an entry leaves the TLB, or the core's address space changes

No other code writes these fields. Code that makes another line of a set most recent, or weakens the core's right to one, must call one of
the functions under "forgets". So the filter is exact: every count is what the full path would give (checks/core.py).

Cost: an access that it answers is a few dozen instructions, all inlined.
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import cold, hot, kernel

LAST = P.LINE - 1
STORE_NEEDS = P.PTE_RW | P.PTE_D  # of a page's leaf entry, so that a store may go ahead
NOT_KNOWN = -1
HIT = -2  # what hit_line returns where the L1 serves an access
FRAME = (1 << 63) - P.PAGE  # of what is known of a page: its frame


@kernel
def is_hot(core, va, size, store):
    """Whether the filter lets the access to [va, va + size) go ahead (`store` 0/1)."""
    return is_line_hot(core, va, store) and (va & LAST) + size <= P.LINE


@hot
def is_line_hot(core, va, store):
    """The same, of an access that does not leave its line."""
    hot = core.hot[np.uint64(va >> P.LINE_SHIFT & core.hot_mask)]
    allowed = hot.store if store else hot.line
    known = page_slot(core, va).page
    return allowed == (va | LAST) and known == (va | core.page_last)


@kernel
def is_hot_store(core, va):
    """Whether the line of `va`, an access to which is_hot, may also be stored to."""
    return core.hot[np.uint64(va >> P.LINE_SHIFT & core.hot_mask)].store == (va | LAST)


@kernel
def hot_host(core, va):
    """Host address of `va`, whose access is_hot."""
    return core.hot[np.uint64(va >> P.LINE_SHIFT & core.hot_mask)].host + (va & LAST)


@hot
def known_frame(core, va, write):
    """(`write`: 0/1.) Physical address of the frame of `va`'s page, if that is the last of its TLB set and allows the access; else NOT_KNOWN."""
    known = page_slot(core, va)
    if known.page != (va | core.page_last) or write & ~known.frame:
        return NOT_KNOWN
    return known.frame & FRAME


@hot
def note_line(core, va, host, store, i):
    """The line of `va`, whose byte is at `host`, is now the most recent of its L1 set, unless it was refilled in place (`i`: what
    hit_line returned). `store`: whether stores may go ahead."""
    slot = core.hot[np.uint64(va >> P.LINE_SHIFT & core.hot_mask)]
    slot.line = 0 if i >= 0 else va | LAST
    slot.host = host - (va & LAST)
    slot.store = 0
    if store:
        slot.store = slot.line
        core.hot_stores = 1


@hot
def note_page(core, va, pa):
    """The page is now the most recent of its TLB set."""
    if core.leaf & P.PTE_PS:
        note_huge_page(core, va, pa)
        return
    note_frame(core, page_slot(core, va), va, pa, core.leaf)


@hot
def page_slot(core, va):
    return core.hot_page[np.uint64(va >> P.PAGE_SHIFT & core.page_mask)]


@hot
def note_frame(core, slot, va, pa, leaf):
    """The page of `va`, at `pa` by its table's entry `leaf`, is known from now on, in its slot."""
    slot.page = va | core.page_last
    slot.frame = (pa & ~(P.PAGE - 1)) | (1 if leaf & STORE_NEEDS == STORE_NEEDS else 0)


@cold
def note_huge_page(core, va, pa):
    """The filter holds only the last 2 MiB page used, and none if 2 MiB pages share the TLB with small ones."""
    huge = (va >> P.HUGE_SHIFT) + 1
    if core.last_huge != huge or core.dtlb_2m.ways == 0:
        forget_pages(core)
        core.last_huge = huge
    if core.dtlb_2m.ways:
        note_frame(core, page_slot(core, va), va, pa, core.leaf)


@kernel
def cool(core, line):
    """The filter forgets the L1 set of a physical line."""
    slot = core.hot[np.uint64(line & core.hot_mask)]
    slot.line = 0
    slot.store = 0


@kernel
def forget_stores(core):
    """No store may go ahead."""
    if core.hot_stores != 0:
        for h in range(core.hot_mask + 1):
            core.hot[h].store = 0
        core.hot_stores = 0


@cold
def forget_lines(core):
    """The filter forgets every line: its entries are valid only while the translations are."""
    for h in range(P.HOT_LINES):
        core.hot[h].line = 0
        core.hot[h].store = 0


@kernel
def forget_page(core, va):
    """The filter forgets the page of `va`, and whatever shares its slot, and its entry for a huge page."""
    if core.last_huge == (va >> P.HUGE_SHIFT) + 1:
        forget_pages(core)
    page_slot(core, va).page = 0


@cold
def forget_pages(core):
    """The filter forgets every page."""
    for h in range(P.HOT_PAGES):
        core.hot_page[h].page = 0


def set_up(core, l1_sets, tlb_sets):
    """The filter of a new core, by the number of sets of its L1 and its first-level TLB; `tlb_sets` 0: there is no MMU."""
    core.hot_mask = filter_mask(l1_sets, P.HOT_LINES)
    if tlb_sets:
        core.page_mask, core.page_last = filter_mask(tlb_sets, P.HOT_PAGES), P.PAGE - 1
    else:
        core.page_last = (1 << 63) - 1
        core.hot_page[0].page = core.page_last


def filter_mask(sets, slots):
    """One slot a set, so that a set's most recent entry is known; one slot for odd numbers of sets."""
    return min(sets & -sets, slots) - 1


def forget_everything(m):
    """Every core's filter forgets every line; from Python."""
    for c in range(int(m.cores)):
        m.core[c].hot["line"] = 0
        m.core[c].hot["store"] = 0

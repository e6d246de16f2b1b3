"""Swap-in: a fault on an entry that stands for a slot.

The bytes are in the swap cache (a minor fault), or are read from the disk (major). Pages around the faulting address that
are in slots as well are read with it and wait in the swap cache for their own faults: as many as the last reads ahead
proved useful, up to 2^page_cluster, forwards or backwards as the faults go.

The entry leads to the frame again; the frame keeps its slot, so that as long as nobody writes to it, it can be evicted
without being written. The slot is free when the page is written to now, when slots are scarce, or the page locked.
An entry is writable at once if the page is unshared: it was the only entry for the slot, or no other entry maps the frame.
Source: mm/memory.c (do_swap_page, should_try_to_free_swap), mm/swap_state.c (swap_vma_readahead, swap_vma_ra_win).
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import cold, kernel
from hwmem.core.service import table_access
from hwmem.linux.disk import start_read, wait_until
from hwmem.linux.frames import take_frame
from hwmem.linux.lru import lru_add
from hwmem.linux.page_table import entry_width, is_swapped, next_entry, read_entry, write_entry
from hwmem.linux.pages import USER_ENTRY, count_rss
from hwmem.linux.rmap import add_mapping
from hwmem.linux.swap import cached_frame, enter_swap_cache, leave_swap_cache, slot_at, swap_is_full
from hwmem.linux.workingset import list_of_refault

SWAPPED_STATE = P.FRAME_ANON | P.FRAME_SWAPBACKED | P.FRAME_UPTODATE
FIRST_HITS = 4  # what a VMA is credited with before its first read ahead
MAX_HITS = 63
HUGE_MASK = P.HUGE_PAGE - 1


@cold
def do_swap_page(m, c, v, va, place, write):
    """The entry at `place` stands for a slot: it leads to a frame again. 0: minor, 1: major, -ENOMEM."""
    m.mm.untold = 0
    slot = slot_at(read_entry(m, np.int64(m.vma[v].process), place))
    major = 0
    frame = cached_frame(m, slot)
    if frame:
        note_hit(m, v, va, frame)
    else:
        read_around(m, c, v, va, place)
        frame = cached_frame(m, slot)  # making room for others may have read, or dropped, it
        if frame == 0:
            frame = read_slot(m, c, slot)
            if frame < 0:
                return -P.ENOMEM
            wait_until(m, c, m.disk.last)
        major = 1
    map_again(m, c, v, va, place, write)
    return major


@kernel
def map_again(m, c, v, va, place, write):
    """The entry at `place` leads to the frame in the swap cache that holds what its slot does."""
    p, flags = np.int64(m.vma[v].process), m.vma[v].vm_flags
    entry = read_entry(m, p, place)
    slot = slot_at(entry)
    frame = cached_frame(m, slot)
    f = m.frame[frame]
    m.swap_map[slot] -= 1
    if swap_is_full(m) or flags & P.VM_LOCKED or (write and f.maps == 0):
        leave_swap_cache(m, frame)
    new = frame * P.PAGE | USER_ENTRY | (0 if write else entry & P.PTE_CLEARED)
    if entry & P.PTE_EXCLUSIVE or (f.slot == 0 and f.maps == 0):
        f.state |= P.FRAME_EXCLUSIVE
        if flags & P.VM_WRITE and not new & P.PTE_CLEARED:
            new |= P.PTE_RW | (P.PTE_D if write else 0)
    m.process[p].swapped -= 1
    add_mapping(m, frame, p, va)
    count_rss(m, p, frame, 1)
    write_entry(m, c, p, place, new)


@kernel
def read_slot(m, c, slot):
    """A frame for what is in `slot`, in the swap cache and on its list, its bytes on their way; -1 without memory."""
    frame = take_frame(m, c)
    if frame < 0:
        return -1
    note = m.swap_cache[slot]
    m.frame[frame].state = SWAPPED_STATE
    start_read(m, c, slot, frame)
    m.vmstat.pswpin += 1
    enter_swap_cache(m, frame, slot)
    which = list_of_refault(m, note)
    if which == P.LRU_ACTIVE_ANON:
        m.frame[frame].state |= P.FRAME_WORKINGSET
    lru_add(m, frame, which)
    return frame


@kernel
def note_hit(m, v, va, frame):
    """A fault has found its page in the swap cache; perhaps it was read ahead."""
    vma = m.vma[v]
    hits = vma.swap_hits if vma.swap_va else FIRST_HITS
    if m.frame[frame].state & P.FRAME_READAHEAD:
        m.frame[frame].state &= ~P.FRAME_READAHEAD
        m.vmstat.swap_ra_hit += 1
        hits = min(hits + 1, MAX_HITS)
    vma.swap_va, vma.swap_hits = va, hits


@kernel
def read_around(m, c, v, va, place):
    """Read what is in slots near `va`, as far as reading ahead has been worth it. Its completion is not waited for."""
    vma = m.vma[v]
    p = np.int64(vma.process)
    before, pages = vma.swap_va, np.int64(window_of(m, v, va))
    vma.swap_va, vma.swap_window, vma.swap_hits = va, pages, 0
    if pages == 1:
        return
    start = va - ((pages - 1) // 2 << P.PAGE_SHIFT)
    if va == before + P.PAGE:
        start = va
    elif va == before - P.PAGE:
        start = va - (pages - 1 << P.PAGE_SHIFT)
    end = min(start + (pages << P.PAGE_SHIFT), vma.end, (va | HUGE_MASK) + 1)
    start = max(start, vma.start, va & ~HUGE_MASK)
    width = entry_width(m, p)
    for near in range(start, end, P.PAGE):
        if near != va and not read_ahead(m, c, p, place + (near - va >> P.PAGE_SHIFT) * width, P.FRAME_READAHEAD):
            return


@kernel
def window_of(m, v, va):
    """Pages to read around `va`: from the hits since the last time, not shrinking faster than by half."""
    vma = m.vma[v]
    most = 1 << m.mm.page_cluster
    hits = vma.swap_hits if vma.swap_va else FIRST_HITS
    pages = 1
    if hits:
        pages = 4
        while pages < hits + 2:
            pages *= 2
    elif abs(va - vma.swap_va) == P.PAGE:
        pages = 2
    return max(min(pages, most), vma.swap_window // 2) if most > 1 else 1


@kernel
def read_ahead(m, c, p, place, mark):
    """If the entry at `place` stands for a slot that is not in RAM, it is read; the frame gets `mark`. False without memory."""
    table_access(m, c, place, entry_width(m, p), 0)
    entry = read_entry(m, p, place)
    if not is_swapped(entry) or cached_frame(m, slot_at(entry)):
        return True
    frame = read_slot(m, c, slot_at(entry))
    if frame < 0:
        return False
    m.frame[frame].state |= mark
    if mark:
        m.vmstat.swap_ra += 1
    return True


@cold
def read_ahead_range(m, c, v, start, end):
    """MADV_WILLNEED of anonymous memory: its swapped pages are read into the swap cache. 0.

    Linux: mm/madvise.c, swapin_walk_pmd_entry.
    """
    p = np.int64(m.vma[v].process)
    va = next_entry(m, c, p, start, end)
    while va < end:
        if m.cursor.huge:
            va = (va | HUGE_MASK) + 1
        else:
            if not read_ahead(m, c, p, m.cursor.place, 0):
                return 0
            va += P.PAGE
        va = next_entry(m, c, p, va, end)
    return 0

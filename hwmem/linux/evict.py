"""Eviction: a page leaves the address spaces that map it, and its frame is free again.

    lazily freed   not written since MADV_FREE: its entries are emptied. Else it is swap-backed again, and stays
    anonymous      gets a slot, its entries stand for that, it is written there unless the slot has the same bytes already
    of a file      the page cache's business (filemap.drop_cached)
    huge           is split first, then each page goes its own way

A page on its way out is in the swap cache. reclaim.py frees it as soon as the write is queued, so that only disk time is charged;
MADV_PAGEOUT leaves it there until memory is short, as the end of an asynchronous write does. The caller may be in the middle of anything
except a change of the evicted page's own entries. Source: mm/vmscan.c (shrink_folio_list), mm/rmap.c (try_to_unmap_one).
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import cold, kernel
from hwmem.linux.aging import activate
from hwmem.linux.disk import is_congested, throttle, write_page
from hwmem.linux.filemap import drop_cached
from hwmem.linux.lru import lru_add_tail, lru_remove
from hwmem.linux.page_table import find_place, read_entry, write_entry
from hwmem.linux.pages import count_rss, free_anon, split_huge_entry
from hwmem.linux.rmap import HUGE_MAPPING, remove_mapping
from hwmem.linux.shootdown import finish_stores, shoot_down
from hwmem.linux.swap import enter_swap_cache, leave_swap_cache, slot_of, swap_entry, take_slot
from hwmem.linux.vma_tree import vma_at
from hwmem.linux.workingset import note_eviction


@kernel
def evict(m, c, frame):
    """Free a page that is on an inactive list. Frames freed; 0: it stays, and is active."""
    if m.frame[frame].state & P.FRAME_HEAD:
        return evict_huge(m, c, frame)
    return evict_small(m, c, frame)


@kernel
def evict_small(m, c, frame):
    f = m.frame[frame]
    count_work(m, c)
    if f.state & P.FRAME_CACHED:
        freed = drop_cached(m, c, frame)
    elif not f.state & P.FRAME_SWAPBACKED:
        freed = drop_lazily_freed(m, c, frame)
    else:
        freed = swap_out(m, c, frame)
    if freed:
        return 1
    activate(m, frame)
    return 0


@kernel
def count_work(m, c):
    """The kernel's own cycles for a page: kswapd's, or those of the core that is short of memory."""
    if m.reclaim.kswapd:
        m.mm.kswapd_cycles += m.cost.reclaim
    else:
        m.core[c].cycles += m.cost.reclaim


@cold
def evict_huge(m, c, head):
    """Split a huge page and evict what it consisted of."""
    while m.frame[head].huge_maps:
        split_one(m, c, head)
    freed = 0
    for frame in range(head, head + P.HUGE_FRAMES):
        if m.frame[frame].lru != P.LRU_NONE:
            freed += evict_small(m, c, frame)
    return freed


@cold
def split_one(m, c, head):
    """One of the 2 MiB entries that lead to a huge page becomes a table."""
    f = m.frame[head]
    p, va, n = np.int64(f.process), f.va, f.chain
    while not va & HUGE_MAPPING:
        p, va, n = np.int64(m.rmap[n - 1].process), m.rmap[n - 1].va, m.rmap[n - 1].next
    va -= HUGE_MAPPING
    finish_stores(m, p)
    split_huge_entry(m, c, p, va, find_place(m, c, p, va, 1))
    shoot_down(m, c, p, va, va + P.HUGE_PAGE)


@kernel
def drop_lazily_freed(m, c, frame):
    """True if the page was dropped; False if it was written to since: it is an ordinary page again, except in MAP_DROPPABLE."""
    f = m.frame[frame]
    if (f.state & P.FRAME_DIRTY or is_written(m, c, frame)) and not is_droppable(m, frame):
        f.state |= P.FRAME_SWAPBACKED
        return False
    while f.maps:
        unmap_first(m, c, frame, 0)
    m.vmstat.pglazyfreed += 1
    free_anon(m, c, frame)
    return True


@kernel
def is_droppable(m, frame):
    """Whether the page is mapped by MAP_DROPPABLE, and by no other mapping."""
    v = vma_at(m, np.int64(m.frame[frame].process), m.frame[frame].va)
    return v >= 0 and m.vma[v].vm_flags & P.VM_DROPPABLE != 0


@kernel
def is_written(m, c, frame):
    """Whether an entry that leads to the page is dirty."""
    f = m.frame[frame]
    p, va, n = np.int64(f.process), f.va, f.chain
    for _ in range(f.maps):
        if read_entry(m, p, find_place(m, c, p, va, 0)) & P.PTE_D:
            return True
        if n:
            p, va, n = np.int64(m.rmap[n - 1].process), m.rmap[n - 1].va, m.rmap[n - 1].next
    return False


@kernel
def swap_out(m, c, frame):
    """Free an anonymous page, its bytes safe in a slot; False when there is no slot for it."""
    if not unmap_to_slot(m, c, frame):
        return False
    if m.frame[frame].state & P.FRAME_DIRTY:
        write_out(m, c, frame)
    free_from_swap_cache(m, c, frame)
    return True


@kernel
def unmap_to_slot(m, c, frame):
    """Every entry that leads to an anonymous page stands for a slot from now on; False when there is none free."""
    f = m.frame[frame]
    if f.slot == 0:
        slot = take_slot(m, np.int64(m.frame_group[frame]))
        if slot < 0:
            return False
        enter_swap_cache(m, frame, slot)
        f.state |= P.FRAME_DIRTY
    entry = swap_entry(slot_of(m, frame), f.state & P.FRAME_EXCLUSIVE)
    while f.maps:
        m.process[f.process].swapped += 1
        m.swap_map[slot_of(m, frame)] += 1
        unmap_first(m, c, frame, entry)
    f.state &= ~P.FRAME_EXCLUSIVE
    return True


@kernel
def unmap_first(m, c, frame, instead):
    """Replace the entry of a page's first mapping by `instead`, and note its dirty bit at the frame."""
    f = m.frame[frame]
    p, va = np.int64(f.process), f.va
    finish_stores(m, p)
    place = find_place(m, c, p, va, 0)
    entry = read_entry(m, p, place)
    if entry & P.PTE_D:
        f.state |= P.FRAME_DIRTY
    write_entry(m, c, p, place, instead | entry & P.PTE_CLEARED if instead else 0)
    count_rss(m, p, frame, -1)
    remove_mapping(m, frame, p, va)
    shoot_down(m, c, p, va, va + P.PAGE)


@kernel
def write_out(m, c, frame):
    """A page of the swap cache goes to its slot. kswapd stops when the queue is long; other callers wait."""
    if is_congested(m, c) and not m.reclaim.kswapd:
        throttle(m, c)
    write_page(m, c, frame, slot_of(m, frame))
    m.frame[frame].state &= ~P.FRAME_DIRTY
    m.vmstat.pswpout += 1


@kernel
def free_from_swap_cache(m, c, frame):
    """Free the frame of an unmapped page of the swap cache; the slot stays with the entries that refer to it."""
    f = m.frame[frame]
    slot = slot_of(m, frame)
    if m.swap_map[slot]:
        f.slot = 0
        note_eviction(m, frame, slot)
    else:
        leave_swap_cache(m, frame)
    free_anon(m, c, frame)


@cold
def page_out(m, c, frame):
    """MADV_PAGEOUT of a page that one process maps (mm/madvise.c, reclaim_pages)."""
    f = m.frame[frame]
    if f.lru == P.LRU_NONE or f.lru == P.LRU_UNEVICTABLE:
        return
    f.state &= ~P.FRAME_REFERENCED
    if f.state & P.FRAME_CACHED or not f.state & P.FRAME_SWAPBACKED:
        evict(m, c, frame)
        return
    count_work(m, c)
    if not unmap_to_slot(m, c, frame):
        activate(m, frame)
    elif f.state & P.FRAME_DIRTY:
        write_out(m, c, frame)
        lru_remove(m, frame)
        lru_add_tail(m, frame, P.LRU_INACTIVE_ANON)
        m.vmstat.pgrotated += 1
    else:
        free_from_swap_cache(m, c, frame)

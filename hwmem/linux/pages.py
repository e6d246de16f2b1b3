"""Pages of a process: what is counted when an entry begins or ceases to lead to a frame, and when a frame is free.

    rss      process.anon, .file, .shared: frames of each kind that page-table entries lead to, the zero page not counted
    owner    a frame is kept by its mappings, by the swap cache (slot) and by a file's page cache (FRAME_CACHED);
             when the last of them goes, so does the frame

A huge page (FRAME_HEAD, 511 FRAME_TAILs) exists while a 2 MiB entry leads to it; single pages of it may be mapped by
4 KiB entries as well, in processes that have split theirs. When the last 2 MiB entry goes, its frames become single pages.
Source: mm/memory.c (zap_pte_range), mm/rmap.c, mm/huge_memory.c.
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import cold, kernel
from hwmem.linux.frames import give_frame, give_huge
from hwmem.linux.lru import lru_add, lru_remove
from hwmem.linux.page_cache import make_evictable, note_use
from hwmem.linux.page_table import (
    TABLE_ENTRY,
    drop_table,
    find_place,
    forget_cursor,
    frame_at,
    is_mapped,
    is_swapped,
    next_entry,
    read_entry,
    span_of,
    withdraw_table,
    write_entry,
)
from hwmem.linux.rmap import HUGE_MAPPING, add_mapping, remove_mapping
from hwmem.linux.swap import leave_swap_cache, put_slot, slot_at
from hwmem.linux.vma_tree import find_vma, vma_at

NO_RECENCY = P.VM_SEQUENTIAL | P.VM_RANDOM
USER_ENTRY = P.PTE_P | P.PTE_US | P.PTE_A
INHERITED_STATE = P.FRAME_ANON | P.FRAME_EXCLUSIVE | P.FRAME_SWAPBACKED | P.FRAME_DIRTY | P.FRAME_REFERENCED | P.FRAME_UPTODATE


@kernel
def clean_mark(m, v):
    """What the entry of a page has that a read brings into VMA `v`: PTE_CLEARED, where that is no write to tell of."""
    return P.PTE_CLEARED if m.vma[v].vm_flags & P.VM_CLEARED else 0


@kernel
def head_of(m, frame):
    """First frame of the huge page that `frame` belongs to, or `frame`."""
    return frame & ~(P.HUGE_FRAMES - 1) if m.frame[frame].state & P.FRAME_TAIL else frame


@kernel
def is_shared(m, frame):
    """Whether more than one page-table entry leads to an anonymous frame."""
    head = head_of(m, frame)
    return m.frame[frame].maps + m.frame[head].huge_maps > 1


@kernel
def is_single(m, frame):
    """Whether one entry, of whatever size, is all that leads to a page."""
    return m.frame[frame].maps + m.frame[frame].huge_maps == 1


@kernel
def count_rss(m, p, frame, n):
    """`n` more (or fewer) pages of the kind of `frame` are mapped by process `p`."""
    process, f = m.process[p], m.frame[frame]
    if f.state & P.FRAME_ANON:
        process.anon += n
    elif f.file and m.file[f.file - 1].shared:
        process.shared += n
    else:
        process.file += n
    if n > 0:
        process.peak = max(process.peak, process.anon + process.file + process.shared)


@kernel
def enter_anon(m, p, va, frame):
    """Count a new anonymous frame that process `p` is about to map at `va`."""
    f = m.frame[frame]
    f.state |= P.FRAME_ANON | P.FRAME_EXCLUSIVE | P.FRAME_SWAPBACKED | P.FRAME_UPTODATE
    add_mapping(m, frame, p, va)
    count_rss(m, p, frame, 1)
    lru_add(m, frame, P.LRU_INACTIVE_ANON)


@kernel
def make_droppable(m, v, frame):
    """A new page of VMA `v` is one that reclaim may drop, if the VMA says so. Linux: folio_add_new_anon_rmap."""
    if m.vma[v].vm_flags & P.VM_DROPPABLE:
        m.frame[frame].state &= ~P.FRAME_SWAPBACKED
        lru_remove(m, frame)
        lru_add(m, frame, P.LRU_INACTIVE_FILE)


@kernel
def leave_frame(m, c, p, va, frame):
    """Process `p`'s entry at `va` no longer leads to `frame`."""
    count_rss(m, p, frame, -1)
    remove_mapping(m, frame, p, va)
    if m.frame[frame].maps == 0:
        free_if_unused(m, c, frame)
    elif m.frame[frame].state & P.FRAME_MLOCKED:
        unlock_frame(m, frame)


@cold
def unlock_frame(m, frame):
    """A mapping of a page that mlock keeps has gone, or is locked no more: with the last locked one it may be reclaimed again.
    Linux: munlock_folio, where mlock_count tells."""
    f = m.frame[frame]
    if f.maps + f.huge_maps and is_locked_at(m, np.int64(f.process), f.va):
        return
    n = f.chain
    while n:
        if is_locked_at(m, np.int64(m.rmap[n - 1].process), m.rmap[n - 1].va):
            return
        n = m.rmap[n - 1].next
    make_evictable(m, frame)


@kernel
def is_locked_at(m, p, va):
    """Whether the mapping at `va` of process `p` is locked."""
    v = vma_at(m, p, va)
    return v >= 0 and m.vma[v].vm_flags & P.VM_LOCKED != 0


@kernel
def free_if_unused(m, c, frame):
    """The last 4 KiB mapping of `frame` has gone."""
    f = m.frame[frame]
    if f.state & P.FRAME_CACHED:
        make_evictable(m, frame)
    if f.state & (P.FRAME_HEAD | P.FRAME_TAIL | P.FRAME_CACHED):
        return
    if f.slot and not leave_swap_cache(m, frame):
        return
    free_anon(m, c, frame)


@kernel
def free_anon(m, c, frame):
    if m.frame[frame].state & P.FRAME_MLOCKED:
        m.vmstat.unevictable_pgs_munlocked += 1
    lru_remove(m, frame)
    give_frame(m, c, frame)


@kernel
def is_passed_over(m, p, va):
    """Whether reclaim ignores uses through the mapping at `va`: it is advised as sequential or random. Linux: vma_has_recency."""
    v = vma_at(m, p, va)
    return v >= 0 and m.vma[v].vm_flags & NO_RECENCY != 0


@kernel
def zap_entry(m, c, p, va, place, entry):
    """Empty the 4 KiB entry at `place`; what it led to loses a mapping."""
    write_entry(m, c, p, place, 0)
    if is_mapped(entry):
        frame = frame_at(entry)
        if frame:
            if m.frame[frame].state & P.FRAME_CACHED:
                note_use(m, frame, entry & ~P.PTE_A if entry & P.PTE_A and is_passed_over(m, p, va) else entry)
            leave_frame(m, c, p, va, frame)
    elif is_swapped(entry):
        m.process[p].swapped -= 1
        put_swap(m, c, slot_at(entry))


@kernel
def put_swap(m, c, slot):
    """An entry no longer refers to `slot`; a page of the swap cache without other users goes with it."""
    frame = put_slot(m, slot)
    if frame > 0 and m.frame[frame].maps == 0:
        leave_swap_cache(m, frame)
        free_anon(m, c, frame)


@kernel
def zap_range(m, c, p, start, end, guards):
    """Empty all entries of [start, end), guards too if `guards` says so; how many there were. TLBs and in-flight stores are left to the
    caller."""
    zapped = 0
    va = next_entry(m, c, p, start, end)
    while va < end:
        place = m.cursor.place
        if m.cursor.huge:
            stop = (va | P.HUGE_PAGE - 1) + 1
            if va & P.HUGE_PAGE - 1 or stop > end:
                split_huge_entry(m, c, p, va, place)
            else:
                zap_huge(m, c, p, va, place)
                zapped += P.HUGE_FRAMES
                va = stop
        else:
            entry = read_entry(m, p, place)
            if guards or entry != P.PTE_GUARD:
                zap_entry(m, c, p, va, place, entry)
                zapped += 1
            va += P.PAGE
        va = next_entry(m, c, p, va, end)
    return zapped


@cold
def zap_huge(m, c, p, va, place):
    """Empty a 2 MiB entry."""
    entry = read_entry(m, p, place)
    write_entry(m, c, p, place, 0)
    drop_table(m, c, p, withdraw_table(m, place))
    head = frame_at(entry)
    if head:
        count_rss(m, p, head, -P.HUGE_FRAMES)
        remove_mapping(m, head, p, va | HUGE_MAPPING)
        if m.frame[head].huge_maps == 0:
            part_huge(m, c, head)
        elif m.frame[head].state & P.FRAME_MLOCKED:
            unlock_frame(m, head)


@cold
def part_huge(m, c, head):
    """No 2 MiB entry leads to the huge page any more: what is not mapped by small ones is free, the rest are pages of
    their own."""
    mapped = 0
    for frame in range(head, head + P.HUGE_FRAMES):
        mapped += m.frame[frame].maps
    lru = m.frame[head].lru
    lru_remove(m, head)
    inherited = m.frame[head].state & INHERITED_STATE & ~P.FRAME_EXCLUSIVE
    for frame in range(head, head + P.HUGE_FRAMES):
        m.frame[frame].state = inherited | m.frame[frame].state & P.FRAME_EXCLUSIVE
    if mapped == 0:
        give_huge(m, head)
        return
    m.vmstat.thp_split_page += 1
    for frame in range(head, head + P.HUGE_FRAMES):
        if m.frame[frame].maps:
            lru_add(m, frame, lru)
        else:
            give_frame(m, c, frame)


@cold
def split_huge_entry(m, c, p, va, place):
    """A 2 MiB entry becomes the table that was kept for it, of 512 small entries for the same frames. Linux: __split_huge_pmd."""
    entry = read_entry(m, p, place)
    va = va & ~(P.HUGE_PAGE - 1)
    head = frame_at(entry)
    forget_cursor(m)
    write_entry(m, c, p, place, 0)
    m.vmstat.thp_split_pmd += 1
    small = entry & ~(P.PTE_PS | P.PTE_FRAME)
    exclusive = m.frame[head].state & P.FRAME_EXCLUSIVE if head else 0
    leaf = withdraw_table(m, place)
    for i in range(P.HUGE_FRAMES):
        if head:
            m.frame[head + i].state |= exclusive
            add_mapping(m, head + i, p, va + i * P.PAGE)
            write_entry(m, c, p, leaf + 8 * i, small | (head + i) * P.PAGE)
        else:
            write_entry(m, c, p, leaf + 8 * i, small | m.frames.zero * P.PAGE)
    write_entry(m, c, p, place, leaf | TABLE_ENTRY)
    if head:
        remove_mapping(m, head, p, va | HUGE_MAPPING)
        if m.frame[head].huge_maps == 0:
            part_huge(m, c, head)


@cold
def free_tables(m, c, p, start, end):
    """Give back the tables of [start, end) that map nothing else: the VMAs of the range go, those below and above it remain.
    Their number: with tables, what walkers keep of them has to go too.

    Linux: free_pgtables. All leaf entries of the range are empty already.
    """
    forget_cursor(m)
    first = above = find_vma(m, p, start)
    while above >= 0 and m.vma[above].start < end:
        above = m.vma[above].next - 1
    floor = m.vma[m.vma[first].prev - 1].end if first >= 0 and m.vma[first].prev else 0
    ceiling = m.vma[above].start if above >= 0 else 1 << 48
    freed = 0
    for level in range(1, m.process[p].levels):
        span = span_of(m, p, level)
        va = start // span * span
        while va < end:
            place = find_place(m, c, p, va, level)
            if place < 0:
                missing = span_of(m, p, -1 - place)
                va = (va // missing + 1) * missing
                continue
            entry = read_entry(m, p, place)
            if entry and va >= floor and va + span <= ceiling:
                write_entry(m, c, p, place, 0)
                drop_table(m, c, p, entry & P.PTE_FRAME)
                freed += 1
            va += span
    return freed

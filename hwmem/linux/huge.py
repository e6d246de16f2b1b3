"""Transparent huge pages: 2 MiB at a fault, and collapsed later.

A fault in an anonymous VMA gets 512 frames and one 2 MiB entry when policy and bounds allow: the aligned 2 MiB lie
within the VMA, nothing is mapped there yet, and a free block of that size exists. A read gets the huge zero page.
Whatever concerns only a part of it splits the entry (pages.py, split_huge_entry).

    policy      never  |  madvise: VMAs with VM_HUGEPAGE  |  always: all without VM_NOHUGEPAGE

Source: mm/huge_memory.c (do_huge_pmd_anonymous_page, do_huge_pmd_wp_page), mm/khugepaged.c (collapse_huge_page).
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import DOORS, call_door, cold, kernel
from hwmem.core.service import kernel_access
from hwmem.linux.disk import copy_frame
from hwmem.linux.frames import give_huge, take_huge
from hwmem.linux.group import uncharge_frames
from hwmem.linux.lru import lru_add
from hwmem.linux.page_table import (
    deposit_table,
    find_place,
    forget_cursor,
    frame_at,
    is_mapped,
    is_swapped,
    new_table,
    read_entry,
    write_entry,
)
from hwmem.linux.pages import USER_ENTRY, clean_mark, count_rss, is_shared, leave_frame, make_droppable, split_huge_entry
from hwmem.linux.rmap import HUGE_MAPPING, add_mapping
from hwmem.linux.shootdown import finish_stores, shoot_down
from hwmem.linux.swapin import do_swap_page
from hwmem.linux.vma import prepare_anon
from hwmem.memory.ram import peek64, ram_page

HUGE_ENTRY = USER_ENTRY | P.PTE_PS
GO_ON = 2  # nothing huge is to be had or done here: the small pages' turn
HUGE_STATE = P.FRAME_ANON | P.FRAME_SWAPBACKED | P.FRAME_UPTODATE
HUGE_MASK = P.HUGE_PAGE - 1


@kernel
def may_be_huge(m, v, va):
    """Whether policy and bounds allow a huge page at `va` in VMA `v`."""
    vma = m.vma[v]
    if m.process[vma.process].levels != 4 or vma.file or vma.vm_flags & (P.VM_SHARED | P.VM_NOHUGEPAGE | P.VM_SPECIAL):
        return False
    if m.mm.thp == P.THP_NEVER or (m.mm.thp == P.THP_MADVISE and not vma.vm_flags & P.VM_HUGEPAGE):
        return False
    start = va & ~HUGE_MASK
    return vma.start <= start and start + P.HUGE_PAGE <= vma.end


@DOORS.door(P.DOOR_HUGE_FAULT)
def huge_entry_fault(m, c, v, what, place):
    """A fault at the 2 MiB entry `place`, which is empty, or read-only though written; `what`: the page's address, with bit 0 a write's."""
    va, write = what & ~(P.PAGE - 1), what & 1
    if read_entry(m, m.vma[v].process, place) == 0:
        return huge_fault(m, c, v, va, place, write)
    return huge_write_fault(m, c, v, va, place)


@cold
def huge_fault(m, c, v, va, place, write):
    """The 2 MiB entry at `place` is empty and may be huge. 0, GO_ON where no block is free, or -ENOMEM: no frame for the table
    that is kept for it."""
    p = m.vma[v].process
    prepare_anon(m, v)  # before the zero page too, which has no owner
    write |= m.vma[v].vm_flags & P.VM_EXISTED
    if not write and not take_huge_zero(m, c):
        return GO_ON
    head = new_huge(m, c) if write else 0
    if head < 0:
        return GO_ON
    table = new_table(m, c, p)
    if table < 0:
        if write:
            give_huge(m, head)
        return -P.ENOMEM
    deposit_table(m, place, table)
    if write:
        enter_huge(m, v, va & ~HUGE_MASK, head)
        write_entry(m, c, p, place, head * P.PAGE | HUGE_ENTRY | P.PTE_RW | P.PTE_D)
    else:
        write_entry(m, c, p, place, m.frames.huge_zero * P.PAGE | HUGE_ENTRY | P.PTE_ZERO | clean_mark(m, v))
    return 0


@kernel
def new_huge(m, c):
    """512 frames for a huge page, cleared: the first, or -1."""
    head = take_huge(m, c)
    if head < 0:
        m.vmstat.thp_fault_fallback += 1
        return -1
    m.vmstat.thp_fault_alloc += 1
    kernel_access_huge(m, c, head)
    return head


@kernel
def take_huge_zero(m, c):
    """See that there is a huge zero page."""
    if m.frames.huge_zero == 0:
        head = take_huge(m, c)
        if head < 0:
            return False
        for frame in range(head, head + P.HUGE_FRAMES):
            m.frame[frame].state = P.FRAME_RESERVED
        kernel_access_huge(m, c, head)
        uncharge_frames(m, head, P.HUGE_FRAMES)
        m.frames.huge_zero = head
        m.vmstat.thp_zero_page_alloc += 1
    return True


@kernel
def kernel_access_huge(m, c, head):
    """The kernel clears 2 MiB."""
    for frame in range(head, head + P.HUGE_FRAMES):
        kernel_access(m, c, frame * P.PAGE, P.PAGE, 1)


@kernel
def enter_huge(m, v, va, head):
    """512 frames are a huge page now, which one entry at `va`, in VMA `v`, is about to map."""
    p = np.int64(m.vma[v].process)
    for frame in range(head, head + P.HUGE_FRAMES):
        m.frame[frame].state = HUGE_STATE | P.FRAME_TAIL
    m.frame[head].state = HUGE_STATE | P.FRAME_HEAD | P.FRAME_EXCLUSIVE
    add_mapping(m, head, p, va | HUGE_MAPPING)
    count_rss(m, p, head, P.HUGE_FRAMES)
    lru_add(m, head, P.LRU_INACTIVE_ANON)
    make_droppable(m, v, head)


@cold
def huge_write_fault(m, c, v, va, place):
    """A write through a read-only 2 MiB entry at `place`: 0, or GO_ON once the entry is split."""
    p = m.vma[v].process
    entry = read_entry(m, p, place)
    head = frame_at(entry)
    start = va & ~HUGE_MASK
    if head == 0:
        head = new_huge(m, c)
        if head > 0:  # the table that was kept for the zero page is kept for it
            write_entry(m, c, p, place, 0)
            shoot_down(m, c, p, start, start + P.HUGE_PAGE)
            enter_huge(m, v, start, head)
            write_entry(m, c, p, place, head * P.PAGE | HUGE_ENTRY | P.PTE_RW | P.PTE_D)
            return 0
    elif m.frame[head].state & P.FRAME_EXCLUSIVE or is_only_mapping(m, head):
        m.frame[head].state |= P.FRAME_EXCLUSIVE
        write_entry(m, c, p, place, entry & ~P.PTE_CLEARED | P.PTE_RW | P.PTE_D | P.PTE_A)
        return 0
    split_huge_entry(m, c, p, va, place)
    shoot_down(m, c, p, start, start + P.HUGE_PAGE)
    return GO_ON


@cold
def split_page(m, c, v, va, place):
    """The huge page that only the entry at `place`, in VMA `v`, leads to becomes small ones; those that hold nothing but
    zeros give way to the zero page. Linux: split_folio, try_to_map_unused_to_zeropage."""
    p = m.vma[v].process
    start = va & ~HUGE_MASK
    finish_stores(m, p)
    split_huge_entry(m, c, p, va, place)
    leaf = find_place(m, c, p, start, 0)
    for i in range(P.HUGE_FRAMES):
        frame = frame_at(read_entry(m, p, leaf + 8 * i))
        if not m.vma[v].vm_flags & P.VM_LOCKED and holds_zeros(m, frame):
            present = P.PTE_P if m.vma[v].vm_flags & P.VM_ACCESS else P.PTE_PROTNONE
            write_entry(m, c, p, leaf + 8 * i, m.frames.zero * P.PAGE | P.PTE_US | P.PTE_ZERO | present)
            leave_frame(m, c, p, start + i * P.PAGE, frame)
    shoot_down(m, c, p, start, start + P.HUGE_PAGE)


@kernel
def holds_zeros(m, frame):
    start = ram_page(m, frame)
    for host in range(start, start + P.PAGE, 8):
        if peek64(host):
            return False
    return True


@kernel
def is_only_mapping(m, head):
    """Whether one 2 MiB entry is all that leads to a huge page."""
    if m.frame[head].huge_maps != 1:
        return False
    for frame in range(head, head + P.HUGE_FRAMES):
        if m.frame[frame].maps:
            return False
    return True


@cold
def collapse(m, c, v, va, daemon):
    """The small pages of the 2 MiB at `va` become a huge page: copied, empty ones zero, those in swap read back. 0, or -errno.

    MADV_COLLAPSE has no further conditions; khugepaged (`daemon`) requires most of them present, not too many shared with other processes,
    and some in use. The table becomes the one that is kept for the entry. Linux: hpage_collapse_scan_pmd, collapse_huge_page.
    """
    p = m.vma[v].process
    start = va & ~HUGE_MASK
    middle = find_place(m, c, p, start, 1)
    if middle < 0:
        return -P.EINVAL
    table = read_entry(m, p, middle)
    if table & P.PTE_PS:
        return 0
    leaf = table & P.PTE_FRAME
    if table == 0 or not can_collapse(m, p, leaf, daemon):
        return -P.EINVAL
    prepare_anon(m, v)
    head = take_huge(m, c)
    if head < 0:
        m.vmstat.thp_collapse_alloc_failed += 1
        return -P.ENOMEM
    if not bring_back(m, c, v, start, leaf):
        give_huge(m, head)
        return -P.EINVAL
    m.vmstat.thp_collapse_alloc += 1
    finish_stores(m, p)
    write_entry(m, c, p, middle, 0)
    shoot_down(m, c, p, start, start + P.HUGE_PAGE)
    for i in range(P.HUGE_FRAMES):
        take_in(m, c, p, start + i * P.PAGE, read_entry(m, p, leaf + 8 * i), head + i)
    forget_cursor(m)
    deposit_table(m, middle, leaf)
    enter_huge(m, v, start, head)
    write_entry(m, c, p, middle, collapsed_entry(m, v, head))
    return 0


@kernel
def collapsed_entry(m, v, head):
    """The 2 MiB entry for a collapsed page, with the rights of VMA `v`."""
    entry = head * P.PAGE | HUGE_ENTRY | P.PTE_D
    if not m.vma[v].vm_flags & P.VM_ACCESS:
        return entry & ~P.PTE_P | P.PTE_PROTNONE
    return entry | (P.PTE_RW if m.vma[v].vm_flags & P.VM_WRITE else 0)


@kernel
def can_collapse(m, p, leaf, daemon):
    """Whether what the leaf table leads to may become a huge page."""
    none = shared = swapped = used = 0
    for i in range(P.HUGE_FRAMES):
        entry = read_entry(m, p, leaf + 8 * i)
        frame = frame_at(entry) if is_mapped(entry) else 0
        if is_swapped(entry):
            swapped += 1
        elif frame == 0:
            if entry and not is_mapped(entry):
                return False
            none += 1
        elif not m.frame[frame].state & P.FRAME_ANON:
            return False
        else:
            shared += is_shared(m, frame)
            used += entry & P.PTE_A != 0 or m.frame[frame].state & P.FRAME_REFERENCED != 0
    if not daemon:
        return True
    return (
        none <= m.mm.max_ptes_none
        and shared <= P.MAX_PTES_SHARED
        and swapped <= P.MAX_PTES_SWAP
        and used > 0
        and (swapped == 0 or used >= P.HUGE_FRAMES // 2)
    )


@kernel
def bring_back(m, c, v, start, leaf):
    """Pages of the 2 MiB at `start` that are in swap are read back; False where one cannot be. Linux: __collapse_huge_page_swapin."""
    p = np.int64(m.vma[v].process)
    for i in range(P.HUGE_FRAMES):
        if is_swapped(read_entry(m, p, leaf + 8 * i)):
            major = do_swap_page(m, c, v, start + i * P.PAGE, leaf + 8 * i, 0)
            if major < 0:
                return False
            m.vmstat.pgmajfault += major
    for i in range(P.HUGE_FRAMES):  # what made room for one may have taken another
        if is_swapped(read_entry(m, p, leaf + 8 * i)):
            return False
    return True


@kernel
def take_in(m, c, p, va, entry, frame):
    """One small page becomes a part of the huge one."""
    kernel_access(m, c, frame * P.PAGE, P.PAGE, 1)
    old = frame_at(entry)
    if entry == 0 or old == 0:
        return
    kernel_access(m, c, old * P.PAGE, P.PAGE, 0)
    copy_frame(m, old, frame)
    leave_frame(m, c, p, va, old)


@kernel
def wake_khugepaged(m, c):
    """Every ten seconds the daemon looks at 4096 pages more; it runs at the first fault or call after its time."""
    if m.core[c].cycles >= m.mm.khugepaged_at:
        m.mm.khugepaged_at = m.core[c].cycles + m.mm.khugepaged_sleep
        if m.mm.thp != P.THP_NEVER:
            call_door(m, P.DOOR_KHUGEPAGED, c, P.KHUGEPAGED_PAGES, 0, 0)


@DOORS.door(P.DOOR_KHUGEPAGED)
def khugepaged(m, c, pages, a, b):
    """The background daemon looks at `pages` more pages of the address spaces, from where it stopped, and collapses what
    it may (max_ptes_none); how many huge pages came of it. Its time is charged to no core. Linux: khugepaged_do_scan.
    """
    clock = m.core[c].cycles
    made = 0
    left = pages
    for _ in range(P.MAX_PROCESSES + 1):
        p = m.mm.khugepaged_process
        if m.process[p].alive and m.process[p].levels == 4:
            v = m.process[p].first_vma - 1
            while v >= 0 and left > 0:
                va = max(m.mm.khugepaged_va, m.vma[v].start + HUGE_MASK & ~HUGE_MASK)
                while va + P.HUGE_PAGE <= m.vma[v].end and left > 0:
                    if may_be_huge(m, v, va) and m.vma[v].anon_vma and collapsible(m, c, p, va):
                        made += collapse(m, c, v, va, 1) == 0
                    left -= P.HUGE_FRAMES
                    va += P.HUGE_PAGE
                    m.mm.khugepaged_va = va
                v = m.vma[v].next - 1
            if left <= 0:
                break
        m.mm.khugepaged_process = (p + 1) % P.MAX_PROCESSES
        m.mm.khugepaged_va = 0
    m.core[c].cycles = clock
    return made


@kernel
def collapsible(m, c, p, va):
    """Whether the 2 MiB at `va` have a table of small pages."""
    place = find_place(m, c, p, va, 1)
    return place >= 0 and read_entry(m, p, place) & P.PTE_P != 0 and not read_entry(m, p, place) & P.PTE_PS

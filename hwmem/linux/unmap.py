"""Mappings and what is counted for them: made, parted, changed, taken away with their pages.

    unmap ── door ── the ends are cut ── pages and tables go (pages.py, page_table.py) ── TLBs shot down ── the VMAs go

vma.py changes VMAs alone; here a file's users and the limits' counts change with them. Source: mm/vma.c (do_vmi_munmap,
vms_gather_munmap_vmas, vma_adjust_trans_huge).
"""

from hwmem import params as P
from hwmem._jit import DOORS, call_door, kernel
from hwmem.linux.commit import uncharge
from hwmem.linux.page_table import find_place, look_up
from hwmem.linux.pages import free_tables, split_huge_entry, zap_range
from hwmem.linux.ranges import HUGE_MASK
from hwmem.linux.shmem import count_users, get_file, put_file
from hwmem.linux.shootdown import finish_stores, shoot_down
from hwmem.linux.vma import cut_vma, drop_vma, insert_vma, modify_vma, pages_of
from hwmem.linux.vma_tree import find_vma
from hwmem.observers.hooks import memory_gone

UNMAP, CUT = 0, 1  # what the door is asked for


@kernel
def add_vma(m, p, v):
    """Process `p` gets the new VMA `v`, where nothing is mapped, with what is counted for it."""
    count, pages, file = m.process[p].vma_count, pages_of(m, v), m.vma[v].file
    insert_vma(m, p, v)
    m.process[p].total_vm += pages
    if file:  # one more, or none: a neighbour's growth, or one fewer: two neighbours'
        count_users(m, file - 1, m.process[p].vma_count - count)


@kernel
def mapped_in(m, p, start, end, vm_flags):
    """Mapped pages of [start, end), as far as their VMAs have `vm_flags`."""
    pages = 0
    v = find_vma(m, p, start)
    while v >= 0 and m.vma[v].start < end:
        if m.vma[v].vm_flags & vm_flags == vm_flags:
            pages += min(end, m.vma[v].end) - max(start, m.vma[v].start) >> P.PAGE_SHIFT
        v = m.vma[v].next - 1
    return pages


@kernel
def unmap(m, t, start, end):
    """Take [start, end) out of every mapping of the thread's process; 0, or -ENOMEM where that would leave more VMAs than vm.max_map_count."""
    v = find_vma(m, m.thread[t].process, start)
    if v < 0 or m.vma[v].start >= end:
        return 0
    return call_door(m, P.DOOR_UNMAP, t, start, end, UNMAP)


@kernel
def cut_out(m, t, start, end):
    """VMAs end at `start` and begin at `end`, if vm.max_map_count lets them. Linux: vms_gather_munmap_vmas, before the limits."""
    call_door(m, P.DOOR_UNMAP, t, start, end, CUT)


@DOORS.door(P.DOOR_UNMAP)
def unmap_call(m, t, start, end, what):
    v = find_vma(m, m.thread[t].process, start)
    if what == UNMAP:
        return take_away(m, t, v, start, end)
    cut_ends(m, t, v, start, end)
    return 0


@kernel
def take_away(m, t, v, start, end):
    """unmap, where VMA `v` is the first of those in [start, end)."""
    p, c = m.thread[t].process, m.thread[t].core
    if m.vma[v].start < start:
        if end < m.vma[v].end and m.process[p].vma_count >= P.MAX_MAP_COUNT:
            return -P.ENOMEM
        if not may_part(m, v, start):
            return -P.EINVAL
        v = split_mapping(m, p, v, start)
        if v < 0:
            return -P.ENOMEM
    last = find_vma(m, p, end - 1)
    if last >= 0 and m.vma[last].start < end < m.vma[last].end:
        if not may_part(m, last, end):
            return -P.EINVAL
        if split_mapping(m, p, last, end) < 0:
            return -P.ENOMEM
    low = m.vma[v].start
    high = low
    above = v
    while above >= 0 and m.vma[above].start < end:
        high = m.vma[above].end
        above = m.vma[above].next - 1
    if m.mmu:
        finish_stores(m, p)
        zapped = zap_range(m, c, p, low, high, 1)
        freed = free_tables(m, c, p, low, high)
        if zapped or freed:
            shoot_down(m, c, p, low, high)
    if m.observe.races:
        memory_gone(m, t, low, high)
    while v != above:  # after their pages: with its last mapping shared memory goes
        after = m.vma[v].next - 1
        forget_mapping(m, c, p, v)
        v = after
    return 0


@kernel
def modify_mapping(m, c, v, start, end, vm_flags):
    """modify_vma, for a mapping of a file too: each VMA of it counts as a user of the file."""
    p, file = m.vma[v].process, m.vma[v].file
    if start > m.vma[v].start:
        part_at(m, c, p, start)
    if end < m.vma[v].end:
        part_at(m, c, p, end)
    count = m.process[p].vma_count
    v = modify_vma(m, p, v, start, end, vm_flags)
    if file:
        count_users(m, file - 1, m.process[p].vma_count - count)
    return v


@kernel
def part_at(m, c, p, va):
    """A VMA will begin at `va`: no 2 MiB entry lies across it. Linux: vma_adjust_trans_huge."""
    if m.mmu and va & HUGE_MASK and m.process[p].levels == 4 and look_up(m, p, va) & P.PTE_PS:
        split_huge_entry(m, c, p, va, find_place(m, c, p, va, 1))
        shoot_down(m, c, p, va & ~HUGE_MASK, (va | HUGE_MASK) + 1)


@kernel
def may_part(m, v, va):
    """Whether VMA `v` may end, or begin, at `va`: of huge pages of the pool it takes whole ones. Linux: hugetlb_vm_op_split."""
    if not m.vma[v].vm_flags & P.VM_HUGETLB:
        return True
    return va & (m.file[m.vma[v].file - 1].pages << P.PAGE_SHIFT) - 1 == 0


@kernel
def cut_ends(m, t, v, start, end):
    """cut_out, where VMA `v` is the first that ends beyond `start`, or -1."""
    p, c = m.thread[t].process, m.thread[t].core
    if v < 0 or (m.vma[v].start < start and end < m.vma[v].end and m.process[p].vma_count >= P.MAX_MAP_COUNT):
        return
    for va in (start, end):
        v = find_vma(m, p, va)
        if v >= 0 and m.vma[v].start < va and may_part(m, v, va):
            part_at(m, c, p, va)
            split_mapping(m, p, v, va)


@kernel
def split_mapping(m, p, v, va):
    """cut_vma, for a mapping of a file too."""
    upper = cut_vma(m, p, v, va)
    if upper >= 0 and m.vma[v].file:
        get_file(m, m.vma[v].file - 1)
    return upper


@kernel
def forget_mapping(m, c, p, v):
    """Remove VMA `v` and what was counted for it; its pages are left to the caller."""
    vma = m.vma[v]
    pages = pages_of(m, v)
    m.process[p].peak_vm = max(m.process[p].peak_vm, m.process[p].total_vm)
    m.process[p].total_vm -= pages
    if vma.vm_flags & P.VM_ACCOUNT:
        uncharge(m, pages)
    if vma.vm_flags & P.VM_LOCKED:
        m.process[p].locked_vm -= pages
    file = vma.file
    drop_vma(m, p, v)
    if file:
        put_file(m, c, file - 1)

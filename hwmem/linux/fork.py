"""fork: a child with the parent's memory, its pages shared until one of them writes (copy-on-write).

Every private page that could be written becomes read-only in both; swap entries are doubled. A VMA that has no
anonymous memory of its own yet is copied without its entries: faults find them again (vma_needs_copy); one that is to be
wiped is copied without its pages.
The cost is real: a page-table entry read and written for each page, tables for the child, and a flush of the parent's
TLBs. Source: kernel/fork.c (dup_mmap), mm/memory.c (copy_pte_range), mm/huge_memory.c (copy_huge_pmd).
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import cold, kernel
from hwmem.linux.commit import charge
from hwmem.linux.exit import end_process
from hwmem.linux.page_table import deposit_table, frame_at, is_mapped, make_place, new_table, next_entry, read_entry, write_entry
from hwmem.linux.pages import count_rss
from hwmem.linux.rmap import HUGE_MAPPING, add_mapping
from hwmem.linux.shmem import get_file
from hwmem.linux.shootdown import finish_stores, shoot_down
from hwmem.linux.swap import slot_at
from hwmem.linux.vma import new_vma
from hwmem.linux.vma_tree import link_vma
from hwmem.linux.exec import task_end, take_process

HUGE_MASK = P.HUGE_PAGE - 1


@cold
def fork(m, t):
    """The child's number, or -EAGAIN / -ENOMEM. The child has no thread yet."""
    p, c = m.thread[t].process, m.thread[t].core
    q = take_process(m, m.process[p].layout)
    if q < 0:
        return -P.EAGAIN
    inherit(m, p, q)
    finish_stores(m, p)
    m.process[q].root = new_table(m, c, q) if m.mmu else 0
    failed = m.process[q].root < 0
    v = m.process[p].first_vma - 1
    while v >= 0 and not failed:
        failed = not copy_vma(m, c, p, q, v)
        v = m.vma[v].next - 1
    shoot_down(m, c, p, 0, task_end(m.process[p].layout))
    if failed:
        end_process(m, c, q)
        return -P.ENOMEM
    return q


@kernel
def inherit(m, p, q):
    parent, child = m.process[p], m.process[q]
    child.parent = p
    child.start_code, child.end_code, child.start_data, child.end_data = (
        parent.start_code,
        parent.end_code,
        parent.start_data,
        parent.end_data,
    )
    child.start_brk, child.brk, child.start_stack = parent.start_brk, parent.brk, parent.start_stack
    child.mmap_base, child.vdso, child.libc, child.max_fast = parent.mmap_base, parent.vdso, parent.libc, parent.max_fast
    child.limit_stack, child.limit_space, child.limit_locked = parent.limit_stack, parent.limit_space, parent.limit_locked
    child.tracked = parent.tracked
    child.limit_data, child.privileged, child.group, child.oom_adj = parent.limit_data, parent.privileged, parent.group, parent.oom_adj
    for s in range(len(child.segment_base)):
        child.segment_base[s], child.segment_limit[s] = parent.segment_base[s], parent.segment_limit[s]
        child.segment_rights[s] = parent.segment_rights[s]


@kernel
def copy_vma(m, c, p, q, v):
    """VMA `v` of process `p`, and its pages, for the child `q`; False without memory for it."""
    vma = m.vma[v]
    if vma.vm_flags & P.VM_DONTCOPY:
        return True
    pages = vma.end - vma.start >> P.PAGE_SHIFT
    if vma.vm_flags & P.VM_ACCOUNT and not charge(m, q, pages):
        return False
    w = new_vma(m, vma.start, vma.end, vma.vm_flags & ~(P.VM_LOCKED | P.VM_LOCKONFAULT), vma.pgoff, vma.file)
    if w < 0:
        return False
    link_vma(m, q, w)
    m.process[q].total_vm += pages
    if vma.file:
        get_file(m, vma.file - 1)
    if vma.vm_flags & P.VM_WIPEONFORK or not (vma.anon_vma or vma.vm_flags & P.VM_MAYBE_GUARD):
        return True
    if vma.anon_vma == 0:
        return copy_entries(m, c, p, q, v)
    m.mm.anon_vmas += 1
    m.vma[w].anon_vma, m.vma[w].inherited = m.mm.anon_vmas, 1
    return copy_entries(m, c, p, q, v)


@kernel
def copy_entries(m, c, p, q, v):
    end = m.vma[v].end
    table_end, leaf = np.int64(0), np.int64(0)
    va = next_entry(m, c, p, m.vma[v].start, end)
    while va < end:
        place = m.cursor.place
        if m.cursor.huge:
            if not copy_huge_entry(m, c, p, q, va, place):
                return False
            va = (va | HUGE_MASK) + 1
        else:
            if va >= table_end:
                leaf = make_place(m, c, q, va, 0)
                table_end = (va | (HUGE_MASK if m.process[p].levels == 4 else 2 * HUGE_MASK + 1)) + 1
            if leaf < 0:
                return False
            beside = (leaf & ~(P.PAGE - 1)) + (place & P.PAGE - 1)  # the same entry of the child's table
            write_entry(m, c, q, beside, share_entry(m, c, v, q, va, place))
            va += P.PAGE
        va = next_entry(m, c, p, va, end)
    return True


@kernel
def share_entry(m, c, v, q, va, place):
    """The entry of the child `q` for the page that the parent's at `place`, in VMA `v`, leads to, with all that is counted for it."""
    p, private = m.vma[v].process, not m.vma[v].vm_flags & P.VM_SHARED
    entry = read_entry(m, p, place)
    if entry == P.PTE_GUARD:
        return entry
    if not is_mapped(entry):
        m.swap_map[slot_at(entry)] += 1
        m.process[q].swapped += 1
        if entry & P.PTE_EXCLUSIVE:
            entry &= ~P.PTE_EXCLUSIVE
            write_entry(m, c, p, place, entry)
        return entry
    if private and entry & P.PTE_RW:
        entry &= ~P.PTE_RW
        write_entry(m, c, p, place, entry)
    frame = frame_at(entry)
    if frame:
        m.frame[frame].state &= ~P.FRAME_EXCLUSIVE
        add_mapping(m, frame, q, va)
        count_rss(m, q, frame, 1)
    return entry & ~(P.PTE_A if private else P.PTE_A | P.PTE_D)


@cold
def copy_huge_entry(m, c, p, q, va, place):
    """The same for a 2 MiB entry; False without memory for the child's tables."""
    start = va & ~HUGE_MASK
    beside = make_place(m, c, q, start, 1)
    table = new_table(m, c, q) if beside >= 0 else -1
    if table < 0:
        return False
    deposit_table(m, beside, table)
    entry = read_entry(m, p, place)
    if entry & P.PTE_RW:
        entry &= ~P.PTE_RW
        write_entry(m, c, p, place, entry)
    head = frame_at(entry)
    if head:
        m.frame[head].state &= ~P.FRAME_EXCLUSIVE
        add_mapping(m, head, q, start | HUGE_MAPPING)
        count_rss(m, q, head, P.HUGE_FRAMES)
    write_entry(m, c, q, beside, entry & ~P.PTE_A)
    return True

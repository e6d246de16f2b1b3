"""mprotect: other rights for a range's VMAs, and for the entries of its pages.

mprotect takes write from entries at once, and gives it at once to pages that are the process's own (EXCLUSIVE); all
others get it by a fault. PROT_NONE keeps the pages and hides them (params.PTE_PROTNONE).
Source: mm/mprotect.c (do_mprotect_pkey, mprotect_fixup, change_pte_range, can_change_pte_writable).
"""

from hwmem import params as P
from hwmem._jit import DOORS, kernel
from hwmem.linux.commit import charge, uncharge
from hwmem.linux.filemap import is_write_free
from hwmem.linux.page_table import frame_at, is_mapped, next_entry, read_entry, write_entry
from hwmem.linux.pages import split_huge_entry
from hwmem.linux.populate import lock_pages
from hwmem.linux.shootdown import finish_stores, shoot_down
from hwmem.linux.vma_tree import find_vma
from hwmem.linux.limits import may_expand
from hwmem.linux.ranges import range_end
from hwmem.linux.unmap import may_part, modify_mapping

HUGE_MASK = P.HUGE_PAGE - 1


@DOORS.door(P.DOOR_PROTECT)
def protect_call(m, t, call, a, b):
    return sys_mprotect(m, t, m.sys[0], m.sys[1], m.sys[2])


@kernel
def sys_mprotect(m, t, start, length, prot):
    """mprotect(2)."""
    p = m.thread[t].process
    grows = prot & (P.PROT_GROWSDOWN | P.PROT_GROWSUP)
    if start & P.PAGE - 1 or grows == P.PROT_GROWSDOWN | P.PROT_GROWSUP:
        return -P.EINVAL
    if length == 0:
        return 0
    end = range_end(start, length)
    if end <= start:
        return -P.ENOMEM
    if prot & ~(P.VM_ACCESS | P.PROT_SEM | grows):
        return -P.EINVAL
    prot &= P.VM_ACCESS
    v = find_vma(m, p, start)
    at = start
    if grows and v >= 0 and m.vma[v].start < end and (grows & P.PROT_GROWSDOWN or m.vma[v].start <= start):
        if grows & P.PROT_GROWSUP or not m.vma[v].vm_flags & P.VM_GROWSDOWN:
            return -P.EINVAL
        at = m.vma[v].start
    while at < end:
        if v < 0 or m.vma[v].start > at:
            return -P.ENOMEM
        stop = min(end, m.vma[v].end)
        v = protect_vma(m, t, v, at, stop, prot)
        if v < 0:
            return v
        at = stop
        v = find_vma(m, p, at)
    return 0


@kernel
def protect_vma(m, t, v, start, end, prot):
    """[start, end) of VMA `v` gets the rights `prot`; the VMA that holds it then, or -errno. Linux: mprotect_fixup."""
    p, c = m.thread[t].process, m.thread[t].core
    vma = m.vma[v]
    old = vma.vm_flags
    new = old & ~P.VM_ACCESS | prot
    if new == old:
        return v
    pages = end - start >> P.PAGE_SHIFT
    charged = prot & P.VM_WRITE and not old & (P.VM_ACCOUNT | P.VM_WRITE | P.VM_SHARED | P.VM_NORESERVE | P.VM_HUGETLB)
    released = not prot & P.VM_WRITE and old & P.VM_ACCOUNT and vma.file == 0 and vma.anon_vma == 0
    if prot & P.VM_WRITE and not may_expand(m, p, new, pages) and may_expand(m, p, old, pages):
        return -P.ENOMEM  # RLIMIT_DATA
    if not (may_part(m, v, start) and may_part(m, v, end)):
        return -P.EINVAL
    if charged:
        if not charge(m, p, pages):
            return -P.ENOMEM
        new |= P.VM_ACCOUNT
    elif released:
        new &= ~P.VM_ACCOUNT
    v = modify_mapping(m, c, v, start, end, new)
    if v < 0:
        if charged:
            uncharge(m, pages)
        return -P.ENOMEM
    if released:
        uncharge(m, pages)
    if m.mmu:
        finish_stores(m, p)
        change_entries(m, c, v, start, end, prot)
        shoot_down(m, c, p, start, end)
        if old & (P.VM_WRITE | P.VM_SHARED | P.VM_LOCKED) == P.VM_LOCKED and prot & P.VM_WRITE:
            lock_pages(m, c, p, start, end)  # what stays in RAM is there before it is written
    return v


@kernel
def change_entries(m, c, v, start, end, prot):
    """Bring the entries of [start, end) to the rights `prot` that VMA `v` has now."""
    p = m.vma[v].process
    va = next_entry(m, c, p, start, end)
    while va < end:
        place = m.cursor.place
        entry = read_entry(m, p, place)
        step = P.PAGE
        if m.cursor.huge:
            stop = (va | HUGE_MASK) + 1
            if va & HUGE_MASK or stop > end:
                split_huge_entry(m, c, p, va, place)
                va = next_entry(m, c, p, va, end)
                continue
            step = P.HUGE_PAGE
        if is_mapped(entry):
            changed = with_rights(m, entry, m.vma[v].vm_flags, prot)
            if changed != entry:
                write_entry(m, c, p, place, changed)
        va = next_entry(m, c, p, va + step, end)


@kernel
def with_rights(m, entry, vm_flags, prot):
    """The entry of a mapped page under other rights."""
    if prot == P.PROT_NONE:
        return entry & ~(P.PTE_P | P.PTE_RW) | P.PTE_PROTNONE
    entry = entry & ~(P.PTE_PROTNONE | P.PTE_RW) | P.PTE_P
    frame = frame_at(entry)
    if prot & P.PROT_WRITE and frame:
        free = is_write_free(m, frame, entry) if vm_flags & P.VM_SHARED else m.frame[frame].state & P.FRAME_EXCLUSIVE != 0
        entry |= P.PTE_RW if free and not entry & P.PTE_CLEARED else 0
    return entry

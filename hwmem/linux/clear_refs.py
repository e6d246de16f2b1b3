"""A write to /proc/PID/clear_refs: the record of a process's use of its pages is cleared, to be collected anew.

    1 all, 2 anonymous, 3 of files    not referenced: neither the entries nor the pages ("Referenced" of smaps)
    4                                 soft-dirty bits: pages are read-only, and the next write faults and sets it (pagemap's bit 55)
    5                                 the peak of RSS begins again (VmHWM)

Linux keeps the soft-dirty bit in the entry; here PTE_CLEARED says that it is clear, so that the feature costs nothing while unused: a page
that is written to loses the mark (anon.py, filemap.py, swapin.py, huge.py), and a page that is only read begins with it in a VMA that has
been cleared (VM_CLEARED). A new or enlarged mapping is dirty as a whole. Source: fs/proc/task_mmu.c (clear_refs_write,
clear_refs_pte_range, clear_soft_dirty), Documentation/admin-guide/mm/soft-dirty.rst.
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import DOORS, kernel
from hwmem.linux.exec import task_end
from hwmem.linux.page_table import frame_at, is_mapped, is_swapped, next_entry, read_entry, write_entry
from hwmem.linux.shootdown import finish_stores, shoot_down

HUGE_MASK = P.HUGE_PAGE - 1


@DOORS.door(P.DOOR_CLEAR_REFS)
def clear_refs(m, t, call, a, b):
    """The number written is m.sys[0]: 0, or -EINVAL."""
    p, c, kind = m.thread[t].process, m.thread[t].core, m.sys[0]
    process = m.process[p]
    if not P.CLEAR_REFS_ALL <= kind <= P.CLEAR_REFS_MM_HIWATER_RSS:
        return -P.EINVAL
    if kind == P.CLEAR_REFS_MM_HIWATER_RSS:
        process.peak = process.anon + process.file + process.shared
        return 0
    if kind == P.CLEAR_REFS_SOFT_DIRTY:
        process.tracked = 1
    finish_stores(m, p)
    v = process.first_vma - 1
    while v >= 0:
        if kind == P.CLEAR_REFS_SOFT_DIRTY:
            m.vma[v].vm_flags |= P.VM_CLEARED
        if kind != (P.CLEAR_REFS_ANON if m.vma[v].file else P.CLEAR_REFS_MAPPED) and not m.vma[v].vm_flags & P.VM_SPECIAL:
            clear_vma(m, c, v, kind)
        v = m.vma[v].next - 1
    if kind == P.CLEAR_REFS_SOFT_DIRTY:  # else no TLB is flushed, and what one knows stays unreferenced
        shoot_down(m, c, p, 0, task_end(process.layout))
    return 0


@kernel
def clear_vma(m, c, v, kind):
    p, end = np.int64(m.vma[v].process), m.vma[v].end
    va = next_entry(m, c, p, m.vma[v].start, end)
    while va < end:
        place = m.cursor.place
        entry = read_entry(m, p, place)
        if kind == P.CLEAR_REFS_SOFT_DIRTY:
            if is_mapped(entry) or is_swapped(entry):
                write_entry(m, c, p, place, (entry & ~P.PTE_RW if is_mapped(entry) else entry) | P.PTE_CLEARED)
        elif is_mapped(entry) and frame_at(entry):
            m.frame[frame_at(entry)].state &= ~P.FRAME_REFERENCED
            if entry & P.PTE_A:
                write_entry(m, c, p, place, entry & ~P.PTE_A)
        va = next_entry(m, c, p, (va | HUGE_MASK) + 1 if m.cursor.huge else va + P.PAGE, end)

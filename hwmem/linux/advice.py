"""Advice that few programs give: madvise.py comes here through a door, VMA by VMA.

    COLD, PAGEOUT       pages to the tail of the inactive list; out to the swap device
    COLLAPSE            huge pages now
    REMOVE              what the range maps of a file, or of shared memory, is zero from now on, for everybody
    GUARD_INSTALL       nothing is there from now on, and no access passes: entries PTE_GUARD, without a VMA of their own.
                        They outlive DONTNEED, go with fork and mremap, and go away with the mapping or by GUARD_REMOVE

Source: mm/madvise.c (madvise_cold_or_pageout_pte_range, madvise_collapse, madvise_remove, madvise_guard_install).
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import DOORS, cold, kernel
from hwmem.linux.aging import deactivate
from hwmem.linux.evict import page_out
from hwmem.linux.filemap import unmap_everywhere
from hwmem.linux.frames import give_frame
from hwmem.linux.huge import collapse, split_page
from hwmem.linux.page_cache import find_page, leave_cache
from hwmem.linux.page_table import find_place, frame_at, is_mapped, make_place, next_entry, read_entry, write_entry
from hwmem.linux.pages import is_single, zap_range
from hwmem.linux.readahead import await_page, pages_in
from hwmem.linux.shmem import drop_shared_page
from hwmem.linux.shootdown import shoot_down
from hwmem.linux.vma import prepare_anon
from hwmem.memory.ram import disk_page, release_host

HUGE_MASK = P.HUGE_PAGE - 1
KEPT = P.VM_LOCKED | P.VM_SPECIAL | P.VM_HUGETLB  # VMAs that pages are not taken from


@DOORS.door(P.DOOR_ADVICE)
def advice_call(m, t, v, advice, b):
    """`advice` for [m.sys[0], m.sys[1]), all of VMA `v`: 0, or -errno. Stores have reached their frames."""
    c, start, end = m.thread[t].core, m.sys[0], m.sys[1]
    flags = m.vma[v].vm_flags
    if advice == P.MADV_COLD or advice == P.MADV_PAGEOUT:
        return -P.EINVAL if flags & KEPT else cool(m, c, v, start, end, advice == P.MADV_PAGEOUT)
    if advice == P.MADV_COLLAPSE:
        return collapse_range(m, c, v, start, end)
    if advice == P.MADV_REMOVE:
        return remove_range(m, c, v, start, end)
    if advice == P.MADV_GUARD_INSTALL:
        return -P.EINVAL if flags & KEPT else install_guards(m, c, v, start, end)
    return -P.EINVAL if flags & (P.VM_SPECIAL | P.VM_HUGETLB) else remove_guards(m, c, v, start, end)


@cold
def cool(m, c, v, start, end, out):
    """MADV_COLD, and with `out` MADV_PAGEOUT: pages that only this process maps. Linux: madvise_cold_or_pageout_pte_range."""
    p = m.vma[v].process
    va = next_entry(m, c, p, start, end)
    while va < end:
        place, huge = m.cursor.place, m.cursor.huge
        entry = read_entry(m, p, place)
        frame = frame_at(entry) if is_mapped(entry) else 0
        stop = (va | HUGE_MASK) + 1 if huge else va + P.PAGE
        if frame and is_single(m, frame):
            if huge and (out or va & HUGE_MASK or stop > end):
                split_page(m, c, v, va, place)
                stop = va
            else:
                cool_page(m, c, p, place, frame, out)
        va = next_entry(m, c, p, stop, end)
    shoot_down(m, c, p, start, end)
    return 0


@kernel
def cool_page(m, c, p, place, frame, out):
    """The page that the entry at `place` leads to has not been used lately, or goes out."""
    entry = read_entry(m, p, place)
    if entry & P.PTE_A:
        write_entry(m, c, p, place, entry & ~P.PTE_A)
    if out:
        page_out(m, c, frame)
    else:
        deactivate(m, frame)


@cold
def collapse_range(m, c, v, start, end):
    """MADV_COLLAPSE: every aligned 2 MiB of the range; pages missing are no hindrance, but where there is no table yet it ends.
    The last failure's -errno, or 0. Linux: madvise_collapse, __thp_vma_allowable_orders."""
    vma = m.vma[v]
    if vma.file or vma.anon_vma == 0 or vma.vm_flags & (P.VM_SPECIAL | P.VM_NOHUGEPAGE):
        return -P.EINVAL
    va, end = start + HUGE_MASK & ~HUGE_MASK, end & ~HUGE_MASK
    if va > end or vma.end - P.HUGE_PAGE & ~HUGE_MASK < vma.start:
        return -P.EINVAL
    failed = 0
    for unit in range(va, end, P.HUGE_PAGE):
        middle = find_place(m, c, vma.process, unit, 1)
        if middle < 0 or read_entry(m, vma.process, middle) == 0:
            return -P.EINVAL
        result = collapse(m, c, v, unit, 0)
        failed = result if result else failed
    return failed


@cold
def remove_range(m, c, v, start, end):
    """MADV_REMOVE: a hole in what a shared mapping maps, of the same pages."""
    vma = m.vma[v]
    if vma.vm_flags & P.VM_LOCKED or vma.file == 0:
        return -P.EINVAL
    if not vma.vm_flags & P.VM_SHARED:
        return -P.EACCES
    first = vma.pgoff + (start - vma.start >> P.PAGE_SHIFT)
    punch_hole(m, c, np.int64(vma.file) - 1, first, first + (end - start >> P.PAGE_SHIFT))
    return 0


@kernel
def punch_hole(m, c, file, first, end):
    """Pages [first, end) of a file, or of shared memory, are zero, in memory and on the disk; private copies stay as they are.
    Linux: fallocate(FALLOC_FL_PUNCH_HOLE)."""
    f = m.file[file]
    end = min(end, pages_in(m, file))
    for index in range(first, end):
        held = find_page(m, file, index)
        if held > 0:
            await_page(m, c, held)
            unmap_everywhere(m, c, held)
        if f.shared:
            drop_shared_page(m, c, file, index)
        elif held:
            leave_cache(m, held)
            give_frame(m, c, held)
    if first < end and not f.shared:
        release_host(disk_page(m, f.first + first), end - first << P.PAGE_SHIFT)


@cold
def install_guards(m, c, v, start, end):
    """MADV_GUARD_INSTALL; -ENOMEM without a frame for a table."""
    p = np.int64(m.vma[v].process)
    m.vma[v].vm_flags |= P.VM_MAYBE_GUARD
    if m.vma[v].file == 0:
        prepare_anon(m, v)
    zap_range(m, c, p, start, end, 0)
    shoot_down(m, c, p, start, end)
    for va in range(start, end, P.PAGE):
        place = make_place(m, c, p, va, 0)
        if place < 0:
            return -P.ENOMEM
        if read_entry(m, p, place) == 0:
            write_entry(m, c, p, place, P.PTE_GUARD)
    return 0


@cold
def remove_guards(m, c, v, start, end):
    """MADV_GUARD_REMOVE: 0. What else is in the range stays."""
    p = np.int64(m.vma[v].process)
    va = next_entry(m, c, p, start, end)
    while va < end:
        if not m.cursor.huge and read_entry(m, p, m.cursor.place) == P.PTE_GUARD:
            write_entry(m, c, p, m.cursor.place, 0)
        va = next_entry(m, c, p, (va | HUGE_MASK) + 1 if m.cursor.huge else va + P.PAGE, end)
    return 0

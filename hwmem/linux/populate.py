"""Pages brought in before they are touched, and pages kept: MAP_POPULATE, MADV_POPULATE_*, mlock.

Populating faults page by page, as accesses would, and counts as faults. A locked page (FRAME_MLOCKED) is on the
unevictable list, where reclaim does not look. Source: mm/gup.c (populate_vma_page_range), mm/mlock.c.
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import DOORS, call_door, kernel
from hwmem.linux.lru import lru_move
from hwmem.linux.page_cache import mark_accessed, mark_dirty
from hwmem.linux.page_table import find_place, frame_at, is_mapped, look_up, next_entry, read_entry, write_entry
from hwmem.linux.pages import unlock_frame
from hwmem.linux.vma_tree import find_vma, vma_at

HUGE_MASK = P.HUGE_PAGE - 1
GUARDED = -P.EACCES  # what a fault on a guard results in


@DOORS.door(P.DOOR_POPULATE)
def populate_call(m, t, start, end, locked):
    """A new mapping [start, end) of thread `t`'s process, with MAP_POPULATE or (`locked`) under a lock: 0, or -errno."""
    p, c = m.thread[t].process, m.thread[t].core
    return lock_pages(m, c, p, start, end) if locked else populate(m, c, p, start, end, False)


@kernel
def populate(m, c, p, start, end, all_of_it):
    """Bring in every mapped page of [start, end): for a write where it would be the process's own. 0, or -errno at the first
    that cannot be had, where it ends; with `all_of_it` it goes on with the next VMA. Linux: __mm_populate,
    populate_vma_page_range."""
    v = find_vma(m, p, start)
    while v >= 0 and m.vma[v].start < end:
        flags = m.vma[v].vm_flags
        if not flags & (P.VM_SPECIAL | P.VM_LOCKONFAULT):
            private = flags & (P.VM_WRITE | P.VM_SHARED) == P.VM_WRITE
            failed = (
                -P.EFAULT if not flags & P.VM_ACCESS else fault_in(m, c, v, max(start, m.vma[v].start), min(end, m.vma[v].end), private)
            )
            if failed and not all_of_it:
                return failed
        v = m.vma[v].next - 1
    return 0


@kernel
def populate_for(m, c, p, start, end, write):
    """Bring in every page of [start, end) for a read, or a write: 0, or -errno at the first that cannot be had.

    Linux: faultin_page_range, check_vma_flags.
    """
    needed = P.VM_WRITE if write else P.VM_READ
    while start < end:
        v = vma_at(m, p, start)
        if v < 0:
            return -P.ENOMEM
        if not m.vma[v].vm_flags & needed or m.vma[v].vm_flags & P.VM_SPECIAL:
            return -P.EINVAL
        stop = min(end, m.vma[v].end)
        failed = fault_in(m, c, v, start, stop, write)
        if failed:
            return failed
        start = stop
    return 0


@kernel
def fault_in(m, c, v, start, end, write):
    """Fault on every page of [start, end), all of VMA `v`, that needs it, and touch it; 0, or -errno. Linux: __get_user_pages."""
    p = np.int64(m.vma[v].process)
    va = start
    while va < end:
        if m.core[c].cycles >= m.until:  # the program is to stop, as by a signal that kills it
            return -P.EINTR
        if not is_ready(m, p, va, write):
            result = call_door(m, P.DOOR_HANDLE_FAULT, c, v, va, write)
            if result < 0:
                return -P.EFAULT if result == GUARDED else result
        va += touch(m, c, p, va, write)
    return 0


@kernel
def touch(m, c, p, va, write):
    """The page at `va` has been used, and with `write` written, by whoever brought it in: so pages that were lazily free stay,
    and reclaim knows them as used. How many bytes that settles. Linux: follow_page_pte, touch_pmd (FOLL_TOUCH)."""
    entry = look_up(m, p, va)
    frame = frame_at(entry)
    if entry & P.PTE_PS:
        used = entry | P.PTE_A | (P.PTE_D if write else 0)
        if used != entry and frame:
            write_entry(m, c, p, find_place(m, c, p, va, 1), used)
        return P.HUGE_PAGE - (va & HUGE_MASK)
    if frame:
        if write and not entry & P.PTE_D and m.frame[frame].state & P.FRAME_CACHED:
            mark_dirty(m, frame)
        elif write and not entry & P.PTE_D:
            m.frame[frame].state |= P.FRAME_DIRTY
        mark_accessed(m, frame)
    return P.PAGE


@kernel
def is_ready(m, p, va, write):
    """Whether the tables let `va` be accessed already."""
    wanted = P.PTE_P | (P.PTE_RW if write else 0)
    return look_up(m, p, va) & wanted == wanted


@kernel
def lock_pages(m, c, p, start, end):
    """Every page of [start, end) is brought in and kept; 0, or -errno."""
    failed = populate(m, c, p, start, end, False)
    mark_locked(m, c, p, start, end)
    return failed


@kernel
def mark_locked(m, c, p, start, end):
    """The frames of the locked VMAs of [start, end) are unevictable."""
    v = find_vma(m, p, start)
    while v >= 0 and m.vma[v].start < end:
        if m.vma[v].vm_flags & P.VM_LOCKED:
            mark_frames(m, c, p, max(start, m.vma[v].start), min(end, m.vma[v].end), 1)
        v = m.vma[v].next - 1


@kernel
def mark_frames(m, c, p, start, end, locked):
    """Frames mapped in [start, end) become unevictable, or evictable again."""
    va = next_entry(m, c, p, start, end)
    while va < end:
        entry = read_entry(m, p, m.cursor.place)
        frame = frame_at(entry) if is_mapped(entry) else 0
        if frame and m.frame[frame].lru:
            if locked:
                keep_frame(m, frame)
            elif m.frame[frame].state & P.FRAME_MLOCKED:
                unlock_frame(m, frame)
        va = next_entry(m, c, p, (va | HUGE_MASK) + 1 if m.cursor.huge else va + P.PAGE, end)


@kernel
def keep_frame(m, frame):
    """A frame on a list that reclaim takes from is unevictable from now on."""
    if m.frame[frame].lru != P.LRU_UNEVICTABLE:
        m.frame[frame].state |= P.FRAME_MLOCKED
        lru_move(m, frame, P.LRU_UNEVICTABLE)
        m.vmstat.unevictable_pgs_mlocked += 1


@kernel
def keep_page(m, p, va):
    """The page at `va`, just faulted in, is in a locked VMA. Linux: mlock_vma_folio, where the reverse mapping is added."""
    entry = look_up(m, p, va)
    frame = frame_at(entry) if is_mapped(entry) else 0
    if frame and m.frame[frame].lru:
        keep_frame(m, frame)

"""Pages brought in before they are touched, and pages kept: MAP_POPULATE, MADV_POPULATE_*, mlock.

Populating faults page by page, as accesses would, and counts as faults. A locked page (FRAME_MLOCKED) is on the
unevictable list, where reclaim does not look. Source: mm/gup.c (populate_vma_page_range), mm/mlock.c.
"""
from hwmem import params as P
from hwmem._jit import call_door, kernel
from hwmem.linux.lru import lru_move
from hwmem.linux.page_table import frame_at, is_mapped, look_up, next_entry, read_entry
from hwmem.linux.vma_tree import find_vma, vma_at

HUGE_MASK = P.HUGE_PAGE - 1


@kernel
def populate(m, c, p, start, end):
    """Bring in every mapped page of [start, end): for a write where it would be the process's own. 0, or -errno at the first
    VMA that nobody may touch. Linux: __mm_populate, populate_vma_page_range."""
    v = find_vma(m, p, start)
    while v >= 0 and m.vma[v].start < end:
        flags = m.vma[v].vm_flags
        if not flags & P.VM_SPECIAL:
            if not flags & P.VM_ACCESS:
                return -P.EFAULT
            private = flags & (P.VM_WRITE | P.VM_SHARED) == P.VM_WRITE
            failed = fault_in(m, c, v, max(start, m.vma[v].start), min(end, m.vma[v].end), private)
            if failed:
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
    """Fault on every page of [start, end), all of VMA `v`, that needs it; 0, or -errno."""
    p = m.vma[v].process
    for va in range(start, end, P.PAGE):
        if m.core[c].cycles >= m.until:                     # the program is to stop, as by a signal that kills it
            return -P.EINTR
        if not is_ready(m, p, va, write):
            result = call_door(m, P.DOOR_HANDLE_FAULT, c, v, va, write)
            if result < 0:
                return result
    return 0


@kernel
def is_ready(m, p, va, write):
    """Whether the tables let `va` be accessed already."""
    wanted = P.PTE_P | (P.PTE_RW if write else 0)
    return look_up(m, p, va) & wanted == wanted


@kernel
def lock_pages(m, c, p, start, end):
    """Every page of [start, end) is brought in and kept; 0, or -errno."""
    failed = populate(m, c, p, start, end)
    mark_frames(m, c, p, start, end, 1)
    return failed


@kernel
def mark_frames(m, c, p, start, end, locked):
    """Frames mapped in [start, end) become unevictable, or evictable again."""
    va = next_entry(m, c, p, start, end)
    while va < end:
        entry = read_entry(m, p, m.cursor.place)
        frame = frame_at(entry) if is_mapped(entry) else 0
        if frame and m.frame[frame].lru:
            if locked and m.frame[frame].lru != P.LRU_UNEVICTABLE:
                m.frame[frame].state |= P.FRAME_MLOCKED
                lru_move(m, frame, P.LRU_UNEVICTABLE)
                m.vmstat.unevictable_pgs_mlocked += 1
            elif not locked and m.frame[frame].state & P.FRAME_MLOCKED:
                m.frame[frame].state &= ~P.FRAME_MLOCKED
                lru_move(m, frame, P.LRU_INACTIVE_ANON if m.frame[frame].state & P.FRAME_SWAPBACKED else P.LRU_INACTIVE_FILE)
                m.vmstat.unevictable_pgs_munlocked += 1
        va = next_entry(m, c, p, (va | HUGE_MASK) + 1 if m.cursor.huge else va + P.PAGE, end)

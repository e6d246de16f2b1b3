"""Pages brought in before they are touched, and pages kept: MAP_POPULATE, MADV_POPULATE_*, mlock.

Populating faults page by page, as accesses would, and counts as faults. A locked page (FRAME_MLOCKED) is on the
unevictable list, where reclaim does not look. Source: mm/gup.c (populate_vma_page_range), mm/mlock.c.
"""
from hwmem import params as P
from hwmem._jit import kernel
from hwmem.linux.fault import handle_fault
from hwmem.linux.lru import lru_move
from hwmem.linux.page_table import frame_at, is_mapped, look_up, next_entry, read_entry
from hwmem.linux.vma_tree import find_vma

HUGE_MASK = P.HUGE_PAGE - 1


@kernel
def populate(m, c, p, start, end, write):
    """Bring in every page of [start, end) as an access would (`write`: for writing where the VMA lets it); 0, or -errno.

    Linux: populate_vma_page_range, faultin_page.
    """
    v = find_vma(m, p, start)
    va = start
    while va < end:
        if v < 0 or m.vma[v].start > va:
            return -P.ENOMEM
        stop = min(end, m.vma[v].end)
        flags = m.vma[v].vm_flags
        if not flags & P.VM_ACCESS or (write and not flags & P.VM_WRITE):
            return -P.EFAULT
        for_write = write or flags & (P.VM_WRITE | P.VM_SHARED) == P.VM_WRITE
        while va < stop:
            if not is_ready(m, p, va, for_write):
                result = handle_fault(m, c, v, va, for_write)
                if result < 0:
                    return result
            va += P.PAGE
        v = m.vma[v].next - 1
    return 0


@kernel
def is_ready(m, p, va, write):
    """Whether the tables let `va` be accessed already."""
    wanted = P.PTE_P | (P.PTE_RW if write else 0)
    return look_up(m, p, va) & wanted == wanted


@kernel
def lock_pages(m, c, p, start, end):
    """Every page of [start, end) is brought in and kept; 0, or -errno."""
    failed = populate(m, c, p, start, end, False)
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

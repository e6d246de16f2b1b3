"""madvise and mincore: advice on a program's pages, and whether they are resident.

    DONTNEED       the pages go at once; the next touch finds zeros (or the file); DONTNEED_LOCKED: locked ones too
    FREE           clean from now on, dropped when memory is short; a write before that takes it back
    WILLNEED       swapped pages are read back
    HUGEPAGE, NOHUGEPAGE, DONTFORK, DOFORK, WIPEONFORK, KEEPONFORK, DONTDUMP, DODUMP, SEQUENTIAL, RANDOM, NORMAL     flags of the VMA
    POPULATE_*     faults without accesses
    COLD, PAGEOUT, COLLAPSE, REMOVE, GUARD_INSTALL, GUARD_REMOVE    behind a door of their own (advice.py)

A hole in the range makes the call fail with ENOMEM after the mapped parts have been served. The kernel moves lazily
freed pages in batches of 31 a core; here they move at once. Source: mm/madvise.c, mm/mincore.c.
"""

from hwmem import params as P
from hwmem._jit import DOORS, call_door, cold, kernel
from hwmem.core.access import store8
from hwmem.linux.exec import task_end
from hwmem.linux.filemap import cached_at
from hwmem.linux.huge import split_page
from hwmem.linux.lru import lru_move
from hwmem.linux.page_table import frame_at, free_leaf_tables, is_mapped, is_swapped, look_up, next_entry, read_entry, write_entry
from hwmem.linux.pages import is_single, put_swap, zap_range
from hwmem.linux.populate import populate_for
from hwmem.linux.readahead import will_need
from hwmem.linux.shootdown import finish_stores, shoot_down
from hwmem.linux.swap import cached_frame, leave_swap_cache, slot_at
from hwmem.linux.swapin import read_ahead_range
from hwmem.linux.vma_tree import find_vma, vma_at
from hwmem.linux.ranges import range_end, round_up
from hwmem.linux.unmap import may_part, modify_mapping

HUGE_MASK = P.HUGE_PAGE - 1
KEPT = P.VM_LOCKED | P.VM_SPECIAL  # VMAs that pages are not taken from
HINTS = P.VM_SEQUENTIAL | P.VM_RANDOM
CHUNK = 4096  # pages that mincore tells of at a time: a page of bytes
OTHER = -2  # advised_flags: what advice.py does


@DOORS.door(P.DOOR_MADVISE)
def madvise_call(m, t, call, a, b):
    s = m.sys
    if call == P.SYS_MADVISE:
        return sys_madvise(m, t, s[0], s[1], s[2] & P.UINT_MASK)
    return sys_mincore(m, t, s[0], s[1], s[2])


@kernel
def sys_madvise(m, t, start, length, advice):
    """madvise(2)."""
    p = m.thread[t].process
    if not is_advice(advice) or start & P.PAGE - 1:
        return -P.EINVAL
    end = range_end(start, length)
    if end < start or (end == start and length):
        return -P.EINVAL
    if end == start:
        return 0
    if advice == P.MADV_POPULATE_READ or advice == P.MADV_POPULATE_WRITE:
        return populate_for(m, m.thread[t].core, p, start, end, advice == P.MADV_POPULATE_WRITE)
    finish_stores(m, p)
    hole = False
    at = start
    v = find_vma(m, p, at)
    while at < end:
        if v < 0 or m.vma[v].start >= end:
            return -P.ENOMEM
        if m.vma[v].start > at:
            hole = True
            at = m.vma[v].start
        stop = min(end, m.vma[v].end)
        failed = advise(m, t, v, at, stop, advice)
        if failed:
            return failed
        at = stop
        v = find_vma(m, p, at)
    return -P.ENOMEM if hole else 0


@kernel
def is_advice(advice):
    return (
        P.MADV_NORMAL <= advice <= P.MADV_DONTNEED
        or P.MADV_FREE <= advice <= P.MADV_DOFORK
        or P.MADV_HUGEPAGE <= advice <= P.MADV_COLLAPSE
        or advice == P.MADV_GUARD_INSTALL
        or advice == P.MADV_GUARD_REMOVE
    )


@kernel
def advise(m, t, v, start, end, advice):
    """`advice` for [start, end), all of VMA `v`: 0, or -errno."""
    p, c = m.thread[t].process, m.thread[t].core
    flags = m.vma[v].vm_flags
    if advice == P.MADV_DONTNEED or advice == P.MADV_DONTNEED_LOCKED:
        if flags & P.VM_HUGETLB:  # nothing is there
            return 0 if may_part(m, v, start) else -P.EINVAL
        if flags & (KEPT if advice == P.MADV_DONTNEED else P.VM_SPECIAL):
            return -P.EINVAL
        if m.mmu and zap_range(m, c, p, start, end, 0) + free_leaf_tables(m, c, p, start, end):
            shoot_down(m, c, p, start, end)
        return 0
    if advice == P.MADV_FREE:
        if m.vma[v].file or flags & KEPT:
            return -P.EINVAL
        return lazily_free(m, c, v, start, end)
    if advice == P.MADV_WILLNEED:
        if flags & P.VM_HUGETLB:
            return 0
        if m.vma[v].file:
            first = m.vma[v].pgoff + (start - m.vma[v].start >> P.PAGE_SHIFT)
            will_need(m, c, m.vma[v].file - 1, first, end - start >> P.PAGE_SHIFT)
            return 0
        return read_ahead_range(m, c, v, start, end)
    new = advised_flags(m, v, advice)
    if new == OTHER:
        m.sys[0], m.sys[1] = start, end
        return call_door(m, P.DOOR_ADVICE, t, v, advice, 0)
    if new < 0 or (new != flags and not (may_part(m, v, start) and may_part(m, v, end))):
        return -P.EINVAL
    if new != flags and modify_mapping(m, c, v, start, end, new) < 0:
        return -P.EAGAIN
    return 0


@kernel
def advised_flags(m, v, advice):
    """vm_flags of VMA `v` after an advice that changes only them; -1: it does not apply; OTHER: it changes more."""
    flags = m.vma[v].vm_flags
    if advice == P.MADV_HUGEPAGE:
        return flags & ~P.VM_NOHUGEPAGE | P.VM_HUGEPAGE
    if advice == P.MADV_NOHUGEPAGE:
        return flags & ~P.VM_HUGEPAGE | P.VM_NOHUGEPAGE
    if advice == P.MADV_DONTFORK:
        return flags | P.VM_DONTCOPY
    if advice == P.MADV_DOFORK:
        return -1 if flags & P.VM_SPECIAL else flags & ~P.VM_DONTCOPY
    if advice == P.MADV_WIPEONFORK:
        return -1 if m.vma[v].file or flags & P.VM_SHARED else flags | P.VM_WIPEONFORK
    if advice == P.MADV_KEEPONFORK:
        return -1 if flags & P.VM_DROPPABLE else flags & ~P.VM_WIPEONFORK
    if advice == P.MADV_DONTDUMP:
        return flags | P.VM_DONTDUMP
    if advice == P.MADV_DODUMP:
        return -1 if flags & (P.VM_SPECIAL | P.VM_DROPPABLE) else flags & ~P.VM_DONTDUMP
    if advice > P.MADV_RANDOM and advice != P.MADV_SEQUENTIAL:
        return OTHER
    return flags & ~HINTS | (P.VM_SEQUENTIAL if advice == P.MADV_SEQUENTIAL else P.VM_RANDOM if advice == P.MADV_RANDOM else 0)


@cold
def lazily_free(m, c, v, start, end):
    """MADV_FREE. Linux: madvise_free_pte_range, madvise_free_huge_pmd."""
    p = m.vma[v].process
    changed = False
    va = next_entry(m, c, p, start, end)
    while va < end:
        place = m.cursor.place
        entry = read_entry(m, p, place)
        if m.cursor.huge:
            stop = (va | HUGE_MASK) + 1
            head = frame_at(entry)
            if head and is_single(m, head):
                if va & HUGE_MASK or stop > end:
                    split_page(m, c, v, va, place)
                    va = next_entry(m, c, p, va, end)
                    continue
                free_later(m, c, p, place, entry, head)
                changed = True
            va = next_entry(m, c, p, stop, end)
            continue
        if is_mapped(entry):
            frame = frame_at(entry)
            if frame and can_free_later(m, frame):
                free_later(m, c, p, place, entry, frame)
                changed = True
        elif is_swapped(entry):
            write_entry(m, c, p, place, 0)
            m.process[p].swapped -= 1
            put_swap(m, c, slot_at(entry))
        va = next_entry(m, c, p, va + P.PAGE, end)
    if changed:
        shoot_down(m, c, p, start, end)
    return 0


@kernel
def can_free_later(m, frame):
    """Whether a page may become lazily free: a page of the swap cache, or a dirty one, only while it is unshared."""
    f = m.frame[frame]
    if not f.state & P.FRAME_ANON or f.state & (P.FRAME_HEAD | P.FRAME_TAIL):
        return False
    if f.slot == 0 and not f.state & P.FRAME_DIRTY:
        return True
    return is_single(m, frame) and (f.slot == 0 or leave_swap_cache(m, frame))


@kernel
def free_later(m, c, p, place, entry, frame):
    """The page is clean, old and lazily free from now on."""
    f = m.frame[frame]
    if entry & (P.PTE_D | P.PTE_A):
        write_entry(m, c, p, place, entry & ~(P.PTE_D | P.PTE_A))
    f.state &= ~P.FRAME_DIRTY
    if f.state & P.FRAME_SWAPBACKED and f.lru != P.LRU_UNEVICTABLE:
        f.state &= ~(P.FRAME_SWAPBACKED | P.FRAME_REFERENCED)
        lru_move(m, frame, P.LRU_INACTIVE_FILE)
        m.vmstat.pglazyfree += 1


@kernel
def sys_mincore(m, t, start, length, vector):
    """mincore(2): a byte a page at `vector`, 1 where the page is in RAM; with `vector` 0 only the answer. A VMA's bytes are written, CHUNK
    pages at a time, before the next VMA is looked up."""
    p = m.thread[t].process
    last = task_end(m.process[p].layout)
    if start & P.PAGE - 1:
        return -P.EINVAL
    if start < 0 or length < 0 or start > last - length:  # access_ok
        return -P.ENOMEM
    end = start + round_up(length)
    if vector < 0 or vector > last - (end - start >> P.PAGE_SHIFT):
        return -P.EFAULT
    va = start
    while va < end:
        v = vma_at(m, p, va)
        if v < 0:
            return -P.ENOMEM
        stop = min(end, m.vma[v].end)
        if vector:
            stop = min(stop, va + CHUNK * P.PAGE)
            if not tell_resident(m, t, v, va, stop, vector + (va - start >> P.PAGE_SHIFT)):
                return -P.EFAULT
        va = stop
    return 0


@cold
def tell_resident(m, t, v, start, end, vector):
    """mincore's bytes for the pages of [start, end), in VMA `v`; False where `vector` cannot be written."""
    p, c = m.thread[t].process, m.thread[t].core
    if populate_for(m, c, p, vector & ~(P.PAGE - 1), round_up(vector + (end - start >> P.PAGE_SHIFT)), 1) < 0:
        return False
    for va in range(start, end, P.PAGE):
        store8(m, t, vector + (va - start >> P.PAGE_SHIFT), is_resident(m, c, v, va))
    return True


@kernel
def is_resident(m, c, v, va):
    """1 if the page `va` of VMA `v` can be accessed without the disk, by mincore's definition."""
    p = m.vma[v].process
    entry = look_up(m, p, va)
    if is_mapped(entry):
        return 1
    if is_swapped(entry):
        return 1 if cached_frame(m, slot_at(entry)) else 0
    file = m.vma[v].file
    return cached_at(m, c, file - 1, m.vma[v].pgoff + (va - m.vma[v].start >> P.PAGE_SHIFT)) if file else 0

"""madvise and mincore: what a program says of its pages, and what it may know of them.

    DONTNEED       the pages go at once; the next touch finds zeros (or the file)
    FREE           clean from now on, dropped when memory is short; a write before that takes it back
    COLD, PAGEOUT  to the tail of the inactive list; out to the swap device
    WILLNEED       swapped pages are read back
    HUGEPAGE, NOHUGEPAGE, DONTFORK, DOFORK, SEQUENTIAL, RANDOM, NORMAL     flags of the VMA
    POPULATE_*     faults without accesses;  COLLAPSE: huge pages now

A hole in the range makes the call fail with ENOMEM after the mapped parts have been served. The kernel moves lazily
freed pages in batches of 31 a core; here they move at once. Source: mm/madvise.c, mm/mincore.c.
"""
from hwmem import params as P
from hwmem._jit import DOORS, cold, kernel
from hwmem.core.access import store8
from hwmem.linux.aging import deactivate
from hwmem.linux.evict import page_out
from hwmem.linux.populate import populate_for
from hwmem.linux.filemap import cached_at
from hwmem.linux.huge import collapse, split_page
from hwmem.linux.lru import lru_move
from hwmem.linux.mapping import modify_mapping, range_end, round_up
from hwmem.linux.page_table import (find_place, frame_at, free_leaf_tables, is_mapped, look_up, next_entry, read_entry,
                                    write_entry)
from hwmem.linux.pages import put_swap, zap_range
from hwmem.linux.readahead import will_need
from hwmem.linux.shootdown import finish_stores, shoot_down
from hwmem.linux.swap import cached_frame, leave_swap_cache, slot_at
from hwmem.linux.swapin import read_ahead_range
from hwmem.linux.vma_tree import find_vma

HUGE_MASK = P.HUGE_PAGE - 1
KEPT = P.VM_LOCKED | P.VM_SPECIAL       # VMAs that pages are not taken from
HINTS = P.VM_SEQUENTIAL | P.VM_RANDOM


@DOORS.door(P.DOOR_MADVISE)
def madvise_call(m, t, call, a, b):
    s = m.sys
    if call == P.SYS_MADVISE:
        return sys_madvise(m, t, s[0], s[1], s[2])
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
    return advice in (P.MADV_NORMAL, P.MADV_RANDOM, P.MADV_SEQUENTIAL, P.MADV_WILLNEED, P.MADV_DONTNEED, P.MADV_FREE,
                      P.MADV_DONTFORK, P.MADV_DOFORK, P.MADV_HUGEPAGE, P.MADV_NOHUGEPAGE, P.MADV_COLD, P.MADV_PAGEOUT,
                      P.MADV_POPULATE_READ, P.MADV_POPULATE_WRITE, P.MADV_COLLAPSE)


@kernel
def advise(m, t, v, start, end, advice):
    """`advice` for [start, end), all of VMA `v`: 0, or -errno."""
    p, c = m.thread[t].process, m.thread[t].core
    flags = m.vma[v].vm_flags
    if advice == P.MADV_DONTNEED:
        if flags & KEPT:
            return -P.EINVAL
        if m.mmu and zap_range(m, c, p, start, end) + free_leaf_tables(m, c, p, start, end):
            shoot_down(m, c, p, start, end)
        return 0
    if advice == P.MADV_FREE:
        if m.vma[v].file or flags & KEPT:
            return -P.EINVAL
        return lazily_free(m, c, v, start, end)
    if advice == P.MADV_WILLNEED:
        if m.vma[v].file:
            first = m.vma[v].pgoff + (start - m.vma[v].start >> P.PAGE_SHIFT)
            will_need(m, c, m.vma[v].file - 1, first, end - start >> P.PAGE_SHIFT)
            return 0
        return read_ahead_range(m, c, v, start, end)
    if advice == P.MADV_COLD or advice == P.MADV_PAGEOUT:
        if flags & KEPT:
            return -P.EINVAL
        return cool(m, c, v, start, end, advice == P.MADV_PAGEOUT)
    if advice == P.MADV_COLLAPSE:
        return collapse_range(m, c, v, start, end)
    new = advised_flags(flags, advice)
    if new < 0:
        return -P.EINVAL
    if new != flags and modify_mapping(m, c, v, start, end, new) < 0:
        return -P.EAGAIN
    return 0


@kernel
def advised_flags(flags, advice):
    """vm_flags after an advice that changes only them; -1: it does not apply."""
    if advice == P.MADV_HUGEPAGE:
        return flags & ~P.VM_NOHUGEPAGE | P.VM_HUGEPAGE
    if advice == P.MADV_NOHUGEPAGE:
        return flags & ~P.VM_HUGEPAGE | P.VM_NOHUGEPAGE
    if advice == P.MADV_DONTFORK:
        return flags | P.VM_DONTCOPY
    if advice == P.MADV_DOFORK:
        return -1 if flags & P.VM_SPECIAL else flags & ~P.VM_DONTCOPY
    if advice == P.MADV_SEQUENTIAL:
        return flags & ~HINTS | P.VM_SEQUENTIAL
    if advice == P.MADV_RANDOM:
        return flags & ~HINTS | P.VM_RANDOM
    return flags & ~HINTS


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
                    if not split_page(m, c, v, va, place):
                        return -P.ENOMEM
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
        else:
            write_entry(m, c, p, place, 0)
            m.process[p].swapped -= 1
            put_swap(m, c, slot_at(entry))
        va = next_entry(m, c, p, va + P.PAGE, end)
    if changed:
        shoot_down(m, c, p, start, end)
    return 0


@kernel
def is_single(m, frame):
    return m.frame[frame].maps + m.frame[frame].huge_maps == 1


@kernel
def can_free_later(m, frame):
    """Whether a page may become lazily free: a page of the swap cache, or a dirty one, only while nobody shares it."""
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
                if not split_page(m, c, v, va, place):
                    return -P.ENOMEM
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
        result = collapse(m, c, v, unit, P.HUGE_FRAMES, P.HUGE_FRAMES)
        failed = result if result else failed
    return failed


@kernel
def sys_mincore(m, t, start, length, vector):
    """mincore(2): a byte a page at `vector`, 1 where the page is in RAM; with `vector` 0 only the answer."""
    p = m.thread[t].process
    if start & P.PAGE - 1:
        return -P.EINVAL
    end = start + round_up(length)
    if start < 0 or length < 0 or end < start:
        return -P.ENOMEM
    va = start
    v = find_vma(m, p, va)
    while va < end:
        if v >= 0 and m.vma[v].end <= va:
            v = m.vma[v].next - 1
        if v < 0 or m.vma[v].start > va:
            return -P.ENOMEM
        if vector == 0:
            va = min(end, m.vma[v].end)
            continue
        store8(m, t, vector + (va - start >> P.PAGE_SHIFT), is_resident(m, m.thread[t].core, v, va))
        va += P.PAGE
    return 0


@kernel
def is_resident(m, c, v, va):
    """1 if the page `va` of VMA `v` can be had without a disk, as mincore tells it."""
    p = m.vma[v].process
    entry = look_up(m, p, va)
    if is_mapped(entry):
        return 1
    if entry:
        return 1 if cached_frame(m, slot_at(entry)) else 0
    file = m.vma[v].file
    return cached_at(m, c, file - 1, m.vma[v].pgoff + (va - m.vma[v].start >> P.PAGE_SHIFT)) if file else 0

"""mremap: a mapping shrinks, grows in place, or moves with its pages.

Moving changes entries, not frames: what was at the old address is at the new one, untouched (move_page_tables).
Source: mm/mremap.c.
"""
from hwmem import params as P
from hwmem._jit import DOORS, cold, kernel
from hwmem.linux.commit import charge, uncharge
from hwmem.linux.exec import task_end
from hwmem.linux.populate import lock_pages
from hwmem.linux.mapping import is_free, place, round_up, sys_munmap, unmap
from hwmem.linux.page_table import (HUGE_ABOVE, find_place, forget_cursor, frame_at, is_mapped, make_place, next_entry, read_entry,
                                    span_of, write_entry)
from hwmem.linux.pages import split_huge_entry
from hwmem.linux.rmap import HUGE_MAPPING, add_mapping, remove_mapping
from hwmem.linux.shmem import count_users
from hwmem.linux.shootdown import finish_stores, shoot_down
from hwmem.linux.vma import extend_vma, insert_vma
from hwmem.linux.vma_tree import find_vma, vma_at

HUGE_MASK = P.HUGE_PAGE - 1
MOST_TO_MOVE = P.MAX_MAP_COUNT - 3       # VMAs of a process above which none of them moves


@DOORS.door(P.DOOR_MREMAP)
def mremap_call(m, t, call, a, b):
    return sys_mremap(m, t, m.sys[0], m.sys[1], m.sys[2], m.sys[3])


@kernel
def sys_mremap(m, t, old, old_length, new_length, flags):
    """mremap(2); the new address of MREMAP_FIXED is m.sys[4]. The mapping's address, or -errno."""
    p = m.thread[t].process
    new = m.sys[4]
    if flags & ~(P.MREMAP_MAYMOVE | P.MREMAP_FIXED) or (flags & P.MREMAP_FIXED and not flags & P.MREMAP_MAYMOVE):
        return -P.EINVAL
    if old & P.PAGE - 1:
        return -P.EINVAL
    old_length, new_length = round_up(old_length), round_up(new_length)
    end = task_end(m.process[p].layout)
    if new_length <= 0 or new_length > end:
        return -P.EINVAL
    if flags & P.MREMAP_FIXED:
        if new & P.PAGE - 1 or new < 0 or new > end - new_length or (old < new + new_length and new < old + old_length):
            return -P.EINVAL
        if m.process[p].vma_count + 2 >= MOST_TO_MOVE:
            return -P.ENOMEM
        if old_length == new_length:
            return move_all(m, t, old, old + old_length, new)
    v = vma_at(m, p, old)
    if v < 0:
        return -P.EFAULT
    if old_length < 0 or (new_length <= old_length and not flags & P.MREMAP_FIXED):
        failed = sys_munmap(m, t, old + new_length, old_length - new_length) if new_length != old_length else 0
        return failed if failed else old
    if old_length == 0:
        return -P.EINVAL
    if min(old_length, new_length) > m.vma[v].end - old:
        return -P.EFAULT
    return grow_or_move(m, t, v, old, old_length, new_length, flags)


@kernel
def move_all(m, t, start, end, new):
    """What is mapped in [start, end) goes to `new`, VMA by VMA, the gaps between them as they were; `new`, or -errno, what
    had been moved by then staying there. Linux: remap_move."""
    p = m.thread[t].process
    at = start
    v = vma_at(m, p, at)
    if v < 0:
        return -P.EFAULT
    while v >= 0 and m.vma[v].start < end:
        at = max(at, m.vma[v].start)
        length = min(end, m.vma[v].end) - at
        m.sys[4] = new + at - start
        result = grow_or_move(m, t, v, at, length, length, P.MREMAP_MAYMOVE | P.MREMAP_FIXED)
        if result < 0:
            return result
        at += length
        v = find_vma(m, p, at)
    return new


@kernel
def grow_or_move(m, t, v, old, old_length, new_length, flags):
    p = m.thread[t].process
    more = max(0, new_length - old_length >> P.PAGE_SHIFT)
    if more and m.vma[v].vm_flags & P.VM_SPECIAL:
        return -P.EFAULT
    locked = m.vma[v].vm_flags & P.VM_LOCKED
    if locked and m.process[p].locked_vm + more > m.process[p].limit_locked >> P.PAGE_SHIFT:
        return -P.EAGAIN
    if m.process[p].total_vm + more > m.process[p].limit_space >> P.PAGE_SHIFT:
        return -P.ENOMEM
    if not flags & P.MREMAP_FIXED:
        end = m.vma[v].end + more * P.PAGE
        if old + old_length == m.vma[v].end and end <= task_end(m.process[p].layout) and is_free(m, p, m.vma[v].end, end):
            return grow(m, t, v, old, end, more)
        if not flags & P.MREMAP_MAYMOVE:
            return -P.ENOMEM
        hint_flags = P.MAP_SHARED if m.vma[v].vm_flags & P.VM_SHARED else P.MAP_PRIVATE
        offset = (m.vma[v].pgoff << P.PAGE_SHIFT) + old - m.vma[v].start if m.vma[v].file and not m.file[m.vma[v].file - 1].shared else -1
        new = place(m, p, 0, new_length, hint_flags, offset)
    else:
        new = m.sys[4]
        failed = unmap(m, t, new, new + new_length)
        if failed == 0 and new_length < old_length:
            failed = sys_munmap(m, t, old + new_length, old_length - new_length)
            old_length = new_length
        if failed:
            return failed
    return new if new < 0 else move(m, t, old, old_length, new, new_length)


@kernel
def grow(m, t, v, old, end, more):
    """VMA `v` goes on up to `end`."""
    p = m.thread[t].process
    if m.vma[v].vm_flags & P.VM_ACCOUNT and not charge(m, p, more):
        return -P.ENOMEM
    start = m.vma[v].end
    locked = m.vma[v].vm_flags & P.VM_LOCKED
    file, count = m.vma[v].file, m.process[p].vma_count
    extend_vma(m, p, v, end)
    if file:
        count_users(m, file - 1, m.process[p].vma_count - count)
    m.process[p].total_vm += more
    if locked:
        m.process[p].locked_vm += more
        lock_pages(m, m.thread[t].core, p, start, end)
    return old


@kernel
def move(m, t, old, old_length, new, new_length):
    """[old, old + old_length), within one VMA, goes to `new`, where nothing is, and is `new_length` long there."""
    p, c = m.thread[t].process, m.thread[t].core
    v = vma_at(m, p, old)
    vma = m.vma[v]
    pages = new_length >> P.PAGE_SHIFT
    if m.process[p].vma_count >= MOST_TO_MOVE:
        return -P.ENOMEM
    if vma.vm_flags & P.VM_ACCOUNT and not charge(m, p, pages):
        return -P.ENOMEM
    pgoff = vma.pgoff + (old - vma.start >> P.PAGE_SHIFT)
    if vma.file == 0 and vma.anon_vma == 0:
        pgoff = new >> P.PAGE_SHIFT
    anon_vma, inherited, file = vma.anon_vma, vma.inherited, vma.file
    count = m.process[p].vma_count
    w = insert_vma(m, p, new, new + new_length, vma.vm_flags, pgoff, file)
    if w < 0:
        if vma.vm_flags & P.VM_ACCOUNT:
            uncharge(m, pages)
        return -P.ENOMEM
    if m.vma[w].anon_vma == 0:
        m.vma[w].anon_vma, m.vma[w].inherited = anon_vma, inherited
    if file:
        count_users(m, file - 1, m.process[p].vma_count - count)
    m.process[p].total_vm += pages
    locked = m.vma[w].vm_flags & P.VM_LOCKED
    if locked:
        m.process[p].locked_vm += pages
    if m.mmu:
        finish_stores(m, p)
        moved = move_entries(m, c, p, old, old + old_length, new) - old if make_tables(m, c, p, old, old + old_length, new) else 0
        if moved < old_length:                          # no memory for a table: all goes back, where the tables are
            move_entries(m, c, p, new, new + moved, old)
            unmap(m, t, new, new + new_length)
            return -P.ENOMEM
        shoot_down(m, c, p, old, old + old_length)
    unmap(m, t, old, old + old_length)
    if locked:                                          # what moved was locked before, page by page
        lock_pages(m, c, p, new + old_length, new + new_length)
    return new


@kernel
def make_tables(m, c, p, start, end, new):
    """Tables at `new` for whatever has tables in [start, end), were they empty; False without memory. Linux: move_page_tables."""
    va = start
    while va < end:
        target = new + va - start
        place = find_place(m, c, p, va, 0)
        if place < 0 and place != HUGE_ABOVE:
            span = span_of(m, p, -1 - place)
            va = (va // span + 1) * span
            continue
        if make_place(m, c, p, target, 0 if place >= 0 else 1) == -1:
            return False
        span = span_of(m, p, 1)
        va += min(span - va % span, span - target % span)
    return True


@kernel
def move_entries(m, c, p, start, end, new):
    """The entries of [start, end) go to the tables of `new`; the address before which all have gone."""
    va = next_entry(m, c, p, start, end)
    while va < end:
        source = m.cursor.place
        target = new + va - start
        if m.cursor.huge:
            stop = (va | HUGE_MASK) + 1
            if va & HUGE_MASK or stop > end or target & HUGE_MASK or not move_huge(m, c, p, va, source, target):
                if not split_huge_entry(m, c, p, va, source):
                    return va
            else:
                va = stop
        else:
            leaf = make_place(m, c, p, target, 0)
            if leaf < 0:
                return va
            entry = read_entry(m, p, source)
            write_entry(m, c, p, source, 0)
            write_entry(m, c, p, leaf, entry)
            frame = frame_at(entry) if is_mapped(entry) else 0
            if frame:
                remove_mapping(m, frame, p, va)
                add_mapping(m, frame, p, target)
            va += P.PAGE
        va = next_entry(m, c, p, va, end)
    return end


@cold
def move_huge(m, c, p, va, source, target):
    """A whole 2 MiB entry moves; False where the new place has a table already."""
    beside = make_place(m, c, p, target, 1)
    if beside < 0 or read_entry(m, p, beside) != 0:
        return False
    entry = read_entry(m, p, source)
    write_entry(m, c, p, source, 0)
    write_entry(m, c, p, beside, entry)
    forget_cursor(m)
    head = frame_at(entry)
    if head:
        remove_mapping(m, head, p, va | HUGE_MAPPING)
        add_mapping(m, head, p, target | HUGE_MAPPING)
    return True

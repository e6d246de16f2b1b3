"""mremap: a mapping shrinks, grows in place, or moves with its pages.

Moving changes entries, not frames: what was at the old address is at the new one, untouched (move_page_tables).
Source: mm/mremap.c.
"""

from hwmem import params as P
from hwmem._jit import DOORS, cold, kernel
from hwmem.linux.commit import charge
from hwmem.linux.exec import task_end
from hwmem.linux.populate import lock_pages
from hwmem.linux.mapping import sys_munmap
from hwmem.linux.page_table import (
    HUGE_ABOVE,
    deposit_table,
    find_place,
    forget_cursor,
    frame_at,
    is_mapped,
    make_place,
    next_entry,
    read_entry,
    span_of,
    withdraw_table,
    write_entry,
)
from hwmem.linux.pages import split_huge_entry
from hwmem.linux.rmap import HUGE_MAPPING, add_mapping, remove_mapping
from hwmem.linux.shmem import count_users
from hwmem.linux.shootdown import finish_stores, shoot_down
from hwmem.linux.vma import copy_vma, extend_vma
from hwmem.linux.vma_tree import find_vma, vma_at
from hwmem.linux.limits import has_records, may_expand, may_lock
from hwmem.linux.placement import is_free, place
from hwmem.linux.ranges import LAST_PAGE, is_below, round_up
from hwmem.linux.unmap import may_part, unmap

HUGE_MASK = P.HUGE_PAGE - 1
NEW_ADDRESS = P.MREMAP_FIXED | P.MREMAP_DONTUNMAP  # the fifth argument counts
MOST_TO_MOVE = P.MAX_MAP_COUNT - 3  # VMAs of a process above which none of them moves


@DOORS.door(P.DOOR_MREMAP)
def mremap_call(m, t, call, a, b):
    return sys_mremap(m, t, m.sys[0], m.sys[1], m.sys[2], m.sys[3])


@kernel
def sys_mremap(m, t, old, old_length, new_length, flags):
    """mremap(2); flags are m.sys[3], too, the new address of MREMAP_FIXED is m.sys[4]. The mapping's address, or -errno."""
    p = m.thread[t].process
    if flags & ~(P.MREMAP_MAYMOVE | P.MREMAP_FIXED | P.MREMAP_DONTUNMAP) or old & P.PAGE - 1:
        return -P.EINVAL
    old_length, new_length = round_up(old_length), round_up(new_length)
    if new_length <= 0 or new_length > task_end(m.process[p].layout):
        return -P.EINVAL
    if flags & NEW_ADDRESS:
        failed = check_new(m, p, old, old_length, new_length, flags)
        if failed:
            return failed
        if old_length == new_length and flags & P.MREMAP_FIXED:
            return move_all(m, t, old, old + old_length, m.sys[4], flags)
    old_length = old_length if old_length >= 0 else LAST_PAGE  # as good as any that no range has
    v = vma_at(m, p, old)
    if v < 0:
        return -P.EFAULT
    if m.vma[v].vm_flags & P.VM_HUGETLB:
        old_length, new_length = whole_pages(m, v, old_length), whole_pages(m, v, new_length)
        if not may_part(m, v, old) or new_length > old_length:
            return -P.EINVAL
    if old_length and new_length <= old_length and not flags & NEW_ADDRESS:
        failed = sys_munmap(m, t, old + new_length, old_length - new_length) if new_length != old_length else 0
        return failed if failed else old
    if old_length == 0 and not m.vma[v].vm_flags & P.VM_SHARED:
        return -P.EINVAL
    if min(old_length, new_length) > m.vma[v].end - old:
        return -P.EFAULT
    return grow_or_move(m, t, old, old_length, new_length, flags)


@kernel
def check_new(m, p, old, old_length, new_length, flags):
    """Whether a mapping may go to the address in m.sys[4]: 0, or -errno. Linux: check_mremap_params."""
    new, end = m.sys[4], task_end(m.process[p].layout)
    if new & P.PAGE - 1 or new < 0 or new > end - new_length or not flags & P.MREMAP_MAYMOVE:
        return -P.EINVAL
    if flags & P.MREMAP_DONTUNMAP and old_length != new_length:
        return -P.EINVAL
    if is_below(old, new + new_length) and is_below(new, old + old_length):
        return -P.EINVAL
    return -P.ENOMEM if m.process[p].vma_count + 2 >= MOST_TO_MOVE else 0


@kernel
def move_all(m, t, start, end, new, flags):
    """What is mapped in [start, end) goes to `new`, VMA by VMA, the gaps between them as they were; `new`, or -errno, what
    had been moved by then staying there. Linux: remap_move."""
    p = m.thread[t].process
    at = start
    v = vma_at(m, p, at)
    if v < 0:
        return -P.EFAULT
    while at < end and v >= 0 and m.vma[v].start < end:
        at = max(at, m.vma[v].start)
        length = whole_pages(m, v, min(end, m.vma[v].end) - at)
        m.sys[4] = new + at - start
        result = grow_or_move(m, t, at, length, length, flags)
        if result < 0:
            return result
        at += length
        v = find_vma(m, p, at)
    return new


@kernel
def grow_or_move(m, t, old, old_length, new_length, flags):
    """[old, old + old_length), within one VMA, is `new_length` long from now on, there or elsewhere; its address, or -errno."""
    p = m.thread[t].process
    v = vma_at(m, p, old)
    vm_flags = m.vma[v].vm_flags
    more = max(0, new_length - old_length >> P.PAGE_SHIFT)
    stays = flags & P.MREMAP_DONTUNMAP
    if vm_flags & P.VM_HUGETLB and not may_move_hugetlb(m, v, old, old_length, flags):
        return -P.EINVAL
    if vm_flags & P.VM_SPECIAL and (more or stays):
        return -P.EINVAL if stays else -P.EFAULT
    if vm_flags & P.VM_LOCKED and not may_lock(m, p, more):
        return -P.EAGAIN
    if not may_expand(m, p, vm_flags, new_length >> P.PAGE_SHIFT if stays else more) or not has_records(m, False):
        return -P.ENOMEM
    if not flags & NEW_ADDRESS:
        end = m.vma[v].end + more * P.PAGE
        if old + old_length == m.vma[v].end and end <= task_end(m.process[p].layout) and is_free(m, p, m.vma[v].end, end):
            return grow(m, t, v, old, end, more)
        if not flags & P.MREMAP_MAYMOVE:
            return -P.ENOMEM
    new = clear_place(m, t, old, old_length, new_length, flags)
    if new < 0:
        return new
    return move(m, t, old, min(old_length, new_length) if flags & P.MREMAP_FIXED else old_length, new, new_length)


@kernel
def whole_pages(m, v, length):
    """`length`, and in a VMA of huge pages of the pool that many whole ones. Linux: align_hugetlb."""
    if not m.vma[v].vm_flags & P.VM_HUGETLB:
        return length
    unit = m.file[m.vma[v].file - 1].pages << P.PAGE_SHIFT
    return length + unit - 1 & -unit


@kernel
def may_move_hugetlb(m, v, old, length, flags):
    """Whether [old, old + length) of a VMA of huge pages of the pool are whole ones, and go to where whole ones lie."""
    return may_part(m, v, old | length | (m.sys[4] if flags & P.MREMAP_FIXED else 0)) and not flags & P.MREMAP_DONTUNMAP


@kernel
def clear_place(m, t, old, old_length, new_length, flags):
    """Where [old, old + old_length), within one VMA, goes, `new_length` long: an address with nothing there any more, or -errno.
    The part that a shrinking mapping leaves behind is unmapped. Linux: mremap_to, vrm_set_new_addr."""
    p = m.thread[t].process
    v = vma_at(m, p, old)
    wanted = m.sys[4] if flags & NEW_ADDRESS else 0
    map_flags = P.MAP_SHARED if m.vma[v].vm_flags & P.VM_SHARED else P.MAP_PRIVATE
    if flags & P.MREMAP_FIXED:
        refused = place(m, p, wanted, new_length, map_flags | P.MAP_FIXED, -1)
        if refused < 0:
            return refused
        failed = unmap(m, t, wanted, wanted + new_length)
        if failed == 0 and new_length < old_length:
            failed = sys_munmap(m, t, old + new_length, old_length - new_length)
        return failed if failed else wanted
    offset = (m.vma[v].pgoff << P.PAGE_SHIFT) + old - m.vma[v].start if m.vma[v].file and not m.file[m.vma[v].file - 1].shared else -1
    return place(m, p, wanted, new_length, map_flags, offset)


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
    """[old, old + old_length), within one VMA, goes to `new`, where nothing is, and is `new_length` long there. The old mapping
    goes, or stays, empty, if the call's flags have MREMAP_DONTUNMAP."""
    p, c, stays = m.thread[t].process, m.thread[t].core, m.sys[3] & P.MREMAP_DONTUNMAP
    vma = m.vma[vma_at(m, p, old)]
    pages = new_length >> P.PAGE_SHIFT
    promised = 0 if stays else old_length >> P.PAGE_SHIFT  # the old mapping's, which goes over to the new one
    if m.process[p].vma_count >= MOST_TO_MOVE:
        return -P.ENOMEM
    if vma.vm_flags & P.VM_ACCOUNT and not charge(m, p, pages - promised):
        return -P.ENOMEM
    if vma.vm_flags & P.VM_ACCOUNT:
        m.mm.committed += promised
    w = make_target(m, p, old, new, new_length)
    if m.mmu:
        finish_stores(m, p)
        moved = move_entries(m, c, p, old, old + old_length, new) - old if make_tables(m, c, p, old, old + old_length, new) else 0
        if moved < old_length:  # no memory for a table: all goes back, where the tables are
            move_entries(m, c, p, new, new + moved, old)
            unmap(m, t, new, new + new_length)
            return -P.ENOMEM
        shoot_down(m, c, p, old, old + old_length)
    if stays:
        leave_empty(m, p, old, old + old_length)
    elif old_length:
        unmap(m, t, old, old + old_length)
    if m.vma[w].vm_flags & P.VM_LOCKED:  # what moved was locked before, page by page
        lock_pages(m, c, p, new + old_length, new + new_length)
    return new


@kernel
def make_target(m, p, old, new, new_length):
    """The VMA of the new place, for what is at `old` now, with all that is counted for it."""
    v = vma_at(m, p, old)
    vma = m.vma[v]
    pgoff = vma.pgoff + (old - vma.start >> P.PAGE_SHIFT)
    if vma.file == 0 and vma.anon_vma == 0:
        pgoff = new >> P.PAGE_SHIFT
    file, count = vma.file, m.process[p].vma_count
    w = copy_vma(m, v, new, new + new_length, pgoff)
    if file:
        count_users(m, file - 1, m.process[p].vma_count - count)
    m.process[p].total_vm += new_length >> P.PAGE_SHIFT
    if m.vma[w].vm_flags & P.VM_LOCKED:
        m.process[p].locked_vm += new_length >> P.PAGE_SHIFT
    return w


@kernel
def leave_empty(m, p, start, end):
    """The old mapping of MREMAP_DONTUNMAP: not locked, though what it was goes on being counted, and as if nothing had ever been
    there if all of it moved. Linux: dontunmap_complete."""
    v = vma_at(m, p, start)
    m.vma[v].vm_flags &= ~(P.VM_LOCKED | P.VM_LOCKONFAULT)
    if m.vma[v].start == start and m.vma[v].end == end:
        m.vma[v].anon_vma = m.vma[v].inherited = 0


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
                split_huge_entry(m, c, p, va, source)
            else:
                va = stop
        else:
            leaf = make_place(m, c, p, target, 0)
            if leaf < 0:
                return va
            entry = read_entry(m, p, source)
            write_entry(m, c, p, source, 0)
            write_entry(m, c, p, leaf, entry & ~P.PTE_CLEARED)  # that it moved is something to tell
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
    write_entry(m, c, p, beside, entry & ~P.PTE_CLEARED)
    deposit_table(m, beside, withdraw_table(m, source))
    forget_cursor(m)
    head = frame_at(entry)
    if head:
        remove_mapping(m, head, p, va | HUGE_MAPPING)
        add_mapping(m, head, p, target | HUGE_MAPPING)
    return True

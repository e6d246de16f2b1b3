"""Where a mapping goes: with MAP_FIXED to the given address, else to the hint if there is room, else into the highest gap below mmap_base;
an anonymous mapping of whole 2 MiB units is aligned to them (thp_get_unmapped_area). Source: mm/mmap.c (__get_unmapped_area,
generic_get_unmapped_area_topdown), mm/huge_memory.c.
"""

from hwmem import params as P
from hwmem._jit import kernel
from hwmem.linux.exec import task_end
from hwmem.linux.ranges import HUGE_MASK, PAGE_MASK
from hwmem.linux.vma_tree import find_vma, highest_gap, lowest_gap, room_end

LOW_START, LOW_END, FOUR_GIB = 1 << 30, 1 << 31, 1 << 32  # where MAP_32BIT may go; below it MAP_ABOVE4G may not


@kernel
def place(m, p, address, length, flags, offset):
    """Where a mapping of `length` bytes goes (of a file from `offset` on; -1: of none), or -errno. Linux: __get_unmapped_area."""
    end = task_end(m.process[p].layout)
    if length > end - P.MMAP_MIN:
        return -P.ENOMEM
    if flags & (P.MAP_FIXED | P.MAP_FIXED_NOREPLACE):
        if -P.MOST_ERRNO <= address < 0:  # taken for the -errno of a search that failed (IS_ERR_VALUE)
            return address
        if address < 0 or address > end - length:
            return -P.ENOMEM
        if address & P.PAGE - 1:
            return -P.EINVAL
        if address < P.MMAP_MIN and not m.process[p].privileged:
            return -P.EPERM
        if flags & P.MAP_FIXED_NOREPLACE and not is_free(m, p, address, address + length):
            return -P.EEXIST
        return address
    low = flags & P.MAP_32BIT and m.process[p].levels == 4
    hint = address & PAGE_MASK
    last = LOW_END if low else end
    if (hint == 0 or offset >= 0) and is_aligned(length, offset, flags):
        wider = length + P.HUGE_PAGE
        if takes_hint(m, p, hint, wider, last):  # a file's mapping is asked whether it may be aligned there, too
            return max(hint, P.MMAP_MIN)
        found = search(m, p, wider, flags)
        if found >= 0:
            return found + (max(offset, 0) - found & HUGE_MASK or P.HUGE_PAGE)
    if takes_hint(m, p, hint, length, last):
        return max(hint, P.MMAP_MIN)
    found = search(m, p, length, flags)
    if found < 0 and not low:
        found = highest_gap(m, p, length, P.MMAP_MIN, end)
    return found if found >= 0 else -P.ENOMEM


@kernel
def takes_hint(m, p, hint, length, end):
    """Whether there is a hint, and room for `length` bytes there, below `end`."""
    if hint <= 0:
        return False
    start = max(hint, P.MMAP_MIN)
    return start <= end - length and has_room(m, p, start, start + length)


@kernel
def search(m, p, length, flags):
    """A free range of `length` bytes, the highest below mmap_base; with MAP_32BIT the lowest of the second GiB; -1: none."""
    if flags & P.MAP_32BIT and m.process[p].levels == 4:
        return lowest_gap(m, p, length, LOW_START, LOW_END)
    least = FOUR_GIB if flags & P.MAP_ABOVE4G and m.process[p].levels == 4 else P.MMAP_MIN
    return highest_gap(m, p, length, least, m.process[p].mmap_base)


@kernel
def is_aligned(length, offset, flags):
    """Whether a mapping is placed so that huge pages would fit: anonymous ones of whole 2 MiB, and whatever has 2 MiB of a
    file (on ext4, xfs and btrfs) at a multiple of that. Linux: thp_get_unmapped_area_vmflags."""
    if offset < 0:
        return length & HUGE_MASK == 0 and not flags & P.MAP_SHARED
    if offset > P.UNLIMITED - P.HUGE_PAGE:  # rounding it up goes beyond the largest, and Linux does not look
        return True
    return offset + length - (offset + HUGE_MASK & ~HUGE_MASK) >= P.HUGE_PAGE


@kernel
def is_free(m, p, start, end):
    v = find_vma(m, p, start)
    return v < 0 or m.vma[v].start >= end


@kernel
def has_room(m, p, start, end):
    """Whether [start, end) is free, the guard of a stack above it included."""
    v = find_vma(m, p, start)
    return v < 0 or room_end(m, v) >= end

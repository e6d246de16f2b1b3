"""mmap, munmap and brk: allocating and freeing parts of an address space.

Placement without MAP_FIXED: at the hint where there is room, else the highest gap below mmap_base; an anonymous mapping
of whole 2 MiB units is aligned to them (thp_get_unmapped_area). Source: mm/mmap.c (do_mmap, ksys_mmap_pgoff,
generic_get_unmapped_area_topdown, brk), mm/vma.c (do_vmi_munmap, do_brk_flags).
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import DOORS, cold, kernel
from hwmem.linux.commit import charge, uncharge
from hwmem.linux.exec import task_end
from hwmem.linux.populate import lock_pages, populate
from hwmem.linux.shmem import count_users, get_file, has_number, new_shmem, put_file
from hwmem.linux.page_table import find_place, free_tables, look_up
from hwmem.linux.pages import split_huge_entry, zap_range
from hwmem.linux.shootdown import finish_stores, shoot_down
from hwmem.linux.vma import cut_vma, drop_vma, insert_vma, modify_vma, pages_of
from hwmem.linux.vma_tree import find_vma, highest_gap, lowest_gap, room_end
from hwmem.observers.hooks import memory_gone

PAGE_MASK = ~(P.PAGE - 1)
LAST_PAGE = P.UNLIMITED & PAGE_MASK
SIGN = np.int64(-1 << 63)
MAP_TYPE = 0x0F  # the bits of flags that say what is seen by whom
LEGACY_FLAGS = (
    P.MAP_FIXED
    | P.MAP_ANONYMOUS
    | P.MAP_DENYWRITE
    | P.MAP_EXECUTABLE
    | P.MAP_UNINITIALIZED
    | P.MAP_GROWSDOWN
    | P.MAP_LOCKED
    | P.MAP_NORESERVE
    | P.MAP_POPULATE
    | P.MAP_NONBLOCK
    | P.MAP_STACK
    | P.MAP_HUGETLB
    | P.MAP_32BIT
    | P.MAP_ABOVE4G
    | P.MAP_HUGE_2MB
    | P.MAP_HUGE_1GB
)  # what MAP_SHARED_VALIDATE takes (include/linux/mman.h)
LOW_START, LOW_END, FOUR_GIB = 1 << 30, 1 << 31, 1 << 32  # where MAP_32BIT may go; below it MAP_ABOVE4G may not
GIGABYTE_SHIFT = 30
HUGE_MASK = P.HUGE_PAGE - 1
DATA_FLAGS = P.VM_READ | P.VM_WRITE | P.VM_ACCOUNT


@DOORS.door(P.DOOR_MAPPING)
def mapping_call(m, t, call, a, b):
    s = m.sys
    if call == P.SYS_MMAP:
        return sys_mmap(m, t, s[0], s[1], s[2], s[3])
    if call == P.SYS_MUNMAP:
        return sys_munmap(m, t, s[0], s[1])
    return sys_brk(m, t, s[0])


@kernel
def round_up(n):
    return n + P.PAGE - 1 & PAGE_MASK


@kernel
def range_end(start, length):
    """Where the pages of [start, start + length) end, both unsigned 64-bit: below `start` if it wraps beyond all addresses, the largest
    63-bit number if it merely does not fit."""
    n = round_up(length)
    end = start + n
    if n == 0:
        return start
    if start < 0:
        return end if n > 0 and end < 0 else start - 1
    if end < 0:
        return P.UNLIMITED
    return end if n > 0 else -1


@kernel
def is_below(a, b):
    """Whether a < b, as unsigned 64-bit numbers."""
    return (a ^ SIGN) < (b ^ SIGN)


@kernel
def sys_mmap(m, t, address, length, prot, flags):
    """mmap(2); the file and the offset are m.sys[4] and m.sys[5]. The address, or -errno."""
    p = m.thread[t].process
    offset = m.sys[5]
    file = np.int64(-1) if flags & P.MAP_ANONYMOUS else m.sys[4] & P.UINT_MASK
    if offset & P.PAGE - 1:
        return -P.EINVAL
    if file >= 0 and not is_file(m, file):
        return -P.EBADF
    if flags & P.MAP_HUGETLB and not may_be_hugetlb(flags):
        return -P.EINVAL
    if flags & P.MAP_HUGETLB:
        length = whole_huge_pages(length, flags)
    if length == 0:
        return -P.EINVAL
    length = round_up(length)
    if length <= 0 or m.process[p].vma_count > P.MAX_MAP_COUNT:
        return -P.ENOMEM
    if flags & P.MAP_HUGETLB:
        return map_hugetlb(m, t, address, length, prot, flags)
    if file < 0 and flags & P.MAP_SHARED and length >> P.PAGE_SHIFT > P.SHMEM_PAGES:
        return -P.ENOMEM
    address = place(m, p, address, length, flags, offset if file >= 0 else -1)
    if address < 0:
        return address
    if (flags & P.MAP_LOCKED or m.process[p].lock_future) and not may_lock(m, p, length >> P.PAGE_SHIFT):
        return -P.EPERM if flags & P.MAP_LOCKED and m.process[p].limit_locked == 0 else -P.EAGAIN
    failed = check_type(flags, file) if file < 0 or is_within(offset, length) else -P.EOVERFLOW
    return failed if failed else map_at(m, t, address, length, prot, flags, file)


@kernel
def is_file(m, file):
    """Whether the number is a descriptor that a program can have."""
    return 0 <= file < P.MAX_FILES and m.file[file].alive != 0 and m.file[file].shared == 0


@kernel
def is_within(offset, length):
    """Whether the page-aligned range is within the largest possible file: MAX_LFS_FILESIZE is 2^63 - 1. Linux: file_mmap_ok."""
    return 0 <= offset <= LAST_PAGE - length


@kernel
def check_type(flags, file):
    """Whether the flags go together with a file (number), or without one (-1): 0, or -errno. Linux: do_mmap."""
    kind = flags & MAP_TYPE
    known = LEGACY_FLAGS | MAP_TYPE | (0 if flags & P.MAP_HUGETLB else P.MAP_SYNC)  # FOP_MMAP_SYNC: files of the disk
    if file >= 0 and kind == P.MAP_SHARED_VALIDATE and flags & ~known:
        return -P.EOPNOTSUPP
    if file < 0 and kind == P.MAP_DROPPABLE:
        return -P.EINVAL if flags & (P.MAP_LOCKED | P.MAP_GROWSDOWN) else 0
    if kind not in (P.MAP_PRIVATE, P.MAP_SHARED) and (file < 0 or kind != P.MAP_SHARED_VALIDATE):
        return -P.EINVAL
    return -P.EINVAL if flags & P.MAP_GROWSDOWN and (file >= 0 or kind != P.MAP_PRIVATE) else 0


@kernel
def may_be_hugetlb(flags):
    """Whether a mapping with MAP_HUGETLB is of no file, and of a page size that there is."""
    size = flags >> P.MAP_HUGE_SHIFT & P.MAP_HUGE_MASK
    return flags & P.MAP_ANONYMOUS != 0 and size in (0, P.HUGE_SHIFT, GIGABYTE_SHIFT)


@kernel
def huge_mask(flags):
    """One less than the bytes of a huge page of the pool."""
    return (1 << max(flags >> P.MAP_HUGE_SHIFT & P.MAP_HUGE_MASK, P.HUGE_SHIFT)) - 1


@kernel
def whole_huge_pages(length, flags):
    return length + huge_mask(flags) & ~huge_mask(flags)


@cold
def map_hugetlb(m, t, address, length, prot, flags):
    """MAP_HUGETLB where no huge page is in the pool. With MAP_NORESERVE it succeeds, and every touch is SIGBUS; else it is
    -ENOMEM, for MAP_FIXED after what lay there has gone. Linux: ksys_mmap_pgoff, hugetlb_get_unmapped_area,
    hugetlbfs_file_mmap."""
    p = m.thread[t].process
    mask, offset = huge_mask(flags), m.sys[5]
    if length > task_end(m.process[p].layout):
        return -P.ENOMEM
    if flags & (P.MAP_FIXED | P.MAP_FIXED_NOREPLACE):
        address = place(m, p, address, length, flags, -1) if address & mask == 0 else -P.EINVAL
    else:
        address = place_aligned(m, p, address + mask & ~mask, length, mask, flags)
    if address < 0:
        return address
    if (flags & P.MAP_LOCKED or m.process[p].lock_future) and not may_lock(m, p, length >> P.PAGE_SHIFT):
        return -P.EPERM if flags & P.MAP_LOCKED and m.process[p].limit_locked == 0 else -P.EAGAIN
    failed = check_type(flags, 0) if is_within(offset, length) else -P.EOVERFLOW
    if failed:
        return failed
    if length >> P.PAGE_SHIFT > P.SHMEM_PAGES or not has_records(m, True):
        return -P.ENOMEM
    vm_flags = mapping_flags(m, prot, flags & ~P.MAP_LOCKED, 0) & ~P.VM_ACCOUNT | P.VM_HUGETLB | P.VM_NORESERVE
    if not may_expand(m, p, vm_flags, (length >> P.PAGE_SHIFT) - mapped_in(m, p, address, address + length, 0)):
        return -P.ENOMEM
    failed = unmap(m, t, address, address + length)
    if failed:
        return failed
    if offset & mask:
        return -P.EINVAL
    if not flags & P.MAP_NORESERVE:
        return -P.ENOMEM
    file = new_shmem(m, p, length >> P.PAGE_SHIFT, False)
    m.file[file].pages = mask + 1 >> P.PAGE_SHIFT
    add_vma(m, p, address, address + length, vm_flags, offset >> P.PAGE_SHIFT, file + 1)
    return address


@kernel
def place_aligned(m, p, hint, length, mask, flags):
    """Where `length` bytes go on a multiple of `mask` + 1: at the hint where there is room; or -errno."""
    if hint > 0:
        found = place(m, p, hint, length, flags, -1)
        if found == hint:
            return found
    found = search(m, p, length + mask + 1 - P.PAGE, flags)
    return found + mask & ~mask if found >= 0 else -P.ENOMEM


@kernel
def may_part(m, v, va):
    """Whether VMA `v` may end, or begin, at `va`: of huge pages of the pool it takes whole ones. Linux: hugetlb_vm_op_split."""
    if not m.vma[v].vm_flags & P.VM_HUGETLB:
        return True
    return va & (m.file[m.vma[v].file - 1].pages << P.PAGE_SHIFT) - 1 == 0


@kernel
def may_lock(m, p, pages):
    """Whether process `p` may have `pages` more locked. Linux: mlock_future_ok."""
    process = m.process[p]
    return process.privileged != 0 or process.locked_vm + pages <= process.limit_locked >> P.PAGE_SHIFT


@kernel
def may_expand(m, p, vm_flags, pages):
    """Whether the limits let process `p` have `pages` more of such memory: RLIMIT_AS, and of private writable memory
    RLIMIT_DATA. Linux: may_expand_vm."""
    process = m.process[p]
    if process.total_vm + pages > process.limit_space >> P.PAGE_SHIFT:
        return False
    if process.limit_data == P.UNLIMITED or not is_data(vm_flags):
        return True
    return data_pages(m, p) + pages <= process.limit_data >> P.PAGE_SHIFT


@kernel
def is_data(vm_flags):
    return vm_flags & (P.VM_WRITE | P.VM_SHARED | P.VM_GROWSDOWN) == P.VM_WRITE


@kernel
def data_pages(m, p):
    """Pages of private writable mappings but the stack (VmData). Linux: mm->data_vm."""
    pages = 0
    v = m.process[p].first_vma - 1
    while v >= 0:
        if is_data(m.vma[v].vm_flags):
            pages += pages_of(m, v)
        v = m.vma[v].next - 1
    return pages


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


@kernel
def map_at(m, t, address, length, prot, flags, file):
    """Map [address, address + length), replacing what is there. A refused call leaves the old mapping in place, split at the ends; but
    shared memory that overcommit refuses is refused after the old mapping has gone."""
    p, c = m.thread[t].process, m.thread[t].core
    pages = length >> P.PAGE_SHIFT
    vm_flags = mapping_flags(m, prot, flags, file) | m.process[p].lock_future
    wanted = vm_flags & P.VM_LOCKED or flags & (P.MAP_POPULATE | P.MAP_NONBLOCK) == P.MAP_POPULATE
    if vm_flags & P.VM_DROPPABLE:
        vm_flags &= ~(P.VM_LOCKED | P.VM_LOCKONFAULT)
    shared = file < 0 and flags & P.MAP_SHARED
    if not has_records(m, shared):
        return -P.ENOMEM
    old = mapped_in(m, p, address, address + length, 0)
    promised = mapped_in(m, p, address, address + length, P.VM_ACCOUNT) if vm_flags & P.VM_ACCOUNT else 0
    more = pages - promised if vm_flags & P.VM_ACCOUNT else 0
    if not may_expand(m, p, vm_flags, pages - old) or (more and not charge(m, p, more)):
        cut_out(m, c, p, address, address + length)
        return -P.ENOMEM
    failed = unmap(m, t, address, address + length)
    if failed:
        uncharge(m, more)
        return failed
    if file >= 0 and flags & P.MAP_SYNC:
        uncharge(m, more)
        return -P.EOPNOTSUPP  # no file system here has storage that is memory (ext4_file_mmap_prepare)
    m.mm.committed += promised  # the old mappings' promise, which this one has taken over
    pgoff = m.sys[5] >> P.PAGE_SHIFT if file >= 0 else 0 if shared else address >> P.PAGE_SHIFT
    if shared:
        file = new_shmem(m, p, pages, not vm_flags & P.VM_NORESERVE)
        if file < 0:
            return file
    add_vma(m, p, address, address + length, vm_flags, pgoff, file + 1)
    if vm_flags & P.VM_LOCKED:
        m.process[p].locked_vm += pages
        lock_pages(m, c, p, address, address + length)
    elif wanted:
        populate(m, c, p, address, address + length, False)
    return address


@kernel
def has_records(m, shared):
    """Whether the emulator's tables have room for a mapping more, cut out of others or not, of shared memory or not."""
    if shared and not has_number(m):
        m.mm.full = P.FULL_FILES
    elif m.vma_free == 0 and m.vma_fresh + 3 > len(m.vma):
        m.mm.full = P.FULL_VMAS
    return m.mm.full == 0


@kernel
def mapping_flags(m, prot, flags, file):
    """vm_flags of a new mapping."""
    vm_flags = prot & P.VM_ACCESS
    if flags & P.MAP_SHARED:
        vm_flags |= P.VM_SHARED
    if flags & P.MAP_GROWSDOWN:
        vm_flags |= P.VM_GROWSDOWN
    if flags & P.MAP_LOCKED:
        vm_flags |= P.VM_LOCKED
    if flags & P.MAP_STACK:
        vm_flags |= P.VM_NOHUGEPAGE
    if flags & P.MAP_SYNC:
        vm_flags |= P.VM_SYNC
    if flags & MAP_TYPE == P.MAP_DROPPABLE:
        return vm_flags | P.VM_DROPPABLE | P.VM_NORESERVE | P.VM_WIPEONFORK | P.VM_DONTDUMP
    if flags & P.MAP_NORESERVE and m.mm.overcommit != 2:
        return vm_flags | P.VM_NORESERVE
    if vm_flags & (P.VM_WRITE | P.VM_SHARED) == P.VM_WRITE:
        vm_flags |= P.VM_ACCOUNT
    return vm_flags


@kernel
def add_vma(m, p, start, end, vm_flags, pgoff, file):
    """A mapping where none is (`file`: number + 1), with what is counted for it; its VMA (has_records)."""
    count = m.process[p].vma_count
    v = insert_vma(m, p, start, end, vm_flags, pgoff, file)
    m.process[p].total_vm += end - start >> P.PAGE_SHIFT
    if file:  # one more, or none: a neighbour's growth, or one fewer: two neighbours'
        count_users(m, file - 1, m.process[p].vma_count - count)
    return v


@kernel
def mapped_in(m, p, start, end, vm_flags):
    """Mapped pages of [start, end), as far as their VMAs have `vm_flags`."""
    pages = 0
    v = find_vma(m, p, start)
    while v >= 0 and m.vma[v].start < end:
        if m.vma[v].vm_flags & vm_flags == vm_flags:
            pages += min(end, m.vma[v].end) - max(start, m.vma[v].start) >> P.PAGE_SHIFT
        v = m.vma[v].next - 1
    return pages


@kernel
def sys_munmap(m, t, address, length):
    """munmap(2)."""
    end = task_end(m.process[m.thread[t].process].layout)
    if address & P.PAGE - 1 or address < 0 or address > end or length < 0 or length > end - address or length == 0:
        return -P.EINVAL
    return unmap(m, t, address, address + round_up(length))


@kernel
def unmap(m, t, start, end):
    """Take [start, end) out of every mapping; 0, or -ENOMEM where that would leave more VMAs than vm.max_map_count."""
    p, c = m.thread[t].process, m.thread[t].core
    v = find_vma(m, p, start)
    if v < 0 or m.vma[v].start >= end:
        return 0
    if m.vma[v].start < start:
        if end < m.vma[v].end and m.process[p].vma_count >= P.MAX_MAP_COUNT:
            return -P.ENOMEM
        if not may_part(m, v, start):
            return -P.EINVAL
        v = split_mapping(m, p, v, start)
        if v < 0:
            return -P.ENOMEM
    last = find_vma(m, p, end - 1)
    if last >= 0 and m.vma[last].start < end < m.vma[last].end:
        if not may_part(m, last, end):
            return -P.EINVAL
        if split_mapping(m, p, last, end) < 0:
            return -P.ENOMEM
    floor = m.vma[m.vma[v].prev - 1].end if m.vma[v].prev else 0
    low = m.vma[v].start
    high = low
    above = v
    while above >= 0 and m.vma[above].start < end:
        high = m.vma[above].end
        above = m.vma[above].next - 1
    if m.mmu:
        finish_stores(m, p)
        zapped = zap_range(m, c, p, low, high, 1)
        freed = free_tables(m, c, p, low, high, floor, m.vma[above].start if above >= 0 else 1 << 48)
        if zapped or freed:
            shoot_down(m, c, p, low, high)
    if m.observe.races:
        memory_gone(m, t, low, high)
    while v != above:  # after their pages: with its last mapping shared memory goes
        after = m.vma[v].next - 1
        forget_mapping(m, c, p, v)
        v = after
    return 0


@kernel
def modify_mapping(m, c, v, start, end, vm_flags):
    """modify_vma, for a mapping of a file too: each VMA of it counts as a user of the file."""
    p, file = m.vma[v].process, m.vma[v].file
    if start > m.vma[v].start:
        part_at(m, c, p, start)
    if end < m.vma[v].end:
        part_at(m, c, p, end)
    count = m.process[p].vma_count
    v = modify_vma(m, p, v, start, end, vm_flags)
    if file:
        count_users(m, file - 1, m.process[p].vma_count - count)
    return v


@kernel
def part_at(m, c, p, va):
    """A VMA will begin at `va`: no 2 MiB entry lies across it. Linux: vma_adjust_trans_huge."""
    if m.mmu and va & HUGE_MASK and m.process[p].levels == 4 and look_up(m, p, va) & P.PTE_PS:
        split_huge_entry(m, c, p, va, find_place(m, c, p, va, 1))
        shoot_down(m, c, p, va & ~HUGE_MASK, (va | HUGE_MASK) + 1)


@kernel
def cut_out(m, c, p, start, end):
    """VMAs end at `start` and begin at `end`, if vm.max_map_count lets them. Linux: vms_gather_munmap_vmas, before the limits."""
    v = find_vma(m, p, start)
    if v < 0 or (m.vma[v].start < start and end < m.vma[v].end and m.process[p].vma_count >= P.MAX_MAP_COUNT):
        return
    for va in (start, end):
        v = find_vma(m, p, va)
        if v >= 0 and m.vma[v].start < va and may_part(m, v, va):
            part_at(m, c, p, va)
            split_mapping(m, p, v, va)


@kernel
def split_mapping(m, p, v, va):
    """cut_vma, for a mapping of a file too."""
    upper = cut_vma(m, p, v, va)
    if upper >= 0 and m.vma[v].file:
        get_file(m, m.vma[v].file - 1)
    return upper


@kernel
def forget_mapping(m, c, p, v):
    """Remove VMA `v` and what was counted for it; its pages are left to the caller."""
    vma = m.vma[v]
    pages = pages_of(m, v)
    m.process[p].peak_vm = max(m.process[p].peak_vm, m.process[p].total_vm)
    m.process[p].total_vm -= pages
    if vma.vm_flags & P.VM_ACCOUNT:
        uncharge(m, pages)
    if vma.vm_flags & P.VM_LOCKED:
        m.process[p].locked_vm -= pages
    file = vma.file
    drop_vma(m, p, v)
    if file:
        put_file(m, c, file - 1)


@kernel
def sys_brk(m, t, address):
    """brk(2), as the system call is: the break afterwards, the old one where it could not move."""
    p = m.thread[t].process
    process = m.process[p]
    old = process.brk
    if address < process.start_brk or address > task_end(process.layout):
        return old
    data = address - process.start_brk + process.end_data - process.start_data
    if process.limit_data != P.UNLIMITED and data > process.limit_data:
        return old
    new_end, old_end = round_up(address), round_up(old)
    if new_end < old_end and unmap(m, t, new_end, old_end) < 0:
        return old
    if new_end > old_end and not grow_heap(m, p, old_end, new_end):
        return old
    process.brk = address
    if process.lock_future and new_end > old_end:
        lock_pages(m, m.thread[t].core, p, old_end, new_end)
    return address


@kernel
def grow_heap(m, p, start, end):
    """Linux: do_brk_flags. False where something lies in the way, or without memory for it."""
    v = find_vma(m, p, start)
    if v >= 0 and end + P.PAGE > room_end(m, v):
        return False
    pages, locked = end - start >> P.PAGE_SHIFT, m.process[p].lock_future
    if end > task_end(m.process[p].layout) or not may_expand(m, p, DATA_FLAGS, pages) or (locked and not may_lock(m, p, pages)):
        return False
    if m.process[p].vma_count > P.MAX_MAP_COUNT or not has_records(m, False) or not charge(m, p, pages):
        return False
    add_vma(m, p, start, end, DATA_FLAGS | locked, start >> P.PAGE_SHIFT, 0)
    m.process[p].locked_vm += pages if locked else 0
    return True

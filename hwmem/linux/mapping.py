"""mmap, munmap and brk: allocating and freeing parts of an address space.

    sys_mmap ─┬─ check_type            mmap_flags.py    do the flags go together?
              ├─ map_hugetlb           hugetlb.py       MAP_HUGETLB
              ├─ place                 placement.py     where?
              ├─ may_expand, may_lock  limits.py        is it allowed?
              └─ map_at ─── unmap, add_vma   unmap.py   what lay there goes, the mapping comes

What takes pages away (unmap.py) or brings them in before they are touched (populate.py) is behind doors of its own, which programs that only
map memory never open.

Source: mm/mmap.c (do_mmap, ksys_mmap_pgoff, brk), mm/vma.c (do_vmi_munmap, do_brk_flags).
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import DOORS, call_door, kernel
from hwmem.linux.commit import charge, uncharge
from hwmem.linux.exec import task_end
from hwmem.linux.hugetlb import map_hugetlb, may_be_hugetlb, whole_huge_pages
from hwmem.linux.limits import has_records, may_expand, may_lock
from hwmem.linux.mmap_flags import check_type, is_within, mapping_flags
from hwmem.linux.placement import place
from hwmem.linux.ranges import round_up
from hwmem.linux.shmem import new_shmem
from hwmem.linux.unmap import add_vma, cut_out, mapped_in, unmap
from hwmem.linux.vma import new_vma
from hwmem.linux.vma_tree import find_vma, room_end

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
    return failed if failed else map_at(m, t, address, length, flags, file)


@kernel
def is_file(m, file):
    """Whether the number is a descriptor that a program can have."""
    return 0 <= file < P.MAX_FILES and m.file[file].alive != 0 and m.file[file].shared == 0


@kernel
def map_at(m, t, address, length, flags, file):
    """Map [address, address + length) with the call's m.sys[2] as its protection, replacing what is there. A refused call leaves the old mapping in place, split at the ends; but
    shared memory that overcommit refuses is refused after the old mapping has gone."""
    p, pages = m.thread[t].process, length >> P.PAGE_SHIFT
    vm_flags = mapping_flags(m, m.sys[2], flags, file) | m.process[p].lock_future
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
        cut_out(m, t, address, address + length)
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
    add_vma(m, p, new_vma(m, address, address + length, vm_flags, pgoff, file + 1))
    if vm_flags & P.VM_LOCKED:
        m.process[p].locked_vm += pages
        call_door(m, P.DOOR_POPULATE, t, address, address + length, 1)
    elif wanted:
        call_door(m, P.DOOR_POPULATE, t, address, address + length, 0)
    return address


@kernel
def sys_munmap(m, t, address, length):
    """munmap(2)."""
    end = task_end(m.process[m.thread[t].process].layout)
    if address & P.PAGE - 1 or address < 0 or address > end or length < 0 or length > end - address or length == 0:
        return -P.EINVAL
    return unmap(m, t, address, address + round_up(length))


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
        call_door(m, P.DOOR_POPULATE, t, old_end, new_end, 1)
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
    add_vma(m, p, new_vma(m, start, end, DATA_FLAGS | locked, start >> P.PAGE_SHIFT, 0))
    m.process[p].locked_vm += pages if locked else 0
    return True

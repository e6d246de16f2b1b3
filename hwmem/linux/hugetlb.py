"""mmap with MAP_HUGETLB and an empty pool of huge pages: the page size comes from the flags, and the call is refused as Linux refuses it.
Source: mm/mmap.c (ksys_mmap_pgoff), mm/hugetlb.c (hugetlb_get_unmapped_area), fs/hugetlbfs/inode.c (hugetlbfs_file_mmap).
"""

from hwmem import params as P
from hwmem._jit import cold, kernel
from hwmem.linux.exec import task_end
from hwmem.linux.limits import has_records, may_expand, may_lock
from hwmem.linux.mmap_flags import check_type, is_within, mapping_flags
from hwmem.linux.placement import place, search
from hwmem.linux.shmem import new_shmem
from hwmem.linux.unmap import add_vma, mapped_in, unmap
from hwmem.linux.vma import new_vma

GIGABYTE_SHIFT = 30


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
    add_vma(m, p, new_vma(m, address, address + length, vm_flags, offset >> P.PAGE_SHIFT, file + 1))
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

"""The flags of mmap: which go together, and what they make of a mapping. Source: mm/mmap.c (do_mmap), include/linux/mman.h."""

from hwmem import params as P
from hwmem._jit import kernel
from hwmem.linux.ranges import LAST_PAGE

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

"""A process's limits: locked memory (RLIMIT_MEMLOCK), addresses (RLIMIT_AS), private writable memory (RLIMIT_DATA), and the records that the
emulator keeps for it. Source: mm/mmap.c (mlock_future_ok, may_expand_vm).
"""

from hwmem import params as P
from hwmem._jit import kernel
from hwmem.linux.shmem import has_number
from hwmem.linux.vma import pages_of


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
def has_records(m, shared):
    """Whether the emulator's tables have room for a mapping more, cut out of others or not, of shared memory or not."""
    if shared and not has_number(m):
        m.mm.full = P.FULL_FILES
    elif m.vma_free == 0 and m.vma_fresh + 3 > len(m.vma):
        m.mm.full = P.FULL_VMAS
    return m.mm.full == 0

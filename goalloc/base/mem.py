"""The operating system's memory as the runtime sees it: four states, and the calls that go between them.

    None ──sysReserve──> Reserved ──sysMap──> Prepared ──sysUsed──> Ready
      <────sysFree, from any state            Prepared <──sysUnused── Ready
    None ──sysAlloc──> Ready                  Reserved <──sysFault── Prepared, Ready

On Linux (mem_linux.go) Reserved is a mapping without rights, Prepared and Ready one with read and write; sysUsed does
nothing, sysUnused is madvise. So an access in Reserved faults, and a transition that the states do not allow is a fatal
error here, decided by what the emulated kernel has mapped. `stat` is the address of the counter (a sysMemStat) that the memory
goes to. Go: mem.go, mem_linux.go.
"""

from hwmem import params as H
from hwmem._jit import call_door, cold, kernel
from hwmem.linux.vma_tree import vma_at
from goalloc import errors as E, params as P
from goalloc.errors import throw
from goalloc.layout import debug, gcControllerState, variables as V
from goalloc.words import add64, align_down, align_up, get32

PROT_RW = H.PROT_READ | H.PROT_WRITE
ANONYMOUS = H.MAP_ANONYMOUS | H.MAP_PRIVATE
MAPPED_READY = V.gcController + gcControllerState.mappedReady


@cold
def sysReserve(m, t, v, n):
    """Address space without memory, at `v` if it is free there; its address, or 0."""
    return mmap(m, t, v, n, H.PROT_NONE, ANONYMOUS)


@cold
def sysAlloc(m, t, n, stat):
    """Zeroed memory, None to Ready; its address, or 0."""
    add64(m, t, stat, n)
    add64(m, t, MAPPED_READY, n)
    return sysAllocOS(m, t, n)


@cold
def sysAllocOS(m, t, n):
    return mmap(m, t, 0, n, PROT_RW, ANONYMOUS)


@cold
def sysMap(m, t, v, n, stat):
    """Reserved to Prepared; False after a fatal error."""
    if not lies_in(m, t, v, n, H.PROT_NONE):
        throw(m, t, E.NOT_RESERVED, v, n)
        return False
    add64(m, t, stat, n)
    result = map_pages(m, t, v, n, PROT_RW, ANONYMOUS | H.MAP_FIXED)
    if result != v:
        add64(m, t, stat, -n)  # the machine goes on, and its counters agree
        throw(m, t, E.MAP_MEMORY if result == -H.ENOMEM else E.CANNOT_MAP, 0, 0)
        return False
    if get32(m, t, V.debug + debug.disablethp):
        madvise(m, t, v, n, H.MADV_NOHUGEPAGE)  # sysNoHugePageOS
    return True


@cold
def sysUsed(m, t, v, n, prepared):
    """Prepared to Ready; `prepared`: how many of the bytes were Prepared."""
    if not lies_in(m, t, v, n, PROT_RW):
        throw(m, t, E.NOT_MAPPED, v, n)
        return
    add64(m, t, MAPPED_READY, prepared)


@cold
def sysUnused(m, t, v, n):
    """Ready to Prepared: the memory goes back to the kernel, the addresses stay usable."""
    if v & (P.physPageSize - 1) or n & (P.physPageSize - 1):
        throw(m, t, E.UNALIGNED_UNUSED, 0, 0)
        return
    if not lies_in(m, t, v, n, PROT_RW):
        throw(m, t, E.NOT_MAPPED, v, n)
        return
    add64(m, t, MAPPED_READY, -n)
    eager = get32(m, t, V.debug + debug.madvdontneed)  # the default since Go 1.16
    madvise(m, t, v, n, H.MADV_DONTNEED if eager else H.MADV_FREE)


@cold
def sysHugePage(m, t, v, n):
    start, end = align_up(v, P.physHugePageSize), align_down(v + n, P.physHugePageSize)
    if start < end:
        madvise(m, t, start, end - start, H.MADV_HUGEPAGE)


@cold
def sysNoHugePage(m, t, v, n):
    madvise(m, t, v, n, H.MADV_NOHUGEPAGE)


@cold
def sysFree(m, t, v, n, stat):
    """Any state to None."""
    add64(m, t, stat, -n)
    add64(m, t, MAPPED_READY, -n)
    sysFreeOS(m, t, v, n)


@cold
def sysFreeOS(m, t, v, n):
    system_call(m, t, H.SYS_MUNMAP, v, n, 0)


@cold
def sysFault(m, t, v, n):
    """Prepared or Ready to Reserved: accesses fault from now on."""
    if not lies_in(m, t, v, n, PROT_RW):
        throw(m, t, E.NOT_MAPPED, v, n)
        return
    add64(m, t, MAPPED_READY, -n)
    mmap(m, t, v, n, H.PROT_NONE, ANONYMOUS | H.MAP_FIXED)


@kernel
def lies_in(m, t, v, n, prot):
    """Whether every page of [v, v + n) is mapped with exactly these rights."""
    p = m.thread[t].process
    end = v + n
    while v < end:
        vma = vma_at(m, p, v)
        if vma < 0 or m.vma[vma].vm_flags & H.VM_ACCESS != prot:
            return False
        v = m.vma[vma].end
    return True


@kernel
def mmap(m, t, v, n, prot, flags):
    """The address, or 0."""
    result = map_pages(m, t, v, n, prot, flags)
    return result if result > 0 else 0


@kernel
def map_pages(m, t, v, n, prot, flags):
    """The address, or -errno."""
    m.sys[3], m.sys[4], m.sys[5] = flags, -1, 0
    return system_call(m, t, H.SYS_MMAP, v, n, prot)


@kernel
def madvise(m, t, v, n, advice):
    system_call(m, t, H.SYS_MADVISE, v, n, advice)


@cold
def system_call(m, t, number, a, b, c):
    """A system call with its first three arguments; what mmap takes beyond them is in m.sys already."""
    m.process[m.thread[t].process].guest[P.SYS_CALLS] += 1
    m.sys[0], m.sys[1], m.sys[2] = a, b, c
    return call_door(m, H.DOOR_SYSCALL, t, number, 0, 0)

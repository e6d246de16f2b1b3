"""Chunks that are mappings of their own: requests from the mmap threshold up, and the system calls behind them.

    block (page-aligned) | prev_size: bytes from the block to p | size | 2 |  the user's bytes ...  | whole pages

The threshold begins at 128 KiB and is raised by free to the size of what it unmaps, up to 32 MiB (malloc.py): what a
program frees it will want again. Source: glibc 2.36 malloc/malloc.c sysmalloc_mmap, munmap_chunk, mremap_chunk.
"""

from hwmem import params as P
from hwmem._jit import call_door, cold, kernel
from hwmem.core.access import fetch_add64, load32, load64, store32, store64
from hwmem.libc import abort as A
from hwmem.libc import layout as L
from hwmem.libc.abort import abort
from hwmem.libc.chunk import HEADER, IS_MMAPPED, align_up, chunksize, prev_size, set_head
from hwmem.libc.layout import mp


@kernel
def mmap(m, t, address, length, prot, flags):
    """The system call, private and anonymous; the address, negative if it fails."""
    m.sys[0], m.sys[1], m.sys[2], m.sys[3], m.sys[4], m.sys[5] = address, length, prot, flags | P.MAP_PRIVATE | P.MAP_ANONYMOUS, -1, 0
    return call_door(m, P.DOOR_SYSCALL, t, P.SYS_MMAP, 0, 0)


@kernel
def munmap(m, t, address, length):
    m.sys[0], m.sys[1] = address, length
    call_door(m, P.DOOR_SYSCALL, t, P.SYS_MUNMAP, 0, 0)


@kernel
def raise_to(m, t, va, value):
    """A maximum that is kept in emulated memory."""
    if value > load64(m, t, va):
        store64(m, t, va, value)


@cold
def map_chunk(m, t, size):
    """A mapping for a chunk of `size` bytes; its mem, or 0."""
    par = mp(m, t)
    length = align_up(size + 8, P.PAGE)
    p = mmap(m, t, 0, length, P.PROT_READ | P.PROT_WRITE, 0)
    if p < 0:
        return 0
    store64(m, t, p, 0)
    set_head(m, t, p, length | IS_MMAPPED)
    count = add_mapping(m, t, 1)
    if count > load32(m, t, par + L.MAX_N_MMAPS):
        store32(m, t, par + L.MAX_N_MMAPS, count)
    raise_to(m, t, par + L.MAX_MMAPPED_MEM, fetch_add64(m, t, par + L.MMAPPED_MEM, length) + length)
    return p + HEADER


@kernel
def add_mapping(m, t, count):
    """`count` mappings more; how many there are."""
    place = mp(m, t) + L.N_MMAPS
    count += load32(m, t, place)
    store32(m, t, place, count)
    return count


@kernel
def is_mapping(p, block, length):
    """Whether a chunk that says it is mmapped can be one: whole pages, and mem where malloc or memalign would put it."""
    within = p + HEADER & (P.PAGE - 1)
    return (block | length) & (P.PAGE - 1) == 0 and within & (within - 1) == 0


@cold
def unmap_chunk(m, t, p):
    """Free a chunk's mapping. 0, or -1."""
    size, offset = chunksize(m, t, p), prev_size(m, t, p)
    if not is_mapping(p, p - offset, offset + size):
        return abort(m, t, A.MUNMAP_POINTER)
    add_mapping(m, t, -1)
    fetch_add64(m, t, mp(m, t) + L.MMAPPED_MEM, -(offset + size))
    munmap(m, t, p - offset, offset + size)
    return 0


@cold
def remap_chunk(m, t, p, size):
    """Resize the mapping to hold a chunk of `size` bytes, where the kernel likes; the chunk, 0 if it fails, or -1."""
    offset, old = prev_size(m, t, p), chunksize(m, t, p)
    block, length = p - offset, offset + old
    if not is_mapping(p, block, length):
        return abort(m, t, A.MREMAP_POINTER)
    new = align_up(size + offset + 8, P.PAGE)
    if length == new:
        return p
    m.sys[0], m.sys[1], m.sys[2], m.sys[3], m.sys[4] = block, length, new, P.MREMAP_MAYMOVE, 0
    block = call_door(m, P.DOOR_SYSCALL, t, P.SYS_MREMAP, 0, 0)
    if block < 0:
        return 0
    p = block + offset
    set_head(m, t, p, new - offset | IS_MMAPPED)
    par = mp(m, t)
    raise_to(m, t, par + L.MAX_MMAPPED_MEM, fetch_add64(m, t, par + L.MMAPPED_MEM, new - length) + new - length)
    return p

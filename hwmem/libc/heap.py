"""Heaps: where arenas other than the main one have their memory. 64 MiB of address space each, so aligned that a chunk's
address says which heap it is in, of which the first part may be read and written.

    heap + 0  ar_ptr | prev | size | mprotect_size | pagesize     40 bytes; 48 with what makes chunks line up
    heap + 48 the arena (in its first heap), then chunks ... top ... | no access yet | + 64 MiB

When a heap is full its arena takes another; one whose chunks are all free goes back to the kernel. Who calls: arena.py for
the first, more.py for the next, release.py when much was freed.
Source: glibc 2.36 malloc/arena.c alloc_new_heap, grow_heap, shrink_heap, heap_trim.
"""

from hwmem import params as P
from hwmem._jit import call_door, cold, kernel
from hwmem.core.access import load64, store64
from hwmem.libc import layout as L
from hwmem.libc.bins import unlink_chunk
from hwmem.libc.chunk import (
    ALIGN_MASK,
    HEAP_MAX,
    MINSIZE,
    PREV_INUSE,
    align_up,
    chunksize,
    exceeds,
    heap_of,
    prev_inuse,
    prev_size,
    set_head,
)
from hwmem.libc.layout import dead, library, mp
from hwmem.libc.mapped import mmap, munmap

PREV, HEAP_SIZE, MPROTECT_SIZE, PAGESIZE = 8, 16, 24, 32  # ar_ptr: chunk.py
HEAP_BYTES = 48  # sizeof (heap_info)
HEAP_MIN = 32 << 10
FENCE = MINSIZE - 2 * 8  # bytes behind the last chunk of a heap that is full


@kernel
def mprotect(m, t, address, length):
    """Reads and writes are allowed; 0 or -errno."""
    m.sys[0], m.sys[1], m.sys[2] = address, length, P.PROT_READ | P.PROT_WRITE
    return call_door(m, P.DOOR_SYSCALL, t, P.SYS_MPROTECT, 0, 0)


@cold
def new_heap(m, t, size):
    """A heap with room for `size` bytes, and top_pad if there is room for it too; 0 if there is none."""
    pad = load64(m, t, mp(m, t) + L.TOP_PAD)
    if size > HEAP_MAX:
        return 0
    size = HEAP_MIN if size + pad < HEAP_MIN else align_up(min(size + pad, HEAP_MAX), P.PAGE)
    heap = aligned_area(m, t)
    if heap == 0:
        return 0
    if mprotect(m, t, heap, size) != 0:
        munmap(m, t, heap, HEAP_MAX)
        return 0
    store64(m, t, heap + HEAP_SIZE, size)
    store64(m, t, heap + MPROTECT_SIZE, size)
    store64(m, t, heap + PAGESIZE, P.PAGE)
    return heap


@kernel
def reserve(m, t, address, length):
    return mmap(m, t, address, length, P.PROT_NONE, P.MAP_NORESERVE)


@kernel
def aligned_area(m, t):
    """64 MiB of address space, so aligned: beside the last ones if that is free, else cut out of twice as much; 0: none."""
    beside = library(m, t) + L.HEAP_AREA
    wish = load64(m, t, beside)
    if wish:
        store64(m, t, beside, 0)
        heap = reserve(m, t, wish, HEAP_MAX)
        if heap > 0 and heap & HEAP_MAX - 1 == 0:
            return heap
        if heap > 0:
            munmap(m, t, heap, HEAP_MAX)
    area = reserve(m, t, 0, 2 * HEAP_MAX)
    if area < 0:
        return lucky_area(m, t)
    heap = align_up(area, HEAP_MAX)
    if heap > area:
        munmap(m, t, area, heap - area)
    else:
        store64(m, t, beside, heap + HEAP_MAX)
    munmap(m, t, heap + HEAP_MAX, HEAP_MAX - (heap - area))
    return heap


@kernel
def lucky_area(m, t):
    """The last try: a mapping that happens to be aligned."""
    heap = reserve(m, t, 0, HEAP_MAX)
    if heap > 0 and heap & HEAP_MAX - 1:
        munmap(m, t, heap, HEAP_MAX)
        return 0
    return max(heap, 0)


@cold
def grow_heap(m, t, heap, more):
    """`more` bytes, in whole pages, may be used of the heap; False if it has not got them."""
    size = load64(m, t, heap + HEAP_SIZE) + align_up(more, P.PAGE)
    allowed = load64(m, t, heap + MPROTECT_SIZE)
    if size > HEAP_MAX:
        return False
    if size > allowed:
        if mprotect(m, t, heap + allowed, size - allowed) != 0:
            return False
        store64(m, t, heap + MPROTECT_SIZE, size)
    store64(m, t, heap + HEAP_SIZE, size)
    return True


@kernel
def add_system_mem(m, t, av, n):
    store64(m, t, av + L.SYSTEM_MEM, load64(m, t, av + L.SYSTEM_MEM) + n)


@cold
def heap_trim(m, t, av, pad):
    """Heaps of the arena that hold nothing any more go back, and the top of the last if it is above the trim threshold."""
    top = load64(m, t, av + L.TOP)
    heap = heap_of(top)
    while top == heap + HEAP_BYTES and not dead(m, t):
        older = load64(m, t, heap + PREV)
        p, size = last_chunk(m, t, older)
        if size + (HEAP_MAX - load64(m, t, older + HEAP_SIZE)) < pad + MINSIZE + P.PAGE:
            break
        add_system_mem(m, t, av, -load64(m, t, heap + HEAP_SIZE))
        if heap + HEAP_MAX == load64(m, t, library(m, t) + L.HEAP_AREA):
            store64(m, t, library(m, t) + L.HEAP_AREA, 0)
        munmap(m, t, heap, HEAP_MAX)
        heap = older
        if not prev_inuse(m, t, p):
            p -= prev_size(m, t, p)
            if not unlink_chunk(m, t, p):
                return
        top = p
        store64(m, t, av + L.TOP, top)
        set_head(m, t, top, size | PREV_INUSE)
    shrink_top(m, t, av, heap, pad)


@kernel
def last_chunk(m, t, heap):
    """The last chunk of a heap before its fence, and how large top would be if the next heap went: with the fence, and
    with the chunk below it if that is free."""
    end = heap + load64(m, t, heap + HEAP_SIZE)
    fence = end - FENCE & ~ALIGN_MASK
    p = fence - prev_size(m, t, fence)
    size = chunksize(m, t, p) + end - fence
    if not prev_inuse(m, t, p):
        size += prev_size(m, t, p)
    return p, size


@kernel
def shrink_top(m, t, av, heap, pad):
    """The kernel takes back the pages of top beyond `pad`; they stay readable and writable."""
    top = load64(m, t, av + L.TOP)
    size = chunksize(m, t, top)
    area = size - MINSIZE - 1
    if not exceeds(size, load64(m, t, mp(m, t) + L.TRIM_THRESHOLD)) or area <= pad:
        return
    extra = (area - pad) & -P.PAGE
    if extra == 0:
        return
    left = load64(m, t, heap + HEAP_SIZE) - extra
    m.sys[0], m.sys[1], m.sys[2] = heap + left, extra, P.MADV_DONTNEED
    call_door(m, P.DOOR_SYSCALL, t, P.SYS_MADVISE, 0, 0)
    store64(m, t, heap + HEAP_SIZE, left)
    add_system_mem(m, t, av, -extra)
    set_head(m, t, top, size - extra | PREV_INUSE)

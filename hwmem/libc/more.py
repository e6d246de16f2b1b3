"""sysmalloc: no bin and no top can serve a request; more memory comes from the kernel.

    from the mmap threshold up    a mapping of its own (mapped.py)
    main arena                    the break moves up by request + top_pad (128 KiB), in pages; if that fails, a mapping of
                                  at least 1 MiB takes its place, and from then on the arena is not contiguous
    another arena                 its heap grows, or it takes a new one (heap.py); a mapping if that fails too

Then the request is cut off top. Where new memory does not join the old top (somebody else moved the break, a new heap),
the old one ends in a fence: two headers in use, so that nothing is ever joined across it.
Source: glibc 2.36 malloc/malloc.c sysmalloc.
"""

from hwmem import params as P
from hwmem._jit import cold, kernel
from hwmem.core.access import load32, load64, store32, store64
from hwmem.libc import abort as A
from hwmem.libc import layout as L
from hwmem.libc.abort import abort
from hwmem.libc.chunk import ALIGN_MASK, HEADER, MINSIZE, NON_MAIN_ARENA, PREV_INUSE, align_up, chunksize, head, heap_of, set_foot, set_head
from hwmem.libc.heap import HEAP_BYTES, HEAP_SIZE, PREV, add_system_mem, grow_heap, new_heap
from hwmem.libc.layout import main_arena, mp
from hwmem.libc.mapped import map_chunk, mmap, raise_to
from hwmem.libc.morecore import FAILED, sbrk
from hwmem.libc.release import int_free

MMAP_AS_MORECORE = 1 << 20


@cold
def sysmalloc(m, t, av, size):
    """Memory for a chunk of `size` bytes, fresh from the kernel; its mem, 0 if there is none, -1 if the heap is corrupt."""
    par = mp(m, t)
    large = av == 0 or size >= load64(m, t, par + L.MMAP_THRESHOLD) and load32(m, t, par + L.N_MMAPS) < load32(m, t, par + L.N_MMAPS_MAX)
    if large:
        mem = map_chunk(m, t, size)
        if mem or av == 0:
            return mem
    top = load64(m, t, av + L.TOP)
    top_size = chunksize(m, t, top)
    if top_size and (top_size < MINSIZE or not head(m, t, top) & PREV_INUSE or top + top_size & P.PAGE - 1):
        return abort(m, t, A.SYSMALLOC_ASSERTION)
    if av == main_arena(m, t):
        if extend_main(m, t, av, top, top_size, size) < 0:
            return -1
    elif not extend_heap(m, t, av, top, top_size, size) and not large:
        mem = map_chunk(m, t, size)
        if mem:
            return mem
    raise_to(m, t, av + L.MAX_SYSTEM_MEM, load64(m, t, av + L.SYSTEM_MEM))
    return split_top(m, t, av, size)


@kernel
def split_top(m, t, av, size):
    """Cut a chunk off the bottom of top; its mem, or 0 if top is too small."""
    p = load64(m, t, av + L.TOP)
    left = chunksize(m, t, p) - size
    if left < MINSIZE:
        return 0
    store64(m, t, av + L.TOP, p + size)
    set_head(m, t, p, size | PREV_INUSE | arena_flag(m, t, av))
    set_head(m, t, p + size, left | PREV_INUSE)
    return p + HEADER


@kernel
def arena_flag(m, t, av):
    """What the size field of a chunk of the arena says of where it belongs."""
    return 0 if av == main_arena(m, t) else NON_MAIN_ARENA


@kernel
def extend_main(m, t, av, top, top_size, size):
    """More memory for the main arena, if there is any; -1 if the heap is corrupt."""
    contiguous = not load32(m, t, av + L.ARENA_FLAGS) & L.NONCONTIGUOUS
    wanted = align_up(size + load64(m, t, mp(m, t) + L.TOP_PAD) + MINSIZE - (top_size if contiguous else 0), P.PAGE)
    start, end = sbrk(m, t, wanted), FAILED
    if start == FAILED:
        if contiguous:
            wanted = align_up(wanted + top_size, P.PAGE)
        wanted = max(wanted, MMAP_AS_MORECORE)
        start = mmap(m, t, 0, wanted, P.PROT_READ | P.PROT_WRITE, 0)
        if start < 0:
            return 0
        store32(m, t, av + L.ARENA_FLAGS, load32(m, t, av + L.ARENA_FLAGS) | L.NONCONTIGUOUS)
        contiguous, end = False, start + wanted
    if load64(m, t, mp(m, t) + L.SBRK_BASE) == 0:
        store64(m, t, mp(m, t) + L.SBRK_BASE, start)
    add_system_mem(m, t, av, wanted)
    if start == top + top_size and end == FAILED:
        set_head(m, t, top, wanted + top_size | PREV_INUSE)
        return 0
    if contiguous:
        if top_size:
            if start < top + top_size:
                return abort(m, t, A.BREAK_ADJUSTED)
            add_system_mem(m, t, av, start - (top + top_size))
        start, end = align_break(m, t, av, top_size, start, start + wanted)
    elif end == FAILED:
        end = sbrk(m, t, 0)
    store64(m, t, av + L.TOP, start)
    set_head(m, t, start, end - start | PREV_INUSE)
    return fence_top(m, t, av, top, top_size)


@kernel
def align_break(m, t, av, top_size, start, end):
    """The first memory, or some beyond a break that somebody else moved: (start, end), aligned, with more to make up for the old top."""
    aligned = align_up(start, HEADER)
    correction = aligned - start + top_size
    correction += align_up(end + correction, P.PAGE) - (end + correction)
    if sbrk(m, t, correction) == FAILED:
        correction = 0
        end = sbrk(m, t, 0)
    add_system_mem(m, t, av, correction)
    return aligned, end + correction


@kernel
def fence_top(m, t, av, top, top_size):
    """What was the main arena's top ends in a fence, and is freed; -1 if the heap is corrupt."""
    if top_size == 0:
        return 0
    top_size = top_size - 2 * HEADER & ~ALIGN_MASK
    set_head(m, t, top, top_size | PREV_INUSE)
    set_head(m, t, top + top_size, HEADER | PREV_INUSE)
    set_head(m, t, top + top_size + HEADER, HEADER | PREV_INUSE)
    return int_free(m, t, av, top, True) if top_size >= MINSIZE else 0


@kernel
def extend_heap(m, t, av, top, top_size, size):
    """More memory for an arena with heaps; False if there is none."""
    heap = heap_of(top)
    before = load64(m, t, heap + HEAP_SIZE)
    if MINSIZE + size - top_size > 0 and grow_heap(m, t, heap, MINSIZE + size - top_size):
        now = load64(m, t, heap + HEAP_SIZE)
        add_system_mem(m, t, av, now - before)
        set_head(m, t, top, heap + now - top | PREV_INUSE)
        return True
    fresh = new_heap(m, t, size + MINSIZE + HEAP_BYTES)
    if fresh == 0:
        return False
    store64(m, t, fresh, av)
    store64(m, t, fresh + PREV, heap)
    length = load64(m, t, fresh + HEAP_SIZE)
    add_system_mem(m, t, av, length)
    store64(m, t, av + L.TOP, fresh + HEAP_BYTES)
    set_head(m, t, fresh + HEAP_BYTES, length - HEAP_BYTES | PREV_INUSE)
    fence_heap(m, t, av, top, top_size - MINSIZE & ~ALIGN_MASK)
    return True


@kernel
def fence_heap(m, t, av, top, size):
    """The old top, of which `size` bytes may be used, ends in a fence that heap_trim knows again; it is freed."""
    set_head(m, t, top + size + HEADER, PREV_INUSE)
    if size >= MINSIZE:
        set_head(m, t, top + size, HEADER | PREV_INUSE)
        set_foot(m, t, top + size, HEADER)
        set_head(m, t, top, size | PREV_INUSE | NON_MAIN_ARENA)
        int_free(m, t, av, top, True)
    else:
        set_head(m, t, top, size + HEADER | PREV_INUSE)
        set_foot(m, t, top, size + HEADER)

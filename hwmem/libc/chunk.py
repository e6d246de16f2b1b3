"""A chunk: a stretch of the heap with its header, in use or free.

    p + 0    prev_size        size of the chunk below, while that one is free
    p + 8    size | flags     1: the chunk below is in use; 2: mmapped; 4: of an arena that is not the main one
    p + 16   the user's bytes, to the size field of the chunk above: its prev_size is lent to the user too
             free: fd, bk; in a large bin also fd_nextsize, bk_nextsize (p + 32, p + 40)
    p + size the next chunk; whether this one is in use is written there

"mem" is what malloc returns, p + 16. Sizes are multiples of 16, at least 32. Every read and write here is one of the
emulated program's. Source: glibc 2.36 malloc/malloc.c, from "malloc_chunk details" to "Physical chunk operations".
"""

from hwmem._jit import kernel
from hwmem.core.access import load64, store64

PREV_SIZE, SIZE, FD, BK, FD_NEXTSIZE, BK_NEXTSIZE = 0, 8, 16, 24, 32, 40
HEADER = 16
MINSIZE = 32
ALIGNMENT = 16
ALIGN_MASK = ALIGNMENT - 1
CHUNK_BYTES = 48  # sizeof (struct malloc_chunk)
PREV_INUSE, IS_MMAPPED, NON_MAIN_ARENA = 1, 2, 4
FLAGS = PREV_INUSE | IS_MMAPPED | NON_MAIN_ARENA
MIN_LARGE = 1024  # chunks from here on go to large bins
HEAP_MAX = 64 << 20  # heaps of arenas other than the main one begin at multiples of this (heap.py)
LARGEST_REQUEST = 1 << 62  # nobody can map that; and it may be added to


@kernel
def request2size(n):
    """The chunk that `n` bytes need; 0 for more than PTRDIFF_MAX."""
    if n < 0:
        return 0
    return max(MINSIZE, (min(n, LARGEST_REQUEST) + 8 + ALIGN_MASK) & ~ALIGN_MASK)


@kernel
def head(m, t, p):
    """The chunk's size and flags."""
    return load64(m, t, p + SIZE)


@kernel
def chunksize(m, t, p):
    return load64(m, t, p + SIZE) & ~FLAGS


@kernel
def set_head(m, t, p, size_and_flags):
    store64(m, t, p + SIZE, size_and_flags)


@kernel
def set_head_size(m, t, p, size_and_arena):
    """Another size; whether the chunk below is in use stays."""
    store64(m, t, p + SIZE, load64(m, t, p + SIZE) & FLAGS | size_and_arena)


@kernel
def set_foot(m, t, p, size):
    """The size of a free chunk, once more, where the chunk above finds it."""
    store64(m, t, p + size, size)


@kernel
def prev_size(m, t, p):
    return load64(m, t, p)


@kernel
def prev_inuse(m, t, p):
    return load64(m, t, p + SIZE) & PREV_INUSE


@kernel
def set_inuse(m, t, p, size):
    """The chunk of `size` bytes is in use."""
    store64(m, t, p + size + SIZE, load64(m, t, p + size + SIZE) | PREV_INUSE)


@kernel
def clear_prev_inuse(m, t, p):
    store64(m, t, p + SIZE, load64(m, t, p + SIZE) & ~PREV_INUSE)


@kernel
def reaches(a, b):
    """a >= b as unsigned numbers, of which `b` is below 2**63."""
    return a < 0 or a >= b


@kernel
def exceeds(size, threshold):
    """size >= threshold, of which `size` is below 2**63 and the other has 64 bits without a sign."""
    return size >= threshold >= 0


@kernel
def align_up(n, unit):
    return (n + unit - 1) & ~(unit - 1)


@kernel
def protect(place, pointer):
    """A link of a singly linked list as it is stored at `place`, and back (safe-linking)."""
    return place >> 12 ^ pointer


@kernel
def heap_of(p):
    """The heap of a chunk that is not of the main arena."""
    return p & -HEAP_MAX


@kernel
def heap_arena(m, t, p):
    """The arena of such a chunk: the first word of its heap."""
    return load64(m, t, heap_of(p))

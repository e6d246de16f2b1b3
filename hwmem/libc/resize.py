"""realloc: in place where that is possible.

    mmapped    mremap, which moves no byte
    smaller    what is too much is cut off and freed
    larger     into top, or into the free chunk above; else elsewhere, and copied

Source: glibc 2.36 malloc/malloc.c __libc_realloc, _int_realloc.
"""

from hwmem._jit import cold, kernel
from hwmem.core.access import load64, store64
from hwmem.libc import abort as A
from hwmem.libc import layout as L
from hwmem.libc.abort import abort
from hwmem.libc.arena import arena_of
from hwmem.libc.bins import unlink_chunk
from hwmem.libc.chunk import (
    ALIGN_MASK,
    HEADER,
    IS_MMAPPED,
    MINSIZE,
    PREV_INUSE,
    chunksize,
    head,
    prev_inuse,
    reaches,
    request2size,
    set_head,
    set_head_size,
    set_inuse,
)
from hwmem.libc.copy import copy
from hwmem.libc.lock import lock, unlock
from hwmem.libc.mapped import remap_chunk, unmap_chunk
from hwmem.libc.more import arena_flag
from hwmem.libc.release import int_free
from hwmem.libc.search import int_malloc
from hwmem.libc.thread import need_cache


@cold
def realloc_chunk(m, t, p, n):
    """Resize chunk `p` to hold `n` bytes, more than 0. Its mem, which may be new; 0: no memory, `p` stays; -1: corrupt."""
    old = chunksize(m, t, p)
    mmapped = head(m, t, p) & IS_MMAPPED
    if not mmapped:
        need_cache(m, t)
    if old <= 0 and p > -old or p & ALIGN_MASK:
        return abort(m, t, A.REALLOC_POINTER)
    size = request2size(n)
    if size == 0:
        return 0
    if mmapped:
        return resize_mapping(m, t, p, old, size)
    av = arena_of(m, t, p)
    lock(m, t, av)
    mem = int_realloc(m, t, av, p, old, size)
    unlock(m, t, av)
    return mem


@kernel
def resize_mapping(m, t, p, old, size):
    """0: the kernel would not; malloc.py finds another place."""
    moved = remap_chunk(m, t, p, size)
    if moved:
        return moved + HEADER if moved > 0 else -1
    return p + HEADER if old - 8 >= size else 0


@kernel
def int_realloc(m, t, av, p, old, size):
    """`p`, of `old` bytes, shall have `size`; mem, 0, or -1."""
    limit, above = load64(m, t, av + L.SYSTEM_MEM), p + old
    if 0 <= head(m, t, p) <= HEADER or reaches(old, limit):
        return abort(m, t, A.REALLOC_OLD_SIZE)
    above_size = chunksize(m, t, above)
    if 0 <= head(m, t, above) <= HEADER or reaches(above_size, limit):
        return abort(m, t, A.REALLOC_NEXT_SIZE)
    if old >= size:
        return cut(m, t, av, p, old, size)
    if above == load64(m, t, av + L.TOP):
        if old + above_size >= size + MINSIZE:
            return grow_into_top(m, t, av, p, old + above_size, size)
    elif not prev_inuse(m, t, above + above_size) and old + above_size >= size:
        return cut(m, t, av, p, old + above_size, size) if unlink_chunk(m, t, above) else -1
    return move(m, t, av, p, old, size)


@kernel
def grow_into_top(m, t, av, p, both, size):
    set_head_size(m, t, p, size | arena_flag(m, t, av))
    store64(m, t, av + L.TOP, p + size)
    set_head(m, t, p + size, both - size | PREV_INUSE)
    return p + HEADER


@kernel
def cut(m, t, av, p, found, size):
    """`p` has `found` bytes now, at least `size`: what is above that is freed if it makes a chunk."""
    flag, left = arena_flag(m, t, av), found - size
    if left < MINSIZE:
        set_head_size(m, t, p, found | flag)
        set_inuse(m, t, p, found)
        return p + HEADER
    set_head_size(m, t, p, size | flag)
    set_head(m, t, p + size, left | PREV_INUSE | flag)
    set_inuse(m, t, p + size, left)
    return p + HEADER if int_free(m, t, av, p + size, True) == 0 else -1


@kernel
def move(m, t, av, p, old, size):
    """Another chunk, the bytes, and `p` is freed; unless the other happens to be the one above."""
    mem = int_malloc(m, t, av, size - ALIGN_MASK)
    if mem <= 0:
        return mem
    other = mem - HEADER
    if other == p + old:
        return cut(m, t, av, p, old + chunksize(m, t, other), size)
    copy(m, t, mem, p + HEADER, old - 8)
    return mem if int_free(m, t, av, p, True) == 0 else -1


@cold
def move_elsewhere(m, t, p, mem):
    """The bytes of `p`, which could not be resized, are at `mem` now; `p` is freed."""
    old = chunksize(m, t, p)
    if head(m, t, p) & IS_MMAPPED:
        copy(m, t, mem, p + HEADER, old - HEADER)
        return unmap_chunk(m, t, p)
    copy(m, t, mem, p + HEADER, old - 8)
    return int_free(m, t, arena_of(m, t, p), p, False)

"""Bins: doubly linked lists of an arena's free chunks, and which of them are not empty.

    bin 1         unsorted: what was freed or split off and has not been sorted yet
    bins 2..63    small: one size each, 32, 48, ... 1008; first in, first out
    bins 64..126  large: ranges of sizes, sorted, largest first; chunks that are the first of their size are linked once
                  more, by fd_nextsize and bk_nextsize (the skip list)

A bin is its two links in the arena, addressed as if a chunk with only fd and bk were there. A bit of the binmap is set
when a chunk comes to its bin, and cleared when a search finds the bin empty.
Source: glibc 2.36 malloc/malloc.c bin_at to unlink_chunk, "Binmap", and in _int_malloc "place chunk in bin".
"""

import numpy as np

from hwmem._jit import kernel
from hwmem.bits import ctz64
from hwmem.core.access import load32, load64, store32, store64
from hwmem.libc import abort as A
from hwmem.libc import layout as L
from hwmem.libc.abort import abort
from hwmem.libc.chunk import BK, BK_NEXTSIZE, FD, FD_NEXTSIZE, MIN_LARGE, PREV_INUSE, chunksize, prev_size, set_foot, set_head
from hwmem.libc.layout import dead

UNSORTED = 1


@kernel
def bin_at(av, i):
    return av + L.BINS + 16 * (i - 2)


@kernel
def is_small(size):
    """Whether chunks of `size` bytes have a bin of their own."""
    return 0 <= size < MIN_LARGE


@kernel
def bin_index(size):
    """The bin for chunks of `size` bytes."""
    if is_small(size):
        return size >> 4
    if size >> 6 <= 48:
        return 48 + (size >> 6)
    if size >> 9 <= 20:
        return 91 + (size >> 9)
    if size >> 12 <= 10:
        return 110 + (size >> 12)
    if size >> 15 <= 4:
        return 119 + (size >> 15)
    if size >> 18 <= 2:
        return 124 + (size >> 18)
    return 126


@kernel
def unlink_chunk(m, t, p):
    """Take a free chunk off its list; False when the heap is corrupt."""
    size = chunksize(m, t, p)
    if size != prev_size(m, t, p + size):
        abort(m, t, A.SIZE_PREV_SIZE)
        return False
    fd, bk = load64(m, t, p + FD), load64(m, t, p + BK)
    if load64(m, t, fd + BK) != p or load64(m, t, bk + FD) != p:
        abort(m, t, A.LIST)
        return False
    store64(m, t, fd + BK, bk)
    store64(m, t, bk + FD, fd)
    return is_small(size) or load64(m, t, p + FD_NEXTSIZE) == 0 or unlink_size(m, t, p, fd)


@kernel
def unlink_size(m, t, p, fd):
    """`p` was the first of its size in a large bin: `fd`, behind it, takes its place in the skip list if it is as large."""
    larger, smaller = load64(m, t, p + BK_NEXTSIZE), load64(m, t, p + FD_NEXTSIZE)
    if load64(m, t, smaller + BK_NEXTSIZE) != p or load64(m, t, larger + FD_NEXTSIZE) != p:
        abort(m, t, A.LIST_NOT_SMALL)
        return False
    if load64(m, t, fd + FD_NEXTSIZE) != 0:
        store64(m, t, smaller + BK_NEXTSIZE, larger)
        store64(m, t, larger + FD_NEXTSIZE, smaller)
    elif smaller == p:
        link_size(m, t, fd, fd, fd)
    else:
        link_size(m, t, fd, larger, smaller)
    return True


@kernel
def link_size(m, t, p, larger, smaller):
    """`p` stands between two chunks of the skip list, of which each may be itself."""
    store64(m, t, p + FD_NEXTSIZE, smaller)
    store64(m, t, p + BK_NEXTSIZE, larger)
    if larger != p:
        store64(m, t, smaller + BK_NEXTSIZE, p)
        store64(m, t, larger + FD_NEXTSIZE, p)


@kernel
def link(m, t, p, bck, fwd):
    """`p` stands between two neighbours in a list."""
    store64(m, t, p + BK, bck)
    store64(m, t, p + FD, fwd)
    store64(m, t, fwd + BK, p)
    store64(m, t, bck + FD, p)


@kernel
def enter_unsorted(m, t, av, p, size):
    """A free chunk of `size` bytes goes to the unsorted bin, with header and footer; False if that is corrupt."""
    bck = bin_at(av, UNSORTED)
    fwd = load64(m, t, bck + FD)
    if load64(m, t, fwd + BK) != bck:
        return False
    put_unsorted(m, t, bck, fwd, p, size)
    return True


@kernel
def put_unsorted(m, t, bck, fwd, p, size):
    link(m, t, p, bck, fwd)
    if not is_small(size):
        store64(m, t, p + FD_NEXTSIZE, 0)
        store64(m, t, p + BK_NEXTSIZE, 0)
    set_head(m, t, p, size | PREV_INUSE)
    set_foot(m, t, p, size)


@kernel
def enter_bin(m, t, av, p, size):
    """A free chunk that was taken off the unsorted bin goes to the bin of its size; -1 if that is corrupt."""
    i = bin_index(size)
    bck = bin_at(av, i)
    fwd = load64(m, t, bck + FD)
    if not is_small(size):
        if fwd == bck:
            link_size(m, t, p, p, p)
        else:
            fwd = place_by_size(m, t, bck, fwd, p, size)
            if fwd < 0:
                return fwd
            bck = load64(m, t, fwd + BK)
    word = av + L.BINMAP + 4 * (i >> 5)
    store32(m, t, word, load32(m, t, word) | 1 << (i & 31))
    link(m, t, p, bck, fwd)
    return 0


@kernel
def place_by_size(m, t, bin_, first, p, size):
    """The chunk before which `p` belongs in a large bin that is not empty, the second of its size if there are others; the
    first of its size enters the skip list. -1 if the bin is corrupt."""
    last = load64(m, t, bin_ + BK)
    if size < chunksize(m, t, last):
        link_size(m, t, p, load64(m, t, first + BK_NEXTSIZE), first)
        return bin_
    fwd = first
    while size < chunksize(m, t, fwd) and not dead(m, t):
        fwd = load64(m, t, fwd + FD_NEXTSIZE)
    if size == chunksize(m, t, fwd):
        fwd = load64(m, t, fwd + FD)
    else:
        larger = load64(m, t, fwd + BK_NEXTSIZE)
        if load64(m, t, larger + FD_NEXTSIZE) != fwd:
            return abort(m, t, A.LARGEBIN_NEXTSIZE)
        link_size(m, t, p, larger, fwd)
    if load64(m, t, load64(m, t, fwd + BK) + FD) != fwd:
        return abort(m, t, A.LARGEBIN_BK)
    return fwd


@kernel
def next_marked_bin(m, t, av, i):
    """The first bin from `i` on whose bit is set, 0: none."""
    while i < L.NBINS:
        word = load32(m, t, av + L.BINMAP + 4 * (i >> 5)) >> (i & 31)
        if word:
            return i + ctz64(np.uint64(word))
        i = (i | 31) + 1
    return 0


@kernel
def unmark_bin(m, t, av, i):
    word = av + L.BINMAP + 4 * (i >> 5)
    store32(m, t, word, load32(m, t, word) & ~(1 << (i & 31)))

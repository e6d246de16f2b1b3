"""Fastbins: small chunks just freed, of one size each, last in, first out, that still count as in use.

They are not joined with their neighbours until malloc_consolidate does it for all of them at once, before a large request
is served and when much was freed. A link is stored mangled. With several threads a bin's head is changed by a locked
operation, since free does not take the arena's lock for it.
Source: glibc 2.36 malloc/malloc.c "Fastbins", malloc_consolidate, and in _int_malloc and _int_free.
"""

from hwmem._jit import cold, kernel
from hwmem.core.access import compare_exchange64, exchange64, load64, store32, store64
from hwmem.libc import abort as A
from hwmem.libc import layout as L
from hwmem.libc.abort import abort
from hwmem.libc.bins import UNSORTED, bin_at, put_unsorted, unlink_chunk
from hwmem.libc.chunk import (
    ALIGN_MASK,
    FD,
    HEADER,
    PREV_INUSE,
    chunksize,
    clear_prev_inuse,
    head,
    prev_inuse,
    prev_size,
    protect,
    reaches,
    set_head,
)
from hwmem.libc.layout import dead
from hwmem.libc.lock import is_single
from hwmem.libc.tcache import cache_for, cache_index, cache_put, has_room


@kernel
def fastbin(av, size):
    return av + L.FASTBINS + 8 * ((size >> 4) - 2)


@kernel
def set_first(m, t, bin_, old, new):
    """The bin's first chunk is `new` instead of `old`."""
    if is_single(m, t):
        store64(m, t, bin_, new)
    else:
        compare_exchange64(m, t, bin_, old, new)


@kernel
def take_fast(m, t, av, size):
    """A chunk of exactly `size` bytes from its fastbin, whose others fill the thread's cache; 0: none."""
    bin_ = fastbin(av, size)
    p = load64(m, t, bin_)
    if p == 0:
        return 0
    if p & ALIGN_MASK:
        return abort(m, t, A.FAST_UNALIGNED_2)
    after = protect(p + FD, load64(m, t, p + FD))
    if after & ALIGN_MASK and not is_single(m, t):
        return abort(m, t, A.FAST_UNALIGNED)
    set_first(m, t, bin_, p, after)
    if fastbin(av, chunksize(m, t, p)) != bin_:
        return abort(m, t, A.FAST_CORRUPT)
    i = cache_index(size)
    cache = cache_for(m, t, i)
    while cache and has_room(m, t, cache, i):
        other = load64(m, t, bin_)
        if other == 0:
            break
        if other & ALIGN_MASK:
            return abort(m, t, A.FAST_UNALIGNED_3)
        set_first(m, t, bin_, other, protect(other + FD, load64(m, t, other + FD)))
        cache_put(m, t, cache, i, other)
    return p


@kernel
def put_fast(m, t, av, p, size, has_lock):
    """A freed chunk of up to MAX_FAST bytes goes to its fastbin."""
    if 0 <= head(m, t, p + size) <= HEADER or reaches(chunksize(m, t, p + size), load64(m, t, av + L.SYSTEM_MEM)):
        return abort(m, t, A.FREE_NEXT_FAST)
    store32(m, t, av + L.HAVE_FASTCHUNKS, 1)
    bin_ = fastbin(av, size)
    first = load64(m, t, bin_)
    if first == p:
        return abort(m, t, A.TWICE_FASTTOP)
    store64(m, t, p + FD, protect(p + FD, first))
    set_first(m, t, bin_, first, p)
    if has_lock and first and fastbin(av, chunksize(m, t, first)) != bin_:
        return abort(m, t, A.FASTBIN_ENTRY)
    return 0


@cold
def malloc_consolidate(m, t, av):
    """Every fastbin is emptied: its chunks join their free neighbours and go to the unsorted bin, or to top. 0, or -1."""
    store32(m, t, av + L.HAVE_FASTCHUNKS, 0)
    for i in range(L.NFASTBINS):
        bin_ = av + L.FASTBINS + 8 * i
        p = exchange64(m, t, bin_, 0)
        while p and not dead(m, t):
            if p & ALIGN_MASK:
                return abort(m, t, A.CONSOLIDATE_UNALIGNED)
            if fastbin(av, chunksize(m, t, p)) != bin_:
                return abort(m, t, A.CONSOLIDATE_SIZE)
            after = protect(p + FD, load64(m, t, p + FD))
            if consolidate(m, t, av, p) < 0:
                return -1
            p = after
    return 0


@kernel
def consolidate(m, t, av, p):
    """One chunk that was in a fastbin is free."""
    below_inuse = prev_inuse(m, t, p)
    size = chunksize(m, t, p)
    following = p + size
    following_size = chunksize(m, t, following)
    if not below_inuse:
        below_size = prev_size(m, t, p)
        size += below_size
        p -= below_size
        if chunksize(m, t, p) != below_size:
            return abort(m, t, A.SIZE_FASTBINS)
        if not unlink_chunk(m, t, p):
            return -1
    if following == load64(m, t, av + L.TOP):
        set_head(m, t, p, size + following_size | PREV_INUSE)
        store64(m, t, av + L.TOP, p)
        return 0
    if prev_inuse(m, t, following + following_size):
        clear_prev_inuse(m, t, following)
    else:
        size += following_size
        if not unlink_chunk(m, t, following):
            return -1
    unsorted = bin_at(av, UNSORTED)
    put_unsorted(m, t, unsorted, load64(m, t, unsorted + FD), p, size)
    return 0

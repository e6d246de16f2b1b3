"""_int_malloc: find a chunk of `size` bytes in an arena.

    fastbin of the size ── small bin of the size ── the unsorted chunks, one after another: taken if they fit exactly, else
      put into their bins ── a large bin: the smallest that fits ── the next larger bin that is not empty ── top ──
      the fastbins are emptied and it is all tried once more ── the kernel (more.py)

A chunk larger than asked for is split; what is left over goes to the unsorted bin. If that was for a small request it is
the arena's "last remainder", and the next small requests are cut off it as long as it is alone there, so that they lie
side by side. On the way, other chunks of just this size fill the thread's cache, and then one of those is the answer.

Who calls: malloc and calloc (malloc.py), realloc, memalign, the thread cache's making, holding the arena's lock.
Source: glibc 2.36 malloc/malloc.c _int_malloc.
"""

from hwmem._jit import cold, kernel
from hwmem.core.access import load32, load64, store64
from hwmem.libc import abort as A
from hwmem.libc import layout as L
from hwmem.libc.abort import abort
from hwmem.libc.bins import UNSORTED, bin_at, bin_index, enter_bin, enter_unsorted, is_small, next_marked_bin, unlink_chunk, unmark_bin
from hwmem.libc.chunk import (
    BK,
    BK_NEXTSIZE,
    FD,
    FD_NEXTSIZE,
    FLAGS,
    HEADER,
    MINSIZE,
    PREV_INUSE,
    chunksize,
    head,
    prev_inuse,
    prev_size,
    reaches,
    request2size,
    set_foot,
    set_head,
    set_inuse,
)
from hwmem.libc.fastbin import malloc_consolidate, take_fast
from hwmem.libc.layout import dead, max_fast
from hwmem.libc.more import arena_flag, split_top, sysmalloc
from hwmem.libc.tcache import cache_for, cache_get, cache_index, cache_put, has_room

MAX_ITERATIONS = 10_000  # unsorted chunks looked at in one go


@cold
def int_malloc(m, t, av, n):
    """A chunk for `n` bytes from arena `av` (0: none can be used); its mem, 0 if there is no memory, or -1 if the heap is
    corrupt (the thread got SIGABRT)."""
    size = request2size(n)
    if size == 0:
        return 0
    if av == 0:
        return sysmalloc(m, t, av, size)
    p = 0
    if size <= max_fast(m, t):
        p = take_fast(m, t, av, size)
    if p == 0 and is_small(size):
        p = take_small(m, t, av, size)
    elif p == 0 and load32(m, t, av + L.HAVE_FASTCHUNKS):
        p = malloc_consolidate(m, t, av)
    if p:
        return p + HEADER if p > 0 else -1
    while True:
        mem = search(m, t, av, size)
        if mem or dead(m, t):
            return mem
        if not load32(m, t, av + L.HAVE_FASTCHUNKS):
            return sysmalloc(m, t, av, size)
        if malloc_consolidate(m, t, av) < 0:
            return -1


@kernel
def search(m, t, av, size):
    """Everything but the bins of exactly this size and the kernel; mem, 0, or -1."""
    mem = sort_unsorted(m, t, av, size)
    if mem or dead(m, t):
        return mem
    p = 0 if is_small(size) else fit_in_bin(m, t, av, size)
    if p == 0:
        p = fit_in_larger_bins(m, t, av, size)
    if p:
        return p + HEADER if p > 0 else -1
    if reaches(chunksize(m, t, load64(m, t, av + L.TOP)), load64(m, t, av + L.SYSTEM_MEM) + 1):
        return abort(m, t, A.TOP_SIZE)
    return split_top(m, t, av, size)


@kernel
def own(m, t, av, p, size):
    """A chunk that was free is in use as a whole."""
    set_inuse(m, t, p, size)
    flag = arena_flag(m, t, av)
    if flag:
        set_head(m, t, p, head(m, t, p) | flag)


@kernel
def take_small(m, t, av, size):
    """The chunk that waits longest in its small bin, whose others fill the thread's cache; 0: the bin is empty."""
    bin_ = bin_at(av, bin_index(size))
    p = load64(m, t, bin_ + BK)
    if p == bin_:
        return 0
    bck = load64(m, t, p + BK)
    if load64(m, t, bck + FD) != p:
        return abort(m, t, A.SMALLBIN_LIST)
    take_last(m, t, av, bin_, p, size)
    i = cache_index(size)
    cache = cache_for(m, t, i)
    while cache and has_room(m, t, cache, i):
        other = load64(m, t, bin_ + BK)
        if other == bin_ or dead(m, t):
            break
        if other:
            take_last(m, t, av, bin_, other, size)
            cache_put(m, t, cache, i, other)
    return p


@kernel
def take_last(m, t, av, bin_, p, size):
    own(m, t, av, p, size)
    unhook_last(m, t, bin_, load64(m, t, p + BK))


@kernel
def unhook_last(m, t, bin_, bck):
    """`bck` is the list's last instead of the one behind it."""
    store64(m, t, bin_ + BK, bck)
    store64(m, t, bck + FD, bin_)


@kernel
def sort_unsorted(m, t, av, size):
    """Put the unsorted chunks into their bins, from the oldest on, until one fits exactly; mem, 0, or -1."""
    unsorted = bin_at(av, UNSORTED)
    i = cache_index(size)
    cache, kept, looked_at = cache_for(m, t, i), False, 0
    while looked_at < MAX_ITERATIONS and not dead(m, t):
        p = load64(m, t, unsorted + BK)
        if p == unsorted:
            break
        bck = load64(m, t, p + BK)
        found = chunksize(m, t, p)
        if check_unsorted(m, t, av, p, found, bck) < 0:
            return -1
        if bck == unsorted and is_small(size) and found > size + MINSIZE and p == load64(m, t, av + L.LAST_REMAINDER):
            return cut_remainder(m, t, av, p, found, size)
        unhook_last(m, t, unsorted, bck)
        if found != size:
            if enter_bin(m, t, av, p, found) < 0:
                return -1
            looked_at += 1
            continue
        own(m, t, av, p, size)
        if not cache or not has_room(m, t, cache, i):
            return p + HEADER
        cache_put(m, t, cache, i, p)
        kept = True
    return cache_get(m, t, cache, i) if kept else 0


@kernel
def check_unsorted(m, t, av, p, size, bck):
    """0 if an unsorted chunk is what it should be, else -1."""
    limit = load64(m, t, av + L.SYSTEM_MEM) + 1
    above = p + size
    if 0 <= size <= HEADER or reaches(size, limit):
        return abort(m, t, A.UNSORTED_SIZE)
    if 0 <= head(m, t, above) < HEADER or reaches(head(m, t, above), limit):
        return abort(m, t, A.UNSORTED_NEXT_SIZE)
    if prev_size(m, t, above) & ~FLAGS != size:
        return abort(m, t, A.UNSORTED_MISMATCH)
    if load64(m, t, bck + FD) != p or load64(m, t, p + FD) != bin_at(av, UNSORTED):
        return abort(m, t, A.UNSORTED_LIST)
    if prev_inuse(m, t, above):
        return abort(m, t, A.UNSORTED_NEXT_INUSE)
    return 0


@kernel
def cut_remainder(m, t, av, p, found, size):
    """The last remainder is alone in the unsorted bin: a small request is cut off it. mem."""
    unsorted, left = bin_at(av, UNSORTED), p + size
    store64(m, t, unsorted + BK, left)
    store64(m, t, unsorted + FD, left)
    store64(m, t, av + L.LAST_REMAINDER, left)
    store64(m, t, left + BK, unsorted)
    store64(m, t, left + FD, unsorted)
    if not is_small(found - size):
        store64(m, t, left + FD_NEXTSIZE, 0)
        store64(m, t, left + BK_NEXTSIZE, 0)
    set_head(m, t, p, size | PREV_INUSE | arena_flag(m, t, av))
    set_head(m, t, left, found - size | PREV_INUSE)
    set_foot(m, t, left, found - size)
    return p + HEADER


@kernel
def fit_in_bin(m, t, av, size):
    """The smallest chunk that fits in the large bin of this size, cut to it; 0 if none does, or -1."""
    bin_ = bin_at(av, bin_index(size))
    p = load64(m, t, bin_ + FD)
    if p == bin_ or not reaches(head(m, t, p), size):
        return 0
    p = load64(m, t, p + BK_NEXTSIZE)
    found = chunksize(m, t, p)
    while not reaches(found, size) and not dead(m, t):
        p = load64(m, t, p + BK_NEXTSIZE)
        found = chunksize(m, t, p)
    if p != load64(m, t, bin_ + BK):
        second = load64(m, t, p + FD)
        if head(m, t, p) == head(m, t, second):  # the first of a size is in the skip list: leave it there
            p = second
    return split_free(m, t, av, p, found, size) or abort(m, t, A.UNSORTED_REMAINDER)


@kernel
def fit_in_larger_bins(m, t, av, size):
    """The smallest chunk, and of those the oldest, in the bins above the one of this size, cut to it; 0 if there is none,
    or -1."""
    i = next_marked_bin(m, t, av, bin_index(size) + 1)
    while i and not dead(m, t):
        bin_ = bin_at(av, i)
        p = load64(m, t, bin_ + BK)
        if p != bin_:
            found = chunksize(m, t, p)
            if is_small(size) and found - size >= MINSIZE:
                store64(m, t, av + L.LAST_REMAINDER, p + size)
            return split_free(m, t, av, p, found, size) or abort(m, t, A.UNSORTED_REMAINDER_2)
        unmark_bin(m, t, av, i)
        i = next_marked_bin(m, t, av, i + 1)
    return 0


@kernel
def split_free(m, t, av, p, found, size):
    """Take a free chunk of `found` bytes off its bin and use `size` of it; what is left, if it makes a chunk, is unsorted.
    The chunk; -1 if its bin is corrupt (the thread got SIGABRT), 0 if the unsorted bin is."""
    if not unlink_chunk(m, t, p):
        return -1
    left = found - size
    if left < MINSIZE:
        own(m, t, av, p, found)
        return p
    if not enter_unsorted(m, t, av, p + size, left):
        return 0
    set_head(m, t, p, size | PREV_INUSE | arena_flag(m, t, av))
    return p

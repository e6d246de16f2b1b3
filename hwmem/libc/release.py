"""_int_free: a chunk goes back to its arena.

    thread cache, if it has room ── fastbin, up to 128 bytes ── joined with free neighbours: unsorted bin, or top
                                                                └─ 64 KiB or more in one piece: fastbins are emptied,
                                                                   and top given back if it is above the trim threshold

Callers: free (malloc.py), and code that splits a chunk (resize.py, aligned.py, more.py), holding the arena's lock.
What does not look like a chunk in use ends the thread (abort.py). Source: glibc 2.36 malloc/malloc.c _int_free.
"""

from hwmem._jit import cold, kernel
from hwmem.core.access import load32, load64, store64
from hwmem.libc import abort as A
from hwmem.libc import layout as L
from hwmem.libc.abort import abort
from hwmem.libc.bins import enter_unsorted, unlink_chunk
from hwmem.libc.chunk import (
    ALIGN_MASK,
    HEADER,
    MINSIZE,
    PREV_INUSE,
    chunksize,
    clear_prev_inuse,
    exceeds,
    head,
    prev_inuse,
    prev_size,
    reaches,
    set_head,
)
from hwmem.libc.fastbin import malloc_consolidate, put_fast
from hwmem.libc.heap import heap_trim
from hwmem.libc.layout import library, main_arena, max_fast, mp
from hwmem.libc.lock import lock, unlock
from hwmem.libc.morecore import systrim
from hwmem.libc.tcache import cache_for, cache_index, cache_put, check_not_cached, has_room

CONSOLIDATION_THRESHOLD = 64 << 10


@cold
def int_free(m, t, av, p, has_lock):
    """Free chunk `p` of arena `av`. 0, or -1 if the heap is corrupt (the thread got SIGABRT)."""
    size = chunksize(m, t, p)
    if size <= 0 and p > -size or p & ALIGN_MASK:
        return abort(m, t, A.FREE_POINTER)
    if 0 <= size < MINSIZE or size & ALIGN_MASK:
        return abort(m, t, A.FREE_SIZE)
    i = cache_index(size)
    cache = cache_for(m, t, i) if i >= 0 else 0
    if cache:
        if load64(m, t, p + HEADER + 8) == load64(m, t, library(m, t) + L.TCACHE_KEY):
            if check_not_cached(m, t, cache, i, p + HEADER) < 0:
                return -1
        if has_room(m, t, cache, i):
            cache_put(m, t, cache, i, p)
            return 0
    if size <= max_fast(m, t):
        return put_fast(m, t, av, p, size, has_lock)
    if not has_lock:
        lock(m, t, av)
    result = merge(m, t, av, p, size)
    if not has_lock:
        unlock(m, t, av)
    return result


@kernel
def check_inuse(m, t, av, p, size):
    """0 if chunk `p` may be freed, else -1."""
    top, above = load64(m, t, av + L.TOP), p + size
    if p == top:
        return abort(m, t, A.TWICE_TOP)
    if not load32(m, t, av + L.ARENA_FLAGS) & L.NONCONTIGUOUS and above >= top + chunksize(m, t, top):
        return abort(m, t, A.TWICE_OUT)
    if not prev_inuse(m, t, above):
        return abort(m, t, A.TWICE_PREV)
    if 0 <= head(m, t, above) <= HEADER or reaches(chunksize(m, t, above), load64(m, t, av + L.SYSTEM_MEM)):
        return abort(m, t, A.FREE_NEXT_NORMAL)
    return 0


@kernel
def merge(m, t, av, p, size):
    """Join chunk `p` with its free neighbours, then file it or make it top."""
    if check_inuse(m, t, av, p, size) < 0:
        return -1
    above = p + size
    above_size = chunksize(m, t, above)
    if not prev_inuse(m, t, p):
        below_size = prev_size(m, t, p)
        size += below_size
        p -= below_size
        if chunksize(m, t, p) != below_size:
            return abort(m, t, A.SIZE_CONSOLIDATING)
        if not unlink_chunk(m, t, p):
            return -1
    if above == load64(m, t, av + L.TOP):
        size += above_size
        set_head(m, t, p, size | PREV_INUSE)
        store64(m, t, av + L.TOP, p)
    else:
        if prev_inuse(m, t, above + above_size):
            clear_prev_inuse(m, t, above)
        else:
            size += above_size
            if not unlink_chunk(m, t, above):
                return -1
        if not enter_unsorted(m, t, av, p, size):
            return abort(m, t, A.FREE_UNSORTED)
    return give_back(m, t, av) if size >= CONSOLIDATION_THRESHOLD else 0


@kernel
def give_back(m, t, av):
    """Much is free in one piece: perhaps top can be made smaller."""
    if load32(m, t, av + L.HAVE_FASTCHUNKS) and malloc_consolidate(m, t, av) < 0:
        return -1
    pad = load64(m, t, mp(m, t) + L.TOP_PAD)
    if av != main_arena(m, t):
        heap_trim(m, t, av, pad)
    elif exceeds(chunksize(m, t, load64(m, t, av + L.TOP)), load64(m, t, mp(m, t) + L.TRIM_THRESHOLD)):
        systrim(m, t, av, pad)
    return 0

"""Arenas: which one a thread allocates from. The first thread has the main one; each other gets one of its own, up to
eight for each core of the machine, then they share them in turn.

    thread's arena ── else one that no thread has any more ── else a new one ── else the next that is free now

An arena that is not the main one lies in its first heap (heap.py). Arenas are a ring, by `next`, from the main one on.
Whoever gets an arena from here holds its lock, unless the process has one thread.
Source: glibc 2.36 malloc/arena.c arena_get2, _int_new_arena, reused_arena, __malloc_arena_thread_freeres.
"""

from hwmem._jit import cold, kernel
from hwmem.core.access import load64, store32, store64
from hwmem.libc import layout as L
from hwmem.libc.bins import UNSORTED, bin_at
from hwmem.libc.chunk import ALIGNMENT, BK, FD, NON_MAIN_ARENA, PREV_INUSE, align_up, head, heap_arena, set_head
from hwmem.libc.heap import HEAP_BYTES, HEAP_SIZE, new_heap
from hwmem.libc.layout import library, main_arena, mp, tls
from hwmem.libc.lock import is_single, lock, try_lock, unlock


@kernel
def arena_of(m, t, p):
    """The arena of a chunk that is not mmapped."""
    if not head(m, t, p) & NON_MAIN_ARENA:
        return main_arena(m, t)
    return heap_arena(m, t, p)


@kernel
def init_arena(m, t, av):
    """Empty bins; top is the unsorted bin, a chunk of no size."""
    for i in range(1, L.NBINS):
        bin_ = bin_at(av, i)
        store64(m, t, bin_ + FD, bin_)
        store64(m, t, bin_ + BK, bin_)
    store64(m, t, av + L.TOP, bin_at(av, UNSORTED))


@kernel
def get_arena(m, t, n):
    """An arena for `n` bytes, locked; 0 if there is none."""
    if is_single(m, t):
        return main_arena(m, t)
    av = load64(m, t, tls(m, t) + L.THREAD_ARENA)
    if av == 0:
        return find_arena(m, t, n)
    lock(m, t, av)
    return av


@cold
def find_arena(m, t, n):
    """An arena for a thread that has none, or whose arena has no memory; locked."""
    lib = library(m, t)
    av = load64(m, t, lib + L.FREE_LIST)
    if av:
        store64(m, t, lib + L.FREE_LIST, load64(m, t, av + L.NEXT_FREE))
        attach(m, t, av)
        lock(m, t, av)
        return av
    arenas = load64(m, t, lib + L.ARENAS)
    if load64(m, t, lib + L.ARENA_LIMIT) == 0:
        set_limit(m, t, arenas)
    limit = load64(m, t, lib + L.ARENA_LIMIT)
    if limit and arenas >= limit:
        return reuse_arena(m, t)
    av = new_arena(m, t, n)
    if av:
        store64(m, t, lib + L.ARENAS, arenas + 1)
    return av


@kernel
def set_limit(m, t, arenas):
    """How many arenas there may be is settled when there are more than arena_test."""
    par = mp(m, t)
    limit = load64(m, t, par + L.ARENA_MAX)
    if limit == 0 and arenas > load64(m, t, par + L.ARENA_TEST):
        limit = m.cores * L.ARENAS_PER_CORE
    store64(m, t, library(m, t) + L.ARENA_LIMIT, limit)


@kernel
def attach(m, t, av):
    """The thread's arena is `av`, which it does not share with anybody yet, instead of the one it had."""
    detach(m, t)
    store64(m, t, av + L.ATTACHED_THREADS, load64(m, t, av + L.ATTACHED_THREADS) + 1)
    store64(m, t, tls(m, t) + L.THREAD_ARENA, av)


@kernel
def detach(m, t):
    old = load64(m, t, tls(m, t) + L.THREAD_ARENA)
    if old:
        store64(m, t, old + L.ATTACHED_THREADS, load64(m, t, old + L.ATTACHED_THREADS) - 1)


@kernel
def new_arena(m, t, n):
    """An arena in a heap of its own, with `n` bytes to begin with if that is not too much; locked. 0: no memory."""
    overhead = HEAP_BYTES + L.STATE_BYTES + ALIGNMENT
    heap = new_heap(m, t, n + overhead)
    if heap == 0:
        heap = new_heap(m, t, overhead)
    if heap == 0:
        return 0
    av = heap + HEAP_BYTES
    store64(m, t, heap, av)
    init_arena(m, t, av)
    store32(m, t, av + L.ARENA_FLAGS, L.NONCONTIGUOUS)  # its heaps lie anywhere
    length = load64(m, t, heap + HEAP_SIZE)
    store64(m, t, av + L.SYSTEM_MEM, length)
    store64(m, t, av + L.MAX_SYSTEM_MEM, length)
    top = align_up(av + L.STATE_BYTES, ALIGNMENT)
    store64(m, t, av + L.TOP, top)
    set_head(m, t, top, heap + length - top | PREV_INUSE)
    main = main_arena(m, t)
    store64(m, t, av + L.NEXT, load64(m, t, main + L.NEXT))
    store64(m, t, main + L.NEXT, av)
    attach(m, t, av)
    lock(m, t, av)
    return av


@kernel
def reuse_arena(m, t):
    """An arena that has a thread already: the next in turn whose lock is free now, else the next, once it is; locked."""
    turn = library(m, t) + L.NEXT_TO_USE
    start = load64(m, t, turn)
    if start == 0:
        start = main_arena(m, t)
    av = start
    while not try_lock(m, t, av):
        av = load64(m, t, av + L.NEXT)
        if av == start:
            lock(m, t, av)
            break
    leave_free_list(m, t, av)
    attach(m, t, av)
    store64(m, t, turn, load64(m, t, av + L.NEXT))
    return av


@kernel
def leave_free_list(m, t, av):
    place = library(m, t) + L.FREE_LIST
    other = load64(m, t, place)
    while other and other != av:
        place = other + L.NEXT_FREE
        other = load64(m, t, place)
    if other:
        store64(m, t, place, load64(m, t, av + L.NEXT_FREE))


@cold
def try_another(m, t, av, n):
    """Arena `av`, locked, has no memory for `n` bytes: another, locked, in its place. Not for a process of one thread."""
    unlock(m, t, av)
    if av == main_arena(m, t):
        return find_arena(m, t, n)
    lock(m, t, main_arena(m, t))
    return main_arena(m, t)


@kernel
def leave_arena(m, t):
    """The thread ends: its arena is free for others if it was the only one there."""
    detach(m, t)
    place = tls(m, t) + L.THREAD_ARENA
    av = load64(m, t, place)
    store64(m, t, place, 0)
    if av and load64(m, t, av + L.ATTACHED_THREADS) == 0:
        head_of_list = library(m, t) + L.FREE_LIST
        store64(m, t, av + L.NEXT_FREE, load64(m, t, head_of_list))
        store64(m, t, head_of_list, av)

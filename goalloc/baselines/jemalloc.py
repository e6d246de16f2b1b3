"""jemalloc 5.3: arenas, slabs with bitmaps, thread caches, and pages that decay.

    malloc ── class of the size ── the thread's bin has one ──> block                      nothing shared
                                   └─ empty ──> its arena: a bin's slabs, or an extent     jemalloc_arena.py
                                                           └─> extents by age and size     jemalloc_extents.py
    free   ── the radix tree says the class ── the thread's bin has room ──> done
                                               └─ full ──> half of it goes to the arenas it came from

A thread has an arena (there are four per core) and a tcache for blocks of up to 32 KiB: a stack of pointers for each class. After every
64 KiB allocated or freed it looks at one of the bins: three quarters of what was not needed since the last time go (incremental GC).

As by default: cache-oblivious large blocks, no background threads (so nothing happens while a program makes no calls), no profiling.
Simplified: bins are not sharded, large blocks grow only by moving, those of 8 MiB and more have no arena of their own but are purged at
once when they are freed; the tree's cache has no second level.
Source: jemalloc 5.3.0 src/jemalloc.c, tcache.c, thread_event.c, cache_bin.h.
"""

from hwmem._jit import DOORS, cold, hot, kernel
from hwmem.core.access import load, load8, load64, store, store64
from goalloc import params as P
from goalloc.words import clz64, get8, get16, get64, put8, put16, put64
from goalloc.baselines import jemalloc_layout as L
from goalloc.baselines.jemalloc_arena import choose_arena, fill, flush, take_large
from goalloc.baselines.jemalloc_extents import leaf_place, purge, take_base
from goalloc.baselines.system import (
    END_THREAD,
    FREE,
    INIT,
    MALLOC,
    REALLOC,
    TICK,
    USABLE_SIZE,
    bad_free,
    copy_block,
    data,
    local,
    local_of,
    map_memory,
)
import numpy as np


@DOORS.door(P.DOOR_JEMALLOC)
def jemalloc_door(m, t, operation, a, b):
    if operation == MALLOC:
        return take(m, t, a)
    if operation == FREE:
        give(m, t, a)
        return 0
    if operation == REALLOC:
        return resize(m, t, a, b)
    if operation == USABLE_SIZE:
        return usable(m, t, a)
    if operation == INIT:
        begin(m, t)
    elif operation == TICK:
        if a:
            purge_all(m, t)
    elif operation == END_THREAD:
        end_thread(m, t)
    return 0


@hot
def take(m, t, n):
    """The address of `n` bytes, or 0."""
    if not 0 <= n <= L.LOOKUP_MAX:
        return slow_take(m, t, n)
    d = data(m, t)
    mine = local_of(d, t)
    c = load8(m, t, d + L.SIZE2INDEX + (n + 7 >> 3))
    after = load64(m, t, mine + L.ALLOCATED) + load64(m, t, d + L.INDEX2SIZE + 8 * c)
    if after >= load64(m, t, mine + L.ALLOCATED_NEXT):
        return slow_take(m, t, n)
    place = mine + L.BINS + L.BIN_BYTES * c
    head = load64(m, t, place + L.HEAD)
    if head & 0xFFFF == load(m, t, place + L.LOW, 2):
        return slow_take(m, t, n)
    x = load64(m, t, head)
    store64(m, t, place + L.HEAD, head + 8)
    store64(m, t, mine + L.ALLOCATED, after)
    store64(m, t, place + L.REQUESTS, load64(m, t, place + L.REQUESTS) + 1)
    return x


@hot
def leaf_word(m, t, mine, x):
    """The radix tree's word for the page of `x`, by the thread's cache of leaves."""
    key = x >> L.LEAF_SHIFT
    cached = mine + L.TREE_CACHE + 16 * (key & L.TREE_CACHED - 1)
    if load64(m, t, cached) != key + 1:
        return find_leaf(m, t, x, cached)
    return load64(m, t, load64(m, t, cached + 8) + 8 * (x >> L.PAGE_SHIFT & (1 << L.TREE_BITS) - 1))


@cold
def find_leaf(m, t, x, cached):
    place = leaf_place(m, t, x, False)
    if place:
        put64(m, t, cached, (x >> L.LEAF_SHIFT) + 1)
        put64(m, t, cached + 8, place - 8 * (x >> L.PAGE_SHIFT & (1 << L.TREE_BITS) - 1))
        return get64(m, t, place)
    return 0


@hot
def give(m, t, x):
    d = data(m, t)
    mine = local_of(d, t)
    word = leaf_word(m, t, mine, x)
    if not word & 1:  # no slab's
        slow_give(m, t, x, word)
        return
    c = word >> 48
    after = load64(m, t, mine + L.FREED) + load64(m, t, d + L.INDEX2SIZE + 8 * c)
    place = mine + L.BINS + L.BIN_BYTES * c
    head = load64(m, t, place + L.HEAD)
    if after >= load64(m, t, mine + L.FREED_NEXT) or head & 0xFFFF == load(m, t, place + L.FULL, 2):
        slow_give(m, t, x, word)
        return
    store64(m, t, head - 8, x)
    store64(m, t, place + L.HEAD, head - 8)
    store64(m, t, mine + L.FREED, after)


@kernel
def class_for(n):
    """The number of the smallest class of `n` bytes or more."""
    if n <= 8:
        return 0
    if n <= 64:
        return n + 15 >> 4
    order = 63 - clz64(np.uint64(n - 1))
    return 5 + 4 * (order - 6) + ((n - 1 >> order - 2) & 3)


# What the fast ways do not do


@cold
def need_thread(m, t):
    """The thread's first call: an arena, and a tcache. False: there is no memory."""
    mine = local(m, t)
    if get8(m, t, mine + L.READY):
        return True
    stacks = take_base(m, t, 8 * L.STACK_WORDS + 8) if choose_arena(m, t) else 0
    if stacks == 0:
        return False
    for c in range(L.CACHED_BINS):
        place, empty = mine + L.BINS + L.BIN_BYTES * c, stacks + 8 * L.STACKS[c]
        put64(m, t, place + L.HEAD, empty)
        put16(m, t, place + L.LOW, empty)
        put16(m, t, place + L.EMPTY, empty)
        put16(m, t, place + L.FULL, empty - 8 * L.CACHED_MAX[c])
        put8(m, t, mine + L.FILL_DIV + c, 1)
    for place in (L.ALLOCATED_NEXT, L.FREED_NEXT):
        put64(m, t, mine + place, L.GC_BYTES)
    put64(m, t, mine + L.TICKS, L.TICKS_A_DECAY)
    put64(m, t, mine + L.RANDOM, t + 1)
    put8(m, t, mine + L.READY, 1)
    return True


@cold
def count(m, t, field, n):
    """The thread has allocated or freed `n` bytes more; every 64 KiB of either one of its bins is looked at."""
    mine = local(m, t)
    after = get64(m, t, mine + field) + n
    put64(m, t, mine + field, after)
    if after >= get64(m, t, mine + field + 8):
        put64(m, t, mine + field + 8, after + L.GC_BYTES)
        collect(m, t)


@cold
def slow_take(m, t, n):
    if not 0 <= n <= L.LARGEST_CLASS or not need_thread(m, t):
        return 0
    c, mine = class_for(n), local(m, t)
    if c >= L.CACHED_BINS:
        x = take_large(m, t, get64(m, t, mine + L.ARENA), c)
    else:
        x = from_bin(m, t, c)
    if x:
        count(m, t, L.ALLOCATED, L.SIZE_OF[c])
    return x


@cold
def from_bin(m, t, c):
    """A block of class `c` from the thread's bin, which may be empty."""
    mine = local(m, t)
    place, arena = mine + L.BINS + L.BIN_BYTES * c, get64(m, t, mine + L.ARENA)
    empty = get16(m, t, place + L.EMPTY)
    if get64(m, t, place + L.HEAD) & 0xFFFF == empty:
        if c >= L.NUM_BINS:
            return take_large(m, t, arena, c)
        n = L.CACHED_MAX[c] >> get8(m, t, mine + L.FILL_DIV + c)
        head = get64(m, t, place + L.HEAD) - 8 * n
        got = fill(m, t, arena, c, head, n)
        for i in range(got if got < n else 0):  # to the stack's bottom
            put64(m, t, head + 8 * (n - 1 - i), get64(m, t, head + 8 * (got - 1 - i)))
        put64(m, t, place + L.HEAD, head + 8 * (n - got))
        put8(m, t, mine + L.REFILLED + c, 1)
        if got == 0:
            return 0
    head = get64(m, t, place + L.HEAD)
    x = get64(m, t, head)
    put64(m, t, place + L.HEAD, head + 8)
    if above(head + 8, get16(m, t, place + L.LOW), empty):
        put16(m, t, place + L.LOW, head + 8)
    put64(m, t, place + L.REQUESTS, get64(m, t, place + L.REQUESTS) + 1)
    return x


@kernel
def above(head, low, empty):
    """Whether the head is nearer to the stack's bottom than the low-water mark; all but the last 16 bits are the same."""
    return (empty - head & 0xFFFF) < (empty - low & 0xFFFF)


@cold
def slow_give(m, t, x, word):
    c, e = word >> 48, word & L.EDATA_MASK
    if e == 0 or word >> 2 & 7 != L.ACTIVE or c >= L.NUM_SIZES or not need_thread(m, t):
        bad_free(m, t)
        return
    if c >= L.CACHED_BINS:
        put64(m, t, local(m, t) + L.SCRATCH + 1600, x)
        flush(m, t, c, local(m, t) + L.SCRATCH + 1600, 1)
    else:
        place = local(m, t) + L.BINS + L.BIN_BYTES * c
        if get64(m, t, place + L.HEAD) & 0xFFFF == get16(m, t, place + L.FULL):
            flush_bin(m, t, c, L.CACHED_MAX[c] >> 1)
        head = get64(m, t, place + L.HEAD) - 8
        put64(m, t, head, x)
        put64(m, t, place + L.HEAD, head)
    count(m, t, L.FREED, L.SIZE_OF[c])


@kernel
def cached(m, t, place):
    """How many blocks a bin holds."""
    return (get16(m, t, place + L.EMPTY) - get64(m, t, place + L.HEAD) & 0xFFFF) >> 3


@cold
def flush_bin(m, t, c, kept):
    """But for the youngest `kept`, the blocks of a bin go to their arenas."""
    place = local(m, t) + L.BINS + L.BIN_BYTES * c
    n = cached(m, t, place) - kept
    if n <= 0:
        return
    head = get64(m, t, place + L.HEAD)
    flush(m, t, c, head + 8 * kept, n)
    for i in range(kept - 1, -1, -1):
        put64(m, t, head + 8 * (n + i), get64(m, t, head + 8 * i))
    put64(m, t, place + L.HEAD, head + 8 * n)
    if above(head + 8 * n, get16(m, t, place + L.LOW), get16(m, t, place + L.EMPTY)):
        put16(m, t, place + L.LOW, head + 8 * n)


@cold
def collect(m, t):
    """One bin's turn: three quarters of what was not needed since its last go; how much is filled at a time adapts."""
    mine = local(m, t)
    c = get8(m, t, mine + L.NEXT_GC)
    place, divisor = mine + L.BINS + L.BIN_BYTES * c, get8(m, t, mine + L.FILL_DIV + c)
    low = (get16(m, t, place + L.EMPTY) - get16(m, t, place + L.LOW) & 0xFFFF) >> 3
    if low:
        flush_bin(m, t, c, cached(m, t, place) - low + (low >> 2))
        if c < L.NUM_BINS and L.CACHED_MAX[c] >> divisor + 1 >= 1:
            put8(m, t, mine + L.FILL_DIV + c, divisor + 1)
    elif c < L.NUM_BINS and get8(m, t, mine + L.REFILLED + c):
        if divisor > 1:
            put8(m, t, mine + L.FILL_DIV + c, divisor - 1)
        put8(m, t, mine + L.REFILLED + c, 0)
    put16(m, t, place + L.LOW, get64(m, t, place + L.HEAD))
    put8(m, t, mine + L.NEXT_GC, c + 1 if c + 1 < L.CACHED_BINS else 0)


@cold
def usable(m, t, x):
    word = leaf_word(m, t, local(m, t), x)
    return L.SIZE_OF[word >> 48] if word & L.EDATA_MASK and word >> 48 < L.NUM_SIZES else 0


@cold
def resize(m, t, x, n):
    """In place if the class stays."""
    old = usable(m, t, x) if x else 0
    if old and 0 <= n <= L.LARGEST_CLASS and L.SIZE_OF[class_for(n)] == old:
        return x
    new = take(m, t, n)
    if new and x:
        copy_block(m, t, new, x, min(old, n))
        give(m, t, x)
    return new


@cold
def purge_all(m, t):
    """mallctl arena.<all>.purge."""
    d = data(m, t)
    for i in range(get64(m, t, d + L.NUM_ARENAS)):
        arena = get64(m, t, d + L.ARENAS + 8 * i)
        if arena:
            purge(m, t, arena, L.DIRTY, 0, True)
            purge(m, t, arena, L.MUZZY_PAGES, 0, True)


@cold
def end_thread(m, t):
    """What the tcache holds goes to the arenas."""
    mine = local(m, t)
    if get8(m, t, mine + L.READY):
        for c in range(L.CACHED_BINS):
            flush_bin(m, t, c, 0)
        arena = get64(m, t, mine + L.ARENA)
        put64(m, t, arena + L.A_THREADS, get64(m, t, arena + L.A_THREADS) - 1)
        for place in (L.ALLOCATED_NEXT, L.FREED_NEXT, L.READY):  # who comes after it under its number begins anew
            put64(m, t, mine + (place & ~7), 0)


@cold
def begin(m, t):
    """The tables of classes, the radix tree's root, the first arena."""
    d = data(m, t)
    put64(m, t, d + L.ROOT, map_memory(m, t, 8 << L.TREE_BITS))
    put64(m, t, d + L.NUM_ARENAS, L.ARENAS_PER_CORE * m.cores if m.cores > 1 else 1)
    for c in range(L.NUM_SIZES):
        put64(m, t, d + L.INDEX2SIZE + 8 * c, L.SIZE_OF[c])
    for n in range(0, L.LOOKUP_MAX + 1, 8):
        store(m, t, d + L.SIZE2INDEX + (n >> 3), 1, class_for(n))

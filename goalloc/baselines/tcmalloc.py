"""tcmalloc, as google/tcmalloc's design document has it: front, middle and back end.

    malloc ── class of the size ── CPU's (or thread's) cache has one ──> object               tcmalloc_cpu.py, tcmalloc_threads.py
                                   └─ empty ──> transfer cache, central free list             tcmalloc_central.py
                                                                        └─> page heap         tcmalloc_pages.py
    free   ── class of the page ── the cache has room ──> done

Two modes: a cache for each CPU, or one for each thread. Neither shares anything as long as it has objects, and room.

Simplified: capacities are not moved between cores, no sampling, no "cold" classes, no hints.
Source: google/tcmalloc docs/design.md, tcmalloc.cc.
"""

from hwmem._jit import DOORS, cold, hot
from hwmem.core.access import load8, load64, store
from goalloc import params as P
from goalloc.base.lock import lock, unlock
from goalloc.words import get64, put32, put64
from goalloc.baselines import tcmalloc_layout as L
from goalloc.baselines.system import (
    END_THREAD,
    FREE,
    INIT,
    LARGEST,
    MALLOC,
    REALLOC,
    TICK,
    USABLE_SIZE,
    copy_block,
    data,
    map_in_set,
    policy,
)
from goalloc.baselines.tcmalloc_cpu import give_to_cpu, take_of_cpu
from goalloc.baselines.tcmalloc_threads import empty_lists, give_to_thread, take_of_thread
from goalloc.baselines.tcmalloc_central import class_bytes, large_span, plunder
from goalloc.baselines.tcmalloc_pages import delete_span, new_span, release


@DOORS.door(P.DOOR_TCMALLOC)
def tcmalloc_door(m, t, operation, a, b):
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
        tick(m, t, a)
    elif operation == END_THREAD and policy(m, t) == L.PER_THREAD:
        empty_lists(m, t)
    return 0


@hot
def take(m, t, n):
    """The address of `n` bytes, or 0."""
    if not 0 <= n <= L.MAX_SIZE:
        return take_large(m, t, n)
    d, by_cpu = data(m, t), policy(m, t) == L.PER_CPU
    c = load8(m, t, d + L.CLASS_ARRAY + place_of_size(n))
    return take_of_cpu(m, t, d, c) if by_cpu else take_of_thread(m, t, d, c)


@hot
def place_of_size(n):
    """Where the array has the class of `n` bytes: by eights, and beyond LARGE_SIZE by 128."""
    return n + 7 >> 3 if n <= L.LARGE_SIZE else n + 127 + (120 << 7) >> 7


@hot
def class_of(m, t, d, x):
    """The class of the page of `x`; 0: it has none."""
    page = x >> L.PAGE_SHIFT
    if not 0 <= page < 1 << 35:
        return 0
    node = load64(m, t, d + L.ROOT + 8 * (page >> L.LEAF_BITS + L.MIDDLE_BITS))
    leaf = load64(m, t, node + 8 * (page >> L.LEAF_BITS & (1 << L.MIDDLE_BITS) - 1)) if node else 0
    return load8(m, t, leaf + L.L_CLASS + (page & (1 << L.LEAF_BITS) - 1)) if leaf else 0


@hot
def give(m, t, x):
    d, by_cpu = data(m, t), policy(m, t) == L.PER_CPU
    c = class_of(m, t, d, x)
    if c == 0:
        give_large(m, t, x)
    elif by_cpu:
        give_to_cpu(m, t, d, c, x)
    else:
        give_to_thread(m, t, d, c, x)


# Large blocks, and the rest


@cold
def take_large(m, t, n):
    if not 0 <= n < LARGEST:
        return 0
    lock(m, t, data(m, t) + L.PAGE_LOCK)
    span = new_span(m, t, n + L.PAGE - 1 >> L.PAGE_SHIFT)
    unlock(m, t, data(m, t) + L.PAGE_LOCK)
    return get64(m, t, span + L.FIRST_PAGE) << L.PAGE_SHIFT if span else 0


@cold
def give_large(m, t, x):
    span = large_span(m, t, x)
    if span:
        lock(m, t, data(m, t) + L.PAGE_LOCK)
        delete_span(m, t, span)
        unlock(m, t, data(m, t) + L.PAGE_LOCK)


@cold
def usable(m, t, x):
    c = class_of(m, t, data(m, t), x)
    if c:
        return class_bytes(m, t, c)
    span = large_span(m, t, x)
    return get64(m, t, span + L.NUM_PAGES) << L.PAGE_SHIFT if span else 0


@cold
def resize(m, t, x, n):
    """In place unless it grows, or to less than half; who grows gets a quarter more if that is not enough."""
    if x == 0 or not 0 <= n < LARGEST:
        return take(m, t, n)
    old = usable(m, t, x)
    if old // 2 <= n <= old:
        return x
    new = take(m, t, max(n, old + old // 4)) if n > old else take(m, t, n)
    if new:
        copy_block(m, t, new, x, min(old, n))
        give(m, t, x)
    return new


@cold
def tick(m, t, everything):
    """The background thread's round; `everything`: ReleaseMemoryToSystem of all."""
    for c in range(1, L.NUM_CLASSES):
        plunder(m, t, c)
    if everything:
        lock(m, t, data(m, t) + L.PAGE_LOCK)
        release(m, t)
        unlock(m, t, data(m, t) + L.PAGE_LOCK)


@cold
def begin(m, t):
    """The size map, the transfer caches' capacities, the slabs' place, memory of its own."""
    d = data(m, t)
    own = map_in_set(m, t, L.META_GROWTH, L.META_SET)
    if own:
        put64(m, t, d + L.META, own)
        put64(m, t, d + L.META_END, own + L.META_GROWTH)
    for c in range(1, L.NUM_CLASSES):
        size, batch = L.TABLE[c, 0], L.TABLE[c, 2]
        for n in range(L.TABLE[c - 1, 0] + (c > 1) * 8, size + 1, 8):
            store(m, t, d + L.CLASS_ARRAY + place_of_size(n), 1, c)
        put32(m, t, d + L.CLASS_BYTES + 4 * c, size)
        store(m, t, d + L.CLASS_PAGES + c, 1, L.TABLE[c, 1] >> L.PAGE_SHIFT)
        store(m, t, d + L.CLASS_BATCH + c, 1, batch)
        most = min(L.MOST_BATCHES * batch, max(batch, (1 << 20) // (size * batch) * batch))
        cache = d + L.TRANSFER + L.TRANSFER_BYTES * c
        put32(m, t, cache + L.T_CAPACITY, min(L.FIRST_BATCHES * batch, most))
        put64(m, t, cache + L.T_MOST, most)
    put64(m, t, d + L.UNCLAIMED, L.THREADS_BYTES)
    if policy(m, t) == L.PER_CPU:
        put64(m, t, d + L.SLABS, map_in_set(m, t, m.cores << L.SLAB_SHIFT, L.SLAB_SET))

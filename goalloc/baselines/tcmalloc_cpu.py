"""tcmalloc's front end, per CPU: a slab of 256 KiB for each core, with an array of pointers for each class.

    header of class c    current | end | begin           indices of 8-byte words of the slab; objects lie from begin to current, room is up to end

They are changed by a restartable sequence (here: a step, which nothing interrupts). A class's capacity grows when it over- or underflows,
as long as the core's 1.5 MiB allow it; after that it takes capacity from other classes.
Source: google/tcmalloc cpu_cache.h, percpu_tcmalloc.h.
"""

from hwmem._jit import cold, hot, kernel
from hwmem.core.access import load, load64, store, store64
from goalloc import params as P
from goalloc.words import get16, get64, put16, put64
from goalloc.baselines import tcmalloc_layout as L
from goalloc.baselines.system import data, local, local_of
from goalloc.baselines.tcmalloc_central import batch_at, batch_size, class_bytes, insert_range, remove_range


@hot
def take_of_cpu(m, t, d, c):
    slab = slab_in(m, t, d)
    current = load(m, t, slab + 8 * c, 2)
    x = load64(m, t, slab + 8 * (current - 1)) if current else 1
    if x & 1:  # what lies before the first pointer is odd
        return refill(m, t, c)
    store(m, t, slab + 8 * c, 2, current - 1)
    return x


@hot
def give_to_cpu(m, t, d, c, x):
    slab = slab_in(m, t, d)
    current = load(m, t, slab + 8 * c, 2)
    if current >= load(m, t, slab + 8 * c + 2, 2):
        overflow(m, t, c, x)
        return
    store64(m, t, slab + 8 * current, x)
    store(m, t, slab + 8 * c, 2, current + 1)


@kernel
def slab_of(m, t):
    """The slab of the CPU on which the thread runs."""
    return slab_in(m, t, data(m, t))


@hot
def slab_in(m, t, d):
    """The same: it is in the thread's variables, unless the thread has moved."""
    slab = load64(m, t, local_of(d, t) + L.SLAB)
    core = m.thread[t].core
    if slab == 0 or m.thread[t].guest[P.CPU] != core + 1:
        return find_slab(m, t)
    return slab


@cold
def find_slab(m, t):
    core = m.thread[t].core
    slab = get64(m, t, data(m, t) + L.SLABS) + (core << L.SLAB_SHIFT)
    m.thread[t].guest[P.CPU] = core + 1
    put64(m, t, local(m, t) + L.SLAB, slab)
    if get16(m, t, slab + 8 + 4) == 0:  # nobody ran here yet
        for c in range(1, L.NUM_CLASSES):
            begin = L.BEGINS[c]
            put64(m, t, slab + 8 * c, begin | begin << 16 | begin << 32)
            put64(m, t, slab + 8 * (begin - 1), 1)
        put64(m, t, resize_at(m, t), L.CPU_CACHE_BYTES)
    return slab


@kernel
def resize_at(m, t):
    return data(m, t) + L.RESIZE + L.RESIZE_BYTES * m.thread[t].core


@cold
def update_capacity(m, t, c, over):
    """The class's array has over- or underflowed: let it grow if that may help; how many objects are to be moved."""
    batch, slab, state = batch_size(m, t, c), slab_of(m, t), resize_at(m, t) + 8 * c
    capacity = get16(m, t, slab + 8 * c + 2) - get16(m, t, slab + 8 * c + 4)
    said = get64(m, t, state)  # whether it overflowed the last time | how often on end << 1
    successive = said >> 1 if said & 1 == over else 0
    put64(m, t, state, over | min(successive + 1, 100) << 1)
    by_batch = over == 0 and said & 1
    most = L.LIMITS[c]
    if (capacity < 2 * batch or by_batch) and capacity < most:
        increase = 1
        if by_batch:
            increase = min(batch, most - capacity)
        elif over == 0 and capacity < batch:
            increase = batch - capacity
        capacity += grow_class(m, t, c, increase)
    if capacity == 1 and successive < 3:
        return 1
    return min((capacity + 1) // 2 + 1, batch << min(successive, 10))


@cold
def grow_class(m, t, c, increase):
    """Let the class's array hold up to `increase` more objects: by how many."""
    size, state = class_bytes(m, t, c), resize_at(m, t)
    room = get64(m, t, state)
    if room < size * increase:
        room += steal(m, t, c, size * increase - room)
    increase = min(increase, room // size)
    put64(m, t, state, room - increase * size)
    end = slab_of(m, t) + 8 * c + 2
    put16(m, t, end, get16(m, t, end) + increase)
    return increase


@cold
def steal(m, t, c, wanted):
    """Bytes that other classes do not use: each gives up some of its capacity, until there are enough."""
    got, slab = 0, slab_of(m, t)
    for k in range(1, L.NUM_CLASSES):
        if k != c and got < wanted:
            spare = get16(m, t, slab + 8 * k + 2) - get16(m, t, slab + 8 * k)
            if spare > 0:
                put16(m, t, slab + 8 * k + 2, get16(m, t, slab + 8 * k + 2) - 1)
                got += class_bytes(m, t, k)
    return got


@cold
def refill(m, t, c):
    """The class's array is empty: objects from the transfer cache, one of them the answer; or 0."""
    target = min(update_capacity(m, t, c, 0), L.MOST_MOVED)
    got = remove_range(m, t, c, target)
    if got == 0:
        return 0
    x = get64(m, t, batch_at(m, t, got - 1))
    slab = slab_of(m, t)
    current = get16(m, t, slab + 8 * c)
    room = min(got - 1, get16(m, t, slab + 8 * c + 2) - current)
    for i in range(room):
        put64(m, t, slab + 8 * (current + i), get64(m, t, batch_at(m, t, i)))
    put16(m, t, slab + 8 * c, current + room)
    if room < got - 1:
        for i in range(got - 1 - room):
            put64(m, t, batch_at(m, t, i), get64(m, t, batch_at(m, t, room + i)))
        insert_range(m, t, c, got - 1 - room)
    return x


@cold
def overflow(m, t, c, x):
    """The class's array is full: `x` and others go to the transfer cache."""
    target = min(update_capacity(m, t, c, 1), L.MOST_MOVED)
    slab = slab_of(m, t)
    current, begin = get16(m, t, slab + 8 * c), get16(m, t, slab + 8 * c + 4)
    n = min(target - 1, current - begin)
    put64(m, t, batch_at(m, t, 0), x)
    for i in range(n):
        put64(m, t, batch_at(m, t, 1 + i), get64(m, t, slab + 8 * (current - 1 - i)))
    put16(m, t, slab + 8 * c, current - n)
    insert_range(m, t, c, n + 1)

"""tcmalloc, as google/tcmalloc's design document has it: front, middle and back end.

    malloc ── class of the size ── CPU's (or thread's) cache has one ──> object               nothing shared
                                   └─ empty ──> transfer cache, central free list             tcmalloc_central.py
                                                                        └─> page heap         tcmalloc_pages.py
    free   ── class of the page ── the cache has room ──> done

Two modes. Per CPU: each core has a slab of 256 KiB with an array of pointers for each class and its current, end and begin, changed by a
restartable sequence (here: a step, which nothing interrupts). A class's capacity grows when it over- or underflows, as long as the
core's 1.5 MiB allow it; after that it takes capacity from other classes. Per thread: a list for each class, linked through the objects,
whose length grows slowly; a thread may keep 512 KiB and more, all threads together 32 MiB.

Simplified: capacities are not moved between cores, no sampling, no "cold" classes, no hints.
Source: google/tcmalloc docs/design.md, cpu_cache.h, percpu_tcmalloc.h, thread_cache.cc, tcmalloc.cc.
"""

from hwmem._jit import DOORS, cold, hot, kernel
from hwmem.core.access import load, load8, load32, load64, store, store32, store64
from goalloc import params as P
from goalloc.base.lock import lock, unlock
from goalloc.words import get16, get32, get64, put16, put32, put64
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
    local,
    local_of,
    map_in_set,
    policy,
)
from goalloc.baselines.tcmalloc_central import batch_at, batch_size, class_bytes, insert_range, large_span, plunder, remove_range
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
    c = load8(m, t, d + L.CLASS_ARRAY + (n + 7 >> 3 if n <= L.LARGE_SIZE else n + 127 + (120 << 7) >> 7))
    return take_of_cpu(m, t, d, c) if by_cpu else take_of_thread(m, t, d, c)


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
def take_of_thread(m, t, d, c):
    mine = local_of(d, t)
    place = mine + L.LISTS + L.LIST_BYTES * c
    x = load64(m, t, place + L.HEAD)
    if x == 0:
        return fetch(m, t, c)
    store64(m, t, place + L.HEAD, load64(m, t, x))
    length, low = load32(m, t, place + L.LENGTH) - 1, load32(m, t, place + L.LOW)
    store32(m, t, place + L.LENGTH, length)
    if length < low:
        store32(m, t, place + L.LOW, length)
    store64(m, t, mine + L.SIZE, load64(m, t, mine + L.SIZE) - load32(m, t, d + L.CLASS_BYTES + 4 * c))
    return x


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


@hot
def give_to_cpu(m, t, d, c, x):
    slab = slab_in(m, t, d)
    current = load(m, t, slab + 8 * c, 2)
    if current >= load(m, t, slab + 8 * c + 2, 2):
        overflow(m, t, c, x)
        return
    store64(m, t, slab + 8 * current, x)
    store(m, t, slab + 8 * c, 2, current + 1)


@hot
def give_to_thread(m, t, d, c, x):
    mine = local_of(d, t)
    place = mine + L.LISTS + L.LIST_BYTES * c
    size = load64(m, t, mine + L.SIZE) + load32(m, t, d + L.CLASS_BYTES + 4 * c)
    store64(m, t, mine + L.SIZE, size)
    store64(m, t, x, load64(m, t, place + L.HEAD))
    store64(m, t, place + L.HEAD, x)
    length = load32(m, t, place + L.LENGTH) + 1
    store32(m, t, place + L.LENGTH, length)
    if length > load32(m, t, place + L.MOST) or size >= load64(m, t, mine + L.MAX):
        too_much(m, t, c)


# Per CPU


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


# Per thread


@cold
def need_lists(m, t):
    """The thread's first call: its share, and every list may hold one object."""
    mine, d = local(m, t), data(m, t)
    if get64(m, t, mine + L.READY):
        return
    put64(m, t, mine + L.READY, 1)
    for c in range(L.NUM_CLASSES):
        put32(m, t, mine + L.LISTS + L.LIST_BYTES * c + L.MOST, 1)
    lock(m, t, d + L.THREAD_LOCK)
    n = get64(m, t, d + L.THREADS)
    put64(m, t, d + L.THREAD_NUMBERS + 8 * n, mine)
    put64(m, t, d + L.THREADS, n + 1)
    increase_limit(m, t)
    if get64(m, t, mine + L.MAX) == 0:
        put64(m, t, mine + L.MAX, L.LEAST_THREAD_BYTES)
        put64(m, t, d + L.UNCLAIMED, get64(m, t, d + L.UNCLAIMED) - L.LEAST_THREAD_BYTES)
    unlock(m, t, d + L.THREAD_LOCK)


@cold
def increase_limit(m, t):
    """Raise the thread's limit, from the unclaimed space or another thread's share."""
    mine, d = local(m, t), data(m, t)
    unclaimed, victim = get64(m, t, d + L.UNCLAIMED), 0
    if unclaimed > 0:
        put64(m, t, d + L.UNCLAIMED, unclaimed - L.STEAL)
    else:
        for _ in range(10):
            turn = get64(m, t, d + L.NEXT_STEAL)
            put64(m, t, d + L.NEXT_STEAL, (turn + 1) % get64(m, t, d + L.THREADS))
            other = get64(m, t, d + L.THREAD_NUMBERS + 8 * turn)
            if other != mine and get64(m, t, other + L.MAX) > L.LEAST_THREAD_BYTES:
                victim = other
                break
        if victim == 0:
            return
        put64(m, t, victim + L.MAX, get64(m, t, victim + L.MAX) - L.STEAL)
    put64(m, t, mine + L.MAX, get64(m, t, mine + L.MAX) + L.STEAL)


@cold
def fetch(m, t, c):
    """The class's list is empty: objects from the transfer cache, one of them the answer; or 0."""
    need_lists(m, t)
    place, batch = local(m, t) + L.LISTS + L.LIST_BYTES * c, batch_size(m, t, c)
    most = get32(m, t, place + L.MOST)
    got = remove_range(m, t, c, min(most, batch))
    if got == 0:
        return 0
    head = 0
    for i in range(got - 1, 0, -1):
        x = get64(m, t, batch_at(m, t, i))
        put64(m, t, x, head)
        head = x
    put64(m, t, place + L.HEAD, head)
    put32(m, t, place + L.LENGTH, got - 1)
    put64(m, t, local(m, t) + L.SIZE, get64(m, t, local(m, t) + L.SIZE) + (got - 1) * class_bytes(m, t, c))
    longer = most + 1 if most < batch else min(most + batch, L.MOST_LENGTH) // batch * batch
    put32(m, t, place + L.MOST, longer)
    return get64(m, t, batch_at(m, t, 0))


@cold
def release_list(m, t, c, n):
    """The first `n` objects of the class's list go to the transfer cache."""
    place, batch = local(m, t) + L.LISTS + L.LIST_BYTES * c, batch_size(m, t, c)
    n = min(n, get32(m, t, place + L.LENGTH))
    while n > 0:
        some = min(n, batch)
        for i in range(some):
            x = get64(m, t, place + L.HEAD)
            put64(m, t, place + L.HEAD, get64(m, t, x))
            put64(m, t, batch_at(m, t, i), x)
        length = get32(m, t, place + L.LENGTH) - some
        put32(m, t, place + L.LENGTH, length)
        put32(m, t, place + L.LOW, min(length, get32(m, t, place + L.LOW)))
        put64(m, t, local(m, t) + L.SIZE, get64(m, t, local(m, t) + L.SIZE) - some * class_bytes(m, t, c))
        insert_range(m, t, c, some)
        n -= some


@cold
def too_much(m, t, c):
    """The list, or all of them, are longer than they may be."""
    need_lists(m, t)
    place, batch = local(m, t) + L.LISTS + L.LIST_BYTES * c, batch_size(m, t, c)
    most = get32(m, t, place + L.MOST)
    if get32(m, t, place + L.LENGTH) > most:
        release_list(m, t, c, batch)
        if most < batch:
            put32(m, t, place + L.MOST, most + 1)
        elif most > batch:
            over = get32(m, t, place + L.OVER) + 1
            put32(m, t, place + L.OVER, over if over <= L.MOST_OVERAGES else 0)
            if over > L.MOST_OVERAGES:
                put32(m, t, place + L.MOST, most - batch)
    if get64(m, t, local(m, t) + L.SIZE) >= get64(m, t, local(m, t) + L.MAX):
        scavenge(m, t)


@cold
def scavenge(m, t):
    """Half of what each list did not need since the last time goes; then the thread may keep more."""
    for c in range(1, L.NUM_CLASSES):
        place, batch = local(m, t) + L.LISTS + L.LIST_BYTES * c, batch_size(m, t, c)
        low = get32(m, t, place + L.LOW)
        if low:
            release_list(m, t, c, max(low // 2, 1))
            if get32(m, t, place + L.MOST) > batch:
                put32(m, t, place + L.MOST, max(get32(m, t, place + L.MOST) - batch, batch))
        put32(m, t, place + L.LOW, get32(m, t, place + L.LENGTH))
    lock(m, t, data(m, t) + L.THREAD_LOCK)
    increase_limit(m, t)
    unlock(m, t, data(m, t) + L.THREAD_LOCK)


@cold
def empty_lists(m, t):
    for c in range(1, L.NUM_CLASSES):
        release_list(m, t, c, get32(m, t, local(m, t) + L.LISTS + L.LIST_BYTES * c + L.LENGTH))


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
            place = n + 7 >> 3 if n <= L.LARGE_SIZE else n + 127 + (120 << 7) >> 7
            store(m, t, d + L.CLASS_ARRAY + place, 1, c)
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

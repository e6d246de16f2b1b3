"""tcmalloc's front end, per thread: a list for each class, linked through the objects.

    list      head | length | low | most | over       low: the shortest it was since the last scavenge; most: how long it may be, which grows
                                                      slowly; over: how often it was too long
    thread    512 KiB and more, all threads together 32 MiB

Source: google/tcmalloc docs/design.md, thread_cache.cc.
"""

from hwmem._jit import cold, hot
from hwmem.core.access import load32, load64, store32, store64
from goalloc.base.lock import lock, unlock
from goalloc.words import get32, get64, put32, put64
from goalloc.baselines import tcmalloc_layout as L
from goalloc.baselines.system import data, local, local_of
from goalloc.baselines.tcmalloc_central import batch_at, batch_size, class_bytes, insert_range, remove_range


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

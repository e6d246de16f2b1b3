"""tcmalloc's front end, per thread: a list for each class, linked through the objects.

    list      | first object |
              | words 16 | over 4 | most 14 | low 14 | length 14 |       words: of an object; over: how often it was too long; most: how long it
               62      46 45    42 41     28 27    14 13        0        may be, which grows slowly; low: the shortest since the last scavenge
    thread    512 KiB and more, all threads together 32 MiB

A list's numbers are one word, so that a call reads and writes them at once.

Source: google/tcmalloc docs/design.md, thread_cache.cc.
"""

from hwmem._jit import cold, hot, kernel
from hwmem.core.access import load64, store64
from goalloc.base.lock import lock, unlock
from goalloc.words import get64, put64
from goalloc.baselines import tcmalloc_layout as L
from goalloc.baselines.system import data, local, local_of
from goalloc.baselines.tcmalloc_central import batch_at, batch_size, class_bytes, insert_range, remove_range


@hot
def number(state, at):
    """A list's LENGTH, LOW or MOST."""
    return state >> at & L.FIELD


@hot
def bytes_of(state):
    """Of an object of the list."""
    return state >> L.WORDS << 3


@kernel
def changed(state, at, value):
    """With another LENGTH, LOW or MOST."""
    return state + (value - number(state, at) << at)


@hot
def take_of_thread(m, t, d, c):
    mine = local_of(d, t)
    place = mine + L.LISTS + L.LIST_BYTES * c
    x = load64(m, t, place + L.HEAD)
    if x == 0:
        return fetch(m, t, c)
    store64(m, t, place + L.HEAD, load64(m, t, x))
    state = load64(m, t, place + L.STATE)
    shortest = number(state, L.LENGTH) == number(state, L.LOW)
    store64(m, t, place + L.STATE, state - (1 << L.LENGTH) - (shortest << L.LOW))
    store64(m, t, mine + L.SIZE, load64(m, t, mine + L.SIZE) - bytes_of(state))
    return x


@hot
def give_to_thread(m, t, d, c, x):
    mine = local_of(d, t)
    place = mine + L.LISTS + L.LIST_BYTES * c
    state = load64(m, t, place + L.STATE) + (1 << L.LENGTH)
    store64(m, t, place + L.STATE, state)
    store64(m, t, x, load64(m, t, place + L.HEAD))
    store64(m, t, place + L.HEAD, x)
    size = load64(m, t, mine + L.SIZE) + bytes_of(state)
    store64(m, t, mine + L.SIZE, size)
    if number(state, L.LENGTH) > number(state, L.MOST) or size >= load64(m, t, mine + L.MAX):
        too_much(m, t, c)


@cold
def need_lists(m, t):
    """The thread's first call: its share, and every list may hold one object."""
    mine, d = local(m, t), data(m, t)
    if get64(m, t, mine + L.READY):
        return
    put64(m, t, mine + L.READY, 1)
    size = 0
    for c in range(L.NUM_CLASSES):
        place = mine + L.LISTS + L.LIST_BYTES * c + L.STATE
        state = get64(m, t, place) + (1 << L.MOST) + (class_bytes(m, t, c) >> 3 << L.WORDS)
        put64(m, t, place, state)
        size += number(state, L.LENGTH) * bytes_of(state)  # the first call has freed an object
    put64(m, t, mine + L.SIZE, size)
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
    most = number(get64(m, t, place + L.STATE), L.MOST)
    got = remove_range(m, t, c, min(most, batch))
    if got == 0:
        return 0
    head = 0
    for i in range(got - 1, 0, -1):
        x = get64(m, t, batch_at(m, t, i))
        put64(m, t, x, head)
        head = x
    put64(m, t, place + L.HEAD, head)
    longer = most + 1 if most < batch else min(most + batch, L.MOST_LENGTH) // batch * batch
    state = changed(changed(get64(m, t, place + L.STATE), L.LENGTH, got - 1), L.MOST, longer)
    put64(m, t, place + L.STATE, state)
    put64(m, t, local(m, t) + L.SIZE, get64(m, t, local(m, t) + L.SIZE) + (got - 1) * bytes_of(state))
    return get64(m, t, batch_at(m, t, 0))


@cold
def release_list(m, t, c, n):
    """The first `n` objects of the class's list go to the transfer cache."""
    place, batch = local(m, t) + L.LISTS + L.LIST_BYTES * c, batch_size(m, t, c)
    n = min(n, number(get64(m, t, place + L.STATE), L.LENGTH))
    while n > 0:
        some = min(n, batch)
        for i in range(some):
            x = get64(m, t, place + L.HEAD)
            put64(m, t, place + L.HEAD, get64(m, t, x))
            put64(m, t, batch_at(m, t, i), x)
        state = get64(m, t, place + L.STATE) - (some << L.LENGTH)
        put64(m, t, place + L.STATE, changed(state, L.LOW, min(number(state, L.LENGTH), number(state, L.LOW))))
        put64(m, t, local(m, t) + L.SIZE, get64(m, t, local(m, t) + L.SIZE) - some * bytes_of(state))
        insert_range(m, t, c, some)
        n -= some


@cold
def too_much(m, t, c):
    """The list, or all of them, are longer than they may be."""
    need_lists(m, t)
    place, batch = local(m, t) + L.LISTS + L.LIST_BYTES * c, batch_size(m, t, c)
    state = get64(m, t, place + L.STATE)
    most = number(state, L.MOST)
    if number(state, L.LENGTH) > most:
        release_list(m, t, c, batch)
        state = get64(m, t, place + L.STATE)
        if most < batch:
            put64(m, t, place + L.STATE, state + (1 << L.MOST))
        elif most > batch:
            over = state >> L.OVER & L.OVERAGES
            shorter = over == L.MOST_OVERAGES
            put64(m, t, place + L.STATE, state - (over << L.OVER) - (batch << L.MOST) if shorter else state + (1 << L.OVER))
    if get64(m, t, local(m, t) + L.SIZE) >= get64(m, t, local(m, t) + L.MAX):
        scavenge(m, t)


@cold
def scavenge(m, t):
    """Half of what each list did not need since the last time goes; then the thread may keep more."""
    for c in range(1, L.NUM_CLASSES):
        place, batch = local(m, t) + L.LISTS + L.LIST_BYTES * c, batch_size(m, t, c)
        low = number(get64(m, t, place + L.STATE), L.LOW)
        if low:
            release_list(m, t, c, max(low // 2, 1))
        state = get64(m, t, place + L.STATE)
        if low and number(state, L.MOST) > batch:
            state = changed(state, L.MOST, max(number(state, L.MOST) - batch, batch))
        put64(m, t, place + L.STATE, changed(state, L.LOW, number(state, L.LENGTH)))
    lock(m, t, data(m, t) + L.THREAD_LOCK)
    increase_limit(m, t)
    unlock(m, t, data(m, t) + L.THREAD_LOCK)


@cold
def empty_lists(m, t):
    for c in range(1, L.NUM_CLASSES):
        release_list(m, t, c, L.FIELD)

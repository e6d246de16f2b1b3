"""Lists on any collector.

lists   a list for each global; nodes are put at the head of one list after the other, and a full list is dropped whole
lru     a cache: a hash table with chains, a ring of entries from the most to the least recently used, a value each. A hit moves its entry to the
        front; a miss makes an entry and a value, and the last of a full cache goes
"""

import numpy as np

from hwmem.kernels import kernel
from hwmem.programs.registry import parameter
from goalloc.collectors.mutator import global_ref, load_ref, load_word, new, pop, push, set_global, store_ref, store_word, top
from goalloc.programs.mutators import STEP, begin_walk, count_step, end_walk, mutator, next_mutator, place

# lists: a node has a reference and a word
NEXT_NODE, NUMBER = 0, 2
# lru: references of an entry; its key's word; the globals; the table has a bucket for two entries
PREV, NEXT, CHAIN, VALUE, KEY = 0, 1, 2, 3, 5
TABLE, RING = 0, 1
ENTRIES = 2  # a thread's register: how many there are
VALUE_WORDS = 8


def place_lists(w, space):
    place(w, space, np.arange(w.rounds * w.lists * w.nodes) % w.lists, shapes=((1, 1),))
    w.lengths[: w.lists] = np.arange(w.lists) * w.nodes // w.lists  # so that they are full one after the other


@mutator(
    "lists",
    "nodes at the heads of lists, which are dropped when they are full",
    place_lists,
    lists=parameter(16, "lists", 1, 32),
    nodes=parameter(400, "nodes of a full list", 1, 1 << 16),
    rounds=parameter(8, "times that each list is filled", 1, 1000),
)
def lists(m, w):
    while True:
        t = next_mutator(m, w)
        if t < 0:
            return
        r = m.thread[t].local
        if r[STEP] == w.steps:
            begin_walk(m, t, w)
            end_walk(m, t, w, numbers_of_lists(m, t, w))
            continue
        i = w.drawn[r[STEP]]
        if w.lengths[i] == w.nodes:
            set_global(m, t, i, 0)
            w.lengths[i] = 0
        if new(m, t, 1, 1):
            store_ref(m, t, top(m, t, 0), NEXT_NODE, global_ref(m, t, i))
            store_word(m, t, top(m, t, 0), NUMBER, r[STEP])
            set_global(m, t, i, top(m, t, 0))
            pop(m, t, 1)
            w.lengths[i] += 1
            count_step(m, t, w, r)


@kernel
def numbers_of_lists(m, t, w):
    found = 0
    for i in range(w.lists):
        x = global_ref(m, t, i)
        while x:
            found += load_word(m, t, x, NUMBER)
            x = load_ref(m, t, x, NEXT_NODE)
    return found


def place_lru(w, space):
    w.buckets = max(w.entries // 2, 1)
    keys = (space.random.random(w.lookups) ** 3 * 4 * w.entries).astype(np.int64)
    place(w, space, keys, shapes=((4, 1), (w.buckets, 0)))


@mutator(
    "lru",
    "a cache that forgets what was not used for longest",
    place_lru,
    entries=parameter(1000, "entries that it holds", 1, 8000),
    lookups=parameter(20_000, "lookups; a few keys are asked for often", 1),
)
def lru(m, w):
    while True:
        t = next_mutator(m, w)
        if t < 0:
            return
        r = m.thread[t].local
        if global_ref(m, t, RING) == 0:
            make_cache(m, t, w)
        elif r[STEP] == w.steps:
            begin_walk(m, t, w)
            end_walk(m, t, w, keys_of_ring(m, t))
        else:
            look_up(m, t, w, r, w.drawn[r[STEP]])
            count_step(m, t, w, r)


@kernel
def make_cache(m, t, w):
    """An empty table, and a ring that is its own neighbour."""
    if new(m, t, w.buckets, 0):
        set_global(m, t, TABLE, top(m, t, 0))
        pop(m, t, 1)
    x = new(m, t, 4, 1)
    if x:
        store_ref(m, t, x, PREV, x)
        store_ref(m, t, x, NEXT, x)
        set_global(m, t, RING, x)
        pop(m, t, 1)


@kernel
def look_up(m, t, w, r, key):
    e = load_ref(m, t, global_ref(m, t, TABLE), key % w.buckets)
    while e and load_word(m, t, e, KEY) != key:
        e = load_ref(m, t, e, CHAIN)
    if e:
        leave_ring(m, t, e)
        enter_ring(m, t, e)
        return
    if r[ENTRIES] == w.entries:
        evict(m, t, w)
        r[ENTRIES] -= 1
    if new(m, t, 0, VALUE_WORDS) and new(m, t, 4, 1):
        enter(m, t, w, key)
        pop(m, t, 2)
        r[ENTRIES] += 1


@kernel
def enter(m, t, w, key):
    """The entry on the stack's top with the value below it."""
    e, table = top(m, t, 0), global_ref(m, t, TABLE)
    store_word(m, t, e, KEY, key)
    store_word(m, t, top(m, t, 1), 1, key)
    store_ref(m, t, e, VALUE, top(m, t, 1))
    store_ref(m, t, e, CHAIN, load_ref(m, t, table, key % w.buckets))
    store_ref(m, t, table, key % w.buckets, e)
    enter_ring(m, t, e)


@kernel
def leave_ring(m, t, e):
    before, after = load_ref(m, t, e, PREV), load_ref(m, t, e, NEXT)
    store_ref(m, t, before, NEXT, after)
    store_ref(m, t, after, PREV, before)


@kernel
def enter_ring(m, t, e):
    """As the most recently used."""
    ring = global_ref(m, t, RING)
    first = load_ref(m, t, ring, NEXT)
    store_ref(m, t, e, NEXT, first)
    store_ref(m, t, e, PREV, ring)
    store_ref(m, t, first, PREV, e)
    store_ref(m, t, ring, NEXT, e)


@kernel
def evict(m, t, w):
    """The least recently used goes: out of the ring and out of its chain."""
    push(m, t, load_ref(m, t, global_ref(m, t, RING), PREV))
    e, table = top(m, t, 0), global_ref(m, t, TABLE)
    leave_ring(m, t, e)
    bucket = load_word(m, t, e, KEY) % w.buckets
    x = load_ref(m, t, table, bucket)
    if x == e:
        store_ref(m, t, table, bucket, load_ref(m, t, e, CHAIN))
    else:
        while load_ref(m, t, x, CHAIN) != e:
            x = load_ref(m, t, x, CHAIN)
        store_ref(m, t, x, CHAIN, load_ref(m, t, e, CHAIN))
    pop(m, t, 1)


@kernel
def keys_of_ring(m, t):
    """Of each entry, from the most recently used on, and of its value."""
    found, ring = 0, global_ref(m, t, RING)
    e = load_ref(m, t, ring, NEXT)
    while e != ring:
        found = 31 * found + load_word(m, t, e, KEY) ^ load_word(m, t, load_ref(m, t, e, VALUE), 1) << 1
        e = load_ref(m, t, e, NEXT)
    return found

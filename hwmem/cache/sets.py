"""A set-associative array: the one shape behind every cache, TLB and paging-structure cache.

The array's entries lie in the machine's pools; a `sets` record says where and how many:

    entry i = base + set * ways + way
    m.tag[i]   key << 6 | occupied << 5 | flags     caches: the line's physical address and its state
    m.word[i]  what the tag stands for              LLC: sharers; TLB: frame and rights; else unused

An invalidated line keeps its way and its age (its state is I): what gem5's MESI_Two_Level does, and what
makes counts equal its counts. `find` tells that way too; callers look at the state.
"""
from hwmem import params as P
from hwmem._jit import kernel
from hwmem.cache.replacement import touch, victim

KEY_SHIFT = P.TAG_SHIFT - 1


@kernel
def set_of(s, key):
    if s.mask >= 0:
        return key & s.mask
    return key % s.sets


@kernel
def find(m, s, set_, key):
    """Way of `key` in set `set_`, or -1."""
    wanted = key << 1 | 1
    first = s.base + set_ * s.ways
    way = -1
    if s.ways == 8:
        for w in range(8):
            if m.tag[first + w] >> KEY_SHIFT == wanted:
                way = w
    elif s.ways == 16:
        for w in range(16):
            if m.tag[first + w] >> KEY_SHIFT == wanted:
                way = w
    else:
        for w in range(s.ways):
            if m.tag[first + w] >> KEY_SHIFT == wanted:
                way = w
    return way


@kernel
def entry(s, set_, way):
    """Index in the pools of a way."""
    return s.base + set_ * s.ways + way


@kernel
def index_of(m, s, key):
    """Index in the pools of `key`'s entry, or -1. Recency is not changed."""
    set_ = set_of(s, key)
    way = find(m, s, set_, key)
    return entry(s, set_, way) if way >= 0 else -1


@kernel
def touch_entry(m, s, i):
    """Entry `i` becomes the most recently used of its set."""
    touch(m, s, (i - s.base) // s.ways, (i - s.base) % s.ways)


@kernel
def put(m, s, set_, way, key, flags):
    """Put `key` into a way, most recent; returns its index. The caller has dealt with what was there."""
    i = entry(s, set_, way)
    if s.holes > 0 and m.tag[i] == 0:
        s.holes -= 1
    m.tag[i] = key << P.TAG_SHIFT | P.OCCUPIED | flags
    touch(m, s, set_, way)
    return i


@kernel
def install(m, s, key, word):
    """Put `key` over its set's victim, whatever that was (TLBs)."""
    set_ = set_of(s, key)
    i = put(m, s, set_, victim(m, s, set_), key, 0)
    m.word[i] = word
    return i


@kernel
def forget(m, s, key):
    """Empty `key`'s entry if there is one (TLBs: invalidation). True if there was."""
    i = index_of(m, s, key)
    if i < 0:
        return False
    m.tag[i] = 0
    m.word[i] = 0
    s.holes += 1
    return True


@kernel
def clear(m, s):
    """Empty every entry (TLB flush)."""
    for i in range(s.base, s.base + s.sets * s.ways):
        if m.tag[i] != 0:
            m.tag[i] = 0
            m.word[i] = 0
            s.holes += 1

"""A set-associative array: the one shape behind every cache, TLB and paging-structure cache.

The array's entries lie in the machine's pools; a `sets` record says where and how many. A set's row is its ways
rounded up to a power of two, so an entry's index tells its set and way by shift and mask:

    entry i = first + (set << row_shift) + way
    m.tag[i]    | key | occupied | flags |      caches: the line's physical address and its state (params.py)
    m.word[i]   what the tag stands for         LLC: sharers; L1, L2: links; TLB: frame and rights
    m.holder[i] directory state                 LLC only: what changes there most, where the host's L2 cache can keep it

What becomes of a cache's way whose line was invalidated, and what is a use of a line, is the machine's `recency`:

    processor   the way is empty, and an empty way is filled before any line is evicted (Hennessy and Patterson, 5.3; what
                ChampSim and XiangShan do). A hit, a fill and an upgrade make the line the most recent of its set
    gem5        the line keeps its way and its age, in state I, and is refilled there; neither that nor an upgrade changes its
                age: what MESI_Two_Level counts. `index_of` finds such an entry too; callers look at the state

Where no way's number matters (LRU up to 16 ways) an empty way of a processor's private cache remembers its line too, in state I, so
that the line finds it when it comes back; it is the least recent of its set meanwhile, and so the next to be filled.

A line that another core takes, weakens or requests does not count as used by its own core. Nor has an LLC's line
that a core announces it drops, or that another socket asks for.

Cost: a look-up is one or two vector compares, above 16 ways one for every eight; a touch is a dozen operations (replacement.py).
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import cold, hot, kernel
from hwmem.bits import ctz64
from hwmem.cache.match import LANES, match8, prefetch_order, prefetch_tags
from hwmem.cache.replacement import put_first, put_last, retire, rotate, touch


@hot
def set_of(s, key):
    return key & s.mask if s.mask >= 0 else modulo(key, s.sets)


@cold
def modulo(key, n):
    return np.int64(np.uint64(key) % np.uint64(n))


@hot
def row_of(s, key):
    """The row that `key` belongs to: its set, and the index of the set's first entry."""
    set_ = set_of(s, key)
    return set_, s.first + (set_ << s.row_shift)


@hot
def index_of(m, s, key):
    """Index in the pools of `key`'s entry, or -1. Recency is not changed."""
    return index_in(m, s, row_of(s, key), key)


@hot
def index_in(m, s, row, key):
    """index_of, where the key's row is known."""
    first = row[1]
    wanted = key << P.TAG_SHIFT | P.OCCUPIED
    if s.ways > 2 * LANES:
        return index_wide(m, s, first, wanted)
    found = match8(m, first, wanted)
    if s.ways > LANES:
        found |= match8(m, first + LANES, wanted) << LANES
    found &= s.way_mask
    if found == 0:
        return -1
    return first + ctz64(np.uint64(found))


@hot
def prefetch_row(m, s, row):
    """Have the host fetch a row that will be searched soon."""
    set_, first = row
    prefetch_tags(m, first)
    if s.ways > LANES:
        prefetch_tags(m, first + LANES)
    prefetch_order(m, s.order_base + set_)


@cold
def index_wide(m, s, first, wanted):
    """index_in for more ways than sixteen; what lies behind the last way of such a row is empty."""
    for i in range(first, first + s.ways, LANES):
        found = match8(m, i, wanted)
        if found:
            return i + ctz64(np.uint64(found))
    return -1


@kernel
def key_of(tag):
    """The key in a tag word."""
    return tag >> P.TAG_SHIFT


@hot
def touch_entry(m, s, i):
    """Entry `i` becomes the most recently used of its set."""
    touch(m, s, i - s.first >> s.row_shift, i - s.first & (1 << s.row_shift) - 1)


@hot
def touch_in(m, s, row, i):
    """touch_entry, where the entry's row is known."""
    set_, first = row
    touch(m, s, set_, i - first)


@hot
def take_victim(m, s, row):
    """Index of the entry of a row that a new key shall take (free ones first), made most recent. What it holds is the
    caller's to deal with before `put`."""
    set_, first = row
    return first + rotate(m, s, set_, first)


@hot
def put(m, i, key, flags):
    """Entry `i`, taken for `key`, holds it from now on."""
    m.tag[i] = key << P.TAG_SHIFT | P.OCCUPIED | flags


@hot
def install(m, s, row, key, word):
    """Put `key` over its row's victim, whatever that was (TLBs); the entry."""
    i = take_victim(m, s, row)
    put(m, i, key, 0)
    m.word[i] = word
    return i


@kernel
def empty(m, s, i):
    """Entry `i` is free from now on."""
    m.tag[i] = 0
    m.word[i] = 0
    retire(m, s, i - s.first >> s.row_shift, i - s.first & (1 << s.row_shift) - 1)


@hot
def invalidate(m, s, i):
    """Entry `i` of a private cache has lost its line."""
    if m.recency == P.GEM5:
        m.tag[i] &= ~P.STATE_MASK
    elif s.policy == P.LRU:
        m.tag[i] &= ~P.STATE_MASK
        put_last(m, s, i - s.first >> s.row_shift, i - s.first & (1 << s.row_shift) - 1)
    else:
        empty(m, s, i)


@hot
def refill(m, s, i):
    """Entry `i`, which has its line's tag, gets the line or other rights to it: with recency processor a use of the line."""
    if m.recency == P.GEM5:
        return
    if s.policy == P.LRU:
        put_first(m, s, i - s.first >> s.row_shift, i - s.first & (1 << s.row_shift) - 1)
    else:
        touch_entry(m, s, i)


@cold
def forget(m, s, key):
    """Empty `key`'s entry if there is one (TLBs: invalidation)."""
    i = index_of(m, s, key) if s.ways else -1
    if i >= 0:
        empty(m, s, i)


@cold
def clear(m, s):
    """Empty every entry (TLB flush)."""
    for i in range(s.first, s.first + (s.sets << s.row_shift)):
        m.tag[i] = 0
        m.word[i] = 0

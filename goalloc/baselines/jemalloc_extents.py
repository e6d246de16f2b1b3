"""jemalloc's extents: all of them, free ones by age and size, and how they go back to the kernel over time.

    take_extent ── dirty ── muzzy ── retained ── mmap of the next larger series          the oldest, lowest that is large enough; the rest stays
    give_extent ──> dirty ── time ──> (muzzy, MADV_FREE) ── time ──> MADV_DONTNEED, retained         addresses are kept forever

A radix tree leads from every extent's first and last page (for a slab, from all pages) to its edata, and gives its class and state. Extents
of a state are in pairing heaps, one for each psz, ordered by serial number, then address; and in a list by age. Dirty ones below 16 KiB are
joined with neighbours only when they are purged; those of 8 MiB and more are purged at once.

Decay: every 1/200 of 10 s the number of pages that became dirty is noted; a smooth step says how many of each epoch's pages may be left,
and the excess is purged, oldest first. Time is the core's clock. The clock is read every 1,000 ticks (fills, flushes, large blocks); the
real library draws that number at random, and the deadline with some jitter.
Source: jemalloc 5.3.0 src/extent.c, eset.c, pac.c, decay.c, emap.c, ph.h.
"""

from hwmem import params as H
from hwmem._jit import cold, kernel
from goalloc import params as P
from goalloc.base.lock import lock, unlock
from goalloc.base.mem import madvise
from goalloc.words import ONE, clz64, ctz64, get8, get16, get64, get_mask, low_bits, put8, put64, put_mask
from goalloc.baselines import jemalloc_layout as L
from goalloc.baselines.system import data, map_memory, policy
import numpy as np


@cold
def take_base(m, t, n):
    """`n` zeroed bytes for jemalloc's own structures, at a multiple of 128; or 0."""
    n, d = n + 127 & ~127, data(m, t)
    lock(m, t, d + L.BASE_LOCK)
    here = get64(m, t, d + L.BASE)
    if here + n > get64(m, t, d + L.BASE_END):
        more = n + L.BASE_BLOCK - 1 & -L.BASE_BLOCK
        here = map_memory(m, t, more)
        put64(m, t, d + L.BASE_END, here + more)
    if here:
        put64(m, t, d + L.BASE, here + n)
    unlock(m, t, d + L.BASE_LOCK)
    return here


# The radix tree


@cold
def leaf_place(m, t, address, make):
    """Where the word for the page of `address` is, or 0."""
    if not 0 <= address < 1 << 48:
        return 0
    place = get64(m, t, data(m, t) + L.ROOT) + 8 * (address >> L.LEAF_SHIFT)
    leaf = get64(m, t, place)
    if leaf == 0 and make:
        leaf = take_base(m, t, 8 << L.TREE_BITS)
        put64(m, t, place, leaf)
    return leaf + 8 * (address >> L.PAGE_SHIFT & (1 << L.TREE_BITS) - 1) if leaf else 0


@cold
def register(m, t, e):
    """The tree leads to extent `e` from its first and last page, from all of a slab's; False: there is no memory for that."""
    address, last = get64(m, t, e + L.E_ADDRESS), get64(m, t, e + L.E_SIZE) - L.PAGE
    slab, state = get8(m, t, e + L.E_SLAB), get8(m, t, e + L.E_STATE)
    word = e | get8(m, t, e + L.E_CLASS) << 48 | state << 2 | get8(m, t, e + L.E_IS_HEAD) << 1 | slab
    for offset in range(0, last + 1, L.PAGE if slab else max(last, 1)):
        place = leaf_place(m, t, address + offset, True)
        if place == 0:
            return False
        put64(m, t, place, word)
    return True


@cold
def unregister(m, t, e):
    address, last = get64(m, t, e + L.E_ADDRESS), get64(m, t, e + L.E_SIZE) - L.PAGE
    for offset in range(0, last + 1, L.PAGE if get8(m, t, e + L.E_SLAB) else max(last, 1)):
        put64(m, t, leaf_place(m, t, address + offset, False), 0)


@cold
def set_state(m, t, e, state):
    put8(m, t, e + L.E_STATE, state)
    register(m, t, e)


@cold
def new_edata(m, t, arena, address, size):
    """An active extent of no class; or 0."""
    e = get64(m, t, arena + L.A_EDATA)
    if e:
        put64(m, t, arena + L.A_EDATA, get64(m, t, e + L.E_NEXT))
    else:
        e = take_base(m, t, L.E_BYTES)
    if e:
        put64(m, t, e, get64(m, t, arena + L.A_NUMBER) | L.NO_CLASS << 32)
        put64(m, t, e + L.E_ADDRESS, address)
        put64(m, t, e + L.E_SIZE, size)
    return e


@cold
def drop_edata(m, t, arena, e):
    put64(m, t, e + L.E_NEXT, get64(m, t, arena + L.A_EDATA))
    put64(m, t, arena + L.A_EDATA, e)


# Pairing heaps of edata


@kernel
def is_before(m, t, a, b):
    older = get64(m, t, a + L.E_SERIAL) - get64(m, t, b + L.E_SERIAL)
    return older < 0 or (older == 0 and get64(m, t, a + L.E_ADDRESS) < get64(m, t, b + L.E_ADDRESS))


@cold
def meld(m, t, a, b):
    """Meld two heaps; the first is a root."""
    if a == 0 or b == 0:
        return a + b
    if is_before(m, t, b, a):
        a, b = b, a
    first = get64(m, t, a + L.E_CHILD)
    put64(m, t, b + L.E_PREVIOUS, a)
    put64(m, t, b + L.E_NEXT, first)
    if first:
        put64(m, t, first + L.E_PREVIOUS, b)
    put64(m, t, a + L.E_CHILD, b)
    return a


@cold
def heap_insert(m, t, place, e):
    for field in (L.E_PREVIOUS, L.E_NEXT, L.E_CHILD):
        put64(m, t, e + field, 0)
    put64(m, t, place, meld(m, t, get64(m, t, place), e))


@cold
def meld_children(m, t, e):
    """The heap of what is below `e`: in pairs, then from the last pair on."""
    child, pairs = get64(m, t, e + L.E_CHILD), 0
    while child:
        other = get64(m, t, child + L.E_NEXT)
        after = get64(m, t, other + L.E_NEXT) if other else 0
        put64(m, t, child + L.E_NEXT, 0)
        pair = meld(m, t, child, other)
        put64(m, t, pair + L.E_NEXT, pairs)
        pairs, child = pair, after
    root = 0
    while pairs:
        after = get64(m, t, pairs + L.E_NEXT)
        put64(m, t, pairs + L.E_NEXT, 0)
        root = meld(m, t, root, pairs)
        pairs = after
    if root:
        put64(m, t, root + L.E_PREVIOUS, 0)
        put64(m, t, root + L.E_NEXT, 0)
    return root


@cold
def heap_remove(m, t, place, e):
    below, root = meld_children(m, t, e), get64(m, t, place)
    if root == e:
        put64(m, t, place, below)
        return
    before, after = get64(m, t, e + L.E_PREVIOUS), get64(m, t, e + L.E_NEXT)
    put64(m, t, before + (L.E_CHILD if get64(m, t, before + L.E_CHILD) == e else L.E_NEXT), after)
    if after:
        put64(m, t, after + L.E_PREVIOUS, before)
    put64(m, t, place, meld(m, t, root, below))


# Caches of extents: those that are dirty, muzzy, retained


@kernel
def cache_of(arena, state):
    return arena + L.A_CACHE + L.CACHE_BYTES * (state - 1)


@kernel
def psz_index(size):
    """The number of the smallest psz of `size` bytes or more."""
    x = 63 - clz64(np.uint64(2 * size - 1))
    shift = max(x - 14, 0)
    return 4 * shift + ((size - 1 >> (12 if x < 15 else x - 3)) & 3)


@kernel
def quantized(size, up):
    """The number of the heap of an extent of `size` bytes; or, up, of the first in which all are large enough. With a page to spare."""
    i = psz_index(size - L.PAGE + 1)
    floor = size if i == 0 else L.PSZ[i - 1] + L.PAGE
    if up and floor < size:
        floor = L.PSZ[psz_index(floor - L.PAGE + 1)] + L.PAGE
    return psz_index(floor)


@cold
def insert(m, t, arena, e, state):
    """Extent `e` is in the cache of `state`, the youngest there."""
    cache, i = cache_of(arena, state), quantized(get64(m, t, e + L.E_SIZE), False)
    heap_insert(m, t, cache + L.X_HEAPS + 8 * i, e)
    word = cache + L.X_BITS + 8 * (i >> 6)
    put_mask(m, t, word, get_mask(m, t, word) | ONE << np.uint64(i & 63))
    last = get64(m, t, cache + L.X_LRU_LAST)
    put64(m, t, e + L.E_LRU_NEXT, 0)
    put64(m, t, e + L.E_LRU_PREVIOUS, last)
    put64(m, t, last + L.E_LRU_NEXT if last else cache + L.X_LRU, e)
    put64(m, t, cache + L.X_LRU_LAST, e)
    put64(m, t, cache + L.X_PAGES, get64(m, t, cache + L.X_PAGES) + (get64(m, t, e + L.E_SIZE) >> L.PAGE_SHIFT))
    set_state(m, t, e, state)


@cold
def remove(m, t, arena, e, state):
    """Extent `e` is active, and in no cache."""
    cache, i = cache_of(arena, state), quantized(get64(m, t, e + L.E_SIZE), False)
    heap_remove(m, t, cache + L.X_HEAPS + 8 * i, e)
    if get64(m, t, cache + L.X_HEAPS + 8 * i) == 0:
        word = cache + L.X_BITS + 8 * (i >> 6)
        put_mask(m, t, word, get_mask(m, t, word) & ~(ONE << np.uint64(i & 63)))
    after, before = get64(m, t, e + L.E_LRU_NEXT), get64(m, t, e + L.E_LRU_PREVIOUS)
    put64(m, t, before + L.E_LRU_NEXT if before else cache + L.X_LRU, after)
    put64(m, t, after + L.E_LRU_PREVIOUS if after else cache + L.X_LRU_LAST, before)
    put64(m, t, cache + L.X_PAGES, get64(m, t, cache + L.X_PAGES) - (get64(m, t, e + L.E_SIZE) >> L.PAGE_SHIFT))
    set_state(m, t, e, L.ACTIVE)


@cold
def first_fit(m, t, cache, size, delayed):
    """The oldest, lowest extent of `size` bytes or more, of the heaps in which all are; or 0."""
    i, found = quantized(size, True), 0
    while i < L.NUM_PSZ:
        mask = get_mask(m, t, cache + L.X_BITS + 8 * (i >> 6)) & ~low_bits(i & 63)
        if mask:
            i = (i & ~63) + ctz64(mask)
            if delayed and L.PSZ[i] >> L.MAX_FIT > size:
                break
            e = get64(m, t, cache + L.X_HEAPS + 8 * i)
            if found == 0 or is_before(m, t, e, found):
                found = e
            i += 1
        else:
            i = (i & ~63) + 64
    return found


@cold
def split(m, t, arena, e, size):
    """What of the active extent `e` lies behind `size` bytes, as an extent; or 0."""
    trail = new_edata(m, t, arena, get64(m, t, e + L.E_ADDRESS) + size, get64(m, t, e + L.E_SIZE) - size)
    if trail:
        put64(m, t, trail + L.E_SERIAL, get64(m, t, e + L.E_SERIAL))
        put64(m, t, e + L.E_SIZE, size)
        register(m, t, e)
        register(m, t, trail)
    return trail


@cold
def join(m, t, arena, e, state):
    """Extent `e`, active, with all neighbours of `state` on end, which are then in no cache; the joint one."""
    forward = True
    while True:
        address = get64(m, t, e + L.E_ADDRESS) + (get64(m, t, e + L.E_SIZE) if forward else -1)
        place = leaf_place(m, t, address, False)
        word = get64(m, t, place) if place else 0
        other = word & L.EDATA_MASK
        low, high = (e, other) if forward else (other, e)
        if other and word >> 2 & 7 == state and is_of(m, t, other, e) and not get8(m, t, high + L.E_IS_HEAD):
            remove(m, t, arena, other, state)
            e = unite(m, t, arena, low, high)
        elif forward:
            forward = False
        else:
            return e


@kernel
def is_of(m, t, other, e):
    """Whether the two are of one arena."""
    return get16(m, t, other + L.E_ARENA) == get16(m, t, e + L.E_ARENA)


@cold
def unite(m, t, arena, low, high):
    """Two active neighbours are one extent."""
    unregister(m, t, low)
    unregister(m, t, high)
    put64(m, t, low + L.E_SIZE, get64(m, t, low + L.E_SIZE) + get64(m, t, high + L.E_SIZE))
    put64(m, t, low + L.E_SERIAL, min(get64(m, t, low + L.E_SERIAL), get64(m, t, high + L.E_SERIAL)))
    drop_edata(m, t, arena, high)
    register(m, t, low)
    return low


@cold
def from_cache(m, t, arena, state, size):
    """An active extent of `size` bytes of those in a cache; or 0."""
    cache = cache_of(arena, state)
    lock(m, t, cache)
    e = first_fit(m, t, cache, size, state == L.DIRTY)
    if e:
        remove(m, t, arena, e, state)
        if get64(m, t, e + L.E_SIZE) > size:
            trail = split(m, t, arena, e, size)
            if trail:
                insert(m, t, arena, trail, state)
    unlock(m, t, cache)
    return e


@cold
def take_extent(m, t, arena, size):
    """An active extent of `size` bytes, whole pages, of no class; or 0."""
    e = from_cache(m, t, arena, L.DIRTY, size)
    if e == 0 and policy(m, t) == L.MUZZY:
        e = from_cache(m, t, arena, L.MUZZY_PAGES, size)
    return e if e else grow(m, t, arena, size)


@cold
def grow(m, t, arena, size):
    """From what is retained, or from a new mapping, whose rest is retained: each mapping is larger than the last."""
    lock(m, t, arena + L.A_GROW_LOCK)
    e = from_cache(m, t, arena, L.RETAINED, size)
    if e == 0:
        i = get64(m, t, arena + L.A_GROW)
        while L.PSZ[i] < size:
            i += 1
        address = map_memory(m, t, L.PSZ[i])
        e = new_edata(m, t, arena, address, L.PSZ[i]) if address else 0
        if e:
            serial = get64(m, t, arena + L.A_SERIAL)
            put64(m, t, arena + L.A_SERIAL, serial + 1)
            put64(m, t, e + L.E_SERIAL, serial)
            put8(m, t, e + L.E_IS_HEAD, 1)
            register(m, t, e)
            put64(m, t, arena + L.A_GROW, min(i + 1, L.NUM_PSZ - 30))
            trail = split(m, t, arena, e, size) if L.PSZ[i] > size else 0
            if trail:
                record(m, t, arena, trail, L.RETAINED)
    unlock(m, t, arena + L.A_GROW_LOCK)
    return e


@cold
def record(m, t, arena, e, state):
    """The active extent `e`, with its neighbours, goes to the cache of `state`, which is not the dirty one."""
    cache = cache_of(arena, state)
    lock(m, t, cache)
    insert(m, t, arena, join(m, t, arena, e, state), state)
    unlock(m, t, cache)


@cold
def retain(m, t, arena, e):
    """The pages of the active extent `e` go back to the kernel, its addresses stay."""
    madvise(m, t, get64(m, t, e + L.E_ADDRESS), get64(m, t, e + L.E_SIZE), H.MADV_DONTNEED)
    record(m, t, arena, e, L.RETAINED)


@cold
def give_extent(m, t, arena, e):
    """The active extent `e` is nobody's any more: dirty, but if it is large with its neighbours, and at once retained if very large."""
    unregister(m, t, e)
    put8(m, t, e + L.E_SLAB, 0)
    put8(m, t, e + L.E_CLASS, L.NO_CLASS)
    register(m, t, e)
    cache = cache_of(arena, L.DIRTY)
    lock(m, t, cache)
    if get64(m, t, e + L.E_SIZE) >= L.LARGE_MIN:
        e = join(m, t, arena, e, L.DIRTY)
    oversize = get64(m, t, e + L.E_SIZE) >= L.OVERSIZE
    if not oversize:
        insert(m, t, arena, e, L.DIRTY)
    unlock(m, t, cache)
    if oversize:
        retain(m, t, arena, e)


# Decay


@kernel
def interval(m, t):
    """Cycles of an epoch."""
    return L.DECAY_MS * m.process[m.thread[t].process].guest[P.MILLISECOND] // L.STEPS


@cold
def decay(m, t, arena, state):
    """Look at the clock: pages of a cache that are too old go on."""
    d, now = arena + L.A_DECAY + L.DECAY_BYTES * (state - 1), m.core[m.thread[t].core].cycles
    if get64(m, t, d + L.D_DEADLINE) > now:
        return
    lock(m, t, d + L.D_LOCK)
    pages = get64(m, t, cache_of(arena, state) + L.X_PAGES)
    epoch, step = get64(m, t, d + L.D_EPOCH), interval(m, t)
    n = (now - epoch) // step
    put64(m, t, d + L.D_EPOCH, epoch + n * step)
    put64(m, t, d + L.D_DEADLINE, epoch + (n + 1) * step)
    total = 0
    for i in range(L.STEPS):
        new = get64(m, t, d + L.D_BACKLOG + 8 * (i + n)) if i + n < L.STEPS else 0
        if i == L.STEPS - 1:
            new = max(pages - get64(m, t, d + L.D_UNPURGED), 0)
        put64(m, t, d + L.D_BACKLOG + 8 * i, new)
        total += new * L.STEP[i]
    limit = total >> 24
    put64(m, t, d + L.D_LIMIT, limit)
    put64(m, t, d + L.D_UNPURGED, max(limit, pages))
    unlock(m, t, d + L.D_LOCK)
    if pages > limit:
        purge(m, t, arena, state, limit, False)


@cold
def purge(m, t, arena, state, limit, fully):
    """The oldest extents of a cache go on, until it has no more than `limit` pages: dirty ones are muzzy then, where that is, else retained."""
    cache = cache_of(arena, state)
    while get64(m, t, cache + L.X_PAGES) > limit:
        lock(m, t, cache)
        e = get64(m, t, cache + L.X_LRU)
        remove(m, t, arena, e, state)
        size = get64(m, t, e + L.E_SIZE)
        e = join(m, t, arena, e, state)
        if get64(m, t, e + L.E_SIZE) > size:  # it is as young as it can be
            insert(m, t, arena, e, state)
            unlock(m, t, cache)
            continue
        unlock(m, t, cache)
        if state == L.DIRTY and policy(m, t) == L.MUZZY and not fully:
            madvise(m, t, get64(m, t, e + L.E_ADDRESS), get64(m, t, e + L.E_SIZE), H.MADV_FREE)
            record(m, t, arena, e, L.MUZZY_PAGES)
        else:
            retain(m, t, arena, e)

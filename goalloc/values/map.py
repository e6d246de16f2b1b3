"""Maps from int64 to int64: assignment, access, deletion, clear; and the door to them and to iterators.

    mapassign ── find the key's slot, else the first free one ── full? ── grow: map_buckets.py, a bucket or two at each assignment
    mapdelete ── the slot is free; at a chain's end it says that nothing follows

The hash is the one that Go has for processors without AES instructions, and its secret is the runtime's: with the real one's
secret and random state everything is as in the real map, the order of a range too. Reached through DOOR_MAP. Go: map.go,
map_fast64.go.
"""

from hwmem._jit import DOORS, call_door, cold, kernel
from goalloc import params as P
from goalloc.base.fastrand import fastrand
from goalloc.layout import hmap, mapextra
from goalloc.heap.malloc import mallocgc
from goalloc.values.map_buckets import (
    BUCKET,
    BUCKET_COUNT,
    EMPTY_ONE,
    EMPTY_REST,
    KEYS,
    OVERFLOW,
    SAME_SIZE_GROW,
    VALUES,
    access,
    bucket_place,
    find_key,
    grow_work,
    hash_grow,
    hash_of,
    newoverflow,
    noldbuckets,
    over_load_factor,
    spare_ones,
    too_many_overflow,
    tophash,
    with_spare,
)
from goalloc.values.map_iter import iter_init, iter_next
from goalloc.base.memclr import memclr, put_pointer
from goalloc.words import get8, get16, get64, put8, put16, put32, put64

ACCESS, ASSIGN, DELETE, CLEAR, ITER_INIT, ITER_NEXT, MAKE = range(7)


@kernel
def mapaccess(m, t, mt, h, key):
    """Address of the value of `key`, or 0."""
    m.thread[t].guest[P.SIZE] = mt
    return call_door(m, P.DOOR_MAP, t, h, key, ACCESS)


@kernel
def mapassign(m, t, mt, h, key):
    """Address of the value of `key`, which is in the map from now on; 0 after a fatal error."""
    m.thread[t].guest[P.SIZE] = mt
    return call_door(m, P.DOOR_MAP, t, h, key, ASSIGN)


@kernel
def mapdelete(m, t, mt, h, key):
    """delete(map, key); whether it was there."""
    m.thread[t].guest[P.SIZE] = mt
    return call_door(m, P.DOOR_MAP, t, h, key, DELETE)


@DOORS.door(P.DOOR_MAP)
def map_door(m, t, h, key, operation):
    mt = m.thread[t].guest[P.SIZE]
    if operation == ACCESS:
        return access(m, t, h, key)
    if operation == ASSIGN:
        return assign(m, t, mt, h, key)
    if operation == DELETE:
        return delete(m, t, mt, h, key)
    if operation == ITER_INIT:
        iter_init(m, t, mt, h, key)
    elif operation == ITER_NEXT:
        iter_next(m, t, h)
    elif operation == CLEAR:
        clear(m, t, h)
    else:
        put32(m, t, h + hmap.hash0, fastrand(m, t))
    return 0


@kernel
def makemap(m, t, h):
    """The hmap at `h`, all zero, is an empty map with a hash of its own."""
    return call_door(m, P.DOOR_MAP, t, h, 0, MAKE)


@kernel
def mapiterinit(m, t, mt, h, it):
    """range over the map: the hiter at `it`, all zero, stands at the first entry."""
    m.thread[t].guest[P.SIZE] = mt
    return call_door(m, P.DOOR_MAP, t, h, it, ITER_INIT)


@kernel
def mapiternext(m, t, it):
    """The hiter stands at the next entry: its key and elem are their addresses, 0 after the last."""
    return call_door(m, P.DOOR_MAP, t, it, 0, ITER_NEXT)


@kernel
def mapclear(m, t, h):
    """clear(map)."""
    return call_door(m, P.DOOR_MAP, t, h, 0, CLEAR)


@cold
def assign(m, t, mt, h, key):
    bits = hash_of(m, t, h, key)
    if get64(m, t, h + hmap.buckets) == 0:
        put_pointer(m, t, h + hmap.buckets, mallocgc(m, t, BUCKET, 0))
    while True:
        B, count = get8(m, t, h + hmap.B), get64(m, t, h + hmap.count)
        i = bits & (1 << B) - 1
        if get64(m, t, h + hmap.oldbuckets):
            grow_work(m, t, mt, h, i)
        value, b, slot, last = find_key(m, t, bucket_place(get64(m, t, h + hmap.buckets), i), key)
        if value:
            return value
        full = over_load_factor(count + 1, B)
        if get64(m, t, h + hmap.oldbuckets) or not (full or too_many_overflow(get16(m, t, h + hmap.noverflow), B)):
            break
        if not hash_grow(m, t, mt, h, full):
            return 0
    if b == 0:
        b = newoverflow(m, t, mt, h, last)
        if b == 0:
            return 0
    put8(m, t, b + slot, tophash(bits))
    put64(m, t, b + KEYS + slot * 8, key)
    put64(m, t, h + hmap.count, count + 1)
    return b + VALUES + slot * 8


@cold
def delete(m, t, mt, h, key):
    """The slot is free; a map that is empty now gets another hash. 1 if the key was there, else 0."""
    count = get64(m, t, h + hmap.count)
    if count == 0:
        return 0
    bits = hash_of(m, t, h, key)
    i = bits & (1 << get8(m, t, h + hmap.B)) - 1
    if get64(m, t, h + hmap.oldbuckets):
        grow_work(m, t, mt, h, i)
    first = bucket_place(get64(m, t, h + hmap.buckets), i)
    value, _, _, b = find_key(m, t, first, key)
    if value == 0:
        return 0
    put64(m, t, value, 0)
    put8(m, t, b + (value - b - VALUES) // 8, EMPTY_ONE)
    mark_rest(m, t, first, b, (value - b - VALUES) // 8)
    put64(m, t, h + hmap.count, count - 1)
    if count == 1:
        put32(m, t, h + hmap.hash0, fastrand(m, t))
    return 1


@kernel
def mark_rest(m, t, first, b, slot):
    """If nothing follows slot `slot` of bucket `b` in the chain from `first`, it and the empty ones before it say so."""
    following = b + slot + 1 if slot + 1 < BUCKET_COUNT else get64(m, t, b + OVERFLOW)
    if following and get8(m, t, following) != EMPTY_REST:
        return
    while get8(m, t, b + slot) == EMPTY_ONE:
        put8(m, t, b + slot, EMPTY_REST)
        slot -= 1
        if slot < 0:
            if b == first:
                return
            before, slot = first, BUCKET_COUNT - 1
            while get64(m, t, before + OVERFLOW) != b:
                before = get64(m, t, before + OVERFLOW)
            b = before


@cold
def clear(m, t, h):
    """All slots are free, and growing is over; the buckets stay. Iterators that are under way find nothing more."""
    if get64(m, t, h + hmap.count) == 0:
        return
    old = get64(m, t, h + hmap.oldbuckets)
    if old:
        mark_empty(m, t, old, noldbuckets(m, t, h))
    buckets, B = get64(m, t, h + hmap.buckets), get8(m, t, h + hmap.B)
    mark_empty(m, t, buckets, 1 << B)
    put8(m, t, h + hmap.flags, get8(m, t, h + hmap.flags) & ~SAME_SIZE_GROW)
    put_pointer(m, t, h + hmap.oldbuckets, 0)
    for at in (hmap.nevacuate, hmap.count):
        put64(m, t, h + at, 0)
    put16(m, t, h + hmap.noverflow, 0)
    put32(m, t, h + hmap.hash0, fastrand(m, t))
    extra = get64(m, t, h + hmap.extra)
    n = with_spare(m, t, B)
    memclr(m, t, buckets, n * BUCKET)
    spare = spare_ones(m, t, buckets, B, n)
    if extra:
        for at in (mapextra.overflow, mapextra.oldoverflow):
            put_pointer(m, t, extra + at, 0)
        memclr(m, t, extra, mapextra.sizeof)
        put64(m, t, extra + mapextra.nextOverflow, spare)


@kernel
def mark_empty(m, t, buckets, n):
    """Every slot of `n` buckets, and of those that they overflow into, is empty."""
    for i in range(n):
        b = bucket_place(buckets, i)
        while b:
            put64(m, t, b, EMPTY_REST)
            b = get64(m, t, b + OVERFLOW)

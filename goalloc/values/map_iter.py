"""Iterators over maps: range starts at a random bucket and at a random slot of each, and goes once around.

    hiter:  key, elem -> the entry | h, B, buckets as the iterator found them | startBucket, offset: random
            bucket, bptr, i: where it is | wrapped: past the last bucket | checkBucket: see below

A map may grow under an iterator, which goes on over the buckets it began with: an entry that has been moved is looked up again,
so what has been deleted since is not seen and what has changed is seen as it is. If the map was growing already, an old bucket
that has not been moved stands for two; of its entries only those are seen that will go to checkBucket. So every key that is
there all the time is seen once. Called by map.py. Go: map.go mapiterinit, mapiternext.
"""

import numpy as np

from hwmem._jit import cold, kernel
from goalloc.base.fastrand import fastrand, fastrand64
from goalloc.layout import hiter, hmap, mapextra
from goalloc.values.map_buckets import (
    BUCKET_COUNT,
    EMPTY_ONE,
    EVACUATED_EMPTY,
    EVACUATED_X,
    ITERATOR,
    KEYS,
    OLD_ITERATOR,
    OVERFLOW,
    SAME_SIZE_GROW,
    VALUES,
    access,
    bucket_place,
    create_overflow,
    evacuated,
    hash_of,
    noldbuckets,
)
from goalloc.base.memclr import put_pointer
from goalloc.words import add64, get8, get64, put8, put64

NO_CHECK = -1
MOST_BITS = 31 - 3  # of a bucket's number, for which 32 random ones are enough


@cold
def iter_init(m, t, mt, h, it):
    """The hiter at `it`, all zero, stands at the first entry of map `h`; key 0: there is none."""
    put64(m, t, it + hiter.t, mt)
    if h == 0 or get64(m, t, h + hmap.count) == 0:
        return
    B = get8(m, t, h + hmap.B)
    put64(m, t, it + hiter.h, h)
    put8(m, t, it + hiter.B, B)
    put_pointer(m, t, it + hiter.buckets, get64(m, t, h + hmap.buckets))
    kept = create_overflow(m, t, mt, h)
    if kept == 0:
        return
    put_pointer(m, t, it + hiter.overflow, kept)
    put_pointer(m, t, it + hiter.oldoverflow, get64(m, t, get64(m, t, h + hmap.extra) + mapextra.oldoverflow))
    random = fastrand(m, t) if B <= MOST_BITS else np.int64(fastrand64(m, t) >> np.uint64(1))
    put64(m, t, it + hiter.startBucket, random & (1 << B) - 1)
    put64(m, t, it + hiter.bucket, random & (1 << B) - 1)
    put8(m, t, it + hiter.offset, random >> B & BUCKET_COUNT - 1)
    missing = (ITERATOR | OLD_ITERATOR) & ~get8(m, t, h + hmap.flags)
    if missing:
        add64(m, t, h + hmap.flags, missing)  # the flags are the lowest byte of their word
    iter_next(m, t, it)


@cold
def iter_next(m, t, it):
    """The hiter stands at the next entry."""
    b, i, bucket = get64(m, t, it + hiter.bptr), get8(m, t, it + hiter.i), get64(m, t, it + hiter.bucket)
    check, offset = get64(m, t, it + hiter.checkBucket), get8(m, t, it + hiter.offset)
    while True:
        if b == 0:
            if bucket == get64(m, t, it + hiter.startBucket) and get8(m, t, it + hiter.wrapped):
                put64(m, t, it + hiter.key, 0)
                put64(m, t, it + hiter.elem, 0)
                return
            b, check = chain_of(m, t, it, bucket)
            bucket += 1
            if bucket == 1 << get8(m, t, it + hiter.B):
                bucket = 0
                put8(m, t, it + hiter.wrapped, 1)
            i = 0
        while i < BUCKET_COUNT:
            i += 1
            if stand_at(m, t, it, b, i - 1 + offset & BUCKET_COUNT - 1, check):
                put64(m, t, it + hiter.bucket, bucket)
                put64(m, t, it + hiter.bptr, b)
                put8(m, t, it + hiter.i, i)
                put64(m, t, it + hiter.checkBucket, check)
                return
        b, i = get64(m, t, b + OVERFLOW), 0


@kernel
def chain_of(m, t, it, bucket):
    """(where the entries of a bucket are, which bucket they must be going to if they are not there yet)."""
    h = get64(m, t, it + hiter.h)
    old = get64(m, t, h + hmap.oldbuckets)
    if old and get8(m, t, it + hiter.B) == get8(m, t, h + hmap.B):
        b = bucket_place(old, bucket & noldbuckets(m, t, h) - 1)
        if not evacuated(m, t, b):
            return b, bucket
    return bucket_place(get64(m, t, it + hiter.buckets), bucket), NO_CHECK


@kernel
def stand_at(m, t, it, b, slot, check):
    """Whether the iterator has something to show in a slot; then it stands there."""
    top, h = get8(m, t, b + slot), get64(m, t, it + hiter.h)
    if top <= EMPTY_ONE or top == EVACUATED_EMPTY:
        return False
    key, value = b + KEYS + 8 * slot, b + VALUES + 8 * slot
    if check != NO_CHECK and not get8(m, t, h + hmap.flags) & SAME_SIZE_GROW:
        if hash_of(m, t, h, get64(m, t, key)) & (1 << get8(m, t, it + hiter.B)) - 1 != check:
            return False
    if EVACUATED_X <= top < EVACUATED_EMPTY:  # it has moved, or gone
        value = access(m, t, h, get64(m, t, key))
        if value == 0:
            return False
        key = value - VALUES + KEYS
    put64(m, t, it + hiter.key, key)
    put64(m, t, it + hiter.elem, value)
    return True

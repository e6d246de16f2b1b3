"""What a map consists of: buckets of eight, where a key is or would be, overflow buckets, and the move to new buckets.

    hmap:    count | flags B noverflow hash0 | buckets | oldbuckets | nevacuate | extra        2^B buckets
    bucket:  tophash [8]uint8 | keys [8]int64 | values [8]int64 | overflow                     144 bytes, no pointers

A map grows to twice the buckets when there are more than 6 entries a bucket, or to the same number when too many have
overflowed. From 16 buckets on, spare overflow buckets are allocated behind the others. Buckets hold no pointers, so the overflow
buckets are also kept in a slice (extra.overflow), which keeps them alive. `h` is the address of an hmap, `mt` of three words: the
types of a mapextra, of a slice header, of a pointer. Called by map.py and map_iter.py. Go: map.go, map_fast64.go, hash64.go.
"""

import numpy as np

from hwmem._jit import cold, kernel
from goalloc import params as P
from goalloc.base.fastrand import fastrand, mul64
from goalloc.layout import hmap, mapextra, slice_, variables as V
from goalloc.heap.malloc import mallocgc
from goalloc.values.slice import append_word, roundupsize
from goalloc.base.memclr import put_pointer
from goalloc.words import get8, get16, get32, get64, get_mask, put8, put16, put64

BUCKET, BUCKET_COUNT, KEYS, VALUES, OVERFLOW = 144, 8, 8, 72, 136
EMPTY_REST, EMPTY_ONE, EVACUATED_X, EVACUATED_EMPTY, MIN_TOPHASH = 0, 1, 2, 4, 5
ITERATOR, OLD_ITERATOR, SAME_SIZE_GROW = 1, 2, 8  # flags
SURELY_COUNTED = 16  # from this B on, only some of the overflow buckets are counted
M1, M2, M5 = np.uint64(0xA0761D6478BD642F), np.uint64(0xE7037ED1A0B428DB), np.uint64(0x1D8E4E27C47D124F ^ 8)


@kernel
def mix(a, b):
    high, low = mul64(a, b)
    return high ^ low


@kernel
def hash_of(m, t, h, key):
    """64 bits: the hash that Go has for processors without AES instructions (wyhash). Go: memhash64Fallback."""
    a, seed = np.uint64(np.int64(key)), np.uint64(get32(m, t, h + hmap.hash0))
    return np.int64(mix(M5, mix(a ^ M2, a ^ seed ^ get_mask(m, t, V.hashkey) ^ M1)))


@kernel
def tophash(bits):
    top = bits >> 56 & 0xFF
    return top + MIN_TOPHASH if top < MIN_TOPHASH else top


@kernel
def bucket_place(buckets, i):
    return buckets + i * BUCKET


@kernel
def find_key(m, t, b, key):
    """(address of the key's value or 0, bucket of the first empty slot or 0, the slot, the last bucket) of a bucket's chain."""
    free, slot = 0, 0
    while True:
        for i in range(BUCKET_COUNT):
            top = get8(m, t, b + i)
            if top < MIN_TOPHASH:
                if free == 0:
                    free, slot = b, i
                if top == EMPTY_REST:
                    return 0, free, slot, b
            elif get64(m, t, b + KEYS + i * 8) == key:
                return b + VALUES + i * 8, free, slot, b
        following = get64(m, t, b + OVERFLOW)
        if following == 0:
            return 0, free, slot, b
        b = following


@cold
def access(m, t, h, key):
    buckets, old = get64(m, t, h + hmap.buckets), get64(m, t, h + hmap.oldbuckets)
    if buckets == 0 or get64(m, t, h + hmap.count) == 0:
        return 0
    bits = hash_of(m, t, h, key)
    b = bucket_place(buckets, bits & (1 << get8(m, t, h + hmap.B)) - 1)
    if old:
        before = bucket_place(old, bits & noldbuckets(m, t, h) - 1)
        if not evacuated(m, t, before):
            b = before
    return find_key(m, t, b, key)[0]


@kernel
def over_load_factor(count, B):
    return count > BUCKET_COUNT and count > 12 * ((1 << B) // 2)


@kernel
def too_many_overflow(noverflow, B):
    return noverflow >= 1 << min(B, 15)


@cold
def newoverflow(m, t, mt, h, b):
    """An overflow bucket behind bucket `b`: a spare one, or new; 0 after a fatal error."""
    extra = get64(m, t, h + hmap.extra)
    spare = get64(m, t, extra + mapextra.nextOverflow) if extra else 0
    if spare == 0:
        spare = mallocgc(m, t, BUCKET, 0)
    elif get64(m, t, spare + OVERFLOW) == 0:
        put64(m, t, extra + mapextra.nextOverflow, spare + BUCKET)
    else:  # the last spare one is marked by a pointer
        put64(m, t, spare + OVERFLOW, 0)
        put64(m, t, extra + mapextra.nextOverflow, 0)
    m.thread[t].guest[P.HELD] = spare
    B = get8(m, t, h + hmap.B)
    if B < SURELY_COUNTED or fastrand(m, t) & (1 << B - SURELY_COUNTED + 1) - 1 == 0:
        put16(m, t, h + hmap.noverflow, get16(m, t, h + hmap.noverflow) + 1)
    kept = create_overflow(m, t, mt, h)
    appended = kept != 0 and append_word(m, t, kept, spare, get64(m, t, mt + 16))
    m.thread[t].guest[P.HELD] = 0
    if not appended:
        return 0
    put64(m, t, b + OVERFLOW, spare)
    return spare


@cold
def create_overflow(m, t, mt, h):
    """Address of the slice that keeps the overflow buckets alive; 0 after a fatal error."""
    extra = make_extra(m, t, mt, h)
    if extra == 0:
        return 0
    kept = get64(m, t, extra + mapextra.overflow)
    if kept == 0:
        kept = mallocgc(m, t, slice_.sizeof, get64(m, t, mt + 8))
        put_pointer(m, t, extra + mapextra.overflow, kept)
    return kept


@kernel
def make_extra(m, t, mt, h):
    extra = get64(m, t, h + hmap.extra)
    if extra == 0:
        extra = mallocgc(m, t, mapextra.sizeof, get64(m, t, mt))
        put_pointer(m, t, h + hmap.extra, extra)
    return extra


# Growing


@cold
def hash_grow(m, t, mt, h, larger):
    """New buckets, twice as many or as many; False after a fatal error."""
    flags, B = get8(m, t, h + hmap.flags), get8(m, t, h + hmap.B)
    old_iterator = OLD_ITERATOR if flags & ITERATOR else 0
    flags = flags & ~(ITERATOR | OLD_ITERATOR) | old_iterator
    if larger:
        B += 1
    else:
        flags |= SAME_SIZE_GROW
    buckets, spare = make_buckets(m, t, B)
    if buckets == 0:
        return False
    put_pointer(m, t, h + hmap.oldbuckets, get64(m, t, h + hmap.buckets))
    put_pointer(m, t, h + hmap.buckets, buckets)
    put8(m, t, h + hmap.B, B)
    put8(m, t, h + hmap.flags, flags)
    put64(m, t, h + hmap.nevacuate, 0)
    put16(m, t, h + hmap.noverflow, 0)
    extra = get64(m, t, h + hmap.extra)
    if extra and get64(m, t, extra + mapextra.overflow):
        put_pointer(m, t, extra + mapextra.oldoverflow, get64(m, t, extra + mapextra.overflow))
        put_pointer(m, t, extra + mapextra.overflow, 0)
    if spare:
        extra = make_extra(m, t, mt, h)
        put64(m, t, extra + mapextra.nextOverflow, spare)
    return True


@kernel
def make_buckets(m, t, B):
    """(address of 2^B buckets, address of the first spare one or 0)."""
    n = with_spare(m, t, B)
    buckets = mallocgc(m, t, n * BUCKET, 0)
    return buckets, spare_ones(m, t, buckets, B, n) if buckets else 0


@kernel
def with_spare(m, t, B):
    """How many buckets are allocated for 2^B."""
    if B < 4:
        return 1 << B
    return roundupsize(m, t, ((1 << B) + (1 << B - 4)) * BUCKET) // BUCKET


@kernel
def spare_ones(m, t, buckets, B, n):
    """The first of `n` buckets that is a spare one, or 0; the last one is marked."""
    if n == 1 << B:
        return 0
    put64(m, t, bucket_place(buckets, n - 1) + OVERFLOW, buckets)
    return bucket_place(buckets, 1 << B)


@kernel
def noldbuckets(m, t, h):
    same = get8(m, t, h + hmap.flags) & SAME_SIZE_GROW
    return 1 << get8(m, t, h + hmap.B) - (0 if same else 1)


@kernel
def evacuated(m, t, b):
    return EVACUATED_X <= get8(m, t, b) < MIN_TOPHASH


@kernel
def grow_work(m, t, mt, h, i):
    """Move the old bucket of bucket `i`, and one more."""
    evacuate(m, t, mt, h, i & noldbuckets(m, t, h) - 1)
    if get64(m, t, h + hmap.oldbuckets):
        evacuate(m, t, mt, h, get64(m, t, h + hmap.nevacuate))


@cold
def evacuate(m, t, mt, h, i):
    """Move old bucket `i` and its chain to the one or two new ones."""
    old, n = get64(m, t, h + hmap.oldbuckets), noldbuckets(m, t, h)
    b = bucket_place(old, i)
    if not evacuated(m, t, b):
        buckets, same = get64(m, t, h + hmap.buckets), get8(m, t, h + hmap.flags) & SAME_SIZE_GROW
        x, y, nx, ny = bucket_place(buckets, i), bucket_place(buckets, i + n), 0, 0
        while b:
            for k in range(BUCKET_COUNT):
                top = get8(m, t, b + k)
                if top < MIN_TOPHASH:
                    put8(m, t, b + k, EVACUATED_EMPTY)
                    continue
                up = 1 if not same and hash_of(m, t, h, get64(m, t, b + KEYS + k * 8)) & n else 0
                put8(m, t, b + k, EVACUATED_X + up)
                if up:
                    bucket, slot = next_slot(m, t, mt, h, y, ny)
                    y, ny = bucket, slot + 1
                else:
                    bucket, slot = next_slot(m, t, mt, h, x, nx)
                    x, nx = bucket, slot + 1
                put8(m, t, bucket + slot, top)
                move_entry(m, t, b, k, bucket, slot)
            b = get64(m, t, b + OVERFLOW)
    if i == get64(m, t, h + hmap.nevacuate):
        advance(m, t, h, old, n)


@kernel
def next_slot(m, t, mt, h, bucket, slot):
    """(bucket, slot), or the first slot of a new overflow bucket where the bucket is full."""
    return (newoverflow(m, t, mt, h, bucket), 0) if slot == BUCKET_COUNT else (bucket, slot)


@kernel
def move_entry(m, t, b, k, bucket, slot):
    """Key and value of slot `k` of bucket `b` to another one."""
    put64(m, t, bucket + KEYS + slot * 8, get64(m, t, b + KEYS + k * 8))
    put64(m, t, bucket + VALUES + slot * 8, get64(m, t, b + VALUES + k * 8))


@kernel
def advance(m, t, h, old, n):
    """Past the buckets that have been moved; after the last, growing is over."""
    i = get64(m, t, h + hmap.nevacuate) + 1
    stop = min(i + 1024, n)
    while i != stop and evacuated(m, t, bucket_place(old, i)):
        i += 1
    put64(m, t, h + hmap.nevacuate, i)
    if i == n:
        put_pointer(m, t, h + hmap.oldbuckets, 0)
        extra = get64(m, t, h + hmap.extra)
        if extra:
            put_pointer(m, t, extra + mapextra.oldoverflow, 0)
        put8(m, t, h + hmap.flags, get8(m, t, h + hmap.flags) & ~SAME_SIZE_GROW)

"""The buckets of the heap's profile: how much was allocated and freed, by stack and size. Go: mprof.go.

    bucket          | next, allnext, typ, hash, size, nstk | stack | active, future[3] |    buckhash ─> by hash, mbuckets ─> all
    specialprofile  on the sampled object: its free is counted where its allocation was

An allocation counts for the collection after next, a free for the next one, so that what is published (active) belongs to one
moment, the end of a mark phase. What stands for a stack here, where programs have none:

    | the type allocated (its descriptor; 0: no pointers) | the call site that the program has set, a number | the M's number |
"""

import numpy as np

from hwmem._jit import cold, kernel
from goalloc import constants as C, errors as E, params as P
from goalloc.errors import throw
from goalloc.base.fastrand import add_wrapping
from goalloc.layout import bucket, g_, m_, memRecord, memRecordCycle, mheap, mstats, specialprofile, variables as V
from goalloc.base.lock import lock, unlock
from goalloc.base.mem import sysAlloc
from goalloc.base.malloc_persistent import persistentalloc
from goalloc.heap.mheap_special import addspecial, free_special, new_special, removespecial
from goalloc.words import NONE, get32, get64, get_mask, put32, put64, put_mask, shl, shr

FRAMES = 3
RECORD = bucket.sizeof + 8 * FRAMES  # of a bucket: its memRecord
BUCKHASH_SYS = V.memstats + mstats.buckhash_sys


@cold
def mProf_Malloc(m, t, x, size):
    index = ((get32(m, t, V.mProfCycle) >> 1) + 2) % C.profileCycles
    mp = get64(m, t, m.thread[t].guest[P.G] + g_.m)
    stack = (m.thread[t].guest[P.SECOND], m.thread[t].guest[P.SITE], get64(m, t, mp + m_.id))
    b = stkbucket(m, t, size, stack)
    if b == 0:
        return
    count(m, t, b, index, memRecordCycle.allocs, size)
    s = new_special(m, t, mheap.specialprofilealloc, C.KindSpecialProfile)
    put64(m, t, s + specialprofile.b, b)
    if not addspecial(m, t, x, s):
        throw(m, t, E.PROFILE_SET, 0, 0)


@cold
def free_profiled(m, t, x, size):
    """The object at `x` is freed: what freeSpecial does with its sample, if it has one. Go: mProf_Free."""
    s = removespecial(m, t, x, C.KindSpecialProfile)
    if s == 0:
        return
    index = ((get32(m, t, V.mProfCycle) >> 1) + 1) % C.profileCycles
    count(m, t, get64(m, t, s + specialprofile.b), index, memRecordCycle.frees, size)
    free_special(m, t, mheap.specialprofilealloc, s)


@kernel
def count(m, t, b, index, field, size):
    """One more object of `size` bytes among a bucket's allocs or frees of cycle `index`."""
    place = b + RECORD + memRecord.future + index * memRecordCycle.sizeof + field
    nbytes = place + memRecordCycle.alloc_bytes - memRecordCycle.allocs
    lock(m, t, V.profMemFutureLock + 8 * index)
    put64(m, t, place, get64(m, t, place) + 1)
    put64(m, t, nbytes, get64(m, t, nbytes) + size)
    unlock(m, t, V.profMemFutureLock + 8 * index)


@cold
def stkbucket(m, t, size, stack):
    """The bucket of a stack and a size, new if need be; 0 when out of memory."""
    table = buckets(m, t)
    if table == 0:
        return 0
    h = hash_of(size, stack)
    place = table + 8 * np.int64(h % np.uint64(C.buckHashSize))
    b = get64(m, t, place)
    while b:
        if get_mask(m, t, b + bucket.hash) == h and get64(m, t, b + bucket.size) == size and same_stack(m, t, b, stack):
            return b
        b = get64(m, t, b)
    return newBucket(m, t, place, h, size, stack)


@kernel
def buckets(m, t):
    """Address of the table of buckets by hash, mapped when it is first needed."""
    table = get64(m, t, V.buckhash)
    if table == 0:
        lock(m, t, V.profInsertLock)
        table = sysAlloc(m, t, 8 * C.buckHashSize, BUCKHASH_SYS)
        put64(m, t, V.buckhash, table)
        unlock(m, t, V.profInsertLock)
        if table == 0:
            throw(m, t, E.CANNOT_ALLOCATE_MEMORY, 0, 0)
    return table


@kernel
def newBucket(m, t, place, h, size, stack):
    """A bucket at the head of the list at `place`; 0 when out of memory."""
    lock(m, t, V.profInsertLock)
    b = persistentalloc(m, t, RECORD + memRecord.sizeof, 0, BUCKHASH_SYS)
    if b == 0:
        unlock(m, t, V.profInsertLock)
        return 0
    put64(m, t, b + bucket.typ, C.memProfile)
    put64(m, t, b + bucket.nstk, FRAMES)
    for i in range(FRAMES):
        put64(m, t, b + bucket.sizeof + 8 * i, stack[i])
    put_mask(m, t, b + bucket.hash, h)
    put64(m, t, b + bucket.size, size)
    put64(m, t, b + bucket.next, get64(m, t, place))
    put64(m, t, b + bucket.allnext, get64(m, t, V.mbuckets))
    put64(m, t, place, b)
    put64(m, t, V.mbuckets, b)
    unlock(m, t, V.profInsertLock)
    return b


@kernel
def same_stack(m, t, b, stack):
    for i in range(FRAMES):
        if get64(m, t, b + bucket.sizeof + 8 * i) != stack[i]:
            return False
    return True


@kernel
def mix(h, word):
    h = add_wrapping(h, np.uint64(word))
    h = add_wrapping(h, shl(h, 10))
    return h ^ shr(h, 6)


@kernel
def hash_of(size, stack):
    h = NONE
    for i in range(FRAMES):
        h = mix(h, stack[i])
    h = mix(h, size)
    h = add_wrapping(h, shl(h, 3))
    return h ^ shr(h, 11)


# What is published


@kernel
def mProf_NextCycle(m, t):
    """At the end of a mark phase."""
    cycle = (get32(m, t, V.mProfCycle) >> 1) + 1
    put32(m, t, V.mProfCycle, cycle % C.mProfCycleWrap << 1)


@cold
def mProf_Flush(m, t):
    """The cycle that has just ended becomes visible, once."""
    value = get32(m, t, V.mProfCycle)
    if value & 1 == 0:
        put32(m, t, V.mProfCycle, value | 1)
        flush_cycle(m, t, (value >> 1) % C.profileCycles)


@cold
def mProf_PostSweep(m, t):
    """What runtime.GC() has freed becomes visible now."""
    flush_cycle(m, t, ((get32(m, t, V.mProfCycle) >> 1) + 1) % C.profileCycles)


@kernel
def flush_cycle(m, t, index):
    """Add every bucket's counts of one cycle to its published ones. Go: mProf_FlushLocked."""
    lock(m, t, V.profMemActiveLock)
    lock(m, t, V.profMemFutureLock + 8 * index)
    b = get64(m, t, V.mbuckets)
    while b:
        cycle = b + RECORD + memRecord.future + index * memRecordCycle.sizeof
        for offset in range(0, memRecordCycle.sizeof, 8):
            active = b + RECORD + offset
            put64(m, t, active, get64(m, t, active) + get64(m, t, cycle + offset))
            put64(m, t, cycle + offset, 0)
        b = get64(m, t, b + bucket.allnext)
    unlock(m, t, V.profMemFutureLock + 8 * index)
    unlock(m, t, V.profMemActiveLock)


@cold
def publish_profile(m, t):
    """What MemProfile does before it copies: if no collection has published anything, everything counts."""
    flush_cycle(m, t, (get32(m, t, V.mProfCycle) >> 1) % C.profileCycles)
    b = get64(m, t, V.mbuckets)
    while b:
        if get64(m, t, b + RECORD + memRecordCycle.allocs) or get64(m, t, b + RECORD + memRecordCycle.frees):
            return
        b = get64(m, t, b + bucket.allnext)
    for index in range(C.profileCycles):
        flush_cycle(m, t, index)

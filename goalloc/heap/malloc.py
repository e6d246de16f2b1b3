"""mallocgc: memory for an object, from the P's own spans in the common case.

    0 bytes                     the address of zerobase
    1-15, no pointers           a piece of the P's 16-byte block; a new block from class 2 when it is full
    up to 32 KiB                the next free object of the size's class: nextFreeFast in the span's allocCache,
                                  else nextFree, behind a door: next 64 bits, next span (mcache.py)
    more                        a span of its own, behind a door

The fast path is inlined into every caller: some twenty accesses, all of them to the lines of the P's M, mcache and
span. `typ`: address of the type, 0 for no pointers. The object is zero if `needzero`. While a cycle marks, the caller helps before
(ASSIST) and the object is black (MARK_NEW); a new span may be what begins a cycle (TRIGGER). Go: malloc.go.

The requested sizes are counted by the emulator (count_asked), not by Go, and cost no cycle.
"""

import numpy as np

from hwmem._jit import call_door, cold, hot, kernel
from hwmem.bits import ctz64
from hwmem.core.access import load, load8, load64, store, store32, store64
from hwmem.core.fence import sfence
from goalloc import params as P
from goalloc.layout import g_, gcControllerState, m_, mcache, mspan, p_, type_, variables as V
from goalloc.heap.mbitmap import heapBitsSetType
from goalloc.base.memclr import memclr
from goalloc.heap.malloc_sample import profile

LEAST_TRIGGER = 45  # 64ths of the goal
FORCE = 6  # DOOR_GC: two minutes have passed without a collection
LARGE, TINY = 0, P.tinySpanClass >> 1  # size classes
ASSIST, MARK_NEW, TRIGGER = range(3)  # DOOR_GC: before so many bytes; an object, its span (bytes asked for in the register SIZE); test it


@kernel
def mallocgc(m, t, size, typ, needzero=True):
    """Address of `size` bytes; 0 after a fatal error, which ends the thread."""
    if size == 0:
        return V.zerobase
    if is_marking(m, t):
        call_door(m, P.DOOR_GC, t, ASSIST, size, 0)
    mp = load64(m, t, m.thread[t].guest[P.G] + g_.m)
    c = load64(m, t, load64(m, t, mp + m_.p) + p_.mcache)
    store32(m, t, mp + m_.mallocing, 1)
    if typ == 0 and size < P.maxTinySize:
        x = tiny(m, t, c, size)
    elif size <= P.maxSmallSize:
        x = small(m, t, c, size, typ, needzero)
    else:
        x = large(m, t, c, size, typ, needzero)
    store32(m, t, mp + m_.mallocing, 0)
    if m.process[m.thread[t].process].guest[P.HELP]:
        help_collector(m, t)
    return x


@cold
def help_collector(m, t):
    """A span was taken: begin a cycle if the heap has come to its trigger. Below the least that there may be, which only a limit changes,
    the pacer need not be asked."""
    guest = m.process[m.thread[t].process].guest
    guest[P.HELP] = 0
    if guest[P.COLLECTOR] & P.ENABLED == 0:
        return
    if is_due(m, t):
        call_door(m, P.DOOR_GC, t, FORCE, 0, 0)
    live, goal = (
        load64(m, t, V.gcController + gcControllerState.heapLive),
        load64(m, t, V.gcController + gcControllerState.gcPercentHeapGoal),
    )
    if load64(m, t, V.gcController + gcControllerState.memoryLimit) < P.maxInt64 or 0 <= goal // 64 * LEAST_TRIGGER <= live:
        call_door(m, P.DOOR_GC, t, TRIGGER, 0, 0)


@kernel
def is_due(m, t):
    """Whether two minutes have passed since the last collection."""
    return 0 < m.process[m.thread[t].process].guest[P.FORCE_AT] <= m.core[m.thread[t].core].cycles


@kernel
def is_marking(m, t):
    return m.process[m.thread[t].process].guest[P.COLLECTOR] & P.MARKING != 0


@kernel
def nextFreeFast(m, t, s):
    """A free object of the span, if the cached bits have one and it is not the last of them; else 0."""
    cache = load64(m, t, s + mspan.allocCache)
    theBit = ctz64(np.uint64(np.int64(cache)))
    if theBit == 64:
        return 0
    nelems = load64(m, t, s + mspan.nelems)
    result = load64(m, t, s + mspan.freeindex) + theBit
    freeidx = result + 1
    if result >= nelems or (freeidx & 63 == 0 and freeidx != nelems):
        return 0
    shifted = np.uint64(np.int64(cache)) >> np.uint64(theBit)
    store64(m, t, s + mspan.allocCache, np.int64(shifted >> np.uint64(1)))
    store64(m, t, s + mspan.freeindex, freeidx)
    store(m, t, s + mspan.allocCount, 2, load(m, t, s + mspan.allocCount, 2) + 1)
    return result * load64(m, t, s + mspan.elemsize) + load64(m, t, s + mspan.startAddr)


@kernel
def tiny(m, t, c, size):
    """A piece of the P's tiny block, aligned as its size allows."""
    block, off = load64(m, t, c + mcache.tiny), load64(m, t, c + mcache.tinyoffset)
    if size & 7 == 0:
        off = (off + 7) & ~7
    elif size & 3 == 0:
        off = (off + 3) & ~3
    elif size & 1 == 0:
        off = (off + 1) & ~1
    count_asked(m, t, TINY, size)
    if off + size <= P.maxTinySize and block:
        store64(m, t, c + mcache.tinyoffset, off + size)
        store64(m, t, c + mcache.tinyAllocs, load64(m, t, c + mcache.tinyAllocs) + 1)
        return block + off
    return new_tiny_block(m, t, c, size)


@kernel
def new_tiny_block(m, t, c, size):
    """16 bytes of zeros; they become the P's tiny block if they have more room left than the old one."""
    x, s = next_object(m, t, c, P.tinySpanClass)
    if x == 0:
        return 0
    store64(m, t, x, 0)
    store64(m, t, x + 8, 0)
    if size < load64(m, t, c + mcache.tinyoffset) or load64(m, t, c + mcache.tiny) == 0:
        store64(m, t, c + mcache.tiny, x)
        store64(m, t, c + mcache.tinyoffset, size)
    publish(m, t, x, s, size)
    profile(m, t, x, s, 0)
    return x


@kernel
def small(m, t, c, size, typ, needzero):
    if size <= P.smallSizeMax - 8:
        sizeclass = load8(m, t, V.size_to_class8 + (size + 7) // 8)
    else:
        sizeclass = load8(m, t, V.size_to_class128 + (size - P.smallSizeMax + 127) // 128)
    spanclass = sizeclass << 1 | (typ == 0)
    x, s = next_object(m, t, c, spanclass)
    if x == 0:
        return 0
    count_asked(m, t, sizeclass, size)
    if needzero and load8(m, t, s + mspan.needzero):
        memclr(m, t, x, load64(m, t, s + mspan.elemsize))
    if typ:
        heapBitsSetType(m, t, x, load64(m, t, s + mspan.elemsize), size, typ)
        count_scannable(m, t, c, size, typ)
    publish(m, t, x, s, size)
    profile(m, t, x, s, typ)
    return x


@hot
def next_object(m, t, c, spanclass):
    """(address of a free object or 0 after a fatal error, its span)."""
    s = load64(m, t, c + mcache.alloc + spanclass * 8)
    x = nextFreeFast(m, t, s)
    if x == 0:
        x = call_door(m, P.DOOR_NEXT_FREE, t, c, spanclass, 0)
        s = load64(m, t, c + mcache.alloc + spanclass * 8)
    return x, s


@kernel
def large(m, t, c, size, typ, needzero):
    s = call_door(m, P.DOOR_ALLOC_LARGE, t, size, typ == 0, 0)
    if s == 0:
        return 0
    count_asked(m, t, LARGE, size)
    x, elemsize = load64(m, t, s + mspan.startAddr), load64(m, t, s + mspan.elemsize)
    dirty = needzero and load8(m, t, s + mspan.needzero)
    if dirty and typ:
        memclr(m, t, x, elemsize)
    if typ:
        heapBitsSetType(m, t, x, elemsize, size, typ)
        count_scannable(m, t, c, size, typ)
    publish(m, t, x, s, size)
    profile(m, t, x, s, typ)
    if dirty and typ == 0:
        memclr(m, t, x, elemsize)  # no pointers to show: zeroed last, Go's delayedZeroing
    return x


@kernel
def count_scannable(m, t, c, size, typ):
    """How much of an object of `size` bytes the collector has to scan: all up to its last pointer. Go: mallocgc's scanSize."""
    last, ptrs = load64(m, t, typ + type_.Size_), load64(m, t, typ + type_.PtrBytes)
    store64(m, t, c + mcache.scanAlloc, load64(m, t, c + mcache.scanAlloc) + (size - last if size > last else 0) + ptrs)


@kernel
def count_asked(m, t, sizeclass, size):
    """Observing: so much of what the class has handed out was asked for (observe/sizestats.py)."""
    m.process[m.thread[t].process].asked[sizeclass] += size


@hot
def publish(m, t, x, s, size):
    """The publication barrier, then the index up to which the collector may look. While it marks, the object is black."""
    if m.process[m.thread[t].process].guest[P.COLLECTOR] & P.UNPUBLISHED == 0:
        sfence(m, t)
    store64(m, t, s + mspan.freeIndexForScan, load64(m, t, s + mspan.freeindex))
    if is_marking(m, t):
        m.thread[t].guest[P.SIZE] = size
        call_door(m, P.DOOR_GC, t, MARK_NEW, x, s)

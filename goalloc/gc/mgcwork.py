"""Grey objects: what is marked and not scanned yet, in buffers of 253 addresses.

    P: gcWork   wbuf1 (put and got here first), wbuf2 ── full / empty ──> work.full, work.empty: lock-free stacks for all Ps
                bytesMarked, heapScanWork: counted here, and moved to the shared counters now and then

Two buffers, so that going back and forth at the edge of one touches no list. Buffers are cut from spans of 32 KiB (work.wbufSpans: busy
while a cycle runs, then free, which the sweeper gives back). `w` is the address of a gcWork, `b` of a workbuf. Go: mgcwork.go.
"""

from hwmem.core.service import clock_moved
from hwmem._jit import apart, cold, hot, kernel
from goalloc import constants as C, errors as E, params as P
from goalloc.base.fastrand import fastrandn
from goalloc.base.lock import lock, unlock
from goalloc.base.malloc_persistent import current_p
from goalloc.base.memclr import memmove
from goalloc.errors import throw
from goalloc.gc.mgcpacer_workers import DEDICATED_NEEDED
from goalloc.heap.lfstack import lfstack_pop, lfstack_push
from goalloc.heap.mheap import alloc_span, free_span
from goalloc.heap.mheap_spanlist import list_insert, list_remove, list_takeAll
from goalloc.layout import gcControllerState, gcWork, mSpanList, mspan, p_, workType, workbuf, variables as V
from goalloc.gc.inline import get64, put64
from goalloc.words import add64, get32, put8

FULL, APART = V.work + workType.full, V.work + workType.empty
SPANS_LOCK, FREE = V.work + workType.wbufSpans, V.work + workType.wbufSpans + 8
BUSY = FREE + mSpanList.sizeof
NOBJ, OBJ = workbuf.sizeof - 8 * C.workbufObjects - 8, workbuf.sizeof - 8 * C.workbufObjects
OBJECT_CYCLES = 90  # that marking an object takes, between two looks of a worker
CAPACITY, SPANS_AT_ONCE, ENLIST_TRIES = C.workbufObjects, 64, 5


# Buffers


@kernel
def empty_list(m, t):
    """Where the list of empty buffers is: on a line of its own, or beside the full ones, as before Go 1.21 (golang/go#59461)."""
    return FULL + 8 if m.process[m.thread[t].process].guest[P.COLLECTOR] & P.TOGETHER else APART


@cold
def others_look(m, t):
    """A list has changed. The other Ps' workers look at work.full before each object, so also between this change and the next, which this
    step may make as well; one whose clock has passed this moment has done so."""
    now = m.core[m.thread[t].core].cycles
    for c in range(m.cores):
        other = m.core[c].current - 1
        if other < 0 or other == t or not 0 < m.thread[other].guest[P.DRAINS] < now - OBJECT_CYCLES:
            continue
        get64(m, other, FULL)
        m.thread[other].guest[P.DRAINS] = now
        clock_moved(m, c)


@cold
def getempty(m, t):
    """An empty buffer; 0 when out of memory."""
    empty = empty_list(m, t)
    b = lfstack_pop(m, t, empty) if get64(m, t, empty) else 0
    if b:
        others_look(m, t)
        return b
    s = get64(m, t, FREE)
    if s:
        lock(m, t, SPANS_LOCK)
        list_remove(m, t, FREE, s)
    else:
        s = alloc_span(m, t, C.workbufAlloc >> P.pageShift, P.spanAllocWorkBuf, 0)
        if s == 0:
            throw(m, t, E.OUT_OF_MEMORY, 0, 0)
            return 0
        lock(m, t, SPANS_LOCK)
    list_insert(m, t, BUSY, s)
    unlock(m, t, SPANS_LOCK)
    base = get64(m, t, s + mspan.startAddr)
    for b in range(base, base + C.workbufAlloc, C.WorkbufSize):
        put64(m, t, b + NOBJ, 0)
        if b > base:
            putempty(m, t, b)
    return base


@cold
def putempty(m, t, b):
    lfstack_push(m, t, empty_list(m, t), b)
    others_look(m, t)


@cold
def putfull(m, t, b):
    lfstack_push(m, t, FULL, b)
    others_look(m, t)


@kernel
def trygetfull(m, t):
    b = lfstack_pop(m, t, FULL)
    if b:
        others_look(m, t)
    return b


@kernel
def handoff(m, t, b):
    """Half of a buffer's objects stay, in the buffer that is returned; the others can be taken by all."""
    rest = getempty(m, t)
    n = get64(m, t, b + NOBJ) // 2
    left = get64(m, t, b + NOBJ) - n
    put64(m, t, b + NOBJ, left)
    put64(m, t, rest + NOBJ, n)
    memmove(m, t, rest + OBJ, b + OBJ + 8 * left, 8 * n)
    putfull(m, t, b)
    return rest


@cold
def prepareFreeWorkbufs(m, t):
    """The cycle is over: all buffers are empty, and their spans can go."""
    lock(m, t, SPANS_LOCK)
    if get64(m, t, FULL):
        throw(m, t, E.FREE_WORKBUFS, 0, 0)
    put64(m, t, empty_list(m, t), 0)
    list_takeAll(m, t, FREE, BUSY)
    unlock(m, t, SPANS_LOCK)


@cold
def freeSomeWbufs(m, t):
    """Give up to 64 spans of buffers back to the page heap; whether there are more."""
    if get32(m, t, V.gcphase) != C.GCoff or get64(m, t, FREE) == 0:
        return False
    lock(m, t, SPANS_LOCK)
    for _ in range(SPANS_AT_ONCE):
        s = get64(m, t, FREE)
        if s == 0:
            break
        list_remove(m, t, FREE, s)
        free_span(m, t, s, P.spanAllocWorkBuf)
    more = get64(m, t, FREE) != 0
    unlock(m, t, SPANS_LOCK)
    return more


# A P's work


@kernel
def init(m, t, w):
    put64(m, t, w + gcWork.wbuf1, getempty(m, t))
    b = trygetfull(m, t)
    put64(m, t, w + gcWork.wbuf2, b if b else getempty(m, t))


@kernel
def swap(m, t, w):
    """The other buffer is the first; its address."""
    b = get64(m, t, w + gcWork.wbuf2)
    put64(m, t, w + gcWork.wbuf2, get64(m, t, w + gcWork.wbuf1))
    put64(m, t, w + gcWork.wbuf1, b)
    return b


@hot
def put(m, t, w, obj):
    """`obj` is grey."""
    b = get64(m, t, w + gcWork.wbuf1)
    n = get64(m, t, b + NOBJ) if b else CAPACITY
    if n == CAPACITY:
        b, n = make_room(m, t, w, b)
    put64(m, t, b + OBJ + 8 * n, obj)
    put64(m, t, b + NOBJ, n + 1)


@cold
def make_room(m, t, w, b):
    """A buffer that is not full, and how many it has; the first, `b`, is full or there is none."""
    if b:
        b = swap(m, t, w)
    else:
        init(m, t, w)
        b = get64(m, t, w + gcWork.wbuf1)
    n = get64(m, t, b + NOBJ)
    if n == CAPACITY:
        flush_full(m, t, w, b)
        b = getempty(m, t)
        n = 0
        put64(m, t, w + gcWork.wbuf1, b)
        enlist(m, t)
    return b, n


@kernel
def flush_full(m, t, w, b):
    putfull(m, t, b)
    put8(m, t, w + gcWork.flushedWork, 1)


@cold
def enlist(m, t):
    """There is work for another worker: if one is wanted, a P is signalled. Go: mgcpacer.go enlistWorker."""
    n = get32(m, t, V.gomaxprocs)
    if get32(m, t, V.gcphase) != C.GCmark or n <= 1 or get64(m, t, DEDICATED_NEEDED) <= 0:
        return
    own = get32(m, t, current_p(m, t) + p_.id)
    for _ in range(ENLIST_TRIES):
        i = fastrandn(m, t, n - 1)
        i += i >= own
        pp = get64(m, t, get64(m, t, V.allp) + 8 * i)
        if get32(m, t, pp + p_.status) == P.Prunning:
            put8(m, t, pp + p_.preempt, 1)
            if m.core[i].current:
                m.thread[m.core[i].current - 1].guest[P.LOOK_AT] = 0
            return


@hot
def tryGet(m, t, w):
    """A grey object, or 0 if neither this P nor the list for all has one."""
    b = get64(m, t, w + gcWork.wbuf1)
    n = get64(m, t, b + NOBJ) if b else 0
    if n == 0:
        b, n = next_buffer(m, t, w, b)
        if n == 0:
            return 0
    put64(m, t, b + NOBJ, n - 1)
    return get64(m, t, b + OBJ + 8 * (n - 1))


@cold
def next_buffer(m, t, w, b):
    """A buffer with objects, the P's first now, and how many it has (0: there is none); the first, `b`, is empty or there is none."""
    if b == 0:
        init(m, t, w)
        b = get64(m, t, w + gcWork.wbuf1)
        n = get64(m, t, b + NOBJ)
        if n:
            return b, n
    b = swap(m, t, w)
    n = get64(m, t, b + NOBJ)
    if n == 0:
        old, b = b, trygetfull(m, t)
        if b:
            putempty(m, t, old)
            put64(m, t, w + gcWork.wbuf1, b)
            n = get64(m, t, b + NOBJ)
    return b, n


@cold
def dispose(m, t, w):
    """What the P has goes to the lists and counters of all."""
    if get64(m, t, w + gcWork.wbuf1):
        for at in (gcWork.wbuf1, gcWork.wbuf2):
            b = get64(m, t, w + at)
            if get64(m, t, b + NOBJ):
                flush_full(m, t, w, b)
            else:
                putempty(m, t, b)
            put64(m, t, w + at, 0)
    move_count(m, t, w + gcWork.bytesMarked, V.work + workType.bytesMarked)
    move_count(m, t, w + gcWork.heapScanWork, V.gcController + gcControllerState.heapScanWork)


@kernel
def move_count(m, t, place, total):
    n = get64(m, t, place)
    if n:
        add64(m, t, total, n)
        put64(m, t, place, 0)


@apart
def balance(m, t, w):
    """No other P has work: share some."""
    first = get64(m, t, w + gcWork.wbuf1)
    if first == 0:
        return
    second = get64(m, t, w + gcWork.wbuf2)
    if get64(m, t, second + NOBJ):
        flush_full(m, t, w, second)
        put64(m, t, w + gcWork.wbuf2, getempty(m, t))
    elif get64(m, t, first + NOBJ) > 4:
        put64(m, t, w + gcWork.wbuf1, handoff(m, t, first))
        put8(m, t, w + gcWork.flushedWork, 1)
    else:
        return
    enlist(m, t)


@kernel
def is_empty(m, t, w):
    first = get64(m, t, w + gcWork.wbuf1)
    return first == 0 or (get64(m, t, first + NOBJ) == 0 and get64(m, t, get64(m, t, w + gcWork.wbuf2) + NOBJ) == 0)


@kernel
def gcMarkWorkAvailable(m, t, w):
    """Whether there is anything to mark: a P's own work (`w`, 0: of no P), the global list, roots."""
    if w and not is_empty(m, t, w):
        return True
    return get64(m, t, FULL) != 0 or get32(m, t, V.work + workType.markrootNext) < get32(m, t, V.work + workType.markrootJobs)

"""Chunks of 8 MiB for user arenas: spans of their own, outside the page allocator, that fault once they are freed.

    mheap.userArena.arenaHints ─> 64 MiB reserved ─> a chunk, and seven for readyList
    chunk: span class 0, every byte cleared, userArenaChunkFree is what is left of it
    freed: sysFault, span class 1, quarantineList; a collection that finds no pointer to it moves it to readyList

The metadata of these arenas is not in allArenas: nothing there is scavenged or reclaimed page by page. Go: arena.go
allocUserArenaChunk, setUserArenaChunkToFault, freeUserArenaChunk.
"""

from hwmem._jit import cold, kernel
from goalloc import constants as C, errors as E
from goalloc.errors import throw
from goalloc.heap.mheap_grow import H, sysAlloc
from goalloc.layout import (
    addrRange,
    gcControllerState,
    heapStatsDelta,
    liveUserArenaChunk,
    mSpanList,
    mheap,
    mspan,
    slice_,
    userArenaState,
    variables as V,
)
from goalloc.base.lock import lock, unlock
from goalloc.heap.malloc import LARGE, count_asked
from goalloc.heap.mbitmap import flush_bits, writer_at
from goalloc.heap.mcentral import SWEEPGEN, central_of, fullSwept
from goalloc.base.mem import sysFault, sysMap, sysUsed
from goalloc.base.memclr import memclr, put_pointer
from goalloc.heap.mheap import HEAP_IN_USE, HEAP_RELEASED, LOCK, allocMSpanLocked, clear_span, initSpan
from goalloc.heap.mheap_spanlist import list_insert, list_insertBack, list_remove
from goalloc.heap.mspanset import spanSet_push
from goalloc.base.mstats import stats_acquire, stats_release, update_heap_live
from goalloc.base.malloc_persistent import current_p
from goalloc.values.slice import growslice
from goalloc.words import add64, get8, get32, get64, put8, put16, put64

CHUNK = C.userArenaChunkBytes
HINTS, READY = H + mheap.userArena, H + mheap.userArena + 8 + mSpanList.sizeof
QUARANTINE = H + mheap.userArena + 8
STATE = V.userArenaState
FREE_BASE, FREE_LIMIT = mspan.userArenaChunkFree + addrRange.base, mspan.userArenaChunkFree + addrRange.limit
UNUSED = 1  # span class of a chunk that was freed: no pointers in it


@cold
def allocUserArenaChunk(m, t):
    """The span of a chunk, cleared and ready; 0 when out of memory."""
    s = reserve_chunk(m, t)
    if s == 0:
        return 0
    base = get64(m, t, s + mspan.startAddr)
    if not sysMap(m, t, base, CHUNK, HEAP_RELEASED):
        return 0
    sysUsed(m, t, base, CHUNK, CHUNK)
    initSpan(m, t, s, 0, base, C.userArenaChunkPages)
    put8(m, t, s + mspan.isUserArenaChunk, 1)
    add64(m, t, HEAP_RELEASED, -CHUNK)
    account(m, t, CHUNK, heapStatsDelta.largeAlloc, gcControllerState.totalAlloc)
    count_asked(m, t, LARGE, CHUNK)
    spanSet_push(m, t, fullSwept(central_of(0), get32(m, t, SWEEPGEN)), s)
    put64(m, t, s + mspan.limit, base + CHUNK)
    put64(m, t, s + mspan.freeindex, 1)
    put16(m, t, s + mspan.allocCount, 1)
    flush_bits(m, t, writer_at(base), base, CHUNK)
    memclr(m, t, base, CHUNK)
    put8(m, t, s + mspan.needzero, 0)
    put64(m, t, s + mspan.freeIndexForScan, 1)
    put64(m, t, s + FREE_BASE, base)
    put64(m, t, s + FREE_LIMIT, base + CHUNK)
    return s


@kernel
def reserve_chunk(m, t):
    """The span of a chunk in Reserved memory: a ready one, or the first of eight new ones. 0: no address space."""
    lock(m, t, LOCK)
    s = get64(m, t, READY)
    if s:
        list_remove(m, t, READY, s)
    else:
        v, size = sysAlloc(m, t, CHUNK, HINTS, False)
        for base in range(v + CHUNK, v + size, CHUNK):
            list_insertBack(m, t, READY, span_at(m, t, base))
        s = span_at(m, t, v) if v else 0
    unlock(m, t, LOCK)
    return s


@kernel
def span_at(m, t, base):
    s = allocMSpanLocked(m, t, current_p(m, t))
    clear_span(m, t, s, base, C.userArenaChunkPages)
    return s


@kernel
def account(m, t, nbytes, counter, total):
    """A chunk comes into use, or goes: its bytes under `counter` and how often beside it, and under `total` of gcController."""
    add64(m, t, HEAP_IN_USE, nbytes)
    stats = stats_acquire(m, t)
    add64(m, t, stats + heapStatsDelta.committed, nbytes)
    add64(m, t, stats + heapStatsDelta.inHeap, nbytes)
    add64(m, t, stats + counter, CHUNK)
    add64(m, t, stats + counter + 8, 1)
    stats_release(m, t)
    add64(m, t, V.gcController + total, CHUNK)
    update_heap_live(m, t, nbytes, 0)


@cold
def setUserArenaChunkToFault(m, t, s):
    """From now on every access to the chunk faults; its addresses wait for a collection."""
    if not get8(m, t, s + mspan.isUserArenaChunk):
        throw(m, t, E.NOT_ARENA_SPAN, 0, 0)
        return
    put8(m, t, s + mspan.spanclass, UNUSED)
    sysFault(m, t, get64(m, t, s + mspan.startAddr), CHUNK)
    account(m, t, -CHUNK, heapStatsDelta.largeFree, gcControllerState.totalFree)
    lock(m, t, LOCK)
    list_insert(m, t, QUARANTINE, s)
    unlock(m, t, LOCK)


@cold
def freeUserArenaChunk(m, t, s, x, typ):
    """The chunk of span `s`, which `x` keeps alive, is freed: at once, or when the running collection is over."""
    if not get8(m, t, s + mspan.isUserArenaChunk):
        throw(m, t, E.NOT_ARENA_CHUNK, 0, 0)
        return
    if get32(m, t, V.gcphase) != C.GCoff:
        append_chunk(m, t, STATE + userArenaState.fault, s, x, typ)
        return
    array, n = take_waiting(m, t)
    setUserArenaChunkToFault(m, t, s)
    for i in range(n):
        setUserArenaChunkToFault(m, t, get64(m, t, array + i * liveUserArenaChunk.sizeof))


@kernel
def take_waiting(m, t):
    """(array, length) of the chunks that wait for the end of a collection; none waits any more."""
    lock(m, t, STATE)
    waiting, n = STATE + userArenaState.fault, get64(m, t, STATE + userArenaState.fault + slice_.len)
    array = get64(m, t, waiting)
    put64(m, t, waiting, 0)
    put64(m, t, waiting + slice_.len, 0)
    put64(m, t, waiting + slice_.cap, 0)
    unlock(m, t, STATE)
    return array, n


@cold
def fault_waiting(m, t):
    """Chunks that were freed while a collection ran fault from now on."""
    array, n = take_waiting(m, t)
    for i in range(n):
        setUserArenaChunkToFault(m, t, get64(m, t, array + i * liveUserArenaChunk.sizeof))


@cold
def append_chunk(m, t, chunks, s, x, typ):
    """*chunks = append(*chunks, liveUserArenaChunk{s, x}), `typ`: its type; under the lock of userArenaState."""
    lock(m, t, STATE)
    array, n, capacity = get64(m, t, chunks), get64(m, t, chunks + slice_.len), get64(m, t, chunks + slice_.cap)
    if n == capacity:
        array, capacity = growslice(m, t, (array, n, n), n + 1, liveUserArenaChunk.sizeof, typ)
        put_pointer(m, t, chunks, array)
        put64(m, t, chunks + slice_.cap, capacity)
    if array:
        put64(m, t, array + n * liveUserArenaChunk.sizeof, s)
        put_pointer(m, t, array + n * liveUserArenaChunk.sizeof + liveUserArenaChunk.x, x)
        put64(m, t, chunks + slice_.len, n + 1)
    unlock(m, t, STATE)

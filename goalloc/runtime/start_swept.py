"""A heap that begins in a recorded state after collections: page by page, with every span full.

    start = {"spans": rows [page, npages, state, spanclass, freeindex, allocCount, nelems, ...], "full": {spanclass: pages in order},
             "page_cache": [page, free bits, scavenged bits], "free_pages", "free_scavenged_pages": runs [page, count],
             "curArena": bytes from the first arena, "searchAddr", "scavenge_goal", "stats": MemStats}

Spans come by the allocator itself in address order, before there is a P (start.py). The pages between them are allocated too and then
freed; which of those are scavenged, and which the P's cache has, is written into the bitmaps. The objects of the spans live forever:
global variables point to them. There are main, which runs, four goroutines that wait with eight pointers in their frames, and those of
the collector: sweeper, worker, finalizers, and the scavenger, which nobody wakes. No object says where they are, so their g's are the
first ones of their class.
"""

import numpy as np

from hwmem._jit import kernel
from hwmem.core.service import drain_all
from hwmem.machine.enter import place_thread
from goalloc import constants as C, params as P
from goalloc.gc.mfinal import FINALIZERS
from goalloc.gc.mgc_workers import NODE, SWEEPER, WORKER
from goalloc.gc.mgcscavenge_goroutine import SCAVENGER
from goalloc.heap.lfstack import lfstack_push
from goalloc.heap.malloc_init import FLUSH_MCACHE, STOCK_MSPANS
from goalloc.heap.mcentral import SWEEPGEN, central_of, fullSwept
from goalloc.heap.mheap import HEAP_FREE, HEAP_RELEASED, PAGES
from goalloc.heap.mspanset import spanSet_pop, spanSet_push
from goalloc.heap.stack import HI, LO, SP
from goalloc.layout import (
    fixalloc,
    g_,
    gcBgMarkWorkerNode,
    gcControllerState,
    heapArena,
    heapStatsDelta,
    m_,
    mheap,
    mspan,
    mstats,
    p_,
    pageAlloc,
    pageCache,
    pallocData,
    scavenge,
    scavengerState,
    scavengeIndex,
    slice_,
    sweepdata,
    variables as V,
)
from goalloc.observe.inspect import Inspector
from goalloc.observe.check import arenas, span_at
from goalloc.pages.mgcscavenge import chunkIndex, chunk_word, index_change, pack
from goalloc.pages.mpagealloc_summary import ALLOCATED, alloc_in_chunk, chunkOf, chunkPageIndex, update
from goalloc.pages.mpallocbits import setRange
from goalloc.runtime.start import FIRST_ARENA, G_SPANCLASS, P_SPANCLASS, place
from goalloc.sched.proc import PC, VARIABLES_BYTES
from goalloc.sizeclasses import class_to_size
from goalloc.words import get32, get64, put64

HOLDERS, HELD = 4, 8  # goroutines that wait, pointers in the frame of each
MAIN, FIRST_HOLDER, SWEEPER_G, WORKER_G, FINALIZERS_G, SCAVENGER_G = 0, 1, 5, 6, 7, 8
GOROUTINES = 9
MAIN_STACK_PAGES, STACKS_OF_SPAN = 8, 9
ROOTS = 256


def rebuild_swept(rt, start):
    rows, p = sorted(start["spans"]), rt.process
    fillers, end = fill(rt, rows, start["curArena"][0] // P.pageSize)
    rt.call(0, P.DOOR_RUNTIME, FLUSH_MCACHE, p.load(V.mcache0), 0)
    for s in fillers:
        rt.call(0, P.DOOR_ALLOC_SPAN, 0, P.spanAllocStack, s)
    run(rt, set_pages, as_rows(start["free_scavenged_pages"]), cache_of(start))
    rt.add_p(object_at(rows, P_SPANCLASS, 0), 0)
    set_counters(rt, start, rows)
    for spanclass, pages in start["full"].items():
        spans = np.array([span_at(Inspector(p), address(page)) for page in pages] + [0], np.int64)
        run(rt, order_full, int(spanclass), spans)
    pin_all(rt, rows)
    add_goroutines(rt, rows)


def run(rt, operation, *arguments):
    t = rt.process.thread_on(0)
    place_thread(rt.machine.state, t, 0)
    operation(rt.machine.state, t, *arguments)
    rt.raise_error(t)


def address(page):
    return FIRST_ARENA + page * P.pageSize


def object_at(rows, spanclass, i):
    page = next(row[0] for row in rows if row[2:4] == [1, spanclass])
    return address(page) + i * class_to_size[spanclass >> 1]


def fill(rt, rows, total):
    """(mspans of what fills the holes, the end of the heap): every page is allocated."""
    fillers, page = [], 0
    for row in [*rows, [total, 0, 0, 0, 0, 0, 0]]:
        while page < row[0]:
            n = min(row[0] - page, P.pallocChunkPages - page % P.pallocChunkPages)
            fillers.append(place(rt, page, [page, n, 2, 0, 0, 0, 0]))
            page += n
        if row[1]:
            place(rt, page, row[:7])
        page += row[1]
    return fillers, page


def as_rows(runs):
    """Runs of pages, cut at chunks, as (address, pages)."""
    rows = []
    for first, count in runs:
        while count > 0:
            n = min(count, P.pallocChunkPages - first % P.pallocChunkPages)
            rows.append((address(first), n))
            first, count = first + n, count - n
    return np.array(rows or [(0, 0)], np.int64).reshape(-1, 2)


def cache_of(start):
    """(address, free bits, scavenged bits) of the P's page cache, as int64."""
    base, cache, scav = start["page_cache"]
    return np.array([address(base) if base is not None else 0, signed(int(cache, 16)), signed(int(scav, 16))], np.int64)


def signed(word):
    return word - (1 << 64) if word >> 63 else word


@kernel
def set_pages(m, t, scavenged, cache):
    """Which free pages are scavenged, and which are in the page cache; summaries and scavenge index follow."""
    index, nbytes = PAGES + pageAlloc.scav, 0
    for i in range(len(scavenged)):
        va, n = scavenged[i, 0], scavenged[i, 1]
        if n:
            setRange(m, t, chunkOf(m, t, PAGES, chunkIndex(va)) + pallocData.scavenged, chunkPageIndex(va), n)
            nbytes += n * P.pageSize
    for bit in range(64):
        va = cache[0] + bit * P.pageSize
        if cache[1] >> bit & 1:
            alloc_in_chunk(m, t, chunkOf(m, t, PAGES, chunkIndex(va)), chunkPageIndex(va), 1)
            index_change(m, t, index, chunkIndex(va), 1)
            update(m, t, PAGES, va, 1, ALLOCATED)
            nbytes += (cache[2] >> bit & 1) * P.pageSize
    put64(m, t, HEAP_FREE, get64(m, t, HEAP_FREE) - nbytes)
    put64(m, t, HEAP_RELEASED, get64(m, t, HEAP_RELEASED) + nbytes)
    stats = V.memstats
    put64(m, t, stats + heapStatsDelta.committed, get64(m, t, stats + heapStatsDelta.committed) - nbytes)
    put64(m, t, stats + heapStatsDelta.released, get64(m, t, stats + heapStatsDelta.released) + nbytes)
    ready = V.gcController + gcControllerState.mappedReady
    put64(m, t, ready, get64(m, t, ready) - nbytes)
    for ci in range(get64(m, t, PAGES + pageAlloc.start), get64(m, t, PAGES + pageAlloc.end)):
        in_use = get64(m, t, chunk_word(m, t, index, ci)) & 0xFFFF
        flags = P.scavChunkHasFree if in_use < P.pallocChunkPages else 0
        put64(m, t, chunk_word(m, t, index, ci), pack(in_use, in_use, flags, get32(m, t, index + scavengeIndex.gen)))
    drain_all(m, m.thread[t].core)


@kernel
def order_full(m, t, spanclass, spans):
    """The full list of a class has `spans` (the last is none), in order."""
    full = fullSwept(central_of(spanclass), get32(m, t, SWEEPGEN))
    while spanSet_pop(m, t, full):
        pass
    for i in range(len(spans) - 1):
        spanSet_push(m, t, full, spans[i])
    drain_all(m, m.thread[t].core)


def set_counters(rt, start, rows):
    """What is in the P's caches, where searches begin, what has never been used, how many mspans there are."""
    p, stats = rt.process, start["stats"]
    base, cache, scav = cache_of(start).tolist()
    for at, value in ((pageCache.base, base), (pageCache.cache, cache), (pageCache.scav, scav)):
        p.store(rt.ps[0] + p_.pcache + at, value)
    p.store(PAGES + pageAlloc.searchAddr, FIRST_ARENA + start["searchAddr"] if start["searchAddr"] is not None else P.maxOffAddr)
    goal = start["scavenge_goal"]
    p.store(V.scavenge + scavenge.gcPercentGoal, -1 if goal is None else goal)
    p.store(PAGES + pageAlloc.chunkHugePages, 1, size=1)  # its first collection, without a goal, has asked for them
    free = {page for first, count in start["free_pages"] for page in range(first, first + count)}
    fresh = {page for first, count in start["free_scavenged_pages"] for page in range(first, first + count)}
    top = address(max(free - fresh, default=0))
    for at, value in (
        (scavengeIndex.searchAddrBg, P.arenaBaseOffset - top),
        (scavengeIndex.searchAddrForce, P.arenaBaseOffset - top),
        (scavengeIndex.freeHWM, top),
    ):
        p.store(PAGES + pageAlloc.scav + at, value)
    used = max([row[0] + row[1] for row in rows] + [page + 1 for page in free - fresh])
    ((_, arena),) = arenas(Inspector(p))
    p.store(arena + heapArena.zeroedBase, used * P.pageSize)
    f, held = V.mheap_ + mheap.spanalloc, stats["MSpanInuse"] // mspan.sizeof - len(rows)
    rt.call(0, P.DOOR_RUNTIME, STOCK_MSPANS, rt.ps[0], held)
    room = stats["MSpanSys"] - stats["MSpanInuse"]
    block = rt.call(0, P.DOOR_PERSISTENTALLOC, max(room, 8), 8, V.memstats + mstats.other_sys)
    p.store(f + fixalloc.list, 0)
    p.store(f + fixalloc.chunk, block)
    p.store(f + fixalloc.nchunk, room, size=4)


def pin_all(rt, rows):
    """Global variables that point to every object of the spans."""
    objects = []
    for page, _, state, spanclass, _, count, _ in (row[:7] for row in rows):
        if state == 1:
            size = class_to_size[spanclass >> 1] if spanclass > 1 else 0
            objects += [address(page) + i * size for i in range(count)]
    rt.roots = rt.globals(ROOTS)
    pins = rt.globals(len(objects))
    rt.process.write(pins, np.array(objects, np.int64).tobytes())


def add_goroutines(rt, rows):
    """Main, which runs; those that hold pointers for it (rt.slots); the sweeper, the worker and the finalizers', which wait."""
    p, t = rt.process, rt.process.thread_on(0)
    stacks = address(next(row[0] for row in rows if row[2] == 2 and row[5] == STACKS_OF_SPAN))
    main = next(row for row in rows if row[2] == 2 and row[1] == MAIN_STACK_PAGES)
    gs = [object_at(rows, G_SPANCLASS, i) for i in range(GOROUTINES)]
    rt.slots = []
    for i, gp in enumerate(gs):
        lo, hi = stacks + (i - 1) * P.fixedStack, stacks + i * P.fixedStack
        if i == MAIN:
            lo, hi = address(main[0]), address(main[0] + main[1])
        sp = hi - VARIABLES_BYTES - 8
        if FIRST_HOLDER <= i < FIRST_HOLDER + HOLDERS:
            sp -= 8 * HELD
            rt.slots += [sp + 8 * k for k in range(HELD)]
        for at, value in ((LO, lo), (HI, hi), (SP, sp), (g_.goid, i + 1)):
            p.store(gp + at, value)
        p.write(sp, bytes(hi - sp))
        p.store(gp + g_.atomicstatus, P.Grunning if i == MAIN else P.Gwaiting, size=4)
    p.store(gs[MAIN] + g_.m, V.m0)
    p.store(V.m0 + m_.curg, gs[MAIN])
    rt.machine.state.thread[t].guest[P.G] = rt.main = gs[MAIN]
    array = rt.globals(GOROUTINES)
    p.write(array, np.array(gs, np.int64).tobytes())
    for at, value in ((slice_.array, array), (slice_.len, GOROUTINES), (slice_.cap, GOROUTINES)):
        p.store(V.allgs + at, value)
    p.store(V.allglen, GOROUTINES)
    for i, code in ((SWEEPER_G, SWEEPER), (WORKER_G, WORKER), (FINALIZERS_G, FINALIZERS), (SCAVENGER_G, SCAVENGER)):
        p.store(gs[i] + PC, code)
    p.store(V.sweep + sweepdata.g, gs[SWEEPER_G])
    p.store(V.scavenger + scavengerState.g, gs[SCAVENGER_G])
    p.store(V.sweep + sweepdata.parked, 1, size=1)
    p.store(V.fing, gs[FINALIZERS_G])
    p.store(V.fingStatus, C.fingCreated | C.fingWait, size=4)
    node = rt.call(0, P.DOOR_PERSISTENTALLOC, gcBgMarkWorkerNode.sizeof, 8, V.memstats + mstats.gcMiscSys)
    p.store(node + gcBgMarkWorkerNode.gp, gs[WORKER_G])
    p.store(p.load(gs[WORKER_G] + HI) - VARIABLES_BYTES + NODE, node)
    run(rt, push_node, node)
    p.store(V.gcBgMarkWorkerCount, 1, size=4)


@kernel
def push_node(m, t, node):
    lfstack_push(m, t, V.gcBgMarkWorkerPool, node)
    drain_all(m, m.thread[t].core)

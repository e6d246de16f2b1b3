"""A heap that begins in a recorded state: its spans page by page, its page cache, tiny block and statistics.

    start = {"heap_map_before_[page,npages,state(1 inuse,2 manual),spanclass,freeindex,alloccount,nelems]": rows,
             "before": {"pcache_base", "pcache_bits", "pcache_scav", "tiny", "tinyoffset", "curArena"},
             "memstats_before": MemStats}                   addresses in the first arena, pages counted from its start

The recording has no contents. Everything is allocated by the allocator itself, in address order and before there is a P, so
that first fit puts each span where it was. Holes are filled meanwhile and freed afterwards: those of the page cache first,
given back to the kernel and taken into the cache; the rest stays free. What the recording does not say is assumed:

    mspans                      every one that is not in the map lies in the P's cache
    persistent memory           half of the P's chunk is used (unless "palloc_off" in "before" says otherwise)
    stack spans                 the sizes of their stacks ("stack_sizes": [page, bytes]): 16 KiB if two are in use, those of the
                                two Ms' g0s, else 2 KiB: main's, which has moved on, then those of the runtime's own goroutines
    main's stack                8 KiB, if there is a span of such, else the largest
    goroutines                  main, which runs, and those; one sudog is free ("sudogs"), for main has waited for them (gcenable)
"""

from goalloc import params as P
from goalloc.heap.malloc_init import FLUSH_MCACHE, STOCK_MSPANS
from goalloc.observe.inspect import Inspector
from goalloc.layout import g_, gcControllerState, heapStatsDelta, m_, mcache, mheap, mspan, mstats, p_, schedt, slice_, variables as V
from goalloc.pages.mpagealloc import CACHE_FILL, SCAVENGE
from goalloc.sched.proc import GOID_BATCH
from goalloc.sizeclasses import class_to_size
from goalloc.heap.stack import HI, LO, STACKALLOC, STACKFREE
from goalloc.observe.memstats import SYS_COUNTERS, read_memstats

FIRST_ARENA = 0xC0_0000_0000
P_SPANCLASS, G_SPANCLASS, SUDOG_SPANCLASS, ALLGS_SPANCLASS = 104, 46, 16, 12  # 9472, 416, 96, 64 bytes (eight pointers)
MAIN = 1  # the second g made: the first is m0's gsignal
HALF_A_CHUNK = P.persistentChunkSize // 2
CHECKED = (
    "HeapSys",
    "HeapIdle",
    "HeapInuse",
    "HeapReleased",
    "HeapAlloc",
    "Mallocs",
    "Frees",
    "StackInuse",
    "MSpanInuse",
    "MSpanSys",
    "MCacheInuse",
    "Sys",
    "NextGC",
)


def heap_map(scenario):
    """The rows of the recorded heap, in address order."""
    return next(sorted(rows) for key, rows in scenario.items() if key.startswith("heap_map_before"))


def check_start(scenario):
    """Raises TypeError or ValueError if it has not the form above."""
    if not isinstance(scenario, dict):
        raise TypeError(f"start: takes a recorded heap, a dict, not {type(scenario).__name__}")
    wanted = {"before": ("pcache_base", "pcache_bits", "pcache_scav", "tiny", "tinyoffset"), "memstats_before": (*CHECKED, *SYS_COUNTERS)}
    for key, names in wanted.items():
        if not isinstance(scenario.get(key), dict):
            raise ValueError(f"start: has no {key!r} with what was recorded")
        missing = [name for name in names if name not in scenario[key]]
        if missing:
            raise ValueError(f"start: {key!r} has no {', '.join(missing)}")
    rows = next((rows for key, rows in scenario.items() if key.startswith("heap_map_before")), None)
    if not isinstance(rows, list) or not all(isinstance(row, (list, tuple)) and len(row) == 7 for row in rows):
        raise ValueError("start: has no heap_map_before with rows of seven numbers")


def rebuild(rt, scenario):
    """Make the heap of `rt`, which has no P yet, the recorded one, and its P. Raises ValueError where that does not succeed."""
    before = scenario["before"]
    cached = [page for page in range(64) if int(before["pcache_bits"], 16) >> page & 1]
    cached = {(before["pcache_base"] - FIRST_ARENA) // P.pageSize + page for page in cached}
    sizes = stack_sizes(scenario)
    fillers, page = [], 0
    for row in heap_map(scenario):
        while page < row[0]:  # a hole: what the page cache has, and what is free
            end = page + 1
            while end < row[0] and (end in cached) == (page in cached):
                end += 1
            fillers.append((page in cached, place(rt, page, [page, end - page, 2, 0, 0, 0, 0])))
            page = end
        place(rt, page, row, sizes.get(page))
        page += row[1]
    rt.call(0, P.DOOR_RUNTIME, FLUSH_MCACHE, rt.process.load(V.mcache0), 0)
    add_p(rt, scenario, page, cached, fillers)
    add_goroutines(rt, scenario, sizes)
    restore_counters(rt, scenario)


def stack_sizes(scenario):
    """{first page of a span cut into stacks: bytes of a stack}."""
    told = dict(scenario.get("stack_sizes", ()))
    return {
        row[0]: told.get(row[0], P.stackCacheSize // 2 if row[5] == 2 else P.fixedStack)
        for row in heap_map(scenario)
        if row[2] == 2 and row[5]
    }


def place(rt, page, row, stack_size=None):
    """Allocate a row of the heap map, which first fit puts at `page`; the mspan's address of a manual one."""
    _, npages, state, spanclass, _, count, _ = row
    if stack_size:
        at = s = min(stacks_in_use(rt, stack_size, count))
    elif state == 2:
        s = rt.call(0, P.DOOR_ALLOC_SPAN, npages, P.spanAllocStack, 0)
        at = rt.process.load(s + mspan.startAddr)
    elif spanclass < 2:
        s = rt.call(0, P.DOOR_ALLOC_LARGE, npages * P.pageSize, spanclass, 0)
        at = rt.process.load(s + mspan.startAddr)
    else:
        at = s = min(rt.call(0, P.DOOR_NEXT_FREE, rt.process.load(V.mcache0), spanclass, 0) for _ in range(count))
    if at != FIRST_ARENA + page * P.pageSize:
        raise ValueError(f"start: the span at page {page} would lie at {at:#x}; a heap that a collection has swept cannot be rebuilt")
    return s


def add_p(rt, scenario, end, cached, fillers):
    """The P at its recorded place, its page cache, its stock of mspans, its tiny block."""
    before, p = scenario["before"], rt.process
    pp = object_of(heap_map(scenario), P_SPANCLASS, 0)
    for s in (s for in_cache, s in fillers if in_cache):
        rt.call(0, P.DOOR_ALLOC_SPAN, 0, P.spanAllocStack, s)
    beyond = {page for page in cached if page >= end}
    scavenged = bin(int(before["pcache_scav"], 16)).count("1") - len(beyond)
    pages_call(rt, SCAVENGE, scavenged * P.pageSize, 1)
    if cached:
        pages_call(rt, CACHE_FILL, pp + p_.pcache, 0)
    for s in (s for in_cache, s in fillers if not in_cache):
        rt.call(0, P.DOOR_ALLOC_SPAN, 0, P.spanAllocStack, s)
    rt.add_p(pp, 0)
    spans = scenario["memstats_before"]["MSpanInuse"] // mspan.sizeof - len(heap_map(scenario))
    rt.call(0, P.DOOR_RUNTIME, STOCK_MSPANS, pp, spans)
    use_persistent_memory(rt, before.get("palloc_off", HALF_A_CHUNK))
    p.store(p.load(V.mcache0) + mcache.tiny, before["tiny"])
    p.store(p.load(V.mcache0) + mcache.tinyoffset, before["tinyoffset"])


def object_of(rows, spanclass, i):
    """Address of object `i` of the first span of a class."""
    base = next((row[0] for row in rows if row[2:4] == [1, spanclass]), None)
    if base is None:
        raise ValueError(f"start: the heap map has no span of class {spanclass}")
    return FIRST_ARENA + base * P.pageSize + i * class_to_size[spanclass >> 1]


def stacks_in_use(rt, size, count):
    """A span cut into stacks, `count` of them in use, and its free list as the P that gave its stacks back left it."""
    stacks = sorted(rt.call(0, P.DOOR_STACK, STACKALLOC, size, 0) for _ in range(P.stackCacheSize // size))
    half = len(stacks) // 2
    handed_out = stacks[half:] + stacks[:half]  # a cache takes half a span, from its end, and hands out the last it took
    used = handed_out[1 : count + 1] if size == P.fixedStack else handed_out[:count]
    for x in stacks:
        if x not in used:
            rt.call(0, P.DOOR_STACK, STACKFREE, x, size)
    return stacks


def stack_of_main(scenario, sizes):
    """(lower end, upper end)"""
    for page, size in sizes.items():
        if size == 4 * P.fixedStack:
            middle = FIRST_ARENA + page * P.pageSize + P.stackCacheSize // 2
            return middle, middle + size
    page, npages = max((row[:2] for row in heap_map(scenario) if row[2] == 2), key=lambda row: row[1])
    return FIRST_ARENA + page * P.pageSize, FIRST_ARENA + (page + npages) * P.pageSize


def add_goroutines(rt, scenario, sizes):
    """The running main on its stack; how many others there are; free sudogs."""
    rows = heap_map(scenario)
    p, pp, gp, t = rt.process, rt.ps[0], object_of(rows, G_SPANCLASS, MAIN), rt.process.thread_on(0)
    lo, hi = stack_of_main(scenario, sizes)
    count = 1 + sum(row[5] for row in rows if sizes.get(row[0]) == P.fixedStack)
    for at, value in ((LO, lo), (HI, hi), (g_.m, V.m0), (g_.goid, 1)):
        p.store(gp + at, value)
    p.store(gp + g_.atomicstatus, P.Grunning, size=4)
    p.store(V.m0 + m_.curg, gp)
    rt.machine.state.thread[t].guest[P.G] = rt.main = gp
    for at, value in ((0, object_of(rows, ALLGS_SPANCLASS, 0)), (slice_.len, count), (slice_.cap, 8)):
        p.store(V.allgs + at, value)
    p.store(V.allglen, count)
    p.store(V.sched + schedt.goidgen, GOID_BATCH)
    p.store(pp + p_.goidcache, count + 1)
    p.store(pp + p_.goidcacheend, GOID_BATCH + 1)
    sudogs = scenario["before"].get("sudogs", 1)
    for i in range(sudogs):
        p.store(pp + p_.sudogbuf + 8 * i, object_of(rows, SUDOG_SPANCLASS, i))
    p.store(pp + p_.sudogcache + 8, sudogs)


def use_persistent_memory(rt, end):
    """Take pieces of the P's chunk up to its byte `end`."""
    at = 8
    while at < end:
        size = min(end - at, P.maxPersistentBlock - 8)
        rt.call(0, P.DOOR_PERSISTENTALLOC, size, 8, V.memstats + mstats.other_sys)
        at += size


def pages_call(rt, operation, a, b):
    t = rt.process.thread_on(0)
    rt.machine.state.thread[t].guest[P.SIZE] = b
    return rt.call(0, P.DOOR_PAGES, V.mheap_ + mheap.pages, operation, a)


def restore_counters(rt, scenario):
    """What the program had allocated outside the heap, and its tiny allocations; then everything must agree."""
    recorded, p = scenario["memstats_before"], rt.process
    for name, at in SYS_COUNTERS.items():
        p.store(V.memstats + at, recorded[name])
    p.store(V.gcController + gcControllerState.mappedReady, recorded["Sys"] - recorded["HeapReleased"])
    p.store(V.memstats + heapStatsDelta.tinyAllocCount, recorded["Frees"])
    have = read_memstats(Inspector(p))
    wrong = [f"{name} {have[name]}, recorded {recorded[name]}" for name in CHECKED if have[name] != recorded[name]]
    if wrong:
        raise ValueError(f"start: the rebuilt heap differs: {'; '.join(wrong)}")

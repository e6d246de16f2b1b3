"""What MemStats says of memory that is taken, kept, wasted and given back, as live/users/memory.go has it: scenarios for users.py."""

import goalloc

MIB, KIB = 1 << 20, 1 << 10
BLOCKS, MANY = 128, 1 << 12
SIZES = (1, 8, 9, 16, 17, 33, 49, 100, 129, 1000, 1025, 2049, 4097, 8193, 16385, 28673, 32768, 32769, 40961, 100000)
SOURCES = {  # of golang/go, unless it says so
    "free-os-memory-twice": "33376, 30333: HeapReleased after FreeOSMemory, HeapSys stays",
    "memory-comes-back-where-it-was": "36398: what was given back is used again",
    "every-other-large-object": "42805, 35848: holes between large objects",
    "one-object-keeps-its-span": "14162, 18896: HeapInuse does not fall though HeapAlloc does",
    "what-size-classes-waste": "8885, 16866: what a size costs",
    "tiny-objects-share-blocks": "runtime.MemStats' text: tiny objects count, blocks take the bytes",
    "a-queue-that-is-cut-from-the-front": "35890, 9964: a slice keeps what lies before it",
    "capacities-of-append": "41239: how append grows a slice",
    "a-map-filled-again": "20135: buckets of deleted keys are used again",
    "a-map-that-starts-over": "20135: a new map each time",
    "part-of-a-string": "45038: strings.Clone",
    "a-stack-that-was-deep": "18138: stacks shrink at collections",
    "goroutines-that-wait": "19702, 34457: 2 KiB each, and descriptors that stay",
    "what-sys-is": "32284: sums of MemStats' fields",
    "collection-statistics": "debug.ReadGCStats beside MemStats",
}


def stat(u, name):
    return u.rt.memstats()[name]


def keep(u, size, slot=None):
    x = u.rt.mallocgc(size)
    u.rt.write_pointer(u.root if slot is None else u.many + 8 * slot, x)
    return x


def drop(u, slot=None):
    u.rt.write_pointer(u.root if slot is None else u.many + 8 * slot, 0)


def free_os_memory_twice(u):
    u.hold(keep(u, 32 * MIB), 32 * MIB)
    sys = stat(u, "HeapSys")
    drop(u)
    for _ in range(2):
        u.rt.free_os_memory()
        stats = u.rt.memstats()
        u.note(stats["HeapIdle"] - stats["HeapReleased"] >> 16, stats["HeapSys"] - sys >> 20, *u.now("NumForcedGC"))


def memory_comes_back(u):
    u.hold(keep(u, 24 * MIB), 24 * MIB)
    sys = stat(u, "HeapSys")
    drop(u)
    u.rt.free_os_memory()
    keep(u, 24 * MIB)
    u.note(sys - stat(u, "HeapSys"), u.now("HeapReleased")[0] >> 20)


def every_other_large_object(u):
    for i in range(BLOCKS):
        keep(u, 256 * KIB, i)
    full = stat(u, "HeapInuse")
    for i in range(0, BLOCKS, 2):
        drop(u, i)
    u.rt.gc()
    u.note(full - stat(u, "HeapInuse"), *u.now("HeapAlloc"))
    sys = stat(u, "HeapSys")
    keep(u, 512 * KIB)
    in_use = stat(u, "HeapInuse")
    for i in range(0, BLOCKS, 2):
        keep(u, 256 * KIB, i)
    stats = u.rt.memstats()
    u.note(stats["HeapInuse"] - in_use, stats["HeapSys"] - sys >> 20)


def one_object_keeps_its_span(u):
    for i in range(MANY):
        u.rt.write_pointer(u.many + 8 * i, u.fresh(i))
    in_use = stat(u, "HeapInuse")
    for i in range(MANY):
        if i % 341:
            drop(u, i)
    u.rt.gc()
    u.read(), u.note(in_use - stat(u, "HeapInuse") >> 15)
    for i in range(MANY):
        drop(u, i)
    u.rt.gc()
    u.read()


def what_size_classes_waste(u):
    for size in SIZES:
        total = stat(u, "TotalAlloc")
        u.garbage(16, size)
        u.note(stat(u, "TotalAlloc") - total)


def tiny_objects_share_blocks(u):
    before = u.rt.memstats()
    for i in range(1000):
        keep(u, 1, i % 64)
    after = u.rt.memstats()
    u.note(after["Mallocs"] - before["Mallocs"], after["TotalAlloc"] - before["TotalAlloc"])
    tinies = u.rt.metrics()["/gc/heap/tiny/allocs:objects"]
    for i in range(64):
        keep(u, 1, i)
    u.note(u.rt.metrics()["/gc/heap/tiny/allocs:objects"] - tinies)


def queue_cut_from_the_front(u):
    x = u.rt.mallocgc(8 * 1024, type=goalloc.pointer)
    u.rt.write_pointer(u.root, x)
    for i in range(1024):
        u.rt.write_pointer(x + 8 * i, u.fresh(i))
    u.rt.write_pointer(u.root, x + 8 * 1000)
    u.rt.gc()
    u.read()
    copy = u.rt.mallocgc(8 * 24, type=goalloc.pointer)
    for i in range(24):
        u.rt.write_pointer(copy + 8 * i, u.rt.read_pointer(x + 8 * (1000 + i)))
    u.rt.write_pointer(u.root, copy)
    u.rt.gc()
    u.read()
    drop(u)
    u.rt.gc()
    u.read()


def capacities_of_append(u):
    s, last = u.rt.make_slice(goalloc.int64, 0), 0
    while s.len < 20_000:
        s = u.rt.append(s, n=1)
        if s.cap != last:
            last = s.cap
            u.note(last)
        s = s._replace(len=min(s.cap, 20_000))


def filled_map(u, n):
    m = u.rt.make_map()
    u.rt.write_pointer(u.root, m.address)
    m.assign(range(n), range(n))
    return m


def map_filled_again(u):
    m = filled_map(u, 1000)
    for i in range(1000):
        m.discard(i)
    mallocs = stat(u, "Mallocs")
    m.assign(range(1000), range(1000))
    u.note(stat(u, "Mallocs") - mallocs < 64)


def map_that_starts_over(u):
    for _ in range(3):
        filled_map(u, 5000)
        u.rt.gc()
        u.note(u.now("HeapAlloc")[0] >> 16)


def part_of_a_string(u):
    big = u.rt.to_string(u.rt.make_slice(goalloc.uint8, MIB))
    u.rt.write_pointer(u.root, big.str)
    u.rt.gc()
    u.read()
    cloned = u.rt.to_string(u.rt.append(u.rt.make_slice(goalloc.uint8, 0), n=16))
    u.rt.write_pointer(u.root, cloned.str)
    u.rt.gc()
    u.read()


def stack_that_was_deep(u):
    before = stat(u, "StackInuse")
    g = u.rt.go()
    for _ in range(1001):
        g.call(568)
    u.note(stat(u, "StackInuse") - before >> 10)
    g.exit()
    u.rt.gc(), u.rt.gc()
    u.note(stat(u, "StackInuse") - before >> 15)


def goroutines_that_wait(u):
    before = stat(u, "StackInuse")
    waiting = [u.rt.go() for _ in range(1024)]
    u.note(stat(u, "StackInuse") - before >> 20, u.rt.metrics()["/sched/goroutines:goroutines"])
    for g in waiting:
        g.exit()
    mallocs = stat(u, "Mallocs")
    for _ in range(1024):
        u.rt.go()
    u.note(stat(u, "Mallocs") - mallocs < 16)


def what_sys_is(u):
    for i in range(MANY):
        u.rt.write_pointer(u.many + 8 * i, u.fresh(i))
    keep(u, 3 * MIB)
    u.rt.gc()
    s = u.rt.memstats()
    u.note(
        s["Sys"] == sum(s[f"{name}Sys"] for name in ("Heap", "Stack", "MSpan", "MCache", "BuckHash", "GC", "Other")),
        s["HeapSys"] == s["HeapInuse"] + s["HeapIdle"], s["HeapReleased"] <= s["HeapIdle"], s["HeapAlloc"] <= s["HeapInuse"],
        s["Alloc"] == s["HeapAlloc"], s["Mallocs"] - s["Frees"] == s["HeapObjects"], s["TotalAlloc"] >= s["HeapAlloc"],
        s["NextGC"] >= s["HeapAlloc"], s["EnableGC"], not s["DebugGC"], s["Lookups"] == 0,
    )  # fmt: skip


def collection_statistics(u):
    u.rt.gc(), u.rt.free_os_memory()
    told, s = u.rt.gc_stats(3), u.rt.memstats()
    last, (least, middle, most) = (s["NumGC"] + 255) % 256, told["PauseQuantiles"]
    u.note(
        told["NumGC"] == s["NumGC"], told["LastGC"] == s["LastGC"], told["PauseEnd"][0] == told["LastGC"],
        len(told["Pause"]) == told["NumGC"], told["Pause"][0] == s["PauseNs"][last], s["PauseEnd"][last] == s["LastGC"],
        told["PauseTotal"] == s["PauseTotalNs"], least <= middle, middle <= most, s["LastGC"] > 10**18,
    )  # fmt: skip
    u.note(*u.now("NumGC", "NumForcedGC"))


SCENARIOS = {
    "free-os-memory-twice": free_os_memory_twice,
    "memory-comes-back-where-it-was": memory_comes_back,
    "every-other-large-object": every_other_large_object,
    "one-object-keeps-its-span": one_object_keeps_its_span,
    "what-size-classes-waste": what_size_classes_waste,
    "tiny-objects-share-blocks": tiny_objects_share_blocks,
    "a-queue-that-is-cut-from-the-front": queue_cut_from_the_front,
    "capacities-of-append": capacities_of_append,
    "a-map-filled-again": map_filled_again,
    "a-map-that-starts-over": map_that_starts_over,
    "part-of-a-string": part_of_a_string,
    "a-stack-that-was-deep": stack_that_was_deep,
    "goroutines-that-wait": goroutines_that_wait,
    "what-sys-is": what_sys_is,
    "collection-statistics": collection_statistics,
}

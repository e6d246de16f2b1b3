"""What the allocator's design buys, and how its memory goes back: the claims on mcache, mcentral, mheap, classes, stacks and RSS."""

import numpy as np

from goalloc import params as P
from goalloc.experiments import design
from goalloc.programs.storm import CACHES
from goalloc.sizeclasses import size_classes
from hwmem.programs.registry import parameter
from hwmem.experiments.experiment import Experiment, Figure, near, verdict

MANAGEMENT = "内存管理"
GO = "go内存管理"
PS = (1, 2, 4)
KIB = 1 << 10
DONTNEED, FREE = "madvdontneed=1 (1.16 on)", "madvdontneed=0 (1.12 to 1.15)"
KINDS = tuple(
    (n, "tiny" if n < 16 else "small" if n <= 32 * KIB else "large") for n in (1, 8, 15, 16, 1024, 32 * KIB, 32 * KIB + 1, 1 << 20)
)
OBJECT, OBJECTS = 32 * KIB, 256  # 8 MiB


def measure_levels(lab):
    rows = []
    for way in CACHES:
        for ps in PS:
            result = lab.run("alloc-storm", caches=way, gomaxprocs=ps, allocations=2_000)
            v = result.values
            rows.append([way, ps, result.cost, v["lock_waits"], v["lock_wait_cycles"] / v["operations"]])
    return rows


def judge_levels(table):
    own, shared = ([row for row in table.named() if row["caches"] == way] for way in CACHES)
    grown, waited = (rows[-1]["cycles each"] / rows[0]["cycles each"] for rows in (own, shared))
    return verdict(
        (grown <= 1.5, f"with a cache each, an allocation on {own[-1]['Ps']} Ps takes {grown:.1f} times as long as on one"),
        (waited >= 5, f"with one locked heap {waited:.1f} times"),
        (
            own[-1]["waited, each"] <= 0.01 * shared[-1]["waited, each"],
            f"there it waits {shared[-1]['waited, each']:,.0f} cycles for the lock, with caches {own[-1]['waited, each']:,.0f}",
        ),
    )


def measure_tiny(lab):
    _, rows = design.tiny(lab.seed, 4_000, lab.option("smallest"), lab.option("largest"))
    lab.tick()
    return rows


def judge_tiny(table):
    on, off = table.named()
    saved = 1 - on["objects of a span"] / off["objects of a span"]
    return verdict(
        (saved >= 0.25, f"{on['objects of a span']:,} blocks instead of {off['objects of a span']:,}"),
        (on["span bytes"] < off["span bytes"], f"{on['span bytes']:,} bytes of spans instead of {off['span bytes']:,}"),
        (on["cycles each"] < off["cycles each"], f"{on['cycles each']:.0f} cycles each instead of {off['cycles each']:.0f}"),
    )


def measure_kinds(lab):
    """Tiny: a byte that is allocated next lies in its block."""
    rt, pointers, rows = lab.runtime(gogc="off"), lab.option("pointers"), []
    for n, kind in KINDS:
        n = n + 7 & ~7 if pointers else n
        rt.memstats()  # which ends the tiny allocator's block
        address, byte = rt.mallocgc(n, noscan=not pointers), rt.mallocgc(1)
        span = rt.span_of(address)
        took = "large" if span["spanclass"] >> 1 == 0 else "tiny" if address >> 4 == byte >> 4 else "small"
        rows.append([n, kind, took, span["elemsize"], span["npages"]])
    lab.tick()
    return rows


def judge_kinds(table):
    rows = table.named()
    wrong = [row for row in rows if row["claimed"] != row["allocated as"]]
    said = [f"{row['bytes']:,} bytes are {row['allocated as']}" for row in (wrong or (rows[0], rows[3], rows[-3], rows[-2]))]
    return verdict((not wrong, ", ".join(said)))


def measure_classes(lab):
    rows = []
    for low, high in ((16, 128), (128, 1024), (1024, 8192), (8192, 32768)):
        rt, random = lab.runtime(gogc="off"), np.random.default_rng(lab.seed)
        sizes = np.exp(random.uniform(np.log(low), np.log(high), 1_000)).astype(np.int64)
        if lab.option("size"):
            sizes[:] = lab.option("size")
        before = rt.memstats()
        rt.malloc_many(sizes)
        after = rt.memstats()
        used = sum(now["Mallocs"] > was["Mallocs"] for now, was in zip(after["BySize"], before["BySize"]))
        slots = after["HeapAlloc"] - before["HeapAlloc"]
        rows.append([f"{low} to {high}", used, int(sizes.sum()), slots, 1 - float(sizes.sum()) / slots])
    lab.tick()
    return rows


def judge_classes(table):
    most, classes = max(table.column("wasted")), size_classes()
    return verdict(
        (most <= 0.15, f"in each range of sizes at most {most:.1%} is lost to rounding up to one of the {len(classes)} classes"),
        (len(classes) == 67 and classes[-1]["bytes"] == 32 * KIB, f"the largest is {classes[-1]['bytes']:,} bytes"),
    )


def measure_stack(lab):
    rt, rows = lab.runtime(gogc="off"), []
    g = rt.go()
    calls = 0
    for depth in (0, 4, 8, 16, 32, 64, 128):
        before, wanted = rt.machine.cycles(0), min(depth, lab.option("calls"))
        made = wanted - calls
        for _ in range(made):
            g.call(312)
        calls = wanted
        low, high = g.stack
        each = (rt.machine.cycles(0) - before) / made if made else None
        rows.append([calls, high - g.sp, high - low, each])
    lab.tick()
    return rows


def judge_stack(table):
    sizes = table.column("stack")
    powers = all(size & size - 1 == 0 for size in sizes)
    tight = all(used <= size <= max(4 * used, P.fixedStack) for used, size in zip(table.column("in use"), sizes))
    return verdict(
        (sizes[0] == P.fixedStack, f"it begins with {sizes[0]:,} bytes"),
        (sizes[-1] >= 8 * sizes[0], f"grows to {sizes[-1]:,}"),
        (powers and tight, "by doubling, and is never more than four times what is in use" if powers and tight else "but not by doubling"),
    )


def rss(rt):
    return rt.process.smaps_rollup()["Rss"] // KIB


def fill(rt):
    """8 MiB of objects that nothing keeps, each page written to."""
    for address in rt.malloc_many([OBJECT] * OBJECTS).tolist():
        rt.process.touch(address, OBJECT)


def measure_returning(lab):
    rows = []
    for name, setting in ((DONTNEED, 1), (FREE, 0)):
        if lab.option("madvdontneed") >= 0:
            setting = lab.option("madvdontneed")
        rt = lab.runtime(gogc="off", godebug=f"madvdontneed={setting}")
        start = rss(rt)
        fill(rt)
        full = rss(rt) - start
        rt.gc()
        collected = rss(rt) - start
        rt.free_os_memory()
        after, lazy = rss(rt) - start, rt.process.smaps_rollup()["LazyFree"] // KIB
        faults = rt.process.rusage().minflt
        fill(rt)
        rows.append([name, full, collected, after, lazy, rt.process.rusage().minflt - faults])
        lab.tick()
    return rows


def judge_returning(table):
    new, old = table.named()
    pages = OBJECT * OBJECTS // 4096
    return verdict(
        (new["collected"] >= 0.9 * new["full"], f"a collection leaves {new['collected']:,} of {new['full']:,} KiB"),
        (new["FreeOSMemory"] <= 0.1 * new["full"], f"FreeOSMemory {new['FreeOSMemory']:,} since Go 1.16"),
        (new["faults again"] >= 0.9 * pages, f"using that memory again takes {new['faults again']:,} faults"),
        (
            old["FreeOSMemory"] >= 0.9 * old["full"] and old["LazyFree"] >= 0.9 * old["full"],
            f"from 1.12 to 1.15 it left {old['FreeOSMemory']:,}, of which {old['LazyFree']:,} were LazyFree",
        ),
        (old["faults again"] <= 0.1 * pages, f"using it again takes {old['faults again']:,} faults there"),
    )


def measure_rss(lab):
    rt, rows = lab.runtime(gogc="off"), []

    def look(moment):
        s = rt.memstats()
        rows.append([moment, *(s[name] // KIB for name in ("HeapAlloc", "HeapInuse", "HeapIdle", "HeapReleased")), rss(rt)])

    look("at the start")
    fill(rt)
    look("8 MiB allocated")
    if lab.option("collect"):
        rt.gc()
    look("dropped and collected")
    if lab.option("collect"):
        rt.free_os_memory()
    look("after FreeOSMemory")
    lab.tick()
    return rows


def judge_rss(table):
    start, full, collected, freed = table.named()
    gap = collected["RSS"] - start["RSS"]
    idle = collected["HeapIdle"] - collected["HeapReleased"]
    unused = start["HeapIdle"] - start["HeapReleased"]
    return verdict(
        (collected["HeapAlloc"] <= 1.5 * start["HeapAlloc"], f"after the collection {collected['HeapAlloc']:,} KiB are live"),
        (gap >= 0.9 * (full["RSS"] - start["RSS"]), f"RSS stays {gap:,} KiB above what it was"),
        (near(idle - unused, gap, 0.1), f"{idle - unused:,} KiB are idle spans that the heap has not given back"),
        (freed["RSS"] <= start["RSS"] + 0.1 * gap, f"after FreeOSMemory RSS is {freed['RSS'] - start['RSS']:,} KiB above"),
    )


EXPERIMENTS = [
    Experiment(
        "alloc-storm",
        "A cache for each P takes the lock out of allocation: with one locked heap, processors wait for each other.",
        (MANAGEMENT, "分级分配: mcache, mcentral, mheap"),
        ("caches", "Ps", "cycles each", "lock waits", "waited, each"),
        measure_levels,
        judge_levels,
        "1.5 times for four Ps that share only mheap's lock, taken once a span; five times for a lock that four take at every allocation, since "
        "each waits for the three others and for the line's transfer",
        workloads=("alloc-storm",),
        figure=Figure("Ps", ("cycles each",), "cycles an allocation", True, "caches"),
    ),
    Experiment(
        "tiny-allocator",
        "The tiny allocator puts several objects of less than 16 bytes without pointers into one block.",
        (MANAGEMENT, "分级分配: 微对象"),
        ("tiny allocator", "objects of a span", "span bytes", "lines", "cycles each"),
        measure_tiny,
        judge_tiny,
        "a quarter of the blocks: with sizes spread evenly over 1 to 15, two objects in five find room in the current block",
        options={
            "smallest": parameter(1, "bytes of the smallest object", 1, P.maxSmallSize),
            "largest": parameter(P.maxTinySize - 1, "bytes of the largest", 1, P.maxSmallSize),
        },
        figure=Figure("tiny allocator", ("objects of a span",), "objects of a span"),
    ),
    Experiment(
        "object-kinds",
        "Objects below 16 bytes without pointers are tiny, up to 32 KiB small, and larger ones come from the page heap.",
        (MANAGEMENT, "分级分配: 微对象, 小对象, 大对象"),
        ("bytes", "claimed", "allocated as", "slot", "pages of its span"),
        measure_kinds,
        judge_kinds,
        "none: the span that an object lies in is exact",
        options={"pointers": parameter(False, "whether objects have pointers")},
        figure=Figure("bytes", ("slot",), "bytes of its slot", log=True, shape="bars"),
    ),
    Experiment(
        "return-memory",
        "Memory that Go gives back leaves RSS at once since 1.16 (DONTNEED); from 1.12 to 1.15 (FREE) RSS stayed.",
        (MANAGEMENT, "归还内存"),
        ("GODEBUG", "full", "collected", "FreeOSMemory", "LazyFree", "faults again"),
        measure_returning,
        judge_returning,
        "a tenth of the 8 MiB: the runtime's own structures grow too, and spans that are in use stay; KiB above the start",
        options={"madvdontneed": parameter(-1, "for both rows; -1: each its own", -1, 1)},
        figure=Figure("GODEBUG", ("full", "collected", "FreeOSMemory"), "KiB resident above the start"),
    ),
    Experiment(
        "rss-above-heap",
        "RSS stays above the live heap: what a collection frees is idle in the heap, and still the process's until it is given back.",
        (MANAGEMENT, "归还内存"),
        ("moment", "HeapAlloc", "HeapInuse", "HeapIdle", "HeapReleased", "RSS"),
        measure_rss,
        judge_rss,
        "a tenth of what was allocated, for the runtime's own structures; in KiB",
        options={"collect": parameter(True, "whether anything is collected")},
        figure=Figure("moment", ("HeapAlloc", "HeapIdle", "RSS"), "KiB"),
    ),
    Experiment(
        "stack-growth",
        "A goroutine's stack starts at 2 KiB and is copied to one twice as large when a call needs more.",
        (MANAGEMENT, "go语言的堆栈和传统上的堆栈的区别"),
        ("calls", "in use", "stack", "cycles a call"),
        measure_stack,
        judge_stack,
        "sizes are exact; a stack that has grown is twice what was in use and the guard of 928 bytes, so less than four times what is in use",
        options={"calls": parameter(128, "calls at most", 0, 1_000)},
        figure=Figure("calls", ("in use", "stack"), "bytes"),
    ),
    Experiment(
        "size-classes",
        "Size classes lose little memory to rounding, and nothing to holes between objects.",
        (GO, "mspan: 内部碎片"),
        ("sizes", "classes", "requested", "in slots", "wasted"),
        measure_classes,
        judge_classes,
        "15 %: above 128 bytes the classes are at most an eighth apart (mksizeclasses.go), so half a step is lost on average; below, they are 16 "
        "bytes apart",
        options={"size": parameter(0, "bytes of every object; 0: spread", 0, P.maxSmallSize)},
        figure=Figure("sizes", ("wasted",), "part of the slots' bytes that nobody requested"),
    ),
]

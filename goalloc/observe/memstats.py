"""runtime.MemStats from the counters in emulated memory, and what a span's fields say. Read as a debugger reads.

Go: mstats.go readmemstats_m, mgcpacer.go heapGoalInternal.
"""

import struct

from goalloc.layout import consistentHeapStats, fixalloc, gcControllerState, heapStatsDelta, mheap, mspan, mstats, sizes_of, variables as V
from goalloc.params import numSizeClasses
from goalloc.sizeclasses import class_to_size

SIGN = 1 << 63
HEADROOM_PERCENT, MIN_HEADROOM = 3, 1 << 20
MIN_RUNWAY, NOT_TRIGGERED = 64 << 10, 2 * SIGN - 1  # of a cycle that runs, whose goal has been lowered
PAUSES_KEPT = 256  # the latest ones
BY_SIZE = 61  # classes that MemStats has room for
SYS_COUNTERS = {
    "MSpanSys": mstats.mspan_sys,
    "MCacheSys": mstats.mcache_sys,
    "BuckHashSys": mstats.buckhash_sys,
    "GCSys": mstats.gcMiscSys,
    "OtherSys": mstats.other_sys,
}
STATES = ("dead", "in use", "manual")


def signed(word):
    return word - 2 * SIGN if word & SIGN else word


def controller(look):
    """gcController's counters, by name."""
    names = (
        "memoryLimit",
        "gcPercentHeapGoal",
        "sweepDistMinTrigger",
        "triggered",
        "heapLive",
        "heapMarked",
        "heapInUse",
        "heapReleased",
        "heapFree",
        "totalAlloc",
        "totalFree",
        "mappedReady",
    )
    return {name: look.word(V.gcController + getattr(gcControllerState, name)) for name in names}


def heap_stats(look):
    """The three deltas summed up, by field; counts by size class are lists."""
    total = [0] * (heapStatsDelta.sizeof // 8)
    for k in range(3):
        words = look.words(V.memstats + consistentHeapStats.stats + k * heapStatsDelta.sizeof, len(total))
        total = [signed(a + b & 2 * SIGN - 1) for a, b in zip(total, words)]
    fields = {name: at for name, at in vars(heapStatsDelta).items() if isinstance(at, int) and name != "sizeof"}
    return {name: total[at // 8 : at // 8 + numSizeClasses] if name.startswith("small") else total[at // 8] for name, at in fields.items()}


def heap_goal(c):
    """Go: heapGoalInternal and memoryLimitHeapGoal."""
    non_heap = c["mappedReady"] - c["heapFree"] - (c["totalAlloc"] - c["totalFree"])
    overage = max(c["mappedReady"] - c["memoryLimit"], 0)
    if non_heap + overage >= c["memoryLimit"]:
        limited = c["heapMarked"]
    else:
        goal = c["memoryLimit"] - non_heap - overage
        headroom = max(goal // 100 * HEADROOM_PERCENT, MIN_HEADROOM)
        limited = max(goal - headroom if goal >= 2 * headroom else headroom, c["heapMarked"])
    if limited < c["gcPercentHeapGoal"]:
        return limited
    goal = max(c["gcPercentHeapGoal"], c["sweepDistMinTrigger"])
    return max(goal, c["triggered"] + MIN_RUNWAY) if c["triggered"] != NOT_TRIGGERED else goal


def read_memstats(look):
    """runtime.MemStats as a dict, all its fields. The mcaches have been flushed."""
    s, c = heap_stats(look), controller(look)
    counter = lambda name, size=8: look.word(V.memstats + getattr(mstats, name), size)  # noqa: E731
    small_bytes = lambda counts: sum(n * size for n, size in zip(counts, class_to_size))  # noqa: E731
    total, freed = s["largeAlloc"] + small_bytes(s["smallAllocCount"]), s["largeFree"] + small_bytes(s["smallFreeCount"])
    mallocs = s["largeAllocCount"] + sum(s["smallAllocCount"]) + s["tinyAllocCount"]
    frees = s["largeFreeCount"] + sum(s["smallFreeCount"]) + s["tinyAllocCount"]
    heap = {
        "HeapAlloc": total - freed,
        "HeapSys": c["heapInUse"] + c["heapFree"] + c["heapReleased"],
        "HeapIdle": c["heapFree"] + c["heapReleased"],
        "HeapInuse": c["heapInUse"],
        "HeapReleased": c["heapReleased"],
        "HeapObjects": mallocs - frees,
    }
    outside = {
        "StackInuse": s["inStacks"],
        "StackSys": s["inStacks"] + counter("stacks_sys"),
        "MSpanInuse": look.word(V.mheap_ + mheap.spanalloc + fixalloc.inuse),
        "MSpanSys": counter("mspan_sys"),
        "MCacheInuse": look.word(V.mheap_ + mheap.cachealloc + fixalloc.inuse),
        "MCacheSys": counter("mcache_sys"),
        "BuckHashSys": counter("buckhash_sys"),
        "GCSys": counter("gcMiscSys") + s["inWorkBufs"] + s["inPtrScalarBits"],
        "OtherSys": counter("other_sys"),
    }
    collector = {
        "NextGC": heap_goal(c),
        "LastGC": counter("last_gc_unix"),
        "PauseTotalNs": counter("pause_total_ns"),
        "PauseNs": list(look.words(V.memstats + mstats.pause_ns, PAUSES_KEPT)),
        "PauseEnd": list(look.words(V.memstats + mstats.pause_end, PAUSES_KEPT)),
        "NumGC": counter("numgc", 4),
        "NumForcedGC": counter("numforcedgc", 4),
        "GCCPUFraction": as_float(counter("gc_cpu_fraction")),
        "EnableGC": True,
        "DebugGC": False,
    }
    return {
        "Alloc": total - freed,
        "TotalAlloc": total,
        "Sys": heap["HeapSys"] + sum(n for name, n in outside.items() if name.endswith("Sys")),
        "Lookups": 0,
        "Mallocs": mallocs,
        "Frees": frees,
        **heap,
        **outside,
        **collector,
        "BySize": [
            {"Size": size, "Mallocs": a, "Frees": f} for size, a, f in zip(class_to_size, s["smallAllocCount"], s["smallFreeCount"])
        ][:BY_SIZE],
    }


def read_gc_stats(look, quantiles):
    """debug.GCStats as a dict; nanoseconds. Go: readGCStats_m, debug/garbage.go ReadGCStats."""
    number = look.word(V.memstats + mstats.numgc, 4)
    pauses, ends = (look.words(V.memstats + at, PAUSES_KEPT) for at in (mstats.pause_ns, mstats.pause_end))
    latest = [(number - 1 - i) % PAUSES_KEPT for i in range(min(number, PAUSES_KEPT))]
    ordered = sorted(pauses[i] for i in latest) or [0]
    parts = [len(ordered) * i // (quantiles - 1) for i in range(quantiles - 1)]
    return {
        "LastGC": look.word(V.memstats + mstats.last_gc_unix),
        "NumGC": number,
        "PauseTotal": look.word(V.memstats + mstats.pause_total_ns),
        "Pause": [pauses[i] for i in latest],
        "PauseEnd": [ends[i] for i in latest],
        "PauseQuantiles": [ordered[i] for i in parts] + ordered[-1:] * (quantiles > 0),
    }


def as_float(word):
    return struct.unpack("<d", word.to_bytes(8, "little"))[0]


SPAN_FIELDS = (
    "startAddr",
    "npages",
    "elemsize",
    "nelems",
    "spanclass",
    "freeindex",
    "freeIndexForScan",
    "allocCount",
    "sweepgen",
    "state",
    "needzero",
    "limit",
    "allocCache",
    "allocBits",
    "gcmarkBits",
    "divMul",
    "allocCountBeforeCache",
    "isUserArenaChunk",
)


def span_format():
    """What takes SPAN_FIELDS out of an mspan's bytes, in the order in which they lie there."""
    sizes, format, end = sizes_of("mspan"), "<", 0
    for name in SPAN_PLACES:
        at = getattr(mspan, name)
        format += f"{at - end}x{'BHIQ'[sizes[name].bit_length() - 1]}"  # of 1, 2, 4, 8 bytes
        end = at + sizes[name]
    return struct.Struct(f"{format}{mspan.sizeof - end}x")


SPAN_PLACES = sorted(SPAN_FIELDS, key=lambda name: getattr(mspan, name))
SPAN = span_format()


def read_span(look, s):
    """The fields of the mspan at `s`; startAddr also as "base"."""
    fields = dict.fromkeys(SPAN_FIELDS, 0)
    fields.update(zip(SPAN_PLACES, SPAN.unpack(look.read(s, mspan.sizeof))))
    return fields | {"base": fields["startAddr"], "address": s}

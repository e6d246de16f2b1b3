"""runtime.MemStats from the counters in emulated memory, and what a span's fields say. Read as a debugger reads.

Go: mstats.go readmemstats_m, mgcpacer.go heapGoalInternal.
"""
from goalloc.layout import (consistentHeapStats, fixalloc, gcControllerState, heapStatsDelta, mheap, mspan, mstats, sizes_of,
                            variables as V)
from goalloc.params import numSizeClasses
from goalloc.sizeclasses import class_to_size

SIGN = 1 << 63
HEADROOM_PERCENT, MIN_HEADROOM = 3, 1 << 20
SYS_COUNTERS = {"MSpanSys": mstats.mspan_sys, "MCacheSys": mstats.mcache_sys, "BuckHashSys": mstats.buckhash_sys,
                "GCSys": mstats.gcMiscSys, "OtherSys": mstats.other_sys}
STATES = ("dead", "in use", "manual")


def signed(word):
    return word - 2 * SIGN if word & SIGN else word


def controller(look):
    """gcController's counters, by name."""
    names = ("memoryLimit", "gcPercentHeapGoal", "sweepDistMinTrigger", "triggered", "heapLive", "heapMarked", "heapInUse",
             "heapReleased", "heapFree", "totalAlloc", "totalFree", "mappedReady")
    return {name: look.word(V.gcController + getattr(gcControllerState, name)) for name in names}


def heap_stats(look):
    """The three deltas summed up, by field; counts by size class are lists."""
    total = [0] * (heapStatsDelta.sizeof // 8)
    for k in range(3):
        words = look.words(V.memstats + consistentHeapStats.stats + k * heapStatsDelta.sizeof, len(total))
        total = [signed(a + b & 2 * SIGN - 1) for a, b in zip(total, words)]
    fields = {name: at for name, at in vars(heapStatsDelta).items() if isinstance(at, int) and name != "sizeof"}
    return {name: total[at // 8:at // 8 + numSizeClasses] if name.startswith("small") else total[at // 8]
            for name, at in fields.items()}


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
    return max(c["gcPercentHeapGoal"], c["sweepDistMinTrigger"])


def read_memstats(look):
    """MemStats as a dict, BySize included. The mcaches have been flushed."""
    s, c = heap_stats(look), controller(look)
    small_bytes = lambda counts: sum(n * size for n, size in zip(counts, class_to_size))      # noqa: E731
    total, freed = s["largeAlloc"] + small_bytes(s["smallAllocCount"]), s["largeFree"] + small_bytes(s["smallFreeCount"])
    mallocs = s["largeAllocCount"] + sum(s["smallAllocCount"]) + s["tinyAllocCount"]
    frees = s["largeFreeCount"] + sum(s["smallFreeCount"]) + s["tinyAllocCount"]
    stats = {"Alloc": total - freed, "TotalAlloc": total, "Mallocs": mallocs, "Frees": frees, "HeapAlloc": total - freed,
             "HeapSys": c["heapInUse"] + c["heapFree"] + c["heapReleased"], "HeapIdle": c["heapFree"] + c["heapReleased"],
             "HeapInuse": c["heapInUse"], "HeapReleased": c["heapReleased"], "HeapObjects": mallocs - frees,
             "StackInuse": s["inStacks"], "StackSys": s["inStacks"] + look.word(V.memstats + mstats.stacks_sys),
             "MSpanInuse": look.word(V.mheap_ + mheap.spanalloc + fixalloc.inuse),
             "MCacheInuse": look.word(V.mheap_ + mheap.cachealloc + fixalloc.inuse)}
    stats |= {name: look.word(V.memstats + at) for name, at in SYS_COUNTERS.items()}
    stats["GCSys"] += s["inWorkBufs"] + s["inPtrScalarBits"]
    stats["Sys"] = stats["HeapSys"] + stats["StackSys"] + sum(stats[name] for name in SYS_COUNTERS)
    stats["NextGC"] = heap_goal(c)
    stats["BySize"] = [{"Size": size, "Mallocs": a, "Frees": f}
                       for size, a, f in zip(class_to_size, s["smallAllocCount"], s["smallFreeCount"])]
    return stats


SPAN_SIZES = sizes_of("mspan")
SPAN_FIELDS = ("startAddr", "npages", "elemsize", "nelems", "spanclass", "freeindex", "freeIndexForScan", "allocCount", "sweepgen",
               "state", "needzero", "limit", "allocCache", "allocBits", "gcmarkBits", "divMul", "allocCountBeforeCache",
               "isUserArenaChunk")


def read_span(look, s):
    """The fields of the mspan at `s`; startAddr also as "base"."""
    data = look.read(s, mspan.sizeof)
    fields = {}
    for name in SPAN_FIELDS:
        at = getattr(mspan, name)
        fields[name] = int.from_bytes(data[at:at + SPAN_SIZES[name]], "little")
    return fields | {"base": fields["startAddr"], "address": s}

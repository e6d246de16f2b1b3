"""runtime/metrics: the names of what is modelled, and the value of each. Read as a debugger reads: unlike MemStats it flushes nothing.

A name ends with its unit. A histogram is a dict, as metrics.Float64Histogram: "counts", and one more of "buckets", each the least of what a count
is of. NOT_MODELLED are the names of Go's that are left out. Go: metrics.go, histogram.go.
"""

import bisect
import math

from goalloc.constants import timeHistMaxBucketBits, timeHistMinBucketBits, timeHistSubBucketBits
from goalloc.layout import cpuStats, fixalloc, gcCPULimiterState, gcControllerState, mheap, mstats, workType, variables as V
from goalloc.observe.memstats import controller, heap_goal, heap_stats
from goalloc.sizeclasses import class_to_size

CPU_CLASSES = {
    "gc/mark/assist": "gcAssistTime",
    "gc/mark/dedicated": "gcDedicatedTime",
    "gc/mark/idle": "gcIdleTime",
    "gc/pause": "gcPauseTime",
    "gc/total": "gcTotalTime",
    "idle": "idleTime",
    "scavenge/assist": "scavengeAssistTime",
    "scavenge/background": "scavengeBgTime",
    "scavenge/total": "scavengeTotalTime",
    "total": "totalTime",
    "user": "userTime",
}
NOT_MODELLED = ("/sched/latencies:seconds", "/sync/mutex/wait/total:seconds", "/godebug/non-default-behavior/")  # the last: what begins so


def read_metrics(look, pauses, goroutines):
    """{name: value}; seconds are floats, histograms dicts, all else ints. `pauses`: nanoseconds that the world stood still, each time."""
    counts = {"/cgo/go-to-c-calls:calls": 0, "/gc/pauses:seconds": of_times(pauses), "/sched/goroutines:goroutines": goroutines}
    return cpu(look) | collections(look) | heap(look) | memory(look) | counts


def of_times(times):
    """A timeHistogram of nanoseconds: below 0, then four buckets for each power of two from 2^8 (the first four from 0), then from 2^47."""
    most, parts, low = timeHistMaxBucketBits - 1, 1 << timeHistSubBucketBits, timeHistMinBucketBits - 1
    begins = [part << low - timeHistSubBucketBits for part in range(parts)]
    begins += [(parts + part) << bit - timeHistSubBucketBits for bit in range(low, most) for part in range(parts)]
    begins.append(1 << most)
    counts = [0] * (len(begins) + 1)
    for ns in times:
        counts[bisect.bisect_right(begins, ns)] += 1
    return {"counts": counts, "buckets": [-math.inf, *(ns / 1e9 for ns in begins), math.inf]}


def cpu(look):
    """CPU time up to the last collection, as the runtime estimates it."""
    return {
        f"/cpu/classes/{name}:cpu-seconds": signed(look.word(V.work + workType.cpuStats + getattr(cpuStats, field))) / 1e9
        for name, field in CPU_CLASSES.items()
    }


def signed(word):
    return word - (1 << 64) if word >> 63 else word


def collections(look):
    total, forced = look.word(V.memstats + mstats.numgc, 4), look.word(V.memstats + mstats.numforcedgc, 4)
    state = {
        name: look.word(V.gcController + getattr(gcControllerState, name))
        for name in ("heapScan", "lastStackScan", "globalsScan", "heapMarked", "memoryLimit")
    }
    scans = {"heap": state["heapScan"], "stack": state["lastStackScan"], "globals": state["globalsScan"]}
    percent = look.word(V.gcController + gcControllerState.gcPercent, 4)
    return {
        "/gc/cycles/automatic:gc-cycles": total - forced,
        "/gc/cycles/forced:gc-cycles": forced,
        "/gc/cycles/total:gc-cycles": total,
        "/gc/heap/goal:bytes": heap_goal(controller(look)),
        "/gc/heap/live:bytes": state["heapMarked"],
        "/gc/gomemlimit:bytes": state["memoryLimit"],
        "/gc/gogc:percent": percent if percent < 1 << 31 else (1 << 64) - 1,
        **{f"/gc/scan/{name}:bytes": n for name, n in scans.items()},
        "/gc/scan/total:bytes": sum(scans.values()),
        "/gc/limiter/last-enabled:gc-cycle": look.word(V.gcCPULimiter + gcCPULimiterState.lastEnabledCycle, 4),
        "/gc/stack/starting-size:bytes": look.word(V.startingStackSize, 4),
        "/sched/gomaxprocs:threads": look.word(V.gomaxprocs, 4),
    }


def of_heap(s, what):
    """(objects, bytes) of heapStats' counts of what was allocated ("Alloc") or freed ("Free"); tiny ones as the blocks they are in."""
    small = s[f"small{what}Count"]
    return s[f"large{what}Count"] + sum(small), s[f"large{what}"] + sum(n * size for n, size in zip(small, class_to_size))


def by_size(s, what):
    """heapStats' counts by size class, large objects last. A class has all sizes above the one before, up to its own."""
    return {
        "counts": [*s[f"small{what}Count"][1:], s[f"large{what}Count"]],
        "buckets": [1.0, *(n + 1.0 for n in class_to_size[1:]), math.inf],
    }


def heap(look):
    s = heap_stats(look)
    (allocs, allocated), (frees, freed) = of_heap(s, "Alloc"), of_heap(s, "Free")
    in_use = s["inHeap"] + s["inStacks"] + s["inWorkBufs"] + s["inPtrScalarBits"]
    return {
        "/gc/heap/allocs-by-size:bytes": by_size(s, "Alloc"),
        "/gc/heap/allocs:bytes": allocated,
        "/gc/heap/allocs:objects": allocs,
        "/gc/heap/frees-by-size:bytes": by_size(s, "Free"),
        "/gc/heap/frees:bytes": freed,
        "/gc/heap/frees:objects": frees,
        "/gc/heap/objects:objects": allocs - frees,
        "/gc/heap/tiny/allocs:objects": s["tinyAllocCount"],
        "/memory/classes/heap/free:bytes": s["committed"] - in_use,
        "/memory/classes/heap/objects:bytes": allocated - freed,
        "/memory/classes/heap/released:bytes": s["released"],
        "/memory/classes/heap/stacks:bytes": s["inStacks"],
        "/memory/classes/heap/unused:bytes": s["inHeap"] - (allocated - freed),
    }


def memory(look):
    """The runtime's own, and the sum of all: what the process has from the kernel."""
    s = heap_stats(look)
    sys = {
        name: look.word(V.memstats + getattr(mstats, name))
        for name in ("stacks_sys", "mspan_sys", "mcache_sys", "buckhash_sys", "gcMiscSys", "other_sys")
    }
    spans, caches = (look.word(V.mheap_ + at + fixalloc.inuse) for at in (mheap.spanalloc, mheap.cachealloc))
    classes = {
        "metadata/mcache/free": sys["mcache_sys"] - caches,
        "metadata/mcache/inuse": caches,
        "metadata/mspan/free": sys["mspan_sys"] - spans,
        "metadata/mspan/inuse": spans,
        "metadata/other": s["inWorkBufs"] + s["inPtrScalarBits"] + sys["gcMiscSys"],
        "os-stacks": sys["stacks_sys"],
        "other": sys["other_sys"],
        "profiling/buckets": sys["buckhash_sys"],
        "total": s["committed"] + s["released"] + sum(sys.values()),
    }
    return {f"/memory/classes/{name}:bytes": n for name, n in classes.items()}

"""What the allocator's design buys, one table an experiment: `goalloc experiment NAME`.

    tiny             16-byte blocks for objects of 1 to 15 bytes without pointers, against classes of 8 and 16 bytes
    waste            a span of every class filled with the smallest objects that go there
    fragmentation    spans of some lengths, half of them freed: what is left in runs that are long enough
    large            the same bytes as small and as large objects
    caches           per-P caches against one locked heap, 1 to 16 Ps
    lost-objects     what each write barrier keeps of three ways to hide an object (barriers.py)
    barriers         cycles of a pointer's store, with each write barrier
    publication      what Go's own fences are for: objects seen before they are cleared, the barrier's flag seen as it was (publication.py)
    linear           one stream of sizes, from size classes and from a pointer that only moves on (a bump allocator)

Each function returns (columns, rows). "lines": distinct lines of 64 bytes that the objects lie on.
"""

import numpy as np

from hwmem._jit import kernel
from hwmem.core.access import load64, store32, store64
from hwmem.core.service import drain_all
from hwmem.config.machine import MachineConfig
from goalloc import params as P
from goalloc.experiments import barriers, publication
from goalloc.layout import g_, m_, mspan, p_
from goalloc.heap.malloc import mallocgc, small
from goalloc.programs import run
from goalloc.programs.storm import CACHES
from goalloc.runtime.runtime import Runtime
from goalloc.sizeclasses import class_to_size, size_classes

GO, CLASSES, LINEAR = range(3)
CLASS_COLUMNS = ["class", "object", "requested", "span", "objects", "waste", "recorded maximum"]


@kernel
def allocate_stream(m, t, sizes, addresses, way, linear):
    """Objects of `sizes` bytes without pointers, by mallocgc, by it without the tiny allocator, or from the address `linear` on;
    each is written once. The cycles it took."""
    core = m.core[m.thread[t].core]
    start = core.cycles
    for i in range(len(sizes)):
        if way == LINEAR:
            x, linear = linear, linear + (sizes[i] + 7 & ~7)
        else:
            x = mallocgc(m, t, sizes[i], 0) if way == GO else malloc_by_class(m, t, sizes[i])
        if x == 0:
            break
        addresses[i] = x
        store64(m, t, x & ~7, i)
    drain_all(m, core.id)
    return core.cycles - start


@kernel
def malloc_by_class(m, t, size):
    """mallocgc of a small object without pointers, as if there were no tiny allocator."""
    mp = load64(m, t, m.thread[t].guest[P.G] + g_.m)
    c = load64(m, t, load64(m, t, mp + m_.p) + p_.mcache)
    store32(m, t, mp + m_.mallocing, 1)
    x = small(m, t, c, size, 0, True)
    store32(m, t, mp + m_.mallocing, 0)
    return x


def stream(sizes, way):
    """(addresses, cycles an object, bytes taken from the heap or the region) of one stream in a program of its own."""
    rt = Runtime(gomaxprocs=1)
    before, addresses = rt.memstats()["HeapInuse"], np.zeros(len(sizes), np.int64)
    region = rt.process.mmap(0, int(sizes.sum()) + 8 * len(sizes)) if way == LINEAR else 0
    cycles = rt._run(0, allocate_stream, sizes, addresses, way, region)
    taken = int(addresses[-1]) + int(sizes[-1]) - region if way == LINEAR else rt.memstats()["HeapInuse"] - before
    return addresses, cycles / len(sizes), taken


def lines(addresses, sizes):
    first, last = addresses >> 6, addresses + sizes - 1 >> 6
    return len(np.unique(np.concatenate([first, last])))  # for objects of at most two lines


def tiny(seed=0, objects=20_000, smallest=1, largest=P.maxTinySize - 1):
    sizes = np.random.default_rng(seed).integers(smallest, largest + 1, objects)
    rows = []
    for name, way in (("on", GO), ("off", CLASSES)):
        addresses, cycles, taken = stream(sizes, way)
        blocks = len(np.unique(addresses >> 4)) if way == GO else objects
        rows.append([name, blocks, taken, lines(addresses, sizes), round(cycles, 1)])
    return ["tiny allocator", "objects of a span", "span bytes", "lines", "cycles each"], rows


def waste(seed=0):
    """`seed` changes nothing."""
    rt, rows, requested = Runtime(gomaxprocs=1), [], 1
    for row in size_classes():
        size, n = row["bytes"], row["objects"]
        addresses = np.zeros(n, np.int64)
        rt._run(0, allocate_stream, np.full(n, requested), addresses, CLASSES, 0)
        held = sum({s["base"]: s["npages"] * P.pageSize for s in map(rt.span_of, addresses.tolist())}.values())
        rows.append([row["class"], size, requested, held, n, f"{1 - n * requested / held:.2%}", f"{row['max waste']:.2%}"])
        requested = size + 1
    return CLASS_COLUMNS, rows


def fragmentation(seed=0, pages=16_000):
    rows = []
    for longest in (1, 2, 4, 8, 16):
        rng, rt, spans, left = np.random.default_rng(seed), Runtime(gomaxprocs=1), [], pages
        while left > 0:
            n = int(rng.integers(1, longest + 1))
            s = rt.call(0, P.DOOR_ALLOC_SPAN, n, P.spanAllocStack, 0)
            spans.append((rt.process.load(s + mspan.startAddr) >> P.pageShift, n, s))
            left -= n
        free = []
        for i in rng.permutation(len(spans))[: len(spans) // 2]:
            start, n, s = spans[i]
            rt.call(0, P.DOOR_ALLOC_SPAN, 0, P.spanAllocStack, s)
            free += range(start, start + n)
        free = np.sort(free)
        runs = np.diff(np.flatnonzero(np.r_[True, np.diff(free) > 1, True]))
        unusable = [f"{runs[runs < want].sum() / len(free):.1%}" for want in (2, 4, 16)]
        rows.append([f"1-{longest}" if longest > 1 else "1", len(spans), len(free), int(runs.max()), *unusable])
    return ["pages a span", "spans", "free pages", "longest run", "too short for 2", "for 4", "for 16"], rows


def large(seed=0, total=8 << 20):
    """`seed` changes nothing."""
    rows = []
    for size in (64, 1024, 8192, 32768, 32769, 65536, 1 << 20):
        rt = Runtime(gomaxprocs=1)
        before, n = rt.memstats()["HeapInuse"], total // size
        rt.malloc_many([size] * n)
        taken, cycles = rt.memstats()["HeapInuse"] - before, rt.cycles_of("mallocgc")["each"]
        rows.append([size, n, taken, round(cycles, 1), round(cycles * 1024 / size, 2)])
    return ["object", "objects", "span bytes", "cycles each", "cycles a KiB"], rows


def linear(seed=0, objects=20_000):
    sizes = np.clip(np.random.default_rng(seed).lognormal(np.log(48), 1, objects), 16, class_to_size[-1]).astype(np.int64)
    rows = []
    for name, way in (("segregated fit", GO), ("linear", LINEAR)):
        addresses, cycles, taken = stream(sizes, way)
        rows.append([name, int(sizes.sum()), taken, f"{taken / sizes.sum() - 1:.1%}", round(cycles, 1)])
    return ["allocator", "requested bytes", "bytes taken", "more by", "cycles each"], rows


def caches(seed=0, allocations=10_000):
    """Every P allocates 16 bytes at a time; "lines" came from another core's cache, where they had been written."""
    config, rows = MachineConfig().replace(cores=16), []
    for way in CACHES:
        for ps in (1, 2, 4, 8, 16):
            r = run("alloc-storm", config, seed, c2c=False, gomaxprocs=ps, allocations=allocations, caches=way)
            lines = sum(core["interventions_hit_modified"] for core in r.counters["cores"])
            rows.append(
                [
                    way,
                    ps,
                    round(r.values["operations"] / r.seconds / 1e6, 1),
                    round(r.cost, 1),
                    r.values["lock_waits"],
                    round(r.values["lock_wait_cycles"] / r.values["operations"], 1),
                    lines,
                ]
            )
    return ["caches", "Ps", "million a second", "cycles each", "lock waits", "cycles waited, each", "lines"], rows


EXPERIMENTS = (
    barriers.EXPERIMENTS
    | publication.EXPERIMENTS
    | {
        "tiny": tiny,
        "waste": waste,
        "fragmentation": fragmentation,
        "large": large,
        "linear": linear,
        "caches": caches,
    }
)

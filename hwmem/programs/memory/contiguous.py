"""segments-pages: the same requests for memory served by segments alone, and by pages.

    segments   a request gets one contiguous piece of physical memory: the first hole that is large enough, the one that
               fits best, or the largest. Where enough is free but no hole is large enough, everything is moved together
               (compaction), which costs a load and a store for each 8 bytes.
    pages      a request gets as many frames as it takes, wherever they are (mmap, faults, munmap)

    external fragmentation   1 - largest hole / free memory, before each request: what is free and of no use
    internal fragmentation   bytes of frames beyond the requests / bytes of frames
    map                      what describes where things are, at its largest: 8 bytes a segment (its descriptor), page tables

Requests have sizes spread evenly over their logarithms and exponential lifetimes, such that `load` percent of memory is
in use on average; a request beyond what is free is refused. First and last word of each piece are its number: they are
looked at when it is freed. The search for a hole costs no cycles, nor does keeping the list.
"""

import numpy as np

from hwmem import params as P
from hwmem.kernels import finish, is_over, kernel, load64, mmap, munmap, next_thread, store64
from hwmem.programs import meter
from hwmem.programs.registry import grid, parameter, workload

WAYS = ("first fit", "best fit", "worst fit", "pages")
FIRST, BEST, WORST, PAGES = range(4)
SMALLEST, LARGEST = 256, 64 << 10  # bytes of a request
MOST = 4096  # requests
DESCRIPTOR = 8
REFUSED, COMPACTED, MOVED, EXTERNAL, INTERNAL, MAP, SPOILT = range(7)  # columns of w.figures
MILLION = 1_000_000
RANK, ROW, NEXT = range(3)  # a thread's registers


def requests(random, n, memory, load):
    """Sizes of `n` requests, bytes, and the number of the request before which each is freed."""
    sizes = np.exp(random.uniform(np.log(SMALLEST), np.log(LARGEST), n)).astype(np.int64) // 8 * 8
    mean = (LARGEST - SMALLEST) / np.log(LARGEST / SMALLEST)
    lives = random.exponential(memory * load / 100 / mean, n).astype(np.int64)
    return sizes, np.arange(n) + 1 + lives


def place(w, space):
    w.sizes, w.ends = np.zeros(MOST, np.int64), np.zeros(MOST, np.int64)
    w.sizes[: w.requests], w.ends[: w.requests] = requests(space.random, w.requests, w.memory, w.load)
    w.start = space.map("memory", w.memory)
    w.at, w.owner = np.zeros(MOST, np.int64), np.zeros(MOST, np.int64)  # pieces in use: address, request; by address
    w.live = w.used = w.tables = 0  # pieces; bytes, in whole frames where they are pages; tables at the start
    w.figures = np.zeros((len(WAYS), 7), np.int64)
    meter.place(w, len(WAYS))


def read(w, space):
    f, cycles = w.figures, w.cost[:, meter.CYCLES]
    rows = [
        [
            *row[:2],
            f"{row[MOVED] >> 10:,}K",
            f"{row[EXTERNAL] / w.requests / MILLION:.1%}",
            f"{row[INTERNAL] / w.requests / MILLION:.1%}",
            int(row[MAP]),
            c / w.requests,
        ]
        for row, c in zip(f, cycles)
    ]
    return {
        "spoilt": f[:, SPOILT].sum(),
        "refused": f[:, REFUSED],
        "compactions": f[:, COMPACTED],
        "moved": f[:, MOVED],
        "external": f[:, EXTERNAL] / w.requests / MILLION,
        "internal": f[:, INTERNAL] / w.requests / MILLION,
        "map": f[:, MAP],
        "cycles": cycles,
        "operations": len(WAYS) * w.requests,
        "grid": grid(
            "the same requests, served by segments alone and by pages",
            "",
            WAYS,
            None,
            ["refused", "compactions", "moved", "external", "internal", "map bytes", "cycles a request"],
            rows,
        ),
    }


@workload(
    "segments-pages",
    "the same requests served by contiguous segments (first, best, worst fit) and by pages: fragmentation",
    setup=place,
    values=read,
    operation="request",
    needs_mmu=True,
    memory=parameter("2MiB", "bytes of memory to hand out", 1 << 20, 1 << 26),
    requests=parameter(2000, "requests", 1, MOST),
    load=parameter(80, "percent of memory in use on average", 1, 200),
)
def segments_pages(m, w):
    while True:
        t = next_thread(m)
        if t < 0:
            return
        r = m.thread[t].local
        if r[NEXT] == 0:
            w.live = w.used = 0
            w.tables = m.process[m.thread[t].process].table_pages
        meter.begin(m, t, w)
        free_those_due(m, t, w, r[ROW], r[NEXT])
        note(m, t, w, r[ROW])
        serve(m, t, w, r[ROW], r[NEXT])
        meter.end(m, t, w, r[ROW])
        r[NEXT] += 1
        if r[NEXT] == w.requests:
            free_those_due(m, t, w, r[ROW], P.NEVER)
            r[NEXT] = 0
            r[ROW] += 1
        if r[ROW] == len(WAYS):
            finish(m, t)


@kernel
def taken(w, row, size):
    """Bytes of memory that a piece of `size` bytes takes."""
    return (size + P.PAGE - 1) // P.PAGE * P.PAGE if row == PAGES else size


@kernel
def free_those_due(m, t, w, row, now):
    """Free every piece whose lifetime ends before request `now`."""
    kept = 0
    for k in range(w.live):
        request, va = w.owner[k], w.at[k]
        if w.ends[request] > now:
            w.at[kept], w.owner[kept] = va, request
            kept += 1
            continue
        size = w.sizes[request]
        if load64(m, t, va) != request or load64(m, t, va + size - 8) != request:
            w.figures[row, SPOILT] += 1
        if row == PAGES:
            munmap(m, t, va, size)
        w.used -= taken(w, row, size)
    w.live = kept


@kernel
def note(m, t, w, row):
    """Add to the row's figures what there is before a request."""
    figures, free = w.figures, w.memory - w.used
    if row == PAGES:
        asked = 0
        for k in range(w.live):
            asked += w.sizes[w.owner[k]]
        figures[row, INTERNAL] += (w.used - asked) * MILLION // max(w.used, 1)
        tables = m.process[m.thread[t].process].table_pages - w.tables
        figures[row, MAP] = max(figures[row, MAP], tables * P.PAGE)
        return
    largest = 0
    for k in range(w.live + 1):
        largest = max(largest, hole(w, k))
    figures[row, EXTERNAL] += (free - largest) * MILLION // max(free, 1)
    figures[row, MAP] = max(figures[row, MAP], w.live * DESCRIPTOR)


@kernel
def hole(w, k):
    """Free bytes below piece `k`, or, after the last, above all."""
    return (w.at[k] if k < w.live else w.start + w.memory) - hole_start(w, k)


@kernel
def hole_start(w, k):
    return w.at[k - 1] + w.sizes[w.owner[k - 1]] if k else w.start


@kernel
def serve(m, t, w, row, request):
    size = w.sizes[request]
    if w.memory - w.used < taken(w, row, size):
        w.figures[row, REFUSED] += 1
        return
    k = w.live
    if row == PAGES:
        va = mmap(m, t, 0, size, P.PROT_READ | P.PROT_WRITE, P.MAP_PRIVATE)
        meter.touch(m, t, va, size, 1)
    else:
        k = find_hole(w, row, size)
        if k < 0:
            compact(m, t, w, row)
            k = w.live
        va = hole_start(w, k)
    for above in range(w.live, k, -1):
        w.at[above], w.owner[above] = w.at[above - 1], w.owner[above - 1]
    w.at[k], w.owner[k] = va, request
    w.live += 1
    w.used += taken(w, row, size)
    store64(m, t, va, request)
    store64(m, t, va + size - 8, request)


@kernel
def find_hole(w, way, size):
    """The piece below which, by first, best or worst fit, `size` bytes go (w.live: above all); -1: no hole is so large."""
    found = -1
    for k in range(w.live + 1):
        here = hole(w, k)
        if here < size:
            continue
        if found < 0 or (way == BEST and here < hole(w, found)) or (way == WORST and here > hole(w, found)):
            found = k
        if way == FIRST:
            break
    return found


@kernel
def compact(m, t, w, row):
    """Move all pieces down, one against the other."""
    w.figures[row, COMPACTED] += 1
    for k in range(w.live):
        target, size = hole_start(w, k), w.sizes[w.owner[k]]
        if w.at[k] == target:
            continue
        if is_over(m, t):
            return
        for offset in range(0, size, 8):
            store64(m, t, target + offset, load64(m, t, w.at[k] + offset))
        w.at[k] = target
        w.figures[row, MOVED] += size

"""oversubscription: what an access costs when the working set outgrows RAM.

A process adds one to a counter on every page of its memory, again and again: page after page, or at random. Its memory
is from half of RAM to twice as much. As long as it fits, an access is an access; beyond, pages come from the swap
device, and going round in order is the worst that can be done to a list that drops what was used longest ago: hardly
anything is there any more when its turn comes. That is thrashing. At the end all counters are added up.

RAM is `memory` of the configuration; the kernel keeps a few percent of it.
"""

import numpy as np

from hwmem import params as P
from hwmem.errors import WorkloadError
from hwmem.kernels import is_over, finish, kernel, load64, mmap, munmap, next_thread, store64
from hwmem.programs import meter
from hwmem.programs.registry import grid, parameter, workload
from hwmem.units import format_size

RATIOS = (0.5, 0.75, 0.9, 0.95, 1.0, 1.1, 1.25, 1.5, 2.0)
PATTERNS = ("in order", "at random")
IN_ORDER, AT_RANDOM = range(2)
RANK, ROW = range(2)  # a thread's registers
ROWS = len(RATIOS) * len(PATTERNS)
SEED = 12345


def place(w, space):
    config = space.process.machine.config
    w.lengths = [int(ratio * config.memory) // P.PAGE * P.PAGE for ratio in RATIOS]
    if config.memory + config.swap <= w.lengths[-1]:
        raise WorkloadError(
            f"oversubscription: {RATIOS[-1]:g} times memory needs as much swap and more: --with swap={format_size(2 * config.memory)}"
        )
    w.sums = np.zeros(ROWS, np.int64)
    meter.place(w, ROWS)


def read(w, space):
    cost = w.cost.reshape(len(RATIOS), len(PATTERNS), -1)
    accesses = np.array(w.lengths) // P.PAGE * w.passes
    rows = [[cell for pattern in range(len(PATTERNS)) for cell in cells(cost[k, pattern], int(accesses[k]))] for k in range(len(RATIOS))]
    return {
        "ratios": RATIOS,
        "sums": w.sums.reshape(len(RATIOS), -1),
        "accesses": accesses,
        "major": cost[..., meter.MAJOR],
        "minor": cost[..., meter.MINOR],
        "read": cost[..., meter.DISK_READS],
        "written": cost[..., meter.DISK_WRITES],
        "cycles": cost[..., meter.CYCLES],
        "operations": accesses.sum() * len(PATTERNS),
        "grid": grid(
            "an addition on a page: cycles, pages read from swap, pages written to it",
            "working set / RAM",
            [f"{ratio:g}" for ratio in RATIOS],
            None,
            [head for pattern in PATTERNS for head in (pattern, "read", "written")],
            rows,
        ),
    }


def cells(cost, accesses):
    return [meter.ratio(cost[column], accesses) for column in (meter.CYCLES, meter.DISK_READS, meter.DISK_WRITES)]


@workload(
    "oversubscription",
    "a working set from half of RAM to twice as much, in order and at random: thrashing",
    setup=place,
    values=read,
    operation="access",
    needs_mmu=True,
    machine={"memory": "16MiB", "swap": "64MiB"},
    passes=parameter(4, "accesses to each page, on average", 1, 1000),
)
def oversubscription(m, w):
    while True:
        t = next_thread(m)
        if t < 0:
            return
        r = m.thread[t].local
        length = w.lengths[r[ROW] // len(PATTERNS)]
        va = mmap(m, t, 0, length, P.PROT_READ | P.PROT_WRITE, P.MAP_PRIVATE)
        meter.touch(m, t, va, length, 1)
        meter.begin(m, t, w)
        add_ones(m, t, va, length // P.PAGE, w.passes, r[ROW] % len(PATTERNS))
        meter.end(m, t, w, r[ROW])
        w.sums[r[ROW]] = add_up(m, t, va, length)
        munmap(m, t, va, length)
        r[ROW] += 1
        if r[ROW] == ROWS:
            finish(m, t)


@kernel
def add_ones(m, t, va, pages, passes, pattern):
    x = SEED
    for i in range(pages * passes):
        if is_over(m, t):
            return
        page = i % pages
        if pattern == AT_RANDOM:
            x = meter.next_random(x)
            page = (x >> 8) % pages
        here = va + page * P.PAGE
        store64(m, t, here, load64(m, t, here) + 1)


@kernel
def add_up(m, t, va, n):
    total = 0
    for here in range(va, va + n, P.PAGE):
        if is_over(m, t):
            break
        total += load64(m, t, here)
    return total

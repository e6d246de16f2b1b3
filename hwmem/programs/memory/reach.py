"""tlb-reach: page walks and cycles of an access, with 4 KiB and with 2 MiB pages, as the working set grows.

A process loads from 4 KiB blocks of `size` bytes at random, one line of each. A TLB of n entries reaches n * 4 KiB, or
n * 2 MiB: beyond that, accesses walk. The line that a block offers is chosen so that the caches' sets fill evenly also
where physical addresses are contiguous: with a line at the same place of each, 2 MiB pages would show conflicts instead.
"""

from hwmem import params as P
from hwmem.kernels import is_over, finish, kernel, load64, madvise, mmap, munmap, next_thread
from hwmem.programs import meter
from hwmem.programs.registry import grid, parameter, workload
from hwmem.units import format_size

SMALLEST = 64 << 10
MOST_SIZES = 18  # 64 KiB to 8 GiB
ADVICE = (P.MADV_NOHUGEPAGE, P.MADV_HUGEPAGE)
RANK, ROW = range(2)  # a thread's registers
SEED = 1


def place(w, space):
    w.sizes = [SMALLEST << k for k in range(MOST_SIZES)]
    w.rows = len(ADVICE) * sum(size <= w.largest for size in w.sizes)
    w.advice = ADVICE
    meter.place(w, len(ADVICE) * MOST_SIZES)


def read(w, space):
    cost = w.cost[: w.rows].reshape(-1, len(ADVICE), meter.COLUMNS)
    walks, cycles = cost[..., meter.WALKS], cost[..., meter.CYCLES]
    rows = [[cell for k in range(len(ADVICE)) for cell in (walks[i, k] / w.loads, cycles[i, k] / w.loads)] for i in range(len(cost))]
    return {
        "sizes": w.sizes[: len(cost)],
        "walks": walks,
        "cycles": cycles,
        "operations": w.rows * w.loads,
        "grid": grid(
            "a load from a random 4 KiB block",
            "size",
            [format_size(int(n)) for n in w.sizes[: len(cost)]],
            None,
            ["4 KiB: walks", "cycles", "2 MiB: walks", "cycles"],
            rows,
        ),
    }


@workload(
    "tlb-reach",
    "walks and cycles of random loads with 4 KiB and 2 MiB pages, as the working set grows",
    setup=place,
    values=read,
    operation="load",
    needs_mmu=True,
    largest=parameter("64MiB", "bytes; sizes are 64KiB times a power of two, up to this", SMALLEST, 1 << 33),
    loads=parameter(20_000, "loads at each size"),
)
def tlb_reach(m, w):
    while True:
        t = next_thread(m)
        if t < 0:
            return
        r = m.thread[t].local
        size = w.sizes[r[ROW] // len(ADVICE)]
        length = (size + P.HUGE_PAGE - 1) // P.HUGE_PAGE * P.HUGE_PAGE
        va = mmap(m, t, 0, length, P.PROT_READ | P.PROT_WRITE, P.MAP_PRIVATE)
        madvise(m, t, va, length, w.advice[r[ROW] % len(ADVICE)])
        meter.touch(m, t, va, size, 1)
        load_blocks(m, t, va, size, w.loads)
        meter.begin(m, t, w)
        load_blocks(m, t, va, size, w.loads)
        meter.end(m, t, w, r[ROW])
        munmap(m, t, va, length)
        r[ROW] += 1
        if r[ROW] == w.rows:
            finish(m, t)


@kernel
def load_blocks(m, t, va, size, loads):
    """`loads` loads, each from the line that a random block of 4 KiB offers."""
    x = SEED
    for _ in range(loads):
        if is_over(m, t):
            return
        x = meter.next_random(x)
        block = (x >> 8) % (size >> P.PAGE_SHIFT)
        line = (block ^ block >> 8) % (P.PAGE // P.LINE)
        load64(m, t, va + block * P.PAGE + line * P.LINE)

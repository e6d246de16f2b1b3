"""vma-explosion: mprotect of every second page, until the kernel refuses to split once more.

One mapping becomes two VMAs a call, up to vm.max_map_count (65,530): what allocators with guard pages, and collectors
that protect single pages, run into. A VMA is found in a tree whose depth grows with the logarithm of their number.

    [ rw                                  ]      1
    [ rw | r | rw                         ]      3
    [ rw | r | rw | r | rw                ]      5 ...     ENOMEM; no new mapping either, and no unmapping that splits;
                                                           unmapping whole VMAs still works

Depth is counted on the way to random pages. Source: mm/vma.c (__split_vma, vms_gather_munmap_vmas), mm/mmap.c.
"""

import numpy as np

from hwmem import params as P
from hwmem.kernels import finish, is_over, kernel, mmap, mprotect, munmap, next_thread
from hwmem.programs import meter
from hwmem.programs.registry import grid, workload

SAMPLES = (16, 64, 256, 1024, 4096, 16384, 1 << 30)  # VMAs at which a row is written; the last: at the limit
LOOKUPS = 1000  # for a row's depth
PAGES = 4 * P.MAX_MAP_COUNT
CALLS, VMAS, STEPS, DEEPEST = range(4)  # columns of w.counts
PROTECT, MAP, SPLIT, WHOLE = range(4)  # what is tried at the limit: entries of w.refused
TRIED = ("mprotect", "mmap", "munmap, splitting", "munmap of a whole VMA")
RANK, ROW, PAGE = range(3)  # a thread's registers
SEED = 99


def place(w, space):
    w.samples = SAMPLES
    w.counts = np.zeros((len(SAMPLES), 4), np.int64)
    w.refused = np.zeros(len(TRIED), np.int64)
    w.start = 0
    meter.place(w, len(SAMPLES))


def read(w, space):
    calls = np.diff(w.counts[:, CALLS], prepend=0)
    rows = [
        [total, meter.ratio(c, k), steps / LOOKUPS, deepest, float(np.log2(n))]
        for (total, n, steps, deepest), k, c in zip(w.counts, calls, w.cost[:, meter.CYCLES])
    ]
    errors = {P.ENOMEM: "ENOMEM", 0: "done"}
    return {
        "vmas": w.counts[:, VMAS],
        "calls": w.counts[:, CALLS],
        "steps": w.counts[:, STEPS],
        "deepest": w.counts[:, DEEPEST],
        "at_limit": {name: errors[-int(result)] for name, result in zip(TRIED, w.refused)},
        "operations": w.counts[-1, CALLS],
        "grid": grid(
            "mprotect of every second page, up to the limit",
            "VMAs",
            [f"{n:,}" for n in w.counts[:, VMAS]],
            None,
            ["calls", "cycles a call", "steps to a VMA", "deepest", "log2"],
            rows,
        ),
    }


@workload(
    "vma-explosion",
    "mprotect every second page until vm.max_map_count: calls, tree depth, what fails then",
    setup=place,
    values=read,
    operation="mprotect",
    needs_mmu=True,
)
def vma_explosion(m, w):
    while True:
        t = next_thread(m)
        if t < 0:
            return
        r = m.thread[t].local
        if w.start == 0:
            w.start = mmap(m, t, 0, PAGES * P.PAGE, P.PROT_READ | P.PROT_WRITE, P.MAP_PRIVATE | P.MAP_NORESERVE)
        meter.begin(m, t, w)
        w.refused[PROTECT] = split_up(m, t, w, r)
        meter.end(m, t, w, r[ROW])
        note(m, t, w, r)
        r[ROW] += 1
        if r[ROW] == len(w.samples):
            try_limit(m, t, w, r[PAGE])
            finish(m, t)


@kernel
def split_up(m, t, w, r):
    """Protect every second page until there are as many VMAs as the row wants: 0, or the failure."""
    while m.process[m.thread[t].process].vma_count < w.samples[r[ROW]] and not is_over(m, t):
        failed = mprotect(m, t, w.start + (2 * r[PAGE] + 1) * P.PAGE, P.PAGE, P.PROT_READ)
        if failed:
            return failed
        r[PAGE] += 1
    return 0


@kernel
def note(m, t, w, r):
    counts = w.counts
    counts[r[ROW], CALLS] = r[PAGE]
    counts[r[ROW], VMAS] = m.process[m.thread[t].process].vma_count
    x = SEED
    for _ in range(LOOKUPS):
        x = meter.next_random(x)
        steps = depth_at(m, m.thread[t].process, w.start + (x >> 8) % (2 * r[PAGE]) * P.PAGE)
        counts[r[ROW], STEPS] += steps
        counts[r[ROW], DEEPEST] = max(counts[r[ROW], DEEPEST], steps)


@kernel
def depth_at(m, p, va):
    """VMAs that a look-up of `va` compares with."""
    steps = 0
    n = m.process[p].tree
    while n:
        steps += 1
        n = m.vma_node[n - 1].left if m.vma_node[n - 1].end > va else m.vma_node[n - 1].right
    return steps


@kernel
def try_limit(m, t, w, protected):
    """mmap, munmap in the middle of a VMA, munmap of the first VMA."""
    result = mmap(m, t, 0, P.PAGE, P.PROT_READ, P.MAP_PRIVATE)
    if result > 0:  # one more than the limit is let in
        result = mmap(m, t, 0, P.PAGE, P.PROT_EXEC, P.MAP_PRIVATE)
    w.refused[MAP] = min(result, 0)
    w.refused[SPLIT] = munmap(m, t, w.start + (2 * protected + 8) * P.PAGE, P.PAGE)
    w.refused[WHOLE] = munmap(m, t, w.start, P.PAGE)

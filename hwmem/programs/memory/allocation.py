"""brk-mmap: memory for objects from brk, or from mmap, by the objects' size.

    brk          the break moves up for each object, and down again for each
    brk, ahead   it moves by 128 KiB when what it gave is used up, and down by as much when that is free again
    mmap         a mapping for each object, and munmap

A program takes 1 MiB in objects of one size, writes to the first word of each page of each, and frees them, the last
first. brk packs small objects into pages; mmap gives each a page at least. The C library's malloc is "brk, ahead" below
128 KiB (M_TOP_PAD, M_TRIM_THRESHOLD) and mmap from there on (M_MMAP_THRESHOLD), so that large objects go back at once
whatever lies above them.
"""

import numpy as np

from hwmem import params as P
from hwmem.kernels import brk, finish, is_over, kernel, mmap, munmap, next_thread, store64
from hwmem.programs import meter
from hwmem.programs.registry import grid, parameter, workload
from hwmem.units import format_size

METHODS = ("brk", "brk, ahead", "mmap")
BRK, AHEAD, MMAP = range(3)
SIZES = tuple(1 << k for k in (8, 10, 12, 14, 16, 17, 18, 20))
TOTAL = 1 << 20
STEP = 128 << 10  # bytes by which "ahead" moves the break
ROWS = len(SIZES) * len(METHODS)
RANK, ROW, ROUND = range(3)  # a thread's registers


def place(w, space):
    w.sizes = SIZES
    w.objects = np.zeros(TOTAL // SIZES[0], np.int64)  # their addresses
    w.calls = np.zeros(ROWS, np.int64)
    w.resident = np.zeros(ROWS, np.int64)  # pages, when all objects are there
    meter.place(w, ROWS)


def read(w, space):
    total, faults = w.rounds * TOTAL, meter.faults(w.cost)
    rows = [
        [
            METHODS[row % len(METHODS)],
            w.calls[row] // w.rounds,
            faults[row] // w.rounds,
            f"{w.resident[row] * 4:,}K",
            c / total,
            c / (total // SIZES[row // len(METHODS)]),
        ]
        for row, c in enumerate(w.cost[:, meter.CYCLES])
    ]
    return {
        "sizes": SIZES,
        "calls": w.calls,
        "faults": faults,
        "resident": w.resident,
        "cycles": w.cost[:, meter.CYCLES],
        "operations": w.rounds * sum(TOTAL // size for size in SIZES) * len(METHODS),
        "grid": grid(
            "1 MiB of objects taken, written to and freed",
            "object",
            [format_size(SIZES[row // len(METHODS)]) for row in range(ROWS)],
            None,
            ["from", "calls", "faults", "RSS", "cycles a byte", "an object"],
            rows,
        ),
    }


@workload(
    "brk-mmap",
    "memory for objects from brk and from mmap: calls, faults, RSS and cycles by size",
    setup=place,
    values=read,
    operation="object",
    needs_mmu=True,
    rounds=parameter(1, "times that the objects are taken and freed", 1, 10_000),
)
def brk_mmap(m, w):
    while True:
        t = next_thread(m)
        if t < 0:
            return
        r = m.thread[t].local
        meter.begin(m, t, w)
        one_round(m, t, w, r[ROW])
        meter.end(m, t, w, r[ROW])
        r[ROUND] += 1
        if r[ROUND] == w.rounds:
            r[ROUND] = 0
            r[ROW] += 1
        if r[ROW] == ROWS:
            finish(m, t)


@kernel
def one_round(m, t, w, row):
    size, method = w.sizes[row // len(METHODS)], row % len(METHODS)
    before, start = meter.rss(m, t), brk(m, t, 0)
    top = end = start  # of what objects use of the heap, and of the heap
    for i in range(TOTAL // size):
        if is_over(m, t):
            return
        if method == MMAP:
            w.objects[i] = mmap(m, t, 0, size, P.PROT_READ | P.PROT_WRITE, P.MAP_PRIVATE)
            w.calls[row] += 1
        else:
            end = heap_to(m, t, w, row, top + size, end)
            w.objects[i] = top
            top += size
        for here in range(w.objects[i], w.objects[i] + size, P.PAGE):
            store64(m, t, here, i)
    w.resident[row] = meter.rss(m, t) - before
    for i in range(TOTAL // size - 1, -1, -1):
        if is_over(m, t):
            return
        if method == MMAP:
            munmap(m, t, w.objects[i], size)
            w.calls[row] += 1
        else:
            end = heap_to(m, t, w, row, w.objects[i], end)


@kernel
def heap_to(m, t, w, row, top, end):
    """Objects use the heap up to `top`, and it ends at `end`: move the break as the row's method does; where it is then."""
    wanted = top
    if row % len(METHODS) == AHEAD:
        if end - STEP < top <= end:
            return end
        wanted = end + (top - end + STEP - 1) // STEP * STEP
    w.calls[row] += 1
    return brk(m, t, wanted)

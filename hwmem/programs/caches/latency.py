"""How long memory takes, by how much of it is used: a pointer chase, and the memory mountain.

pointer-chase: nodes `spacing` bytes apart in `size` bytes, each holding the address of the next, in one random cycle
(every cycle equally likely, as Sattolo's algorithm gives): each load must wait for the one before.

    node 0 ──> node 5 ──> node 2 ──> ... ──> node 0

memory-mountain: one core reads `size` bytes at a stride, again and again; the figure is megabytes of the words read a
second, for every size and stride (Bryant, O'Hallaron, "Computer Systems: A Programmer's Perspective", 6.6.1). Ridges
are caches, slopes are lines used in part. Each cell is read once before it is timed.
"""

import numpy as np

from hwmem.config.record import Rule
from hwmem.kernels import clock, finish, is_over, kernel, load64, next_thread
from hwmem.programs.registry import grid, parameter, workload
from hwmem.units import format_size

SMALLEST = 16 << 10  # bytes the mountain begins with
LOOK = 4096  # loads between two looks whether the run is to stop
RANK, AT, COUNT = range(3)  # a thread's registers


def place_cycle(w, space):
    nodes = w.size // w.spacing
    w.start = space.map("nodes", w.size, element=w.spacing)
    order = np.concatenate(([0], 1 + space.random.permutation(nodes - 1)))
    words = np.zeros((nodes, w.spacing // 8), np.int64)
    words[order, 0] = w.start + np.roll(order, -1) * w.spacing
    space.write(w.start, words)
    w.end = 0


SPACING = Rule("spacing", lambda p: p.spacing % 8 == 0 and 2 * p.spacing <= p.size, lambda p: "a multiple of 8, at most half of size")


def read_end(w, space):
    return {"nodes": w.size // w.spacing, "end": (w.end - w.start) // w.spacing, "operations": w.loads}


@workload(
    "pointer-chase",
    "one thread follows pointers in a random cycle: load latency by working set",
    setup=place_cycle,
    values=read_end,
    operation="load",
    rules=(SPACING,),
    size=parameter("1MiB", "bytes of the working set", 128, 1 << 32),
    spacing=parameter(64, "bytes from node to node, a multiple of 8", 8, 1 << 20),
    loads=parameter(200_000, "loads"),
)
def pointer_chase(m, w):
    while True:
        t = next_thread(m)
        if t < 0:
            return
        r = m.thread[t].local
        r[AT] = load64(m, t, r[AT] if r[COUNT] else w.start)
        r[COUNT] += 1
        if r[COUNT] == w.loads:
            w.end = r[AT]
            finish(m, t)


def place_words(w, space):
    w.data = space.map("data", w.largest)
    space.write(w.data, np.arange(w.largest // 8))
    w.sizes = SMALLEST << np.arange((w.largest // SMALLEST).bit_length())
    w.strides = np.arange(1, w.strides_to + 1)
    w.cycles = np.zeros((len(w.sizes), len(w.strides)), np.int64)
    w.sums = np.zeros_like(w.cycles)


def read_mountain(w, space):
    gigahertz = space.process.machine.config.frequency_ghz
    reads = -(-(w.sizes[:, None] // 8) // w.strides)
    return {
        "sizes": w.sizes,
        "strides": w.strides,
        "sums": w.sums,
        "operations": 2 * reads.sum(),
        "grid": grid(
            "megabytes read a second",
            "size",
            [format_size(int(n)) for n in w.sizes],
            "stride",
            w.strides,
            8e3 * gigahertz * reads / w.cycles,
        ),
    }


@workload(
    "memory-mountain",
    "one core reads at every size and stride: the memory mountain",
    setup=place_words,
    values=read_mountain,
    operation="load",
    largest=parameter("32MiB", "bytes; sizes are 16KiB times a power of two, up to this", SMALLEST, 1 << 30),
    strides_to=parameter(8, "strides are 1 to this, in words of 8 bytes", 1, 64),
)
def memory_mountain(m, w):
    while True:
        t = next_thread(m)
        if t < 0:
            return
        r = m.thread[t].local
        size, stride = r[COUNT] // len(w.strides), r[COUNT] % len(w.strides)
        read_all(m, t, w, w.sizes[size], w.strides[stride])
        start = clock(m, t)
        w.sums[size, stride] = read_all(m, t, w, w.sizes[size], w.strides[stride])
        w.cycles[size, stride] = clock(m, t) - start
        r[COUNT] += 1
        if r[COUNT] == len(w.sizes) * len(w.strides):
            finish(m, t)


@kernel
def read_all(m, t, w, size, stride):
    """The sum of every `stride`-th word of `size` bytes."""
    total, end = 0, w.data + size
    for start in range(w.data, end, LOOK * 8 * stride):
        if is_over(m, t):
            break
        for va in range(start, min(start + LOOK * 8 * stride, end), 8 * stride):
            total += load64(m, t, va)
    return total

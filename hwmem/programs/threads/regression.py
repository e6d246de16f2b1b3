"""linear-regression: the Phoenix program on which detectors of false sharing are tried.

Every thread sums its share of the points into a struct of its own, in an array with one a thread:

    lreg_args   tid 0 | points 8 | num_elems 16 | SX 24 | SY 32 | SXX 40 | SYY 48 | SXY 56      64 bytes

The struct is as long as a line, but malloc returns addresses 16 beyond a multiple of 64, so SYY and SXY of a thread
lie on the line of the next thread's tid, points, num_elems, SX, SY and SXX. `padded` puts each on two lines of its own.
The sums live in memory, as a compiler leaves them that may not assume they do not overlap the points.

A point is two bytes, x and y; a step is one point: 4 loads (num_elems, points, x, y), 5 additions to memory.
Sources: Ranger et al., "Evaluating MapReduce for multi-core and multiprocessor systems" (Phoenix), HPCA 2007; Liu and
Berger, "Sheriff", OOPSLA 2011, table 1: 9 times faster without the false sharing.
"""

import numpy as np

from hwmem.kernels import finish, kernel, load8, load64, next_thread, store64
from hwmem.programs.registry import parameter, workload

FIELDS = ("tid", "points", "num_elems", "SX", "SY", "SXX", "SYY", "SXY")
POINTS, NUM_ELEMS, SX, SY, SXX, SYY, SXY = range(8, 64, 8)
ARGS_BYTES, PADDED_BYTES = 64, 128
MALLOC_OFFSET = 16  # glibc malloc: a 16-byte header before every block
RANK, COUNT = range(2)  # a thread's registers


def place(w, space):
    points = space.random.integers(0, 256, (w.threads * w.points, 2), dtype=np.uint8)
    w.data = space.map("points", points.size, element=2)
    space.write(w.data, points)
    w.spacing = PADDED_BYTES if w.padded else ARGS_BYTES
    w.args = space.map(None, w.threads * w.spacing + MALLOC_OFFSET) + (0 if w.padded else MALLOC_OFFSET)
    for i in range(w.threads):
        args = w.args + i * w.spacing
        space.write(args, np.array([i, w.data + 2 * w.points * i, w.points]))
        for k, name in enumerate(FIELDS):
            space.symbol(f"args[{i}].{name}", args + 8 * k, 8)


def read(w, space):
    """The five sums over all threads, and the line y = a + b x through the points."""
    sums = sum(space.read(w.args + i * w.spacing + SX, 5) for i in range(w.threads))
    sx, sy, sxx, _, sxy = map(int, sums)
    n = w.threads * w.points
    spread = n * sxx - sx * sx
    b = (n * sxy - sx * sy) / spread if spread else 0.0
    return dict(zip(FIELDS[3:], sums)) | {"a": (sy - b * sx) / n, "b": b, "operations": n}


@workload(
    "linear-regression",
    "Phoenix's program: threads sum points into structs that share lines",
    setup=place,
    values=read,
    operation="point",
    against=("padded", (True,)),
    scale="threads",
    threads=parameter(4, "threads; thread i runs on core i, modulo the cores", 1, 64),
    points=parameter(20_000, "points of each thread"),
    padded=parameter(False, "each struct on lines of its own"),
)
def linear_regression(m, w):
    while True:
        t = next_thread(m)
        if t < 0:
            return
        r = m.thread[t].local
        args = w.args + r[RANK] * w.spacing
        if r[COUNT] < load64(m, t, args + NUM_ELEMS):
            add_point(m, t, args, load64(m, t, args + POINTS) + 2 * r[COUNT])
            r[COUNT] += 1
        else:
            finish(m, t)


@kernel
def add_point(m, t, args, point):
    x, y = load8(m, t, point), load8(m, t, point + 1)
    add(m, t, args + SX, x)
    add(m, t, args + SXX, x * x)
    add(m, t, args + SY, y)
    add(m, t, args + SYY, y * y)
    add(m, t, args + SXY, x * y)


@kernel
def add(m, t, va, value):
    store64(m, t, va, load64(m, t, va) + value)

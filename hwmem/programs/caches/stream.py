"""STREAM: four loops over long arrays, and the bandwidth each gets.

    copy   c = a          scale  b = 3 c          add  c = a + b          triad  a = b + 3 c

Each thread has a stretch of the arrays; between loops all meet at a barrier (barrier.py), and the last to come notes
the time. Elements are int64, so that the result can be checked exactly. Bandwidth counts bytes as STREAM does: what the
loop names, 16 or 24 an element, not the line that a store fetches first.

The machine adds latencies up, one access after another: there is no prefetching and no overlap of misses, so the
figures are those of a core that waits for every line. Source: McCalpin, STREAM, 1995.
"""

import numpy as np

from hwmem.kernels import clock, finish, kernel, load64, next_thread, store64
from hwmem.programs import barrier
from hwmem.programs.registry import grid, parameter, workload

LOOPS = ("copy", "scale", "add", "triad")
BYTES_AN_ELEMENT = (16, 16, 24, 24)
COPY, SCALE, ADD, TRIAD = range(4)
SCALAR = 3
RANK, INDEX, MEETING, WAITING = range(4)  # a thread's registers; meeting k comes before loop k


def place(w, space):
    w.elements = w.size // 8
    w.a, w.b, w.c = (space.map(name, w.size) for name in "abc")
    space.write(w.a, space.random.integers(0, 1 << 20, w.elements))
    w.barrier = space.map("barrier", barrier.BYTES)
    w.met_at = np.zeros(len(LOOPS) + 1, np.int64)


def read(w, space):
    gigahertz = space.process.machine.config.frequency_ghz
    bandwidth = np.array(BYTES_AN_ELEMENT) * w.elements * gigahertz / np.diff(w.met_at)
    return {
        "sums": [space.read(x, w.elements).sum() for x in (w.a, w.b, w.c)],
        "operations": len(LOOPS) * w.elements,
        "grid": grid("gigabytes a second", "loop", LOOPS, None, ["GB/s"], bandwidth[:, None]),
    }


@workload(
    "stream",
    "STREAM's four loops over long arrays: bandwidth",
    setup=place,
    values=read,
    operation="element",
    scale="threads",
    threads=parameter(1, "threads, each with a stretch of the arrays", 1, 64),
    size=parameter("8MiB", "bytes of each of the three arrays, together more than the last-level cache", 4096, 1 << 32),
)
def stream(m, w):
    while True:
        t = next_thread(m)
        if t < 0:
            return
        r = m.thread[t].local
        loop = r[MEETING] - 1
        if loop >= 0 and not r[WAITING] and r[INDEX] < w.elements * (r[RANK] + 1) // w.threads:
            one_element(m, t, w, loop, r[INDEX] * 8)
            r[INDEX] += 1
        elif meet(m, t, w, r):
            r[INDEX] = w.elements * r[RANK] // w.threads
            if r[MEETING] > TRIAD + 1:
                finish(m, t)


@kernel
def one_element(m, t, w, loop, i):
    if loop == COPY:
        store64(m, t, w.c + i, load64(m, t, w.a + i))
    elif loop == SCALE:
        store64(m, t, w.b + i, SCALAR * load64(m, t, w.c + i))
    elif loop == ADD:
        store64(m, t, w.c + i, load64(m, t, w.a + i) + load64(m, t, w.b + i))
    else:
        store64(m, t, w.a + i, load64(m, t, w.b + i) + SCALAR * load64(m, t, w.c + i))


@kernel
def meet(m, t, w, r):
    """One step of a meeting; True when it is over for this thread."""
    if not r[WAITING]:
        r[WAITING] = 1
        if barrier.arrive(m, t, w.barrier, w.threads, r[MEETING]):
            w.met_at[r[MEETING]] = clock(m, t)
    if not barrier.passed(m, t, w.barrier, r[MEETING]):
        return False
    r[WAITING] = 0
    r[MEETING] += 1
    return True

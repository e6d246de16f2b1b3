"""fork-storm: what forking costs by the parent's size, and what the child's writes cost after it.

A process with `size` bytes written forks, again and again, and waits for each child. fork copies no page: it makes tables
for the child and takes the right to write from both. A child that ends at once shows that alone; one that writes to every
page pays for the copies (as Redis does when it saves while it is written to).

The child is a thread of its own, on the parent's core, one page a step.
"""

import numpy as np

from hwmem import params as P
from hwmem.kernels import NOBODY, begin_thread, exit_process, finish, fork, kernel, mmap, munmap, next_thread, store8, wait_child
from hwmem.programs import meter
from hwmem.programs.registry import grid, parameter, workload
from hwmem.units import format_size

SMALLEST = 1 << 20
MOST_SIZES = 12  # 1 MiB to 2 GiB
CHILDREN = ("ends at once", "writes")
WRITES = 1
FORK, COPY, EXIT = range(3)  # what is measured: rows of w.cost, for each row of the table
RANK, ROW, ADDRESS, FORKED = range(4)  # the parent's registers
OFFSET = 0  # the child's: how far it has written


def place(w, space):
    machine = space.process.machine
    w.sizes = [SMALLEST << k for k in range(MOST_SIZES)]
    w.rows = len(CHILDREN) * sum(size <= w.largest for size in w.sizes)
    w.tables = np.zeros(len(CHILDREN) * MOST_SIZES, np.int64)
    w.child = machine.new_thread(space.process.number, space.core)
    w.parent = NOBODY
    meter.place(w, 3 * len(CHILDREN) * MOST_SIZES)


def read(w, space):
    cost = w.cost.reshape(-1, 3, meter.COLUMNS)[: w.rows]
    sizes = [w.sizes[row // len(CHILDREN)] for row in range(w.rows)]
    copies, cycles = meter.faults(cost[:, COPY]), cost[..., meter.CYCLES] / w.forks
    rows = [
        [
            CHILDREN[row % len(CHILDREN)],
            float(cycles[row, FORK]),
            cycles[row, FORK] / (size // P.PAGE),
            w.tables[row],
            copies[row] // w.forks,
            meter.ratio(cost[row, COPY, meter.CYCLES], copies[row]),
            float(cycles[row, EXIT]),
        ]
        for row, size in enumerate(sizes)
    ]
    return {
        "sizes": sizes,
        "tables": w.tables[: w.rows],
        "copies": copies,
        "fork_cycles": cost[:, FORK, meter.CYCLES],
        "copy_cycles": cost[:, COPY, meter.CYCLES],
        "exit_cycles": cost[:, EXIT, meter.CYCLES],
        "operations": w.rows * w.forks,
        "grid": grid(
            "cycles of a fork, of a copy, of the child's end",
            "parent",
            [format_size(int(n)) for n in sizes],
            None,
            ["child", "fork", "a page", "tables", "copies", "a copy", "exit"],
            rows,
        ),
    }


@workload(
    "fork-storm",
    "fork by the parent's size, with a child that ends at once and one that writes to every page",
    setup=place,
    values=read,
    operation="fork",
    needs_mmu=True,
    largest=parameter("16MiB", "bytes; sizes are 1MiB times a power of two, up to this", SMALLEST, 1 << 31),
    forks=parameter(2, "forks of each size and kind", 1, 10_000),
)
def fork_storm(m, w):
    while True:
        t = next_thread(m)
        if t < 0:
            return
        if t == w.child:
            run_child(m, t, w)
        else:
            run_parent(m, t, w)


@kernel
def run_parent(m, t, w):
    """One step: memory is mapped, or a child started and waited for, or the row is over."""
    r = m.thread[t].local
    size = w.sizes[r[ROW] // len(CHILDREN)]
    if r[ADDRESS] == 0:
        r[ADDRESS] = mmap(m, t, 0, size, P.PROT_READ | P.PROT_WRITE, P.MAP_PRIVATE)
    elif r[FORKED] < w.forks:
        r[FORKED] += 1
        start_child(m, t, w, size)
    else:
        munmap(m, t, r[ADDRESS], size)
        r[ADDRESS] = r[FORKED] = 0
        r[ROW] += 1
        if r[ROW] == w.rows:
            finish(m, t)


@kernel
def start_child(m, t, w, size):
    r = m.thread[t].local
    w.parent = t
    meter.touch(m, t, r[ADDRESS], size, 1)  # the pages are the parent's own again
    meter.begin(m, t, w)
    child = fork(m, t)
    meter.end(m, t, w, 3 * r[ROW] + FORK)
    w.tables[r[ROW]] = m.process[child].table_pages
    m.thread[w.child].local[OFFSET] = 0
    begin_thread(m, w.child, child)
    wait_child(m, t)


@kernel
def run_child(m, t, w):
    """One step of the child: a page written, or its end."""
    parent, r = m.thread[w.parent].local, m.thread[t].local
    size = w.sizes[parent[ROW] // len(CHILDREN)]
    if r[OFFSET] == 0:
        meter.begin(m, t, w)
    if parent[ROW] % len(CHILDREN) == WRITES and r[OFFSET] < size:
        store8(m, t, parent[ADDRESS] + r[OFFSET], 0)
        r[OFFSET] += P.PAGE
        return
    meter.end(m, t, w, 3 * parent[ROW] + COPY)
    meter.begin(m, t, w)
    exit_process(m, t, w.parent)
    meter.end(m, t, w, 3 * parent[ROW] + EXIT)

"""What the phases of an experiment cost: its thread's clock and counts, before and after.

    meter.place(w, rows)            setup: a row of costs for each phase
    begin(m, t, w) ... end(m, t, w, row)        the kernel: adds what happened in between to w.cost[row]

Rows add up, so that a phase may be measured in parts. Phases do not nest.
"""

import numpy as np

from hwmem import params as P
from hwmem.kernels import is_over, kernel, load8, mmap, munmap, store8

CYCLES, MINOR, MAJOR, WALKS, DISK_READS, DISK_WRITES = range(6)  # columns of w.cost
COLUMNS = 6
RANDOM_MASK = (1 << 31) - 1


def place(w, rows):
    w.cost = np.zeros((rows, COLUMNS), np.int64)
    w.before = np.zeros(COLUMNS, np.int64)


def faults(cost):
    """Faults, minor and major, of each row."""
    return cost[..., MINOR] + cost[..., MAJOR]


def ratio(part, whole):
    """A cell: part / whole, or None where there is nothing to divide by."""
    return float(part) / float(whole) if whole else None


@kernel
def reading(m, t, column):
    """What the instrument of a column shows now, for thread `t`."""
    core, process = m.core[m.thread[t].core], m.process[m.thread[t].process]
    if column == CYCLES:
        return core.cycles
    if column == MINOR:
        return process.minflt
    if column == MAJOR:
        return process.majflt
    if column == WALKS:
        return core.walks
    return m.disk.reads if column == DISK_READS else m.disk.writes


@kernel
def begin(m, t, w):
    for column in range(COLUMNS):
        w.before[column] = reading(m, t, column)


@kernel
def end(m, t, w, row):
    for column in range(COLUMNS):
        w.cost[row, column] += reading(m, t, column) - w.before[column]


@kernel
def touch(m, t, va, n, write):
    """One access a page of [va, va + n): a load, or a store of a zero byte."""
    for here in range(va, va + n, P.PAGE):
        if is_over(m, t):
            return
        if write:
            store8(m, t, here, 0)
        else:
            load8(m, t, here)


@kernel
def press(m, t, n):
    """Memory pressure: take `n` bytes of memory, write to every page, and give them back."""
    va = mmap(m, t, 0, n, P.PROT_READ | P.PROT_WRITE, P.MAP_PRIVATE)
    touch(m, t, va, n, 1)
    munmap(m, t, va, n)


@kernel
def free_frames(m):
    """Free frames, without those in the cores' lists."""
    return m.frames.free + m.frames.total - m.frames.fresh


@kernel
def next_random(x):
    """The number that follows `x` in a sequence of 31-bit ones; use its upper bits (the C library's rand, TYPE_0)."""
    return x * 1103515245 + 12345 & RANDOM_MASK


@kernel
def rss(m, t):
    """Pages of the thread's process that are in RAM and mapped."""
    process = m.process[m.thread[t].process]
    return process.anon + process.file + process.shared

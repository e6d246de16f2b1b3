"""Random programs for allocators, held against plain lists: `python -m tests.goalloc.allocators [OPERATIONS]` runs long ones on each.

Each thread has slots with blocks; an operation mallocs, frees or reallocs one of them. Every block's first and last words hold what its
slot says, and are looked at before it goes; between bursts no two blocks may overlap, and the allocator's own invariants hold. Now and then
two seconds pass, so that what is returned by time is.
"""

import sys

import numpy as np

import hwmem
from hwmem._jit import kernel
from hwmem.config.machine import MachineConfig
from hwmem.core.access import load64, store64
from hwmem.core.service import drain_all
from hwmem.sched.thread import compute
from goalloc.baselines import NAMES, Allocator
from goalloc.baselines.malloc import free, malloc, realloc, usable_size

CORES, SLOTS = 4, 160
PAUSE = 6_000_000_000  # cycles
BLOCK, SIZE, TAG = range(3)  # columns of a slot
LOST, MISALIGNED, SHORT, SPOILT = range(1, 5)  # what a burst may return


@kernel
def mark(m, t, slot, n):
    """Write the slot's tag into the words of a block."""
    last = (n >> 3) - 1
    if last >= 0:
        store64(m, t, slot[BLOCK], slot[TAG])
        store64(m, t, slot[BLOCK] + 8 * last, slot[TAG] + (last > 0))


@kernel
def is_marked(m, t, slot, n, moved):
    """Whether they still hold it; `moved`: the block has grown, its last word is another."""
    last = (n >> 3) - 1
    if last < 0:
        return True
    first = load64(m, t, slot[BLOCK]) == slot[TAG]
    return first and (last == 0 or moved or load64(m, t, slot[BLOCK] + 8 * last) == slot[TAG] + 1)


@kernel
def burst(m, t, slots, draws, pause):
    """An operation for each row of draws: slot, what, size, tag. 0, or what is wrong. Then all stores are in memory, and `pause` cycles pass."""
    wrong = operations(m, t, slots, draws)
    compute(m, t, pause)
    drain_all(m, m.thread[t].core)
    return wrong


@kernel
def operations(m, t, slots, draws):
    for i in range(len(draws)):
        slot, what, n = slots[draws[i, 0]], draws[i, 1], draws[i, 2]
        if slot[BLOCK] and not is_marked(m, t, slot, slot[SIZE], False):
            return SPOILT
        if slot[BLOCK] and what:
            free(m, t, slot[BLOCK])
            slot[BLOCK] = 0
            continue
        kept, before = min(slot[SIZE], n), slot[BLOCK]
        new = realloc(m, t, before, n) if before else malloc(m, t, n)
        if new == 0:
            return LOST
        slot[BLOCK] = new
        if before and not is_marked(m, t, slot, kept, kept != slot[SIZE]):
            return SPOILT
        slot[SIZE], slot[TAG] = n, draws[i, 3]
        if new % (16 if n >= 16 else 8):
            return MISALIGNED
        if usable_size(m, t, new) < n:
            return SHORT
        mark(m, t, slot, n)
    return 0


def draws(random, n, largest):
    sizes = np.exp(random.uniform(0, np.log(largest), n)).astype(np.int64)
    return np.stack([random.integers(0, SLOTS, n), random.integers(0, 10, n) < 6, sizes, random.integers(1, 1 << 40, n)], 1)


def overlapping(slots, sizes):
    """Whether two blocks of [(address, bytes)] share a byte: the plain interval list."""
    order = np.argsort(slots)
    return bool((slots[order][:-1] + sizes[order][:-1] > slots[order][1:]).any())


def hammer(name, operations, seed=0, burst_length=500, largest=20_000):
    """Random bursts by four threads in turn; what the allocator says it holds at the end. AssertionError."""
    largest = 20 if name == "bump" else largest  # or memory would be full
    machine, random = hwmem.Machine(MachineConfig().replace(cores=CORES, memory="1GiB"), seed), np.random.default_rng(seed)
    allocator = Allocator(machine.spawn(), name)
    slots = np.zeros((CORES * SLOTS, 3), np.int64)
    for i in range(-(-operations // burst_length)):
        core = i % CORES
        if i % 16 == 15:  # blocks go from thread to thread
            slots = np.roll(slots, SLOTS, 0)
        some = draws(random, burst_length, (300, 3_000, largest, 40 * largest)[i // 4 % 4 if i % 7 else 3])
        wrong = allocator.process._run(core, burst, slots[core * SLOTS : (core + 1) * SLOTS], some, PAUSE if i % 16 == 14 else 0)
        assert wrong == 0, (name, i, wrong)
        live = slots[slots[:, BLOCK] != 0]
        assert not overlapping(live[:, BLOCK], live[:, SIZE]), (name, i)
        if i % 8 == 7:
            allocator.tick(everything=i % 64 == 63, core=core)
        if burst_length * i % (100_000 if name == "bump" else 5_000) == 0:
            allocator.check()
    held = allocator.check()
    if name not in ("bump", "glibc"):  # the one frees nothing, the other counts no blocks
        large = int((live[:, SIZE] > 1 << 22).sum())
        assert held["blocks"] == len(live) - large, (name, held, len(live))
    return held


if __name__ == "__main__":
    for one in sys.argv[2:] or NAMES:
        print(one, hammer(one, int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000), flush=True)

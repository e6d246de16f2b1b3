"""Near loads (core/near.py): whatever the machine, nothing but the host's time tells them from others."""

import numpy as np
import pytest

import hwmem
from hwmem import params as P
from hwmem._jit import call_door, kernel
from hwmem.config.machine import CacheConfig, MachineConfig, TlbConfig
from hwmem.core.access import fetch_add64, load, store64
from hwmem.machine.machine import Machine
from kernels_under_test import threads_of

PAGES, STEPS = 40, 4_000
LOAD, STORE, ADD = range(3)
MAKES = {
    "tso": {},
    "sc": {"ordering": "sc"},
    "relaxed": {"ordering": "relaxed"},
    "a small TLB": {"dtlb": TlbConfig(8, 2, 1)},
    "FIFO": {"l1d": CacheConfig(size="8KiB", ways=4, latency=4, replacement="fifo")},
    "more ways than a stack has": {"l1d": CacheConfig(size="64KiB", ways=32, latency=4, replacement="lru")},
    "huge pages": {"thp": "always"},
    "no MMU": {"mmu": False},
}


@kernel
def mixture(m, threads, script, near, results):
    """Rows (thread, operation, address, size); results[i] is what was read."""
    for i in range(len(script)):
        t, va, size = threads[script[i, 0]], script[i, 2], script[i, 3]
        if script[i, 1] == STORE:
            store64(m, t, va & ~7, i)
        elif script[i, 1] == ADD:
            results[i] = fetch_add64(m, t, va & ~7, i)
        elif near:
            results[i] = load(m, t, va, size)
        else:
            results[i] = call_door(m, P.DOOR_MEMORY, t, va, size | P.LOAD << P.KIND_SHIFT, 0)


def script_of(base, rng):
    """Accesses of two cores that come back to a few dozen places: words that both use, places at line and page edges."""
    places = base + rng.integers(PAGES, size=60) * P.PAGE + rng.choice([0, 8, 61, 64, 2040, P.PAGE - 8, P.PAGE - 3], size=60)
    size = rng.choice([1, 2, 4, 8], size=STEPS)
    return np.stack([rng.integers(2, size=STEPS), rng.choice(3, size=STEPS, p=[0.8, 0.15, 0.05]), rng.choice(places, size=STEPS), size], 1)


def run(near, **settings):
    """(values, counters, clocks) of the mixture; the machine has been checked in between."""
    machine = Machine(MachineConfig().replace(cores=2, memory="64MiB", **settings))
    process = machine.spawn()
    flags = hwmem.MAP_PRIVATE | hwmem.MAP_ANONYMOUS
    base = process.mmap(0, 4 << 20, prot=hwmem.PROT_READ | hwmem.PROT_WRITE, flags=flags) if machine.config.mmu else 1 << 20
    threads = threads_of(process)
    script, results = script_of(base, np.random.default_rng(5)), np.zeros(STEPS, np.int64)
    for part in range(0, STEPS, STEPS // 10):
        rows = slice(part, part + STEPS // 10)
        mixture(machine.state, threads, script[rows], near, results[rows])
        machine.check()
        if part == STEPS // 2 and machine.config.mmu:  # translations change under what was remembered
            process.madvise(base, 8 * P.PAGE, hwmem.MADV_DONTNEED)
    return results.tolist(), machine.counters(), [machine.cycles(core) for core in (0, 1)]


@pytest.mark.parametrize("make", MAKES)
def test_a_near_load_reads_counts_and_takes_what_any_other_does(make):
    assert run(True, **MAKES[make]) == run(False, **MAKES[make])

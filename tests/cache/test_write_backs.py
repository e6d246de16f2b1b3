"""Dirty lines: what was written reaches memory, once."""

import itertools

import numpy as np
import pytest

from hwmem.config.machine import CacheConfig, MachineConfig
from hwmem.machine.machine import Machine

ALL = list(itertools.product(("msi", "mesi", "moesi", "mesif"), ("inclusive", "nine"), (True, False), (True, False), (1, 2)))


@pytest.mark.parametrize("protocol, inclusion, l2, llc, sockets", ALL)
def test_each_line_written_once_is_written_to_memory_once(seed, protocol, inclusion, l2, llc, sockets):
    """Every core writes lines, all cores read them, then reads of other lines push everything out."""
    if sockets > 1 and not llc:
        inclusion = "nine"
    cores = 4
    rng = np.random.default_rng(seed)
    machine = Machine(
        MachineConfig().replace(
            cores=cores,
            sockets=sockets,
            mmu=False,
            ordering="sc",
            protocol=protocol,
            inclusion=inclusion,
            l1d=CacheConfig(512, 2, 4),
            l2=CacheConfig(1024, 4, 14) if l2 else None,
            llc=CacheConfig(8192, 8, 42) if llc else None,
        )
    )
    written = rng.permutation(1000)[:120]
    machine.replay((written * 64, True), core=rng.integers(0, cores, len(written)))
    reads = rng.integers(0, 1000, 1500)
    machine.replay((reads * 64, False), core=rng.integers(0, cores, len(reads)))
    machine.check()
    others = np.arange(2000, 3000)
    for core in range(cores):
        machine.replay((others * 64, False), core=core)
    counters = machine.counters()
    assert counters["dram"]["writes"] == len(written)
    machine.check()

"""What serves one at a time makes a core wait only for what it meets: not for what a core ahead of it did later."""

import numpy as np
import pytest

from hwmem.config.machine import MachineConfig
from hwmem.memory import periods
from hwmem.layout.rules import PERIOD
from hwmem.machine.machine import Machine

beginning, used = (getattr(f, "py_func", f) for f in (periods.beginning, periods.used))
LINES = np.arange(4_096) * 64


def machine():
    return Machine(MachineConfig().replace(cores=2, mmu=False, ordering="sc", dram={"bytes_per_cycle": 0.64}))


def cycles_of(m, core, addresses, write=False):
    before = m.cycles(core)
    m.replay((addresses, write), core=core)
    return m.cycles(core) - before


def test_a_core_behind_finds_the_bus_free_that_another_takes_later():
    alone, both = machine(), machine()
    expected = cycles_of(alone, 1, LINES[:100])
    cycles_of(both, 0, LINES[1_000:])
    waited = both.counters()["dram"]["queue_cycles"]
    assert cycles_of(both, 1, LINES[:100]) == expected < 0.1 * both.cycles(0)
    assert both.counters()["dram"]["queue_cycles"] == waited


def test_a_core_behind_takes_a_line_that_another_takes_later():
    m = machine()
    cycles_of(m, 0, LINES[:1_000], True)
    ahead = m.cycles(0)
    cycles_of(m, 1, LINES[990:1_000], True)
    cycles_of(m, 0, LINES[990:1_000], True)
    assert m.cycles(1) < 0.1 * ahead and sum(c["line_waits"] for c in m.counters()["cores"]) == 0


def use(period, asked, cycles):
    begins = beginning(period, asked)
    used(period, begins, begins + cycles)
    return begins


@pytest.mark.parametrize("seed", range(20))
def test_uses_asked_for_in_order_follow_one_another_as_in_a_queue(seed):
    random, period, free = np.random.default_rng(seed), np.rec.array(np.zeros(1, PERIOD))[0], 0
    asked = np.sort(random.integers(0, 3_000, 200))
    for at, cycles in zip(asked.tolist(), random.integers(1, 30, 200).tolist()):
        assert use(period, at, cycles) == max(at, free)
        free = max(at, free) + cycles


def test_a_use_asked_for_late_has_the_gap_before_if_it_is_like_the_last():
    period = np.rec.array(np.zeros(1, PERIOD))[0]
    assert [use(period, at, 10) for at in (1_000, 1_005, 980, 990, 991, 0)] == [1_000, 1_010, 980, 990, 1_020, 0]
    assert use(period, 1_035, 500) == 1_035 and use(period, 1_100, 10) == 1_535
    assert use(period, 700, 10) == 700, "the last took 10 cycles"

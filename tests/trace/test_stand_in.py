"""The process that stands in for a trace's program: its pages were there before the first reference, each with a frame of its own."""

import numpy as np
import pytest

from hwmem.config.machine import MachineConfig
from hwmem.machine.machine import Machine
from hwmem import params as P

LINES, BASE = 4096, 0x10000000  # 256 KiB
REFERENCES = np.tile(BASE + 64 * np.arange(LINES), 3), False, 8


@pytest.mark.parametrize("settings", [{}, {"thp": "always"}, {"protocol": "msi"}, {"ordering": "sc", "inclusion": "nine"}])
def test_what_a_trace_only_reads_is_memory_of_its_own(settings):
    """256 KiB, every line read in turn, three times: an LRU of 48 KiB misses all of them, and memory is read once a line."""
    m = Machine(MachineConfig().replace(**settings))
    counters = m.replay(REFERENCES)
    core = counters["cores"][0]
    plain = Machine(MachineConfig().replace(mmu=False, **{k: v for k, v in settings.items() if k != "thp"})).replay(REFERENCES)
    assert plain["cores"][0]["l1d.misses"] == 3 * LINES
    assert 3 * LINES <= core["l1d.misses"] <= 3 * LINES + core["walk_accesses"]
    assert core["kernel_accesses"] == 0
    assert LINES <= counters["dram"]["reads"] <= LINES + core["walk_accesses"]


@pytest.mark.parametrize("thp, pages", [("never", 64), ("always", 1)])
def test_a_first_touch_is_a_fault_and_no_work_of_the_kernels_in_the_caches(thp, pages):
    m = Machine(MachineConfig().replace(thp=thp))
    core = m.replay((BASE + 4096 * np.arange(64), np.arange(64) % 2, 8))["cores"][0]
    assert (core["faults.minor"], core["faults.major"], core["kernel_accesses"]) == (pages, 0, 0)
    assert core["l1d.misses"] + core["l1d.hits"] == 64 + core["walk_accesses"]


def test_memory_that_runs_short_is_reclaimed_with_all_that_costs():
    """What the stand-in's pages push out to swap, and what comes back from there, is work that is done now."""
    m = Machine(MachineConfig().replace(memory="8MiB", swap="64MiB", cores=1))
    pages = 4096 * np.arange(4096)
    core = m.replay((np.tile(BASE + pages, 2), False, 8))["cores"][0]
    assert core["faults.major"] > 256 and core["kernel_accesses"] > 256  # 8 or 16 pages are read ahead
    assert m.vmstat()["pswpout"] > 1000
    m.check()


def test_a_process_of_the_callers_is_as_it_was():
    """Reading nothing in a mapping shows the zero page, as Linux does; only the stand-in's memory was there before."""
    m = Machine()
    p = m.spawn()
    a = p.mmap(0, 16 * P.PAGE)
    c = m.replay((a + P.PAGE * np.arange(16), False, 8), process=p)["cores"][0]
    assert c["kernel_accesses"] > 0 and p.pagemap(a).zero and p.pagemap(a + P.PAGE).zero
    m.check()

"""A replay on one core counts eight accesses of a line at once; one whose cores are an array takes them one by one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwmem.config.machine import MachineConfig
from hwmem.machine.machine import Machine

SMALL = {
    "cores": 1,
    "memory": "8MiB",
    "l1d": {"size": "512B", "ways": 2},
    "l2": {"size": "1KiB", "ways": 4},
    "llc": {"size": "4KiB", "ways": 4},
}
SPAN = 1 << 16


def runs(lines):
    """Lists of (address, size, is_store): stretches within a line, in any order there, now and then across its end."""
    one = st.tuples(st.integers(0, 63), st.sampled_from((1, 2, 4, 8, 16, 64)), st.booleans())
    stretch = st.tuples(st.integers(0, lines - 1), st.lists(one, min_size=1, max_size=20))
    return st.lists(stretch.map(lambda s: [(64 * s[0] + a // size * size, size, store) for a, size, store in s[1]]), max_size=12).map(
        lambda parts: [access for part in parts for access in part]
    )


def both_ways(trace, rounds=2, **settings):
    """What a replay of `trace` counts, and the machine's clock, by the one core's loop and by the many cores'."""
    address, size, store = (np.array(column) for column in zip(*trace)) if trace else (np.zeros(0, np.int64),) * 3
    for core in (0, np.zeros(len(trace), np.int64)):
        m = Machine(MachineConfig().replace(**SMALL, **settings))
        p = m.spawn()
        base = p.mmap(0, SPAN) if m.config.mmu else 0
        counts = [m.replay((address + base, store.astype(bool), size), core=core, process=p) for _ in range(rounds)]
        m.check()
        yield counts, m.cycles(0)


@pytest.mark.parametrize("mmu", [True, False])
@settings(max_examples=40)
@given(trace=runs(lines=24))
def test_eight_at_once_are_what_they_are_one_by_one(mmu, trace):
    one, many = both_ways(trace, mmu=mmu)
    assert one == many


@pytest.mark.parametrize("length", range(20))
def test_a_stretch_ends_with_the_line_and_with_the_trace(length):
    for store in (False, True):
        one, many = both_ways([(8 * k, 8, store) for k in range(length)], mmu=False)
        assert one == many
        lines = -(-length // 8)
        (first, second), _ = one
        assert first["cores"][0]["l1d.misses"] == lines and second["cores"][0]["l1d.misses"] == 0
        assert second["cores"][0]["l1d.hits"] == length == second["cores"][0]["stores" if store else "loads"]


def test_a_store_among_loads_of_a_clean_line_is_no_hit_of_the_filter():
    trace = [(0, 8, False), (8, 8, False), (16, 8, True), (24, 8, False), (32, 8, True)] * 3
    (one, _), (many, _) = both_ways(trace, rounds=1, mmu=False)
    assert one == many
    core = one[0]["cores"][0]
    assert (core["loads"], core["stores"], core["l1d.misses"], core["l1d.hits"]) == (9, 6, 1, 14)

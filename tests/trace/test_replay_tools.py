"""The machine, given the references of real programs, counts what cachegrind and pycachesim count.

Cachegrind calls a reference to two lines one reference and at most one miss, and takes at most 64 bytes of it; the
machine looks both lines up and counts both. So

    D1 misses (cachegrind) = l1d.misses - split_double_misses

Cachegrind's LL also serves instructions and is looked up with lines that hit in D1, so it has no counterpart here.
"""

import numpy as np
import pytest

import tools
from hwmem.trace import open_trace
from replay import replay_counts

VALGRIND = tools.missing("valgrind", "sort")
PYCACHESIM = tools.missing("pycachesim")
LEVELS = [(64, 8), (256, 8), (1024, 16)]
SMALL_LEVELS = [(16, 2), (32, 4), (64, 4)]


def cachegrinds_view(counts):
    return counts["levels"][0]["misses"] - counts["split_double_misses"]


def as_cachegrind(trace):
    return trace.addresses, trace.is_store, np.minimum(trace.sizes, tools.LINE_BYTES)


def random_references(seed, n=40_000):
    """Hot and cold lines, all sizes up to a line, a third of them stores, many across two lines."""
    rng = np.random.default_rng(seed)
    addresses = np.where(rng.random(n) < 0.7, rng.integers(0, 8 << 10, n), rng.integers(0, 1 << 20, n))
    return addresses, rng.random(n) < 0.33, rng.integers(1, 65, n)


def test_first_level_misses_of_a_recorded_program_are_cachegrinds(recorded, cachegrinds_answers):
    trace = open_trace(recorded)
    for case in cachegrinds_answers:
        counts = replay_counts(*as_cachegrind(trace), [case["d1"]])
        assert cachegrinds_view(counts) == case["events"]["D1mr"] + case["events"]["D1mw"]
        assert counts["split_accesses"] > 0


@pytest.mark.live
@pytest.mark.skipif(bool(VALGRIND), reason=VALGRIND)
def test_first_level_misses_of_a_live_program_are_cachegrinds(live_folder):
    tools.lackey(["sort", "text"], live_folder, live_folder / "trace")
    events = tools.cachegrind(["sort", "text"], live_folder, (64, 8), (32, 2), (1024, 16))
    trace = open_trace(live_folder / "trace")
    counts = replay_counts(*as_cachegrind(trace), [(32, 2)])
    assert (counts["loads"], counts["stores"] - trace.counts.modifies) == (events["Dr"], events["Dw"])
    assert cachegrinds_view(counts) == events["D1mr"] + events["D1mw"]


@pytest.mark.live
@pytest.mark.skipif(bool(PYCACHESIM), reason=PYCACHESIM)
@pytest.mark.parametrize("levels", [LEVELS, SMALL_LEVELS, SMALL_LEVELS[:2]])
def test_loads_of_a_recorded_program_hit_and_miss_every_level_as_in_pycachesim(recorded, levels):
    trace = open_trace(recorded)
    references = trace.addresses, np.zeros(len(trace.addresses), bool), trace.sizes
    counts = replay_counts(*references, levels)["levels"]
    expected = tools.pycachesim_counts(*references, levels, "load")
    assert [(c["hits"], c["misses"]) for c in counts] == [(e["hits"], e["misses"]) for e in expected]


@pytest.mark.live
@pytest.mark.skipif(bool(PYCACHESIM), reason=PYCACHESIM)
def test_stores_of_a_recorded_program_hit_miss_and_evict_in_the_first_level_as_in_pycachesim(recorded):
    trace = open_trace(recorded)
    references = trace.addresses, trace.is_store, trace.sizes
    for levels in (LEVELS, SMALL_LEVELS):
        counts = replay_counts(*references, levels)["levels"][0]
        expected = tools.pycachesim_counts(*references, levels, "load first")[0]
        assert {name: counts[name] for name in expected} == expected


@pytest.mark.live
@pytest.mark.skipif(bool(PYCACHESIM), reason=PYCACHESIM)
@pytest.mark.parametrize("seed", range(4))
def test_random_references_hit_miss_and_evict_as_in_pycachesim(seed):
    addresses, is_store, sizes = random_references(seed)
    loads = replay_counts(addresses, np.zeros_like(is_store), sizes, SMALL_LEVELS)["levels"]
    expected = tools.pycachesim_counts(addresses, is_store, sizes, SMALL_LEVELS, "load")
    assert [(c["hits"], c["misses"]) for c in loads] == [(e["hits"], e["misses"]) for e in expected]
    mixed = replay_counts(addresses, is_store, sizes, SMALL_LEVELS)["levels"][0]
    first = tools.pycachesim_counts(addresses, is_store, sizes, SMALL_LEVELS, "load first")[0]
    assert {name: mixed[name] for name in first} == first


def test_every_line_touched_is_looked_up_once(recorded):
    trace = open_trace(recorded)
    counts = replay_counts(trace.addresses, trace.is_store, trace.sizes, LEVELS)
    lines, _ = tools.by_line(trace.addresses, trace.is_store, trace.sizes)
    first, second, third = counts["levels"]
    assert (counts["loads"], counts["stores"]) == (trace.counts.loads, trace.counts.stores)
    assert first["hits"] + first["misses"] == len(lines)
    assert second["hits"] + second["misses"] == first["misses"]
    assert third["hits"] + third["misses"] == second["misses"]

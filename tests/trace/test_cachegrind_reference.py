"""The outside truths agree with each other before the machine is held against them."""

import numpy as np
import pytest

import tools
from hwmem.trace import open_trace

VALGRIND = tools.missing("valgrind", "sort")
PYCACHESIM = tools.missing("pycachesim")


def one_level(addresses, is_store, sizes, sets, ways):
    """Hits, misses and dirty evictions of one LRU cache, as plainly as it can be said."""
    cache, answer = [[] for _ in range(sets)], {"hits": 0, "misses": 0, "dirty_evictions": 0}
    for line, store in zip(*(array.tolist() for array in tools.by_line(addresses, is_store, sizes))):
        way = cache[line % sets]
        held = next((entry for entry in way if entry[0] == line), None)
        answer["misses" if held is None else "hits"] += 1
        if held is not None:
            way.remove(held)
        elif len(way) == ways:
            answer["dirty_evictions"] += way.pop()[1]
        way.insert(0, (line, store or held is not None and held[1]))
    return answer


def test_the_reference_counts_every_event_of_a_recorded_program_as_cachegrind_did(reference, recorded_text, cachegrinds_answers):
    for case in cachegrinds_answers:
        assert tools.cachegrind_reference(reference, recorded_text, case["i1"], case["d1"], case["ll"]) == case["events"]


@pytest.mark.live
@pytest.mark.skipif(bool(VALGRIND), reason=VALGRIND)
def test_the_reference_counts_every_event_of_a_live_program_as_cachegrind_does(reference, live_folder):
    caches = (16, 2), (32, 2), (128, 4)
    tools.lackey(["sort", "text"], live_folder, live_folder / "trace")
    counted = tools.cachegrind_reference(reference, (live_folder / "trace").read_bytes(), *caches)
    assert tuple(counted) == tools.EVENTS
    assert counted == tools.cachegrind(["sort", "text"], live_folder, *caches)


def test_cachegrind_counts_the_references_that_the_reader_delivers(recorded, cachegrinds_answers):
    counts = open_trace(recorded).counts
    for case in cachegrinds_answers:
        events = case["events"]
        assert (events["Ir"], events["Dr"], events["Dw"]) == (counts.instructions, counts.loads, counts.stores - counts.modifies)


@pytest.mark.live
@pytest.mark.skipif(bool(PYCACHESIM), reason=PYCACHESIM)
def test_pycachesim_is_exact_lru_where_its_helper_says_so():
    rng = np.random.default_rng(1)
    addresses, is_store, sizes = rng.integers(0, 20_000, 5000), rng.random(5000) < 0.4, rng.integers(1, 65, 5000)
    first = one_level(addresses, is_store, sizes, 16, 4)
    assert tools.pycachesim_counts(addresses, is_store, sizes, [(16, 4), (64, 8)], "load first")[0] == first
    loads = tools.pycachesim_counts(addresses, is_store, sizes, [(16, 4), (64, 8)], "load")
    assert (loads[0]["hits"], loads[0]["misses"]) == (first["hits"], first["misses"])
    assert loads[1]["hits"] + loads[1]["misses"] == first["misses"] and not loads[1]["dirty_evictions"]


def test_a_reference_touches_the_lines_of_its_first_to_its_last_byte():
    lines, is_store = tools.by_line([0, 60, 63, 64, 10], [0, 1, 0, 1, 0], [64, 4, 2, 1, 200])
    assert (lines.tolist(), is_store.tolist()) == ([0, 0, 0, 1, 1, 0, 1, 2, 3], [False, True, False, False, True, *[False] * 4])

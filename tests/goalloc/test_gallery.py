"""The barrier gallery: each barrier costs a store what it reads and writes, and takes from other cores what they write, too."""

import pytest

from goalloc.experiments import gallery


@pytest.fixture(scope="module")
def found():
    """{(barrier, scene): (cycles, lines) of a store}, of fewer stores than the table's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gallery, "STORES", 1500)
        patch.setattr(gallery, "FEW", 500)
        return {(name, scene): gallery.cost(collector, scene) for name, collector in gallery.BARRIERS.items() for scene in gallery.SCENES}


def cycles(found, scene, *names):
    return [found[name, scene][0] for name in names]


def test_what_a_barrier_does_more_costs_more(found):
    for order in (("none", "off", "dijkstra", "hybrid"), ("off", "yuasa", "hybrid"), ("none", "counts", "atomic counts")):
        costs = cycles(found, "alone", *order)
        assert costs == sorted(set(costs)), order


def test_who_looks_at_the_objects_pays_for_objects_that_are_not_in_the_cache(found):
    for name in ("dijkstra", "yuasa", "hybrid", "counts", "atomic counts", "deferred counts"):
        assert found[name, "wide"][0] > found[name, "alone"][0] + 5
    for name in ("none", "off", "cards"):
        assert found[name, "wide"][0] < found[name, "alone"][0] + 1


def test_counts_of_shared_objects_and_neighbouring_cards_go_from_core_to_core(found):
    for name in ("atomic counts", "deferred, atomic"):
        assert found[name, "shared"][1] > 1
    assert found["atomic counts", "apart"][1] < 0.1
    assert found["cards", "apart"][1] > 0.5  # cards are bytes: those of objects of different threads lie on one line
    for name in ("none", "off", "dijkstra", "yuasa", "hybrid", "remembered set"):
        assert found[name, "shared"][1] < 0.1 and found[name, "apart"][1] < 0.1

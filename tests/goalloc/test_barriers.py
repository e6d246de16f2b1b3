"""What each write barrier keeps, and what is lost without its other half (goalloc/experiments/barriers.py)."""

import pytest

import goalloc
from goalloc.experiments.barriers import SETTINGS, WAYS, barriers, is_kept

LOST = {"moved": {"none"}, "loaded": {"none", "dijkstra"}, "hidden": {"none", "yuasa"}}


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("way", WAYS)
def test_an_object_is_lost_exactly_where_the_missing_half_would_have_kept_it(way, setting):
    kept, scene = is_kept(way, setting)
    assert kept == (setting not in LOST[way])
    if kept:
        scene.rt.check()
    elif way != "loaded":  # words of a stack that are no objects are no fault
        with pytest.raises(goalloc.FatalError, match="can be reached and has been freed"):
            scene.rt.check()


def test_a_lost_object_is_found_by_the_collector_as_go_finds_it():
    """The lost object was alone in its span, which went back to the heap."""
    _, scene = is_kept("moved", "none")
    with pytest.raises(goalloc.FatalError, match="fatal error: found (bad pointer in Go heap|pointer to free object)"):
        scene.rt.gc()


def test_a_barrier_costs_a_look_at_its_flag_while_nothing_marks():
    columns, rows = barriers()
    cost = {row[0]: dict(zip(columns, row, strict=True)) for row in rows}
    assert len({row["cycles, off"] for row in cost.values()}) == 1
    assert cost["none"]["cycles, marking"] < cost["dijkstra"]["cycles, marking"] < cost["hybrid"]["cycles, marking"]
    assert cost["hybrid"]["cycles, marking"] < cost["hybrid, at once"]["cycles, marking"]

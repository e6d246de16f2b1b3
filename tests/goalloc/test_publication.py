"""What Go's fences are for: taken away, a machine whose stores and loads pass each other breaks it (goalloc/experiments/publication.py)."""

import pytest

from goalloc.experiments.publication import OBJECTS, ORDERINGS, hidden, published

IN_ORDER = ("sc", "tso")


@pytest.mark.parametrize("ordering", ORDERINGS)
def test_with_the_publication_barrier_nobody_sees_an_object_before_it_is_cleared(ordering):
    seen, uncleared, end = published(ordering, True)
    assert OBJECTS // 8 < seen <= OBJECTS // 2 and uncleared == 0 and end == "holds"


def test_without_it_old_pointers_are_seen_where_stores_pass_and_end_the_program():
    seen, uncleared, end = published("relaxed", False)
    assert 0 < uncleared < seen
    assert "pointer to unallocated span" in end or "found bad pointer" in end  # Go's words
    for ordering in IN_ORDER:
        assert published(ordering, False)[1:] == (0, "holds")


@pytest.mark.parametrize("ordering", ORDERINGS)
def test_a_p_that_sees_the_barriers_flag_as_it_was_before_the_stop_loses_an_object(ordering):
    assert hidden(ordering, True)
    assert hidden(ordering, False) == (ordering in IN_ORDER)

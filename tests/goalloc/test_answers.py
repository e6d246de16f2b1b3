"""The page allocator answers as the real one did: random histories, searches in bitmaps and words."""
import pytest
from recorded import oracle

from goalloc import answers


@pytest.mark.parametrize("i", range(len(oracle("pagealloc"))))
def test_a_history_of_the_page_allocator_ends_as_recorded(i):
    case = oracle("pagealloc")[i]
    ours = answers.pagealloc(case)
    for k, (op, recorded) in enumerate(zip(ours["ops"], case["ops"], strict=True)):
        assert op == recorded, f"operation {k}"
    assert ours == case


def test_searches_in_a_chunks_bitmap_find_what_was_recorded():
    for i, case in enumerate(oracle("pallocbits")):
        assert answers.pallocbits(case) == case, f"case {i}"


def test_runs_of_ones_are_found_where_recorded():
    assert answers.findbitrange64(oracle("findbitrange64")) == oracle("findbitrange64")

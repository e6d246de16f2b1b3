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


def test_a_case_without_questions_has_no_answers_and_one_of_another_form_is_refused():
    nothing = {"alloc": None, "scavenged": None, "finds": None, "summary": [9, 9, 9], "scavenge_candidates": []}
    assert answers.pallocbits(nothing) == nothing | {"finds": [], "summary": [512, 512, 512]} and answers.findbitrange64([]) == []
    for call, error, word in ((lambda: answers.pagealloc({}), ValueError, "chunks"), (lambda: answers.pallocbits(5), TypeError, "case"),
                              (lambda: answers.findbitrange64([{"bits": "0x1"}]), ValueError, "npages")):
        with pytest.raises(error, match=word):
            call()


def test_runs_of_ones_are_found_where_recorded():
    assert answers.findbitrange64(oracle("findbitrange64")) == oracle("findbitrange64")

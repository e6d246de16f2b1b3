"""The page allocator, the pacer and the CPU limiter answer as the real ones did."""

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


@pytest.mark.oracle
def test_searches_in_a_chunks_bitmap_find_what_was_recorded():
    for i, case in enumerate(oracle("pallocbits")):
        assert answers.pallocbits(case) == case, f"case {i}"


def test_a_case_without_questions_has_no_answers_and_one_of_another_form_is_refused():
    nothing = {"alloc": None, "scavenged": None, "finds": None, "summary": [9, 9, 9], "scavenge_candidates": []}
    assert answers.pallocbits(nothing) == nothing | {"finds": [], "summary": [512, 512, 512]} and answers.findbitrange64([]) == []
    for call, error, word in (
        (lambda: answers.pagealloc({}), ValueError, "chunks"),
        (lambda: answers.pallocbits(5), TypeError, "case"),
        (lambda: answers.findbitrange64([{"bits": "0x1"}]), ValueError, "npages"),
    ):
        with pytest.raises(error, match=word):
            call()


@pytest.mark.oracle
def test_runs_of_ones_are_found_where_recorded():
    assert answers.findbitrange64(oracle("findbitrange64")) == oracle("findbitrange64")


def as_recorded(ours):
    """With which a recorded case compares equal if floats are to 1e-9."""
    if isinstance(ours, float):
        return pytest.approx(ours, rel=1e-9, abs=0)
    if isinstance(ours, dict):
        return {key: as_recorded(value) for key, value in ours.items()}
    return [as_recorded(value) for value in ours] if isinstance(ours, list) else ours


@pytest.mark.parametrize("i", range(len(oracle("pacer"))))
def test_the_pacer_sets_goals_triggers_and_assist_ratios_as_recorded(i):
    case = oracle("pacer")[i]
    ours = answers.pacer(
        without(
            case,
            "goal_at_start",
            "triggered_heap_live",
            "assist_work_per_byte_at_start",
            "goal_after",
            "heap_marked_after",
            "heap_live_at_end",
            "assist_work_per_byte",
            "goal",
        )
    )
    assert case == as_recorded(ours)


@pytest.mark.parametrize("i", range(len(oracle("cpulimiter"))))
def test_the_cpu_limiter_fills_and_limits_as_recorded(i):
    case = oracle("cpulimiter")[i]
    transitions = [op["op"] == "transition" for op in case["ops"]]
    blank = [
        op if kept else op | {"fill": -1, "overflow": -1, "capacity": -1, "limiting": None} for op, kept in zip(case["ops"], transitions)
    ]
    assert answers.cpulimiter(case | {"ops": blank}) == case


def without(case, *names):
    """The case with these answers wrong, wherever they are."""
    if isinstance(case, dict):
        return {key: -1 if key in names else without(value, *names) for key, value in case.items()}
    return [without(value, *names) for value in case] if isinstance(case, list) else case


def test_cases_of_the_pacer_without_what_it_asks_are_refused():
    for call, word in ((lambda: answers.pacer({"cycles": []}), "gc_percent"), (lambda: answers.cpulimiter({"ops": []}), "gomaxprocs")):
        with pytest.raises(ValueError, match=word):
            call()

"""Random programs of goroutines end their steps in the order and with the outcomes of the real ones, which were recorded."""

import pytest
from one_p import OneP
from orders import run_all
from recorded import oracle


@pytest.mark.oracle
def test_steps_end_in_the_order_and_with_the_outcomes_of_the_real_ones(runtime):
    """Starting, channels, close, select, Mutex, WaitGroup, Gosched; GOMAXPROCS=1. test_live.py runs fresh ones."""
    recorded = oracle("goroutine_programs")
    one = OneP(runtime(gomaxprocs=1))
    ours = run_all(one, recorded["programs"], recorded["answers"])
    for k, (notes, answer) in enumerate(zip(ours, recorded["answers"], strict=True)):
        assert notes == answer["Notes"], k
    one.rt.check()

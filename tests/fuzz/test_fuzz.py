"""A small part of every fuzzer, with fixed seeds; `python -m tests.fuzz` runs the long ones."""

import importlib

import pytest

from tests.fuzz.harness import run_cases

pytestmark = pytest.mark.slow
STEPS = {"calls": 900, "physical": 600, "results": 100, "kernels": 1600, "cache": 400}


@pytest.mark.parametrize("kind", STEPS)
def test_nothing_crashes_hangs_or_raises_what_it_may_not(kind, seed):
    module = importlib.import_module(f"tests.fuzz.{kind}")
    module.prepare()
    steps, failures = run_cases(module.case, range(seed, seed + 1000), STEPS[kind])
    assert steps >= STEPS[kind] and not failures


def test_the_harness_sees_a_signal_a_hang_and_a_traceback(monkeypatch):
    import os
    import signal

    monkeypatch.setattr("tests.fuzz.harness.HANG_SECONDS", 0.2)

    def case(r, note):
        note("step")
        kind = r.randrange(3)
        if kind == 0:
            os.kill(os.getpid(), signal.SIGSEGV)
        while kind == 1:
            pass
        raise AssertionError("told")

    _, failures = run_cases(case, range(12))
    assert len(failures) == 12 and {f.what.split()[0] for f in failures} == {"signal", "hangs", "step"}

"""Kernels give the same numbers unjitted and in another process; importing compiles nothing."""

import pytest

from hwmem._jit import JIT_DISABLED
from jit.programs import ROOT, run
from mixture import mixtures

MIXTURE = ROOT / "tests" / "mixture.py"


def test_the_same_seed_gives_the_same_numbers_in_another_process(seed):
    assert run(MIXTURE, 3000, seed)[0] == mixtures(3000, seed)


def test_another_seed_gives_other_numbers(seed):
    assert mixtures(300, seed) != mixtures(300, seed + 1)


def test_unjitted_kernels_give_the_same_numbers(seed):
    """Everything in plain Python, without a word from numpy about overflow."""
    unjitted, complaints = run(MIXTURE, 60, seed, NUMBA_DISABLE_JIT="1")
    assert unjitted == mixtures(60, seed)
    assert "Warning" not in complaints, complaints[-2000:]


@pytest.mark.skipif(JIT_DISABLED, reason="nothing is compiled")
def test_numbas_own_bounds_checks_hold_for_the_machines_record_too():
    """That no index is out of bounds, checked mode shows (test_checked_mode.py)."""
    said, _ = run(
        """
        import json
        import numpy as np
        from hwmem.kernels import clock
        from hwmem.layout import MACHINE
        state = np.zeros(1, MACHINE).view(np.recarray)[0]
        def answer(t):
            try:
                return int(clock(state, t))
            except IndexError as error:
                return str(error)
        print(json.dumps([answer(t) for t in (0, 1 << 40)]))
    """,
        NUMBA_BOUNDSCHECK="1",
    )
    assert said[0] == 0 and "out of bounds" in said[1]


def test_importing_the_package_compiles_nothing():
    """Importing is for everybody; compiling is for those who make a machine."""
    compiled, _ = run("""
        import json
        import hwmem.machine.machine, hwmem.machine.process, hwmem.kernels
        from hwmem.core.access import load64
        from hwmem.machine.accesses import touch_pages
        print(json.dumps([len(load64.overloads), len(touch_pages.overloads)]))
    """)
    assert compiled == [0, 0]

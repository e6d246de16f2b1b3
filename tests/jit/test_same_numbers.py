"""Kernels give the same numbers unjitted, with bounds checks, and in another process; importing compiles nothing."""

from jit.programs import ROOT, run
from mixture import mixtures

MIXTURE = ROOT / "tests" / "mixture.py"


def test_the_same_seed_gives_the_same_numbers_in_another_process(seed):
    assert run(MIXTURE, 3000, seed)[0] == mixtures(3000, seed)


def test_another_seed_gives_other_numbers(seed):
    assert mixtures(300, seed) != mixtures(300, seed + 1)


def test_unjitted_kernels_give_the_same_numbers(seed):
    """Everything in plain Python, without a word from numpy about overflow."""
    unjitted, complaints = run(MIXTURE, 120, seed, NUMBA_DISABLE_JIT="1")
    assert unjitted == mixtures(120, seed)
    assert "Warning" not in complaints, complaints[-2000:]


def test_with_bounds_checks_no_index_is_out_of_bounds(seed):
    checked, complaints = run(MIXTURE, 3000, seed, NUMBA_BOUNDSCHECK="1")
    assert "IndexError" not in complaints and "out of bounds" not in complaints, complaints[-2000:]
    assert checked == mixtures(3000, seed)


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

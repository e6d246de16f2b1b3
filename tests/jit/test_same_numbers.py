"""Kernels give the same numbers unjitted and in another process; importing compiles nothing."""

import pytest

from hwmem._jit import JIT_DISABLED
from jit.programs import ROOT, printed, run
from mixture import mixtures

MIXTURE = ROOT / "tests" / "mixture.py"
SB = """X86 SB
{ }
 P0          | P1          ;
 MOV [x],$1  | MOV [y],$1  ;
 MOV EAX,[y] | LOCK XADD [x],EAX ;
exists (0:EAX=0 /\\ 1:EAX=0)
"""


def test_the_same_seed_gives_the_same_numbers_in_another_process(seed):
    assert run(MIXTURE, 3000, seed)[0] == mixtures(3000, seed)


def test_another_seed_gives_other_numbers(seed):
    assert mixtures(300, seed) != mixtures(300, seed + 1)


def test_unjitted_kernels_give_the_same_numbers(seed):
    """Everything in plain Python, without a word from numpy about overflow."""
    unjitted, complaints = run(MIXTURE, 60, seed, NUMBA_DISABLE_JIT="1")
    assert unjitted == mixtures(60, seed)
    assert "Warning" not in complaints, complaints[-2000:]


def test_a_litmus_test_has_the_same_outcomes_and_ways(tmp_path):
    (tmp_path / "SB.litmus").write_text(SB)
    assert "LOCK XADD [x],EAX" in printed(tmp_path, "litmus", "SB.litmus")


def test_pages_are_read_around_a_fault_from_swap_alike():
    program = """
        import json
        from hwmem import Machine, MachineConfig
        p = Machine(MachineConfig().replace(cores=1, memory=1 << 19, swap=1 << 21)).spawn()
        a = p.mmap(0, 1 << 20)
        for step in (1, 1, 37):  # in order the window of read-ahead grows, and then it shrinks
            for n in range(160):
                p.store(a + n * step % 160 * 4096, n * step % 160)
        print(json.dumps([p.load(a + page * 4096) for page in range(160)] + [p.rusage().majflt]))
    """
    told = [run(program, PYTHONWARNINGS="error::RuntimeWarning", NUMBA_DISABLE_JIT=flag)[0] for flag in "10"]
    assert told[0] == told[1]
    assert told[0][:160] == list(range(160)) and told[0][160] > 10


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

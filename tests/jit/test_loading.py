"""Code of this project's own is loaded from the cache without what only compiling needs."""

import subprocess
import sys
import textwrap

import pytest

from hwmem._jit import JIT_DISABLED
from jit.programs import run

pytestmark = pytest.mark.skipif(JIT_DISABLED, reason="nothing is compiled")

# What the machine code of kernels calls (nm -u of all of a cache): by these names LLVM has to find it
CALLED = """
    PyErr_SetString PyEval_SaveThread numba_extract_record_data numba_release_buffer numba_do_raise numba_gil_ensure numba_gil_release
    numba_runtime_build_excinfo_struct numba_unpickle NRT_Free NRT_MemInfo_call_dtor NRT_MemInfo_alloc_aligned
    NRT_adapt_ndarray_from_python NRT_adapt_ndarray_to_python_acqref
""".split()


def test_a_run_from_the_cache_makes_no_tables_and_finds_all_that_code_calls():
    program = f"""
        import json, sys
        import numpy as np
        import hwmem
        import llvmlite.binding as llvm

        machine = hwmem.Machine(hwmem.MachineConfig().replace(mmu=False))
        machine.replay((np.arange(0, 1 << 16, 64), np.zeros(1024, bool)), core=np.arange(1024) % 4)
        tables = [name for name in ("numba.np.linalg", "numba.typed.typeddict") if name in sys.modules]
        print(json.dumps([tables, [name for name in {CALLED!r} if not llvm.address_of_symbol(name)], sum(core["l1d.misses"] for core in machine.counters()["cores"])]))
    """
    run(program)  # compiles what is not compiled
    tables, missing, misses = run(program)[0]
    assert tables == []
    assert missing == []
    assert misses == 1024


def test_a_second_program_in_one_process_prints_no_warning_of_numbas():
    """Its record may begin as the first one's does, and then some of the first one's kernels are its own."""
    program = """
        import numba
        import numpy
        import hwmem._jit.compiler

        short, long = (numba.from_dtype(numpy.dtype([(name, "i8") for name in names])) for names in ("x", "xy"))
        print(long.can_convert_to(None, short) is not None)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("True\n", "")

"""A call of one of the project's kernels by another costs what it does, and nothing where it is not made."""

import pytest
from numba import int64
from numba.np import numpy_support

from hwmem._jit import JIT_DISABLED
from hwmem._jit.compiler import KernelDispatcher
from hwmem._jit.decorators import KERNEL_OPTIONS
from hwmem.core.access import load64
from hwmem.layout import MACHINE

pytestmark = pytest.mark.skipif(JIT_DISABLED, reason="nothing is compiled")


@pytest.fixture(scope="module")
def compiled():
    """LLVM's text of load64, its callees linked in and inlined."""
    dispatcher = KernelDispatcher(load64.py_func, targetoptions=KERNEL_OPTIONS)
    dispatcher.compile((numpy_support.from_struct_dtype(MACHINE), int64, int64))
    (overload,) = dispatcher.overloads.values()
    return overload.library.get_llvm_str()


def functions(text):
    """[(first line, the others)] of the kernels' functions; numba's wrappers, whose symbols begin otherwise, are left out."""
    parts = [part.partition("\n") for part in text.split("\ndefine ")[1:]]
    return [(head, body.partition("\n}")[0]) for head, _, body in parts if "@_ZN5hwmem" in head]


def test_no_place_is_cleared_for_a_call_that_may_not_be_made(compiled):
    found = functions(compiled)
    assert any("load_else" in head for head, _ in found)
    for head, body in found:
        assert "store ptr null" not in body, head
        assert "excinfo = alloca" not in body, head

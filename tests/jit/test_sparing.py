"""What is left out while a kernel is compiled changes nothing in the kernel."""

import types as python

import numpy as np
import pytest
from numba import int64, types
from numba.core.registry import cpu_target
from numba.core.runtime import _nrt_python, rtsys

from hwmem._jit import JIT_DISABLED, kernel
from hwmem._jit.compiler import KernelDispatcher, LinkOnlyPipeline
from hwmem._jit.decorators import KERNEL_OPTIONS

pytestmark = pytest.mark.skipif(JIT_DISABLED, reason="nothing is compiled")


def variables_of_all_kinds(n, pairs):
    """Variables that are set in one branch, carried round a loop, packed in tuples, and dead for a while."""
    found, last, pair = 0, -1, (0, 0)
    for i in range(n):
        if i % 3 == 1:
            kept = i * pairs
            found += kept
        elif i % 3 == 2 and last >= 0:
            pair = (pair[1], i - last)
            last = -1
            continue
        else:
            last = i
        while found > 1 << 20:
            found -= pair[0] + 1 << 19
        found += max(pair[1], min(i, 7)) if bool(last) else not i
    return found * 31 + pair[0]


def owns_arrays(n):
    found = np.zeros(3, np.int64)
    for i in range(n):
        part = np.full(3, i, np.int64)
        if i & 1:
            part = part[::-1].copy()
            part[0] += 1
        found = found + part
    return found.sum()


@pytest.mark.parametrize("whose", ["hwmem.a_kernel_of_its_own", "somebodys"])
def test_a_kernel_computes_what_python_does(whose):
    function = python.FunctionType(variables_of_all_kinds.__code__, globals(), "variables")
    function.__module__ = whose
    compiled = KernelDispatcher(function, targetoptions=KERNEL_OPTIONS)
    for n in (0, 1, 2, 3, 50, 400):
        for pairs in (0, 5, 999):
            assert compiled(n, pairs) == variables_of_all_kinds(n, pairs), (n, pairs)


@pytest.fixture
def counted():
    before = _nrt_python.memsys_stats_enabled()
    _nrt_python.memsys_enable_stats()
    yield
    if not before:
        _nrt_python.memsys_disable_stats()


@pytest.mark.parametrize("inner", [False, True])
def test_arrays_of_a_users_kernel_are_freed(inner, counted):
    callee = KernelDispatcher(owns_arrays, targetoptions=KERNEL_OPTIONS)

    def calls(n):
        return callee(n) + callee(n)

    entry = kernel(calls) if inner else callee
    before = rtsys.get_allocation_stats()
    assert entry(40) == (1 + inner) * (3 * sum(range(40)) + 20)
    after = rtsys.get_allocation_stats()
    assert after.alloc > before.alloc
    assert after.alloc - before.alloc == after.free - before.free


def test_an_operator_is_given_the_version_that_numba_finds():
    context = cpu_target.typing_context
    for of in (bool, min, max):
        operands = (int64,) if of is bool else (int64, int64)
        signature = context.resolve_function_type(context.resolve_value_type(of), operands, {})
        again = context.resolve_function_type(context.resolve_value_type(of), operands, {})
        assert signature == again
        assert signature.return_type == (types.boolean if of is bool else int64)


def test_a_kernel_that_others_link_is_compiled_once():
    compiled = KernelDispatcher(owns_arrays, targetoptions=KERNEL_OPTIONS, pipeline_class=LinkOnlyPipeline)
    first = compiled.compile((int64,))
    assert compiled.compile((int64,)) is first

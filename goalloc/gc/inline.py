"""Words of emulated memory for marking, which is all loads: those of words.py, inlined into their callers."""

from hwmem._jit import kernel
from hwmem.core.access import store64
from goalloc.words import load_now

__all__ = ["get8", "get32", "get64", "put64"]


@kernel
def get64(m, t, va):
    return load_now(m, t, va, 8)


@kernel
def get32(m, t, va):
    return load_now(m, t, va, 4)


@kernel
def get8(m, t, va):
    return load_now(m, t, va, 1)


@kernel
def put64(m, t, va, value):
    store64(m, t, va, value)

"""Words of emulated memory for marking, which is all loads: those of words.py, inlined into their callers."""

from hwmem._jit import hot
from hwmem.core.access import fetch_add64, store64
from goalloc.words import load_now

__all__ = ["get8", "get32", "get64", "put64", "set_bit8"]


@hot
def get64(m, t, va):
    return load_now(m, t, va, 8)


@hot
def get32(m, t, va):
    return load_now(m, t, va, 4)


@hot
def get8(m, t, va):
    return load_now(m, t, va, 1)


@hot
def put64(m, t, va, value):
    store64(m, t, va, value)


@hot
def set_bit8(m, t, va, bit):
    """Or8: set a bit, which is clear, of the byte at `va` atomically."""
    fetch_add64(m, t, va & ~7, 1 << ((va & 7) * 8 + bit))

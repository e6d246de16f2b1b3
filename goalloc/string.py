"""Strings and interfaces: the allocations that programs do not see.

    a + b           new bytes for the result, not zeroed before they are written; one of them itself if the other is empty
    any(v)          a word for the value, or its place in a table of the numbers below 256

Go: string.go concatstrings, rawstring; iface.go convT64, staticuint64s.
"""
from hwmem._jit import kernel
from hwmem.core.access import store64
from goalloc.layout import variables as V
from goalloc.malloc import mallocgc
from goalloc.memory_block import memmove

STATIC_VALUES = 256


@kernel
def rawstring(m, t, size):
    """Room for a string of `size` bytes; 0 after a fatal error."""
    return mallocgc(m, t, size, 0, False)


@kernel
def concatstrings(m, t, a, a_len, b, b_len):
    """Address of the bytes of a + b; 0 after a fatal error."""
    if b_len == 0:
        return a
    if a_len == 0:
        return b
    x = rawstring(m, t, a_len + b_len)
    if x:
        memmove(m, t, x, a, a_len)
        memmove(m, t, x + a_len, b, b_len)
    return x


@kernel
def convT64(m, t, value):
    """The data word of an interface that holds an 8-byte integer: where the value is; 0 after a fatal error."""
    if 0 <= value < STATIC_VALUES:
        return V.staticuint64s + 8 * value
    x = mallocgc(m, t, 8, 0, False)
    if x:
        store64(m, t, x, value)
    return x

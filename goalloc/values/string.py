"""Strings, byte slices and interfaces: the allocations that programs do not see.

    a + b           new bytes for the result, not zeroed before they are written; one of them itself if the other is empty
    []byte(s)       new bytes, as many as the size class has
    string(b)       new bytes; a single byte's are in a table
    any(v)          a place for the value; for numbers below 256 in a table, for "" in zeroVal

Results that a program keeps on its stack (up to 32 bytes) are not modelled. Not called string.py, as Go's file is, for goalloc.string
is a type. Go: string.go concatstrings, rawstring, stringtoslicebyte, slicebytetostring; iface.go convT16, convT32, convT64,
convTstring.
"""

from hwmem._jit import cold, kernel
from hwmem.core.access import load8, store, store64
from goalloc import errors as E, params as P
from goalloc.errors import throw
from goalloc.layout import variables as V
from goalloc.heap.malloc import mallocgc
from goalloc.base.memclr import memclr, memmove
from goalloc.values.slice import roundupsize

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
    if a_len > P.maxInt64 - b_len:
        throw(m, t, E.STRING_TOO_LONG, 0, 0)
        return 0
    x = rawstring(m, t, a_len + b_len)
    if x:
        memmove(m, t, x, a, a_len)
        memmove(m, t, x + a_len, b, b_len)
    return x


@cold
def stringtoslicebyte(m, t, s, n):
    """(address, capacity) of []byte(s), `n` bytes; (0, 0) after a fatal error."""
    capacity = roundupsize(m, t, n)
    x = mallocgc(m, t, capacity, 0, False)
    if x == 0:
        return 0, 0
    if capacity > n:
        memclr(m, t, x + n, capacity - n)
    memmove(m, t, x, s, n)
    return x, capacity


@cold
def slicebytetostring(m, t, b, n):
    """Address of the bytes of string(b), `n` of them: 0 for none, or after a fatal error."""
    if n == 0:
        return 0
    if n == 1:
        return V.staticuint64s + 8 * load8(m, t, b)
    x = rawstring(m, t, n)
    if x:
        memmove(m, t, x, b, n)
    return x


@kernel
def convT(m, t, value, size):
    """The data word of an interface that holds an unsigned integer of 2, 4 or 8 bytes: where it is; 0 after a fatal error."""
    if 0 <= value < STATIC_VALUES:
        return V.staticuint64s + 8 * value
    x = mallocgc(m, t, size, 0, False)
    if x:
        store(m, t, x, size, value)
    return x


@kernel
def convT64(m, t, value):
    """The address of the integer `value` in an interface: of a static word below 256, else of a new object."""
    return convT(m, t, value, 8)


@kernel
def convTstring(m, t, s, n, typ):
    """The same for a string, `typ`: the type string; "" has a place that is always zero."""
    if n == 0:
        return V.zeroVal
    x = mallocgc(m, t, 16, typ)
    if x:
        store64(m, t, x, s)
        store64(m, t, x + 8, n)
    return x

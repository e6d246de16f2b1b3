"""memcpy and memset in emulated memory, eight bytes an access, upwards."""

from hwmem._jit import cold
from hwmem.core.access import load64, store64


@cold
def copy(m, t, to, source, n):
    """`n` bytes, a multiple of 8."""
    for i in range(0, n, 8):
        store64(m, t, to + i, load64(m, t, source + i))


@cold
def clear(m, t, va, n):
    for i in range(0, n, 8):
        store64(m, t, va + i, 0)

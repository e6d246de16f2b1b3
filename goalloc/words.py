"""Words of emulated memory for the runtime's slow paths, and bit masks.

get64(m, t, va), put64(m, t, va, value), add64(m, t, va, delta) and their narrow forms are the machine's loads, stores and
atomics, each behind one call: a slow path has hundreds, and inlined they would be most of what there is to compile. The
fast path (malloc.py) uses the inlined ones of hwmem.kernels.

What Go loads atomically where it looks at what other threads write (runqhead, npidle, a span's sweepgen, ...) is a plain
load on amd64, and so it is here. Under relaxed ordering, where such a load might be an early one, every get* sees what
memory has.

Masks are uint64 (hwmem/bits.py) and shifts by 64 or more give no bits, as in Go.
"""

import numpy as np

from hwmem._jit import cold, hot, kernel
from hwmem.bits import ONE, clz64, ctz64, popcount64, test_bit
from hwmem.cache.invalidations import process_all
from hwmem.core.access import compare_exchange64, exchange64, fetch_add64, is_known, load_else, load_known, store

__all__ = [
    "check_nil",
    "get8",
    "get16",
    "get32",
    "get64",
    "put8",
    "put16",
    "put32",
    "put64",
    "add64",
    "swap64",
    "cas64",
    "get_mask",
    "put_mask",
    "add32_high",
    "set_bit8",
    "clear_bit8",
    "ALL",
    "NONE",
    "ONE",
    "ctz64",
    "clz64",
    "popcount64",
    "test_bit",
    "shl",
    "shr",
    "low_bits",
    "align_up",
    "align_down",
]

NONE = np.uint64(0)
ALL = np.uint64(0xFFFF_FFFF_FFFF_FFFF)


@hot
def load_now(m, t, va, size):
    """A load that is not early. (While invalidations wait, the hit filter is empty.)"""
    core = m.core[m.thread[t].core]
    if is_known(core, va, size, 0):
        return load_known(m, core, va, size)
    if core.iq_count > 0:
        process_all(core)
    return load_else(m, t, core, va, size)


@cold
def get64(m, t, va):
    return load_now(m, t, va, 8)


@cold
def get32(m, t, va):
    return load_now(m, t, va, 4)


@cold
def get16(m, t, va):
    return load_now(m, t, va, 2)


@cold
def get8(m, t, va):
    return load_now(m, t, va, 1)


@cold
def check_nil(m, t, va):
    """The compiled code's nil check of a pointer to a large structure: a load of its first byte, before a field far from it is used.

    What it changes: on memory that was never touched it is a page fault of its own, which maps the zero page.
    """
    load_now(m, t, va, 1)


@cold
def put64(m, t, va, value):
    store(m, t, va, 8, value)


@cold
def put32(m, t, va, value):
    store(m, t, va, 4, value)


@cold
def put16(m, t, va, value):
    store(m, t, va, 2, value)


@cold
def put8(m, t, va, value):
    store(m, t, va, 1, value)


@cold
def add64(m, t, va, delta):
    """Atomically; the old value."""
    return fetch_add64(m, t, va, delta)


@cold
def swap64(m, t, va, value):
    return exchange64(m, t, va, value)


@cold
def cas64(m, t, va, expected, value):
    """Atomically; the old value, equal to `expected` if it was done."""
    return compare_exchange64(m, t, va, expected, value)


@kernel
def add32_high(m, t, va, delta):
    """Add to the 4-byte word at `va` atomically, which is the upper half of an aligned 8-byte word."""
    add64(m, t, va - 4, delta << 32)


@kernel
def set_bit8(m, t, va, bit):
    """Or8: set a bit, which is clear, of the byte at `va` atomically."""
    add64(m, t, va & ~7, 1 << ((va & 7) * 8 + bit))


@kernel
def clear_bit8(m, t, va, bit):
    """And8: clear a bit, which is set, of the byte at `va` atomically."""
    add64(m, t, va & ~7, -(1 << ((va & 7) * 8 + bit)))


@kernel
def get_mask(m, t, va):
    return np.uint64(np.int64(get64(m, t, va)))


@kernel
def put_mask(m, t, va, mask):
    put64(m, t, va, np.int64(mask))


@kernel
def shl(mask, n):
    return mask << np.uint64(n) if n < 64 else NONE


@kernel
def shr(mask, n):
    return mask >> np.uint64(n) if n < 64 else NONE


@kernel
def low_bits(n):
    """The mask of the `n` lowest bits, n from 0 to 64."""
    return ALL >> np.uint64(64 - n) if n > 0 else NONE


@kernel
def align_up(n, align):
    return (n + align - 1) & -align


@kernel
def align_down(n, align):
    return n & -align

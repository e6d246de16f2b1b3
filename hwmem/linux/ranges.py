"""Ranges of addresses as calls are given them: rounded to pages, and compared as the unsigned numbers that they are."""

import numpy as np

from hwmem import params as P
from hwmem._jit import kernel

PAGE_MASK = ~(P.PAGE - 1)
LAST_PAGE = P.UNLIMITED & PAGE_MASK
HUGE_MASK = P.HUGE_PAGE - 1
SIGN = np.int64(-1 << 63)


@kernel
def round_up(n):
    return n + P.PAGE - 1 & PAGE_MASK


@kernel
def range_end(start, length):
    """Where the pages of [start, start + length) end, both unsigned 64-bit: below `start` if it wraps beyond all addresses, the largest
    63-bit number if it merely does not fit."""
    n = round_up(length)
    end = start + n
    if n == 0:
        return start
    if start < 0:
        return end if n > 0 and end < 0 else start - 1
    if end < 0:
        return P.UNLIMITED
    return end if n > 0 else -1


@kernel
def is_below(a, b):
    """Whether a < b, as unsigned 64-bit numbers."""
    return (a ^ SIGN) < (b ^ SIGN)

"""Bit masks are what Python's whole numbers say, compiled and not."""

import random

import numpy as np

from hwmem._jit import kernel
from hwmem.bits import clz64, ctz64, popcount64

MASKS = [0, 1, 1 << 63, (1 << 64) - 1, *(random.Random(0).getrandbits(64) >> k for k in range(64))]


@kernel
def counts(mask):
    return clz64(mask), ctz64(mask), popcount64(mask)


def test_bits_are_counted_as_pythons_are():
    for mask in MASKS:
        first = (mask & -mask).bit_length() - 1 if mask else 64
        expected = 64 - mask.bit_length(), first, mask.bit_count()
        assert counts(np.uint64(mask)) == expected == tuple(count(mask) for count in (clz64, ctz64, popcount64)), hex(mask)

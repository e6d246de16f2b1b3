"""Floats in emulated memory: the words that hold their bits, and Go's conversions to integers.

A conversion whose result does not fit gives what amd64's CVTTSD2SQ does, 0x8000000000000000, as Go's does there (its language
leaves it open): the pacer converts infinities (a cycle that scanned nothing) and 95 times the largest memory limit.
"""

import struct

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from hwmem._jit import kernel
from goalloc.words import get64, put64

MIN_INT64 = -(1 << 63)
TWO_63 = float(1 << 63)


def float_of(word):
    """The float whose bits the int64 `word` is."""
    return struct.unpack("<d", struct.pack("<q", word))[0]


def word_of(x):
    """The bits of a float as an int64."""
    return struct.unpack("<q", struct.pack("<d", x))[0]


@intrinsic
def _as_float(typingctx, word):
    return types.float64(types.int64), lambda context, builder, signature, args: builder.bitcast(args[0], ir.DoubleType())


@intrinsic
def _as_word(typingctx, x):
    return types.int64(types.float64), lambda context, builder, signature, args: builder.bitcast(args[0], ir.IntType(64))


overload(float_of)(lambda word: lambda word: _as_float(word))
overload(word_of)(lambda x: lambda x: _as_word(x))


@kernel
def get_float(m, t, va):
    return float_of(get64(m, t, va))


@kernel
def put_float(m, t, va, x):
    put64(m, t, va, word_of(x))


@kernel
def to_int64(x):
    """int64(x)."""
    return int(x) if -TWO_63 <= x < TWO_63 else MIN_INT64


@kernel
def to_uint64(x):
    """uint64(x), as the int64 with the same bits."""
    if x < TWO_63:
        return to_int64(x)
    if x < 2 * TWO_63:
        return int(x - TWO_63) + MIN_INT64
    return MIN_INT64


@kernel
def below(a, b):
    """a < b of two words that are unsigned."""
    return a ^ MIN_INT64 < b ^ MIN_INT64


@kernel
def divide(a, b):
    """a / b of floats, by zero as the processor does: an infinity, or not a number."""
    return a / b if b != 0 else a * np.inf

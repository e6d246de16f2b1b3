"""Words of bits. Bit masks are uint64 and are handled only here and by `&`, `|`, `^`, `~` between uint64 values.

int64 mixed with uint64 becomes float64 in numba; the helpers take an int64 bit number and keep masks apart.
"""

import numpy as np
from numba import types
from numba.extending import intrinsic, overload

from hwmem._jit import hot, kernel

ONE = np.uint64(1)


def _unary(name, python):
    def function(mask):
        return python(int(mask))

    @intrinsic
    def lowered(typingctx, mask):
        def generate(context, builder, signature, args):
            if name == "ctpop":
                return builder.ctpop(args[0])
            return getattr(builder, name)(args[0], context.get_constant(types.boolean, False))

        return types.int64(types.uint64), generate

    overload(function)(lambda mask: lambda mask: lowered(mask))
    return function


ctz64 = _unary("cttz", lambda mask: (mask & -mask).bit_length() - 1 if mask else 64)
clz64 = _unary("ctlz", lambda mask: 64 - mask.bit_length())
popcount64 = _unary("ctpop", lambda mask: bin(mask).count("1"))


@kernel
def bit(n):
    """The mask with bit `n` (int64, 0 to 63) set."""
    return ONE << np.uint64(n)


@kernel
def test_bit(mask, n):
    return (mask >> np.uint64(n)) & ONE != np.uint64(0)


@hot
def hashed(key, n):
    """Where the search for an int64 key, 0 or more, begins in a table of n places, a power of two up to 2^52. No product exceeds int64."""
    return (((key ^ key >> 17) & 0x7FFF_FFFF) * 0x9E37_79B1 >> 11) & n - 1

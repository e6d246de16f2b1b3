"""Eight accesses of a replay examined at once: how many stay within one line, and which of them store.

replay.py comes here with the host addresses of its arrays' elements, for to hand an array on would count a reference. Each
answer is a mask, bit k for access k; LLVM makes a few vector instructions of it. The caller sees to it that there are eight.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from hwmem.cache.match import LANES, as_mask, splat
from hwmem.memory.ram import peek8, peek16, peek64
from hwmem.params import LINE

VECTOR = ir.VectorType(ir.IntType(64), LANES)


def within8(addresses, sizes, start):
    """Which accesses lie within the line that begins at `start`."""
    return sum((0 <= peek64(addresses + 8 * k) - start <= LINE - peek16(sizes + 2 * k)) << k for k in range(LANES))


def stores8(is_store):
    """Which accesses are stores."""
    return sum((peek8(is_store + k) != 0) << k for k in range(LANES))


def _load8(builder, place, bits):
    vector = ir.VectorType(ir.IntType(bits), LANES)
    return builder.load(builder.inttoptr(place, vector.as_pointer()), align=1)


@intrinsic
def _within(typingctx, addresses, sizes, start):
    def generate(context, builder, signature, args):
        address, size = _load8(builder, args[0], 64), builder.zext(_load8(builder, args[1], 16), VECTOR)
        first = builder.sub(address, splat(builder, args[2]))  # within the line,
        last = builder.sub(builder.add(address, size), splat(builder, builder.add(args[2], ir.Constant(ir.IntType(64), 1))))
        return as_mask(builder, builder.icmp_unsigned("<", builder.or_(first, last), ir.Constant(VECTOR, [LINE] * LANES)))

    return types.int64(types.int64, types.int64, types.int64), generate


@intrinsic
def _stores(typingctx, is_store):
    def generate(context, builder, signature, args):
        flags = _load8(builder, args[0], 8)
        return as_mask(builder, builder.icmp_signed("!=", flags, ir.Constant(flags.type, [0] * LANES)))

    return types.int64(types.int64), generate


overload(within8)(lambda addresses, sizes, start: lambda addresses, sizes, start: _within(addresses, sizes, start))
overload(stores8)(lambda is_store: lambda is_store: _stores(is_store))

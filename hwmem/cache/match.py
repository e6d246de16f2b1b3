"""Eight tags compared at once, and tags prefetched: the parts of a set search that are written for the host's processor.

sets.find calls it for every eight ways. LLVM makes one AVX-512 compare of it, or two AVX2 ones, or what the
processor has; a loop with an early exit would stay scalar. Reading past the set's last way is harmless (the
pool `m.tag` has room behind its last line) and the caller masks those bits.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from hwmem.layout import MACHINE
from hwmem.memory.ram import fetch_soon
from hwmem.params import KEY_MASK

LANES = 8
_TAG_OFFSET, _ORDER_OFFSET = MACHINE.fields["tag"][1], MACHINE.fields["order"][1]


def match8(m, i, wanted):
    """Bit k of the result: whether the key of m.tag[i + k], with its occupied bit, is that of `wanted` (k = 0..7)."""
    return sum((int(m.tag[i + k]) & KEY_MASK == wanted) << k for k in range(LANES))


def splat(builder, value):
    """Eight lanes of `value`."""
    lane0 = builder.insert_element(ir.Constant(ir.VectorType(value.type, LANES), ir.Undefined), value, ir.IntType(32)(0))
    return builder.shuffle_vector(lane0, lane0, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))


def as_mask(builder, lanes):
    """A compare's eight results as an integer, lane k at bit k."""
    return builder.zext(builder.bitcast(lanes, ir.IntType(LANES)), ir.IntType(64))


@intrinsic
def _compare(typingctx, m, i, wanted):
    def generate(context, builder, signature, args):
        i64, vector = ir.IntType(64), ir.VectorType(ir.IntType(64), LANES)
        base = builder.bitcast(args[0], ir.IntType(8).as_pointer())
        offset = builder.add(builder.shl(args[1], i64(3)), i64(_TAG_OFFSET))
        tags = builder.load(builder.bitcast(builder.gep(base, [offset]), vector.as_pointer()), align=8)
        keys = builder.and_(tags, ir.Constant(vector, [KEY_MASK] * LANES))
        return as_mask(builder, builder.icmp_signed("==", keys, splat(builder, args[2])))

    return types.int64(m, types.int64, types.int64), generate


@overload(match8)
def _match8_jitted(m, i, wanted):
    return lambda m, i, wanted: _compare(m, i, wanted)


def prefetch_tags(m, i):
    """Ask the host for the line of its memory that holds m.tag[i]; no effect but time."""


def prefetch_order(m, i):
    """The same for m.order[i]."""


@intrinsic
def _prefetch(typingctx, m, first, i):
    """Word `i` of the array whose offset in the record is `first`."""

    def generate(context, builder, signature, args):
        pointer = ir.IntType(8).as_pointer()
        offset = builder.add(builder.shl(args[2], ir.IntType(64)(3)), args[1])
        fetch_soon(builder, builder.gep(builder.bitcast(args[0], pointer), [offset]))
        return context.get_dummy_value()

    return types.void(m, types.int64, types.int64), generate


@overload(prefetch_tags)
def _prefetch_tags_jitted(m, i):
    return lambda m, i: _prefetch(m, _TAG_OFFSET, i)


@overload(prefetch_order)
def _prefetch_order_jitted(m, i):
    return lambda m, i: _prefetch(m, _ORDER_OFFSET, i)

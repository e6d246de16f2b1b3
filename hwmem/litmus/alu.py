"""What a processor computes: the result of an instruction and its flags, of 1, 2, 4 or 8 bytes.

    result = compute(alu, a, b, size)      a: what was there, b: the operand; all of them without a sign below 8 bytes
    flags = flags_of(alu, a, b, size)      a word: | CF | OF | SF | ZF |
    taken(condition, flags)                whether a jump, or a cmov, goes

Source: SDM vol. 1, 3.4.1.1 (a result of 32 bits clears the upper half of its register, one of 8 or 16 leaves the rest), 3.4.3.1
(flags) and appendix B (conditions).
"""

from hwmem._jit import kernel

PUT, PLUS, MINUS, AND, OR, XOR, SHIFT_LEFT, SHIFT_RIGHT, CHOOSE, TELL = range(10)  # CHOOSE: b or a, TELL: 1 or 0, by a condition
ZF, SF, OF, CF = 1, 2, 4, 8
NO_FLAGS, ALL_FLAGS, ALL_BUT_CARRY = range(3)  # what an instruction sets; the last: inc and dec
(ALWAYS, IF_E, IF_NE, IF_L, IF_GE, IF_LE, IF_G, IF_S, IF_NS, IF_B, IF_AE, IF_BE, IF_A, IF_O, IF_NO) = range(15)
CONDITIONS = {  # as in jCC, setCC, cmovCC
    "E": IF_E,
    "Z": IF_E,
    "NE": IF_NE,
    "NZ": IF_NE,
    "L": IF_L,
    "LT": IF_L,
    "NGE": IF_L,
    "GE": IF_GE,
    "NL": IF_GE,
    "LE": IF_LE,
    "NG": IF_LE,
    "G": IF_G,
    "GT": IF_G,
    "NLE": IF_G,
    "S": IF_S,
    "NS": IF_NS,
    "B": IF_B,
    "C": IF_B,
    "NAE": IF_B,
    "AE": IF_AE,
    "NB": IF_AE,
    "NC": IF_AE,
    "BE": IF_BE,
    "NA": IF_BE,
    "A": IF_A,
    "NBE": IF_A,
    "O": IF_O,
    "NO": IF_NO,
}


@kernel
def low(value, size):
    """The low `size` bytes of a word."""
    return value if size == 8 else value & (1 << 8 * size) - 1


@kernel
def part_of(word, part):
    """A register's part (test.Instruction)."""
    return low(word >> 8, 1) if part > 16 else low(word, part)


@kernel
def with_part(word, part, value):
    """A register after its part has been written."""
    if part >= 4:
        return low(value, 8) if part == 8 else low(value, 4) if part == 4 else word & ~0xFF00 | low(value, 1) << 8
    return word & ~((1 << 8 * part) - 1) | low(value, part)


@kernel
def extended(value, size):
    """The low `size` bytes of a word, their sign extended."""
    shift = 64 - 8 * size
    return value << shift >> shift


@kernel
def compute(alu, a, b, size):
    """What CHOOSE and TELL make depends on flags: see `taken`."""
    if alu == PUT:
        return low(b, size)
    if alu == PLUS:
        return low(a + b, size)
    if alu == MINUS:
        return low(a - b, size)
    if alu == AND:
        return a & b
    if alu == OR:
        return a | b
    if alu == XOR:
        return a ^ b
    b &= 63 if size == 8 else 31
    if alu == SHIFT_LEFT:
        return low(a << b, size)
    return a if b == 0 else (a >> b) & ((1 << 8 * size - b) - 1) if b < 8 * size else 0


@kernel
def flags_of(alu, a, b, size):
    """The flags that an instruction leaves. Of a shift, ZF and SF; it leaves the others clear, which are not always so."""
    top, result = 8 * size - 1, compute(alu, a, b, size)
    flags = (ZF if result == 0 else 0) | (SF if result >> top & 1 else 0)
    if alu == PLUS:
        flags |= OF if (a ^ result) & (b ^ result) & 1 << top else 0
        flags |= CF if (a & b | (a | b) & ~result) & 1 << top else 0
    elif alu == MINUS:
        flags |= OF if (a ^ b) & (a ^ result) & 1 << top else 0
        flags |= CF if (~a & b | ~(a ^ b) & result) & 1 << top else 0
    return flags


@kernel
def taken(condition, flags):
    """Whether the condition is met. Odd numbers and the even ones after them are opposites."""
    if condition == ALWAYS:
        return True
    less = (flags & SF != 0) != (flags & OF != 0)
    zero, carry = flags & ZF != 0, flags & CF != 0
    kind = condition - 1 >> 1
    if kind == 0:
        met = zero
    elif kind == 1:
        met = less
    elif kind == 2:
        met = less or zero
    elif kind == 3:
        met = flags & SF != 0
    elif kind == 4:
        met = carry
    elif kind == 5:
        met = carry or zero
    else:
        met = flags & OF != 0
    return met if condition & 1 else not met

"""How an x86-64 instruction addresses memory, as far as the question is: by the stack pointer?

    prefixes | REX or VEX | opcode | ModRM | SIB          ModRM.rm = 100 and SIB.base = 100: the base is rsp

Go's goroutines have their stacks in the heap, and no call says where; an instruction that pushes, calls or uses [rsp + n] does.
Source: Intel SDM volume 2, chapter 2.
"""

PREFIXES = frozenset((0x66, 0x67, 0xF0, 0xF2, 0xF3, 0x2E, 0x36, 0x3E, 0x26, 0x64, 0x65))
SEGMENTS = frozenset((0x64, 0x65))  # fs, gs: thread-local data
IMPLICIT = frozenset((*range(0x50, 0x60), 0x68, 0x6A, 0xC2, 0xC3, 0xC9, 0xE8, 0x9C, 0x9D))  # push, pop, ret, leave, call
TWO_BYTES, THREE_BYTES, VEX2, VEX3, EVEX = 0x0F, (0x38, 0x3A), 0xC5, 0xC4, 0x62
GROUP5, PUSHES = 0xFF, (2, 6)  # call and push of a ModRM operand
RSP = 4


def uses_stack_pointer(code):
    """Of the instruction that the bytes begin with; False where they end too early."""
    i = 0
    try:
        while code[i] in PREFIXES:
            if code[i] in SEGMENTS:
                return False
            i += 1
        rex = 0
        if code[i] & 0xF0 == 0x40:
            rex = code[i]
            i += 1
        if code[i] in (VEX2, VEX3, EVEX):
            rex = 0 if code[i] == VEX2 else ~code[i + 1] >> 5 & 1
            i += {VEX2: 3, VEX3: 4, EVEX: 5}[code[i]]
            return by_rsp(code, i, rex)
        if code[i] == TWO_BYTES:
            i += 2 + (code[i + 1] in THREE_BYTES)
            return by_rsp(code, i, rex)
        if code[i] in IMPLICIT or (code[i] == GROUP5 and code[i + 1] >> 3 & 7 in PUSHES):
            return True
        return by_rsp(code, i + 1, rex)
    except IndexError:
        return False


def by_rsp(code, i, rex):
    modrm = code[i]
    return modrm >> 6 != 3 and modrm & 7 == RSP and code[i + 1] & 7 == RSP and not rex & 1

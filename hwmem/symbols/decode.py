"""Whether an x86-64 instruction addresses memory through the stack pointer.

    prefixes | REX or VEX | opcode | ModRM | SIB          ModRM.rm = 100 and SIB.base = 100: the base is rsp

Go's goroutines have their stacks in the heap, and no call says where; an instruction that pushes, calls or uses [rsp + n] does.
Source: Intel SDM volume 2, chapter 2, and the opcode maps of its appendix A: which opcodes have no ModRM byte, but a constant or nothing.
"""

PREFIXES = frozenset((0x66, 0x67, 0xF0, 0xF2, 0xF3, 0x2E, 0x36, 0x3E, 0x26, 0x64, 0x65))
SEGMENTS = frozenset((0x64, 0x65))  # fs, gs: thread-local data
IMPLICIT = frozenset((*range(0x50, 0x60), 0x68, 0x6A, 0xC2, 0xC3, 0xC9, 0xE8, 0x9C, 0x9D))  # push, pop, ret, leave, call
IMPLICIT_0F = frozenset((0xA0, 0xA1, 0xA8, 0xA9))  # push and pop of fs, gs
WITH_MODRM = frozenset(
    (*(row + n for row in range(0x00, 0x40, 8) for n in range(4)), 0x63, 0x69, 0x6B, *range(0x80, 0x90), 0xC0, 0xC1, 0xC6, 0xC7)
    + (*range(0xD0, 0xD4), *range(0xD8, 0xE0), 0xF6, 0xF7, 0xFE, 0xFF)
)
WITHOUT_MODRM_0F = frozenset(
    (*range(0x04, 0x0D), 0x0E, *range(0x30, 0x38), 0x77, *range(0x80, 0x90), *range(0xA0, 0xA3), *range(0xA8, 0xAB), *range(0xC8, 0xD0))
)
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
            if code[i + 1] in WITHOUT_MODRM_0F:
                return code[i + 1] in IMPLICIT_0F
            return by_rsp(code, i + 2 + (code[i + 1] in THREE_BYTES), rex)
        if code[i] in IMPLICIT or (code[i] == GROUP5 and code[i + 1] >> 3 & 7 in PUSHES):
            return True
        return code[i] in WITH_MODRM and by_rsp(code, i + 1, rex)
    except IndexError:
        return False


def by_rsp(code, i, rex):
    modrm = code[i]
    return modrm >> 6 != 3 and modrm & 7 == RSP and code[i + 1] & 7 == RSP and not rex & 1

"""The reference lines of a recording of threads as records, in machine code: address, size, kind and program counter of each.

    I  0010918a,7      the instruction that makes the references after it
     L 0010c0c0,8      record: load
     M 0010c0c0,8      directly after a load of the same bytes in one instruction: with it one atomic; else a load and a store, or one
                       atomic where the instruction is a locked one (elf.py looks at its bytes, once for each instruction)
    SYSCALL[...        anything else: `read` stops there, and log.py goes on

A record is two words, `what` (machine/records.py) and the program counter.

Invariant: `records` of the cursor is how many places of the arrays are filled; an instruction's references are never divided
between two fillings, unless it has more than SLACK of them.
Cost: some 20 ns a line.
"""

import numpy as np

from hwmem._jit import kernel
from hwmem.bits import hashed
from hwmem.machine.records import ADDRESS_BITS, ADDRESS_SHIFT, ATOMIC, KIND_BITS, LOAD, MODIFY_LOAD, MODIFY_STORE, STORE
from hwmem.trace.parse import COMMA, HEX, LARGEST_SIZE, LETTER_I, LETTER_L, LETTER_M, LETTER_S, NEWLINE, RETURN, SPACE

SLACK = 64  # places that an instruction's references may need
MOST_DIGITS = 16
BEFORE = 1 << 62  # a load that stands directly before, even that of one byte at 0

# Where `read` stopped
AT_END, FULL, OTHER_LINE, UNKNOWN_MODIFY = range(4)

# What is known of an instruction that modifies (slots of `known`: its address and one of these)
NOTHING, PLAIN, LOCKED = range(3)

CURSOR = np.dtype(
    [
        ("position", np.int64),
        ("end", np.int64),  # bytes of text done, and there
        ("line", np.int64),  # lines of the file done
        ("records", np.int64),
        ("instruction", np.int64),  # address of the last I line
        ("length", np.int64),  # its bytes
        ("before", np.int64),  # the instruction's load directly before, as a record; 0: none
        ("instructions", np.int64),
        ("loads", np.int64),
        ("stores", np.int64),
        ("atomics", np.int64),  # of the thread that runs, since it was last asked
        ("modifies", np.int64),  # M lines
    ]
)


def new_cursor():
    """A cursor at the start of a file."""
    return np.zeros(1, CURSOR).view(np.recarray)[0]


@kernel
def slot_of(known, pc):
    """The slot of `known`, an array (n, 2) with n a power of two, where instruction `pc` stands or would."""
    slot = hashed(pc, len(known))
    while known[slot, 1] != NOTHING and known[slot, 0] != pc:
        slot = slot + 1 & len(known) - 1
    return slot


@kernel
def read(c, text, what, pcs, known):
    """Records of the lines from `c.position` on, into `what` and `pcs`; why it stopped: AT_END, FULL, OTHER_LINE or UNKNOWN_MODIFY at
    the line where it stands (of an instruction that `known` has not, which modifies)."""
    i, end, n, lines = c.position, c.end, c.records, 0
    here, length, before = c.instruction, c.length, c.before
    instructions = loads = stores = atomics = modifies = 0
    full, stopped = len(what) - 2, AT_END
    while i < end:
        first = text[i]
        letter = text[i + 1]
        if first == LETTER_I and letter == SPACE:
            if n > full - SLACK:
                stopped = FULL
                break
        elif first != SPACE or (letter != LETTER_L and letter != LETTER_S and letter != LETTER_M):
            stopped = OTHER_LINE
            break
        elif n > full:
            stopped = FULL
            break
        if text[i + 2] != SPACE:
            stopped = OTHER_LINE
            break
        j = i + 3
        address, digit = 0, HEX[text[j]]
        while digit < 16 and j < i + 3 + MOST_DIGITS:
            address = address << 4 | digit
            j += 1
            digit = HEX[text[j]]
        size = 0
        if text[j] == COMMA and j > i + 3 and address >> ADDRESS_BITS == 0:
            j += 1
            digit = HEX[text[j]]
            while digit < 10 and size <= LARGEST_SIZE:
                size = size * 10 + digit
                j += 1
                digit = HEX[text[j]]
        if text[j] == RETURN:
            j += 1
        if size < 1 or size > LARGEST_SIZE or text[j] != NEWLINE or address + size >> ADDRESS_BITS:
            stopped = OTHER_LINE
            break
        record = address << ADDRESS_SHIFT | (size - 1) << KIND_BITS
        if first == LETTER_I:
            here, length, before = address, size, 0
            instructions += 1
        elif letter == LETTER_L:
            before = record | BEFORE
            what[n], pcs[n] = record | LOAD, here
            n += 1
            loads += 1
        elif letter == LETTER_S:
            before = 0
            what[n], pcs[n] = record | STORE, here
            n += 1
            stores += 1
        else:
            kind = LOCKED
            if before == record | BEFORE and n > 0:
                n -= 1
                loads -= 1
            else:
                kind = known[slot_of(known, here), 1]
                if kind == NOTHING:
                    stopped = UNKNOWN_MODIFY
                    break
            before = 0
            modifies += 1
            loads += 1
            stores += 1
            if kind == LOCKED:
                atomics += 1
                what[n], pcs[n] = record | ATOMIC, here
                n += 1
            else:
                what[n], pcs[n] = record | MODIFY_LOAD, here
                what[n + 1], pcs[n + 1] = record | MODIFY_STORE, here
                n += 2
        i = j + 1
        lines += 1
    c.position, c.records, c.line = i, n, c.line + lines
    c.instruction, c.length, c.before = here, length, before
    c.instructions += instructions
    c.loads += loads
    c.stores += stores
    c.atomics += atomics
    c.modifies += modifies
    return stopped

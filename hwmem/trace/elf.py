"""What a replay must know of the files of a recorded program: which pages they are mapped as, and whether an instruction is locked.

    Elf.read(path, text_at)      None where there is no such file, or it is not the one that was recorded
      .segments                  PT_LOAD: (vaddr, memory bytes, offset, file bytes, prot)
      .at(address, n)            bytes of the file's own addresses

x86-64, little-endian. The log has the start of the recorded file's .text (`svma`), so that a different file of that name is detected.
Names are not read here (hwmem.symbols). Nothing in a file is believed: tables are read up to what a program has.
Source: System V ABI, gABI chapters 4 and 5; instruction formats: Intel SDM vol. 2, 2.1.
"""

import os
import stat
import struct
from typing import NamedTuple

HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
SEGMENT = struct.Struct("<IIQQQQQQ")
SECTION = struct.Struct("<IIQQQQIIQQ")
MAGIC = b"\x7fELF\x02\x01"
X86_64, PT_LOAD, PF_X = 62, 1, 1
MOST_TABLE = 1 << 20  # bytes of a table of headers
MOST_ADDRESS = 1 << 47
LONGEST_INSTRUCTION = 15

PREFIXES = frozenset(b"\x66\x67\xf0\xf2\xf3\x2e\x36\x3e\x26\x64\x65" + bytes(range(0x40, 0x50)))
LOCK = 0xF0
PLAIN, COMMUTES, COMPARE_EXCHANGE, EXCHANGE, EXCHANGE_ADD, OTHER_LOCKED = range(6)  # what an instruction that modifies memory is


class Segment(NamedTuple):
    address: int
    size: int
    offset: int
    stored: int
    prot: int


class Elf:
    """An ELF file; `segments`: those that are loaded, by address; `text`: address of .text, None: it has no sections."""

    def __init__(self, path, segments, text):
        self.path, self.segments, self.text = path, segments, text
        self._parts = {}

    @classmethod
    def read(cls, path, text_at=None):
        """The file at `path`, if it is there, is one of x86-64, and has its .text at `text_at` (None: wherever); else None."""
        try:
            with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    return None
                elf = cls(path, *headers(file))
        except (OSError, ValueError, struct.error, OverflowError):
            return None
        return None if None not in (text_at, elf.text) and elf.text != text_at else elf

    def at(self, address, n):
        """`n` bytes, or as many as its executable segments have, from the file's address `address` on."""
        for segment in self.segments:
            if segment.prot & 4 and segment.address <= address < segment.address + segment.stored:
                if segment not in self._parts:
                    try:
                        with open(self.path, "rb") as file:
                            file.seek(segment.offset)
                            self._parts[segment] = file.read(segment.stored)
                    except OSError:
                        self._parts[segment] = b""
                start = address - segment.address
                return self._parts[segment][start : start + n]
        return b""


def headers(file):
    """(segments, address of .text or None). Raises ValueError or struct.error for what is no ELF file of x86-64."""
    ident, _, machine, _, _, phoff, shoff, _, _, phsize, phcount, shsize, shcount, names = HEADER.unpack(file.read(HEADER.size))
    if not ident.startswith(MAGIC) or machine != X86_64 or phsize != SEGMENT.size:
        raise ValueError("not an ELF file of x86-64")
    segments = []
    for kind, flags, offset, address, _, stored, size, _ in SEGMENT.iter_unpack(table(file, phoff, phcount * phsize)):
        if kind == PT_LOAD and stored <= size and address + size < MOST_ADDRESS:
            prot = (flags >> 2 & 1) | (flags & 2) | (flags & PF_X) << 2
            segments.append(Segment(address, size, offset, stored, prot))
    text = None
    if shcount and shsize == SECTION.size and names < shcount:
        sections = list(SECTION.iter_unpack(table(file, shoff, shcount * shsize)))
        strings = table(file, sections[names][4], min(sections[names][5], MOST_TABLE))
        for section in sections:
            if strings[section[0] : section[0] + 6] == b".text\0":
                text = section[3]
    return sorted(segments), text


def table(file, offset, size):
    if size > MOST_TABLE:
        raise ValueError("a table of headers that no program has")
    file.seek(offset)
    data = file.read(size)
    if len(data) < size:
        raise ValueError("cut off")
    return data


def what_it_does(code, length):
    """What an instruction that modifies memory is (COMMUTES, ...), by its first bytes; PLAIN also where they are not an instruction of
    `length` bytes, for then they are another program's."""
    i, locked = 0, False
    while i < len(code) and code[i] in PREFIXES:
        locked |= code[i] == LOCK
        i += 1
    opcode = code[i : i + 2]
    if len(opcode) < 2 or (length is not None and length_of(code, i) not in (length, None)):
        return PLAIN
    if opcode[0] in (0x86, 0x87):
        return EXCHANGE
    if not locked:
        return PLAIN
    if opcode[0] != 0x0F:
        return COMMUTES
    return {0xB0: COMPARE_EXCHANGE, 0xB1: COMPARE_EXCHANGE, 0xC7: COMPARE_EXCHANGE, 0xC0: EXCHANGE_ADD, 0xC1: EXCHANGE_ADD}.get(
        opcode[1], OTHER_LOCKED
    )


def length_of(code, i):
    """Bytes of the instruction whose opcode stands at `i`, an exchange or a compare-exchange with a ModRM byte; None: another, or cut off."""
    two = code[i] == 0x0F
    if not (two and code[i + 1] in (0xB0, 0xB1, 0xC7, 0xC0, 0xC1)) and code[i] not in (0x86, 0x87):
        return None
    i += 1 + two
    if i >= len(code):
        return None
    mod, rm = code[i] >> 6, code[i] & 7
    i += 1
    if rm == 4 and mod != 3:
        if i >= len(code):
            return None
        base = code[i] & 7
        i += 1
        return i + (4 if mod == 0 and base == 5 else (0, 1, 4)[mod])
    return i + (4 if mod == 0 and rm == 5 else (0, 1, 4, 0)[mod])

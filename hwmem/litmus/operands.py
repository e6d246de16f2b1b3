"""Operands of x86 instructions as herd's texts write them: registers by all their names, locations, numbers.

    EAX %eax rax al ah r8d      a register and which part of it      $1 1 $-0x10        a number
    [x] (x) x(%rip)             a location                           [EAX] (%rax) 8(%rax)    the location whose address it holds,
                                                                     0(%rax,%rbx,8)          or that with %rbx times 8 more

A register's name in a test is that of its 32-bit half (EAX), R8 to R15 as they are.
"""

import re
from typing import NamedTuple

from hwmem.litmus.test import HIGH

MEMORY = re.compile(
    r"\[\s*([\w.]+)\s*\]|\(\s*([A-Za-z_][\w.]*)\s*\)|([A-Za-z_][\w.]*)\s*\(\s*%rip\s*\)|"
    r"(?:(-?\w+)\s*)?[(\[]\s*%?(\w+)\s*(?:,\s*%?(\w+)\s*,\s*(\w+)\s*)?[)\]]",
    re.I,
)
PARTS: dict = {}  # a register's name in any case -> (its name here, the part)
for _letter in "ABCD":
    PARTS |= {
        f"R{_letter}X": (f"E{_letter}X", 8),
        f"E{_letter}X": (f"E{_letter}X", 4),
        f"{_letter}X": (f"E{_letter}X", 2),
        f"{_letter}L": (f"E{_letter}X", 1),
        f"{_letter}H": (f"E{_letter}X", 1 + HIGH),
    }
for _name in ("SI", "DI", "BP", "SP"):
    PARTS |= {f"R{_name}": (f"E{_name}", 8), f"E{_name}": (f"E{_name}", 4), _name: (f"E{_name}", 2), f"{_name}L": (f"E{_name}", 1)}
for _n in range(8, 16):
    PARTS |= {f"R{_n}{suffix}": (f"R{_n}", part) for suffix, part in (("", 8), ("D", 4), ("W", 2), ("B", 1), ("L", 1))}
NAMES = {name for name, _ in PARTS.values()}


class Operand(NamedTuple):
    """`kind`: "register" (`name`, `part`), "memory" (`name`: a location), "pointer" (`name`: a register, and what is added to it:
    `value`, and `scale` times register `scaled`), "number" (`value`)."""

    kind: str
    name: str | None = None
    part: int = 8
    value: int = 0
    scaled: str | None = None
    scale: int = 0

    @property
    def is_memory(self):
        return self.kind in ("memory", "pointer")

    @property
    def size(self):
        """Bytes of a register's part."""
        return self.part & 15


def register_of(word):
    """(name, part) of a register in any spelling, or None."""
    return PARTS.get(word.strip().lstrip("%").upper())


def operand(text):
    """The Operand that a text is, or None."""
    text = text.strip()
    found = MEMORY.fullmatch(text)
    if found:
        return memory(found)
    if register_of(text):
        return Operand("register", *register_of(text))
    value = integer(text.lstrip("$"))
    return None if value is None else Operand("number", value=value)


def memory(found):
    place, register, offset = found[1] or found[2] or found[3], found[5], found[4]
    if place and register_of(place):
        place, register = None, place
    if place:
        return None if place[0].isdigit() else Operand("memory", place)
    index, scale = found[6], integer(found[7] or "0")
    if not register_of(register) or integer(offset or "0") is None or (index and (not register_of(index) or scale not in (1, 2, 4, 8))):
        return None
    return Operand(
        "pointer", register_of(register)[0], value=integer(offset or "0"), scaled=register_of(index)[0] if index else None, scale=scale
    )


def parted(text):
    """The operands of an instruction, as texts: at the commas that no bracket has."""
    return re.split(r",(?![^(\[]*[)\]])", text) if text.strip() else []


def integer(word):
    """A number of 64 bits, a hexadecimal one also without a sign; None: it is none."""
    try:
        value = int(word, 0)
    except ValueError:
        return None
    return value if -(1 << 63) <= value < 1 << (64 if "x" in word.lower() else 63) else None

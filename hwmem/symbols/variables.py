"""Variables with an address: from a byte to `counters[1].value`, and back.

    address ── symbol table ── counters, 64 bytes from 0x8040 ── the 9 bytes "DW_OP_addr 0x8040" in .debug_info ── unit ── its Tree
                                                                                       ── DW_TAG_variable ── type ── field

Where the symbol table says that a variable begins, its DIE has that address in its location: a search for those bytes finds the unit at
once, so that only units that have such a variable are looked through. Without a symbol there (a stripped file) nothing is searched.
"""

from bisect import bisect_right
from typing import NamedTuple

from hwmem.symbols.code import Code
from hwmem.symbols.fields import field, place, size_of, type_of

DW_OP_ADDR = 3
LOCATION = bytes((9, DW_OP_ADDR))  # an expression of 9 bytes, the first of them
EXPRESSIONS = ("DW_FORM_exprloc", "DW_FORM_block1", "DW_FORM_block")
MOST_CANDIDATES = 64


class Variable(NamedTuple):
    """`type`: pyelftools' DIE, or None."""

    name: str
    start: int
    size: int
    type: object


class Variables:
    """The variables of a file with debugging information. Methods raise Unreadable, or what damaged bytes lead to."""

    def __init__(self, code: Code):
        self.code, self.units = code, code.units

    def beginning_at(self, start):
        """The Variable whose location is the address, or None."""
        info, at = self.units.info, -1
        wanted = LOCATION + start.to_bytes(8, "little")
        for _ in range(MOST_CANDIDATES):
            at = info.find(wanted, at + 1)
            if at < 0:
                return None
            found = self.variable_around(at, start)
            if found:
                return found
        return None

    def variable_around(self, at, start):
        """The Variable whose DIE has the location at the offset `at` of .debug_info."""
        unit = self.units.at(at)
        tree = self.units.tree(unit)
        i = bisect_right(tree.offsets, at) - 1
        if i < 0 or tree.tags[i] != "DW_TAG_variable":
            return None
        die = self.units.die(tree.offsets[i])
        if not is_at(die, start):
            return None
        declared = die
        for origin in ("DW_AT_specification", "DW_AT_abstract_origin"):
            if origin in die.attributes:
                declared = die.get_DIE_from_attribute(origin)
        kind = type_of(die) or type_of(declared)
        return Variable(self.code.name(die), start, size_of(kind), kind)


def is_at(die, start):
    location = die.attributes.get("DW_AT_location")
    if location is None or location.form not in EXPRESSIONS:
        return False
    code = bytes(location.value)
    return len(code) == 9 and code[0] == DW_OP_ADDR and int.from_bytes(code[1:], "little") == start


def path_to(variable, offset):
    """ "counters[1].value" of a byte of a variable."""
    return variable.name + field(variable.type, offset)


def part(variable, path):
    """(start, bytes) of a part such as "[1].value" of a variable. Raises ValueError."""
    offset, size = place(variable.type, path) if path else (0, variable.size)
    if size <= 0:
        raise ValueError(f"{variable.name}{path}: its size is not known")
    return variable.start + offset, size

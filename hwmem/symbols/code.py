"""Code: the function, file and line of an instruction, through what was inlined.

    0x1139 ── unit ── line table                              queue.h:31
                   └─ DW_TAG_subprogram         work          main.c:12   where pop() was called
                      └─ DW_TAG_inlined_subroutine   pop      queue.h:31

Frames come innermost first, as addr2line -i prints them. A line table or a tree is read when an address falls into its unit, once.
"""

from typing import NamedTuple

from hwmem.symbols.dies import Kept, Units, code_ranges
from hwmem.symbols.lines import LineTable
from hwmem.symbols.fields import name_of, referred

DEEPEST = 64  # functions inlined into each other
ORIGINS = ("DW_AT_abstract_origin", "DW_AT_specification")


class Frame(NamedTuple):
    """`function`: as people write it, "" if not known; `path`, `line`: None, 0 if not known."""

    function: str
    path: str | None
    line: int


class Code:
    """The code of a file with debugging information. Its methods raise Unreadable, or what damaged bytes lead to."""

    def __init__(self, units: Units):
        self.units = units
        self.table, self.functions = Kept(LineTable), Kept(self.functions_of)
        self.ranges = Kept(lambda offset: code_ranges(units.die(offset)))

    def frames(self, pc):
        """Frames of an address, innermost first; [] if no unit has it."""
        unit = self.units.covering(pc)
        if unit is None:
            return []
        path, line = self.table(unit).at(pc) or (None, 0)
        found = []
        for die in self.around(unit, pc):
            found.append(Frame(self.name(die), path, line))
            path, line = self.called_at(unit, die)
        return found or [Frame("", path, line)]

    def functions_of(self, unit):
        """[(low, high, index in the unit's tree)], ascending."""
        tree = self.units.tree(unit)
        return sorted(
            (low, high, i)
            for i, tag in enumerate(tree.tags)
            if tag == "DW_TAG_subprogram" and tree.has_code[i]
            for low, high in self.ranges(tree.offsets[i])
        )

    def around(self, unit, pc):
        """The DIEs of the inlined functions and the function that have an address, the innermost first."""
        tree = self.units.tree(unit)
        found = [i for low, high, i in self.functions(unit) if low <= pc < high]
        if not found:
            return []
        chain = [self.units.die(tree.offsets[found[-1]])]
        for i in tree.children(found[-1]):
            if tree.tags[i] == "DW_TAG_inlined_subroutine" and tree.has_code[i] and len(chain) < DEEPEST:
                if any(low <= pc < high for low, high in self.ranges(tree.offsets[i])):
                    chain.append(self.units.die(tree.offsets[i]))
        return chain[::-1]

    def called_at(self, unit, die):
        """(path, line) of the call of an inlined function."""
        file, line = (die.attributes.get(f"DW_AT_call_{what}") for what in ("file", "line"))
        return self.table(unit).file(file.value) if file else None, line.value if line else 0

    def name(self, die):
        """Of a function or variable, with its namespaces and classes."""
        for _ in range(DEEPEST):
            origin = next((name for name in ORIGINS if name in die.attributes), None)
            if origin is None:
                break
            die = die.get_DIE_from_attribute(origin)
        return self.qualified(die) if name_of(die) else ""

    def qualified(self, die):
        """A DIE's name, preceded by the names of the DIEs that enclose it. (Go's compiler has written the package before it.)"""
        names = []
        for scope in self.units.scope(die):
            if scope.tag == "DW_TAG_subprogram":
                names = [self.name(scope)]  # with all that it lies in itself
            elif scope.tag != "DW_TAG_lexical_block":
                scope = referred(scope, "DW_AT_signature") if "DW_AT_signature" in scope.attributes else scope
                names.append(name_of(scope) or ("(anonymous namespace)" if scope.tag == "DW_TAG_namespace" else "(anonymous)"))
        return "::".join([*filter(None, names), name_of(die)])

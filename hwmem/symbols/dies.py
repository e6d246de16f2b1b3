"""DWARF's tree of a compilation unit, as far as names need it: one pass that looks at tags and skips attributes.

    .debug_info | header | DIE | DIE | ... | 0 |          a DIE: abbreviation code, then attributes whose forms the abbreviation has
    Tree          offsets, tags, parents                  of the kinds in KEPT only; parents: index of the nearest one kept, or -1

pyelftools reads a DIE in some 30 us, a unit of Go's runtime has 20,000 of them, and a report asks for a handful. So the pass steps over
bytes: for each abbreviation, the forms' sizes are added up once, and a DIE without strings costs one addition (1 us). What is asked for is
then read by pyelftools, at its offset.

Source: DWARF 5, sections 7.5.1 to 7.5.6 (and 4, where forms differ by version).
"""

from bisect import bisect_right

from hwmem.symbols.elf import Unreadable

CODE_TAGS = ("DW_TAG_subprogram", "DW_TAG_inlined_subroutine", "DW_TAG_lexical_block")
SCOPES = ("DW_TAG_namespace", "DW_TAG_structure_type", "DW_TAG_class_type", "DW_TAG_union_type")
KEPT = frozenset((*CODE_TAGS, *SCOPES, "DW_TAG_variable"))
FIXED = {
    **dict.fromkeys(("data1", "flag", "ref1", "strx1", "addrx1"), 1),
    **dict.fromkeys(("data2", "ref2", "strx2", "addrx2"), 2),
    **dict.fromkeys(("strx3", "addrx3"), 3),
    **dict.fromkeys(("data4", "ref4", "ref_sup4", "strx4", "addrx4"), 4),
    **dict.fromkeys(("data8", "ref8", "ref_sig8", "ref_sup8", "addr"), 8),
    **dict.fromkeys(("flag_present", "implicit_const"), 0),
    "data16": 16,
}
OFFSETS = frozenset(("strp", "sec_offset", "ref_addr", "line_strp", "strp_sup", "GNU_ref_alt", "GNU_strp_alt"))  # 4 or 8 bytes
NUMBERS = frozenset(("udata", "sdata", "ref_udata", "strx", "addrx", "loclistx", "rnglistx", "GNU_addr_index", "GNU_str_index"))
MOST_BYTES = 64 << 20  # of a unit: more takes minutes
LENGTHS = {"block1": 1, "block2": 2, "block4": 4}


class Tree:
    """The kept DIEs of a unit, in the order of their offsets. `has_code[i]`: it has addresses of its own."""

    def __init__(self):
        self.offsets, self.tags, self.parents, self.has_code = [], [], [], []

    def index(self, offset):
        """Of the kept DIE that begins at `offset`, or None."""
        i = bisect_right(self.offsets, offset) - 1
        return i if i >= 0 and self.offsets[i] == offset else None

    def children(self, i):
        """Indices of the kept DIEs below `i`, at any depth."""
        for k in range(i + 1, len(self.offsets)):
            if self.parents[k] < i:
                return
            yield k


def scan(info, unit):
    """The Tree of pyelftools' `unit` of the section's bytes `info`. Raises Unreadable, or what damaged bytes lead to."""
    at, end = unit.cu_die_offset, unit.cu_offset + unit["unit_length"] + unit.structs.initial_length_field_size()
    if end > len(info):
        raise Unreadable("a unit extends past the section's end")
    if end - at > MOST_BYTES:
        raise Unreadable(f"a unit of {end - at:,} bytes")
    tree, plans, open_dies, parent = Tree(), {}, [], -1
    while at < end:
        start, code = at, info[at]
        at += 1
        if code > 127:
            code, at = number(info, start)
        if not code:
            parent = open_dies.pop() if open_dies else -1
            if not open_dies:
                return tree
            continue
        plan = plans.get(code)
        if plan is None:
            plan = plans[code] = plan_of(unit, code)
        tag, children, has_code, steps = plan
        for step in steps:
            at = at + step if step.__class__ is int else step(info, at)
        own = parent
        if tag:
            own = len(tree.offsets)
            tree.offsets.append(start)
            tree.tags.append(tag)
            tree.parents.append(parent)
            tree.has_code.append(has_code)
        if children:
            open_dies.append(parent)
            parent = own
        elif not open_dies:
            return tree
    raise Unreadable("a unit does not end")


def plan_of(unit, code):
    """(tag or None, has children, has code, steps) of an abbreviation; a step: bytes to skip, or a function (info, at) -> at."""
    declaration = unit.get_abbrev_table().get_abbrev(code)
    steps, has_code, is_static = [], False, False
    for name, form in declaration.iter_attr_specs():
        has_code = has_code or name in ("DW_AT_low_pc", "DW_AT_ranges")
        is_static = is_static or name == "DW_AT_external"  # before DWARF 5, a class's own variable is a member
        step = step_over(form.removeprefix("DW_FORM_"), unit)
        if isinstance(step, int) and steps and isinstance(steps[-1], int):
            steps[-1] += step
        elif step != 0:
            steps.append(step)
    tag = declaration["tag"]
    kept = tag in KEPT or (tag == "DW_TAG_member" and is_static)
    return tag if kept else None, declaration.has_children(), has_code, steps


def step_over(form, unit):
    if form == "addr":
        return unit["address_size"]
    if form in FIXED:
        return FIXED[form]
    if form in OFFSETS:
        return 8 if unit.structs.dwarf_format == 64 else 4
    if form in NUMBERS:
        return lambda info, at: number(info, at)[1]
    if form == "string":
        return lambda info, at: info.index(0, at) + 1
    if form in LENGTHS:
        size = LENGTHS[form]
        return lambda info, at: at + size + int.from_bytes(info[at : at + size], "little")
    if form in ("exprloc", "block"):
        return lambda info, at: sum(number(info, at))
    if form == "indirect":
        raise Unreadable("forms that are told one by one")
    raise Unreadable(f"a form that is not known: {form}")


def number(info, at):
    """(value, where the next byte is) of an unsigned LEB128."""
    value = shift = 0
    while True:
        byte = info[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
        if shift > 63:
            raise Unreadable("a number of more than 64 bits")


class Kept:
    """A function with its results cached, failures included: damaged data is not parsed again."""

    def __init__(self, make):
        self.make, self.answers = make, {}

    def __call__(self, key):
        if key not in self.answers:
            try:
                self.answers[key] = self.make(key), None
            except Exception as failure:
                self.answers[key] = None, failure
        answer, error = self.answers[key]
        if error is not None:
            raise error
        return answer


class Units:
    """The compilation units of a DWARFInfo, and their trees."""

    def __init__(self, dwarf):
        self.dwarf = dwarf
        self.info = dwarf.debug_info_sec.stream.getvalue()
        self.units = list(dwarf.iter_CUs())
        self.starts = [unit.cu_offset for unit in self.units]
        self.tree = Kept(lambda unit: scan(self.info, unit))
        self._ranges = None

    def at(self, offset):
        """The unit that has an offset of .debug_info."""
        return self.units[bisect_right(self.starts, offset) - 1]

    def die(self, offset):
        """pyelftools' DIE at an offset."""
        return self.at(offset).get_DIE_from_refaddr(offset)

    def scope(self, die):
        """The DIEs that a DIE lies in, the outermost first, as far as they are kept."""
        tree = self.tree(die.cu)
        i, found = tree.index(die.offset), []
        i = tree.parents[i] if i is not None else -1
        while i >= 0:
            found.append(self.die(tree.offsets[i]))
            i = tree.parents[i]
        return found[::-1]

    def covering(self, pc):
        """The unit whose code has an address, or None."""
        starts, rows = self.ranges()
        i = bisect_right(starts, pc) - 1
        return rows[i][2] if i >= 0 and pc < rows[i][1] else None

    def ranges(self):
        """(starts, [(low, high, unit)]), ascending. Only units that .debug_aranges does not list are parsed for it."""
        if self._ranges is None:
            listed = listed_ranges(self.dwarf)
            ranges = ((unit, listed.get(unit.cu_offset) or code_ranges(unit.get_top_DIE())) for unit in self.units)
            rows = sorted(((low, high, unit) for unit, of in ranges for low, high in of), key=lambda r: r[:2])
            self._ranges = [row[0] for row in rows], rows
        return self._ranges


def listed_ranges(dwarf):
    """{offset of a unit: [(low, high)]} of the units in .debug_aranges, which has all code of a unit that it has; {} if it cannot be read.
    The C library has two thousand units, which take seconds to parse."""
    found: dict[int, list] = {}
    try:
        table = dwarf.get_aranges()
        for entry in table.entries if table else ():
            if entry.begin_addr > 0 < entry.length:  # functions that the linker dropped are at 0
                found.setdefault(entry.info_offset, []).append((entry.begin_addr, entry.begin_addr + entry.length))
    except Exception:  # whatever damaged bytes lead to: the units themselves are asked
        return {}
    return found


def code_ranges(die):
    """[(low, high)] of a DIE's addresses; those of functions that the linker dropped (at 0) are left out."""
    found = die.attributes
    if "DW_AT_ranges" in found:
        attribute = found["DW_AT_ranges"]
        lists, unit = die.dwarfinfo.range_lists(), die.cu
        if lists is None:
            raise Unreadable("ranges without their section")
        top = unit.get_top_DIE().attributes.get("DW_AT_low_pc")
        base, pairs = top.value if top else 0, []
        for entry in lists.get_range_list_at_offset(attribute.value, cu=unit):
            if hasattr(entry, "base_address"):
                base = entry.base_address
            else:
                shift = 0 if entry.is_absolute else base
                pairs.append((entry.begin_offset + shift, entry.end_offset + shift))
        return [pair for pair in pairs if 0 < pair[0] < pair[1]]
    if "DW_AT_low_pc" not in found or "DW_AT_high_pc" not in found:
        return []
    low, high = found["DW_AT_low_pc"].value, found["DW_AT_high_pc"]
    end = high.value if high.form in ("DW_FORM_addr", "DW_FORM_addrx") else low + high.value
    return [(low, end)] if 0 < low < end else []

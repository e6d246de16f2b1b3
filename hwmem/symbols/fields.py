"""Types of DWARF: from a byte of a variable to the field that has it, and back.

    struct counter { long value; } counters[8];        field(type, 24) == "[3].value"          place(type, "[3].value") == (24, 8)

typedef, const, volatile and _Atomic are seen through. An array's subranges count in their order, the last fastest. A base class adds no
name, nor does an anonymous struct. Of a union the first member that has the byte; bit-fields that share a byte are all named. Padding is
the struct's own: "+12". Source: DWARF 5, chapter 5.
"""

import re
from functools import lru_cache

from hwmem.symbols.dies import number

MODIFIERS = frozenset(f"DW_TAG_{name}_type" for name in ("const", "volatile", "atomic", "restrict", "immutable", "packed", "shared")) | {
    "DW_TAG_typedef"
}
POINTERS = ("DW_TAG_pointer_type", "DW_TAG_reference_type", "DW_TAG_rvalue_reference_type")
COMPOUNDS = ("DW_TAG_structure_type", "DW_TAG_class_type", "DW_TAG_union_type")
DEEPEST = 64  # types within each other, of a file that is not damaged
STEP = re.compile(r"\[(\d+)\]|\.([^.\[\]]+)")


def stripped(die, deepest=DEEPEST):
    """The type without its modifiers; None where it is void or the file says nonsense."""
    while die is not None and deepest and (die.tag in MODIFIERS or "DW_AT_signature" in die.attributes):
        die = type_of(die) if die.tag in MODIFIERS else referred(die, "DW_AT_signature")  # it is in a type unit
        deepest -= 1
    return die if deepest else None


def type_of(die):
    return referred(die, "DW_AT_type") if "DW_AT_type" in die.attributes else None


def referred(die, name):
    """The DIE that an attribute refers to. (pyelftools knows no type units of DWARF 5.)"""
    attribute = die.attributes[name]
    if attribute.form == "DW_FORM_ref_sig8":
        unit = type_units(die.dwarfinfo).get(attribute.raw_value)
        if unit is not None:
            return unit.get_DIE_from_refaddr(unit.cu_offset + unit["type_offset"])
    return die.get_DIE_from_attribute(name)


@lru_cache(maxsize=16)
def type_units(dwarf):
    """{signature: unit} of the type units in .debug_info."""
    return {u["type_signature"]: u for u in dwarf.iter_CUs() if u["version"] >= 5 and u["unit_type"] == "DW_UT_type"}


def name_of(die):
    attribute = die.attributes.get("DW_AT_name")
    value = attribute.value if attribute else b""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def size_of(die, deepest=DEEPEST):
    """Bytes of a type; 0 where it is not known."""
    die = stripped(die, deepest)
    if die is None or not deepest:
        return 0
    size = die.attributes.get("DW_AT_byte_size")
    if size is not None and isinstance(size.value, int):
        return size.value
    if die.tag == "DW_TAG_array_type":
        size = size_of(type_of(die), deepest - 1)
        for count in dimensions(die):
            size *= count
        return size
    return 8 if die.tag in POINTERS else 0


def dimensions(die):
    """Elements of each dimension; 0: not said."""
    found = []
    for child in die.iter_children():
        if child.tag == "DW_TAG_subrange_type":
            count, top = (child.attributes.get(name) for name in ("DW_AT_count", "DW_AT_upper_bound"))
            if count is not None and isinstance(count.value, int):
                found.append(count.value)
            else:
                found.append(top.value + 1 if top is not None and isinstance(top.value, int) else 0)
    return found


def field(die, offset, deepest=DEEPEST):
    """The path to the byte `offset` of a type, "" for a plain variable's first, "+3" for what no field has."""
    die = stripped(die, deepest)
    if die is not None and deepest and die.tag == "DW_TAG_array_type":
        element = type_of(die)
        size = size_of(element)
        if size:
            index, inside = divmod(offset, size)
            return indices(index, dimensions(die)) + field(element, inside, deepest - 1)
    if die is not None and deepest and die.tag in COMPOUNDS:
        for names, member, start in members_at(die, offset):
            return names + field(member, offset - start, deepest - 1)
    return f"+{offset}" if offset else ""


def indices(index, counts):
    said = ""
    for count in reversed(counts[1:]):
        index, k = divmod(index, count) if count else (0, index)
        said = f"[{k}]{said}"
    return f"[{index}]{said}"


def members_at(die, offset):
    """(".name", type, start) of the members that have the byte; bit-fields of it as one, without a type."""
    bits = []
    for child, start, size, is_bits in members(die):
        if start <= offset < start + size:
            if is_bits:
                bits.append(name_of(child))
            elif not bits:
                name = name_of(child) if child.tag == "DW_TAG_member" else ""
                yield f".{name}" if name else "", type_of(child), start
    if bits:
        yield "." + "|".join(filter(None, bits)), None, offset


def members(die):
    """(DIE, first byte, bytes, is it a bit-field) of a compound's own members and base classes."""
    for child in die.iter_children():
        if child.tag not in ("DW_TAG_member", "DW_TAG_inheritance") or "DW_AT_type" not in child.attributes:
            continue
        found = child.attributes
        if "DW_AT_external" in found or "DW_AT_const_expr" in found:
            continue  # static: it lies elsewhere
        location = found.get("DW_AT_data_member_location")
        start = member_start(location)
        if start is None:
            continue
        if "DW_AT_bit_size" in found:
            yield child, *bits_of(found, start), True
        else:
            yield child, start, size_of(type_of(child)), False


def member_start(location):
    """Bytes from the struct's beginning; None where they are to be computed (a virtual base)."""
    if location is None:
        return 0
    if isinstance(location.value, int):
        return location.value
    code = bytes(location.value)
    if code[:1] == b"\x23":  # DW_OP_plus_uconst, of old compilers
        return number(code, 1)[0]
    return None


def bits_of(found, start):
    """(first byte, bytes) that a bit-field lies in."""
    if "DW_AT_data_bit_offset" in found:
        first = found["DW_AT_data_bit_offset"].value
    elif "DW_AT_bit_offset" in found:  # DWARF 3: from the most significant bit of the storage unit
        storage = found["DW_AT_byte_size"].value if "DW_AT_byte_size" in found else 4
        first = 8 * (start + storage) - found["DW_AT_bit_offset"].value - found["DW_AT_bit_size"].value
    else:
        first = 8 * start
    last = first + found["DW_AT_bit_size"].value - 1
    return first // 8, last // 8 - first // 8 + 1


def place(die, path):
    """(offset, bytes) of a path such as "[3].value" in a type. Raises ValueError that says what is wrong."""
    offset, end = 0, 0
    steps = list(STEP.finditer(path))
    if "".join(step[0] for step in steps) != path:
        raise ValueError(f"{path!r:.60}: takes .field and [index]")
    while end < len(steps):
        die = stripped(die)
        if die is not None and die.tag == "DW_TAG_array_type":
            counts = dimensions(die) or [0]
            given = [int(step[1]) for step in steps[end : end + len(counts)] if step[1]]
            if len(given) < min(len(counts), len(steps) - end) or not given:
                raise ValueError(f"{steps[end][0]}: an array takes an index")
            inner, index = type_of(die), 0
            for k, count in enumerate(counts):
                i = given[k] if k < len(given) else 0
                if count and i >= count:
                    raise ValueError(f"[{i}]: the array has {count} elements")
                index = index * (count or 1) + i
            offset += index * size_of(inner)
            rest = 1
            for count in counts[len(given) :]:
                rest *= count
            end += len(given)
            if rest != 1:
                if end < len(steps):
                    raise ValueError(f"{steps[end][0]}: an array takes an index")
                return offset, rest * size_of(inner)
            die = inner
        else:
            die, start = member(die, steps[end])
            offset += start
            end += 1
    return offset, size_of(die)


def member(die, step):
    """(type, start) of the member that a step names, its own or one of a base class or an anonymous struct."""
    if die is None or die.tag not in COMPOUNDS or not step[2]:
        raise ValueError(f"{step[0]}: there is no such field")
    known = []
    for child, start, _, is_bits in members(die):
        name = name_of(child) if child.tag == "DW_TAG_member" else ""
        if name == step[2] and is_bits:
            raise ValueError(f"{step[0]}: a bit-field has no byte of its own")
        if name == step[2]:
            return type_of(child), start
        if not name:
            try:
                inner, inside = member(stripped(type_of(child)), step)
                return inner, start + inside
            except ValueError:
                pass
        known.append(name)
    raise ValueError(f"{step[0]}: there is no such field; there are {', '.join(filter(None, known)) or 'none'}"[:200])

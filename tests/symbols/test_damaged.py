"""Files that are damaged, hostile, or no programs: a limit that is named, never another name than the right one."""

import os
import random
import struct

import pytest

from hwmem.runs.apart import Apart
from built import addresses, build, names_of, run

MUTATIONS = 150


def debugging_bytes(program):
    """[(start, end)] in the file of what the tests damage."""
    rows = [line.split("]")[1].split() for line in run("readelf", "-SW", program).splitlines() if ".debug_" in line and "]" in line]
    return [(int(row[3], 16), int(row[3], 16) + int(row[4], 16)) for row in rows]


@pytest.mark.live
def test_damage_never_names_another_variable_where_the_header_of_the_answer_is_whole(tmp_path, seed):
    """A byte changed anywhere in the sections that say how to read the others: what comes out is right, or less."""
    program = build(tmp_path)
    whole, table = program.read_bytes(), addresses(program)["table"]
    draw, sections, lost = random.Random(seed), debugging_bytes(program), 0
    for _ in range(MUTATIONS):
        damaged = bytearray(whole)
        start, end = draw.choice(sections)
        for _ in range(draw.choice([1, 1, 4])):
            damaged[draw.randrange(start, end)] = draw.choice([0, 0xFF, 0x80, draw.randrange(256)])
        program.write_bytes(damaged)
        names = names_of(program)
        found = names.data(table)  # it comes back, whatever was hit
        names.code(addresses_of_main(program, whole))
        lost += found != "table[0].row[0][0].tag"
        assert all("\n" not in limit for limit in names.limits)
    assert lost < MUTATIONS


def addresses_of_main(program, whole):
    return struct.unpack_from("<Q", whole, 24)[0]  # the entry point serves


@pytest.mark.live
def test_a_program_cut_anywhere_is_read_as_far_as_it_goes(tmp_path, seed):
    program = build(tmp_path)
    whole, draw = program.read_bytes(), random.Random(seed)
    for size in [0, 1, 63, 64, 200, *(draw.randrange(len(whole)) for _ in range(60))]:
        program.write_bytes(whole[:size])
        names = names_of(program)
        assert isinstance(names.data(0x4040), str) and isinstance(names.code(0x1139).function, str)


@pytest.mark.live
@pytest.mark.parametrize("kind", ["text", "folder", "pipe", "other machine", "huge section"])
def test_what_is_no_program_for_this_machine_is_a_limit(tmp_path, kind):
    pytest.importorskip("elftools", reason="names need pyelftools")
    program = tmp_path / "prog"
    if kind == "text":
        program.write_text("#!/bin/sh\n")
    elif kind == "folder":
        program.mkdir()
    elif kind == "pipe":
        os.mkfifo(program)
    else:
        built = bytearray(build(tmp_path, name="prog").read_bytes())
        if kind == "other machine":
            struct.pack_into("<H", built, 18, 0xB7)
        else:
            at, step, count = struct.unpack_from("<Q", built, 40)[0], *struct.unpack_from("<HH", built, 58)
            for n in range(count):
                struct.pack_into("<Q", built, at + n * step + 32, 1 << 60)
        program.write_bytes(built)
    names = names_of(program)
    names.code(0x1139), names.data(0x4040)
    if kind != "huge section":
        assert len(names.limits) == 1 and str(program) in names.limits[0]
    assert names.data(0x4040) == "0x4040" or kind == "huge section"


@pytest.mark.live
@pytest.mark.parametrize("value, size", [(None, (1 << 64) - 1), ((1 << 64) - 8, 1 << 63), (None, 1 << 62)])
def test_a_symbol_of_impossible_bounds_hides_no_other(tmp_path, value, size):
    """It goes around the end of the address space, or over all variables behind it."""
    elffile = pytest.importorskip("elftools.elf.elffile", reason="names need pyelftools")
    program = build(tmp_path, "told.c", "-g0")
    damaged = bytearray(program.read_bytes())
    with open(program, "rb") as file:
        table = elffile.ELFFile(file).get_section_by_name(".symtab")
        known = {
            s.name: (s["st_value"], s["st_size"]) for s in table.iter_symbols() if s["st_info"]["type"] == "STT_OBJECT" and s["st_size"]
        }
        at = {s.name: table["sh_offset"] + n * table["sh_entsize"] for n, s in enumerate(table.iter_symbols())}
    struct.pack_into("<QQ", damaged, at["table"] + 8, known["table"][0] if value is None else value, size)
    program.write_bytes(damaged)
    names = names_of(program)
    for name, (start, length) in known.items():
        if name != "table":
            assert names.data(start).split("+")[0] == names.data(start + length - 1).split("+")[0] != "table"
    with pytest.raises(ValueError, match="there is no variable of that name" if size != 1 << 62 else "up to 16,777,216 bytes"):
        Apart(names, ["table"])


@pytest.mark.live
def test_types_that_contain_themselves_end(tmp_path):
    from types import SimpleNamespace

    from hwmem.symbols.fields import field, size_of

    def die(tag, **attributes):
        one = SimpleNamespace(tag=tag, attributes=attributes, iter_children=list)
        one.get_DIE_from_attribute = lambda name: one
        return one

    loop = die("DW_TAG_typedef", DW_AT_type=SimpleNamespace(value=0, form="DW_FORM_ref4"))
    assert size_of(loop) == 0 and field(loop, 5) == "+5"
    array = die("DW_TAG_array_type", DW_AT_type=SimpleNamespace(value=0, form="DW_FORM_ref4"))
    assert size_of(array) == 0 and field(array, 5) == "+5"

"""Instructions to functions, files and lines, as addr2line tells them."""

import pathlib
import random

import pytest

from built import BIAS, build, names_of, run, told_by_addr2line

VARIANTS = {
    "plain": ("-O0",),
    "optimised": ("-O2",),
    "dwarf 4": ("-O2", "-gdwarf-4"),
    "static": ("-O2", "-static"),
    "compressed": ("-O2", "-gz"),
}


def some_code(program, most, seed):
    """Addresses in .text."""
    section = next(line.split("]")[1].split() for line in run("readelf", "-SW", program).splitlines() if " .text " in line)
    start, size = int(section[2], 16), int(section[4], 16)
    return random.Random(seed).sample(range(start, start + min(size, 3000)), most)


@pytest.mark.live
@pytest.mark.parametrize("flags", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.parametrize("source", ["told.c", "told.cpp"])
def test_frames_are_those_of_addr2line(tmp_path, source, flags, seed):
    program = build(tmp_path, source, *flags)
    pcs = some_code(program, 300, seed)
    names, truth, known = names_of(program, BIAS), told_by_addr2line(program, pcs), 0
    for pc in pcs:
        wanted = truth[pc]
        if wanted[-1][1].endswith("?"):  # nobody's debugging information
            continue
        found = names.code(pc + BIAS)
        lines = [f"{pathlib.Path(path or '??').name}:{line or '?'}" for _, path, line in found.frames]
        if lines[0].partition(":")[0] == wanted[0][1].partition(":")[0]:  # addr2line gives lambdas the file of the unit
            assert lines == [line for _, line in wanted], hex(pc)
        known += 1
        functions = [function.partition("(")[0].partition("<")[0] for function, *_ in found.frames]
        assert [f.rpartition("::")[2] for f in functions] == [f.partition("<")[0].rpartition("::")[2] for f, _ in wanted], hex(pc)
    assert known > 20


@pytest.mark.live
def test_an_inlined_function_is_told_with_the_line_of_its_call(tmp_path):
    program = build(tmp_path, "told.c", "-O2")
    names = names_of(program)
    start = next(int(line.split()[0], 16) for line in run("nm", program).splitlines() if line.endswith(" within"))
    chains = {tuple(function for function, *_ in names.code(pc).frames) for pc in range(start, start + 40)}
    assert ("twice", "within") in chains
    text = (pathlib.Path(__file__).parent / "told.c").read_text().splitlines()
    inner = next(names.sources(pc) for pc in range(start, start + 40) if len(names.sources(pc)) == 2)
    assert "twice(n)" in text[int(inner[1].partition(":")[2]) - 1]


@pytest.mark.live
def test_code_that_is_in_no_object_has_no_name(tmp_path):
    names = names_of(build(tmp_path), BIAS)
    assert names.code(0x7000_0000_0000).function == ""
    assert names.sources(0x7000_0000_0000) == []


@pytest.mark.live
def test_a_stripped_program_has_what_its_dynamic_symbols_say(tmp_path):
    program = build(tmp_path, "told.c", "-rdynamic")
    start = next(int(line.split()[0], 16) for line in run("nm", program).splitlines() if line.endswith(" within"))
    run("strip", program)
    found = names_of(program).code(start + 4)
    assert (found.function, found.source) == ("within", "")


@pytest.mark.parametrize("source", ["told.c", "told.cpp"])
def test_units_lie_where_the_list_of_their_ranges_says_and_where_they_say_themselves(tmp_path, source, monkeypatch):
    """With .debug_aranges no unit is parsed to find out where its code is; without it each is, and says the same."""
    CompileUnit = pytest.importorskip("elftools.dwarf.compileunit", reason="names need pyelftools").CompileUnit

    from hwmem.symbols.dies import Units, listed_ranges

    program = build(tmp_path, source)
    run("objcopy", "--remove-section", ".debug_aranges", program, tmp_path / "bare")
    rows = []
    for path in (program, tmp_path / "bare"):
        units, parsed = Units(dwarf_of(path)), []
        monkeypatch.setattr(CompileUnit, "get_top_DIE", lambda unit, parse=CompileUnit.get_top_DIE: [parse(unit), parsed.append(unit)][0])
        rows.append([(low, high, unit.cu_offset) for low, high, unit in units.ranges()[1]])
        monkeypatch.undo()
        assert bool(parsed) == (listed_ranges(units.dwarf) == {}) == (path.name == "bare")
    assert rows[0] == rows[1] != []


def dwarf_of(path):
    from elftools.elf.elffile import ELFFile

    return ELFFile.load_from_path(str(path)).get_dwarf_info()

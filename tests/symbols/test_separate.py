"""Debugging information that lies in a file of its own; only the right one counts."""

import sys
import time

import pytest

from built import addresses, build, names_of, needed, run
from hwmem.symbols import objects
from hwmem.symbols.names import Names
from hwmem.trace.program import Mapping, Object, Program


@pytest.fixture
def separated(tmp_path):
    """(program without debugging information, the file that has it, the address of `table`)."""
    needed("objcopy", "strip")
    program = build(tmp_path)
    table, apart = addresses(program)["table"], tmp_path / "told.debug"
    run("objcopy", "--only-keep-debug", program, apart)
    run("strip", program)
    return program, apart, table


@pytest.mark.live
def test_by_debug_link_beside_the_program_and_in_its_folder(separated):
    program, apart, table = separated
    run("objcopy", f"--add-gnu-debuglink={apart}", program)
    assert names_of(program).data(table) == "table[0].row[0][0].tag"
    (program.parent / ".debug").mkdir()
    apart.rename(program.parent / ".debug" / apart.name)
    assert names_of(program).data(table) == "table[0].row[0][0].tag"


@pytest.mark.live
def test_by_build_id_in_a_folder_that_is_named(separated, tmp_path):
    program, apart, table = separated
    number = run("readelf", "-n", program).split("Build ID: ")[1].split()[0]
    folder = tmp_path / "symbols" / ".build-id" / number[:2]
    folder.mkdir(parents=True)
    apart.rename(folder / f"{number[2:]}.debug")
    own = [Object(str(program), 0, (), str(program))]
    assert Names(Program(objects=own)).data(table).startswith("told .bss+")
    assert Names(Program(objects=own), [str(tmp_path / "symbols")]).data(table) == "table[0].row[0][0].tag"


@pytest.mark.live
def test_what_is_kept_of_a_file_is_kept_while_it_and_the_other_stay_as_they_are(separated, monkeypatch):
    program, apart, table = separated
    monkeypatch.setattr(objects, "RECENT", -1.0)
    run("objcopy", f"--add-gnu-debuglink={apart}", program)
    opened = []
    monkeypatch.setattr(objects, "Image", lambda *words, image=objects.Image: [opened.append(words), image(*words)][1])
    typed = "table[0].row[0][0].tag"
    assert [names_of(program).data(table) for _ in range(3)] == [typed] * 3 and len(opened) == 1
    whole = apart.read_bytes()
    for bytes_now, expected in ((None, False), (whole, True), (b"\0" * len(whole), False), (whole, True)):
        time.sleep(0.02)  # a tick of the clock by which files are dated
        apart.unlink() if bytes_now is None else apart.write_bytes(bytes_now)
        assert (names_of(program).data(table) == typed) is expected
    time.sleep(0.02)
    program.write_bytes(b"no program")
    assert names_of(program).data(table) != typed


@pytest.mark.live
def test_of_another_build_it_is_left_out_and_said(separated, tmp_path):
    program, apart, table = separated
    (tmp_path / "other").mkdir()
    other = build(tmp_path / "other", "told.c", "-O2", "-DOTHER")
    run("objcopy", "--only-keep-debug", other, apart)
    names = names_of(program)
    assert names.data(table).startswith("told .bss+")
    assert any("not the debugging information of" in limit for limit in names.limits)


@pytest.mark.live
def test_a_program_whose_segments_lie_elsewhere_than_the_recorded_ones_has_no_names(tmp_path):
    program = build(tmp_path)
    table = addresses(program)["table"]
    segments = [line.split() for line in run("readelf", "-lW", program).splitlines() if line.split()[:1] == ["LOAD"]]
    good = tuple(
        Mapping((int(s[2], 16)) & -4096, (int(s[2], 16) + int(s[5], 16) + 4095) & -4096, int(s[1], 16) & -4096, 5) for s in segments
    )
    right = Names(Program(objects=[Object(str(program), 0, good, str(program))]))
    assert right.data(table) == "table[0].row[0][0].tag" and right.limits == []
    moved = tuple(m._replace(file_offset=m.file_offset + 0x1000) for m in good)
    wrong = Names(Program(objects=[Object(str(program), 0, moved, str(program))]))
    assert "table" not in wrong.data(table)
    assert "not the file that was recorded" in wrong.limits[0]


def test_a_file_that_is_not_there_is_said_once():
    names = Names(Program(objects=[Object("/gone/prog", 0x108000, (Mapping(0x108000, 0x109000, 0, 5),), None)]))
    assert [names.code(0x108010).function, names.data(0x108020)] == ["", "prog+0x20"]
    assert [limit for limit in names.limits if "/gone/prog" in limit] == names.limits or "pyelftools" in names.limits[0]


def test_without_pyelftools_addresses_are_left_and_one_line_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "elftools", None)
    program = tmp_path / "prog"
    program.write_bytes(b"\x7fELF")
    mappings = (Mapping(0x108000, 0x109000, 0, 5),)
    names = Names(Program(objects=[Object(str(program), 0x108000, mappings, str(program)), Object("/lib/b.so", 0x200000, mappings, None)]))
    assert (names.code(0x108010).function, names.data(0x108020)) == ("", "prog+0x20")
    assert len(names.limits) == 1 and "pip install 'hwmem[symbols]'" in names.limits[0]
    with pytest.raises(ValueError, match="needs? pyelftools"):
        names.part("counters")
    assert names.part("0x10c040+8") == (0x10C040, 8)

"""A recorded program as text: lines with code and source, the gain of --apart, within the screen."""

import dataclasses

import pytest

import hwmem
from hwmem.report import SECTIONS, report
from hwmem.page import page
from hwmem.report.program import byte_map, split
from page.pages import data_of
from hwmem.trace.program import Code, Excerpt, Line, Program, Thread, false_hitms, kind

CODES = (
    Code(0x1091F0, 2, 60, 50, 0, 0xFF, "work", "counters", "counters[0].value", ("counters.c:14",)),
    Code(0x4A19280, 3, 40, 30, 0x1091AB, 0xFF00, "pthread_mutex_lock", "libc.so.6", "counters[1].value", (), ("counters.c:20",)),
)
LINES = [
    Line(0x10C040, "false", 80, (1, 2, 3), {2: 0xFF, 3: 0xFF00}, {1: 1 << 63}, CODES, "counters[0].value, counters[1].value", ("counters.c:14",), ("counters[0]", "counters[1]")),
    Line(0x10C080, "true", 20, (2, 3), {2: 1, 3: 1}, {}, (), "f<int, int>::total"),
    Line(0x10C0C0, "none", 0, (1, 2), {1: 1}, {2: 1}, (), "once"),
]  # fmt: skip
PROGRAM = Program(
    command="./counters 2",
    threads=[Thread(1, instructions=900, loads=30, stores=20), Thread(2, parent=1, loads=5, stores=5, atomics=5), Thread(3, parent=1)],
    lines=LINES,
    notes=["names need pyelftools"],
    excerpts=[Excerpt("counters.c:14", 13, ("for (;;)", "    counters[me].value++;", "\x1b[2Jevil"))],
)


@pytest.fixture(scope="module")
def result():
    plain = hwmem.run("false-sharing", iterations=50)
    where = {
        "top": 3,
        "source": {"rows": [{"at": "counters.c:14", "function": "work", "object": "counters", "misses": 9, "hitms": 8, "faults": 1, "tlbs": 2, "cycles": 70}], "of": 1, "misses": 9, "hitms": 8, "faults": 1, "tlbs": 2, "cycles": 70, "dropped": 0},
    }  # fmt: skip
    return dataclasses.replace(
        plain, workload="trace", parameters={"file": "prog.trace"}, comparison=None, lines=[], program=PROGRAM, where=where
    )


def test_each_line_has_its_bytes_its_code_its_source_and_what_would_mend_it(result):
    said = report(result)
    assert "0x10c040  counters[0].value, counters[1].value: 80 HITMs, 80.0% of all, false sharing" in said
    assert "  22222222" + "33333333" + "." * 47 + "1" in said
    rows = [line.split() for line in said.splitlines()]
    assert ["50", "62.5%", "2", "counters[0].value", "0x1091f0", "work", "counters.c:14"] in rows
    assert ["30", "37.5%", "3", "counters[1].value", "0x4a19280", "pthread_mutex_lock", "counters.c:20"] in rows
    assert "  >    14 |     counters[me].value++;" in said
    assert "What padding would be worth: hwmem trace prog.trace --apart 'counters[0],counters[1]'" in said
    assert "names need pyelftools" in said
    assert "once" not in said  # nothing of it went from core to core
    assert ["counters.c:14", "work", "9", "100.0%", "8", "1", "2"] in rows


def test_the_gain_of_lines_of_their_own_is_told(result):
    grid = {
        "title": "cycles",
        "row": None,
        "rows": [None],
        "column": "apart",
        "columns": ["", "counters[0],counters[1]"],
        "cells": [[2000, 1000]],
    }
    said = " ".join(report(dataclasses.replace(result, comparison=grid)).split())
    assert (
        "With counters[0] and counters[1] on lines of their own the program runs 2.00 times as fast: 1,000 cycles instead of 2,000." in said
    )


@pytest.mark.parametrize("width", [80, 100, 160])
def test_within_the_screen(result, width, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    for section in [None, *SECTIONS]:
        assert max(map(len, report(result, section).splitlines())) <= width, section


def test_a_name_that_is_longer_than_the_screen_is_folded(result, monkeypatch):
    line = result.program.lines[0]._replace(symbol="</title>" + "L" * 10_000)
    named = dataclasses.replace(result, program=dataclasses.replace(result.program, lines=[line]))
    said = report(named, "c2c")
    assert max(map(len, said.splitlines())) <= 100 and said.count("L") > 20_000


def test_a_kept_result_tells_the_same(result, tmp_path):
    result.save(tmp_path / "r.hwm")
    again = hwmem.load_result(tmp_path / "r.hwm")
    assert report(again) == report(result) and again.program == result.program
    assert "counters[1].value" in page(again)


def test_a_byte_that_several_write_and_one_that_is_only_read():
    line = Line(0, "true", 1, (1, 2), {1: 0b11, 2: 0b10}, {2: 0b100})
    assert byte_map(line) == "1#2" + "." * 61


def test_a_lines_kind_is_that_of_its_transfers():
    """Two threads that once wrote one byte, and then fight over others."""
    both = 1 << 63
    code = Code(1, 1, 99, 99, 0, 0xFF), Code(1, 2, 99, 101, 0, 0xFF00), Code(2, 2, 9, 1, 0, both), Code(2, 1, 9, 0, 0, both)
    line = Line(0, "true", 201, (1, 2), {1: 0xFF | both, 2: 0xFF00 | both}, {}, code)
    assert (kind(line), false_hitms(line)) == ("false", 200)
    assert kind(line._replace(hitm=111, code=(code[0], code[2]._replace(hitm=12), code[3]))) == "both"
    assert kind(line._replace(hitm=1, code=code[2:])) == "true"
    reader, writer = Code(1, 2, 50, 5, 0, 0xFF00), Code(2, 1, 50, 0, 0, 0xFF)
    assert kind(Line(0, "none", 5, (1, 2), {1: 0xFF}, {2: 0xFF00}, (reader, writer))) == "false"
    assert kind(Line(0, "none", 5, (1, 2), {1: 0xFF}, {2: 0xFF}, (reader._replace(touched=1), writer))) == "true"
    first = Line(0, "false", 5, (1, 2, 3), {1: 0xFF, 3: 0xFF00}, {2: 0xFF00}, (reader, writer, Code(9, 3, 1, 0, 0, 0xFF00)))
    assert kind(first) == "false"  # thread 3 wrote what thread 2 reads before the two began
    assert [kind(Line(0, said, 5, (1, 2), {}, {})) for said in ("false", "true")] == ["false", "true"]


def test_a_page_calls_a_lines_sharing_what_the_terminal_calls_it(result):
    """Also of a line with one word, of 80 HITMs none, that both threads write, such as a barrier's."""
    mixed = LINES[0]._replace(sharing="true")
    own = dataclasses.replace(result, program=dataclasses.replace(PROGRAM, lines=[mixed, *LINES[1:]]))
    data = data_of(page(own))
    (shown,) = (block["lines"] for section in data["sections"] for block in section["blocks"] if block["kind"] == "lines")
    assert [(one["sharing"], one["false"]) for one in shown] == [(kind(line), false_hitms(line)) for line in (mixed, LINES[1])]
    assert shown[0]["sharing"] == "false" and data["headline"].startswith("False sharing") and shown[0]["apart"]


def test_names_are_split_where_no_bracket_is_open():
    assert split("a[1],f<int, int>::b, c(x, y).d") == ["a[1]", "f<int, int>::b", "c(x, y).d"]
    assert split("") == [] and split("operator>,x") == ["operator>", "x"]


def test_its_lines_are_rows_for_pandas_and_documents_for_json(result):
    from hwmem.runs.data import section_data
    from hwmem.runs.frame import rows

    first = rows(result, "lines")[0]
    assert (first["symbol"], first["hitm"], first["hitm_false"], first["source"]) == (LINES[0].symbol, 80, 80, "counters.c:14")
    assert section_data(result, "c2c")["lines"][0]["code"][0]["data"] == "counters[0].value"

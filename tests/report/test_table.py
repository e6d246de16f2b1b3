"""Tables fit the screen and lose nothing when they give way."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmem.report.table import grid_table, table, wrapped

WORDS = st.text("abcdefgh .(", max_size=60).map(str.strip)
NUMBERS = st.integers(0, 10**9)


@st.composite
def tables(draw):
    kinds = draw(st.lists(st.sampled_from([WORDS, NUMBERS]), min_size=1, max_size=14))
    headers = [draw(st.text("abcdefgh ", min_size=1, max_size=18).map(str.strip)) for _ in kinds]
    return headers, [[draw(kind) for kind in kinds] for _ in range(draw(st.integers(0, 4)))]


def words(text):
    return sorted(re.findall(r"\S+", text))


@given(tables(), st.sampled_from([80, 100, 160]))
def test_every_line_fits_and_nothing_is_lost(made, width):
    headers, rows = made
    wide, narrow = table(headers, rows, 10**6), table(headers, rows, width)
    assert all(len(line) <= max(width, widest_pair(headers, rows)) for line in narrow.splitlines())
    assert set(words(wide)) <= set(words(narrow))
    if max(map(len, wide.splitlines())) <= width:
        assert narrow == wide


def widest_pair(headers, rows):
    """What the first column and one other take at least: no table can be narrower than that."""
    least = [
        max(
            len(word)
            for cell in [str(h), *(f"{row[k]:,}" if isinstance(row[k], int) else str(row[k]) for row in rows)]
            for word in cell.split() or [""]
        )
        for k, h in enumerate(headers)
    ]
    return max(least[0], 20) + 2 + max(max(least), 20)


def test_a_number_is_not_broken_at_its_point():
    assert wrapped("semispace 8.02", 12) == ["semispace", "8.02"]
    assert wrapped("mspan(0xc0).freeindex", 15) == ["mspan(0xc0).", "freeindex"]


def test_each_block_names_its_rows():
    headers = ["threads", "allocator", *(f"count {k}" for k in range(6))]
    rows = [[n, allocator, *range(1000, 1006)] for n in (1, 4) for allocator in ("bump", "buddy")]
    blocks = table(headers, rows, 40).split("\n\n")
    assert len(blocks) > 1
    for block in blocks:
        assert [line.split()[:2] for line in block.splitlines()[-4:]] == [["1", "bump"], ["1", "buddy"], ["4", "bump"], ["4", "buddy"]]


def test_where_nothing_is_compared_the_column_says_what_it_is():
    grid = {
        "title": "cycles per box, each thread",
        "row": "gomaxprocs",
        "rows": [1, 2],
        "column": None,
        "columns": [None],
        "cells": [[5.5], [7.0]],
    }
    assert grid_table(grid).splitlines()[1].split() == ["gomaxprocs", "cycles"]


def test_headers_give_way_before_cells_and_cells_before_the_table_is_cut():
    headers, row = ["operation", "stores before=1", "what it is"], ["mfence", 120, "waits until the store buffer is empty"]
    assert table(headers, [row], 70).splitlines()[0] == "operation  stores before=1  what it is"
    assert table(headers, [row], 60).splitlines() == [
        "             stores",
        "operation  before=1  what it is",
        "mfence          120  waits until the store buffer is empty",
    ]
    assert table(headers, [row], 45).splitlines()[2:] == [
        "mfence          120  waits until the store",
        "                     buffer is empty",
    ]


@pytest.mark.parametrize("columns", ["80", "100", "160"])
def test_the_screen_is_as_wide_as_it_says(columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    long = table(["name", "text"], [["a", "word " * 60]])
    assert int(columns) - 6 < max(map(len, long.splitlines())) <= int(columns)

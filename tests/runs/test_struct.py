"""A user's struct: where C puts its fields, who shares what, and what lines of their own would save."""

import ctypes

import numpy as np
import pytest

import hwmem
from hwmem.runs.struct import layout_of


class Ring(ctypes.Structure):
    _fields_ = [("head", ctypes.c_uint64), ("flag", ctypes.c_uint8), ("tail", ctypes.c_uint32), ("data", ctypes.c_uint64 * 20)]


def test_writers_of_neighbours_share_falsely_and_apart_they_do_not():
    r = hwmem.struct(Ring, writes={"head": 0, "flag": 1, "tail": 2, "data": 3}, iterations=3000)
    (line,) = r.c2c()
    assert (
        line["sharing"] == "false"
        and line["hitm"] > 100
        and {o["symbol"] for o in line["offsets"]} == {f"Ring.{name}" for name in ("head", "flag", "tail", "data")}
    )
    together, own_lines = r.comparison["cells"][-1]
    assert together > 1.2 * own_lines


def test_a_writer_and_a_reader_of_one_field_share_truly():
    r = hwmem.struct(Ring, writes={"head": 0}, reads={"head": 1}, iterations=500)
    assert r.c2c()[0]["sharing"] == "true"


def test_fields_on_other_lines_do_not_meet():
    r = hwmem.struct({"a": (0, 8), "b": (64, 8)}, writes={"a": 0, "b": 1}, iterations=500)
    assert not r.c2c()
    split = hwmem.struct({"a": (0, 8), "b": (56, 8)}, writes={"a": 0, "b": 1}, offset=8, iterations=500)
    assert not split.c2c(), "the struct's beginning decides which fields meet"


def test_every_thread_makes_its_accesses():
    r = hwmem.struct(Ring, writes={"head": 0, "flag": {0, 1}, "data": 2}, reads={"tail": [1, 2]}, iterations=100)
    counted = r.counters["cores"]
    assert [c["stores"] for c in counted[:3]] == [200, 100, 100] and [c["loads"] for c in counted[:3]] == [200, 200, 200]
    assert r.values["operations"] == 300


def test_layouts_are_cs():
    name, size, fields = layout_of(Ring)
    assert (name, size, fields) == ("Ring", 176, {"head": (0, 8), "flag": (8, 1), "tail": (12, 4), "data": (16, 160)})
    dtype = np.dtype([("head", "u8"), ("flag", "u1"), ("tail", "u4"), ("data", "u8", 20)], align=True)
    assert layout_of(dtype)[1:] == (size, fields)


@pytest.mark.parametrize(
    "words, message",
    [
        ({"layout": 3, "writes": {"a": 0}}, "layout: takes a ctypes.Structure"),
        ({"layout": {}, "writes": {}}, "layout: has no fields"),
        ({"writes": {"heed": 0}}, "writes: no field 'heed'; there are head, flag, tail, data"),
        ({"writes": {}}, "writes: takes {field: thread}, at least one"),
        ({"writes": {"head": 0, "tail": 2}}, "without gaps, not 0, 2"),
        ({"writes": {"head": -1}}, "head takes a thread from 0 to 63"),
        ({"writes": {"head": "one"}}, "head takes a thread"),
        ({"writes": 3}, "writes: takes {field: thread}, not int"),
        ({"writes": {"head": 0}, "offset": 64}, "offset: takes 0 to 63"),
        ({"writes": {"head": 0}, "iterations": 0}, "struct.iterations must be"),
        ({"layout": {"a": (-8, 8)}, "writes": {"a": 0}}, "layout: a must lie within"),
        ({"layout": {"a": 8}, "writes": {"a": 0}}, "layout: a takes (offset, bytes)"),
        ({"layout": {"a": (1 << 62, 8)}, "writes": {"a": 0}}, "layout: a must lie within"),
    ],
)
def test_what_no_struct_has_is_refused_in_one_line(words, message):
    with pytest.raises((TypeError, ValueError)) as caught:
        hwmem.struct(**{"layout": Ring} | words)
    assert message in str(caught.value) and "\n" not in str(caught.value)

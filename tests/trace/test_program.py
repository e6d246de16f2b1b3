"""What a result keeps of a recorded program."""

import json

import pytest

from hwmem.trace.program import Block, Code, Line, Mapping, MemoryCall, Object, Program, Thread

KEPT = Program(
    command="./counters 2",
    objects=[Object("/home/a/counters", 0x108000, (Mapping(0x108000, 0x109000, 0, 5),), None), Object("/lib/libc.so.6", 0x4800000)],
    threads=[Thread(1, (0x1FFE801000, 0x1FFF001000), instructions=9), Thread(2, (0x5000000, 0x5800000), 0x57FF6C0, 1, 0x1091AB)],
    memory_calls=[MemoryCall(2, "madvise", (0x5000000, 4096, 4), 0)],
    blocks=[Block(0x4039130, 256, (0x10925F,), 1, 77), Block(0x4039240, 8, (0x109263,), 2, 78, 80)],
    lines=[Line(0x10C0C0, "false", 12, (1, 2), {1: 0xFF, 2: 0xFF << 56}, {2: 1 << 63}, (Code(0x1091F0, 2, 30, 12),))],
    anonymous_pages={"peak": 9, "end": 7, "after_calls": [["madvise", 7]]},
    stores=[(1, 0x10C0C0), (2, 0x10C0F8)],
)


def test_a_program_is_read_from_json_as_it_was_written():
    read = Program.from_dict(json.loads(json.dumps(KEPT.to_dict())))
    assert read == KEPT


def test_masks_of_bytes_are_hexadecimal_and_memory_calls_plain_rows():
    document = json.loads(json.dumps(KEPT.to_dict()))
    assert document["lines"][0]["written"] == {"1": "00000000000000ff", "2": "ff00000000000000"}
    assert document["memory_calls"] == [[2, "madvise", [0x5000000, 4096, 4], 0]]


@pytest.mark.parametrize("name, value", [("threads", [{"number": 1, "colour": 2}]), ("memory_calls", [[1, "brk"]]), ("lines", 3)])
def test_another_document_is_refused(name, value):
    with pytest.raises((KeyError, TypeError, ValueError)):
        Program.from_dict(KEPT.to_dict() | {name: value})

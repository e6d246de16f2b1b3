"""The grammars against regular expressions that say the same, on lines good, bad and nearly good."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwmem.trace import parse

RECORDS = 64
COMMENT = rb"(?:[ \t]*|[ \t]+[^0-9 \t].*|\r.*)"  # not if it begins with a number
EMPTY = rb"|[ \t]*\r?"
RW = rb"(?P<kind>[rwRW])[ \t]+(?:0[xX])?(?P<address>[0-9a-fA-F]+)[ \t]*\r?"
OWN_WORDS = rb"==.*==.*|--.*--.*|\*\*.*\*\*.*"
GRAMMARS = {
    parse.LACKEY: re.compile(
        rb"(?:(?P<kind>I| L| S| M) (?P<pad> ?)(?:0[xX])?(?P<address>[0-9a-fA-F]+),(?P<decimal>[0-9]+)\r?|" + OWN_WORDS + rb")"
    ),
    parse.DIN: re.compile(rb"[ \t]*(?P<kind>[012])[ \t]+(?:0[xX])?(?P<address>[0-9a-fA-F]+)" + COMMENT + EMPTY),
    parse.XDIN: re.compile(
        rb"[ \t]*(?P<kind>[rwiRWI])[ \t]+(?:0[xX])?(?P<address>[0-9a-fA-F]+)"
        rb"[ \t]+(?:0[xX])?(?P<hex>[0-9a-fA-F]+)" + COMMENT + EMPTY
    ),
    parse.DATA: re.compile(
        rb"[ \t]*(?:(?P<kind>[01])[ \t]+(?:0[xX])?(?P<address>[0-9a-fA-F]+)|2[ \t]+(?:0[xX])?(?P<cycles>[0-9a-fA-F]+))" + COMMENT + EMPTY
    ),
    parse.CORES: re.compile(rb"[ \t]*[pP](?P<thread>[0-9]+)[ \t]+" + RW + EMPTY),
    parse.RW: re.compile(rb"[ \t]*" + RW + EMPTY),
}
KINDS = {b"I": "", b" L": "r", b" S": "w", b" M": "rw", b"0": "r", b"1": "w", b"2": "", b"r": "r", b"w": "w", b"i": ""}


def says(grammar, line):
    """What the regular expression makes of a line: [(address, is_store, size, thread)], or None if it refuses it."""
    match = GRAMMARS[grammar].fullmatch(line)
    if not match:
        return None
    found = match.groupdict()
    if not found["kind"]:
        return None if int(found.get("cycles") or b"0", 16) >= 2**31 else []
    if grammar == parse.LACKEY and (found["kind"] == b"I") != (found["pad"] == b" "):
        return None
    address = int(found["address"], 16)
    size = int(found["decimal"]) if found.get("decimal") else int(found["hex"], 16) if found.get("hex") else 4
    if grammar not in (parse.LACKEY, parse.XDIN) and found["kind"] != b"2":
        address &= ~3
    thread = int(found.get("thread") or 0)
    does = KINDS[found["kind"] if grammar == parse.LACKEY else found["kind"].lower()]
    if not 1 <= size <= 4096 or address >= 2**63 or does and address + size >= 2**63 or thread >= 1 << 16:
        return None
    return [(address, action == "w", size, thread) for action in does]


def parsed(grammar, text):
    """Every record of a text of whole lines, and the cursor where the kernel stopped."""
    c = parse.new_cursor()
    c.end = len(text)
    arrays = new_arrays(RECORDS)
    parse.parse(c, grammar, np.frombuffer(bytearray(text), np.uint8), arrays)
    return list(zip(*(array[: c.records].tolist() for array in arrays[:4]))), c


def new_arrays(n):
    return (
        np.zeros(n, np.int64),
        np.zeros(n, bool),
        np.zeros(n, np.int32),
        np.zeros(n, np.int32),
        np.zeros(n, np.int32),
        np.zeros(n, np.int64),
    )


ADDRESSES = st.one_of(st.integers(0, 2**47), st.integers(2**63 - 5000, 2**64 + 5000))
SIZES = st.one_of(st.integers(1, 64), st.integers(0, 5000))
GOOD_LINES = {
    parse.LACKEY: st.builds("{}{:08x},{}".format, st.sampled_from(("I  ", " L ", " S ", " M ")), ADDRESSES, SIZES),
    parse.DIN: st.builds("{} {:x}{}".format, st.sampled_from("012"), ADDRESSES, st.sampled_from(("", " a comment", "\t"))),
    parse.XDIN: st.builds("{} {}{:x} {:x}".format, st.sampled_from("rwiRWI"), st.sampled_from(("", "0x", "0X")), ADDRESSES, SIZES),
    parse.DATA: st.builds("{} 0x{:x}{}".format, st.sampled_from("012"), ADDRESSES, st.sampled_from(("", "\r", " 3"))),
    parse.CORES: st.builds("P{} {} {:#x}".format, st.integers(0, 70000), st.sampled_from("rwRW"), ADDRESSES),
    parse.RW: st.builds("{} {:#x}{}".format, st.sampled_from("rwRW"), ADDRESSES, st.sampled_from(("", " ", " 8"))),
}
NOISE = st.text("I LSMPp0123456789abcdefxXrwimcv,=-*\t\r\0\x7fé", max_size=14)


@st.composite
def nearly_good_lines(draw, grammar):
    line = draw(GOOD_LINES[grammar])
    at = draw(st.integers(0, len(line)))
    return line[:at] + draw(NOISE) + line[at + draw(st.integers(0, 3)) :]


@pytest.mark.parametrize("grammar", GRAMMARS)
@settings(deadline=None)  # the first example compiles
@given(data=st.data())
def test_a_line_is_accepted_exactly_when_its_grammar_says_so_and_means_the_same(grammar, data):
    line = data.draw(st.one_of(GOOD_LINES[grammar], nearly_good_lines(grammar), NOISE)).encode("latin-1")
    expected = says(grammar, line)
    records, c = parsed(grammar, line + b"\n")
    if expected is None:
        assert c.error in parse.REASONS and (c.line, c.position, records) == (0, 0, [])
    else:
        assert (c.error, c.line, c.position, records) == (0, 1, len(line) + 1, expected)


REFUSED = [
    (parse.LACKEY, "hello", parse.BAD_KIND),
    (parse.LACKEY, "I 04001000,3", parse.BAD_KIND),
    (parse.LACKEY, " X 10,4", parse.BAD_KIND),
    (parse.LACKEY, "==12 cut", parse.BAD_KIND),
    (parse.LACKEY, " L", parse.BAD_KIND),
    (parse.LACKEY, " L ,4", parse.BAD_HEX),
    (parse.LACKEY, " L 0x,4", parse.BAD_HEX),
    (parse.LACKEY, " L 10", parse.NO_SIZE),
    (parse.LACKEY, " L 10,4 5", parse.TRAILING),
    (parse.LACKEY, " L 10,", parse.BAD_SIZE),
    (parse.LACKEY, " S 10,0", parse.BAD_SIZE),
    (parse.LACKEY, " S 10,4097", parse.BAD_SIZE),
    (parse.LACKEY, " S 10,99999999999999999999999", parse.BAD_SIZE),
    (parse.LACKEY, " M 10,4 ", parse.TRAILING),
    (parse.LACKEY, " L 8000000000000000,1", parse.TOO_HIGH),
    (parse.LACKEY, " L 7fffffffffffffff,1", parse.TOO_HIGH),
    (parse.LACKEY, " L ffffffffffffffffffffffff,1", parse.TOO_HIGH),
    (parse.LACKEY, "", parse.EMPTY),
    (parse.DIN, "3 10", parse.BAD_LABEL),
    (parse.DIN, "4 0", parse.BAD_LABEL),
    (parse.DIN, "10", parse.BAD_KIND),
    (parse.DIN, "0", parse.BAD_KIND),
    (parse.DIN, "0 ", parse.BAD_HEX),
    (parse.DIN, "0 10,4", parse.BAD_HEX),
    (parse.DIN, "0 0x", parse.BAD_HEX),
    (parse.DIN, "1 0 0x38 1", parse.COLUMNS),
    (parse.XDIN, "m 10 4", parse.BAD_LABEL),
    (parse.XDIN, "c 10 4", parse.BAD_LABEL),
    (parse.XDIN, "v 10 4", parse.BAD_LABEL),
    (parse.XDIN, "r 10", parse.NO_SIZE),
    (parse.XDIN, "r 10 ", parse.NO_SIZE),
    (parse.XDIN, "r 10 1001", parse.BAD_SIZE),
    (parse.XDIN, "r 10 4,", parse.BAD_SIZE),
    (parse.XDIN, "r 10, 4", parse.BAD_HEX),
    (parse.XDIN, "r 10 4 1", parse.COLUMNS),
    (parse.DATA, "0 10 1", parse.COLUMNS),
    (parse.DATA, "2 80000000", parse.BAD_COMPUTE),
    (parse.DATA, "3 10", parse.BAD_LABEL),
    (parse.CORES, "P r 10", parse.BAD_CORE),
    (parse.CORES, "P65536 r 10", parse.BAD_CORE),
    (parse.CORES, "Q0 r 10", parse.BAD_CORE),
    (parse.CORES, "P0 x 10", parse.BAD_LABEL),
    (parse.CORES, "P0 r 10 4", parse.TRAILING),
    (parse.RW, "R 10 4", parse.TRAILING),
    (parse.RW, "R q", parse.BAD_HEX),
    (parse.RW, "i 10", parse.BAD_LABEL),
]


@pytest.mark.parametrize("grammar, line, reason", REFUSED)
def test_a_malformed_line_is_refused_for_the_right_reason(grammar, line, reason):
    assert parsed(grammar, line.encode() + b"\n")[1].error == reason


def test_the_kernel_stops_before_the_arrays_overflow_and_goes_on_where_it_stopped():
    text = b" M 40,8\n" * 5
    c = parse.new_cursor()
    c.end = len(text)
    arrays, filled = new_arrays(4), []
    while c.position < c.end:
        parse.parse(c, parse.LACKEY, np.frombuffer(bytearray(text), np.uint8), arrays)
        filled.append(int(c.records))
        c.records = 0
    assert (filled, c.line, c.modifies) == ([4, 4, 2], 5, 5)

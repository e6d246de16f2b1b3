"""Text to records: one pass over a buffer of whole lines, in machine code.

trace.py calls `parse` with a cursor, a buffer and three output arrays; `parse` reads lines until the text ends, the
arrays are full or a line is malformed, and leaves the cursor there, so the next call goes on where this one stopped.

    text      | I  04001000,3\\n L 1ffeffe7e0,8\\n M 0402d018,4\\n ... \\n|
                ^ position                                        end ^     text[end - 1] is a newline
    addresses | 1ffeffe7e0 | 0402d018 | 0402d018 |                          a modify is two records, the load first
    is_store  |     0      |    0     |    1     |

Each grammar is one function, `*_line(c, text, i)`: it reads the line that starts at `i`, puts kind, address and size
into the cursor and returns where the next line starts, or minus an error number. No character test accepts a newline
except the last one of a line, so no scan can leave the buffer and none needs a bound.

Invariant: `c.line` is the number of lines before `position`; a malformed line is line `c.line + 1` of the file.
Cost: a few nanoseconds a line.
Sources: Valgrind's lackey/lk_main.c; Dinero IV's dinfmt.c and xdinfmt.c.
"""
import numpy as np

from hwmem._jit import kernel

LACKEY, DIN, XDIN = 0, 1, 2                                # grammars
LOAD, STORE, MODIFY, FETCH, NOTHING = 0, 1, 2, 3, 4        # kinds of line; NOTHING: valgrind's own words

LARGEST_SIZE = 4096                                        # bytes of one reference; lackey's own limit is 512
DIN_SIZE = 4                                               # Dinero takes every din reference as one aligned word
BAD_KIND, BAD_HEX, TOO_HIGH, NO_SIZE, BAD_SIZE, TRAILING, BAD_LABEL, EMPTY = 1, 2, 3, 4, 5, 6, 7, 8
REASONS = {
    BAD_KIND: "not a line of this format",
    BAD_HEX: "the address is not a hexadecimal number",
    TOO_HIGH: "the reference does not end below 2^63",
    NO_SIZE: "no size follows the address",
    BAD_SIZE: f"the size is not a number from 1 to {LARGEST_SIZE}",
    TRAILING: "something follows the reference",
    BAD_LABEL: "neither a read, a write nor an instruction fetch",
    EMPTY: "the line is empty",
}

CURSOR = np.dtype([
    ("position", np.int64), ("end", np.int64),             # bytes of text done, and there
    ("line", np.int64),                                    # lines of the file done
    ("records", np.int64),                                 # output records filled
    ("fetches", np.int64), ("modifies", np.int64),         # seen since the file began
    ("error", np.int64),                                   # 0, or why line + 1 is malformed
    ("kind", np.int64), ("address", np.int64), ("length", np.int64),     # of the line just read ("size" is every numpy scalar's)
])

_NOT_A_DIGIT = 16
HEX = np.full(256, _NOT_A_DIGIT, np.int64)
for _value, _digits in enumerate("0 1 2 3 4 5 6 7 8 9 aA bB cC dD eE fF".split()):
    HEX[[ord(digit) for digit in _digits]] = _value

NEWLINE, RETURN, SPACE, TAB, COMMA = ord("\n"), ord("\r"), ord(" "), ord("\t"), ord(",")
EQUALS, MINUS, STAR = ord("="), ord("-"), ord("*")
LETTER_I, LETTER_L, LETTER_S, LETTER_M = ord("I"), ord("L"), ord("S"), ord("M")
LETTER_R, LETTER_W, LETTER_X = ord("R"), ord("W"), ord("X")
UPPER_CASE = 0xDF                                          # mask: a letter's capital
HIGHEST = 2**63 - 1


def new_cursor():
    """A cursor at the start of a file."""
    return np.zeros(1, CURSOR).view(np.recarray)[0]


@kernel
def parse(c, grammar, text, addresses, is_store, sizes):
    """Read lines from `c.position` to `c.end` into the arrays, from `c.records` on; stop early when they are full
    (fewer than two places are left) or a line is malformed (`c.error`)."""
    full = addresses.shape[0] - 1
    while c.position < c.end and c.records < full:
        if grammar == LACKEY:
            after = lackey_line(c, text, c.position)
        elif grammar == DIN:
            after = din_line(c, text, c.position)
        else:
            after = xdin_line(c, text, c.position)
        kind = c.kind
        if after >= 0 and kind <= MODIFY and c.address > HIGHEST - c.length:
            after = -TOO_HIGH
        if after < 0:
            c.error = -after
            return
        c.position = after
        c.line += 1
        if kind == FETCH:
            c.fetches += 1
        elif kind != NOTHING:
            n = c.records
            addresses[n], is_store[n], sizes[n] = c.address, kind == STORE, c.length
            if kind == MODIFY:
                c.modifies += 1
                n += 1
                addresses[n], is_store[n], sizes[n] = c.address, True, c.length
            c.records = n + 1


@kernel
def lackey_line(c, text, i):
    """`I  ADDRESS,SIZE` or ` L ADDRESS,SIZE` (also S, M); address hexadecimal, size decimal."""
    if text[i] == LETTER_I and text[i + 1] == SPACE:
        c.kind = FETCH
    elif text[i] != SPACE:
        return valgrinds_words(c, text, i)
    elif text[i + 1] == LETTER_L:
        c.kind = LOAD
    elif text[i + 1] == LETTER_S:
        c.kind = STORE
    elif text[i + 1] == LETTER_M:
        c.kind = MODIFY
    else:
        return -BAD_KIND
    if text[i + 2] != SPACE:
        return -BAD_KIND
    i = hex_address(c, text, i + 3)
    if i < 0:
        return i
    if text[i] != COMMA:
        return -NO_SIZE
    i += 1
    size = 0
    while HEX[text[i]] < 10 and size <= LARGEST_SIZE:
        size = size * 10 + HEX[text[i]]
        i += 1
    if size < 1 or size > LARGEST_SIZE:
        return -BAD_SIZE
    c.length = size
    return end_of_line(text, i)


@kernel
def valgrinds_words(c, text, i):
    """A line that starts with `==...==`, `--...--` or `**...**` is valgrind speaking, not the trace."""
    mark = text[i]
    if mark == NEWLINE:
        return -EMPTY
    if (mark != EQUALS and mark != MINUS and mark != STAR) or text[i + 1] != mark:
        return -BAD_KIND
    c.kind = NOTHING
    i += 2
    while text[i] != NEWLINE:
        if text[i] == mark and text[i + 1] == mark:
            return after_newline(text, i)
        i += 1
    return -BAD_KIND


@kernel
def din_line(c, text, i):
    """`LABEL ADDRESS`: label 0 read, 1 write, 2 instruction fetch; hexadecimal address; the rest is a comment."""
    i = skip_blanks(text, i)
    label = text[i]
    if label == NEWLINE or label == RETURN:
        return -EMPTY
    if not is_blank(text[i + 1]):
        return -BAD_KIND
    if HEX[label] > 2:
        return -BAD_LABEL
    c.kind = FETCH if HEX[label] == 2 else HEX[label]
    i = prefixed_hex(c, text, skip_blanks(text, i + 1))
    if i < 0:
        return i
    if not is_blank(text[i]) and text[i] != NEWLINE and text[i] != RETURN:
        return -BAD_HEX
    c.address &= -DIN_SIZE
    c.length = DIN_SIZE
    return after_newline(text, i)


@kernel
def xdin_line(c, text, i):
    """`TYPE ADDRESS SIZE`: type r, w or i; both numbers hexadecimal; the rest is a comment."""
    i = skip_blanks(text, i)
    if text[i] == NEWLINE or text[i] == RETURN:
        return -EMPTY
    letter = text[i] & UPPER_CASE
    if not is_blank(text[i + 1]):
        return -BAD_KIND
    if letter == LETTER_R:
        kind = LOAD
    elif letter == LETTER_W:
        kind = STORE
    elif letter == LETTER_I:
        kind = FETCH
    else:
        return -BAD_LABEL
    i = prefixed_hex(c, text, skip_blanks(text, i + 1))
    if i < 0:
        return i
    if not is_blank(text[i]):
        return -NO_SIZE if text[i] == NEWLINE or text[i] == RETURN else -BAD_HEX
    address = c.address
    i = skip_blanks(text, i)
    if text[i] == NEWLINE or text[i] == RETURN:
        return -NO_SIZE
    i = prefixed_hex(c, text, i)
    if i < 0 or c.address < 1 or c.address > LARGEST_SIZE:
        return -BAD_SIZE
    if not is_blank(text[i]) and text[i] != NEWLINE and text[i] != RETURN:
        return -BAD_SIZE
    c.kind, c.address, c.length = kind, address, c.address
    return after_newline(text, i)


@kernel
def prefixed_hex(c, text, i):
    """`hex_address` with Dinero's optional `0x`."""
    if HEX[text[i]] == 0 and text[i + 1] & UPPER_CASE == LETTER_X:
        return hex_address(c, text, i + 2)
    return hex_address(c, text, i)


@kernel
def hex_address(c, text, i):
    """Read the hexadecimal number at `i` into `c.address`; the index of the first character after it."""
    start = i
    value = 0
    digit = HEX[text[i]]
    while digit != _NOT_A_DIGIT:
        if value >> 59:
            return -TOO_HIGH
        value = value << 4 | digit
        i += 1
        digit = HEX[text[i]]
    if i == start:
        return -BAD_HEX
    c.address = value
    return i


@kernel
def end_of_line(text, i):
    """The index after the line end that must be at `i`: a newline, or a carriage return and a newline."""
    if text[i] == RETURN:
        i += 1
    return i + 1 if text[i] == NEWLINE else -TRAILING


@kernel
def after_newline(text, i):
    while text[i] != NEWLINE:
        i += 1
    return i + 1


@kernel
def skip_blanks(text, i):
    while is_blank(text[i]):
        i += 1
    return i


@kernel
def is_blank(character):
    return character == SPACE or character == TAB

"""Text to records: one pass over a buffer of whole lines, in machine code.

trace.py calls `parse` with a cursor, a buffer and the output arrays; `parse` reads lines until the text ends, the
arrays are full or a line is malformed, and leaves the cursor there, so the next call goes on where this one stopped.

    text      | I  04001000,3\\n L 1ffeffe7e0,8\\n M 0402d018,4\\n ... \\n|
                ^ position                                        end ^     text[end - 1] is a newline
    addresses | 1ffeffe7e0 | 0402d018 | 0402d018 |                          a modify is two records, the load first
    is_store  |     0      |    0     |    1     |
    thread, compute, instruction                                            who; cycles before it; the fetch before it

Each grammar is one function, `*_line(c, text, i)`: it reads the line that starts at `i`, puts kind, address and size
into the cursor and returns where the next line starts, or minus an error number. No character test accepts a newline
except the last one of a line, so no scan can leave the buffer and none needs a bound. A column that a grammar does not
have is refused, where it is a number also in what is else a comment: it would mean something.

Invariant: `c.line` is the number of lines before `position`; a malformed line is line `c.line + 1` of the file.
Cost: a few nanoseconds a line.
Sources: Valgrind's lackey/lk_main.c; Dinero IV's dinfmt.c and xdinfmt.c; the others are those of courses and their simulators.
"""

import numpy as np

from hwmem._jit import apart, cold, hot, kernel

LACKEY, DIN, XDIN, DATA, CORES, RW, MEMTRACE = range(7)  # grammars
LOAD, STORE, MODIFY, FETCH, NOTHING, COMPUTE = range(6)  # kinds of line; NOTHING: valgrind's own words, an empty line

LARGEST_SIZE = 4096  # bytes of one reference; lackey's own limit is 512
WORD_SIZE = 4  # Dinero takes every din reference as one aligned word; so where no size is said
MOST_COMPUTE = 2**31 - 1  # cycles before one reference
MOST_CORES = 1 << 16
BAD_KIND, BAD_HEX, TOO_HIGH, NO_SIZE, BAD_SIZE, TRAILING, BAD_LABEL, EMPTY, COLUMNS, BAD_COMPUTE, BAD_CORE, BEYOND = range(1, 13)
REASONS = {
    BAD_KIND: "not a line of this format",
    BAD_HEX: "the address is not a hexadecimal number",
    TOO_HIGH: "the reference does not end below 2^63",
    NO_SIZE: "no size follows the address",
    BAD_SIZE: f"the size is not a number from 1 to {LARGEST_SIZE}",
    TRAILING: "something follows the reference",
    BAD_LABEL: "neither a read, a write nor an instruction fetch",
    EMPTY: "the line is empty",
    COLUMNS: "a number follows the reference: a column that this format does not have",
    BAD_COMPUTE: f"not a number of cycles, or more than {MOST_COMPUTE} before one reference",
    BAD_CORE: f"the core is not P and a number below {MOST_CORES}",
    BEYOND: "the reference does not end in user space, which ends at {end:#x}; without an MMU (--with mmu=false) it is replayed",
}

CURSOR = np.dtype(
    [
        ("position", np.int64),
        ("end", np.int64),  # bytes of text done, and there
        ("line", np.int64),  # lines of the file done
        ("records", np.int64),  # output records filled
        ("fetches", np.int64),
        ("modifies", np.int64),  # seen since the file began
        ("error", np.int64),  # 0, or why line + 1 is malformed
        ("kind", np.int64),
        ("address", np.int64),
        ("length", np.int64),  # of the line just read ("size" is every numpy scalar's)
        ("thread", np.int64),  # who does it
        ("compute", np.int64),  # cycles since the last reference
        ("instruction", np.int64),  # address of the last fetch
        ("highest", np.int64),  # where a reference has ended
    ]
)

_NOT_A_DIGIT = 16
HEX = np.full(256, _NOT_A_DIGIT, np.int64)
for _value, _digits in enumerate("0 1 2 3 4 5 6 7 8 9 aA bB cC dD eE fF".split()):
    HEX[[ord(digit) for digit in _digits]] = _value

NEWLINE, RETURN, SPACE, TAB, COMMA = ord("\n"), ord("\r"), ord(" "), ord("\t"), ord(",")
EQUALS, MINUS, STAR = ord("="), ord("-"), ord("*")
LETTER_I, LETTER_L, LETTER_S, LETTER_M = ord("I"), ord("L"), ord("S"), ord("M")
LETTER_R, LETTER_W, LETTER_X, LETTER_P, LETTER_F = ord("R"), ord("W"), ord("X"), ord("P"), ord("F")
COLON = ord(":")
UPPER_CASE = 0xDF  # mask: a letter's capital
HIGHEST = 2**63 - 1


def new_cursor(highest=HIGHEST):
    """A cursor at the start of a file, whose references end at `highest` or before."""
    c = np.zeros(1, CURSOR).view(np.recarray)[0]
    c.highest = highest
    return c


@kernel
def parse(c, grammar, text, records):
    """Read lines from `c.position` to `c.end` into the arrays, from `c.records` on; stop early when they are full
    (fewer than two places are left) or a line is malformed (`c.error`).

    `records`: addresses, is_store, sizes, thread, compute, instruction; thread and compute are zeros where a grammar has
    none, and an empty array of instructions is not filled.
    """
    if grammar == LACKEY:
        read_lines(c, LACKEY, text, records)
    elif grammar == DIN:
        read_lines(c, DIN, text, records)
    else:
        read_lines(c, grammar, text, records)


@hot
def read_lines(c, grammar, text, records):
    """`parse`, in machine code of its own for each grammar that its callers name."""
    addresses, is_store, sizes, thread, compute, instruction = records
    full, located = addresses.shape[0] - 1, instruction.shape[0] > 0
    while c.position < c.end and c.records < full:
        if grammar == LACKEY:
            after = lackey_line(c, text, c.position)
        else:
            start = skip_blanks(text, c.position)
            after = label_line(c, DIN, text, start) if grammar == DIN else other_line(c, grammar, text, start)
            if after < 0:
                after = empty_line(c, text, start, after)
        kind = c.kind
        if after >= 0 and kind <= MODIFY and c.address > c.highest - c.length:
            after = -TOO_HIGH if c.address > HIGHEST - c.length else -BEYOND
        if after < 0:
            c.error = -after
            return
        c.position = after
        c.line += 1
        if kind == FETCH:
            c.fetches += 1
            c.instruction = c.address
        elif kind <= MODIFY:
            n = c.records
            addresses[n], is_store[n], sizes[n] = c.address, kind == STORE, c.length
            if grammar >= DATA:
                thread[n], compute[n] = c.thread, c.compute
                c.compute = 0
            if located:
                instruction[n] = c.instruction
                instruction[n + 1] = c.instruction
            if kind == MODIFY:
                c.modifies += 1
                n += 1
                addresses[n], is_store[n], sizes[n] = c.address, True, c.length
            c.records = n + 1


@cold
def empty_line(c, text, i, error):
    """The index after a line that says nothing; the error of any other."""
    if end_of_line(text, i) < 0:
        return error
    c.kind = NOTHING
    return end_of_line(text, i)


@apart
def other_line(c, grammar, text, i):
    """A line, from its first character on, of a grammar that is neither lackey's nor din."""
    if grammar == XDIN:
        return xdin_line(c, text, i)
    if grammar == DATA:
        return label_line(c, DATA, text, i)
    if grammar == MEMTRACE:
        return memtrace_line(c, text, i)
    return core_line(c, text, i) if grammar == CORES else rw_line(c, text, i)


@kernel
def memtrace_line(c, text, i):
    """`0xADDRESS: SIZE, r` (also w, or an instruction's name: a fetch), or `0xINSTRUCTION,r,SIZE,0xADDRESS`; a line `Format: ...` says which."""
    if text[i] & UPPER_CASE == LETTER_F and HEX[text[i + 1]] == _NOT_A_DIGIT:
        c.kind = NOTHING
        return after_newline(text, i)
    i = prefixed_hex(c, text, i)
    if i < 0:
        return i
    if text[i] == COLON:
        i = decimal_size(c, text, skip_blanks(text, i + 1))
        if i < 0 or text[i] != COMMA:
            return -BAD_SIZE
        i = skip_blanks(text, i + 1)
        if ends(text, i):
            return -BAD_LABEL
        letter = text[i] & UPPER_CASE
        alone = ends(text, i + 1)
        c.kind = LOAD if alone and letter == LETTER_R else STORE if alone and letter == LETTER_W else FETCH
        return end_of_line(text, i + 1) if alone else after_newline(text, i)
    if text[i] != COMMA:
        return -BAD_HEX
    c.instruction = c.address
    letter = text[i + 1] & UPPER_CASE
    if (letter != LETTER_R and letter != LETTER_W) or text[i + 2] != COMMA:
        return -BAD_LABEL
    i = decimal_size(c, text, i + 3)
    if i < 0 or text[i] != COMMA:
        return -BAD_SIZE
    i = prefixed_hex(c, text, i + 1)
    if i < 0:
        return i
    c.kind = STORE if letter == LETTER_W else LOAD
    return end_of_line(text, i)


@kernel
def decimal_size(c, text, i):
    """Read the size at `i` into `c.length`; the index of the first character after it."""
    size = 0
    while HEX[text[i]] < 10 and size <= LARGEST_SIZE:
        size = size * 10 + HEX[text[i]]
        i += 1
    c.length = size
    return i if 1 <= size <= LARGEST_SIZE else -BAD_SIZE


@kernel
def lackey_line(c, text, i):
    """`I  ADDRESS,SIZE` or ` L ADDRESS,SIZE` (also S, M); address hexadecimal, `0x` allowed, size decimal."""
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
    i = prefixed_hex(c, text, i + 3)
    if i < 0:
        return i
    if text[i] != COMMA:
        return -NO_SIZE
    i = decimal_size(c, text, i + 1)
    return end_of_line(text, i) if i >= 0 else i


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


@hot
def label_line(c, grammar, text, i):
    """`LABEL VALUE`: label 0 read, 1 write of the hexadecimal address; 2: din: an instruction fetch from there, data: so many
    cycles without a reference, hexadecimal too. The rest is a comment."""
    label = HEX[text[i]]
    if label > 2:
        return -BAD_LABEL if ends(text, i) or is_blank(text[i + 1]) else -BAD_KIND
    if not is_blank(text[i + 1]):
        return -BAD_KIND
    i = prefixed_hex(c, text, skip_blanks(text, i + 1))
    if i >= 0 and not is_blank(text[i]) and not ends(text, i):
        i = -BAD_HEX
    if i < 0:
        return -BAD_COMPUTE if label == 2 and grammar == DATA else i
    if label == 2 and grammar == DATA:
        c.kind = COMPUTE
        if c.address > MOST_COMPUTE - c.compute:
            return -BAD_COMPUTE
        c.compute += c.address
    elif label == 2:
        c.kind = FETCH
    else:
        c.kind = label
        whole_word(c)
    return after_comment(text, i)


@kernel
def rw_line(c, text, i):
    """`R ADDRESS` or `W ADDRESS`, hexadecimal."""
    letter = text[i] & UPPER_CASE
    if letter != LETTER_R and letter != LETTER_W:
        return -BAD_LABEL
    if not is_blank(text[i + 1]):
        return -BAD_KIND
    c.kind = STORE if letter == LETTER_W else LOAD
    i = prefixed_hex(c, text, skip_blanks(text, i + 1))
    if i < 0:
        return i
    if not is_blank(text[i]) and not ends(text, i):
        return -BAD_HEX
    whole_word(c)
    return end_of_line(text, skip_blanks(text, i))


@kernel
def core_line(c, text, i):
    """`P0 r ADDRESS`: the core, then what rw_line reads."""
    if text[i] & UPPER_CASE != LETTER_P:
        return -BAD_CORE
    i += 1
    first, number = i, 0
    while HEX[text[i]] < 10 and number < MOST_CORES:
        number = number * 10 + HEX[text[i]]
        i += 1
    if i == first or number >= MOST_CORES or not is_blank(text[i]):
        return -BAD_CORE
    c.thread = number
    return rw_line(c, text, skip_blanks(text, i))


@kernel
def whole_word(c):
    """Where no size is said, a reference is the aligned word at the address."""
    c.address &= -WORD_SIZE
    c.length = WORD_SIZE


@kernel
def xdin_line(c, text, i):
    """`TYPE ADDRESS SIZE`: type r, w or i; both numbers hexadecimal; the rest is a comment."""
    letter = text[i] & UPPER_CASE
    if ends(text, i) or not is_blank(text[i + 1]):
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
        return -NO_SIZE if ends(text, i) else -BAD_HEX
    address = c.address
    i = skip_blanks(text, i)
    if ends(text, i):
        return -NO_SIZE
    i = prefixed_hex(c, text, i)
    if i < 0 or c.address < 1 or c.address > LARGEST_SIZE:
        return -BAD_SIZE
    if not is_blank(text[i]) and not ends(text, i):
        return -BAD_SIZE
    c.kind, c.address, c.length = kind, address, c.address
    return after_comment(text, i)


@hot
def prefixed_hex(c, text, i):
    """`hex_address` with an optional `0x`."""
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


@hot
def after_comment(text, i):
    """The index after the line; what follows the reference at `i` is a comment, unless it begins as a number does."""
    if text[i] == NEWLINE:
        return i + 1
    return -COLUMNS if HEX[text[skip_blanks(text, i)]] < 10 else after_newline(text, i)


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
def ends(text, i):
    """Whether the line ends at `i`."""
    return text[i] == NEWLINE or text[i] == RETURN


@kernel
def is_blank(character):
    return character == SPACE or character == TAB

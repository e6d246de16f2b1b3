"""Colour in terminal output: little of it, and never the only carrier of information.

    the bytes of a line    each in its thread's colour              bars       quiet
    "false" of a line      as what is wrong                         a verdict  bold

Text is laid out first and coloured last, after names have lost whatever a terminal would obey (printable.py), so that colours never
move a column. None where stdout is no terminal, where TERM is "dumb", or where NO_COLOR is set to something (no-color.org).
"""

import os
import re
import string

WRONG, STRONG, QUIET, PLAIN = "\x1b[31m", "\x1b[1m", "\x1b[36m", "\x1b[0m"
THREADS = [f"\x1b[{code}m" for code in (34, 31, 32, 35, 33, 36)]
LETTERS = string.digits + string.ascii_lowercase + string.ascii_uppercase
BYTES = re.compile(r"^(\s*(?:0x[0-9a-f]+)?  )([0-9a-zA-Z.#+]{64})$", re.M)
LINE = re.compile(r"^(0x[0-9a-f]+  .*?)(  )(false|both)(  .*)$", re.M)
BARS = re.compile("█+")
VERDICT = re.compile(r"^(\d+% of the HITMs are false sharing|True sharing|With \S+ the program runs).*$", re.M)


def wanted(stream):
    """Whether `stream` is to have colours."""
    return bool(stream and stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb")


def coloured(text):
    """The text with escape sequences; without those it is as it was."""
    text = BYTES.sub(lambda found: found[1] + byte_map(found[2]), text)
    text = LINE.sub(lambda found: f"{found[1]}{found[2]}{WRONG}{found[3]}{PLAIN}{found[4]}", text)
    text = BARS.sub(lambda found: f"{QUIET}{found[0]}{PLAIN}", text)
    return VERDICT.sub(lambda found: f"{STRONG}{found[0]}{PLAIN}", text)


def byte_map(letters):
    runs = re.findall(r"((.)\2*)", letters)
    return "".join(f"{THREADS[LETTERS.index(c) % len(THREADS)]}{run}{PLAIN}" if c in LETTERS else run for run, c in runs)

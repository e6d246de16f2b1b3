"""Text for a terminal: names come from files, and files are untrusted."""

import re

# What a terminal obeys (C0 and C1 controls but line ends and tabs, writing directions), what ends a line elsewhere (U+2028, U+2029), and what
# no stream can encode
HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text):
    """The text with all that spelt out: ESC is \\x1b."""
    return HARMFUL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def one_line(text):
    """The same on one line: a name may have line ends, too."""
    return printable(text).replace("\n", "\\n")

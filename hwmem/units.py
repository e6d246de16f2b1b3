"""Sizes in bytes: parsed from and printed as KiB, MiB and so on.

    "32KiB" -> 32768        "1.25MiB" -> 1310720        "64K" -> 65536        512 -> 512

Only powers of 1024: KiB, MiB, GiB, TiB, or K, M, G, T as Linux reads them (`memparse`). "KB" is refused, since it
means 1000 to some and 1024 to others. A fraction is taken if it is a whole number of bytes.
"""

import re
from fractions import Fraction
from numbers import Integral

UNITS = {
    "": 1,
    "B": 1,
    "K": 1 << 10,
    "KiB": 1 << 10,
    "M": 1 << 20,
    "MiB": 1 << 20,
    "G": 1 << 30,
    "GiB": 1 << 30,
    "T": 1 << 40,
    "TiB": 1 << 40,
}
FORMATS = ("TiB", "GiB", "MiB", "KiB")
FORM = re.compile(r"([0-9][0-9_]{0,30}(?:\.[0-9]{1,20})?) ?([A-Za-z]*)")
EXAMPLE = 'bytes, such as 4096, "32KiB" or "4GiB"'


def parse_size(value, name="size"):
    """Bytes (int) of a size given as an int or a string.

    `name` is what messages call it. Raises TypeError for other types, ValueError for a string that is no size, for a
    negative number, and for a fraction of a byte.
    """
    if isinstance(value, Integral) and not isinstance(value, bool):
        if value < 0:
            raise ValueError(f"{name} must be {EXAMPLE}, not {int(value)}")
        return int(value)
    if not isinstance(value, str):
        raise TypeError(f"{name} must be {EXAMPLE}, not {value!r:.60}")
    match = FORM.fullmatch(value.strip())
    if not match or match[2] not in UNITS or "__" in match[1] or match[1].endswith("_"):
        raise ValueError(f"{name} must be {EXAMPLE}, not {value!r:.60}")
    size = Fraction(match[1].replace("_", "")) * UNITS[match[2]]
    if size.denominator != 1:
        raise ValueError(f"{name} must be a whole number of bytes, not {value!r:.60}")
    return int(size)


def format_size(size):
    """The shortest exact spelling of `size` bytes: 32768 -> "32KiB", 1000 -> "1000B"; parse_size reads it back."""
    for suffix in FORMATS:
        if size and size % UNITS[suffix] == 0:
            return f"{size // UNITS[suffix]}{suffix}"
    return f"{size}B"

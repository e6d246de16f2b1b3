"""Constant expressions: exact integers, exact fractions, byte strings, as the language defines them.

A value is an int (also for runes), a Fraction, a complex, bytes (a string's UTF-8) or a bool.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from goalloc.escape import types as T
from goalloc.escape.types import Type

ESCAPES = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "\\": 92, "'": 39, '"': 34}


def literal(lit: str, text: str) -> tuple[Type, Any]:
    """The type and value of a literal, by tree-sitter's name of its kind."""
    if lit == "int_literal":
        return T.BASIC["untyped int"], _int(text)
    if lit == "float_literal":
        return T.BASIC["untyped float"], _float(text)
    if lit == "imaginary_literal":
        number = text[:-1]
        whole = number[:2].lower() in ("0b", "0o") or (number[:2].lower() == "0x" and "p" not in number.lower() and "." not in number)
        return T.BASIC["untyped complex"], complex(0, float(_int(number) if whole else _float(number)))
    if lit == "rune_literal":
        return T.BASIC["untyped rune"], _unquote(text[1:-1], rune=True)
    if lit == "raw_string_literal":
        return T.BASIC["untyped string"], text[1:-1].replace("\r", "").encode()
    return T.BASIC["untyped string"], _unquote(text[1:-1], rune=False)


def _int(text: str) -> int:
    text = text.replace("_", "")
    if len(text) > 1 and text[0] == "0" and text[1] in "01234567":
        return int(text, 8)
    return int(text, 0)


def _float(text: str) -> Fraction:
    text = text.replace("_", "").lower()
    if abs(int(text.partition("p" if text.startswith("0x") else "e")[2] or "0")) > MOST_EXPONENT:
        raise OverflowError
    if not text.startswith("0x"):
        return Fraction(text)
    mantissa, _, exponent = text[2:].partition("p")
    whole, _, part = mantissa.partition(".")
    return Fraction(int(whole + part or "0", 16)) * Fraction(16) ** -len(part) * Fraction(2) ** int(exponent or "0")


def _unquote(body: str, rune: bool) -> Any:
    out = bytearray()
    i = 0
    while i < len(body):
        c = body[i]
        if c != "\\":
            if rune:
                return ord(c)
            out += c.encode()
            i += 1
            continue
        e = body[i + 1]
        if e in ESCAPES:
            code, i, raw = ESCAPES[e], i + 2, True
        elif e in "uUx":
            n = {"x": 2, "u": 4, "U": 8}[e]
            code, i, raw = int(body[i + 2 : i + 2 + n], 16), i + 2 + n, e == "x"
        else:
            code, i, raw = int(body[i + 1 : i + 4], 8), i + 4, True
        if rune:
            return code
        out += bytes([code]) if raw else chr(code).encode()
    return bytes(out)


def text_of(value: int) -> bytes:
    """string(rune): the code point's UTF-8; U+FFFD for what is none."""
    if 0 <= value < 0x110000 and not 0xD800 <= value < 0xE000:
        return chr(value).encode()
    return "\ufffd".encode()


def fits(value: Any, t: Type) -> Any:
    """The value as type t holds it (rounded for floats), or None where t cannot hold it."""
    if T.is_integer(t):
        if isinstance(value, complex) and value.imag == 0:
            value = Fraction(value.real)
        if isinstance(value, Fraction) and value.denominator == 1:
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            return None
        if T.is_untyped(t):
            return value
        bits = 8 * T.size(t)
        low, high = (0, 1 << bits) if T.is_unsigned(t) else (-(1 << bits - 1), 1 << bits - 1)
        return value if low <= value < high else None
    if T.is_float(t):
        if isinstance(value, complex) and value.imag == 0:
            value = value.real
        return Fraction(value) if isinstance(value, (int, Fraction, float)) and not isinstance(value, bool) else None
    if T.is_complex(t):
        return complex(value) if isinstance(value, (int, Fraction, float, complex)) and not isinstance(value, bool) else None
    if T.is_string(t):
        return value if isinstance(value, bytes) else None
    if T.is_boolean(t):
        return value if isinstance(value, bool) else None
    if T.kind(t) == "unsafe.Pointer":
        return None
    return None


def wrap(value: Any, t: Type) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) and T.is_unsigned(t):
        return value & ((1 << 8 * T.size(t)) - 1)
    return value


def unary(op: str, value: Any, t: Type) -> Any:
    if op == "+":
        return value
    if op == "-":
        return wrap(-value, t)
    if op == "!":
        return not value
    return wrap(~value, t)


COMPARE = {
    "==": lambda a, b: a == b, "!=": lambda a, b: a != b, "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
}  # fmt: skip


def binary(op: str, a: Any, b: Any, integers: bool) -> Any:
    """a op b for operands of one kind; None where the compiler would report an error (division by zero)."""
    if op in COMPARE:
        return COMPARE[op](a, b)
    if op in ("&&", "||"):
        return (a and b) if op == "&&" else (a or b)
    if op == "+":
        return a + b
    if op == "-":
        return a - b
    if op == "*":
        return a * b
    if op in ("/", "%"):
        if b == 0:
            return None
        if not integers:
            return Fraction(a) / Fraction(b) if not isinstance(a, complex) and not isinstance(b, complex) else a / b
        q = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
        return q if op == "/" else a - q * b
    return {"&": lambda: a & b, "|": lambda: a | b, "^": lambda: a ^ b, "&^": lambda: a & ~b}[op]()


def shift(op: str, a: int, n: int) -> int:
    return a << n if op == "<<" else a >> n


MOST_EXPONENT = 5000
RANK = {"untyped int": 1, "untyped rune": 2, "untyped float": 3, "untyped complex": 4}

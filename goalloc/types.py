"""Types of the emulated program: sizes, alignments and which words are pointers. As Go lays structs out.

    Node = struct("Node", left=pointer, right=pointer, key=int64)
    Node.size 24, Node.ptrdata 16, Node.offsets {"left": 0, "right": 8, "key": 16}, Node.pointers (0, 8)

`ptrdata` is the length of the prefix that can hold pointers. Go: reflect and cmd/compile types, internal/abi Type.
"""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Type:
    """Size and alignment in bytes; `pointers`: offsets of the words that are pointers; `offsets`: of a struct's fields."""

    name: str
    size: int
    align: int
    pointers: tuple = ()
    offsets: dict = field(default_factory=dict, compare=False)

    @property
    def ptrdata(self):
        """Bytes up to the end of the last pointer: what the collector may have to scan."""
        return self.pointers[-1] + 8 if self.pointers else 0

    def mask(self):
        """The pointer mask: a bit a word of the prefix, padded to whole words."""
        bits = sum(1 << offset // 8 for offset in self.pointers)
        return bits.to_bytes(max(-(-self.ptrdata // 512), 1) * 8, "little")


bool_, uint8 = Type("bool", 1, 1), Type("uint8", 1, 1)
int16, int32, float32 = Type("int16", 2, 2), Type("int32", 4, 4), Type("float32", 4, 4)
int64, uint64, uintptr, float64 = (Type(name, 8, 8) for name in ("int64", "uint64", "uintptr", "float64"))
pointer = Type("pointer", 8, 8, (0,))
string = Type("string", 16, 8, (0,))
interface = Type("interface", 16, 8, (0, 8))
slice_of = Type("slice", 24, 8, (0,))
MOST_POINTERS = 1 << 23  # whose mask takes a MiB of the program's data
FLOATS = {float32: "<f4", float64: "<f8"}


def array(element, n):
    """[n]element. Raises TypeError, ValueError."""
    check_type(element)
    if isinstance(n, bool) or not isinstance(n, int) or n < 0:
        raise ValueError(f"n: takes a count, got {n!r}")
    if n * len(element.pointers) > MOST_POINTERS:
        raise ValueError(f"n: takes fewer elements of {element.name}: a type has at most {MOST_POINTERS:,} pointers, got {n}")
    pointers = tuple(i * element.size + offset for i in range(n if element.pointers else 0) for offset in element.pointers)
    return Type(f"[{n}]{element.name}", n * element.size, element.align, pointers)


def struct(name, /, **fields):
    """A struct type of the given fields, in order. Raises TypeError for a field that is no type."""
    at, align, pointers, offsets = 0, 1, [], {}
    for label, of in fields.items():
        check_type(of, f"{name}.{label}")
        at = -(-at // of.align) * of.align
        offsets[label] = at
        pointers += [at + offset for offset in of.pointers]
        at += of.size
        align = max(align, of.align)
    if at and of.size == 0:
        at += 1  # a pointer to the last field points into the struct
    return Type(name, -(-at // align) * align, align, tuple(pointers), offsets)


def encode(of, value):
    """The bytes of a value of a type: of an int, modulo the type's size and as the first word of a larger type; of a float; of a
    tuple of words; or bytes as they are. Raises TypeError, ValueError."""
    if isinstance(value, (bytes, bytearray)) and len(value) == of.size:
        return bytes(value)
    if isinstance(value, tuple) and 8 * len(value) <= of.size:
        return b"".join(encode(uint64, word) for word in value).ljust(of.size, b"\0")
    if isinstance(value, float) and of in FLOATS:
        return np.array(value, FLOATS[of]).tobytes()
    if isinstance(value, (int, np.integer)):
        size = min(of.size, 8)
        return (int(value) & (1 << 8 * size) - 1).to_bytes(size, "little").ljust(of.size, b"\0")
    raise TypeError(f"value: {value!r:.60} is none of {of.name}")


def check_type(of, what="type"):
    if not isinstance(of, Type):
        raise TypeError(f"{what}: takes a goalloc type such as goalloc.int64 or goalloc.struct(...), not {type(of).__name__}")

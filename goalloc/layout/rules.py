"""Go's rules for laying out a struct, on linux/amd64: the namespaces of offsets come from Go's own declarations.

    mSpanList = struct("mSpanList", "first, last *mspan")       mSpanList.first 0, mSpanList.last 8, mSpanList.sizeof 16

A field begins at the next multiple of its type's alignment, the struct ends at a multiple of the largest one, and a struct
whose last field has no size gets a byte more, so that a pointer to that field stays inside. An array's length is a number or
a constant of Go's. A field that is only a type is embedded. Types are declared before they are used by value. Fields
without a name or size are laid out, and kernels do not see them. Go: cmd/compile/internal/types size.go.
"""
import re
from types import ModuleType
from typing import NamedTuple

from goalloc import constants, params


class Layout(NamedTuple):
    """Of a type: bytes, alignment, and a struct's fields as (name, offset, size, type)."""

    size: int
    align: int
    fields: tuple = ()


SCALARS = {1: "bool uint8 int8 byte", 2: "uint16 int16", 4: "uint32 int32 float32", 8: "uint64 int64 uintptr int uint float64 unsafe.Pointer func"}
TYPES = {name: Layout(size, size) for size, names in SCALARS.items() for name in names.split()}
TYPES |= {name: Layout(0, 1) for name in ("NotInHeap", "lockRankStruct", "dlogPerM", "pageTraceBuf")}      # empty in this build
TYPES |= {"string": Layout(16, 8), "interface{}": Layout(16, 8), "CacheLinePad": Layout(params.cacheLineSize, 1)}


def named(of, names):
    """Types that are another one under new names: `atomic.Uint32`, `spanClass`."""
    for name in names.split():
        TYPES[name] = layout_of(of)


def layout_of(of):
    """The layout of a type as Go writes it. Raises KeyError for one that has not been declared."""
    if of.startswith(("*", "func", "map[")):
        return TYPES["uintptr"]
    if of.startswith("[]"):
        return Layout(24, 8)
    array = re.fullmatch(r"\[(\w+)\](.+)", of)
    if array:
        element = layout_of(array[2])
        return Layout(length(array[1]) * element.size, element.align)
    return TYPES[of]


def length(word):
    return int(word) if word.isdigit() else vars(params).get(word) or getattr(constants, word)


def align_up(n, align):
    return -(-n // align) * align


def fields_of(text):
    """(name, type) of every field that `text` declares, in order."""
    for line in filter(None, map(str.strip, re.split("[;\n]", text))):
        names, of = re.fullmatch(r"(?:((?:\w+, )*\w+) )?(\S+)", line).groups()
        for name in (names or of).split(", "):
            yield name, of


def struct(name, text):
    """Declare a struct; its namespace of offsets, which kernels see as constants."""
    at, align, fields = 0, 1, []
    for field, of in fields_of(text):
        size, field_align, _ = layout_of(of)
        at = align_up(at, field_align)
        fields.append((field, at, size, of))
        at, align = at + size, max(align, field_align)
    if at and fields[-1][2] == 0:
        at += 1
    TYPES[name] = Layout(align_up(at, align), align, tuple(fields))
    return namespace(name, TYPES[name].size, {field: offset for field, offset, size, _ in fields if size and field != "_"})


def namespace(name, sizeof, offsets):
    space = ModuleType(f"goalloc.layout.{name}")
    vars(space).update(offsets, sizeof=sizeof)
    return space


def sizes_of(name):
    """{field: bytes} of a declared struct."""
    return {field: size for field, _, size, _ in TYPES[name].fields}


NOT_IN_HEAP = {"notInHeap", "mlink", "stackObjectBuf", "checkmarksMap"}        # and every struct with such a field


def pointer_words(of, at=0):
    """Offsets of the words of a type, beginning at `at`, that the collector takes for pointers: not those to what never lies in the
    heap. Go: cmd/compile/internal/types HasPointers, reflectdata dgcptrmask."""
    if of.startswith("*"):
        outside = of[1:] in NOT_IN_HEAP or any(kind == "NotInHeap" for *_, kind in TYPES.get(of[1:], Layout(0, 1)).fields)
        return () if outside else (at,)
    if of == "interface{}":
        return at, at + 8
    if of.startswith(("[]", "func", "map[")) or of in ("string", "unsafe.Pointer"):
        return (at,)
    array = re.fullmatch(r"\[(\w+)\](.+)", of)
    if array:
        size = layout_of(array[2]).size
        return tuple(word for i in range(length(array[1])) for word in pointer_words(array[2], at + i * size))
    return tuple(word for _, offset, _, kind in TYPES[of].fields for word in pointer_words(kind, at + offset))


named("uint8", "atomic.Uint8 atomic.Bool")
named("uint32", "atomic.Int32 atomic.Uint32")
named("uintptr", "guintptr muintptr puintptr")
named("uint64", "atomic.Int64 atomic.Uint64 atomic.Float64 atomic.Uintptr atomic.UnsafePointer")

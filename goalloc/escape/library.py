"""The library packages that a program may import: names, types, tags and inlining, from a table that the real toolchain made.

library.json.gz holds, for each package of Go 1.21's library that it covers, what the package exports and the types that this
reaches. A function has `tags` (how each parameter leaks, receiver first; null: to the heap), and where the compiler inlines
it `cost` and `body`, the flows that its body adds to its caller's graph (summary.py); no code of the library is in it.
tests/escape/library/make.py makes the table.
"""

from __future__ import annotations

import gzip
import json
from functools import cache
from importlib.resources import files
from typing import Any

from goalloc.escape import types as T
from goalloc.escape.leaks import RESULTS, Leaks, to_heap
from goalloc.escape.objects import Builtin, Const, Func, Obj, TypeName, Var
from goalloc.escape.tree import Refused
from goalloc.escape.types import Field, Named, Type
from goalloc.escape.values import decode_value


@cache
def table() -> dict[str, Any]:
    data = files("goalloc.escape").joinpath("library.json.gz").read_bytes()
    return json.loads(gzip.decompress(data))


class Generic(Exception):
    """A type that is or uses a generic one."""


class Package:
    """One package's names, made into objects on demand."""

    def __init__(self, library: Library, path: str, entry: dict[str, Any]) -> None:
        self.library, self.path, self.entry = library, path, entry
        self.name: str = entry["name"]
        self.names: dict[str, Obj | None] = {}

    def find(self, name: str) -> Obj | None:
        if name not in self.names:
            try:
                self.names[name] = self.make(name)
            except Generic:
                self.names[name] = None
        return self.names[name]

    def all(self) -> dict[str, Obj]:
        """Every exported name."""
        names = [n for kind in ("types", "funcs", "vars", "consts") for n in self.entry[kind] if n[0].isupper()]
        return {n: obj for n in names if (obj := self.find(n)) is not None}

    def make(self, name: str) -> Obj | None:
        e, lib = self.entry, self.library
        if name in e["types"]:
            t = lib.named(f"{self.path}.{name}")
            try:
                T.size(t)
            except Refused:
                raise Generic from None
            return TypeName(name, (0, 0), t)
        if name in e["funcs"]:
            return self.function(name, e["funcs"][name], None)
        if name in e["vars"]:
            return Var(name, (0, 0), lib.type(e["vars"][name]), is_global=True, pkg=self.name)
        if name in e["consts"]:
            t, v = e["consts"][name]
            typ = lib.type(t)
            return Const(name, (0, 0), typ, decode_value(v, typ), pkg=self.name)
        return None

    def function(self, name: str, entry: dict[str, Any], recv: Type | None) -> Func:
        func = Func(name, (0, 0), std=entry, pkg=self.name)
        if recv is not None:
            func.recv = T.pointer(recv) if entry["pointer"] else recv

        def resolve() -> None:
            try:
                func.type = self.library.type(entry["sig"])
            except Generic:
                func.type = T.func([], [])
                func.refused = (0, 0), "a generic type"

        func.resolve = resolve
        if recv is None:
            func.settle()
            if func.refused is not None:
                raise Generic
        return func


class Library:
    def __init__(self, entries: dict[str, Any] | None = None) -> None:
        self.entries = table() if entries is None else entries
        self.packages: dict[str, Any] = {"unsafe": unsafe()}
        self.types: dict[str, Named] = {}

    def package(self, path: str) -> Any:
        """The package's names; None where the table does not have it."""
        if path not in self.packages and path in self.entries:
            self.packages[path] = Package(self, path, self.entries[path])
        return self.packages.get(path)

    def named(self, full: str) -> Type:
        """A declared type by path.Name."""
        if full not in self.types:
            path, _, name = full.rpartition(".")
            entry = self.entries.get(path, {}).get("types", {}).get(name)
            if entry is None or "generic" in entry:
                raise Generic
            if "alias" in entry:
                return self.type(entry["alias"])
            pkg = self.package(path)
            t = Named(name, pkg.name, lambda: self.underlying(full, entry))
            self.types[full] = t
            for m, e in entry["methods"].items():
                t.methods[m] = pkg.function(m, e, t)
        return self.types[full]

    def underlying(self, full: str, entry: dict[str, Any]) -> Type:
        try:
            return self.type(entry["under"])
        except Generic:
            raise Refused((0, 0), f"{full} is made of generic types") from None

    def type(self, e: Any) -> Type:
        if isinstance(e, str):
            known = {"byte": T.BYTE, "rune": T.RUNE, "error": T.ERROR, "any": T.ANY, "Pointer": T.UNSAFE_POINTER}.get(e) or T.BASIC.get(e)
            return known if known is not None else self.named(e)
        k = e[0]
        if k in ("ptr", "slice"):
            return Type(k, elem=self.type(e[1]))
        if k == "array":
            return Type(k, elem=self.type(e[1]), len=e[2])
        if k == "map":
            return Type(k, key=self.type(e[1]), elem=self.type(e[2]))
        if k == "chan":
            return Type(k, elem=self.type(e[1]), dir=e[2])
        if k == "func":
            return T.func(self.fields(e[1]), self.fields(e[2]), e[3])
        if k == "struct":
            return Type(k, fields=[Field(f[0], self.type(f[1]), f[2]) for f in e[1]])
        if k == "iface":
            return Type(k, methods=[(m[0], self.type(m[1]), "") for m in e[1]])
        if k == "opaque":  # an instance of a generic type
            return Type(k, name=e[1], layout=(e[2], e[3]), pointers=e[4])
        raise Generic

    def fields(self, list: list[Any]) -> list[Field]:
        return [Field(name, self.type(t)) for name, t in list]


def decode_tag(e: list[int] | None) -> Leaks:
    if e is None:
        return to_heap()
    return Leaks(e[0], [*e[1:], *[-1] * (RESULTS + 1 - len(e))]) if e else Leaks()


def unsafe() -> Any:
    p = Package.__new__(Package)
    p.name, p.names, p.entry = "unsafe", {}, {"types": {}, "funcs": {}, "vars": {}, "consts": {}}
    p.names["Pointer"] = TypeName("Pointer", (0, 0), T.UNSAFE_POINTER)
    for name in ("Sizeof", "Alignof", "Offsetof", "Add", "Slice", "SliceData", "String", "StringData"):
        p.names[name] = Builtin(name)
    p.entry["vars"] = dict.fromkeys(p.names)
    return p

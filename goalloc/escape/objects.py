"""What a name in a Go program stands for, and the scopes that hold names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from goalloc.escape import types as T
from goalloc.escape.tree import Pos, Refused, Tree
from goalloc.escape.types import Type


class Obj:
    """A declared name. `resolve` settles a package-level one when it is first used."""

    def __init__(self, name: str, pos: Pos = (0, 0)) -> None:
        self.name, self.pos = name, pos
        self.resolve: Callable[[], None] | None = None
        self.outside: Refused | None = None

    def settle(self) -> None:
        if self.outside is not None:
            raise self.outside
        if self.resolve is not None:
            todo, self.resolve = self.resolve, None
            try:
                todo()
            except Refused as r:
                self.outside = r
                raise


class Var(Obj):
    def __init__(self, name: str, pos: Pos, type: Type | None, is_global: bool = False, pkg: str = "") -> None:
        super().__init__(name, pos)
        self.type: Any = type
        self.is_global, self.pkg = is_global, pkg
        self.owner: Any = None  # the function (declaration or literal) that declares it
        self.is_field = False


class Const(Obj):
    def __init__(self, name: str, pos: Pos, type: Type | None, value: Any = None, pkg: str = "") -> None:
        super().__init__(name, pos)
        self.type: Any = type
        self.value, self.pkg = value, pkg


class TypeName(Obj):
    def __init__(self, name: str, pos: Pos, type: Type | None) -> None:
        super().__init__(name, pos)
        self.type: Any = type


class Func(Obj):
    """A function or method: of the file (decl) or of the library (std: its entry in the table)."""

    def __init__(self, name: str, pos: Pos, decl: Tree | None = None, std: Any = None, pkg: str = "") -> None:
        super().__init__(name, pos)
        self.decl, self.std, self.pkg = decl, std, pkg
        self.type: Any = None
        self.recv: Any = None
        self.recv_field: Any = None
        self.refused: tuple[Pos, str] | None = None

    @property
    def symbol(self) -> str:
        """f, T.M or (*T).M; a library function's with its package."""
        name = self.name
        if self.recv is not None:
            base = T.deref(self.recv).name
            name = f"(*{base}).{name}" if self.recv.kind == "ptr" else f"{base}.{name}"
        if not self.pkg:
            return name
        return f"{self.pkg}.{name}"


class Pkg(Obj):
    def __init__(self, name: str, path: str, members: Any) -> None:
        super().__init__(name)
        self.path, self.members = path, members


class Builtin(Obj):
    pass


class Nil(Obj):
    pass


class Scope:
    def __init__(self, outer: Scope | None) -> None:
        self.outer = outer
        self.names: dict[str, Obj] = {}

    def find(self, name: str) -> Obj | None:
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.outer
        return None


BUILTINS = (
    "append", "cap", "clear", "close", "complex", "copy", "delete", "imag", "len", "make", "max", "min", "new", "panic", "print",
    "println", "real", "recover",
)  # fmt: skip


def universe() -> Scope:
    s = Scope(None)
    for name in ("bool", "string", *T.INTEGERS, *T.FLOATS, *T.COMPLEXES):
        s.names[name] = TypeName(name, (0, 0), T.BASIC[name])
    s.names.update(byte=TypeName("byte", (0, 0), T.BYTE), rune=TypeName("rune", (0, 0), T.RUNE))
    s.names.update(any=TypeName("any", (0, 0), T.ANY), error=TypeName("error", (0, 0), T.ERROR))
    for name, value in (("true", True), ("false", False)):
        s.names[name] = Const(name, (0, 0), T.UNTYPED_BOOL, value)
    s.names["nil"] = Nil("nil")
    for name in BUILTINS:
        s.names[name] = Builtin(name)
    return s

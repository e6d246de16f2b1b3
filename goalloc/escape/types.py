"""Go's types as the analysis needs them: identity, size, pointers, how the compiler prints them.

A named type is an object of its own (identity is by object); all others are compared by structure. `byte` and `rune` are
their own objects that are identical to uint8 and int32, because messages print the name that the source wrote.
Sizes are those of linux/amd64 (cmd/compile/internal/types/size.go).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from goalloc.escape.tree import GoError

INTEGERS = {
    "int": 8, "int8": 1, "int16": 2, "int32": 4, "int64": 8, "uint": 8, "uint8": 1, "uint16": 2, "uint32": 4, "uint64": 8, "uintptr": 8,
}  # fmt: skip
FLOATS = {"float32": 4, "float64": 8}
COMPLEXES = {"complex64": 8, "complex128": 16}
UNTYPED = ("untyped bool", "untyped int", "untyped rune", "untyped float", "untyped complex", "untyped string", "untyped nil")
DEFAULTS = {
    "untyped bool": "bool", "untyped int": "int", "untyped rune": "int32", "untyped float": "float64",
    "untyped complex": "complex128", "untyped string": "string",
}  # fmt: skip


class Type:
    """One type. `kind` is a basic type's name or ptr, slice, array, map, chan, func, struct, iface, named, tuple, unsafe.Pointer."""

    def __init__(self, kind: str, **fields: Any) -> None:
        self.kind = kind
        self.name = ""
        self.__dict__.update(fields)

    if TYPE_CHECKING:  # a pass sets what it finds

        def __setattr__(self, name: str, value: Any) -> None: ...

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"type {self.kind} has no {name}")

    def __repr__(self) -> str:
        return string(self)


class Field:
    """A struct's field or a parameter (name may be "" or "_")."""

    def __init__(self, name: str, type: Type, embedded: bool = False, pos: Any = None, pkg: str = "") -> None:
        self.name, self.type, self.embedded, self.pos, self.pkg = name, type, embedded, pos, pkg


class Named(Type):
    """A declared type. `resolve` gives its underlying type when first asked; methods by name are Func objects."""

    def __init__(self, name: str, pkg: str, resolve: Callable[[], Type] | None = None) -> None:
        super().__init__("named")
        self.name, self.pkg = name, pkg  # pkg: the name that qualifies it in messages, "" for the file's own
        self.methods: dict[str, Any] = {}
        self.resolve = resolve
        self.under: Type | None = None


BASIC: dict[str, Type] = {
    k: Type(k, name=k) for k in ("bool", "string", "unsafe.Pointer", *INTEGERS, *FLOATS, *COMPLEXES, *UNTYPED, "invalid")
}
BYTE, RUNE = Type("uint8", name="byte"), Type("int32", name="rune")
BOOL, INT, STRING, UINTPTR = BASIC["bool"], BASIC["int"], BASIC["string"], BASIC["uintptr"]
UNTYPED_BOOL, UNTYPED_NIL = BASIC["untyped bool"], BASIC["untyped nil"]
UNSAFE_POINTER = BASIC["unsafe.Pointer"]
EMPTY_INTERFACE = Type("iface", methods=[])
ANY = Type("iface", methods=[], name="any")


def pointer(t: Type) -> Type:
    return Type("ptr", elem=t)


def slice_of(t: Type) -> Type:
    return Type("slice", elem=t)


def tuple_of(ts: list[Type]) -> Type:
    return Type("tuple", types=ts)


def func(params: list[Field], results: list[Field], variadic: bool = False) -> Type:
    return Type("func", params=params, results=results, variadic=variadic)


ERROR = Named("error", "")
ERROR.under = Type("iface", methods=[("Error", func([], [Field("", STRING)]), "")])


def under(t: Type) -> Type:
    """The underlying type."""
    while isinstance(t, Named):
        if t.under is None:
            assert t.resolve is not None
            t.under = t.resolve()
        t = t.under
    return t


def kind(t: Type) -> str:
    return under(t).kind


def is_untyped(t: Type) -> bool:
    return t.kind.startswith("untyped")


def default_type(t: Type) -> Type:
    if t.kind == "untyped rune":
        return RUNE
    return BASIC[DEFAULTS[t.kind]] if t.kind in DEFAULTS else t


def is_integer(t: Type) -> bool:
    return kind(t) in INTEGERS or t.kind in ("untyped int", "untyped rune")


def is_unsigned(t: Type) -> bool:
    return kind(t) in INTEGERS and kind(t).startswith("u")


def is_float(t: Type) -> bool:
    return kind(t) in FLOATS or t.kind == "untyped float"


def is_complex(t: Type) -> bool:
    return kind(t) in COMPLEXES or t.kind == "untyped complex"


def is_numeric(t: Type) -> bool:
    return is_integer(t) or is_float(t) or is_complex(t)


def is_string(t: Type) -> bool:
    return kind(t) in ("string", "untyped string")


def is_boolean(t: Type) -> bool:
    return kind(t) in ("bool", "untyped bool")


def is_interface(t: Type) -> bool:
    return kind(t) == "iface"


def deref(t: Type) -> Type:
    """The element of an unnamed pointer type, or the type itself."""
    return t.elem if t.kind == "ptr" else t


def identical(a: Type, b: Type) -> bool:
    if a is b:
        return True
    if isinstance(a, Named) or isinstance(b, Named) or a.kind != b.kind:
        return False
    k = a.kind
    if k in ("ptr", "slice"):
        return identical(a.elem, b.elem)
    if k == "array":
        return a.len == b.len and identical(a.elem, b.elem)
    if k == "map":
        return identical(a.key, b.key) and identical(a.elem, b.elem)
    if k == "chan":
        return a.dir == b.dir and identical(a.elem, b.elem)
    if k == "func":
        return a.variadic == b.variadic and _same_list(a.params, b.params) and _same_list(a.results, b.results)
    if k == "struct":
        return (
            len(a.fields) == len(b.fields)
            and all(x.name == y.name and x.embedded == y.embedded and x.pkg == y.pkg for x, y in zip(a.fields, b.fields))
            and _same_list(a.fields, b.fields)
        )
    if k == "iface":
        ma, mb = sorted(a.methods, key=lambda m: m[0]), sorted(b.methods, key=lambda m: m[0])
        return [m[0] for m in ma] == [m[0] for m in mb] and all(identical(x[1], y[1]) for x, y in zip(ma, mb))
    if k == "opaque":
        return a.name == b.name
    if k == "tuple":
        return len(a.types) == len(b.types) and all(identical(x, y) for x, y in zip(a.types, b.types))
    return True


def _same_list(a: list[Field], b: list[Field]) -> bool:
    return len(a) == len(b) and all(identical(x.type, y.type) for x, y in zip(a, b))


# Memory


def size(t: Type) -> int:
    return _layout(t)[0]


def align(t: Type) -> int:
    return _layout(t)[1]


def _layout(t: Type) -> tuple[int, int]:
    u = under(t)
    if "layout" not in u.__dict__:
        if "measuring" in u.__dict__:
            raise GoError((1, 1), f"type {string(t)} contains itself")
        u.__dict__["measuring"] = True
        try:
            u.__dict__["layout"] = _measure(u)
        finally:
            del u.__dict__["measuring"]
    return u.__dict__["layout"]


def _measure(u: Type) -> tuple[int, int]:
    k = u.kind
    if k in INTEGERS or k in FLOATS:
        n = INTEGERS.get(k) or FLOATS[k]
        return n, n
    if k in COMPLEXES:
        return COMPLEXES[k], COMPLEXES[k] // 2
    if k in ("bool", "untyped bool"):
        return 1, 1
    if k in ("string", "iface", "untyped string"):
        return 16, 8
    if k == "slice":
        return 24, 8
    if k == "array":
        n, a = _layout(u.elem)
        return n * u.len, a
    if k == "struct":
        return _struct(u)
    if k == "tuple":
        return sum(size(x) for x in u.types), 8
    return 8, 8


def _struct(u: Type) -> tuple[int, int]:
    at, most, last = 0, 1, 1
    offsets = []
    for f in u.fields:
        n, a = _layout(f.type)
        at = -(-at // a) * a
        offsets.append(at)
        at, most, last = at + n, max(most, a), n
    if u.fields and last == 0 and at > 0:
        at += 1  # a last field of no size gets a byte, so that its address stays inside
    u.__dict__["offsets"] = offsets
    return -(-at // most) * most, most


def offset(t: Type, index: int) -> int:
    size(t)
    return under(t).offsets[index]


def has_pointers(t: Type) -> bool:
    u = under(t)
    k = u.kind
    if k in INTEGERS or k in FLOATS or k in COMPLEXES or k in ("bool", "untyped bool", "untyped int", "untyped rune", "untyped float"):
        return False
    if k == "array":
        return u.len > 0 and has_pointers(u.elem)
    if k == "struct":
        return any(has_pointers(f.type) for f in u.fields)
    if k == "tuple":
        return any(has_pointers(x) for x in u.types)
    if k == "opaque":
        return u.pointers
    return k != "untyped complex"


def is_direct_iface(t: Type) -> bool:
    """Whether an interface holds the value itself (pointer-shaped types), not a pointer to a copy."""
    u = under(t)
    if u.kind in ("ptr", "chan", "map", "func", "unsafe.Pointer"):
        return True
    if u.kind == "array":
        return u.len == 1 and is_direct_iface(u.elem)
    return u.kind == "struct" and len(u.fields) == 1 and is_direct_iface(u.fields[0].type)


# Printing, as cmd/compile/internal/types/fmt.go does for messages


def string(t: Type) -> str:
    if isinstance(t, Named):
        return f"{t.pkg}.{t.name}" if t.pkg else t.name
    k = t.kind
    if t.name:
        return t.name
    if k == "ptr":
        return "*" + string(t.elem)
    if k == "slice":
        return "[]" + string(t.elem)
    if k == "array":
        return f"[{t.len}]{string(t.elem)}"
    if k == "map":
        return f"map[{string(t.key)}]{string(t.elem)}"
    if k == "chan":
        if t.dir:
            return ("<-chan " if t.dir == "recv" else "chan<- ") + string(t.elem)
        inner = string(t.elem)
        return f"chan ({inner})" if t.elem.kind == "chan" and t.elem.dir == "recv" else f"chan {inner}"
    if k == "func":
        return "func" + signature(t)
    if k == "struct":
        parts = [string(f.type) if f.embedded else f"{f.name} {string(f.type)}" for f in t.fields]
        return "struct { " + "; ".join(parts) + " }" if parts else "struct {}"
    if k == "iface":
        parts = [_method(name, path) + signature(sig) for name, sig, path in sorted(t.methods, key=lambda m: m[0])]
        return "interface { " + "; ".join(parts) + " }" if parts else "interface {}"
    if k == "tuple":
        return "(" + ", ".join(string(x) for x in t.types) + ")"
    return k


def _method(name: str, path: str) -> str:
    return name if name[0].isupper() or not path else f"{path}.{name}"


def signature(t: Type) -> str:
    parts = [string(p.type) for p in t.params]
    if t.variadic:
        parts[-1] = "..." + string(under(t.params[-1].type).elem)
    text = "(" + ", ".join(parts) + ")"
    if len(t.results) == 1:
        return f"{text} {string(t.results[0].type)}"
    if t.results:
        return f"{text} ({', '.join(string(r.type) for r in t.results)})"
    return text

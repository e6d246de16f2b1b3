"""Fields and methods: what x.name means, through embedded fields, shallowest first."""

from __future__ import annotations

from typing import Any

from goalloc.escape import types as T
from goalloc.escape.types import Named, Type


class Found:
    """What a selector names: a field or a method (`func`, or an interface's `sig`), and the embedded fields on the way there."""

    def __init__(self, path: list[int], field: Any = None, func: Any = None, sig: Any = None, holder: Any = None) -> None:
        self.path, self.field, self.func, self.sig = path, field, func, sig
        self.holder = holder  # the type whose method it is


def find(t: Type, name: str) -> Found | None:
    """The field or method `name` of a value of type t (or of what it points to); None if there is none, or more than one."""
    fields_only = isinstance(t, Named) and T.kind(t) == "ptr"  # a declared pointer type has no methods
    t = T.under(t).elem if fields_only else T.deref(t)
    level: list[tuple[Type, list[int]]] = [(t, [])]
    seen: set[int] = set()
    while level:
        hits: list[Found] = []
        below: list[tuple[Type, list[int]]] = []
        for typ, path in level:
            if isinstance(typ, Named):
                if id(typ) in seen:
                    continue
                seen.add(id(typ))
                if name in typ.methods and not (fields_only and not path):
                    hits.append(Found(path, func=typ.methods[name], holder=typ))
                    continue
            u = T.under(typ)
            if u.kind == "struct":
                for i, f in enumerate(u.fields):
                    if f.name == name:
                        hits.append(Found([*path, i], field=f))
                    elif f.embedded:
                        below.append((T.deref(f.type), [*path, i]))
            elif u.kind == "iface":
                for m in u.methods:
                    if m[0] == name:
                        hits.append(Found(path, sig=m[1], holder=typ))
        if hits:
            return hits[0] if len(hits) == 1 else None
        level = below
    return None


def find_method(t: Type, name: str) -> Found | None:
    found = find(t, name)
    return found if found is not None and found.field is None else None


def walk_path(t: Type, path: list[int]) -> Type:
    """The type at the end of a path of embedded fields."""
    for i in path:
        t = T.under(T.deref(t)).fields[i].type
    return t


def assignable(v: Type, t: Type) -> bool:
    """Whether a value of type v may be assigned to t (the language's rules; no untyped constants here)."""
    if T.identical(v, t):
        return True
    if v.kind == "untyped nil":
        return T.kind(t) in ("ptr", "slice", "map", "chan", "func", "iface", "unsafe.Pointer")
    if T.is_interface(t):
        return implements(v, t)
    if v.kind == "untyped bool":
        return T.is_boolean(t)
    vu, tu = T.under(v), T.under(t)
    named = [isinstance(v, Named) or _basic(v), isinstance(t, Named) or _basic(t)]
    if T.identical(vu, tu) and not all(named):
        return True
    return vu.kind == "chan" and vu.dir == "" and tu.kind == "chan" and T.identical(vu.elem, tu.elem) and not all(named)


def _basic(t: Type) -> bool:
    return t.kind in T.BASIC


def implements(v: Type, t: Type) -> bool:
    return all(find_method(v, name) is not None for name, _, _ in T.under(t).methods)

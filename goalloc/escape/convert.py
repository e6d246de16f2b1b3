"""Which conversion a conversion is (typecheck.Convertop), and constants as the compiler's messages spell them."""

from __future__ import annotations

from goalloc.escape import types as T
from goalloc.escape.lookup import implements
from goalloc.escape.tree import Tree
from goalloc.escape.types import Named, Type

SAME = {"int": "int64", "uint": "uint64", "uintptr": "uint64"}  # on 64-bit machines


def conversion_op(src: Type, dst: Type) -> str | None:
    op = _assign_op(src, dst)
    if op is None:
        op = _convert_op(src, dst)
    if op == "CONVNOP" and T.kind(src) == T.kind(dst) and (T.is_float(src) or T.is_complex(src)):
        return "CONV"  # rounding must be kept
    return op


def _assign_op(src: Type, dst: Type) -> str | None:
    if T.identical(src, dst):
        return "CONVNOP"
    if src.kind == "untyped nil":
        return "CONVNOP"
    us, ud = T.under(src), T.under(dst)
    one_unnamed = not _named(src) or not _named(dst)
    if T.identical(us, ud) and (one_unnamed or us.kind == "iface"):
        if us.kind == "iface" and not us.methods:
            return "CONVNOP"
        if one_unnamed and us.kind != "iface":
            return "CONVNOP"
    if ud.kind == "iface":
        return "CONVIFACE" if implements(src, dst) else None
    if us.kind == "chan" and ud.kind == "chan" and us.dir == "" and T.identical(us.elem, ud.elem) and one_unnamed:
        return "CONVNOP"
    return None


def _named(t: Type) -> bool:
    return isinstance(t, Named) or t.kind in T.BASIC


def _convert_op(src: Type, dst: Type) -> str | None:
    us, ud = T.under(src), T.under(dst)
    ks, kd = us.kind, ud.kind
    if T.identical(us, ud):
        return "CONVNOP"
    if src.kind == "ptr" and dst.kind == "ptr" and T.identical(T.under(src.elem), T.under(dst.elem)):
        return "CONVNOP"
    numbers = ("unsafe.Pointer",)
    if T.is_numeric(src) and T.is_numeric(dst):
        if T.is_complex(src) != T.is_complex(dst):
            return None
        return "CONVNOP" if SAME.get(ks, ks) == SAME.get(kd, kd) else "CONV"
    if kd == "string":
        if T.is_integer(src):
            return "RUNESTR"
        if ks == "slice" and T.kind(us.elem) in ("uint8", "int32"):
            return "BYTES2STR" if T.kind(us.elem) == "uint8" else "RUNES2STR"
    if T.is_string(src) and kd == "slice" and T.kind(ud.elem) in ("uint8", "int32"):
        return "STR2BYTES" if T.kind(ud.elem) == "uint8" else "STR2RUNES"
    if kd in numbers and (ks in ("ptr", "uintptr") or ks == kd):
        return "CONVNOP"
    if ks in numbers and (kd in ("ptr", "uintptr") or ks == kd):
        return "CONVNOP"
    if ks == "slice" and kd == "ptr" and T.kind(ud.elem) == "array":
        return "SLICE2ARRPTR"
    if ks == "slice" and kd == "array":
        return "SLICE2ARR"
    return None


def source(x: Tree) -> str:
    """An expression as Go's syntax printer writes it."""
    k = x.kind
    if k == "Name":
        return x.name
    if k == "Lit":
        return x.text
    if k == "Paren":
        return f"({source(x.x)})"
    if k == "Unary":
        return x.op + source(x.x)
    if k == "Star":
        return "*" + source(x.x)
    if k == "Binary":
        return f"{source(x.x)} {x.op} {source(x.y)}"
    if k == "Selector":
        return f"{source(x.x)}.{x.sel}"
    if k == "Call":
        return f"{source(x.fun)}({', '.join(source(a) for a in x.args)}{'...' if x.dots else ''})"
    if k == "Index":
        return f"{source(x.x)}[{source(x.index)}]"
    if k == "CompositeLit":
        return (source(x.typ) if x.typ is not None else "") + ("{…}" if x.elems else "{}")
    if k == "ArrayType":
        return f"[{source(x.len) if x.len is not None else '...'}]{source(x.elem)}"
    if k == "SliceType":
        return "[]" + source(x.elem)
    if k == "MapType":
        return f"map[{source(x.key)}]{source(x.elem)}"
    return "…"

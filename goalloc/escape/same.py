"""Assignments that store nothing new: b.buf = b.buf[n:m], x.f = x.g (cmd/compile/internal/escape: isSelfAssign)."""

from __future__ import annotations

from goalloc.escape import types as T
from goalloc.escape.ir import Name, Node

SLICES = ("SLICE", "SLICE3", "SLICESTR")
ARRAY_SLICES = ("SLICEARR", "SLICE3ARR")
ARITHMETIC = frozenset("ADD SUB OR XOR MUL LSH RSH AND ANDNOT DIV MOD".split())


def is_self_assign(dst: Node, src: Node) -> bool:
    if _slice_of_itself(dst, src):
        return True
    if dst.op != src.op:
        return False
    if dst.op in ("DOT", "DOTPTR"):
        return same_expr(dst.x, src.x)
    if dst.op == "INDEX":
        return not _effects(dst.y) and not _effects(src.y) and same_expr(dst.x, src.x)
    return False


def _slice_of_itself(dst: Node, src: Node) -> bool:
    if dst.op not in ("DEREF", "DOTPTR") or not isinstance(dst.x, Name):
        return False
    if src.op in ARRAY_SLICES:
        if src.x.op == "ADDR":
            return False
    elif src.op not in SLICES:
        return False
    base = src.x
    return base.op in ("DEREF", "DOTPTR") and isinstance(base.x, Name) and base.x is dst.x


def _effects(n: Node) -> bool:
    """Whether evaluating n may do more than give a value."""
    op = n.op
    if op in ("NAME", "LITERAL", "NIL"):
        return False
    if op in ARITHMETIC or op == "INDEX":
        return _effects(n.x) or _effects(n.y)
    if op in ("CONVNOP", "CONV", "LEN", "CAP", "NOT", "BITNOT", "PLUS", "NEG", "DOT", "DOTPTR", "DEREF"):
        return _effects(n.x)
    return True


def same_expr(l: Node, r: Node) -> bool:
    """Whether two expressions are the same and without effects."""
    while l.op == "CONVNOP":
        l = l.x
    while r.op == "CONVNOP":
        r = r.x
    op = l.op
    if op != r.op or (l.type is not None and r.type is not None and not T.identical(l.type, r.type)):
        return False
    if op == "NAME":
        return l is r
    if op in ("DOT", "DOTPTR"):
        return l.sel == r.sel and same_expr(l.x, r.x)
    if op in ("DEREF", "NOT", "BITNOT", "PLUS", "NEG"):
        return same_expr(l.x, r.x)
    if op == "CONV":
        return T.kind(l.type) in T.BASIC and T.kind(l.type) != "string" and same_expr(l.x, r.x)
    if op in ("INDEX", "INDEXMAP") or op in ARITHMETIC:
        return same_expr(l.x, r.x) and same_expr(l.y, r.y)
    if op == "LITERAL":
        return l.value == r.value
    return op == "NIL"

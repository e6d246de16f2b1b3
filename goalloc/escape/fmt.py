"""Nodes as the compiler's messages spell them (cmd/compile/internal/ir/fmt.go)."""

from __future__ import annotations

from goalloc.escape import types as T
from goalloc.escape.ir import ARITHMETIC, COMPARISONS, LOGICAL, Node

PREC = {
    **dict.fromkeys(("MUL", "DIV", "MOD", "LSH", "RSH", "AND", "ANDNOT"), 6),
    **dict.fromkeys(("ADD", "SUB", "OR", "XOR"), 5),
    **dict.fromkeys(COMPARISONS.values(), 4),
    **dict.fromkeys(("PLUS", "NOT", "BITNOT", "NEG", "ADDR", "DEREF", "RECV"), 7),
    "SEND": 3, "ANDAND": 2, "OROR": 1, "PTRLIT": 0, "ADDSTR": 0, "RECOVER": 0, "INLCALL": 0, "CLOSURE": 0,
    "REAL": 0, "IMAG": 0, "COMPLEX": 0, "MAKEMAP": 0, "MAKECHAN": 0, "DYNAMICDOTTYPE": 0, "DYNAMICDOTTYPE2": 0, "SLICE2ARR": 8,
}  # fmt: skip
SYMBOLS = {
    **{v: k for k, v in (*ARITHMETIC.items(), *COMPARISONS.items(), *LOGICAL.items())},
    "NEG": "-", "PLUS": "+", "NOT": "!", "BITNOT": "^", "ADDR": "&", "DEREF": "*", "RECV": "<-",
    "PRINT": "print", "PRINTN": "println", "RECOVER": "recover", "COMPLEX": "complex", "COPY": "copy", "UNSAFEADD": "unsafe.Add",
    "UNSAFESLICE": "unsafe.Slice", "DELETE": "delete", "APPEND": "append", "MIN": "min", "MAX": "max",
}  # fmt: skip
CONVERSIONS = (
    "CONV CONVNOP CONVIFACE BYTES2STR RUNES2STR STR2BYTES STR2RUNES RUNESTR SLICE2ARR SLICE2ARRPTR".split()
)  # fmt: skip


def text(n: Node | None, prec: int = 0) -> str:
    if n is None:
        return "<nil>"
    while n.implicit and n.op in ("ADDR", "DEREF", "CONV", "CONVNOP", "CONVIFACE"):
        n = n.x
    op = n.op
    own = PREC.get(n.raw_op if op == "LITERAL" else op, 8)
    if op == "TYPE" and n.type is not None and n.type.kind == "ptr":
        own = 7
    if prec > own:
        return f"({text(n)})"
    return _text(n, op, own)


def _list(nodes: list[Node]) -> str:
    return ", ".join(text(n) for n in nodes)


def _text(n: Node, op: str, own: int) -> str:
    if op == "LITERAL":
        return n.raw
    if op == "NAME":
        return "_" if n.sym.startswith("~b") else n.sym
    if op == "OPAQUE":
        return n.text
    if op == "NIL":
        return "nil"
    if op == "TYPE":
        return T.string(n.type)
    if op == "CLOSURE":
        return "func literal"
    if op in ("STRUCTLIT", "ARRAYLIT", "SLICELIT", "MAPLIT"):
        if n.implicit:
            return "... argument"
        return f"{T.string(n.type)}{{{'...' if n.list else ''}}}"
    if op == "PTRLIT":
        return f"&{text(n.x)}"
    if op in ("DOT", "DOTPTR", "DOTINTER", "DOTMETH", "METHVALUE", "METHEXPR"):
        return f"{text(n.x, own)}.{n.sel}"
    if op in ("DOTTYPE", "DOTTYPE2"):
        return f"{text(n.x, own)}.({T.string(n.type)})"
    if op in ("INDEX", "INDEXMAP"):
        return f"{text(n.x, own)}[{text(n.y)}]"
    if op.startswith("SLICE") and op in ("SLICE", "SLICESTR", "SLICEARR", "SLICE3", "SLICE3ARR"):
        ends = [text(i) if i is not None else "" for i in (n.low, n.high)]
        if op.startswith("SLICE3"):
            ends.append(text(n.max) if n.max is not None else "")
        return f"{text(n.x, own)}[{':'.join(ends)}]"
    if op in CONVERSIONS:
        name = T.string(n.type) if n.type.name or n.type.kind == "named" else f"({T.string(n.type)})"
        return f"{name}({text(n.x)})"
    if op in ("REAL", "IMAG", "CAP", "CLEAR", "CLOSE", "LEN", "NEW", "PANIC"):
        return f"{op.lower()}({text(n.x)})"
    if op in ("COMPLEX", "COPY", "UNSAFEADD", "UNSAFESLICE"):
        return f"{SYMBOLS[op]}({text(n.x)}, {text(n.y)})"
    if op in ("APPEND", "DELETE", "MIN", "MAX", "PRINT", "PRINTN", "RECOVER"):
        if op == "RECOVER":
            return f"<node {op}>" if n.args else "recover()"
        return f"{SYMBOLS[op]}({_list(n.args)}{'...' if n.dots else ''})"
    if op in ("CALLFUNC", "CALLINTER"):
        return f"{text(n.x, own)}({_list(n.args)}{'...' if n.dots else ''})"
    if op == "INLCALL":
        if len(n.list) == 1:
            return text(n.list[0])
        return "(." + "; ".join(text(r) for r in n.list) + ")"
    if op in ("MAKEMAP", "MAKECHAN", "MAKESLICE"):
        if n.y is not None:
            return f"make({T.string(n.type)}, {text(n.x)}, {text(n.y)})"
        if op == "MAKESLICE" or not T.is_untyped(n.x.type):
            return f"make({T.string(n.type)}, {text(n.x)})"
        return f"make({T.string(n.type)})"
    if op in ("PLUS", "NEG", "BITNOT", "NOT", "RECV", "ADDR"):
        return SYMBOLS[op] + (" " if n.x.op == op else "") + text(n.x, own + 1)
    if op == "DEREF":
        return "*" + text(n.x, own + 1)
    if op == "ADDSTR":
        return " + ".join(text(x, own) for x in n.list)
    if op in SYMBOLS:
        return f"{text(n.x, own)} {SYMBOLS[op]} {text(n.y, own + 1)}"
    return _statement(n, op)


def _statement(n: Node, op: str) -> str:
    if op == "AS":
        return f"{text(n.x)} {':=' if n.define else '='} {text(n.y)}"
    if op == "ASOP":
        symbol = SYMBOLS[n.as_op]
        return f"{text(n.x)}{'++' if symbol == '+' else '--'}" if n.inc else f"{text(n.x)} {symbol}= {text(n.y)}"
    if op.startswith("AS2"):
        return f"{_list(n.lhs)} {':=' if n.define else '='} {_list(n.rhs)}"
    if op == "RETURN":
        return f"return {_list(n.list)}"
    return f"<node {op}>"

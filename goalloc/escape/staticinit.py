"""Package variables that are laid out as data need no code, and so no message (cmd/compile/internal/staticinit).

After inlining, each assignment of the init function is broken up: literals, addresses of package variables, composite
literals of such are data; the parts that are not are assigned on their own. A call inlined to one expression is that
expression.
"""

from __future__ import annotations

from goalloc.escape import types as T
from goalloc.escape.ir import Function, Name, Node, any_node, edit_children, outer_value, visit
from goalloc.escape.tree import Refused

HARMLESS = frozenset(
    "NAME NONAME TYPE LITERAL NIL ADD SUB OR XOR ADDSTR ADDR ANDAND BYTES2STR RUNES2STR STR2BYTES STR2RUNES CAP MAPLIT STRUCTLIT ARRAYLIT "
    "SLICELIT PTRLIT CONV CONVIFACE CONVNOP DOT EQ NE LT LE GT GE KEY STRUCTKEY LEN MUL LSH RSH AND ANDNOT NEW NOT BITNOT PLUS NEG OROR "
    "RUNESTR REAL IMAG COMPLEX".split()
)
ALLOCATE = frozenset("MAKECHAN MAKEMAP MAKESLICE MAPLIT NEW PTRLIT".split())


def static_init(fn: Function) -> None:
    """Leaves of the init function's body what has to run."""
    out: list[Node] = []
    for n in fn.body:
        if n.op != "AS":
            out.append(n)
        elif n.x.sym == "_" and not any_node(n.y, effect):
            continue
        elif not _static(n.y, out):
            out.append(n)
    fn.body = out or [Node("BLOCK", None, list=[])]


def effect(n: Node) -> bool:
    """Whether evaluating n itself, not its parts, may have an effect."""
    if n.op in ("DIV", "MOD"):
        return n.y.op != "LITERAL" or n.y.value == 0
    if n.op in ("MAKECHAN", "MAKEMAP"):
        return n.x.op != "LITERAL" or n.x.value != 0
    return n.op not in HARMLESS


def _part(value: Node, out: list[Node]) -> None:
    if not _static(value, out):
        out.append(Node("AS", value.pos, x=Name(".stmp", value.pos, value.type, "EXTERN"), y=value, define=False))


def _static(v: Node, out: list[Node]) -> bool:
    """Whether v becomes data; the parts of it that do not are appended to `out`."""
    while v.op == "CONVNOP" and not v.init:
        v = v.x
    op = v.op
    if op in ("LITERAL", "NIL", "METHEXPR"):
        return True
    if op == "NAME":
        return v.cls == "FUNC"
    if op == "ADDR":
        x = v.x
        while x.op == "DOT" or (x.op == "INDEX" and x.y.op == "LITERAL" and T.kind(x.x.type) == "array"):
            x = x.x
        return x.op == "NAME" and x.cls == "EXTERN"
    if op == "PTRLIT":
        _part(v.x, out)
        return True
    if op in ("SLICELIT", "ARRAYLIT", "STRUCTLIT"):
        for e in v.list:
            _part(e.y if e.op == "KEY" else e.x if e.op == "STRUCTKEY" else e, out)
        return True
    if op == "CLOSURE":
        if v.func.closure_vars:
            return False
        v.func.hidden = False  # no longer part of a function's body, and analysed on its own
        return True
    if op == "STR2BYTES":
        return v.x.op == "LITERAL"
    if op == "CONVIFACE":
        return _interface(v, out)
    return op == "INLCALL" and _inlined(v, out)


def _interface(v: Node, out: list[Node]) -> bool:
    while v.op == "CONVIFACE":
        v = v.x
    if T.is_interface(v.type):
        return v.op == "NIL"
    _part(v, out)
    return True


def _inlined(call: Node, out: list[Node]) -> bool:
    """A call of a function that only returns an expression is replaced by that expression, with the arguments for its parameters."""
    if call.body[0].op == "SUMMARY":
        return _summary(call, out)
    args = [n for n in call.init if n.op != "INLMARK"]
    if len(args) != 1 or args[0].op != "AS2" or len(call.body) != 2 or call.body[0].op != "BLOCK":
        return False
    block = call.body[0].list
    if [n.op for n in block] != ["DCL", "AS2", "GOTO"] or len(block[1].lhs) != 1 or block[1].lhs[0] is not block[0].x:
        return False
    as2, value = args[0], block[1].rhs[0]
    if any(any_node(r, effect) for r in as2.rhs):
        return False
    counts = {id(v): 0 for v in as2.lhs}
    fit = True

    def see(n: Node) -> None:
        nonlocal fit
        if id(n) in counts:
            counts[id(n)] += 1
        if (n.op == "ADDR" and id(outer_value(n.x)) in counts) or (n.op == "CLOSURE" and n.func.closure_vars):
            fit = False

    visit(value, see)
    given = {id(v): r for v, r in zip(as2.lhs, as2.rhs)}
    for v in as2.lhs:
        if counts[id(v)] > 1 and any_node(given[id(v)], lambda n: effect(n) or n.op in ALLOCATE):
            return False
    if not fit:
        return False

    def replace(n: Node) -> Node:
        if id(n) in given:
            return given[id(n)]
        edit_children(n, replace)
        return n

    rest: list[Node] = []
    if not _static(replace(value), rest):
        return False
    out.extend(rest)
    return True


def _summary(call: Node, out: list[Node]) -> bool:
    """A library function's: `data` are the parameters that become parts of the data, None where it is not data."""
    steps, as2 = call.body[0], call.init[-1]
    if steps.data is None or len(call.init) != 1 or any(any_node(r, effect) for r in as2.rhs):
        return False
    if steps.data == "?":
        raise Refused((call.pos.line, call.pos.col), "a package variable that a library function's inlined body initialises")
    for i in steps.data:
        _part(as2.rhs[i], out)
    return True

"""The compiler's intermediate form: nodes, functions, positions, and how to walk them.

Budget and flow are counted on these nodes, so there are exactly those that Go 1.21's compiler makes (cmd/compile/internal/
ir), under its names without the O: AS, CALLFUNC, DOTPTR, ... A node's init is a list of statements that run before it.

A position knows the inlining it came through; what is shown of it is the place of the outermost call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from goalloc.escape import types as T
from goalloc.escape.types import Type

# Children in the order in which they are visited, after init; a star marks a list.
CHILDREN: dict[str, tuple[str, ...]] = {
    "ADDSTR": ("list*",), "ADDR": ("x",), "PTRLIT": ("x",),
    "AS": ("x", "y"), "AS2": ("lhs*", "rhs*"), "AS2FUNC": ("lhs*", "rhs*"), "AS2MAPR": ("lhs*", "rhs*"),
    "AS2DOTTYPE": ("lhs*", "rhs*"), "AS2RECV": ("lhs*", "rhs*"), "SELRECV2": ("lhs*", "rhs*"), "ASOP": ("x", "y"),
    "BLOCK": ("list*",), "CASE": ("var", "list*", "body*"), "COMMCASE": ("comm", "body*"),
    "CLOSURE": (), "DCL": ("x",), "FOR": ("x", "post", "body*"), "GO": ("x",), "DEFER": ("x",), "IF": ("x", "body*", "els*"),
    "INDEX": ("x", "y"), "INDEXMAP": ("x", "y"), "INLCALL": ("body*", "list*"), "KEY": ("x", "y"), "LABEL": (), "LITERAL": (),
    "NAME": (), "NIL": (), "TYPE": (), "RANGE": ("x", "key", "val", "body*"), "RETURN": ("list*",), "SELECT": ("cases*",),
    "SWITCH": ("x", "cases*"), "TYPESW": ("tag", "x"), "SLICE": ("x", "low", "high", "max"), "FUNC": ("body*",),
    "DYNAMICTYPE": ("rtype", "itab"), "DYNAMICDOTTYPE": ("x", "src_rtype", "rtype", "itab"), "STRUCTKEY": ("x",), "LINKSYM": (), "NONAME": (), "SUMMARY": (), "NESTED": (), "OPAQUE": (),
    "INLMARK": (), "BREAK": (), "CONTINUE": (), "GOTO": (), "FALL": (),
}  # fmt: skip
CHILDREN.update(dict.fromkeys(("CALLFUNC", "CALLINTER", "APPEND", "DELETE", "PRINT", "PRINTN", "RECOVER", "MIN", "MAX"), ("x", "args*")))
CHILDREN.update(dict.fromkeys(("ARRAYLIT", "SLICELIT", "MAPLIT", "STRUCTLIT"), ("list*",)))
CHILDREN.update(dict.fromkeys(("SLICEARR", "SLICESTR", "SLICE3", "SLICE3ARR"), CHILDREN["SLICE"]))
CHILDREN["DYNAMICDOTTYPE2"] = CHILDREN["DYNAMICDOTTYPE"]
for _op in (
    "CONV CONVNOP CONVIFACE BYTES2STR RUNES2STR STR2BYTES STR2RUNES RUNESTR SLICE2ARR SLICE2ARRPTR DOT DOTPTR DOTMETH DOTINTER METHVALUE "
    "METHEXPR DEREF DOTTYPE DOTTYPE2 BITNOT NEG NOT PLUS RECV CAP CLEAR CLOSE IMAG LEN NEW PANIC REAL CHECKNIL ITAB UNSAFESTRINGDATA "
    "UNSAFESLICEDATA"
).split():
    CHILDREN[_op] = ("x",)
ARITHMETIC = {
    "+": "ADD", "-": "SUB", "*": "MUL", "/": "DIV", "%": "MOD", "&": "AND", "|": "OR", "^": "XOR", "&^": "ANDNOT", "<<": "LSH", ">>": "RSH",
}  # fmt: skip
COMPARISONS = {"==": "EQ", "!=": "NE", "<": "LT", "<=": "LE", ">": "GT", ">=": "GE"}
LOGICAL = {"&&": "ANDAND", "||": "OROR"}
for _op in (*ARITHMETIC.values(), *COMPARISONS.values(), *LOGICAL.values(), "SEND", "COPY", "COMPLEX", "MAKESLICE", "MAKEMAP", "MAKECHAN",
            "UNSAFEADD", "UNSAFESLICE", "UNSAFESTRING"):  # fmt: skip
    CHILDREN[_op] = ("x", "y")
LITERALS = ("ARRAYLIT", "MAPLIT", "SLICELIT", "STRUCTLIT")
CONVERSIONS = ("CONV", "CONVNOP", "CONVIFACE")
CALLS = ("CALLFUNC", "CALLINTER", "INLCALL")
_ORDER: dict[str, tuple[tuple[str, bool], ...]] = {op: tuple((f.rstrip("*"), f.endswith("*")) for f in fs) for op, fs in CHILDREN.items()}


COLUMNS = 255  # a position's column has eight bits; one further right is not shown


class XPos:
    """A source position: line and column, the inlining that it is in (-1: none), and the outermost place as text."""

    __slots__ = ("line", "col", "inl", "shown")

    def __init__(self, line: int, col: int, inl: int = -1, shown: str = "") -> None:
        self.line, self.col, self.inl = line, col, inl
        self.shown = shown or (f"{line}:{col}" if col < COLUMNS else str(line))


class Node:
    """One node. `x`, `y`, `list`, ... are set by name; which of them are children the table CHILDREN says."""

    def __init__(self, op: str, pos: Any, type: Any = None, **fields: Any) -> None:
        self.op, self.pos = op, pos
        self.type: Any = type
        self.init: list[Node] = []
        self.implicit = False
        self.__dict__.update(fields)

    if TYPE_CHECKING:  # a pass sets what it finds

        def __setattr__(self, name: str, value: Any) -> None: ...

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"{self.op} node has no {name}")


class Name(Node):
    """A variable or function in a function's body. cls is AUTO, PARAM, PARAMOUT, FUNC, EXTERN, or AUTOHEAP (captured)."""

    def __init__(self, sym: str, pos: Any, type: Type | None, cls: str, curfn: Any = None) -> None:
        super().__init__("NAME", pos, type)
        self.sym, self.cls, self.curfn = sym, cls, curfn
        self.defn: Any = None
        self.outer: Name | None = None  # what a closure's variable stands for in the function around it
        self.byval = False
        self.auto_temp = False
        self.func: Any = None
        self.loc: Any = None
        self.known_inside = False  # a library function's result, of which its inlined body knows more than its type

    @property
    def canonical(self) -> Name:
        n: Name = self
        while n.outer is not None:
            n = n.outer
        return n


class Function(Node):
    """A function being compiled: a declaration, a closure, or a wrapper that the analysis makes itself."""

    def __init__(self, sym: str, pos: Any, type: Type) -> None:
        super().__init__("FUNC", pos, type)
        self.sym = sym
        self.body: list[Node] = []
        self.dcl: list[Name] = []
        self.params: list[Name | None] = []  # receiver first; None for an unnamed one
        self.results: list[Name] = []
        self.param_fields: list[Any] = []  # receiver first
        self.closure_vars: list[Name] = []
        self.closure_of: dict[int, Any] = {}  # the variable that a captured name is of
        self.closgen = 0
        self.closure: Node | None = None  # the CLOSURE node of a function literal
        self.hidden = False
        self.package = False  # gives package variables their values
        self.wrapper = False
        self.dead = False
        self.closure_called = False
        self.checked = False  # inlinability
        self.inl: Any = None
        self.esc = 0
        self.tags: list[Any] = []
        self.pragmas: list[str] = []
        self.tree: Any = None
        self.root: Function = self  # the declaration that a closure is in
        self.object: Any = None
        self.name = Name(sym, pos, type, "FUNC")
        self.name.func = self
        self.name.defn = self
        self.intrinsic = False  # the compiler puts instructions in its place
        self.library: Any = None  # its entry in the table of library functions


BLANK = Name("_", None, None, "BLANK")


def children(n: Node) -> Iterator[Node]:
    yield from n.init
    d = n.__dict__
    for field, many in _ORDER[n.op]:
        v = d.get(field)
        if v is None:
            continue
        if many:
            for c in v:
                if c is not None:
                    yield c
        else:
            yield v


def any_node(n: Node, test: Callable[[Node], bool]) -> bool:
    """Whether test holds for n or something below it, in preorder, stopping at the first."""
    return test(n) or any(any_node(c, test) for c in children(n))


def visit(n: Node, do: Callable[[Node], None]) -> None:
    do(n)
    for c in list(children(n)):
        visit(c, do)


def visit_list(nodes: list[Node], do: Callable[[Node], None]) -> None:
    for n in nodes:
        visit(n, do)


def edit_children(n: Node, edit: Callable[[Node], Node]) -> None:
    """Replaces each child c by edit(c), in the order of visiting."""
    n.init = [edit(c) for c in n.init]
    d = n.__dict__
    for field, many in _ORDER[n.op]:
        v = d.get(field)
        if v is None:
            continue
        d[field] = [edit(c) if c is not None else None for c in v] if many else edit(v)


def is_blank(n: Node | None) -> bool:
    return n is not None and n.op == "NAME" and n.sym == "_"


def static_value(n: Node) -> Node:
    """The expression that n's value comes from, through conversions and variables assigned once."""
    while True:
        if n.op == "CONVNOP":
            n = n.x
        elif n.op == "INLCALL":
            n = n.list[0]
        else:
            source = _initializer(n)
            if source is None:
                return n
            n = source


def _initializer(n: Node) -> Node | None:
    if not isinstance(n, Name) or n.cls != "AUTO" or n.defn is None:
        return None
    defn = n.defn
    if defn.op == "AS":
        source = defn.y
    elif defn.op == "AS2":
        source = next(r for l, r in zip(defn.lhs, defn.rhs) if l is n)
    else:
        return None
    return None if reassigned(n) else source


ASSIGNMENTS = ("AS2", "AS2FUNC", "AS2MAPR", "AS2DOTTYPE", "AS2RECV", "SELRECV2")


def reassigned(name: Name) -> bool:
    """Whether a variable has any assignment but its declaration, or its address taken."""
    if name.curfn is None:
        return True

    def is_name(x: Any) -> bool:
        return isinstance(x, Name) and x.canonical is name

    def test(n: Node) -> bool:
        op = n.op
        if op == "AS":
            return is_name(n.x) and n is not name.defn
        if op in ASSIGNMENTS:
            return n is not name.defn and any(is_name(p) for p in n.lhs)
        if op == "ADDR":
            return is_name(outer_value(n.x))
        if op == "RANGE":
            return is_name(n.__dict__.get("key")) or is_name(n.__dict__.get("val"))
        if op == "CLOSURE":
            return any_node(n.func, test)
        return False

    return any_node(name.curfn, test)


def outer_value(n: Node) -> Node:
    """The variable that an addressable expression lies in."""
    while True:
        if n.op == "DOT" or (n.op == "INDEX" and _is_array(n.x)) or n.op == "PAREN":
            n = n.x
        else:
            return n


def _is_array(n: Node) -> bool:
    return n.type is not None and T.kind(n.type) == "array"


def bottom_up(functions: list[Function], analyse: Callable[[list[Function], bool], None]) -> None:
    """Calls analyse for each strongly connected component of the call graph, callees first (cmd/compile/internal/ir/scc.go)."""
    ids: dict[int, int] = {}
    stack: list[Function] = []
    gen = 0

    def go(fn: Function) -> int:
        nonlocal gen
        known = ids.get(id(fn))
        if known is not None:
            return known
        gen += 1
        me = gen
        ids[id(fn)] = me
        gen += 1
        low = gen
        stack.append(fn)

        def see(n: Node) -> None:
            nonlocal low
            callee = None
            if n.op == "NAME" and n.cls == "FUNC" or n.op in ("METHEXPR", "DOTMETH", "METHVALUE") or n.op == "CLOSURE":
                callee = n.func
            if callee is not None and callee.library is None:
                low = min(low, go(callee))

        visit(fn, see)
        if low in (me, me + 1) and not fn.hidden:
            recursive = low == me
            i = len(stack) - 1
            while True:
                ids[id(stack[i])] = 1 << 62
                if stack[i] is fn:
                    break
                i -= 1
            block = stack[i:]
            del stack[i:]
            analyse(block, recursive)
        return low

    for fn in functions:
        if not fn.hidden:
            go(fn)

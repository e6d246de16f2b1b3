"""A package being compiled: its functions as nodes, its closures and their names, its initialisation.

The order of `functions` is the order of the declarations, then the function that initialises the package's variables; the
later passes and so the messages follow it. Bodies are read from the last to the first.
"""

from __future__ import annotations

from typing import Any


from goalloc.escape import types as T
from goalloc.escape.build import Builder, Inlining
from goalloc.escape.build_expr import ExprBuilder
from goalloc.escape.deadcode import dead_code
from goalloc.escape.intrinsics import INTRINSICS
from goalloc.escape.ir import BLANK, Function, Name, Node, XPos, edit_children, visit_list
from goalloc.escape.library import decode_tag
from goalloc.escape.messages import Messages
from goalloc.escape.objects import Func, Var
from goalloc.escape.tree import Refused, Tree


TAGGED = 3  # a function's esc once its tags are known


class Inl:
    """That a function can be inlined: its cost, and whether its results may be declared at its only return."""

    def __init__(self, cost: int, delay_results: bool) -> None:
        self.cost, self.delay_results = cost, delay_results


class Aside(Exception):
    """A function (or one inside it) turns out to be outside the subset."""

    def __init__(self, function: Function, refused: Refused) -> None:
        super().__init__()
        self.function, self.refused = function, refused


class Unit:
    def __init__(self, pkg: str = "") -> None:
        self.pkg = pkg  # its name where it is one of the library's
        self.functions: list[Function] = []
        self.closures: list[Function] = []  # inside functions, in the order of their making
        self.unread: list[tuple[Function, Builder, Any, Func | None]] = []
        self.known: dict[Func, Function] = {}
        self.globals: dict[Var, Name] = {}
        self.globals_closgen = 0
        self.inlinings: list[tuple[int, Function, str]] = []  # parent, callee, its name
        self.messages = Messages()
        self.allocations: list[tuple[Function, Node, bool]] = []

    def parents(self, inl: int) -> list[int]:
        """The inlinings around one, innermost first."""
        out = []
        while inl >= 0:
            out.append(inl)
            inl = self.inlinings[inl][0]
        return out

    # Names

    def global_name(self, v: Var) -> Name:
        if v not in self.globals:
            sym = f"{v.pkg}.{v.name}" if v.pkg else v.name
            self.globals[v] = Name(sym, XPos(*v.pos), v.type, "EXTERN")
        return self.globals[v]

    def function(self, func: Func) -> Function:
        fn = self.known.get(func)
        if fn is None:
            fn = Function(func.symbol, XPos(*func.pos), func.type)
            fn.library = func.std
            fn.intrinsic = func.recv is None and f"{func.pkg or self.pkg}.{func.name}" in INTRINSICS
            if func.std is not None:
                fn.esc = TAGGED
                fn.tags = [decode_tag(t) for t in func.std["tags"]]
                if "cost" in func.std:
                    fn.inl = Inl(func.std["cost"], False)
            if self.pkg and not func.pkg:
                fn.name.sym = f"{self.pkg}.{fn.sym}"
            fn.object = func
            if func.decl is not None:
                fn.pragmas = func.decl.pragmas
                fn.tree = func.decl
            self.known[func] = fn
        return fn

    # Bodies

    def declare(self, func: Func) -> None:
        """The function of a declaration; read_bodies builds its body."""
        fn = self.function(func)
        self.functions.append(fn)
        self.unread.append((fn, Builder(self, fn, None), func.decl, func))

    def read_bodies(self) -> None:
        """Builds the bodies, the last first: in this order function literals join the unit."""
        while self.unread:
            fn, b, tree, func = self.unread.pop()
            try:
                self.read(fn, b, tree, func)
            except Refused as r:
                raise Aside(fn.root, r) from None

    def read(self, fn: Function, b: Builder, tree: Tree, func: Func | None) -> None:
        b.parameters(tree, tree.recv_var if func is not None else None)
        fn.param_fields = param_fields(tree, func)
        if tree.body is not None:
            fn.body = b.body(tree)

    def closure(self, outer: ExprBuilder, x: Tree) -> Node:
        """A function literal met while a body is read."""
        at = outer.pos(x.pos)
        parent = None if outer.fn.package else outer.fn
        fn = Function("", XPos(*x.pos), x.type)
        fn.hidden = parent is not None
        fn.root = outer.fn.root
        fn.tree = x
        fn.sym = fn.name.sym = self.closure_name(parent, at)
        fn.closure = Node("CLOSURE", at, x.type, func=fn)
        b = Builder(self, fn, outer)
        if parent is not None:
            self.read(fn, b, x, None)
            self.closures.append(fn)
        else:
            self.functions.append(fn)
            self.unread.append((fn, b, x, None))
        return fn.closure

    def closure_name(self, outer: Function | None, at: XPos) -> str:
        if outer is None:
            self.globals_closgen += 1
            return f"glob..func{self.globals_closgen}"
        prefix = "" if outer.closure is not None else "func"
        name = outer.sym
        if at.inl >= 0:
            name = ".".join([name, *(self.inlinings[i][2] for i in reversed(self.parents(at.inl)))])
        outer.closgen += 1
        return f"{name}.{prefix}{outer.closgen}"

    def inline_body(self, call: Node, fn: Function, inl: int, caller: Function) -> Node:
        """The call replaced by fn's body: an INLCALL node (cmd/compile/internal/noder: unifiedInlineCall)."""
        into = Function(caller.sym, fn.pos, fn.type)
        into.closgen = caller.closgen
        into.root = caller.root
        into.tree = fn.tree
        inlining = Inlining(call, inl)
        b = Builder(self, into, None, inlining)
        b.captured = {fn.closure_of[id(cv)]: cv.outer for cv in fn.closure_vars if cv.outer is not None}
        b.parameters(fn.tree, getattr(fn.tree, "recv_var", None))
        p = call.pos
        init, call.init = call.init, []
        _callee_effects(init, call.x)
        as2 = Node("AS2", p, lhs=list(inlining.args), rhs=list(call.args), define=True)
        for name in inlining.args:
            if name is not BLANK:
                as2.init.append(Node("DCL", p, x=name))
                name.defn = as2
        init.append(as2)
        if not fn.inl.delay_results:
            for name in inlining.results:
                init.append(Node("DCL", p, x=name))
                init.append(Node("AS", p, x=name, y=None, define=False))
        init.append(Node("INLMARK", p))
        into.body = b.body(fn.tree)
        dead_code(into)
        params = {id(n) for n in (*inlining.args, *inlining.results)}
        label = f".i{inl}"
        into.body = [_returns(s, inlining, fn.inl.delay_results, label) for s in into.body]
        used = used_locals(into.body)
        for name in into.dcl:
            if id(name) in params or id(name) in used:
                name.curfn = caller
                caller.dcl.append(name)
        caller.closgen = into.closgen
        body = [*into.body, Node("LABEL", p, label=label)]
        made = Node("INLCALL", p, call.type, body=body, list=list(inlining.results))
        made.init = init
        return made


def delay_results(fn: Function) -> bool:
    returns = 0

    def see(n: Node) -> None:
        nonlocal returns
        if n.op == "RETURN":
            returns += 1 if n.list else 2

    visit_list(fn.body, see)
    return returns == 1 and all(not v.name or v.name == "_" for v in fn.tree.result_vars)


def param_fields(tree: Tree, func: Func | None) -> list[T.Field]:
    """Receiver and parameters as (name, type, position), for the tags and their messages."""
    out = [func.recv_field] if func is not None and func.recv is not None else []
    out.extend(T.Field(v.name, v.type, pos=v.pos) for v in tree.param_vars)
    return out


def _callee_effects(init: list[Node], callee: Node) -> None:
    while True:
        init.extend(callee.init)
        callee.init = []
        if callee.op == "CONVNOP":
            callee = callee.x
        elif callee.op == "INLCALL":
            init.extend(callee.body)
            callee.body = []
            callee = callee.list[0]
        else:
            return


def _returns(n: Node, inlining: Inlining, delay: bool, label: str) -> Node:
    """Return statements become assignments to the results and a jump to the end."""
    if n.op == "RETURN":
        p = inlining.call.pos
        block, n.init = n.init, []
        if n.list:
            as2 = Node("AS2", p, lhs=list(inlining.results), rhs=n.list, define=False)
            if delay:
                for name in inlining.results:
                    block.append(Node("DCL", p, x=name))
                    name.defn = as2
            block.append(as2)
        block.append(Node("GOTO", p, label=label))
        n = Node("BLOCK", p, list=block)
    edit_children(n, lambda c: _returns(c, inlining, delay, label))
    return n


def used_locals(body: list[Node]) -> set[int]:
    used: set[int] = set()

    def see(n: Node) -> None:
        if isinstance(n, Name) and n.cls == "AUTO":
            used.add(id(n))

    visit_list(body, see)
    return used

"""Checked statements to nodes: one Builder is one reading of a function's body, in place or into the place of a call.

Like Go's reader, an inlined body is read anew: its variables become the caller's, its positions those of the call, its
returns assignments to result variables and jumps to a label.
"""

from __future__ import annotations

from typing import Any

from goalloc.escape import ir
from goalloc.escape import types as T
from goalloc.escape.build_expr import ExprBuilder, literal
from goalloc.escape.ir import BLANK, Function, Name, Node, XPos
from goalloc.escape.objects import Var
from goalloc.escape.tree import Pos, Tree


class Inlining:
    """Where a body goes: the call, its place in the tree of inlinings, and what the call's arguments and results become."""

    def __init__(self, call: Node, inl: int) -> None:
        self.call, self.inl = call, inl
        self.args: list[Name] = []
        self.results: list[Name] = []


class Builder(ExprBuilder):
    def __init__(self, unit: Any, fn: Function, outer: ExprBuilder | None, inlining: Inlining | None = None) -> None:
        self.unit, self.fn, self.outer, self.inlining = unit, fn, outer, inlining
        self.locals: dict[Var, Name] = {}
        self.captured: dict[Var, Name] = {}

    def pos(self, p: Pos) -> XPos:
        i = self.inlining
        if i is None:
            return XPos(*p)
        return XPos(*p, i.inl, i.call.pos.shown)

    # Variables

    def declare(self, v: Var, cls: str, sym: str | None = None) -> Name:
        name = Name(sym if sym is not None else v.name, self.pos(v.pos), v.type, cls, self.fn)
        self.locals[v] = name
        if name.sym != "_":
            if self.inlining is not None:
                name.cls = "AUTO"
            self.fn.dcl.append(name)
        return name

    def parameters(self, tree: Tree, recv: Any) -> None:
        """Receiver, parameters and results as names of the function, or of the place it is inlined into."""
        i = self.inlining
        params = ([recv] if recv is not None else []) + tree.param_vars
        for v in params:
            if not v.name:
                (self.fn.params.append(None) if i is None else i.args.append(BLANK))
                continue
            name = self.declare(v, "PARAM")
            (self.fn.params.append(name) if i is None else i.args.append(name if name.sym != "_" else BLANK))
        for k, v in enumerate(tree.result_vars):
            sym = v.name
            if not sym or sym == "_":
                sym = f"{'~R' if i is not None else '~b' if sym else '~r'}{k}"
            name = self.declare(v, "PARAMOUT", sym)
            (self.fn.results.append(name) if i is None else i.results.append(name))

    # Statements

    def body(self, tree: Tree) -> list[Node]:
        return self.stmts(tree.body.stmts) or [Node("BLOCK", None, list=[])]

    def stmts(self, nodes: list[Tree]) -> list[Node]:
        out: list[Node] = []
        for s in nodes:
            self.stmt(s, out)
        return out

    def stmt(self, s: Tree, out: list[Node]) -> None:
        n = getattr(self, "s_" + s.kind)(s, out)
        if n is not None:
            out.append(n)

    def one(self, s: Tree | None) -> Node | None:
        if s is None:
            return None
        out: list[Node] = []
        self.stmt(s, out)
        if len(out) < 2:
            return out[0] if out else None
        return Node("BLOCK", out[0].pos, list=out)

    def s_Block(self, s: Tree, out: list[Node]) -> None:
        out.extend(self.stmts(s.stmts))

    def s_ExprStmt(self, s: Tree, out: list[Node]) -> Node:
        return self.expr(s.x)

    def s_Send(self, s: Tree, out: list[Node]) -> Node:
        p = self.pos(s.pos)
        chan = self.expr(s.chan)
        return Node("SEND", p, x=chan, y=self.converted(T.under(s.chan.type).elem, s.x))

    def s_IncDec(self, s: Tree, out: list[Node]) -> Node:
        x = self.expr(s.lhs)
        p = self.pos(s.pos)
        return Node("ASOP", p, x=x, y=literal(p, 1, s.lhs.type), as_op=ir.ARITHMETIC[s.op], inc=True)

    def s_AssignOp(self, s: Tree, out: list[Node]) -> Node:
        x = self.expr(s.lhs)
        p = self.pos(s.pos)
        y = self.expr(s.rhs) if s.op in ("<<", ">>") else self.converted(s.lhs.type, s.rhs)
        return Node("ASOP", p, x=x, y=y, as_op=ir.ARITHMETIC[s.op], inc=False)

    def target(self, x: Tree, names: list[Name]) -> Node:
        if x.blank:
            return BLANK
        if x.defines is not None:
            name = self.declare(x.defines, "AUTO")
            names.append(name)
            return name
        return self.expr(x)

    def assignment(self, pos: Pos, lhs: list[Tree], rhs: list[Tree], out: list[Node]) -> Node | None:
        p = self.pos(pos)
        names: list[Name] = []
        left = [self.target(x, names) for x in lhs]
        types = [None if x.blank else x.type for x in lhs]
        right = self.multi(p, rhs, lambda i: types[i])
        if not right:
            for name in names:
                out.append(Node("AS", p, x=name, y=None, define=False))
                out[-1].init = [Node("DCL", p, x=name)]
            return None
        if len(left) == 1 and len(right) == 1:
            n = Node("AS", p, x=left[0], y=right[0], define=bool(names))
        else:
            n = Node("AS2", p, lhs=left, rhs=right, define=bool(names))
        define(n, names)
        return n

    def s_Assign(self, s: Tree, out: list[Node]) -> Node | None:
        return self.assignment(s.pos, s.lhs, s.rhs, out)

    def s_DeclStmt(self, s: Tree, out: list[Node]) -> None:
        for d in s.decls:
            if d.kind == "VarDecl":
                n = self.assignment(d.pos, d.names, d.values, out)
                if n is not None:
                    out.append(n)

    def s_If(self, s: Tree, out: list[Node]) -> Node:
        p = self.pos(s.pos)
        init: list[Node] = []
        if s.init is not None:
            self.stmt(s.init, init)
        n = Node("IF", p, x=self.expr(s.cond), body=self.stmts(s.then.stmts), els=[])
        if s.els is not None:
            self.stmt(s.els, n.els)
        n.init = init
        return n

    def s_For(self, s: Tree, out: list[Node]) -> Node:
        p = self.pos(s.pos)
        init = self.one(s.init)
        cond, post = self.optional(s.cond), self.one(s.post)
        n = Node("FOR", p, x=cond, post=post, body=self.stmts(s.body.stmts))
        n.init = [init] if init is not None else []
        return n

    def s_Range(self, s: Tree, out: list[Node]) -> Node:
        p = self.pos(s.pos)
        names: list[Name] = []
        left = [self.target(x, names) for x in s.lhs]
        n = Node("RANGE", p, key=None, val=None, define=bool(names))
        if left:
            n.key = left[0]
        if len(left) > 1:
            n.val = left[1]
        define(n, names)
        n.x = self.expr(s.x)
        n.body = self.stmts(s.body.stmts)
        return n

    def s_Switch(self, s: Tree, out: list[Node]) -> Node:
        p = self.pos(s.pos)
        init = self.one(s.init)
        n = Node("SWITCH", p, x=None, cases=[])
        if s.tag is not None:
            n.x = self.converted(s.tag_type, s.tag)
        for c in s.cases:
            cp = self.pos(c.pos)
            exprs = [self.converted(s.tag_type, x) for x in c.exprs]
            n.cases.append(Node("CASE", cp, var=None, list=exprs, body=self.stmts(c.body)))
        n.init = [init] if init is not None else []
        return n

    def s_TypeSwitch(self, s: Tree, out: list[Node]) -> Node:
        p = self.pos(s.pos)
        init = self.one(s.init)
        guard = Node("TYPESW", self.pos(s.guard_pos), tag=None)
        if s.alias is not None:
            guard.tag = Node("NONAME", self.pos(s.alias.pos), sym=s.alias.name)
        guard.x = self.expr(s.x)
        n = Node("SWITCH", p, x=guard, cases=[])
        methods = bool(T.under(s.x.type).methods)
        for c in s.cases:
            cp = self.pos(c.pos)
            types: list[Node] = []
            for x, t in zip(c.exprs, c.types):
                tp = self.pos(x.pos)
                if t is None:
                    types.append(Node("NIL", tp, s.x.type))
                else:
                    types.append(self.dynamic_type(tp, t) if methods else Node("TYPE", tp, t))
            case = Node("CASE", cp, var=None, list=types)
            if c.var is not None:
                case.var = self.declare(c.var, "AUTO")
                case.var.defn = guard
            case.body = self.stmts(c.body)
            n.cases.append(case)
        n.init = [init] if init is not None else []
        return n

    def s_Select(self, s: Tree, out: list[Node]) -> Node:
        p = self.pos(s.pos)
        cases = []
        for c in s.cases:
            cp = self.pos(c.pos)
            comm = self.one(c.comm)
            body = self.stmts(c.body)
            if comm is not None:
                comm, first = self.communication(comm, cp)
                body = first + body
            cases.append(Node("COMMCASE", cp, comm=comm, body=body))
        return Node("SELECT", p, cases=cases)

    def communication(self, comm: Node, p: XPos) -> tuple[Node, list[Node]]:
        """A select's send or receive in the form that the later passes know, and what of it goes into the clause's body."""
        first: list[Node] = []
        if comm.op == "AS2":
            (received,) = comm.rhs[0].init
            comm.rhs[0].init = []
            received.op = "SELRECV2"
            return received, [comm]
        if comm.op == "AS":
            if not comm.define and comm.y.op == "CONVIFACE":
                recv = comm.y.x
                tmp = self.temp(p, recv.type)
                comm.y.x = tmp
                first = [comm]
                comm = Node("AS", p, x=tmp, y=recv, define=True)
                comm.init = [Node("DCL", p, x=tmp)]
            y = comm.y.x if comm.y.op == "CONVNOP" and comm.y.implicit else comm.y
            made = Node("SELRECV2", comm.pos, lhs=[comm.x, BLANK], rhs=[y], define=comm.define)
            made.init = comm.init
            return made, first
        if comm.op == "RECV":
            return Node("SELRECV2", comm.pos, lhs=[BLANK, BLANK], rhs=[comm], define=False), []
        return comm, []

    def s_Label(self, s: Tree, out: list[Node]) -> None:
        out.append(Node("LABEL", self.pos(s.pos), label=self.label(s.label)))
        if s.stmt is not None:
            self.stmt(s.stmt, out)

    def label(self, name: str) -> str:
        return name if self.inlining is None else f"~{name}·{self.inlining.inl}"

    def s_Branch(self, s: Tree, out: list[Node]) -> Node:
        op = {"break": "BREAK", "continue": "CONTINUE", "goto": "GOTO", "fallthrough": "FALL"}[s.op]
        return Node(op, self.pos(s.pos), label=self.label(s.label) if s.label is not None else None)

    def s_CallStmt(self, s: Tree, out: list[Node]) -> Node:
        p = self.pos(s.pos)
        return Node(s.op.upper(), p, x=self.expr(s.x))

    def s_Return(self, s: Tree, out: list[Node]) -> Node:
        p = self.pos(s.pos)
        tree = self.fn.tree
        types = [v.type for v in tree.result_vars]
        return Node("RETURN", p, list=self.multi(p, s.results, lambda i: types[i]))


def define(n: Node, names: list[Name]) -> None:
    for name in names:
        name.defn = n
    n.init = [Node("DCL", name.pos, x=name) for name in names]

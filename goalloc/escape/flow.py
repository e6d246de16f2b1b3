"""Statements and expressions to flows (cmd/compile/internal/escape: stmt, expr, assign)."""

from __future__ import annotations

from goalloc.escape import types as T
from goalloc.escape.flow_call import CallFlow
from goalloc.escape.fmt import text
from goalloc.escape.graph import Hole
from goalloc.escape.ir import ASSIGNMENTS, Function, Name, Node, is_blank, visit
from goalloc.escape.same import is_self_assign
from goalloc.escape.summary import replay

DISCARD_BOTH = frozenset("ADD SUB OR XOR MUL DIV MOD LSH RSH AND ANDNOT EQ NE LT LE GT GE ANDAND OROR".split())
NOTHING = frozenset("LITERAL NIL TYPE METHEXPR LINKSYM DYNAMICTYPE NONAME".split())
PASSED_ON = frozenset("DOT DOTMETH DOTINTER CONV CONVNOP SLICE2ARRPTR ITAB".split())
STRINGS = frozenset("RUNES2STR BYTES2STR STR2RUNES STR2BYTES RUNESTR".split())
BUILTINS = frozenset(
    "CALLFUNC CALLINTER INLCALL LEN CAP MIN MAX COMPLEX REAL IMAG APPEND COPY RECOVER UNSAFEADD UNSAFESLICE UNSAFESTRING UNSAFESTRINGDATA "
    "UNSAFESLICEDATA".split()
)
CALL_STATEMENTS = frozenset("CALLFUNC CALLINTER INLCALL CLEAR CLOSE COPY DELETE PANIC PRINT PRINTN RECOVER".split())
SILENT = frozenset("FALL INLMARK BREAK CONTINUE GOTO".split())


class Flow(CallFlow):
    """One function's flows, into the batch's graph."""

    def walk(self, fn: Function) -> None:
        self.labels: dict[str, bool] = {}  # whether a goto after the label goes back to it

        def see(n: Node) -> None:
            if n.op == "LABEL":
                self.labels[n.label] = False
            elif n.op == "GOTO" and n.label in self.labels:
                self.labels[n.label] = True

        visit(fn, see)
        self.block(fn.body)

    # Statements

    def block(self, nodes: list[Node]) -> None:
        depth = self.depth
        self.stmts(nodes)
        self.depth = depth

    def stmts(self, nodes: list[Node]) -> None:
        for n in nodes:
            self.stmt(n)

    def stmt(self, n: Node | None) -> None:
        if n is None:
            return
        self.stmts(n.init)
        op = n.op
        if op in SILENT:
            return
        if op in CALL_STATEMENTS:
            self.call(None, n)
        elif op in ASSIGNMENTS and op != "AS2FUNC":
            self.assign(n.lhs, n.rhs, n)
        else:
            getattr(self, "s_" + op)(n)

    def s_BLOCK(self, n: Node) -> None:
        self.stmts(n.list)

    def s_DCL(self, n: Node) -> None:
        if not is_blank(n.x):
            self.declare(n.x)

    def declare(self, name: Name) -> Hole:
        loc = self.location(name)
        loc.depth = self.depth
        return Hole(loc)

    def s_LABEL(self, n: Node) -> None:
        if self.labels.pop(n.label, False):
            self.depth += 1

    def s_IF(self, n: Node) -> None:
        self.discard(n.x)
        self.block(n.body)
        self.block(n.els)

    def s_CHECKNIL(self, n: Node) -> None:
        self.discard(n.x)

    def s_FOR(self, n: Node) -> None:
        self.depth += 1
        self.discard(n.x)
        self.stmt(n.post)
        self.block(n.body)
        self.depth -= 1

    def s_RANGE(self, n: Node) -> None:
        tmp = self.new(None, False)
        self.expr(Hole(tmp), n.x)
        self.depth += 1
        ks = [self.addr(n.key), self.addr(n.val)]
        self.graph.flow(ks[1] if T.kind(n.x.type) == "array" else ks[1].deref(), tmp)
        self.reassigned(ks, n)
        self.block(n.body)
        self.depth -= 1

    def s_SWITCH(self, n: Node) -> None:
        if n.x is not None and n.x.op == "TYPESW":
            ks = []
            if n.x.tag is not None:
                for cas in n.cases:
                    k = self.declare(cas.var)
                    if T.has_pointers(cas.var.type):
                        ks.append(k.dot_type(cas.var.type))
            self.expr(self.tee(ks), n.x.x)
        else:
            self.discard(n.x)
        for cas in n.cases:
            for c in cas.list:
                self.discard(c)
            self.block(cas.body)

    def s_SELECT(self, n: Node) -> None:
        for cas in n.cases:
            self.stmt(cas.comm)
            self.block(cas.body)

    def s_RECV(self, n: Node) -> None:
        self.expr_after_init(self.nowhere(), n)

    def s_SEND(self, n: Node) -> None:
        self.discard(n.x)
        self.expr(self.heap(), n.y)

    def s_AS(self, n: Node) -> None:
        self.assign([n.x], [n.y], n)

    s_ASOP = s_AS

    def s_AS2FUNC(self, n: Node) -> None:
        self.stmts(n.rhs[0].init)
        ks = [self.addr(l) for l in n.lhs]
        self.call(ks, n.rhs[0])
        self.reassigned(ks, n)

    def s_RETURN(self, n: Node) -> None:
        self.assign(list(self.fn.results), n.list, n)

    def s_SUMMARY(self, n: Node) -> None:
        replay(self, n)

    def s_GO(self, n: Node) -> None:
        self.go_defer(n)

    s_DEFER = s_GO

    # Assignment

    def addr(self, n: Node | None) -> Hole:
        """Where a value stored into n goes."""
        if n is None or is_blank(n):
            return self.nowhere()
        op = n.op
        if isinstance(n, Name):
            return self.heap() if n.cls == "EXTERN" else Hole(self.location(n))
        if op == "DOT":
            return self.addr(n.x)
        if op == "INDEX":
            self.discard(n.y)
            if T.kind(n.x.type) == "array":
                return self.addr(n.x)
            self.discard(n.x)
        elif op == "INDEXMAP":
            self.discard(n.x)
            self.expr(self.heap(), n.y)
        elif op != "LINKSYM":
            self.discard(n)
        return self.heap()

    def assign(self, dsts: list[Node], srcs: list[Node], where: Node) -> None:
        ks = [self.addr(d) for d in dsts]
        for i, k in enumerate(ks):
            src = srcs[i] if i < len(srcs) else None
            if src is not None and dsts[i] is not None and is_self_assign(dsts[i], src):
                self.messages.warn(where.pos, f"{self.fn.sym} ignoring self-assignment in {text(where)}")
                k = self.nowhere()
            self.expr(k, src)
        self.reassigned(ks, where)

    def reassigned(self, ks: list[Hole], where: Node) -> None:
        if where.op == "AS" and where.y is None and isinstance(where.x, Name) and where.x.defn is None:
            return  # a declaration without a value
        for k in ks:
            n = k.dst.n
            if isinstance(n, Name) and n.defn is where and where.op != "RANGE":
                continue
            k.dst.reassigned = True

    # Expressions

    def discard(self, n: Node | None) -> None:
        self.expr(self.nowhere(), n)

    def expr(self, k: Hole, n: Node | None) -> None:
        """Evaluates n, its value flowing into k."""
        if n is not None:
            self.stmts(n.init)
            self.expr_after_init(k, n)

    def expr_after_init(self, k: Hole, n: Node) -> None:
        if k.derefs >= 0 and n.type is not None and not T.is_untyped(n.type) and not T.has_pointers(n.type):
            k = Hole(self.graph.blank, k.derefs, k.addrtaken)
        op = n.op
        if op in NOTHING:
            return
        if op in DISCARD_BOTH:
            self.discard(n.x)
            self.discard(n.y)
        elif op in PASSED_ON:
            if op in ("CONV", "CONVNOP") and T.kind(n.type) == "unsafe.Pointer" and T.kind(n.x.type) == "uintptr":
                self.unsafe_value(k, n.x)
            else:
                self.expr(k, n.x)
        elif op in BUILTINS:
            self.call([k], n)
        elif op in STRINGS:
            self.spill(k, n)
            self.discard(n.x)
        else:
            getattr(self, "e_" + op)(k, n)

    def e_NAME(self, k: Hole, n: Name) -> None:
        if n.cls not in ("FUNC", "EXTERN"):
            self.graph.flow(k, self.location(n))

    def e_PLUS(self, k: Hole, n: Node) -> None:
        self.discard(n.x)

    e_NEG = e_BITNOT = e_NOT = e_RECV = e_PLUS

    def e_ADDR(self, k: Hole, n: Node) -> None:
        self.expr(k.addr(), n.x)

    def e_DEREF(self, k: Hole, n: Node) -> None:
        self.expr(k.deref(), n.x)

    e_DOTPTR = e_SLICE2ARR = e_DEREF

    def e_DOTTYPE(self, k: Hole, n: Node) -> None:
        self.expr(k.dot_type(n.type), n.x)

    e_DOTTYPE2 = e_DYNAMICDOTTYPE = e_DYNAMICDOTTYPE2 = e_DOTTYPE

    def e_INDEX(self, k: Hole, n: Node) -> None:
        self.expr(k if T.kind(n.x.type) == "array" else k.deref(), n.x)
        self.discard(n.y)

    def e_INDEXMAP(self, k: Hole, n: Node) -> None:
        self.discard(n.x)
        self.discard(n.y)

    def e_SLICE(self, k: Hole, n: Node) -> None:
        self.expr(k, n.x)
        for i in (n.low, n.high, n.max):
            self.discard(i)

    e_SLICEARR = e_SLICE3 = e_SLICE3ARR = e_SLICESTR = e_SLICE

    def e_CONVIFACE(self, k: Hole, n: Node) -> None:
        if not T.is_interface(n.x.type) and not T.is_direct_iface(n.x.type):
            k = self.spill(k, n)
        self.expr(k, n.x)

    def e_NEW(self, k: Hole, n: Node) -> None:
        self.spill(k, n)

    def e_MAKESLICE(self, k: Hole, n: Node) -> None:
        self.spill(k, n)
        self.discard(n.x)
        self.discard(n.y)

    def e_MAKECHAN(self, k: Hole, n: Node) -> None:
        self.discard(n.x)

    def e_MAKEMAP(self, k: Hole, n: Node) -> None:
        self.spill(k, n)
        self.discard(n.x)

    def e_METHVALUE(self, k: Hole, n: Node) -> None:
        closure = self.spill(k, n)
        ks = [self.heap() for _ in n.sig.results]
        self.expr(self.tee([self.tag_hole(ks, n.func, 0), closure]), n.x)

    def e_PTRLIT(self, k: Hole, n: Node) -> None:
        self.expr(self.spill(k, n), n.x)

    def e_ARRAYLIT(self, k: Hole, n: Node) -> None:
        for e in n.list:
            self.expr(k, e.y if e.op == "KEY" else e)

    def e_SLICELIT(self, k: Hole, n: Node) -> None:
        self.e_ARRAYLIT(self.spill(k, n), n)

    def e_STRUCTLIT(self, k: Hole, n: Node) -> None:
        for e in n.list:
            self.expr(k, e.x)

    def e_MAPLIT(self, k: Hole, n: Node) -> None:
        self.spill(k, n)
        for e in n.list:
            self.expr(self.heap(), e.x)
            self.expr(self.heap(), e.y)

    def e_CLOSURE(self, k: Hole, n: Node) -> None:
        k = self.spill(k, n)
        self.batch.closures.append((k, n))
        fn = n.func
        if fn.hidden:
            for cv in fn.closure_vars:
                loc = self.location(cv)
                if not loc.captured:
                    loc.captured = True
                    if loc.depth == self.depth:
                        loc.reassigned = False  # assignments before the first capture do not count
            for name in fn.dcl:
                if name.loc is None:
                    self.graph.new(name, fn, 1, False)
            self.batch.walk(fn)

    def e_ADDSTR(self, k: Hole, n: Node) -> None:
        self.spill(k, n)
        for x in n.list:
            self.discard(x)

    def unsafe_value(self, k: Hole, n: Node) -> None:
        """A uintptr that becomes a pointer again keeps what it was made from."""
        self.stmts(n.init)
        op = n.op
        if op in ("CONV", "CONVNOP"):
            self.expr(k if T.kind(n.x.type) == "unsafe.Pointer" else self.nowhere(), n.x)
        elif op in ("PLUS", "NEG", "BITNOT"):
            self.unsafe_value(k, n.x)
        elif op in ("LSH", "RSH"):
            self.unsafe_value(k, n.x)
            self.discard(n.y)
        elif op in DISCARD_BOTH:
            self.unsafe_value(k, n.x)
            self.unsafe_value(k, n.y)
        else:
            self.expr_after_init(self.nowhere(), n)

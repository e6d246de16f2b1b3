"""Calls to flows: arguments by the callee's tags, builtins, go and defer (cmd/compile/internal/escape: call)."""

from __future__ import annotations

from typing import Any

from goalloc.escape import types as T
from goalloc.escape.build_expr import temporary
from goalloc.escape.graph import Graph, Hole, Location
from goalloc.escape.ir import Function, Name, Node, static_value
from goalloc.escape.leaks import RESULTS, Leaks
from goalloc.escape.messages import Messages
from goalloc.escape.unit import TAGGED


class CallFlow:
    batch: Any
    graph: Graph
    messages: Messages
    fn: Function
    depth: int

    def __init__(self, batch: Any, fn: Function) -> None:
        self.batch, self.graph, self.messages, self.fn, self.depth = batch, batch.graph, batch.messages, fn, 1

    def expr(self, k: Hole, n: Node | None) -> None:
        raise NotImplementedError

    def stmts(self, nodes: list[Node]) -> None:
        raise NotImplementedError

    # Holes and locations

    def heap(self) -> Hole:
        return Hole(self.graph.heap)

    def nowhere(self) -> Hole:
        return Hole(self.graph.blank)

    def new(self, n: Node | None, transient: bool) -> Location:
        return self.graph.new(n, self.fn, self.depth, transient)

    def location(self, name: Name) -> Location:
        loc = name.canonical.loc
        assert loc is not None, f"{name.sym} has no location"
        return loc

    def spill(self, k: Hole, n: Node) -> Hole:
        """A location for what n allocates; its address flows to k."""
        loc = self.new(n, True)
        self.graph.flow(k.addr(), loc)
        return Hole(loc)

    def tee(self, ks: list[Hole]) -> Hole:
        """A hole that flows into each of ks."""
        if not ks:
            return self.nowhere()
        if len(ks) == 1:
            return ks[0]
        loc = self.new(None, True)
        for k in ks:
            self.graph.flow(k, loc)
        return Hole(loc)

    def later(self, k: Hole) -> Hole:
        loc = self.new(None, False)
        self.graph.flow(k, loc)
        return Hole(loc)

    # Calls

    def call(self, ks: list[Hole] | None, n: Node, wrapper: Function | None = None, init: list[Node] | None = None) -> None:
        op = n.op
        if op in ("CALLFUNC", "CALLINTER"):
            self.call_function(ks, n, wrapper, init)
        elif op == "INLCALL":
            self.stmts(n.body)
            for i, r in enumerate(n.list):
                self.expr(ks[i] if ks is not None else self.nowhere(), r)
        else:
            getattr(self, "b_" + op)(ks, n, wrapper)

    def argument(self, k: Hole, holder: Any, key: Any, n: Node, wrapper: Function | None, fn: Any = None) -> None:
        """The argument holder[key] flows into k; a go or defer wrapper captures it first."""
        arg = holder[key] if isinstance(holder, list) else getattr(holder, key)
        if wrapper is not None:
            if arg.op == "SLICELIT":
                for i, e in enumerate(arg.list):
                    if e.op == "KEY":
                        e.y = self.wrap(arg.pos, e.y, n, wrapper)
                    else:
                        arg.list[i] = self.wrap(arg.pos, e, n, wrapper)
            else:
                arg = self.wrap(n.pos, arg, n, wrapper)
        self.expr(k, arg)

    def wrap(self, pos: Any, arg: Node, call: Node, wrapper: Function) -> Node:
        if arg.op in ("LITERAL", "NIL", "METHEXPR") or (isinstance(arg, Name) and arg.cls == "FUNC"):
            return arg
        tmp = temporary(self.fn, pos, arg.type)
        self.new(tmp, False)
        set_ = Node("AS", pos, x=tmp, y=arg, define=False)
        tmp.defn = set_
        self.stmts([Node("DCL", pos, x=tmp), set_])
        self.location(tmp).captured = True
        cv = Name(tmp.sym, pos, tmp.type, "AUTOHEAP", wrapper)
        cv.outer, cv.defn = tmp, tmp
        wrapper.closure_vars.append(cv)
        return cv

    def call_function(self, ks: list[Hole] | None, n: Node, wrapper: Function | None, init: list[Node] | None) -> None:
        fn: Function | None = None
        if n.op == "CALLFUNC":
            if n.x.op == "CLOSURE":
                n.x.func.closure_called = True
            v = static_value(n.x)
            if v.op == "METHEXPR" or v.op == "CLOSURE" or (isinstance(v, Name) and v.cls == "FUNC"):
                fn = v.func
        if ks is not None and fn is not None and self.in_batch(fn):
            for i, r in enumerate(fn.results):
                self.expr(ks[i], r)
        args = n.args
        count = len(args)
        at = 0
        if n.op == "CALLFUNC":
            self.argument(self.nowhere(), n, "x", n, wrapper)
        else:
            self.argument(self.heap(), n.x, "x", n, wrapper)
        for i in range(at, count):
            self.argument(self.tag_hole(ks, fn, i), args, i, n, wrapper, fn)

    def in_batch(self, fn: Function) -> bool:
        return fn.library is None and fn.esc < TAGGED

    def tag_hole(self, ks: list[Hole] | None, fn: Function | None, i: int) -> Hole:
        """Where argument i (a method's receiver is 0) of a call of fn flows; fn is None where it is not known."""
        if fn is None:
            return self.heap()
        if self.in_batch(fn):
            name = fn.params[i]
            return self.nowhere() if name is None or name.sym == "_" else Hole(self.location(name))
        tag: Leaks = fn.tags[i]
        out = []
        if tag.heap >= 0:
            out.append(self.heap().shift(tag.heap))
        if ks is not None:
            out.extend(ks[r].shift(tag.results[r]) for r in range(RESULTS) if tag.results[r] >= 0)
        return self.tee(out)

    # Builtins

    def b_APPEND(self, ks: list[Hole] | None, n: Node, wrapper: Any) -> None:
        assert ks is not None
        k = ks[0]
        pointers = T.has_pointers(T.under(n.args[0].type).elem)
        if pointers:
            k = self.tee([k, self.heap().deref()])
        self.argument(k, n.args, 0, n, wrapper)
        if n.dots:
            t = T.under(n.args[1].type)
            k = self.heap().deref() if t.kind == "slice" and T.has_pointers(t.elem) else self.nowhere()
            self.argument(k, n.args, 1, n, wrapper)
        else:
            for i in range(1, len(n.args)):
                self.argument(self.heap(), n.args, i, n, wrapper)

    def b_COPY(self, ks: list[Hole] | None, n: Node, wrapper: Any) -> None:
        self.argument(self.nowhere(), n, "x", n, wrapper)
        t = T.under(n.y.type)
        k = self.heap().deref() if t.kind == "slice" and T.has_pointers(t.elem) else self.nowhere()
        self.argument(k, n, "y", n, wrapper)

    def b_PANIC(self, ks: list[Hole] | None, n: Node, wrapper: Any) -> None:
        self.argument(self.heap(), n, "x", n, wrapper)

    def b_COMPLEX(self, ks: list[Hole] | None, n: Node, wrapper: Any) -> None:
        self.argument(self.nowhere(), n, "x", n, wrapper)
        self.argument(self.nowhere(), n, "y", n, wrapper)

    def b_DELETE(self, ks: list[Hole] | None, n: Node, wrapper: Any) -> None:
        for i in range(len(n.args)):
            self.argument(self.nowhere(), n.args, i, n, wrapper)

    b_PRINT = b_PRINTN = b_RECOVER = b_DELETE

    def b_MIN(self, ks: list[Hole] | None, n: Node, wrapper: Any) -> None:
        for i in range(len(n.args)):
            self.argument(ks[0] if ks is not None else self.nowhere(), n.args, i, n, wrapper)

    b_MAX = b_MIN

    def b_LEN(self, ks: list[Hole] | None, n: Node, wrapper: Any) -> None:
        self.argument(self.nowhere(), n, "x", n, wrapper)

    b_CAP = b_REAL = b_IMAG = b_CLOSE = b_CLEAR = b_LEN

    def b_UNSAFESLICEDATA(self, ks: list[Hole] | None, n: Node, wrapper: Any) -> None:
        assert ks is not None
        self.argument(ks[0], n, "x", n, wrapper)

    b_UNSAFESTRINGDATA = b_UNSAFESLICEDATA

    def b_UNSAFEADD(self, ks: list[Hole] | None, n: Node, wrapper: Any) -> None:
        assert ks is not None
        self.argument(ks[0], n, "x", n, wrapper)
        self.argument(self.nowhere(), n, "y", n, wrapper)

    b_UNSAFESLICE = b_UNSAFESTRING = b_UNSAFEADD

    # go and defer

    def go_defer(self, n: Node) -> None:
        k = self.heap()
        if n.op == "DEFER" and self.depth == 1:
            k = self.later(self.nowhere())
        call = n.x
        init, call.init = call.init, []
        self.stmts(init)
        if call.op == "CALLFUNC":
            sig = call.x.type
            if sig.kind == "func" or T.kind(sig) == "func":
                sig = T.under(sig)
                if not sig.params and not sig.results:
                    self.expr(k, call.x)
                    return
        fn = Function(self.fn.sym + ".wrap", n.pos, T.func([], []))
        fn.wrapper = fn.hidden = True
        node = Node("CLOSURE", n.pos, fn.type, func=fn)
        fn.closure = node
        self.call(None, call, fn)
        self.batch.closures.append((self.spill(k, node), node))

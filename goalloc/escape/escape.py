"""Escape analysis of a package: components of the call graph, callees first, each solved as one graph.

What a function does with its parameters becomes its tags (leaks.py), by which its callers are analysed; functions of one
component flow into each other directly (cmd/compile/internal/escape/escape.go).
"""

from __future__ import annotations

from typing import Any

from goalloc.escape import types as T
from goalloc.escape.flow import Flow
from goalloc.escape.fmt import text
from goalloc.escape.graph import Graph, Hole, heap_reason
from goalloc.escape.ir import Function, Name, Node, XPos
from goalloc.escape.leaks import RESULTS, Leaks, to_heap
from goalloc.escape.messages import Messages
from goalloc.escape.unit import TAGGED


class Batch:
    """The functions of one component, and their closures."""

    def __init__(self, messages: Messages) -> None:
        self.graph = Graph()
        self.messages = messages
        self.closures: list[tuple[Hole, Node]] = []
        self.allocations: list[tuple[Function, Node, bool]] = []  # in which declaration, what, whether on the heap

    def run(self, functions: list[Function]) -> None:
        for fn in functions:
            fn.esc = 1
            for name in fn.dcl:
                self.graph.new(name, fn, 1, False)
            for i, name in enumerate(fn.results):
                if name.loc is not None:
                    name.loc.result = i + 1
        for fn in functions:
            if not fn.hidden:
                self.walk(fn)
        for k, closure in self.closures:
            self.flow_closure(k, closure)
        for loc in self.graph.locations:
            if heap_reason(loc.n):
                self.graph.flow(Hole(self.graph.heap).addr(), loc)
        self.graph.solve()
        self.finish(functions)

    def walk(self, fn: Function) -> None:
        fn.esc = 2
        Flow(self, fn).walk(fn)

    def flow_closure(self, k: Hole, closure: Node) -> None:
        """A variable that is never assigned again, small, without its address taken, is captured by value; others by reference."""
        for cv in closure.func.closure_vars:
            n = cv.canonical
            loc = n.loc
            n.byval = not loc.addrtaken and not loc.reassigned and T.size(n.type) <= 128
            self.graph.flow(k if n.byval else k.addr(), loc)

    def finish(self, functions: list[Function]) -> None:
        for fn in functions:
            fn.esc = TAGGED
            fn.tags = [self.tag(fn, i, f) for i, f in enumerate(fn.param_fields)]
        for loc in self.graph.locations:
            n = loc.n
            if n is None:
                continue
            if loc.fn is not None and not (isinstance(n, Name) and not loc.escapes):
                self.allocations.append((loc.fn.root, n, loc.escapes))
            wrapper = n.op == "CLOSURE" and n.func.wrapper
            if isinstance(n, Name):
                n.loc = None
                if loc.escapes:
                    self.messages.warn(n.pos, f"moved to heap: {text(n)}")
            elif not wrapper and not (n.op == "OPAQUE" and not n.text):
                self.messages.warn(n.pos, f"{text(n)} {'escapes to heap' if loc.escapes else 'does not escape'}")

    def tag(self, fn: Function, i: int, f: Any) -> Leaks:
        """How parameter i leaks, with the message that says so."""
        quiet = fn.wrapper
        warn = self.messages.warn
        name = f.name if f.name else f"arg#{i + 1}"
        pos = XPos(*f.pos)
        if not fn.body:
            if not T.has_pointers(f.type):
                if T.kind(f.type) == "uintptr":
                    warn(pos, f"assuming {name} is unsafe uintptr")
                return to_heap()
            if "go:noescape" in fn.pragmas:
                if f.name:
                    warn(pos, f"{name} does not escape")
                return Leaks()
            if f.name:
                warn(pos, f"leaking param: {name}")
            return to_heap()
        if not T.has_pointers(f.type):
            return to_heap()
        if not f.name or f.name == "_":
            return Leaks()
        loc = fn.params[i].loc  # type: ignore[union-attr]
        leaks = loc.leaks
        leaks.optimize()
        if not quiet and not loc.escapes:
            if leaks.empty:
                warn(pos, f"{name} does not escape")
            if leaks.heap >= 0:
                warn(pos, f"leaking param{' content' if leaks.heap > 0 else ''}: {name}")
            for r in range(RESULTS):
                if leaks.results[r] >= 0:
                    warn(pos, f"leaking param: {name} to result {_result_name(fn, r)} level={leaks.results[r]}")
        if loc.escapes:
            return to_heap() if leaks.heap == 0 else leaks
        return leaks


def _result_name(fn: Function, i: int) -> str:
    return fn.results[i].sym

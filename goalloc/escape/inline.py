"""Inlining by Go 1.21's rules: a body of at most 80 nodes, calls counting 57 more unless they are inlined themselves.

Components of the call graph are visited callees first. In each, first every function's cost is counted on its body before
inlining; then calls are replaced, outer bodies first, then the calls inside what was inlined (cmd/compile/internal/inline).
The messages ("can inline f", "inlining call to f") come in that order.
"""

from __future__ import annotations

from goalloc.escape import types as T
from goalloc.escape.ir import Function, Node, any_node, bottom_up, children, edit_children, static_value
from goalloc.escape.summary import inline_summary
from goalloc.escape.tree import Refused
from goalloc.escape.unit import Inl, Unit, delay_results

BUDGET = 80
CALL_COST = 57
PANIC_COST = 1
CLOSURE_COST = 15
BIG_FUNCTION_NODES = 5000
BIG_FUNCTION_MAX_COST = 20
FREE = ("FALL", "TYPE")
CHEAP_METHODS = {
    f"binary.{order}.{verb}Uint{bits}" for order in ("littleEndian", "bigEndian") for verb in ("", "Put", "Append") for bits in (16, 32, 64)
}


class TooHairy(Exception):
    pass


class Inliner:
    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.current: Function
        self.budget = 0
        self.big = False
        self.made: list[Node] = []

    def run(self) -> None:
        bottom_up(list(self.unit.functions), self.component)

    def component(self, nodes: list[Function], recursive: bool) -> None:
        count = sum(fn.closure is None for fn in nodes)
        for fn in nodes:
            if not recursive or count > 1:
                self.can_inline(fn)
        for fn in nodes:
            self.inline_calls(fn)

    # What can be inlined

    def can_inline(self, fn: Function) -> None:
        if fn.library is not None or not fn.body or "go:noinline" in fn.pragmas:
            return
        if fn.checked:
            return
        fn.checked = True
        cost = self.cost(fn)
        if cost is None:
            return
        fn.inl = Inl(cost, delay_results(fn))
        self.unit.messages.warn(fn.pos, f"can inline {fn.sym}")

    def cost(self, fn: Function) -> int | None:
        """The nodes of the body as the budget counts them; None above the budget or for what is never inlined."""
        self.budget = BUDGET
        try:
            for n in fn.body:
                self.count(n)
        except TooHairy:
            return None
        return BUDGET - self.budget

    def count(self, n: Node) -> None:
        op = n.op
        if op in FREE:
            return
        special = getattr(self, "n_" + op, None)
        if special is not None and special(n):
            return
        self.budget -= 1
        if self.budget < 0:
            raise TooHairy
        for c in children(n):
            self.count(c)

    def n_CALLFUNC(self, n: Node) -> None:
        x = n.x
        if x.op == "NAME" and x.cls == "FUNC" and x.sym == "runtime.throw":
            self.budget -= BUDGET
            return
        if x.op == "METHEXPR" and x.func is not None and x.func.sym in CHEAP_METHODS:
            return
        if x.op == "NAME" and x.cls == "FUNC" and x.func.intrinsic:
            return
        fn = self.callee(x)
        if fn is not None and fn.inl is not None:
            self.budget -= fn.inl.cost
            return
        self.budget -= CALL_COST

    def n_CALLINTER(self, n: Node) -> None:
        self.budget -= CALL_COST

    def n_PANIC(self, n: Node) -> None:
        if n.x.op == "CONVIFACE" and n.x.implicit:
            self.budget += 1
        self.budget -= PANIC_COST

    def n_RECOVER(self, n: Node) -> None:
        raise TooHairy

    n_GO = n_DEFER = n_RECOVER

    def n_CLOSURE(self, n: Node) -> None:
        self.budget -= CLOSURE_COST

    def n_ADDR(self, n: Node) -> None:
        x = n.x
        if x.op in ("DOT", "DOTPTR") and x.x.op == "NAME" and x.offset == 0:
            self.budget += 2

    def n_DEREF(self, n: Node) -> None:
        x = n.x
        while x.op == "CONVNOP":
            x = x.x
        if x.op == "ADDR":
            self.budget += 1

    def n_CONVNOP(self, n: Node) -> None:
        self.budget += 1

    n_BLOCK = n_METHEXPR = n_CONVNOP

    def n_METHVALUE(self, n: Node) -> None:
        self.budget -= 1

    n_SLICELIT = n_METHVALUE

    def n_IF(self, n: Node) -> bool:
        if n.x.op != "LITERAL" or not isinstance(n.x.value, bool):
            return False
        for c in (*n.init, *(n.body if n.x.value else n.els)):
            self.count(c)
        return True

    def n_AS2(self, n: Node) -> None:
        if n.rhs and len(n.rhs[0].init) == 1 and n.rhs[0].init[0].op.startswith("AS2"):
            self.budget += 4 * len(n.lhs) + 1

    def callee(self, x: Node) -> Function | None:
        """The function that a callee expression is known to be."""
        x = static_value(x)
        if x.op == "NAME" and x.known_inside:
            raise Refused((x.pos.line, x.pos.col), "calls a function that a library function returned")
        if x.op == "METHEXPR":  # not where a wrapper changes the receiver
            return x.func if x.func is not None and T.identical(x.func.object.recv, x.x.type) else None
        if x.op == "NAME" and x.cls == "FUNC":
            return x.func
        if x.op == "CLOSURE":
            saved = self.budget
            self.can_inline(x.func)
            self.budget = saved
            return x.func
        return None

    # Inlining calls

    def inline_calls(self, fn: Function) -> None:
        self.current = fn
        self.big = is_big(fn)
        self.made = []
        edit_children(fn, self.edit)
        while self.made:
            n = self.made.pop(0)
            edit_children(n, self.edit)
            for sym, below in n.__dict__.get("nested", ()):  # calls that a library function's body makes
                self.unit.messages.warn(n.pos, f"inlining call to {sym}")
                self.made.append(Node("NESTED", n.pos, nested=below))

    def edit(self, n: Node) -> Node:
        if n.op in ("GO", "DEFER"):
            if n.x.op == "CALLFUNC":
                n.x.no_inline = True
        elif n.op == "CLOSURE":
            return n
        edit_children(n, self.edit)
        if n.op == "CALLFUNC" and not n.no_inline and not (n.x.op == "NAME" and n.x.cls == "FUNC" and n.x.func.intrinsic):
            fn = self.callee(n.x)
            if fn is not None and fn.inl is not None:
                return self.call(n, fn)
        return n

    def call(self, n: Node, fn: Function) -> Node:
        unit = self.unit
        if fn.inl.cost > (BIG_FUNCTION_MAX_COST if self.big else BUDGET) or fn is self.current:
            return n
        parent = n.pos.inl
        if any(unit.inlinings[i][1] is fn for i in unit.parents(parent)):
            return n
        unit.inlinings.append((parent, fn, fn.sym))
        unit.messages.warn(n.pos, f"inlining call to {fn.sym}")
        inl = len(unit.inlinings) - 1
        if fn.library is not None:
            made = self.library(n, fn)
        else:
            made = unit.inline_body(n, fn, inl, self.current)
        self.made.append(made)
        return made

    def library(self, n: Node, fn: Function) -> Node:
        made = inline_summary(n, fn, self.current)
        if self.big and made.nested:
            raise Refused((n.pos.line, n.pos.col), f"calls {fn.sym} in a very large function")
        return made


def is_big(fn: Function) -> bool:
    budget = BIG_FUNCTION_NODES

    def test(n: Node) -> bool:
        nonlocal budget
        if n.op == "AS2" and n.rhs and len(n.rhs[0].init) == 1 and n.rhs[0].init[0].op.startswith("AS2"):
            budget += 4 * len(n.lhs) + 1
        budget -= 1
        return budget <= 0

    return any_node(fn, test)

"""Package variables: what is laid out as data needs no code and no message; the rest runs in the package's init function.

Assignments are put into the language's order: always the first one that waits for no other. After inlining, staticinit.py
takes out what is data (cmd/compile/internal/pkginit).
"""

from __future__ import annotations

from goalloc.escape import types as T
from goalloc.escape.build import Builder
from goalloc.escape.build_expr import multi_op
from goalloc.escape.ir import Function, Node, XPos, any_node, children, visit_list
from goalloc.escape.staticinit import effect
from goalloc.escape.tree import Tree
from goalloc.escape.unit import Unit


OUTLINED = 20  # nodes from which on a map is made in a function of its own


class Initialiser:
    """The function that gives package variables their values, after all others of the unit; none where nothing has to run."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.fn = Function("init", XPos(1, 1), T.func([], []))
        self.fn.package = self.fn.checked = True
        self.fn.tree = Tree("FuncDecl", (1, 1), param_vars=[], result_vars=[])
        self.builder = Builder(unit, self.fn, None)
        self.todo: list[Node] = []
        self.maps = -1

    def add(self, d: Tree) -> None:
        """A declaration of variables; its function literals join the unit here."""
        self.todo.extend(_assignments(self.builder, d))

    def finish(self) -> None:
        self.fn.body = [n for n in _ordered(self.todo) if n.op != "AS" or n.y is not None]
        if self.fn.body:
            self.unit.functions.append(self.fn)
        for i, n in enumerate(self.fn.body):
            if n.op == "AS" and n.x.sym != "_" and T.kind(n.x.type) == "map" and not any_node(n.y, effect) and _count(n.y) >= OUTLINED:
                self.fn.body[i] = self.outlined(n)

    def outlined(self, n: Node) -> Node:
        """A large map is made in a function of its own, which the linker drops with the map."""
        self.maps += 1
        fn = Function(f"map.init.{self.maps}", n.pos, T.func([], []))
        fn.checked = True
        fn.tree = self.fn.tree
        fn.body = [n]
        self.unit.functions.append(fn)
        return Node("CALLFUNC", n.pos, T.tuple_of([]), x=fn.name, args=[], dots=False, no_inline=False)


def _count(n: Node) -> int:
    return 1 + sum(_count(c) for c in children(n))


def _assignments(b: Builder, d: Tree) -> list[Node]:
    p = b.pos(d.pos)
    names: list[Node] = [b.unit.global_name(v) for v in d.vars]
    if not d.values:  # nothing to run, but others wait for it
        return [Node("AS", p, x=name, y=None, define=False) for name in names]
    if len(d.values) < len(names):
        n = Node("AS2", p, lhs=names, rhs=[b.expr(d.values[0])], define=False)
        multi_op(n)
        return [n]
    out = []
    for name, x in zip(names, d.values):
        value = b.expr(x)
        if name.type is not None and not T.is_untyped(x.type) and not T.identical(x.type, name.type):
            value = b.conv(p, name.type, value, True)
        out.append(Node("AS", p, x=name, y=value, define=False))
    return out


def _ordered(todo: list[Node]) -> list[Node]:
    """By dependency: always the first declared one whose values need no variable that is still to come."""
    needs = [(n, {id(l) for l in (n.lhs if n.op != "AS" else [n.x])}, _references(n)) for n in todo]
    out: list[Node] = []
    while needs:
        waiting = {i for _, own, _ in needs for i in own}
        at = next((k for k, (_, own, refs) in enumerate(needs) if not (refs & waiting) - own), 0)
        out.append(needs.pop(at)[0])
    return out


def _references(n: Node) -> set[int]:
    """The package variables that an assignment's values use, through the functions that they use."""
    seen: set[int] = set()
    out: set[int] = set()

    def see(x: Node) -> None:
        if x.op == "NAME" and x.cls == "EXTERN":
            out.add(id(x))
        func = x.__dict__.get("func")
        if isinstance(func, Function) and id(func) not in seen:
            seen.add(id(func))
            visit_list(func.body, see)

    visit_list(n.rhs if n.op != "AS" else [n.y] if n.y is not None else [], see)
    return out

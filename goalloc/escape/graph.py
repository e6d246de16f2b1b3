"""The graph of flows: a location for every variable and allocation, an edge for every assignment.

An edge's weight is the number of dereferences minus the number of address-ofs on the way:

    p = &q   -1        p = q   0        p = *q   1

A location whose address flows to one that outlives it must be on the heap (cmd/compile/internal/escape: graph, solve).
"""

from __future__ import annotations

from typing import Any

from goalloc.escape import types as T
from goalloc.escape.ir import Function, Name, Node
from goalloc.escape.leaks import RESULTS, Leaks
from goalloc.escape.types import Type

MAX_STACK = 10 << 20
MAX_IMPLICIT = 64 << 10


class Location:
    """A variable (n is a Name), an allocating expression (n is its node) or a temporary of the analysis (n is None)."""

    def __init__(self, n: Node | None, fn: Function | None, depth: int, transient: bool) -> None:
        self.n, self.fn, self.depth, self.transient = n, fn, depth, transient
        self.edges: list[tuple[Location, int]] = []  # where its value comes from, and with how many dereferences
        self.result = 0  # 1 for the first result
        self.derefs = self.generation = 0
        self.queued = self.escapes = self.captured = self.reassigned = self.addrtaken = False
        self.leaks = Leaks()
        cls = n.cls if isinstance(n, Name) else ""
        self.is_param, self.is_result = cls == "PARAM", cls == "PARAMOUT"


class Hole:
    """Where an expression's value goes: a location, after a number of dereferences."""

    __slots__ = ("dst", "derefs", "addrtaken")

    def __init__(self, dst: Location, derefs: int = 0, addrtaken: bool = False) -> None:
        self.dst, self.derefs, self.addrtaken = dst, derefs, addrtaken

    def shift(self, by: int) -> Hole:
        return Hole(self.dst, self.derefs + by, by < 0)

    def deref(self) -> Hole:
        return self.shift(1)

    def addr(self) -> Hole:
        return self.shift(-1)

    def dot_type(self, t: Type) -> Hole:
        return self if T.is_interface(t) or T.is_direct_iface(t) else self.shift(1)


class Graph:
    """The locations of one batch of functions, with the heap and the blank, which takes and forgets everything."""

    def __init__(self) -> None:
        self.locations: list[Location] = []
        self.heap = Location(None, None, 0, False)
        self.heap.escapes = True
        self.blank = Location(None, None, 0, False)

    def new(self, n: Node | None, fn: Function, depth: int, transient: bool) -> Location:
        loc = Location(n, fn, depth, transient)
        self.locations.append(loc)
        if isinstance(n, Name):
            n.loc = loc
        return loc

    def flow(self, k: Hole, src: Location) -> None:
        if k.addrtaken:
            src.addrtaken = True
        dst = k.dst
        if dst is self.blank or (dst is src and k.derefs >= 0):
            return
        if dst.escapes and k.derefs < 0:
            src.escapes = True
            return
        dst.edges.append((src, k.derefs))

    # Solving

    def solve(self) -> None:
        """Walks from every location, and again from each that turns out to escape, until nothing changes."""
        todo: list[Location] = []

        def enqueue(loc: Location) -> None:
            if not loc.queued:
                loc.queued = True
                todo.append(loc)

        for loc in self.locations:
            enqueue(loc)
        enqueue(self.heap)
        generation = 0
        while todo:
            root = todo.pop()
            root.queued = False
            generation += 1
            self.walk(root, generation, enqueue)

    def walk(self, root: Location, generation: int, enqueue: Any) -> None:
        """Fewest dereferences from root to everything that flows to it (Bellman-Ford; counts on the way are not below 0)."""
        root.generation, root.derefs = generation, 0
        todo = [root]
        while todo:
            l = todo.pop()
            derefs = l.derefs
            address = derefs < 0
            if address:
                derefs = 0
                if not root.transient and l.transient:
                    l.transient = False
                    enqueue(l)
            if outlives(root, l):
                if l.is_param:
                    _leak(l, root, derefs)
                if address and not l.escapes:
                    l.escapes = True
                    enqueue(l)
                    continue
            for src, weight in l.edges:
                if src.escapes:
                    continue
                d = derefs + weight
                if src.generation != generation or src.derefs > d:
                    src.generation, src.derefs = generation, d
                    todo.append(src)


def _leak(param: Location, sink: Location, derefs: int) -> None:
    if not sink.escapes and sink.is_result and sink.fn is param.fn and sink.result - 1 < RESULTS:
        param.leaks.add_result(sink.result - 1, derefs)
    else:
        param.leaks.add_heap(derefs)


def outlives(l: Location, other: Location) -> bool:
    """Whether what is stored in l may live longer than other does on the stack."""
    if l.escapes:
        return True
    if l.is_result:
        return not (contains(other.fn, l.fn) and l.fn.closure_called)  # type: ignore[union-attr]
    if l.fn is other.fn and l.depth < other.depth:
        return True
    return contains(l.fn, other.fn)


def contains(f: Function | None, c: Function | None) -> bool:
    """Whether c is a closure inside f; by name, as in the compiler."""
    return f is not c and f is not None and c is not None and c.sym.startswith(f.sym + ".")


def heap_reason(n: Node | None) -> bool:
    """Whether an allocation can only be on the heap: too large for the stack, or of a size not known."""
    if n is not None and n.op == "OPAQUE":
        return n.heap
    if n is None or n.type is None:
        return False
    if isinstance(n, Name) and n.cls in ("PARAM", "PARAMOUT"):
        return False
    if T.size(n.type) > MAX_STACK:
        return True
    if n.op in ("NEW", "PTRLIT") and T.size(T.under(n.type).elem) > MAX_IMPLICIT:
        return True
    if n.op == "CLOSURE" and closure_size(n.func) > MAX_IMPLICIT:
        return True
    if n.op == "METHVALUE" and 8 + T.size(n.x.type) > MAX_IMPLICIT:
        return True
    if n.op == "MAKESLICE":
        r = n.y if n.y is not None else n.x
        if r.op != "LITERAL" or not isinstance(r.value, int) or not -(1 << 31) <= r.value < 1 << 31:
            return True
        size = T.size(T.under(n.type).elem)
        return size != 0 and r.value > MAX_IMPLICIT // size
    return False


def closure_size(fn: Function) -> int:
    return 8 + sum(T.size(v.type) if v.canonical.byval else 8 for v in fn.closure_vars)  # type: ignore[arg-type]

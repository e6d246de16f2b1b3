"""What inlining a library function adds to its caller's graph, recorded once and replayed at every call.

The flows of a body do not depend on where it is inlined, only its variables and positions do. So a body is a list of
steps on numbered locations:

    ["new", text, depth, transient, heap, function, result]
                                            an allocation, as messages spell it, or null; depth: loops around it in the body;
                                            function: 0, or which of the body's function literals it is in (their names are in
                                            `functions`, without the caller's); result: of that literal
    ["flow", dst, derefs, addrtaken, src]   dst and src: "heap", "blank", or a location's number
    ["say", message]                        what the walk says, after the name of the function that it is in

Numbers count the body's variables first (parameters, results, locals, in `vars` as [name, bytes, has pointers, depth]), then
allocations and temporaries in the order of their making. A function whose flows do depend on its arguments (it calls one of
them, or asserts what an interface holds) has no summary; calls of it are refused.
"""

from __future__ import annotations

from typing import Any

from goalloc.escape import types as T
from goalloc.escape.graph import Hole, Location
from goalloc.escape.ir import BLANK, Function, Name, Node
from goalloc.escape.tree import Refused
from goalloc.escape.types import Type


def opaque(size: int, pointers: bool) -> Type:
    """A type reduced to its size and pointers."""
    if pointers:
        return Type("array", elem=T.UNSAFE_POINTER, len=max(1, size // 8))
    return Type("array", elem=T.BYTE, len=size)


def inline_summary(call: Node, fn: Function, caller: Function) -> Node:
    """The INLCALL node that a call of a library function becomes."""
    body = fn.library.get("body")
    if body is None:
        raise Refused((call.pos.line, call.pos.col), f"calls {fn.sym}, whose inlined body is not in the table")
    p = call.pos
    names: list[Name] = []
    params = [None if v is None else v for v in body["params"]]
    for sym, size, pointers, _ in body["vars"]:
        name = Name(sym, p, opaque(size, pointers), "AUTO", caller)
        names.append(name)
        caller.dcl.append(name)
    init, call.init = call.init, []
    lhs = [BLANK if i is None else names[i] for i in params]
    as2 = Node("AS2", p, lhs=lhs, rhs=list(call.args), define=True)
    for name in lhs:
        if name is not BLANK:
            name.defn = as2
    results = [names[i] for i in body["results"]]
    for name, f in zip(results, T.under(fn.type).results):
        name.type = f.type
        name.known_inside = body["static"]
    steps = Node(
        "SUMMARY", p, steps=body["steps"], names=names, depths=[v[3] for v in body["vars"]], deeper=body["deeper"], data=body["data"]
    )
    steps.functions = body["functions"]
    made = Node("INLCALL", p, call.type, body=[steps], list=results)
    made.init = [*init, as2]
    made.nested = body["nested"]
    caller.closgen += body["literals"]
    return made


def replay(flow: Any, n: Node) -> None:
    """The steps of a SUMMARY node, in the function that `flow` walks."""
    graph = flow.graph
    locations: list[Location] = []
    functions = [flow.fn]
    for suffix, called in n.functions:
        fn = Function(flow.fn.sym + suffix, n.pos, T.func([], []))
        fn.root, fn.closure_called = flow.fn.root, called
        functions.append(fn)
    for name, depth in zip(n.names, n.depths):
        loc = flow.location(name)
        loc.depth = flow.depth + depth
        locations.append(loc)

    def at(i: Any) -> Location:
        return graph.heap if i == "heap" else graph.blank if i == "blank" else locations[i]

    for step in n.steps:
        if step[0] == "new":
            _, text, depth, transient, heap, inside, result = step
            node = Node("OPAQUE", n.pos, text=text, heap=heap) if text is not None or heap else None
            loc = graph.new(node, functions[inside], depth + 1 if inside else flow.depth + depth, transient)
            loc.is_result = result
            locations.append(loc)
        elif step[0] == "say":
            flow.messages.warn(n.pos, f"{flow.fn.sym} {step[1]}")
        else:
            _, dst, derefs, addrtaken, src = step
            graph.flow(Hole(at(dst), derefs, addrtaken), at(src))
    flow.depth += n.deeper

"""Interface calls on a value of known type become direct calls of the method (cmd/compile/internal/devirtualize)."""

from __future__ import annotations

from goalloc.escape import types as T
from goalloc.escape.fmt import text
from goalloc.escape.ir import Function, Node, static_value, visit_list
from goalloc.escape.lookup import find
from goalloc.escape.tree import Refused
from goalloc.escape.unit import Unit


def devirtualize(unit: Unit, fn: Function) -> None:
    deferred: set[int] = set()

    def see(n: Node) -> None:
        if n.op in ("GO", "DEFER"):
            deferred.add(id(n.x))
        elif n.op == "CALLINTER" and id(n) not in deferred:
            _call(unit, n)

    visit_list(fn.body, see)


def _call(unit: Unit, call: Node) -> None:
    sel = call.x
    source = static_value(sel.x)
    if source.op == "NAME" and source.known_inside:
        raise Refused((call.pos.line, call.pos.col), "calls a method of a library function's result")
    if source.op != "CONVIFACE" or T.is_interface(source.x.type):
        return
    typ = source.x.type
    found = find(typ, sel.sel)
    if found is None:
        return
    how = "devirtualizing" if found.func is not None else "partially devirtualizing"
    unit.messages.warn(call.pos, f"{how} {text(sel)} to {T.string(typ)}")
    recv = Node("DOTTYPE", sel.pos, typ, x=sel.x)
    for i in found.path:
        op = "DOTPTR" if T.kind(recv.type) == "ptr" else "DOT"
        base = T.under(recv.type).elem if op == "DOTPTR" else recv.type
        f = T.under(base).fields[i]
        recv = Node(op, sel.pos, f.type, x=recv, sel=f.name, offset=T.offset(base, i), field=f)
        recv.implicit = True
    if found.func is None:  # the method of an interface that is embedded
        call.x = Node("DOTINTER", sel.pos, sel.type, x=recv, sel=sel.sel, func=None)
        return
    want = found.func.recv
    if recv.type.kind == "ptr" and want.kind != "ptr":
        recv = Node("DEREF", sel.pos, recv.type.elem, x=recv)
        recv.implicit = True
    elif recv.type.kind != "ptr" and want.kind == "ptr":
        recv = Node("ADDR", sel.pos, want, x=recv)
        recv.implicit = True
    func = found.func
    func.settle()
    t = T.func([T.Field("", want), *func.type.params], func.type.results, func.type.variadic)
    call.op = "CALLFUNC"
    call.x = Node("METHEXPR", sel.pos, t, x=Node("TYPE", sel.pos, want), sel=func.name, func=unit.function(func))
    call.args = [recv, *call.args]
    call.no_inline = True

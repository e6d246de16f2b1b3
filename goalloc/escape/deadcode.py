"""Statements that constants switch off are dropped before anything is counted (cmd/compile/internal/deadcode)."""

from __future__ import annotations

from typing import Any

from goalloc.escape.ir import Function, Node, visit_list


def dead_code(fn: Function) -> None:
    _stmts(fn.body)
    if not fn.body:
        return
    for n in fn.body:
        if n.init:
            return
        if n.op == "IF":
            if not _constant(n.x) or n.body or n.els:
                return
        elif n.op == "FOR":
            if n.x is None or not _constant(n.x) or n.x.value:
                return
        else:
            return
    visit_list(fn.body, mark_dead)
    fn.body = [Node("BLOCK", None, list=[])]


def mark_dead(n: Node) -> None:
    if n.op == "CLOSURE":
        if n.func.hidden:
            n.func.dead = True
        visit_list(n.func.body, mark_dead)


def _constant(n: Any) -> bool:
    return n is not None and n.op == "LITERAL" and isinstance(n.value, bool)


def _stmts(nodes: list[Node]) -> None:
    last_label = max((i for i, n in enumerate(nodes) if n.op == "LABEL"), default=-1)
    for i, n in enumerate(nodes):
        cut = False
        if n.op == "IF":
            n.x = _expr(n.x)
            if _constant(n.x):
                taken, other = ("body", "els") if n.x.value else ("els", "body")
                visit_list(getattr(n, other), mark_dead)
                setattr(n, other, [])
                body = getattr(n, taken)
                cut = bool(body) and body[-1].op in ("RETURN", "PANIC") and i > last_label
        if n.op == "SWITCH":
            _switch(n)
        if n.init:
            _stmts(n.init)
        if n.op == "BLOCK":
            _stmts(n.list)
        elif n.op in ("FOR", "RANGE"):
            _stmts(n.body)
        elif n.op == "IF":
            _stmts(n.body)
            _stmts(n.els)
        elif n.op in ("SELECT", "SWITCH"):
            for c in n.cases:
                _stmts(c.body)
        if cut:
            visit_list(nodes[i + 1 :], mark_dead)
            del nodes[i + 1 :]
            break


def _switch(n: Node) -> None:
    """A switch on a constant keeps the case that is taken, or its default, or nothing."""
    if n.x is not None and n.x.op == "TYPESW":
        return
    if n.x is not None and n.x.op != "LITERAL":
        return
    value = n.x.value if n.x is not None else True
    default = None
    for cas in n.cases:
        if not cas.list:
            default = cas
            continue
        for c in cas.list:
            if c.op != "LITERAL":
                return
            if c.value == value:
                if any(s.op == "FALL" for s in cas.body):
                    return
                for other in n.cases:
                    visit_list(other.list, mark_dead)
                    if other is not cas:
                        visit_list(other.body, mark_dead)
                n.x = None
                true = Node("LITERAL", c.pos, c.type, value=True, raw="true", raw_op="LITERAL")
                cas.list = [true]
                n.cases = [cas]
                return
    if default is not None:
        if any(s.op == "FALL" for s in default.body):
            return
        for cas in n.cases:
            if cas is not default:
                visit_list(cas.list, mark_dead)
                visit_list(cas.body, mark_dead)
        n.cases = [default]
        return
    for cas in n.cases:
        visit_list(cas.list, mark_dead)
        visit_list(cas.body, mark_dead)
    n.cases = []


def _expr(n: Node) -> Node:
    if n.op in ("ANDAND", "OROR"):
        n.x, n.y = _expr(n.x), _expr(n.y)
        if _constant(n.x):
            return n.y if n.x.value == (n.op == "ANDAND") else n.x
    return n

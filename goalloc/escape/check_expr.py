"""Expressions: their types, their constant values, what their names mean.

Every tree gets `type`, `value` (constants) and `mode`: value, var (addressable), type, builtin, pkg, novalue. An untyped
expression keeps its untyped type until its context is known; `settle` then gives it its type, and its operands theirs.
"""

from __future__ import annotations

from typing import Any

from goalloc.escape import consts
from goalloc.escape import types as T
from goalloc.escape.check_type import TypeChecker
from goalloc.escape.lookup import Found, assignable, find, walk_path
from goalloc.escape.objects import Builtin, Const, Func, Nil, Pkg, TypeName, Var
from goalloc.escape.tree import GoError, Refused, Tree, unparen
from goalloc.escape.types import Type


class ExprChecker(TypeChecker):
    iota: int | None

    def expr(self, x: Tree) -> None:
        method = getattr(self, "x_" + x.kind, None)
        if method is not None:
            x.mode = "value"
            method(x)
            return
        t = self.type_or_none(x)
        if t is None:
            raise GoError(x.pos, f"unexpected {x.kind}")
        x.type, x.mode, x.value = t, "type", None

    def value(self, x: Tree) -> None:
        """An expression that must be a value."""
        self.expr(x)
        if x.mode in ("type", "pkg", "builtin"):
            raise GoError(x.pos, "not a value")

    # Contexts

    def settle(self, x: Tree, t: Type) -> None:
        """Gives an untyped expression its final type, t or t's default where t is an interface."""
        if not T.is_untyped(x.type):
            return
        if x.type is T.UNTYPED_NIL:
            x.type = t
            return
        if T.is_interface(t) or T.kind(t) == "type parameter":
            t = T.default_type(x.type)
        if x.value is not None:
            value = consts.fits(x.value, t)
            if value is None:
                if isinstance(x.value, complex):
                    raise Refused(x.pos, "a complex constant that has to be exact")
                raise GoError(x.pos, f"cannot use constant as {T.string(t)}")
            x.value = value
        self.spread(x, t)

    def spread(self, x: Tree, t: Type) -> None:
        if not T.is_untyped(x.type):
            return
        x.type = t
        if x.value is not None:
            return
        if x.kind == "Paren":
            self.spread(x.x, t)
        elif x.kind == "Unary":
            self.settle(x.x, t)
        elif x.kind == "Binary":
            if x.op in ("<<", ">>"):
                self.settle(x.x, t)
            elif x.op not in consts.COMPARE:
                self.settle(x.x, t)
                self.settle(x.y, t)

    def default(self, x: Tree) -> None:
        """Settles an untyped expression as its own default type."""
        if T.is_untyped(x.type) and x.type is not T.UNTYPED_NIL:
            self.settle(x, T.default_type(x.type))

    def assign(self, x: Tree, t: Type | None) -> None:
        """x is assigned to something of type t (None: to the blank)."""
        if t is None:
            self.default(x)
            return
        self.settle(x, t)
        if x.type.kind != "tuple" and not assignable(x.type, t):
            raise GoError(x.pos, f"cannot use value of type {T.string(x.type)} as {T.string(t)}")

    def index_value(self, x: Tree) -> None:
        self.value(x)
        if T.is_untyped(x.type):
            self.settle(x, T.INT)

    # Operands

    def x_Name(self, x: Tree) -> None:
        if x.name == "_":
            raise GoError(x.pos, "cannot use _ as value")
        if x.name == "iota" and self.iota is not None and self.scope.find("iota") is None:
            x.type, x.value, x.obj = T.BASIC["untyped int"], self.iota, None
            return
        self.named(x, self.find(x.name, x.pos))

    def named(self, x: Tree, obj: Any) -> None:
        x.obj, x.value = obj, None
        if isinstance(obj, Const):
            x.type, x.value = obj.type, obj.value
        elif isinstance(obj, Var):
            x.type, x.mode = obj.type, "var"
            if x.type is None:
                raise GoError(x.pos, f"{obj.name} has no type here")
        elif isinstance(obj, TypeName):
            x.type, x.mode = obj.type, "type"
        elif isinstance(obj, Func):
            if obj.refused is not None:
                raise Refused(x.pos, f"uses {obj.name}, which is not analysed")
            x.type = obj.type
        elif isinstance(obj, Builtin):
            x.type, x.mode = T.BASIC["invalid"], "builtin"
        elif isinstance(obj, Nil):
            x.type = T.UNTYPED_NIL
        elif isinstance(obj, Pkg):
            x.type, x.mode = T.BASIC["invalid"], "pkg"

    def x_Lit(self, x: Tree) -> None:
        try:
            x.type, x.value = consts.literal(x.lit, x.text)
        except OverflowError:
            raise Refused(x.pos, "a constant of extreme size") from None

    def x_Paren(self, x: Tree) -> None:
        self.expr(x.x)
        x.type, x.value, x.mode = x.x.type, x.x.value, x.x.mode

    def x_FuncLit(self, x: Tree) -> None:
        x.type = self.signature(x)
        self.func_body(x, x.type)

    def func_body(self, f: Tree, sig: Type) -> None:
        raise NotImplementedError

    def x_Star(self, x: Tree) -> None:
        self.expr(x.x)
        if x.x.mode == "type":
            x.type, x.mode = T.pointer(x.x.type), "type"
            return
        u = T.under(x.x.type)
        if u.kind != "ptr":
            raise GoError(x.pos, "invalid indirection")
        x.type, x.mode = u.elem, "var"

    def x_Unary(self, x: Tree) -> None:
        op = x.op
        self.value(x.x)
        x.value = None
        if op == "&":
            inner = unparen(x.x)
            if inner.mode != "var" and inner.kind != "CompositeLit":
                raise GoError(x.pos, "cannot take the address")
            if inner.kind == "CompositeLit":
                x.x = inner
            x.type = T.pointer(x.x.type)
        elif op == "<-":
            u = T.under(x.x.type)
            if u.kind != "chan":
                raise GoError(x.pos, "receive from a non-channel")
            x.type = u.elem
        else:
            x.type = x.x.type
            if x.x.value is not None:
                x.value = consts.unary(op, x.x.value, x.type)

    def x_Binary(self, x: Tree) -> None:
        self.value(x.x)
        self.value(x.y)
        x.value = None
        if x.op in ("<<", ">>"):
            self.shift(x)
            return
        a, b = x.x, x.y
        self.match(x, a, b)
        if x.op in consts.COMPARE:
            if not (T.is_untyped(a.type) or T.is_untyped(b.type) or assignable(a.type, b.type) or assignable(b.type, a.type)):
                raise GoError(x.pos, f"mismatched types {T.string(a.type)} and {T.string(b.type)}")
            if a.value is not None and b.value is not None:
                x.value = consts.binary(x.op, a.value, b.value, False)
            else:
                self.default(a)
                self.default(b)
            x.type = T.UNTYPED_BOOL
            return
        x.type = a.type
        if not T.is_untyped(a.type) and not T.identical(a.type, b.type):
            raise GoError(x.pos, f"mismatched types {T.string(a.type)} and {T.string(b.type)}")
        if a.value is not None and b.value is not None:
            value = consts.binary(x.op, a.value, b.value, T.is_integer(a.type))
            if value is None:
                raise GoError(x.pos, "division by zero")
            x.value = consts.wrap(value, x.type)

    def match(self, x: Tree, a: Tree, b: Tree) -> None:
        ua, ub = T.is_untyped(a.type), T.is_untyped(b.type)
        if ua and ub:
            ra, rb = consts.RANK.get(a.type.kind), consts.RANK.get(b.type.kind)
            if ra is not None and rb is not None and a.type is not b.type:
                top = a.type if ra > rb else b.type
                for side in (a, b):
                    if side.value is not None:
                        side.type, side.value = top, consts.fits(side.value, top)
                    else:
                        side.type = top
        elif ua:
            self.settle(a, b.type)
        elif ub:
            self.settle(b, a.type)

    def shift(self, x: Tree) -> None:
        a, n = x.x, x.y
        if T.is_untyped(n.type):
            self.settle(n, T.BASIC["uint"])
        x.type = a.type
        if a.value is not None and n.value is not None:
            value = consts.fits(a.value, T.BASIC["untyped int"] if T.is_untyped(a.type) else a.type)
            if value is None:
                raise GoError(x.pos, "shift of a non-integer")
            if T.is_untyped(a.type) and a.type.kind != "untyped rune":
                x.type = T.BASIC["untyped int"]
            if not 0 <= n.value < 1024:
                raise GoError(n.pos, "shift count out of range")
            x.value = consts.wrap(consts.shift(x.op, value, n.value), x.type)

    # Selectors

    def x_Selector(self, x: Tree) -> None:
        x.value = None
        if x.x.kind == "Name":
            obj = self.scope.find(x.x.name)
            if isinstance(obj, Pkg):
                x.qualified = True
                if obj.members is None or obj.path == "reflect":
                    why = "reflection" if obj.path == "reflect" else f"package {obj.path} is not in the table of library packages"
                    raise Refused(x.pos, why)
                self.named(x, self.member(obj, x))
                if obj.path == "unsafe" and isinstance(x.obj, Builtin):
                    x.mode = "builtin"
                return
        x.qualified, x.obj = False, None
        self.expr(x.x)
        found = find(x.x.type, x.sel)
        if found is None or (x.x.type.kind == "ptr" and T.is_interface(x.x.type.elem)):
            raise GoError(x.pos, f"{T.string(x.x.type)} has no field or method {x.sel}")
        x.found = found
        if x.x.mode == "type":
            self.method_expr(x, found)
        elif found.field is not None:
            x.type = found.field.type
            pointers = x.x.type.kind == "ptr" or T.kind(x.x.type) == "ptr" or self.through_pointer(x.x.type, found.path)
            x.mode = "var" if pointers or x.x.mode == "var" else "value"
        else:
            x.type = self.method_sig(x, found)
            x.method = True

    def through_pointer(self, t: Type, path: list[int]) -> bool:
        for i in path[:-1]:
            t = T.under(T.deref(t)).fields[i].type
            if T.kind(t) == "ptr":
                return True
        return False

    def method_sig(self, x: Tree, found: Found) -> Type:
        if found.sig is not None:
            return found.sig
        found.func.settle()
        if found.func.refused is not None:
            raise Refused(x.pos, f"uses {found.func.symbol}, which is not analysed")
        return found.func.type

    def method_expr(self, x: Tree, found: Found) -> None:
        if found.field is not None:
            raise GoError(x.pos, "a field of a type")
        sig = self.method_sig(x, found)
        x.mode, x.method_expr = "value", True
        x.type = T.func([T.Field("", x.x.type), *sig.params], sig.results, sig.variadic)

    def receiver_type(self, t: Type, found: Found) -> Type:
        """The type of the receiver expression after its implicit fields."""
        return walk_path(t, found.path)

    # Index, slice, assertion

    def x_Index(self, x: Tree) -> None:
        x.value = None
        self.expr(x.x)
        if x.x.mode == "type" or (isinstance(getattr(x.x, "obj", None), Func) and T.kind(x.x.type) == "func"):
            raise Refused(x.pos, "a generic instantiation")
        u = T.under(x.x.type)
        if u.kind == "map":
            self.value(x.index)
            self.assign(x.index, u.key)
            x.type, x.mode = u.elem, "mapindex"
            return
        self.index_value(x.index)
        if u.kind == "ptr" and T.kind(u.elem) == "array":
            x.type, x.mode = T.under(u.elem).elem, "var"
        elif u.kind == "array":
            x.type, x.mode = u.elem, "var" if x.x.mode == "var" else "value"
        elif u.kind == "slice":
            x.type, x.mode = u.elem, "var"
        elif T.is_string(u):
            self.default(x.x)
            x.type = T.BYTE
            if x.x.value is not None and x.index.value is not None:
                x.const_string_index = True
        else:
            raise GoError(x.pos, f"cannot index {T.string(x.x.type)}")

    def x_Slice(self, x: Tree) -> None:
        self.value(x.x)
        for i in x.index:
            if i is not None:
                self.index_value(i)
        u = T.under(x.x.type)
        if T.is_string(u):
            self.default(x.x)
            x.type = T.STRING if not isinstance(x.x.type, T.Named) else x.x.type
        elif u.kind == "slice":
            x.type = x.x.type
        elif u.kind == "array":
            x.type = T.slice_of(u.elem)
        elif u.kind == "ptr" and T.kind(u.elem) == "array":
            x.type = T.slice_of(T.under(u.elem).elem)
        else:
            raise GoError(x.pos, f"cannot slice {T.string(x.x.type)}")
        x.value = None

    def x_Assert(self, x: Tree) -> None:
        self.value(x.x)
        if not T.is_interface(x.x.type):
            raise GoError(x.pos, "assertion on a non-interface")
        x.type, x.value = self.typ(x.typ), None

    # Composite literals

    def x_CompositeLit(self, x: Tree) -> None:
        if x.typ is None:
            raise GoError(x.pos, "missing type in composite literal")
        if x.typ.kind == "ArrayType" and x.typ.len is None:
            elem = self.typ(x.typ.elem)
            t = Type("array", elem=elem, len=-1)
            self.literal(x, t)
            t.len = x.count
            x.typ.type = t
        else:
            self.literal(x, self.typ(x.typ))

    def literal(self, x: Tree, t: Type) -> None:
        x.type, x.value, x.mode = t, None, "value"
        base = T.under(t)
        if base.kind == "ptr":
            base = T.under(base.elem)  # an elided &T
        if base.kind == "struct":
            for i, e in enumerate(x.elems):
                if e.kind == "KeyValue":
                    i = next((n for n, f in enumerate(base.fields) if f.name == e.key.name), -1)
                    if i < 0:
                        raise GoError(e.pos, f"unknown field {e.key.name}")
                    e.index = i
                    e = e.x
                self.element(e, base.fields[i].type)
        elif base.kind in ("array", "slice"):
            at = count = 0
            for e in x.elems:
                if e.kind == "KeyValue":
                    self.index_value(e.key)
                    at = e.key.value
                    e = e.x
                self.element(e, base.elem)
                at += 1
                count = max(count, at)
            x.count = count
        elif base.kind == "map":
            for e in x.elems:
                self.element(e.key, base.key)
                self.element(e.x, base.elem)
        else:
            raise GoError(x.pos, f"invalid composite literal type {T.string(t)}")

    def element(self, e: Tree, t: Type) -> None:
        if e.kind == "CompositeLit" and e.typ is None:
            self.literal(e, t)
            return
        self.value(e)
        self.assign(e, t)

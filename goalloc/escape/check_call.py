"""Calls: of functions, of builtins, and conversions, which look like calls."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from goalloc.escape import consts
from goalloc.escape import types as T
from goalloc.escape.check_expr import ExprChecker
from goalloc.escape.tree import GoError, Refused, Tree, unparen
from goalloc.escape.types import Type


class CallChecker(ExprChecker):
    def x_Call(self, x: Tree) -> None:
        x.value = None
        self.expr(x.fun)
        if x.fun.mode == "type":
            x.conversion = True
            self.conversion(x, x.fun.type)
            return
        x.conversion = False
        if x.fun.mode == "builtin":
            fun = unparen(x.fun)
            x.builtin = fun.obj.name
            getattr(self, "b_" + x.builtin)(x)
            return
        x.builtin = None
        sig = T.under(x.fun.type)
        if sig.kind != "func":
            raise GoError(x.pos, "call of a non-function")
        self.arguments(x, sig)
        n = len(sig.results)
        x.type = sig.results[0].type if n == 1 else T.tuple_of([r.type for r in sig.results])
        if n == 0:
            x.mode = "novalue"

    def arguments(self, x: Tree, sig: Type) -> None:
        if len(x.args) == 1 and not x.dots:
            self.value(x.args[0])
            if x.args[0].type.kind == "tuple":
                return
        else:
            for a in x.args:
                self.value(a)
        if len(x.args) < len(sig.params) - (1 if sig.variadic else 0) or (len(x.args) > len(sig.params) and not sig.variadic):
            raise GoError(x.pos, "wrong number of arguments")
        for i, a in enumerate(x.args):
            self.assign(a, param_type(sig, i, x.dots))

    def conversion(self, x: Tree, t: Type) -> None:
        (a,) = x.args
        self.value(a)
        x.type = t
        if a.value is not None and T.kind(t) in T.BASIC:
            x.value = self.const_conversion(a, t)
            if x.value is not None:
                if T.is_untyped(a.type):
                    a.type = t if not (T.is_string(t) and not T.is_string(a.type)) else T.default_type(a.type)
                return
        if T.is_untyped(a.type):
            if a.type is T.UNTYPED_NIL:
                a.type = t
            elif T.is_interface(t) or T.kind(t) not in T.BASIC:
                self.default(a)
            elif T.is_string(t) and T.is_integer(a.type):
                self.settle(a, T.default_type(a.type))
            else:
                self.settle(a, t)

    def const_conversion(self, a: Tree, t: Type) -> Any:
        if T.is_string(t) and isinstance(a.value, int) and not isinstance(a.value, bool):
            return consts.text_of(a.value)
        value = consts.fits(a.value, t)
        if value is None and T.is_integer(t) and T.is_numeric(a.type) and not T.is_untyped(a.type):
            raise GoError(a.pos, f"constant does not fit {T.string(t)}")
        return value

    # Builtins

    def args(self, x: Tree) -> None:
        for a in x.args:
            self.value(a)
        if any(a.type.kind == "tuple" for a in x.args):
            raise Refused(x.pos, "a builtin called with a call's results")

    def b_len(self, x: Tree) -> None:
        self.args(x)
        (a,) = x.args
        x.type = T.INT
        u = T.under(a.type)
        if u.kind == "ptr":
            u = T.under(u.elem)
        if a.value is not None:
            x.value = len(a.value)
        elif u.kind == "array" and not _calls(a):
            x.value = u.len
        if T.is_untyped(a.type):
            self.default(a)

    b_cap = b_len

    def b_make(self, x: Tree) -> None:
        x.type = self.typ(x.args[0])
        for a in x.args[1:]:
            self.index_value(a)

    def b_new(self, x: Tree) -> None:
        x.type = T.pointer(self.typ(x.args[0]))

    def b_append(self, x: Tree) -> None:
        self.args(x)
        x.type = x.args[0].type
        if x.type is T.UNTYPED_NIL:
            raise GoError(x.pos, "first argument to append must be a typed slice")
        elem = T.under(x.type).elem
        for a in x.args[1:]:
            if x.dots:
                if a.type is T.UNTYPED_NIL:
                    a.type = x.type
                self.default(a)
            else:
                self.assign(a, elem)

    def b_copy(self, x: Tree) -> None:
        self.args(x)
        for a in x.args:
            self.default(a)
        x.type = T.INT

    def b_delete(self, x: Tree) -> None:
        self.args(x)
        self.assign(x.args[1], T.under(x.args[0].type).key)
        self.no_value(x)

    def no_value(self, x: Tree) -> None:
        x.type, x.mode = T.tuple_of([]), "novalue"

    def b_panic(self, x: Tree) -> None:
        self.args(x)
        self.assign(x.args[0], T.EMPTY_INTERFACE)
        self.no_value(x)

    def b_print(self, x: Tree) -> None:
        self.args(x)
        for a in x.args:
            self.default(a)
        self.no_value(x)

    b_println = b_print

    def b_recover(self, x: Tree) -> None:
        x.type = T.EMPTY_INTERFACE

    def b_close(self, x: Tree) -> None:
        self.args(x)
        self.no_value(x)

    b_clear = b_close

    def b_min(self, x: Tree) -> None:
        self.args(x)
        first = x.args[0]
        for a in x.args[1:]:
            self.match(x, first, a)
        typed = next((a.type for a in x.args if not T.is_untyped(a.type)), None)
        if typed is not None:
            for a in x.args:
                self.settle(a, typed)
        x.type = typed if typed is not None else first.type
        if all(a.value is not None for a in x.args):
            x.value = (min if x.builtin == "min" else max)(a.value for a in x.args)

    b_max = b_min

    def b_complex(self, x: Tree) -> None:
        self.args(x)
        a, b = x.args
        self.match(x, a, b)
        if a.value is not None and b.value is not None:
            x.value = complex(float(a.value), float(b.value))
        if T.is_untyped(a.type):
            x.type = T.BASIC["untyped complex"]
            if x.value is None:
                self.default(a)
                self.default(b)
                x.type = T.BASIC["complex128"]
        else:
            x.type = T.BASIC["complex64" if T.kind(a.type) == "float32" else "complex128"]

    def b_real(self, x: Tree) -> None:
        self.args(x)
        (a,) = x.args
        if a.value is not None:
            v = complex(a.value)
            x.value = Fraction(repr(v.real if x.builtin == "real" else v.imag))
        if T.is_untyped(a.type):
            x.type = T.BASIC["untyped float"]
        else:
            x.type = T.BASIC["float32" if T.kind(a.type) == "complex64" else "float64"]

    b_imag = b_real

    # package unsafe

    def b_Sizeof(self, x: Tree) -> None:
        self.args(x)
        self.default(x.args[0])
        x.type, x.value = UINTPTR, T.size(x.args[0].type)

    def b_Alignof(self, x: Tree) -> None:
        self.args(x)
        self.default(x.args[0])
        x.type, x.value = UINTPTR, T.align(x.args[0].type)

    def b_Offsetof(self, x: Tree) -> None:
        self.args(x)
        field = unparen(x.args[0])
        path, t, at = field.found.path, T.deref(field.x.type), 0
        for i in path:
            at += T.offset(t, i)
            t = T.under(t).fields[i].type
        x.type, x.value = UINTPTR, at

    def b_Add(self, x: Tree) -> None:
        self.args(x)
        if T.is_untyped(x.args[1].type):
            self.settle(x.args[1], T.INT)
        x.type = T.UNSAFE_POINTER

    def b_Slice(self, x: Tree) -> None:
        self.args(x)
        if T.is_untyped(x.args[1].type):
            self.settle(x.args[1], T.INT)
        x.type = T.slice_of(T.under(x.args[0].type).elem)

    def b_String(self, x: Tree) -> None:
        self.b_Slice(x)
        x.type = T.STRING

    def b_StringData(self, x: Tree) -> None:
        self.args(x)
        self.default(x.args[0])
        x.type = T.pointer(T.BYTE)

    def b_SliceData(self, x: Tree) -> None:
        self.args(x)
        x.type = T.pointer(T.under(x.args[0].type).elem)


UINTPTR = T.UINTPTR


def param_type(sig: Type, i: int, dots: bool) -> Type:
    """The type that argument i of a call is assigned to."""
    if sig.variadic and not dots and i >= len(sig.params) - 1:
        return T.under(sig.params[-1].type).elem
    return sig.params[i].type


def _calls(x: Tree) -> bool:
    """Whether an expression contains a call or a receive (then len of an array is not constant)."""
    if x.kind == "Call" and not (getattr(x, "conversion", False) or x.value is not None):
        return True
    if x.kind == "Unary" and x.op == "<-":
        return True
    below = [v for k, v in x.__dict__.items() if k in ("x", "y", "index", "fun", "key", "elems", "args")]
    return any(_calls(v) for part in below for v in (part if isinstance(part, list) else [part]) if isinstance(v, Tree))

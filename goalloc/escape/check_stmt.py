"""Statements: scopes, declared variables, and the types that values are assigned to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from goalloc.escape import types as T
from goalloc.escape.check_call import CallChecker
from goalloc.escape.lookup import assignable
from goalloc.escape.objects import Scope, Var
from goalloc.escape.tree import GoError, Pos, Refused, Tree, unparen
from goalloc.escape.types import Type


class StmtChecker(CallChecker):
    sig: Type

    @contextmanager
    def inner(self) -> Iterator[None]:
        self.scope, old = Scope(self.scope), self.scope
        try:
            yield
        finally:
            self.scope = old

    @contextmanager
    def inside(self, scope: Scope) -> Iterator[None]:
        saved = self.scope, self.owner, self.iota, self.__dict__.get("sig")
        self.scope = scope
        try:
            yield
        finally:
            self.scope, self.owner, self.iota, sig = saved
            if sig is not None:
                self.sig = sig

    def func_body(self, f: Tree, sig: Type) -> None:
        """The body of a function declaration or literal; its parameters become f.param_vars and f.result_vars."""
        saved = self.owner, self.__dict__.get("sig")
        outer = self.owner
        self.owner, self.sig = f, sig
        f.outer = outer
        try:
            with self.inner():
                f.param_vars = self.fields_as_vars(f.params, sig.params, self.scope)
                f.result_vars = self.fields_as_vars(f.results, sig.results, self.scope)
                if f.body is not None:
                    self.stmts(f.body.stmts)
        finally:
            self.owner, old = saved
            if old is not None:
                self.sig = old

    def stmts(self, nodes: list[Tree]) -> None:
        for s in nodes:
            self.stmt(s)

    def stmt(self, s: Tree | None) -> None:
        if s is not None:
            getattr(self, "s_" + s.kind)(s)

    def block(self, b: Tree) -> None:
        with self.inner():
            self.stmts(b.stmts)

    s_Block = block

    def s_ExprStmt(self, s: Tree) -> None:
        self.expr(s.x)
        if s.x.mode == "type":
            raise GoError(s.pos, "a type is not a statement")

    def s_Send(self, s: Tree) -> None:
        self.value(s.chan)
        self.value(s.x)
        self.assign(s.x, T.under(s.chan.type).elem)

    def s_IncDec(self, s: Tree) -> None:
        self.value(s.lhs)

    def s_AssignOp(self, s: Tree) -> None:
        self.value(s.lhs)
        self.value(s.rhs)
        if s.op in ("<<", ">>"):
            if T.is_untyped(s.rhs.type):
                self.settle(s.rhs, T.BASIC["uint"])
        else:
            self.assign(s.rhs, s.lhs.type)

    def s_Assign(self, s: Tree) -> None:
        many = len(s.lhs) > 1 and len(s.rhs) == 1
        for r in s.rhs:
            self.value(r)
            if many:
                self.several(r, len(s.lhs))
        types = s.rhs[0].type.types if many else [r.type for r in s.rhs]
        if len(types) != len(s.lhs):
            raise GoError(s.pos, f"assignment mismatch: {len(s.lhs)} variables but {len(types)} values")
        fresh: list[Var] = []
        for i, (x, t) in enumerate(zip(s.lhs, types)):
            dst = self.target(s, x, t, fresh)
            if not many:
                self.assign(s.rhs[i], dst)
        for v in fresh:
            self.scope.names[v.name] = v

    def target(self, s: Tree, x: Tree, t: Type, fresh: list[Var]) -> Type | None:
        """The left side x of an assignment of a value of type t: its type, None for the blank."""
        inner = unparen(x)
        x.blank = inner.kind == "Name" and inner.name == "_"
        x.defines = None
        if x.blank:
            return None
        if s.define:
            old = self.scope.names.get(inner.name)
            if not isinstance(old, Var):
                if t is T.UNTYPED_NIL:
                    raise GoError(x.pos, "use of untyped nil")
                v = Var(inner.name, x.pos, T.default_type(t))
                v.owner = self.owner
                x.defines, x.type = v, v.type
                fresh.append(v)
                return v.type
        self.expr(x)
        return x.type

    def several(self, x: Tree, n: int) -> None:
        """A right side that gives n values: a call, or one of the three with an ok."""
        inner = unparen(x)
        if inner.type.kind == "tuple":
            return
        if n == 2 and (inner.kind == "Assert" or inner.mode == "mapindex" or (inner.kind == "Unary" and inner.op == "<-")):
            inner.comma_ok = True
            t = T.tuple_of([inner.type, T.BOOL])
            inner.value_type = inner.type
            inner.type = x.type = t
            return
        raise GoError(x.pos, "not enough values")

    def s_DeclStmt(self, s: Tree) -> None:
        for d in s.decls:
            if d.broken is not None:
                raise Refused(*d.broken)
            if d.kind == "VarDecl":
                self.var_decl(d)
            elif d.kind == "ConstDecl":
                self.constants(d, self.scope, False)
            elif d.kind == "TypeDecl":
                self.declare_type(d, self.scope, False)

    def var_decl(self, d: Tree) -> None:
        types, dst = self.var_types(d)
        for i, name in enumerate(d.names):
            name.blank, name.defines = name.name == "_", None
            if not name.blank:
                v = Var(name.name, name.pos, dst if dst is not None else T.default_type(types[i]))
                v.owner = self.owner
                name.defines, name.type = v, v.type
                self.scope.names[name.name] = v

    def var_types(self, d: Tree) -> tuple[list[Type], Type | None]:
        dst = self.typ(d.typ) if d.typ is not None else None
        many = len(d.names) > 1 and len(d.values) == 1
        for v in d.values:
            self.value(v)
            if many:
                self.several(v, len(d.names))
            else:
                self.assign(v, dst)
        if many:
            return d.values[0].type.types, dst
        return [v.type for v in d.values], dst

    def s_If(self, s: Tree) -> None:
        with self.inner():
            self.stmt(s.init)
            self.condition(s.cond)
            self.block(s.then)
            self.stmt(s.els)

    def condition(self, x: Tree) -> None:
        self.value(x)
        self.default(x)

    def s_For(self, s: Tree) -> None:
        with self.inner():
            self.stmt(s.init)
            if s.cond is not None:
                self.condition(s.cond)
            self.stmt(s.post)
            self.block(s.body)

    def s_Range(self, s: Tree) -> None:
        self.value(s.x)
        self.default(s.x)
        s.key_type, s.value_type = range_types(s.x)
        with self.inner():
            fresh: list[Var] = []
            for x, t in zip(s.lhs, (s.key_type, s.value_type)):
                if t is None:
                    raise GoError(s.pos, "too many variables in range")
                self.target(s, x, t, fresh)
            for v in fresh:
                self.scope.names[v.name] = v
            self.block(s.body)

    def s_Switch(self, s: Tree) -> None:
        with self.inner():
            self.stmt(s.init)
            tag = T.BOOL
            if s.tag is not None:
                self.value(s.tag)
                self.default(s.tag)
                tag = s.tag.type
            for c in s.cases:
                for x in c.exprs:
                    self.value(x)
                    self.settle(x, tag)
            s.tag_type = tag
            if any(not assignable(x.type, tag) for c in s.cases for x in c.exprs):
                s.tag_type = T.EMPTY_INTERFACE
            for c in s.cases:
                with self.inner():
                    self.stmts(c.body)

    def s_TypeSwitch(self, s: Tree) -> None:
        with self.inner():
            self.stmt(s.init)
            self.value(s.x)
            for c in s.cases:
                c.types = [None if unparen(x).kind == "Name" and unparen(x).name == "nil" else self.typ(x) for x in c.exprs]
                with self.inner():
                    c.var = None
                    if s.alias is not None:
                        one = len(c.types) == 1 and c.types[0] is not None
                        pos = type_end(c.exprs[-1]) if c.exprs else c.pos
                        c.var = Var(s.alias.name, pos, c.types[0] if one else s.x.type)
                        c.var.owner = self.owner
                        self.scope.names[s.alias.name] = c.var
                    self.stmts(c.body)

    def s_Select(self, s: Tree) -> None:
        for c in s.cases:
            with self.inner():
                self.stmt(c.comm)
                self.stmts(c.body)

    def s_Label(self, s: Tree) -> None:
        self.stmt(s.stmt)

    def s_CallStmt(self, s: Tree) -> None:
        call = unparen(s.x)
        if call.kind != "Call":
            raise GoError(s.pos, f"expression in {s.op} must be a call")
        self.expr(call)
        if call.conversion:
            raise GoError(s.pos, f"{s.op} requires a function call, not a conversion")
        s.x = call

    def s_Return(self, s: Tree) -> None:
        results = self.sig.results
        for r in s.results:
            self.value(r)
        if len(s.results) == 1 and s.results[0].type.kind == "tuple" and len(results) > 1:
            return
        if s.results and len(s.results) != len(results):
            raise GoError(s.pos, "wrong number of results")
        for r, f in zip(s.results, results):
            self.assign(r, f.type)

    def s_Branch(self, s: Tree) -> None:
        pass


def range_types(x: Tree) -> tuple[Type | None, Type | None]:
    u = T.under(x.type)
    if u.kind == "ptr":
        u = T.under(u.elem)
    if u.kind in ("array", "slice"):
        return T.INT, u.elem
    if T.is_string(u):
        return T.INT, T.RUNE
    if u.kind == "map":
        return u.key, u.elem
    if u.kind == "chan":
        return u.elem, None
    raise Refused(x.pos, f"range over {T.string(x.type)}")


def type_end(x: Tree) -> Pos:
    """Where the last name of a type expression stands: the compiler puts a clause's variable there."""
    if x.kind == "Selector":
        return x.x.pos
    inner = {"Paren": "x", "Star": "x", "ArrayType": "elem", "SliceType": "elem", "ChanType": "elem", "MapType": "elem"}.get(x.kind)
    if inner is not None:
        return type_end(getattr(x, inner))
    if x.kind == "FuncType" and (x.results or x.params):
        return type_end((x.results or x.params)[-1].typ)
    return x.pos

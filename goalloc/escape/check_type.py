"""Type expressions to types, and the declarations of a package's names."""

from __future__ import annotations

from typing import Any

from goalloc.escape import consts
from goalloc.escape import types as T
from goalloc.escape.objects import Const, Func, Pkg, Scope, TypeName, Var
from goalloc.escape.tree import GoError, Pos, Refused, Tree
from goalloc.escape.types import Field, Named, Type


class TypeChecker:
    """Resolves type expressions in the current scope."""

    scope: Scope
    owner: Any
    path: str  # the package's, as messages qualify unexported methods
    pkg: str  # the name that qualifies the package's own names: "" but for a package of the library

    def expr(self, x: Tree) -> None:
        raise NotImplementedError

    def find(self, name: str, pos: Pos) -> Any:
        obj = self.scope.find(name)
        if obj is None:
            raise GoError(pos, f"undefined: {name}")
        obj.settle()
        return obj

    def member(self, pkg: Pkg, x: Tree) -> Any:
        """pkg.name of an imported package."""
        if pkg.members is None:
            raise Refused(x.pos, f"package {pkg.path} is not in the table of library packages")
        obj = pkg.members.find(x.sel)
        if obj is None:
            raise Refused(x.pos, f"{pkg.path}.{x.sel} is not in the table of library names")
        return obj

    def typ(self, x: Tree) -> Type:
        """The type that x denotes."""
        t = self.type_or_none(x)
        if t is None:
            raise GoError(x.pos, "not a type")
        x.type, x.mode = t, "type"
        return t

    def type_or_none(self, x: Tree) -> Type | None:
        k = x.kind
        if k == "Paren":
            return self.type_or_none(x.x)
        if k == "Name":
            obj = self.find(x.name, x.pos)
            return obj.type if isinstance(obj, TypeName) else None
        if k == "Selector":
            if x.x.kind != "Name" or not isinstance(pkg := self.scope.find(x.x.name), Pkg):
                return None
            obj = self.member(pkg, x)
            return obj.type if isinstance(obj, TypeName) else None
        if k == "Star":
            t = self.type_or_none(x.x)
            return T.pointer(t) if t is not None else None
        method = getattr(self, "t_" + k, None)
        return method(x) if method is not None else None

    def t_ArrayType(self, x: Tree) -> Type:
        if x.len is None:
            raise GoError(x.pos, "invalid use of [...] array (outside a composite literal)")
        self.expr(x.len)
        n = consts.fits(x.len.value, T.INT) if x.len.value is not None else None
        if n is None or n < 0:
            raise GoError(x.len.pos, "array length must be a constant integer")
        return Type("array", elem=self.typ(x.elem), len=n)

    def t_SliceType(self, x: Tree) -> Type:
        return T.slice_of(self.typ(x.elem))

    def t_MapType(self, x: Tree) -> Type:
        return Type("map", key=self.typ(x.key), elem=self.typ(x.elem))

    def t_ChanType(self, x: Tree) -> Type:
        return Type("chan", dir=x.dir, elem=self.typ(x.elem))

    def t_FuncType(self, x: Tree) -> Type:
        return self.signature(x)

    def signature(self, x: Tree) -> Type:
        params = [Field(p.name or "", self.typ(p.typ), pos=p.pos) for p in x.params]
        variadic = bool(x.params) and x.params[-1].dots
        if variadic:
            params[-1].type = T.slice_of(params[-1].type)
        return T.func(params, [Field(p.name or "", self.typ(p.typ), pos=p.pos) for p in x.results], variadic)

    def t_StructType(self, x: Tree) -> Type:
        fields = []
        for f in x.fields:
            name = f.name
            if f.embedded:
                base = f.typ.x if f.typ.kind == "Star" else f.typ
                name = base.sel if base.kind == "Selector" else base.name
            fields.append(Field(name, self.typ(f.typ), f.embedded, f.pos))
        return Type("struct", fields=fields)

    def t_InterfaceType(self, x: Tree) -> Type:
        methods = [(m.name, self.signature(m), self.path) for m in x.methods]
        for e in x.embeds:
            t = self.typ(e)
            if not T.is_interface(t):
                raise Refused(e.pos, "a type set (generics)")
            methods.extend(m for m in T.under(t).methods if m[0] not in [n[0] for n in methods])
        return Type("iface", methods=methods) if methods else T.EMPTY_INTERFACE

    # Declarations

    def declare_type(self, d: Tree, scope: Scope, package_level: bool) -> None:
        if d.broken is not None:
            raise Refused(*d.broken)
        obj = TypeName(d.name, d.pos, None)
        if d.alias:

            def settle() -> None:
                with self.inside(scope):
                    obj.type = self.typ(d.typ)

            obj.resolve = settle
        else:

            def resolve() -> Type:
                with self.inside(scope):
                    return T.under(self.typ(d.typ))

            obj.type = Named(d.name, self.pkg, resolve)
        scope.names[d.name] = obj
        if not package_level:
            obj.settle()
            if isinstance(obj.type, Named):
                T.under(obj.type)

    def inside(self, scope: Scope) -> Any:
        raise NotImplementedError

    def constants(self, d: Tree, scope: Scope, package_level: bool) -> None:
        for i, name in enumerate(d.names):
            obj = Const(name.name, name.pos, None)

            def settle(obj: Const = obj, i: int = i) -> None:
                with self.inside(scope):
                    self.constant(obj, d, i)

            obj.resolve = settle
            if not package_level:
                obj.settle()
            if name.name != "_":
                scope.names[name.name] = obj

    def constant(self, obj: Const, d: Tree, i: int) -> None:
        raise NotImplementedError

    def fields_as_vars(self, fields: list[Tree], sig: list[Field], scope: Scope) -> list[Var]:
        """Parameters or results as variables of the scope (unnamed ones too, which nothing can find)."""
        out = []
        for f, s in zip(fields, sig):
            v = Var(f.name or "", f.pos, s.type)
            v.owner = self.owner
            if f.name and f.name != "_":
                scope.names[f.name] = v
            out.append(v)
        return out


def method_base(recv: Tree) -> str:
    x = recv.typ
    while x.kind in ("Star", "Paren"):
        x = x.x
    return x.name if x.kind == "Name" else ""


def new_func(d: Tree) -> Func:
    return Func(d.name, d.pos, decl=d)

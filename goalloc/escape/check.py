"""A package checked: names declared, signatures resolved, bodies annotated; a function outside the subset is put aside with a reason."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from goalloc.escape import types as T
from goalloc.escape.check_stmt import StmtChecker
from goalloc.escape.check_type import method_base, new_func
from goalloc.escape.objects import Func, Pkg, Scope, TypeName, Var, universe
from goalloc.escape.tree import GoError, Refused, Tree


class Checker(StmtChecker):
    """`functions` in the order of their declarations, `globals` as (declaration, variables); refused ones have a reason."""

    def __init__(self, files: list[Tree], library: Any, pkg: str = "") -> None:
        self.universe = universe()
        self.package = Scope(self.universe)
        self.scope = Scope(self.package)
        self.owner: Any = None
        self.iota: int | None = None
        self.library = library
        self.functions: list[Func] = []
        self.globals: list[Tree] = []
        self.decls: list[Any] = []  # both, in order: Func objects and the trees of variables
        self.refused: dict[tuple[int, int], tuple[str, str]] = {}
        self.pending: list[Any] = []
        self.files, self.pkg = files, pkg
        self.path = pkg or ("main" if files[0].package == "main" else "command-line-arguments")

    def run(self) -> None:
        for file in self.files:
            scope = Scope(self.package)
            for imp in file.imports:
                members = self.library.package(imp.path)
                name = imp.name or (members.name if members is not None else imp.path.rsplit("/", 1)[-1])
                if name == ".":
                    if members is None:
                        raise GoError(imp.pos, f"package {imp.path} is imported without its name and not in the table of library packages")
                    scope.names.update(members.all())
                elif name != "_":
                    scope.names[name] = Pkg(name, imp.path, members)
            for d in file.decls:
                d.scope = scope
                self.collect(d, scope)
        for attach in self.pending:
            attach()
        for obj in list(self.package.names.values()):
            if isinstance(obj, TypeName):
                with suppress(Refused):  # then whoever uses it is refused
                    obj.settle()
                    T.size(obj.type)
        for func in self.functions:
            self.attempt(func, func.settle)
        self.check_bodies()

    def check_bodies(self) -> None:
        again = True
        while again:  # what uses a refused function is refused too
            count = len(self.refused)
            for d in self.globals:
                if d.refused is None:
                    self.global_values(d)
            for func in self.functions:
                if func.refused is None:
                    self.attempt(func, lambda func=func: self.check_body(func))
            again = len(self.refused) > count

    def attempt(self, func: Func, do: Any) -> None:
        try:
            do()
        except Refused as r:
            func.refused = r.pos, str(r)
            self.refused[func.pos] = func.symbol, str(r)
        except (AttributeError, KeyError, IndexError, TypeError, AssertionError) as e:  # a form that the checker does not know
            func.refused = func.pos, f"has an expression that is not understood ({e})"
            self.refused[func.pos] = func.symbol, func.refused[1]

    def put_aside(self, func: Func | None, why: Refused) -> None:
        """A later pass cannot follow a function (None: the initialisation of the variables at why.pos)."""
        if func is not None:
            func.refused = why.pos, str(why)
            self.refused[func.pos] = func.symbol, str(why)
        else:
            d = max((d for d in self.globals if d.refused is None and d.pos <= why.pos), key=lambda d: d.pos)
            d.refused = why.pos, str(why)
            self.refused[d.pos] = ", ".join(n.name for n in d.names), str(why)
        self.check_bodies()

    # Declarations

    def collect(self, d: Tree, scope: Scope) -> None:
        if d.kind == "FuncDecl":
            func = new_func(d)
            if d.name == "init" and d.recv is None:  # there may be several
                func.name = f"init.{sum(f.name.startswith('init.') for f in self.functions)}"
            self.functions.append(func)
            self.decls.append(func)
            func.resolve = lambda: self.resolve_func(func, d, scope)
            if d.recv is None:
                if d.name not in ("_", "init"):
                    self.name(d.name, d.pos, func)
            else:
                base = method_base(d.recv)

                def attach() -> None:
                    obj = self.package.names.get(base)
                    if isinstance(obj, TypeName) and isinstance(obj.type, T.Named):
                        obj.type.methods[d.name] = func

                self.pending.append(attach)
        elif d.kind == "TypeDecl":
            try:
                self.declare_type(d, scope, True)
            except Refused:
                self.package.names[d.name] = _RefusedName(d.name, d.pos)
                return
            self.name(d.name, d.pos, scope.names.pop(d.name))
        elif d.broken is not None:
            self.refused[d.pos] = ", ".join(n.name for n in d.names), d.broken[1]
            for n in d.names:
                self.package.names[n.name] = _RefusedName(n.name, n.pos)
        elif d.kind == "ConstDecl":
            self.constants(d, scope, True)
            for name in d.names:
                if name.name in scope.names:
                    self.name(name.name, name.pos, scope.names.pop(name.name))
        elif d.kind == "VarDecl":
            self.globals.append(d)
            self.decls.append(d)
            d.vars, d.name, d.refused = [], "", None
            for i, name in enumerate(d.names):
                v = Var(name.name, name.pos, None, is_global=True, pkg=self.pkg)
                v.resolve = lambda v=v, d=d, i=i: self.resolve_global(v, d, i, scope)
                d.vars.append(v)
                if name.name != "_":
                    self.name(name.name, name.pos, v)

    def name(self, name: str, pos: Any, obj: Any) -> None:
        if name in self.package.names and name != "_":
            raise GoError(pos, f"{name} is declared twice")
        self.package.names[name] = obj

    def resolve_func(self, func: Func, d: Tree, scope: Scope) -> None:
        with self.inside(scope):
            func.type = T.func([], [])
            if d.refused is not None:
                raise Refused(*d.refused)
            if d.generic:
                raise Refused(d.pos, f"{d.name} is generic")
            if {"go:uintptrescapes", "go:uintptrkeepalive"} & {*d.pragmas}:
                raise Refused(d.pos, f"{d.name} keeps what a uintptr was made from")
            if d.recv is not None:
                func.recv = self.typ(d.recv.typ)
                func.recv_field = T.Field(d.recv.name or "", func.recv, pos=d.recv.pos)
            func.type = self.signature(d)

    def resolve_global(self, v: Var, d: Tree, i: int, scope: Scope) -> None:
        with self.inside(scope):
            self.owner = None
            if d.typ is not None:
                v.type = self.typ(d.typ)
                return
            if len(d.values) == len(d.names):
                self.value(d.values[i])
                v.type = T.default_type(d.values[i].type)
            else:
                self.value(d.values[0])
                self.several(d.values[0], len(d.names))
                v.type = d.values[0].type.types[i]

    def constant(self, obj: Any, d: Tree, i: int) -> None:
        self.iota = d.iota
        if i >= len(d.values):
            raise GoError(d.pos, "missing value of a constant")
        x = d.values[i]
        self.value(x)
        if d.typ is not None:
            self.settle(x, self.typ(d.typ)) if T.is_untyped(x.type) else None
        if x.value is None:
            raise GoError(x.pos, "not a constant")
        obj.type, obj.value = x.type, x.value

    def global_values(self, d: Tree) -> None:
        """The initial values of package variables."""
        try:
            for v in d.vars:
                v.settle()
            with self.inside(d.scope):
                self.owner = None
                d.types, d.dst = self.var_types(d)
            for v in d.vars:
                if v.type is None:
                    v.type = T.BASIC["invalid"]
        except Refused as r:
            d.refused = r.pos, str(r)
            self.refused[d.pos] = ", ".join(n.name for n in d.names), str(r)

    def check_body(self, func: Func) -> None:
        d = func.decl
        assert d is not None and func.type is not None
        func_recv = None
        with self.inside(d.scope):
            self.scope = Scope(self.scope)
            if func.recv is not None:
                func_recv = Var(d.recv.name or "", d.recv.pos, func.recv)
                func_recv.owner = d
                if d.recv.name and d.recv.name != "_":
                    self.scope.names[d.recv.name] = func_recv
            self.owner = None
            self.func_body(d, func.type)
        d.recv_var = func_recv


class _RefusedName(TypeName):
    """A declaration outside the subset: code that names it is outside too."""

    def __init__(self, name: str, pos: Any) -> None:
        super().__init__(name, pos, None)

    def settle(self) -> None:
        raise Refused(self.pos, f"uses {self.name}, which is outside the subset")


def check(files: list[Tree], library: Any) -> Checker:
    c = Checker(files, library)
    c.run()
    return c

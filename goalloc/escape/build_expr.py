"""Checked expressions to nodes, as Go 1.21's noder makes them (cmd/compile/internal/noder: writer, then reader).

Every inlining builds the body anew from its tree, under the inlined call's position; so a Builder is one reading of one
function's body, and keeps which name stands for which variable in this reading.
"""

from __future__ import annotations

from typing import Any

from goalloc.escape import ir
from goalloc.escape import types as T
from goalloc.escape.check_call import param_type
from goalloc.escape.convert import conversion_op, source
from goalloc.escape.ir import Function, Name, Node, XPos
from goalloc.escape.lookup import assignable
from goalloc.escape.objects import Func, Var
from goalloc.escape.tree import GoError, Pos, Tree, unparen
from goalloc.escape.types import Type


class ExprBuilder:
    unit: Any  # the Unit: functions by declaration, positions
    fn: Function
    outer: ExprBuilder | None
    locals: dict[Var, Name]
    captured: dict[Var, Name]

    def pos(self, p: Pos) -> XPos:
        raise NotImplementedError

    # Names

    def use(self, v: Var, p: Pos) -> Name:
        """The name that stands for v in this function: its own, or a captured one, which it then captures."""
        if v in self.locals:
            return self.locals[v]
        known = self.captured.get(v)
        if known is not None:
            return known
        if self.outer is None:
            raise GoError(p, f"{v.name} is not a variable of this function")
        below = self.outer.use(v, p)
        n = Name(below.sym, self.outer.pos(p), below.type, "AUTOHEAP", self.fn)
        n.outer = below
        n.defn = below.canonical
        self.captured[v] = n
        self.fn.closure_vars.append(n)
        self.fn.closure_of[id(n)] = v
        return n

    def temp(self, p: Any, t: Type) -> Name:
        return temporary(self.fn, p, t)

    def name(self, x: Tree) -> Node:
        obj = x.obj
        if isinstance(obj, Var):
            if obj.is_global:
                return self.unit.global_name(obj)
            return self.use(obj, x.pos)
        if isinstance(obj, Func):
            return self.unit.function(obj).name
        raise GoError(x.pos, f"{x.name if x.kind == 'Name' else x.sel} is not a value")

    # Expressions

    def expr(self, x: Tree) -> Node:
        x = unparen(x)
        if x.value is not None and x.type.kind != "tuple":
            return self.constant(x)
        if x.type is T.UNTYPED_NIL or (x.kind == "Name" and getattr(x.obj, "name", "") == "nil" and not isinstance(x.obj, Var)):
            return Node("NIL", self.pos(x.pos), x.type)
        return getattr(self, "x_" + x.kind)(x)

    def constant(self, x: Tree) -> Node:
        t = T.default_type(x.type)
        op = "LITERAL"
        if x.kind == "Binary":
            op = {**ir.ARITHMETIC, **ir.COMPARISONS, **ir.LOGICAL}[x.op]
        elif x.kind == "Unary":
            op = {"-": "NEG", "+": "PLUS", "^": "BITNOT", "!": "NOT"}[x.op]
        return Node("LITERAL", self.pos(x.pos), t, value=x.value, raw=source(x), raw_op=op)

    def exprs(self, xs: list[Tree]) -> list[Node]:
        return [self.expr(x) for x in xs]

    def optional(self, x: Tree | None) -> Node | None:
        return self.expr(x) if x is not None else None

    def converted(self, t: Type | None, x: Tree) -> Node:
        """x where a t is wanted: with an implicit conversion unless it is one already."""
        if t is None or T.identical(x.type, t) or T.is_untyped(x.type):
            return self.expr(x)
        return self.convert(t, x, True)

    def convert(self, t: Type, x: Tree, implicit: bool) -> Node:
        p = self.pos(x.pos)
        return self.conv(p, t, self.expr(x), implicit)

    def conv(self, p: Any, t: Type, n: Node, implicit: bool) -> Node:
        op = conversion_op(n.type, t)
        if op is None:
            raise GoError((p.line, p.col), f"cannot convert {T.string(n.type)} to {T.string(t)}")
        if op == "STR2RUNES" and n.op == "LITERAL":
            runes = [
                Node("KEY", p, x=literal(p, i, T.INT), y=literal(p, ord(r), T.RUNE))
                for i, r in enumerate(n.value.decode("utf-8", "replace"))
            ]
            return Node("SLICELIT", p, t, list=runes)
        if op in OF_SLICES and not _plain(T.under(n.type).elem):
            n = Node("CONVNOP", n.pos, T.slice_of(OF_SLICES[op]), x=n)
        made = Node(op, p, t, x=n)
        made.implicit = implicit
        return made

    def x_Name(self, x: Tree) -> Node:
        return self.name(x)

    def x_Star(self, x: Tree) -> Node:
        p = self.pos(x.pos)
        return Node("DEREF", p, x.type, x=self.expr(x.x))

    def x_Unary(self, x: Tree) -> Node:
        p = self.pos(x.pos)
        n = self.expr(x.x)
        if x.op == "&":
            return Node("PTRLIT" if n.op in ir.LITERALS else "ADDR", p, x.type, x=n)
        op = {"-": "NEG", "+": "PLUS", "^": "BITNOT", "!": "NOT", "<-": "RECV"}[x.op]
        t = x.type if x.type.kind != "tuple" else x.value_type
        return Node(op, p, t, x=n)

    def x_Binary(self, x: Tree) -> Node:
        op = x.op
        if op in ("<<", ">>"):
            a = self.expr(x.x)
            return Node(ir.ARITHMETIC[op], self.pos(x.pos), x.type, x=a, y=self.expr(x.y))
        common = x.y.type if assignable(x.x.type, x.y.type) else x.x.type
        a = self.converted(common, x.x)
        p = self.pos(x.pos)
        b = self.converted(common, x.y)
        if op in ir.LOGICAL:
            return Node(ir.LOGICAL[op], p, T.default_type(x.type), x=a, y=b)
        if op in ir.COMPARISONS:
            return Node(ir.COMPARISONS[op], p, T.default_type(x.type), x=a, y=b)
        if op == "+" and T.is_string(x.type):
            return self.concat(p, x.type, a, b)
        return Node(ir.ARITHMETIC[op], p, x.type, x=a, y=b)

    def concat(self, p: XPos, t: Type, a: Node, b: Node) -> Node:
        if a.op == "ADDSTR":
            a.pos = p
            add = a
        else:
            add = Node("ADDSTR", p, t, list=[a])
        add.list.extend(b.list if b.op == "ADDSTR" else [b])
        add.type = t
        return add

    def x_FuncLit(self, x: Tree) -> Node:
        return self.unit.closure(self, x)

    # Selectors

    def x_Selector(self, x: Tree) -> Node:
        if x.qualified:
            return self.name(x)
        if getattr(x, "method_expr", False):
            return self.method_expr(x)
        found = x.found
        if found.field is not None:
            n = self.expr(x.x)
            return self.fields(self.pos(x.pos), n, found.path, last_explicit=True)
        recv = self.receiver(x)
        p = self.pos(x.pos)
        m = Node("METHVALUE", p, x.type, x=recv, sel=x.sel, sig=x.type, func=None, recv_field=None)
        if found.func is not None:
            m.func = self.unit.function(found.func)
        return m

    def fields(self, p: XPos, n: Node, path: list[int], last_explicit: bool = False) -> Node:
        for at, i in enumerate(path):
            t = n.type
            op = "DOTPTR" if T.kind(t) == "ptr" else "DOT"
            base = T.under(t).elem if op == "DOTPTR" else t
            f = T.under(base).fields[i]
            n = Node(op, p, f.type, x=n, sel=f.name, offset=T.offset(base, i), field=f)
            n.implicit = not (last_explicit and at == len(path) - 1)
        return n

    def receiver(self, x: Tree) -> Node:
        """The receiver of a method call or value, through embedded fields, its address or what it points to as needed."""
        n = self.expr(x.x)
        p = self.pos(x.pos)
        n = self.fields(p, n, x.found.path)
        func = x.found.func
        if func is not None:
            want = func.recv
            if n.type.kind == "ptr" and want.kind != "ptr":
                n = Node("DEREF", p, n.type.elem, x=n)
                n.implicit = True
            elif want.kind == "ptr" and n.type.kind != "ptr":
                n = Node("ADDR", p, want, x=n)
                n.implicit = True
        return n

    def method_expr(self, x: Tree) -> Node:
        func = x.found.func
        p = self.pos(x.pos)
        fn = self.unit.function(func) if func is not None else None
        return Node("METHEXPR", p, x.type, x=Node("TYPE", p, x.x.type), sel=x.sel, func=fn)

    def method_name(self, p: XPos, func: Func) -> Node:
        t = T.func([T.Field("", func.recv), *func.type.params], func.type.results, func.type.variadic)
        return Node("METHEXPR", p, t, x=Node("TYPE", p, func.recv), sel=func.name, func=self.unit.function(func))

    # Index, slice, assertion

    def x_Index(self, x: Tree) -> Node:
        n = self.expr(x.x)
        p = self.pos(x.pos)
        if T.kind(x.x.type) == "map":
            index = self.converted(T.under(x.x.type).key, x.index)
            return Node("INDEXMAP", p, T.under(x.x.type).elem, x=n, y=index)
        index = self.expr(x.index)
        return Node("INDEX", p, x.type, x=self.star(p, n), y=index)

    def star(self, p: XPos, n: Node) -> Node:
        """A pointer to an array is followed where an array is wanted."""
        u = T.under(n.type)
        if u.kind == "ptr" and T.kind(u.elem) == "array":
            n = Node("DEREF", p, u.elem, x=n)
            n.implicit = True
        return n

    def x_Slice(self, x: Tree) -> Node:
        n = self.expr(x.x)
        p = self.pos(x.pos)
        low, high, most = (self.optional(i) for i in x.index)
        op = "SLICE"
        u = T.under(n.type)
        if u.kind == "array":
            n = Node("ADDR", n.pos, T.pointer(n.type), x=n)
            n.implicit = True
            op = "SLICEARR"
        elif u.kind == "ptr":
            op = "SLICEARR"
        elif T.is_string(u):
            op = "SLICESTR"
        if most is not None:
            op = "SLICE3ARR" if op == "SLICEARR" else "SLICE3"
        return Node(op, p, x.type, x=n, low=low, high=high, max=most)

    def x_Assert(self, x: Tree) -> Node:
        n = self.expr(x.x)
        p = self.pos(x.pos)
        t = x.type if x.type.kind != "tuple" else x.value_type
        if T.under(x.x.type).methods:
            made = self.dynamic_type(p, t)
            return Node("DYNAMICDOTTYPE", p, t, x=n, src_rtype=_word(p), rtype=made.rtype, itab=made.itab)
        return Node("DOTTYPE", p, t, x=n)

    def dynamic_type(self, p: XPos, t: Type) -> Node:
        concrete = not T.is_interface(t)
        return Node("DYNAMICTYPE", p, t, rtype=None if concrete else _word(p), itab=_word(p) if concrete else None)

    # Composite literals

    def x_CompositeLit(self, x: Tree) -> Node:
        p = self.pos(x.pos)
        t = x.type
        pointer = T.kind(t) == "ptr"
        base = T.under(t).elem if pointer else t
        u = T.under(base)
        items: list[Node] = []
        for i, e in enumerate(x.elems):
            keyed = e.kind == "KeyValue"
            if u.kind == "struct":
                i = e.index if keyed else i
                f = u.fields[i]
                kp = self.pos(e.pos)
                items.append(Node("STRUCTKEY", kp, f.type, x=self.converted(f.type, e.x if keyed else e), field=f))
            elif keyed:
                kp = self.pos(e.key.pos)
                key = self.converted(u.key if u.kind == "map" else None, e.key)
                items.append(Node("KEY", kp, x=key, y=self.converted(u.elem, e.x)))
            else:
                items.append(self.converted(u.elem, e))
        op = {"struct": "STRUCTLIT", "array": "ARRAYLIT", "slice": "SLICELIT", "map": "MAPLIT"}[u.kind]
        lit = Node(op, p, base, list=items)
        return Node("PTRLIT", p, t, x=lit) if pointer else lit

    # Calls

    def x_Call(self, x: Tree) -> Node:
        if x.conversion:
            return self.convert(x.type, x.args[0], False)
        if x.builtin:
            return self.builtin(x)
        fun = unparen(x.fun)
        p = self.pos(x.pos)
        sig = T.under(x.fun.type)
        args: list[Node] = []
        if fun.kind == "Selector" and not fun.qualified and fun.found.field is None and not getattr(fun, "method_expr", False):
            recv = self.receiver(fun)
            at = self.pos(fun.pos)
            if fun.found.func is None:
                callee = Node("DOTINTER", at, fun.type, x=recv, sel=fun.sel, func=None)
                op = "CALLINTER"
            else:
                callee, op = self.method_name(at, fun.found.func), "CALLFUNC"
                args.append(recv)
        else:
            callee, op = self.expr(x.fun), "CALLFUNC"
        given = self.multi(p, x.args, lambda i: param_type(sig, i, x.dots))
        call = Node(op, p, x.type, x=callee, args=[*args, *given], dots=x.dots, no_inline=False)
        self.callee_first(call)
        if sig.variadic and not x.dots:
            self.pack(call, len(args) + len(sig.params) - 1, sig.params[-1].type)
        return call

    def callee_first(self, call: Node) -> None:
        """A callee that is itself the result of a call is computed into a temporary before the call."""
        holder = call.x if call.x.op in ("DOTINTER", "METHVALUE") else call
        inner = holder.x
        if not ir.any_node(inner, lambda n: n.op != "NEW" and n.op in CALL_OR_CHAN):
            return
        tmp = self.temp(call.pos, inner.type)
        set_ = Node("AS", call.pos, x=tmp, y=inner, define=False)
        set_.init = [Node("DCL", call.pos, x=tmp)]
        tmp.defn = set_
        holder.x = tmp
        call.init.append(set_)

    def pack(self, call: Node, at: int, t: Type) -> None:
        extra = call.args[at:]
        if extra:
            packed = Node("SLICELIT", call.pos, t, list=extra)
            packed.implicit = True
        else:
            packed = Node("NIL", call.pos, t)
        call.args[at:] = [packed]
        call.dots = True

    def multi(self, p: XPos, xs: list[Tree], want: Any) -> list[Node]:
        """Expressions as values of the wanted types; one call with several results goes through temporaries."""
        if len(xs) == 1 and xs[0].type.kind == "tuple" and len(xs[0].type.types) > 1:
            x = xs[0]
            as2 = Node("AS2", p, lhs=[], rhs=[self.expr(x)], define=True)
            results = []
            for i, src in enumerate(x.type.types):
                tmp = self.temp(p, src)
                as2.init.append(Node("DCL", p, x=tmp))
                as2.lhs.append(tmp)
                dst = want(i)
                results.append(self.conv(p, dst, tmp, True) if dst is not None and not T.identical(src, dst) else tmp)
            multi_op(as2)
            if isinstance(results[0], Name):
                results[0] = Node("CONVNOP", p, results[0].type, x=results[0])
            results[0].init.insert(0, as2)
            return results
        return [self.converted(want(i), x) for i, x in enumerate(xs)]

    def builtin(self, x: Tree) -> Node:
        name, p = x.builtin, self.pos(x.pos)
        if name == "make":
            return self.make(x, p)
        if name == "new":
            t = T.under(x.type).elem
            return Node("NEW", p, x.type, x=Node("TYPE", p, t))
        args = x.args
        if name == "append":
            elem = T.under(x.type).elem
            if x.dots:
                nodes = self.exprs(args)
            else:
                nodes = [self.expr(args[0]), *(self.converted(elem, a) for a in args[1:])]
            return Node("APPEND", p, x.type, x=None, args=nodes, dots=x.dots)
        if name == "delete":
            nodes = [self.expr(args[0]), self.converted(T.under(args[0].type).key, args[1])]
            return Node("DELETE", p, x.type, x=None, args=nodes, dots=False)
        if name == "panic":
            return Node("PANIC", p, x.type, x=self.converted(T.EMPTY_INTERFACE, args[0]))
        if name in MANY:
            return Node(MANY[name], p, T.default_type(x.type), x=None, args=self.exprs(args), dots=False)
        if name in ("len", "cap"):
            return Node(name.upper(), p, T.INT, x=self.star(p, self.expr(args[0])))
        if name in TWO:
            return Node(TWO[name], p, x.type, x=self.expr(args[0]), y=self.expr(args[1]))
        return Node(ONE[name], p, x.type, x=self.expr(args[0]))

    def make(self, x: Tree, p: XPos) -> Node:
        k = T.kind(x.type)
        op = {"slice": "MAKESLICE", "map": "MAKEMAP", "chan": "MAKECHAN"}[k]
        sizes = [self.expr(a) for a in x.args[1:]]
        if not sizes:
            sizes = [literal(p, 0, T.BASIC["untyped int"])]
        return Node(op, p, x.type, x=sizes[0], y=sizes[1] if len(sizes) > 1 else None)


OF_SLICES = {"BYTES2STR": T.BYTE, "RUNES2STR": T.RUNE}


def _plain(t: Type) -> bool:
    """A byte or rune that no declaration renames."""
    return t.kind in T.BASIC


CALL_OR_CHAN = frozenset(
    "APPEND CALLFUNC CALLINTER CAP CLEAR CLOSE COMPLEX COPY DELETE IMAG LEN MAKESLICE MAKEMAP MAKECHAN MAX MIN NEW PANIC PRINT PRINTN REAL "
    "RECOVER RECV UNSAFEADD UNSAFESLICE UNSAFESLICEDATA UNSAFESTRING UNSAFESTRINGDATA".split()
)
MANY = {"print": "PRINT", "println": "PRINTN", "recover": "RECOVER", "min": "MIN", "max": "MAX"}
TWO = {"copy": "COPY", "complex": "COMPLEX", "Add": "UNSAFEADD", "Slice": "UNSAFESLICE", "String": "UNSAFESTRING"}
ONE = {
    "close": "CLOSE", "clear": "CLEAR", "real": "REAL", "imag": "IMAG", "SliceData": "UNSAFESLICEDATA", "StringData": "UNSAFESTRINGDATA",
}  # fmt: skip


def temporary(fn: Function, p: Any, t: Type | None) -> Name:
    """A variable of the compiler's own, named by how many variables the function has."""
    n = Name(f".autotmp_{len(fn.dcl)}", p, t, "AUTO", fn)
    n.auto_temp = True
    fn.dcl.append(n)
    return n


def multi_op(as2: Node) -> None:
    """What an assignment of one expression to several variables is called, by the expression."""
    r = as2.rhs[0]
    ops = {"INDEXMAP": "AS2MAPR", "RECV": "AS2RECV", "DOTTYPE": "AS2DOTTYPE", "DYNAMICDOTTYPE": "AS2DOTTYPE"}
    as2.op = ops.get(r.op, "AS2FUNC")
    if r.op in ("DOTTYPE", "DYNAMICDOTTYPE"):
        r.op += "2"


def literal(p: Any, value: Any, t: Type) -> Node:
    return Node("LITERAL", p, t, value=value, raw=str(value), raw_op="LITERAL")


def _word(p: XPos) -> Node:
    """The address of a type's descriptor."""
    return Node("ADDR", p, T.pointer(T.BYTE), x=Node("LINKSYM", p, T.BYTE))

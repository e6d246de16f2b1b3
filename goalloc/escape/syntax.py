"""Go source to syntax trees: tree-sitter's concrete tree, rewritten into the shapes and positions of Go's own parser.

tree-sitter's grammar is of the text, Go's syntax package (cmd/compile/internal/syntax) is of the program: types and
expressions are one family there, because `T(x)` cannot be told from `f(x)` before names are known. So a type is an
expression here too ("Star", "ArrayType", ...).
"""

from __future__ import annotations

import re

from typing import Any

from goalloc.escape.tree import GoError, Pos, Refused, Tree

IMPORT_ERROR = "goalloc escape needs tree-sitter and its Go grammar: pip install 'hwmem[escape]'"


def grammar() -> Any:
    """A parser of Go, or ImportError in one line."""
    try:
        import tree_sitter
        import tree_sitter_go
    except ImportError:
        raise ImportError(IMPORT_ERROR) from None
    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_go.language()))


def parse(source: bytes) -> Tree:
    """The file's tree: kind "File", with package, imports, decls and pragmas."""
    root = grammar().parse(source).root_node
    if (line := re.search(rb"^//line |/\*line ", source, re.M)) is not None:
        raise GoError((source.count(b"\n", 0, line.start()) + 1, 1), "line directives are not in the subset")
    if root.has_error:
        _syntax_error(root)
    return _Reader().file(root)


def _syntax_error(node: Any) -> None:
    todo = [node]
    while todo:
        n = todo.pop()
        if n.type == "ERROR" or n.is_missing:
            raise GoError((n.start_point[0] + 1, n.start_point[1] + 1), "syntax error")
        todo.extend(reversed([c for c in n.children if c.has_error or c.is_missing]))


def _at(n: Any) -> Pos:
    row, column = n.start_point
    return row + 1, column + 1


def _named(n: Any) -> list[Any]:
    return [c for c in n.named_children if c.type != "comment"]


def _token(n: Any, text: str) -> Any:
    return next(c for c in n.children if c.type == text)


class _Reader:
    def __init__(self) -> None:
        self.pragmas: list[str] = []  # those before the next declaration

    def file(self, root: Any) -> Tree:
        f = Tree("File", (1, 1), package="", imports=[], decls=[])
        for n in root.children:
            if n.type == "comment":
                text = n.text.decode()
                if text.startswith("//go:"):
                    self.pragmas.append(text.split()[0][2:])
            elif n.type == "package_clause":
                f.package = _named(n)[0].text.decode()
            elif n.type == "import_declaration":
                self.imports(n, f.imports)
            elif n.is_named:
                self.decl(n, f.decls)
                self.pragmas = []
        if not f.package:
            raise GoError((1, 1), "no package clause")
        return f

    def imports(self, n: Any, out: list[Tree]) -> None:
        for spec in _named(n):
            if spec.type == "import_spec_list":
                self.imports(spec, out)
                continue
            name = spec.child_by_field_name("name")
            path = spec.child_by_field_name("path").text.decode()[1:-1]
            out.append(Tree("Import", _at(spec), name=name.text.decode() if name is not None else None, path=path))

    # Declarations

    def decl(self, n: Any, out: list[Tree]) -> None:
        kind = n.type
        if kind in ("function_declaration", "method_declaration"):
            out.append(self.func(n))
        elif kind in ("var_declaration", "const_declaration", "type_declaration"):
            out.extend(self.specs(n))
        else:
            raise GoError(_at(n), f"unexpected {kind.replace('_', ' ')}")

    def func(self, n: Any) -> Tree:
        name = n.child_by_field_name("name")
        receiver = n.child_by_field_name("receiver")
        body = n.child_by_field_name("body")
        refused = None
        try:
            params, results = self.signature(n)
            block = self.block(body) if body is not None else None
            recv = self.params(receiver)[0] if receiver is not None else None
        except Refused as r:
            params, results, block, refused = [], [], None, (r.pos, str(r))
            recv = Tree("Field", _at(name), name=None, typ=Tree("Name", _at(name), name="_")) if receiver is not None else None
        return Tree(
            "FuncDecl",
            _at(name if receiver is None else receiver),
            name=name.text.decode(),
            line=_at(n)[0],
            generic=n.child_by_field_name("type_parameters") is not None,
            recv=recv,
            params=params,
            results=results,
            body=block,
            refused=refused,
            pragmas=self.pragmas,
        )

    def signature(self, n: Any) -> tuple[list[Tree], list[Tree]]:
        result = n.child_by_field_name("result")
        if result is None:
            results: list[Tree] = []
        elif result.type == "parameter_list":
            results = self.params(result)
        else:
            results = [Tree("Field", _at(result), name=None, typ=self.expr(result), dots=False)]
        return self.params(n.child_by_field_name("parameters")), results

    def params(self, n: Any) -> list[Tree]:
        out = []
        for p in _named(n):
            dots = p.type == "variadic_parameter_declaration"
            typ = p.child_by_field_name("type")
            names = p.children_by_field_name("name")
            for name in names:
                out.append(Tree("Field", _at(name), name=name.text.decode(), typ=self.expr(typ), dots=dots))
            if not names:
                out.append(Tree("Field", _at(p), name=None, typ=self.expr(typ), dots=dots))
        if any(f.name for f in out):  # then those without one are names whose type comes later
            for i in range(len(out) - 2, -1, -1):
                f = out[i]
                if not f.name and f.typ.kind == "Name":
                    f.name, f.typ = f.typ.name, out[i + 1].typ
        return out

    def specs(self, n: Any) -> list[Tree]:
        out: list[Tree] = []
        group: list[Any] = []
        for spec in _named(n):
            group.extend(_named(spec) if spec.type == "var_spec_list" else [spec])
        last: Tree | None = None
        for i, spec in enumerate(group):
            if spec.type in ("var_spec", "const_spec"):
                d = self.values(spec, i)
                if d.kind == "ConstDecl":
                    if not d.values and d.typ is None and last is not None:
                        d.typ, d.values = last.typ, last.values
                    last = d
                out.append(d)
            elif spec.type in ("type_spec", "type_alias"):
                out.append(self.type_spec(spec))
        return out

    def values(self, spec: Any, iota: int) -> Tree:
        names = [Tree("Name", _at(c), name=c.text.decode()) for c in spec.children_by_field_name("name") if c.is_named]
        d = Tree("VarDecl" if spec.type == "var_spec" else "ConstDecl", _at(spec), names=names, typ=None, values=[], iota=iota, broken=None)
        typ, value = spec.child_by_field_name("type"), spec.child_by_field_name("value")
        try:
            d.typ = self.expr(typ) if typ is not None else None
            d.values = [self.expr(v) for v in _named(value)] if value is not None else []
        except Refused as r:
            d.broken = r.pos, str(r)
        return d

    def type_spec(self, spec: Any) -> Tree:
        name = spec.child_by_field_name("name")
        d = Tree("TypeDecl", _at(name), name=name.text.decode(), alias=spec.type == "type_alias", broken=None)
        try:
            if spec.child_by_field_name("type_parameters") is not None:
                raise Refused(d.pos, f"{d.name} is a generic type")
            d.typ = self.expr(spec.child_by_field_name("type"))
        except Refused as r:
            d.broken = r.pos, str(r)
        return d

    # Statements

    def block(self, n: Any) -> Tree:
        return Tree("Block", _at(n), stmts=self.stmts(n), end=(n.end_point[0] + 1, n.end_point[1]))

    def stmts(self, n: Any) -> list[Tree]:
        out: list[Tree] = []
        for c in _named(n):
            if c.type == "statement_list":
                out.extend(self.stmts(c))
            else:
                s = self.stmt(c)
                if s is not None:
                    out.append(s)
        return out

    def stmt(self, n: Any) -> Tree | None:
        method = getattr(self, "s_" + n.type, None)
        if method is None:
            raise Refused(_at(n), f"{n.type.replace('_', ' ')} as a statement")
        return method(n)

    def exprs(self, n: Any) -> list[Tree]:
        if n is None:
            return []
        return [self.expr(c) for c in _named(n)] if n.type == "expression_list" else [self.expr(n)]

    def s_empty_statement(self, n: Any) -> Tree | None:
        return None

    def s_block(self, n: Any) -> Tree:
        return self.block(n)

    def s_expression_statement(self, n: Any) -> Tree:
        x = self.expr(_named(n)[0])
        return Tree("ExprStmt", x.pos, x=x)

    def s_send_statement(self, n: Any) -> Tree:
        channel, value = n.child_by_field_name("channel"), n.child_by_field_name("value")
        return Tree("Send", _at(_token(n, "<-")), chan=self.expr(channel), x=self.expr(value))

    def s_inc_statement(self, n: Any) -> Tree:
        op = n.children[-1]
        return Tree("IncDec", _at(op), op=op.type[0], lhs=self.expr(_named(n)[0]))

    s_dec_statement = s_inc_statement

    def s_assignment_statement(self, n: Any) -> Tree:
        op = n.child_by_field_name("operator")
        lhs, rhs = self.exprs(n.child_by_field_name("left")), self.exprs(n.child_by_field_name("right"))
        if op.type != "=":
            return Tree("AssignOp", _at(op), op=op.type[:-1], lhs=lhs[0], rhs=rhs[0])
        return Tree("Assign", _at(op), lhs=lhs, rhs=rhs, define=False, typ=None)

    def s_short_var_declaration(self, n: Any) -> Tree:
        lhs, rhs = self.exprs(n.child_by_field_name("left")), self.exprs(n.child_by_field_name("right"))
        return Tree("Assign", _at(_token(n, ":=")), lhs=lhs, rhs=rhs, define=True, typ=None)

    def s_receive_statement(self, n: Any) -> Tree:
        left, right = n.child_by_field_name("left"), self.expr(n.child_by_field_name("right"))
        if left is None:
            return Tree("ExprStmt", right.pos, x=right)
        define = any(c.type == ":=" for c in n.children)
        return Tree("Assign", _at(_token(n, ":=" if define else "=")), lhs=self.exprs(left), rhs=[right], define=define, typ=None)

    def s_var_declaration(self, n: Any) -> Tree:
        return Tree("DeclStmt", _at(n), decls=self.specs(n))

    s_const_declaration = s_var_declaration
    s_type_declaration = s_var_declaration

    def s_if_statement(self, n: Any) -> Tree:
        init, other = n.child_by_field_name("initializer"), n.child_by_field_name("alternative")
        return Tree(
            "If",
            _at(n),
            init=self.stmt_of(init),
            cond=self.expr(n.child_by_field_name("condition")),
            then=self.block(n.child_by_field_name("consequence")),
            els=self.stmt(other) if other is not None else None,
        )

    def stmt_of(self, n: Any) -> Tree | None:
        return self.stmt(n) if n is not None else None

    def s_for_statement(self, n: Any) -> Tree:
        body = self.block(n.child_by_field_name("body"))
        heads = [c for c in _named(n) if c.type != "block" or c.start_point != n.child_by_field_name("body").start_point]
        if not heads:
            return Tree("For", _at(n), init=None, cond=None, post=None, body=body)
        head = heads[0]
        if head.type == "range_clause":
            define = any(c.type == ":=" for c in head.children)
            lhs = self.exprs(head.child_by_field_name("left"))
            x = self.expr(head.child_by_field_name("right"))
            return Tree("Range", _at(_token(head, "range")), lhs=lhs, x=x, define=define, body=body)
        if head.type == "for_clause":
            cond = head.child_by_field_name("condition")
            init, post = self.stmt_of(head.child_by_field_name("initializer")), self.stmt_of(head.child_by_field_name("update"))
            return Tree("For", _at(n), init=init, cond=self.expr(cond) if cond is not None else None, post=post, body=body)
        return Tree("For", _at(n), init=None, cond=self.expr(head), post=None, body=body)

    def case_body(self, n: Any, skip: int) -> list[Tree]:
        out: list[Tree] = []
        for c in _named(n)[skip:]:
            out.extend(self.stmts(c) if c.type == "statement_list" else [s for s in [self.stmt(c)] if s is not None])
        return out

    def s_expression_switch_statement(self, n: Any) -> Tree:
        tag = n.child_by_field_name("value")
        cases = []
        for c in _named(n):
            if c.type in ("expression_case", "default_case"):
                values = c.child_by_field_name("value")
                exprs = self.exprs(values)
                cases.append(Tree("Case", _at(c), exprs=exprs, body=self.case_body(c, 1 if values is not None else 0)))
        init = self.stmt_of(n.child_by_field_name("initializer"))
        return Tree("Switch", _at(n), init=init, tag=self.expr(tag) if tag is not None else None, cases=cases)

    def s_type_switch_statement(self, n: Any) -> Tree:
        alias = n.child_by_field_name("alias")
        cases = []
        for c in _named(n):
            if c.type in ("type_case", "default_case"):
                types = c.children_by_field_name("type")
                types = [t for t in types if t.is_named]
                cases.append(Tree("Case", _at(c), exprs=[self.expr(t) for t in types], body=self.case_body(c, len(types))))
        name = _named(alias)[0] if alias is not None else None
        return Tree(
            "TypeSwitch",
            _at(n),
            init=self.stmt_of(n.child_by_field_name("initializer")),
            guard_pos=_at(_token(n, ".")),
            alias=Tree("Name", _at(name), name=name.text.decode()) if name is not None else None,
            x=self.expr(n.child_by_field_name("value")),
            cases=cases,
        )

    def s_select_statement(self, n: Any) -> Tree:
        cases = []
        for c in _named(n):
            comm = c.child_by_field_name("communication")
            stmt = self.stmt_of(comm)
            cases.append(Tree("CommCase", _at(c), comm=stmt, body=self.case_body(c, 1 if comm is not None else 0)))
        return Tree("Select", _at(n), cases=cases)

    def s_labeled_statement(self, n: Any) -> Tree:
        parts = _named(n)
        return Tree("Label", _at(_token(n, ":")), label=parts[0].text.decode(), stmt=self.stmt(parts[1]) if len(parts) > 1 else None)

    def s_go_statement(self, n: Any) -> Tree:
        return Tree("CallStmt", _at(n), op=n.children[0].type, x=self.expr(_named(n)[0]))

    s_defer_statement = s_go_statement

    def s_return_statement(self, n: Any) -> Tree:
        parts = _named(n)
        return Tree("Return", _at(n), results=self.exprs(parts[0]) if parts else [])

    def s_break_statement(self, n: Any) -> Tree:
        parts = _named(n)
        return Tree("Branch", _at(n), op=n.children[0].type, label=parts[0].text.decode() if parts else None)

    s_continue_statement = s_break_statement
    s_goto_statement = s_break_statement

    def s_fallthrough_statement(self, n: Any) -> Tree:
        return Tree("Branch", _at(n), op="fallthrough", label=None)

    # Expressions and types

    def expr(self, n: Any) -> Tree:
        method = getattr(self, "e_" + n.type, None)
        if method is None:
            raise Refused(_at(n), f"{n.type.replace('_', ' ')} is not in the subset")
        return method(n)

    def e_identifier(self, n: Any) -> Tree:
        return Tree("Name", _at(n), name=n.text.decode())

    e_type_identifier = e_identifier
    e_nil = e_identifier
    e_true = e_identifier
    e_false = e_identifier
    e_iota = e_identifier
    e_package_identifier = e_identifier
    e_field_identifier = e_identifier

    def e_int_literal(self, n: Any) -> Tree:
        return Tree("Lit", _at(n), lit=n.type, text=n.text.decode())

    e_float_literal = e_int_literal
    e_imaginary_literal = e_int_literal
    e_rune_literal = e_int_literal
    e_interpreted_string_literal = e_int_literal
    e_raw_string_literal = e_int_literal

    def e_parenthesized_expression(self, n: Any) -> Tree:
        return Tree("Paren", _at(n), x=self.expr(_named(n)[0]))

    e_parenthesized_type = e_parenthesized_expression

    def e_literal_element(self, n: Any) -> Tree:
        return self.expr(_named(n)[0])

    def e_unary_expression(self, n: Any) -> Tree:
        op, x = n.child_by_field_name("operator").type, self.expr(n.child_by_field_name("operand"))
        if op == "*":
            return Tree("Star", _at(n), x=x)
        return Tree("Unary", _at(n), op=op, x=x)

    def e_binary_expression(self, n: Any) -> Tree:
        op = n.child_by_field_name("operator")
        x, y = self.expr(n.child_by_field_name("left")), self.expr(n.child_by_field_name("right"))
        return Tree("Binary", _at(op), op=op.type, x=x, y=y)

    def e_selector_expression(self, n: Any) -> Tree:
        x, field = self.expr(n.child_by_field_name("operand")), n.child_by_field_name("field")
        return Tree("Selector", _at(_token(n, ".")), x=x, sel=field.text.decode(), sel_pos=_at(field))

    def e_qualified_type(self, n: Any) -> Tree:
        x, field = self.expr(n.child_by_field_name("package")), n.child_by_field_name("name")
        return Tree("Selector", _at(_token(n, ".")), x=x, sel=field.text.decode(), sel_pos=_at(field))

    def e_index_expression(self, n: Any) -> Tree:
        x, index = self.expr(n.child_by_field_name("operand")), self.expr(n.child_by_field_name("index"))
        return Tree("Index", _at(_token(n, "[")), x=x, index=index)

    def e_slice_expression(self, n: Any) -> Tree:
        parts = [n.child_by_field_name(f) for f in ("start", "end", "capacity")]
        index = [self.expr(p) if p is not None else None for p in parts]
        return Tree("Slice", _at(_token(n, "[")), x=self.expr(n.child_by_field_name("operand")), index=index)

    def e_call_expression(self, n: Any) -> Tree:
        if n.child_by_field_name("type_arguments") is not None:
            raise Refused(_at(n), "a call of a generic function")
        arguments = n.child_by_field_name("arguments")
        args, dots = [], False
        for a in _named(arguments):
            if a.type == "variadic_argument":
                a, dots = _named(a)[0], True
            args.append(self.expr(a))
        return Tree("Call", _at(arguments), fun=self.expr(n.child_by_field_name("function")), args=args, dots=dots)

    def e_type_conversion_expression(self, n: Any) -> Tree:
        typ, x = n.child_by_field_name("type"), n.child_by_field_name("operand")
        stars = []
        while typ.type == "pointer_type":  # *(T)(x) is what (T)(x) points to
            stars.append(_at(typ))
            typ = _named(typ)[0]
        call = Tree("Call", _at(_token(n, "(")), fun=self.expr(typ), args=[self.expr(x)], dots=False)
        for star in reversed(stars):
            call = Tree("Star", star, x=call)
        return call

    def e_type_assertion_expression(self, n: Any) -> Tree:
        x, typ = self.expr(n.child_by_field_name("operand")), self.expr(n.child_by_field_name("type"))
        return Tree("Assert", _at(_token(n, ".")), x=x, typ=typ)

    def e_composite_literal(self, n: Any) -> Tree:
        lit = self.e_literal_value(n.child_by_field_name("body"))
        lit.typ = self.expr(n.child_by_field_name("type"))
        return lit

    def e_literal_value(self, n: Any) -> Tree:
        elems = []
        for c in _named(n):
            if c.type == "keyed_element":
                key, value = c.child_by_field_name("key"), c.child_by_field_name("value")
                elems.append(Tree("KeyValue", _at(key), key=self.expr(key), x=self.expr(value)))
            else:
                elems.append(self.expr(c))
        return Tree("CompositeLit", _at(n), typ=None, elems=elems)

    def e_func_literal(self, n: Any) -> Tree:
        params, results = self.signature(n)
        body = n.child_by_field_name("body")
        return Tree("FuncLit", _at(n), params=params, results=results, body=self.block(body))

    def e_pointer_type(self, n: Any) -> Tree:
        return Tree("Star", _at(n), x=self.expr(_named(n)[0]))

    def e_array_type(self, n: Any) -> Tree:
        return Tree("ArrayType", _at(n), len=self.expr(n.child_by_field_name("length")), elem=self.expr(n.child_by_field_name("element")))

    def e_implicit_length_array_type(self, n: Any) -> Tree:
        return Tree("ArrayType", _at(n), len=None, elem=self.expr(n.child_by_field_name("element")))

    def e_slice_type(self, n: Any) -> Tree:
        return Tree("SliceType", _at(n), elem=self.expr(n.child_by_field_name("element")))

    def e_map_type(self, n: Any) -> Tree:
        return Tree("MapType", _at(n), key=self.expr(n.child_by_field_name("key")), elem=self.expr(n.child_by_field_name("value")))

    def e_channel_type(self, n: Any) -> Tree:
        text = "".join(c.type for c in n.children if not c.is_named)
        direction = {"chan": "", "chan<-": "send", "<-chan": "recv"}[text]
        return Tree("ChanType", _at(n), dir=direction, elem=self.expr(n.child_by_field_name("value")))

    def e_function_type(self, n: Any) -> Tree:
        params, results = self.signature(n)
        return Tree("FuncType", _at(n), params=params, results=results)

    def e_struct_type(self, n: Any) -> Tree:
        fields = []
        for d in _named(_named(n)[0]):
            typ = self.expr(d.child_by_field_name("type"))
            names = d.children_by_field_name("name")
            for name in names:
                fields.append(Tree("StructField", _at(name), name=name.text.decode(), typ=typ, embedded=False))
            if not names:
                if any(c.type == "*" for c in d.children):
                    typ = Tree("Star", _at(d), x=typ)
                fields.append(Tree("StructField", _at(d), name=None, typ=typ, embedded=True))
        return Tree("StructType", _at(n), fields=fields)

    def e_interface_type(self, n: Any) -> Tree:
        methods, embeds = [], []
        for c in _named(n):
            if c.type == "method_elem":
                params, results = self.signature(c)
                name = c.child_by_field_name("name")
                methods.append(Tree("Method", _at(name), name=name.text.decode(), params=params, results=results))
            else:
                parts = _named(c)
                if c.type != "type_elem" or len(parts) != 1 or any(ch.type in ("~", "|") for ch in c.children):
                    raise Refused(_at(c), "a type set (generics)")
                embeds.append(self.expr(parts[0]))
        return Tree("InterfaceType", _at(n), methods=methods, embeds=embeds)

    def e_generic_type(self, n: Any) -> Tree:
        raise Refused(_at(n), "a generic type")

    def e_negated_type(self, n: Any) -> Tree:
        raise Refused(_at(n), "a type set (generics)")

    e_type_instantiation_expression = e_generic_type

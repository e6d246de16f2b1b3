"""Go's expressions and types from tree-sitter's: a type is an expression here, because `T(x)` cannot be told from `f(x)`."""

from __future__ import annotations

from typing import Any

from goalloc.escape.tree import Pos, Refused, Tree


def at(n: Any) -> Pos:
    row, column = n.start_point
    return row + 1, column + 1


def named(n: Any) -> list[Any]:
    return [c for c in n.named_children if c.type != "comment"]


def token(n: Any, text: str) -> Any:
    return next(c for c in n.children if c.type == text)


class ExprReader:
    def block(self, n: Any) -> Tree:
        raise NotImplementedError

    def signature(self, n: Any) -> tuple[list[Tree], list[Tree]]:
        result = n.child_by_field_name("result")
        if result is None:
            results: list[Tree] = []
        elif result.type == "parameter_list":
            results = self.params(result)
        else:
            results = [Tree("Field", at(result), name=None, typ=self.expr(result), dots=False)]
        return self.params(n.child_by_field_name("parameters")), results

    def params(self, n: Any) -> list[Tree]:
        out = []
        for p in named(n):
            dots = p.type == "variadic_parameter_declaration"
            typ = p.child_by_field_name("type")
            names = p.children_by_field_name("name")
            for name in names:
                out.append(Tree("Field", at(name), name=name.text.decode(), typ=self.expr(typ), dots=dots))
            if not names:
                out.append(Tree("Field", at(p), name=None, typ=self.expr(typ), dots=dots))
        if any(f.name for f in out):  # then those without one are names whose type comes later
            for i in range(len(out) - 2, -1, -1):
                f = out[i]
                if not f.name and f.typ.kind == "Name":
                    f.name, f.typ = f.typ.name, out[i + 1].typ
        return out

    def expr(self, n: Any) -> Tree:
        method = getattr(self, "e_" + n.type, None)
        if method is None:
            raise Refused(at(n), f"{n.type.replace('_', ' ')} is not in the subset")
        return method(n)

    def e_identifier(self, n: Any) -> Tree:
        return Tree("Name", at(n), name=n.text.decode())

    e_type_identifier = e_identifier
    e_nil = e_identifier
    e_true = e_identifier
    e_false = e_identifier
    e_iota = e_identifier
    e_package_identifier = e_identifier
    e_field_identifier = e_identifier

    def e_int_literal(self, n: Any) -> Tree:
        return Tree("Lit", at(n), lit=n.type, text=n.text.decode())

    e_float_literal = e_int_literal
    e_imaginary_literal = e_int_literal
    e_rune_literal = e_int_literal
    e_interpreted_string_literal = e_int_literal
    e_raw_string_literal = e_int_literal

    def e_parenthesized_expression(self, n: Any) -> Tree:
        return Tree("Paren", at(n), x=self.expr(named(n)[0]))

    e_parenthesized_type = e_parenthesized_expression

    def e_literal_element(self, n: Any) -> Tree:
        return self.expr(named(n)[0])

    def e_unary_expression(self, n: Any) -> Tree:
        op, x = n.child_by_field_name("operator").type, self.expr(n.child_by_field_name("operand"))
        if op == "*":
            return Tree("Star", at(n), x=x)
        return Tree("Unary", at(n), op=op, x=x)

    def e_binary_expression(self, n: Any) -> Tree:
        op = n.child_by_field_name("operator")
        x, y = self.expr(n.child_by_field_name("left")), self.expr(n.child_by_field_name("right"))
        return Tree("Binary", at(op), op=op.type, x=x, y=y)

    def e_selector_expression(self, n: Any) -> Tree:
        x, field = self.expr(n.child_by_field_name("operand")), n.child_by_field_name("field")
        return Tree("Selector", at(token(n, ".")), x=x, sel=field.text.decode(), sel_pos=at(field))

    def e_qualified_type(self, n: Any) -> Tree:
        x, field = self.expr(n.child_by_field_name("package")), n.child_by_field_name("name")
        return Tree("Selector", at(token(n, ".")), x=x, sel=field.text.decode(), sel_pos=at(field))

    def e_index_expression(self, n: Any) -> Tree:
        x, index = self.expr(n.child_by_field_name("operand")), self.expr(n.child_by_field_name("index"))
        return Tree("Index", at(token(n, "[")), x=x, index=index)

    def e_slice_expression(self, n: Any) -> Tree:
        parts = [n.child_by_field_name(f) for f in ("start", "end", "capacity")]
        index = [self.expr(p) if p is not None else None for p in parts]
        return Tree("Slice", at(token(n, "[")), x=self.expr(n.child_by_field_name("operand")), index=index)

    def e_call_expression(self, n: Any) -> Tree:
        if n.child_by_field_name("type_arguments") is not None:
            raise Refused(at(n), "a call of a generic function")
        arguments = n.child_by_field_name("arguments")
        args, dots = [], False
        for a in named(arguments):
            if a.type == "variadic_argument":
                a, dots = named(a)[0], True
            args.append(self.expr(a))
        return Tree("Call", at(arguments), fun=self.expr(n.child_by_field_name("function")), args=args, dots=dots)

    def e_type_conversion_expression(self, n: Any) -> Tree:
        typ, x = n.child_by_field_name("type"), n.child_by_field_name("operand")
        stars = []
        while typ.type == "pointer_type":  # *(T)(x) is what (T)(x) points to
            stars.append(at(typ))
            typ = named(typ)[0]
        call = Tree("Call", at(token(n, "(")), fun=self.expr(typ), args=[self.expr(x)], dots=False)
        for star in reversed(stars):
            call = Tree("Star", star, x=call)
        return call

    def e_type_assertion_expression(self, n: Any) -> Tree:
        x, typ = self.expr(n.child_by_field_name("operand")), self.expr(n.child_by_field_name("type"))
        return Tree("Assert", at(token(n, ".")), x=x, typ=typ)

    def e_composite_literal(self, n: Any) -> Tree:
        lit = self.e_literal_value(n.child_by_field_name("body"))
        lit.typ = self.expr(n.child_by_field_name("type"))
        return lit

    def e_literal_value(self, n: Any) -> Tree:
        elems = []
        for c in named(n):
            if c.type == "keyed_element":
                key, value = c.child_by_field_name("key"), c.child_by_field_name("value")
                elems.append(Tree("KeyValue", at(key), key=self.expr(key), x=self.expr(value)))
            else:
                elems.append(self.expr(c))
        return Tree("CompositeLit", at(n), typ=None, elems=elems)

    def e_func_literal(self, n: Any) -> Tree:
        params, results = self.signature(n)
        body = n.child_by_field_name("body")
        return Tree("FuncLit", at(n), params=params, results=results, body=self.block(body))

    def e_pointer_type(self, n: Any) -> Tree:
        return Tree("Star", at(n), x=self.expr(named(n)[0]))

    def e_array_type(self, n: Any) -> Tree:
        return Tree("ArrayType", at(n), len=self.expr(n.child_by_field_name("length")), elem=self.expr(n.child_by_field_name("element")))

    def e_implicit_length_array_type(self, n: Any) -> Tree:
        return Tree("ArrayType", at(n), len=None, elem=self.expr(n.child_by_field_name("element")))

    def e_slice_type(self, n: Any) -> Tree:
        return Tree("SliceType", at(n), elem=self.expr(n.child_by_field_name("element")))

    def e_map_type(self, n: Any) -> Tree:
        return Tree("MapType", at(n), key=self.expr(n.child_by_field_name("key")), elem=self.expr(n.child_by_field_name("value")))

    def e_channel_type(self, n: Any) -> Tree:
        text = "".join(c.type for c in n.children if not c.is_named)
        direction = {"chan": "", "chan<-": "send", "<-chan": "recv"}[text]
        return Tree("ChanType", at(n), dir=direction, elem=self.expr(n.child_by_field_name("value")))

    def e_function_type(self, n: Any) -> Tree:
        params, results = self.signature(n)
        return Tree("FuncType", at(n), params=params, results=results)

    def e_struct_type(self, n: Any) -> Tree:
        fields = []
        for d in named(named(n)[0]):
            typ = self.expr(d.child_by_field_name("type"))
            names = d.children_by_field_name("name")
            for name in names:
                fields.append(Tree("StructField", at(name), name=name.text.decode(), typ=typ, embedded=False))
            if not names:
                if any(c.type == "*" for c in d.children):
                    typ = Tree("Star", at(d), x=typ)
                fields.append(Tree("StructField", at(d), name=None, typ=typ, embedded=True))
        return Tree("StructType", at(n), fields=fields)

    def e_interface_type(self, n: Any) -> Tree:
        methods, embeds = [], []
        for c in named(n):
            if c.type == "method_elem":
                params, results = self.signature(c)
                name = c.child_by_field_name("name")
                methods.append(Tree("Method", at(name), name=name.text.decode(), params=params, results=results))
            else:
                parts = named(c)
                if c.type != "type_elem" or len(parts) != 1 or any(ch.type in ("~", "|") for ch in c.children):
                    raise Refused(at(c), "a type set (generics)")
                embeds.append(self.expr(parts[0]))
        return Tree("InterfaceType", at(n), methods=methods, embeds=embeds)

    def e_generic_type(self, n: Any) -> Tree:
        raise Refused(at(n), "a generic type")

    def e_negated_type(self, n: Any) -> Tree:
        raise Refused(at(n), "a type set (generics)")

    e_type_instantiation_expression = e_generic_type

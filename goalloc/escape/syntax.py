"""Go source to syntax trees: tree-sitter's concrete tree, rewritten into the shapes and positions of Go's own parser.

tree-sitter's grammar is of the text, Go's syntax package (cmd/compile/internal/syntax) is of the program: types and
expressions are one family there (syntax_expr.py).
"""

from __future__ import annotations

import re

from typing import Any

from goalloc.escape.syntax_expr import ExprReader, at, named, token
from goalloc.escape.tree import GoError, Refused, Tree

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
    try:
        source.decode()
    except UnicodeDecodeError as e:
        raise GoError((source.count(b"\n", 0, e.start) + 1, e.start - source.rfind(b"\n", 0, e.start)), "not UTF-8") from None
    root = grammar().parse(source).root_node
    if (line := re.search(rb"^//line [^\n]*:\d+\s*$|/\*line [^\n]*:\d+\*/", source, re.M)) is not None:
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


class _Reader(ExprReader):
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
                f.package = named(n)[0].text.decode()
            elif n.type == "import_declaration":
                self.imports(n, f.imports)
            elif n.is_named:
                self.decl(n, f.decls)
                self.pragmas = []
        if not f.package:
            raise GoError((1, 1), "no package clause")
        return f

    def imports(self, n: Any, out: list[Tree]) -> None:
        for spec in named(n):
            if spec.type == "import_spec_list":
                self.imports(spec, out)
                continue
            name = spec.child_by_field_name("name")
            path = spec.child_by_field_name("path").text.decode()[1:-1]
            out.append(Tree("Import", at(spec), name=name.text.decode() if name is not None else None, path=path))

    # Declarations

    def decl(self, n: Any, out: list[Tree]) -> None:
        kind = n.type
        if kind in ("function_declaration", "method_declaration"):
            out.append(self.func(n))
        elif kind in ("var_declaration", "const_declaration", "type_declaration"):
            out.extend(self.specs(n))
        else:
            raise GoError(at(n), f"unexpected {kind.replace('_', ' ')}")

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
            recv = Tree("Field", at(name), name=None, typ=Tree("Name", at(name), name="_")) if receiver is not None else None
        return Tree(
            "FuncDecl",
            at(name if receiver is None else receiver),
            name=name.text.decode(),
            line=at(n)[0],
            generic=n.child_by_field_name("type_parameters") is not None,
            recv=recv,
            params=params,
            results=results,
            body=block,
            refused=refused,
            pragmas=self.pragmas,
        )

    def specs(self, n: Any) -> list[Tree]:
        out: list[Tree] = []
        group: list[Any] = []
        for spec in named(n):
            group.extend(named(spec) if spec.type == "var_spec_list" else [spec])
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
        names = [Tree("Name", at(c), name=c.text.decode()) for c in spec.children_by_field_name("name") if c.is_named]
        d = Tree("VarDecl" if spec.type == "var_spec" else "ConstDecl", at(spec), names=names, typ=None, values=[], iota=iota, broken=None)
        typ, value = spec.child_by_field_name("type"), spec.child_by_field_name("value")
        try:
            d.typ = self.expr(typ) if typ is not None else None
            d.values = [self.expr(v) for v in named(value)] if value is not None else []
        except Refused as r:
            d.broken = r.pos, str(r)
        return d

    def type_spec(self, spec: Any) -> Tree:
        name = spec.child_by_field_name("name")
        d = Tree("TypeDecl", at(name), name=name.text.decode(), alias=spec.type == "type_alias", broken=None)
        try:
            if spec.child_by_field_name("type_parameters") is not None:
                raise Refused(d.pos, f"{d.name} is a generic type")
            d.typ = self.expr(spec.child_by_field_name("type"))
        except Refused as r:
            d.broken = r.pos, str(r)
        return d

    # Statements

    def block(self, n: Any) -> Tree:
        return Tree("Block", at(n), stmts=self.stmts(n), end=(n.end_point[0] + 1, n.end_point[1]))

    def stmts(self, n: Any) -> list[Tree]:
        out: list[Tree] = []
        for c in named(n):
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
            raise Refused(at(n), f"{n.type.replace('_', ' ')} as a statement")
        return method(n)

    def exprs(self, n: Any) -> list[Tree]:
        if n is None:
            return []
        return [self.expr(c) for c in named(n)] if n.type == "expression_list" else [self.expr(n)]

    def s_empty_statement(self, n: Any) -> Tree | None:
        return None

    def s_block(self, n: Any) -> Tree:
        return self.block(n)

    def s_expression_statement(self, n: Any) -> Tree:
        x = self.expr(named(n)[0])
        return Tree("ExprStmt", x.pos, x=x)

    def s_send_statement(self, n: Any) -> Tree:
        channel, value = n.child_by_field_name("channel"), n.child_by_field_name("value")
        return Tree("Send", at(token(n, "<-")), chan=self.expr(channel), x=self.expr(value))

    def s_inc_statement(self, n: Any) -> Tree:
        op = n.children[-1]
        return Tree("IncDec", at(op), op=op.type[0], lhs=self.expr(named(n)[0]))

    s_dec_statement = s_inc_statement

    def s_assignment_statement(self, n: Any) -> Tree:
        op = n.child_by_field_name("operator")
        lhs, rhs = self.exprs(n.child_by_field_name("left")), self.exprs(n.child_by_field_name("right"))
        if op.type != "=":
            return Tree("AssignOp", at(op), op=op.type[:-1], lhs=lhs[0], rhs=rhs[0])
        return Tree("Assign", at(op), lhs=lhs, rhs=rhs, define=False, typ=None)

    def s_short_var_declaration(self, n: Any) -> Tree:
        lhs, rhs = self.exprs(n.child_by_field_name("left")), self.exprs(n.child_by_field_name("right"))
        return Tree("Assign", at(token(n, ":=")), lhs=lhs, rhs=rhs, define=True, typ=None)

    def s_receive_statement(self, n: Any) -> Tree:
        left, right = n.child_by_field_name("left"), self.expr(n.child_by_field_name("right"))
        if left is None:
            return Tree("ExprStmt", right.pos, x=right)
        define = any(c.type == ":=" for c in n.children)
        return Tree("Assign", at(token(n, ":=" if define else "=")), lhs=self.exprs(left), rhs=[right], define=define, typ=None)

    def s_var_declaration(self, n: Any) -> Tree:
        return Tree("DeclStmt", at(n), decls=self.specs(n))

    s_const_declaration = s_var_declaration
    s_type_declaration = s_var_declaration

    def s_if_statement(self, n: Any) -> Tree:
        init, other = n.child_by_field_name("initializer"), n.child_by_field_name("alternative")
        return Tree(
            "If",
            at(n),
            init=self.stmt_of(init),
            cond=self.expr(n.child_by_field_name("condition")),
            then=self.block(n.child_by_field_name("consequence")),
            els=self.stmt(other) if other is not None else None,
        )

    def stmt_of(self, n: Any) -> Tree | None:
        return self.stmt(n) if n is not None else None

    def s_for_statement(self, n: Any) -> Tree:
        body = self.block(n.child_by_field_name("body"))
        heads = [c for c in named(n) if c.type != "block" or c.start_point != n.child_by_field_name("body").start_point]
        if not heads:
            return Tree("For", at(n), init=None, cond=None, post=None, body=body)
        head = heads[0]
        if head.type == "range_clause":
            define = any(c.type == ":=" for c in head.children)
            lhs = self.exprs(head.child_by_field_name("left"))
            x = self.expr(head.child_by_field_name("right"))
            return Tree("Range", at(token(head, "range")), lhs=lhs, x=x, define=define, body=body)
        if head.type == "for_clause":
            cond = head.child_by_field_name("condition")
            init, post = self.stmt_of(head.child_by_field_name("initializer")), self.stmt_of(head.child_by_field_name("update"))
            return Tree("For", at(n), init=init, cond=self.expr(cond) if cond is not None else None, post=post, body=body)
        return Tree("For", at(n), init=None, cond=self.expr(head), post=None, body=body)

    def case_body(self, n: Any, skip: int) -> list[Tree]:
        out: list[Tree] = []
        for c in named(n)[skip:]:
            out.extend(self.stmts(c) if c.type == "statement_list" else [s for s in [self.stmt(c)] if s is not None])
        return out

    def s_expression_switch_statement(self, n: Any) -> Tree:
        tag = n.child_by_field_name("value")
        cases = []
        for c in named(n):
            if c.type in ("expression_case", "default_case"):
                values = c.child_by_field_name("value")
                exprs = self.exprs(values)
                cases.append(Tree("Case", at(c), exprs=exprs, body=self.case_body(c, 1 if values is not None else 0)))
        init = self.stmt_of(n.child_by_field_name("initializer"))
        return Tree("Switch", at(n), init=init, tag=self.expr(tag) if tag is not None else None, cases=cases)

    def s_type_switch_statement(self, n: Any) -> Tree:
        alias = n.child_by_field_name("alias")
        cases = []
        for c in named(n):
            if c.type in ("type_case", "default_case"):
                types = c.children_by_field_name("type")
                types = [t for t in types if t.is_named]
                cases.append(Tree("Case", at(c), exprs=[self.expr(t) for t in types], body=self.case_body(c, len(types))))
        name = named(alias)[0] if alias is not None else None
        return Tree(
            "TypeSwitch",
            at(n),
            init=self.stmt_of(n.child_by_field_name("initializer")),
            guard_pos=at(token(n, ".")),
            alias=Tree("Name", at(name), name=name.text.decode()) if name is not None else None,
            x=self.expr(n.child_by_field_name("value")),
            cases=cases,
        )

    def s_select_statement(self, n: Any) -> Tree:
        cases = []
        for c in named(n):
            comm = c.child_by_field_name("communication")
            stmt = self.stmt_of(comm)
            cases.append(Tree("CommCase", at(c), comm=stmt, body=self.case_body(c, 1 if comm is not None else 0)))
        return Tree("Select", at(n), cases=cases)

    def s_labeled_statement(self, n: Any) -> Tree:
        parts = named(n)
        return Tree("Label", at(token(n, ":")), label=parts[0].text.decode(), stmt=self.stmt(parts[1]) if len(parts) > 1 else None)

    def s_go_statement(self, n: Any) -> Tree:
        return Tree("CallStmt", at(n), op=n.children[0].type, x=self.expr(named(n)[0]))

    s_defer_statement = s_go_statement

    def s_return_statement(self, n: Any) -> Tree:
        parts = named(n)
        return Tree("Return", at(n), results=self.exprs(parts[0]) if parts else [])

    def s_break_statement(self, n: Any) -> Tree:
        parts = named(n)
        return Tree("Branch", at(n), op=n.children[0].type, label=parts[0].text.decode() if parts else None)

    s_continue_statement = s_break_statement
    s_goto_statement = s_break_statement

    def s_fallthrough_statement(self, n: Any) -> Tree:
        return Tree("Branch", at(n), op="fallthrough", label=None)

"""Random Go functions: every statement moves addresses, so that what escapes is never obvious.

`program(seed)` gives one package; the same seed gives the same text. What it makes compiles: every name is used, types fit.
"""

from __future__ import annotations

import random

TYPES = (
    "int",
    "*int",
    "**int",
    "[]*int",
    "[2]*int",
    "map[string]*int",
    "*node",
    "node",
    "any",
    "func() *int",
    "string",
    "[]byte",
    "shape",
    "chan *int",
)
HEAD = """package generated

type node struct {
	p    *int
	next *node
	any  any
}

type shape interface {
	area() *int
	grow(n *node) shape
}

type square struct{ side *int }

func (s square) area() *int          { return s.side }
func (s square) grow(n *node) shape  { n.p = s.side; return s }
func (n *node) area() *int           { return n.p }
func (n *node) grow(o *node) shape   { n.next = o; return n }
func (n *node) link(o *node) *node   { o.next = n; return o }

var global *int
var globals []*int
var anything any
"""


class Writer:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.lines: list[str] = []
        self.count = 0
        self.signatures: list[tuple[str, list[str], list[str]]] = []

    def name(self, stem: str) -> str:
        self.count += 1
        return f"{stem}{self.count}"

    def pick(self, scope: list[tuple[str, str]], t: str) -> str | None:
        names = [n for n, typ in scope if typ == t]
        return self.random.choice(names) if names else None

    def expr(self, t: str, scope: list[tuple[str, str]], depth: int = 0) -> str:
        """An expression of type t."""
        r = self.random
        have = self.pick(scope, t)
        if have is not None and (depth > 2 or r.random() < 0.45):
            return have
        choices = self.choices(t, scope, depth + 1) if depth < 3 else []
        callable_ = [s for s in self.signatures if s[2] == [t]] if depth < 3 else []
        if callable_ and r.random() < 0.3:
            f, params, _ = r.choice(callable_)
            return f"{f}({', '.join(self.expr(p, scope, depth + 1) for p in params)})"
        return r.choice(choices)() if choices else have if have is not None else self.plain(t)

    def plain(self, t: str) -> str:
        return {"int": "1", "string": '"s"', "node": "node{}", "[2]*int": "[2]*int{}", "func() *int": "func() *int { return nil }"}.get(
            t, f"({t})(nil)" if t not in ("any", "shape") else "any(nil)" if t == "any" else "shape(square{})"
        )

    def address(self, t: str, scope: list[tuple[str, str]]) -> str | None:
        name = self.pick(scope, t)
        return f"&{name}" if name is not None else None

    def choices(self, t: str, scope: list[tuple[str, str]], d: int) -> list:
        def e(u: str) -> str:
            return self.expr(u, scope, d)

        def q(u: str) -> str:
            return f"({e(u)})"

        out = [lambda: self.plain(t)]
        if t == "int":
            out += [lambda: f"*{q('*int')}", lambda: f"len({e('[]*int')})", lambda: f"{e('int')} + 2", lambda: f"len({e('string')})"]
        elif t == "*int":
            out += [
                lambda: self.address("int", scope) or "new(int)", lambda: f"*{q('**int')}", lambda: f"{q('[]*int')}[0]",
                lambda: f"{q('*node')}.p", lambda: f"{q('map[string]*int')}[{e('string')}]", lambda: "new(int)",
                lambda: f"{q('func() *int')}()", lambda: f"{q('shape')}.area()", lambda: f"{q('any')}.(*int)", lambda: f"<-{q('chan *int')}",
            ]  # fmt: skip
        elif t == "**int":
            out += [lambda: self.address("*int", scope) or "new(*int)", lambda: f"&{q('*node')}.p", lambda: f"&{q('[]*int')}[1]"]
        elif t == "[]*int":
            out += [
                lambda: f"[]*int{{{e('*int')}, {e('*int')}}}", lambda: f"append({e('[]*int')}, {e('*int')})",
                lambda: f"make([]*int, {e('int')})", lambda: "make([]*int, 4)", lambda: f"{q('[]*int')}[1:]",
            ]  # fmt: skip
            if self.pick(scope, "[2]*int"):
                out.append(lambda: f"{self.pick(scope, '[2]*int')}[:]")
        elif t == "[2]*int":
            out += [lambda: f"[2]*int{{{e('*int')}}}", lambda: f"[2]*int{{1: {e('*int')}}}"]
        elif t == "map[string]*int":
            out += [lambda: f"map[string]*int{{{e('string')}: {e('*int')}}}", lambda: "make(map[string]*int)"]
        elif t == "*node":
            out += [
                lambda: f"&node{{p: {e('*int')}, next: {e('*node')}}}", lambda: self.address("node", scope) or "new(node)",
                lambda: f"{q('*node')}.next", lambda: f"{q('*node')}.link({e('*node')})", lambda: "new(node)", lambda: f"{q('any')}.(*node)",
            ]  # fmt: skip
        elif t == "node":
            out += [lambda: f"node{{p: {e('*int')}, any: {e('any')}}}", lambda: f"*{q('*node')}"]
        elif t == "any":
            out += [lambda u=u: f"any({e(u)})" for u in ("int", "*int", "*node", "node", "string", "[]*int")]
            out.append(lambda: f"{q('*node')}.any")
        elif t == "func() *int":
            out += [lambda: f"func() *int {{ return {e('*int')} }}", lambda: f"{q('shape')}.area"]
        elif t == "string":
            out += [lambda: f"string({e('[]byte')})", lambda: f"{e('string')} + {e('string')}", lambda: '"x"']
        elif t == "[]byte":
            out += [lambda: f"[]byte({e('string')})", lambda: "make([]byte, 8)", lambda: f"append({e('[]byte')}, {e('string')}...)"]
        elif t == "shape":
            out += [lambda: f"square{{{e('*int')}}}", lambda: f"shape({e('*node')})", lambda: f"{q('shape')}.grow({e('*node')})"]
        elif t == "chan *int":
            out += [lambda: "make(chan *int)", lambda: f"make(chan *int, {e('int')})"]
        return out

    def place(self, scope: list[tuple[str, str]]) -> tuple[str, str]:
        """Something that can be assigned to, and its type."""
        r = self.random
        places = [("global", "*int"), ("globals", "[]*int"), ("anything", "any")] + [(n, t) for n, t in scope]
        name, t = r.choice(places)
        if t == "*node" and r.random() < 0.6:
            return r.choice([(f"{name}.p", "*int"), (f"{name}.next", "*node"), (f"{name}.any", "any")])
        if t == "**int" and r.random() < 0.6:
            return f"*{name}", "*int"
        if t in ("[]*int", "[2]*int") and r.random() < 0.6:
            return f"{name}[0]", "*int"
        if t == "map[string]*int" and r.random() < 0.6:
            return f'{name}["k"]', "*int"
        return name, t

    def statements(self, scope: list[tuple[str, str]], results: list[str], depth: int) -> None:
        scope = list(scope)
        for _ in range(self.random.randint(1, 4)):
            self.statement(scope, results, depth)

    def write(self, depth: int, text: str) -> None:
        self.lines.append("\t" * depth + text)

    def block(self, head: str, scope: list[tuple[str, str]], results: list[str], depth: int, tail: str = "}") -> None:
        self.write(depth, head)
        self.statements(scope, results, depth + 1)
        self.write(depth, tail)

    def statement(self, scope: list[tuple[str, str]], results: list[str], depth: int) -> None:
        r = self.random
        kind = r.choice(
            ("declare", "declare", "assign", "assign", "if", "for", "range", "call", "closure", "defer", "switch", "send", "type")
        )
        if kind == "declare" or (depth > 3 and kind not in ("assign", "call")):
            t = r.choice(TYPES)
            name = self.name("v")
            self.write(depth, f"var {name} {t} = {self.expr(t, scope)}" if r.random() < 0.7 else f"var {name} {t}")
            self.write(depth, f"_ = {name}")
            scope.append((name, t))
        elif kind == "assign":
            place, t = self.place(scope)
            self.write(depth, f"{place} = {self.expr(t, scope)}")
        elif kind == "if":
            self.block(f"if ({self.expr('int', scope)}) > 3 {{", scope, results, depth)
        elif kind == "for":
            i = self.name("i")
            self.block(f"for {i} := 0; {i} < 3; {i}++ {{", [*scope, (i, "int")], results, depth)
        elif kind == "range":
            v = self.name("p")
            over = r.choice(("[]*int", "[2]*int", "map[string]*int"))
            self.write(depth, f"for _, {v} := range ({self.expr(over, scope)}) {{")
            self.write(depth + 1, f"_ = {v}")
            self.statements([*scope, (v, "*int")], results, depth + 1)
            self.write(depth, "}")
        elif kind == "call" and self.signatures:
            f, params, out = r.choice(self.signatures)
            args = ", ".join(self.expr(p, scope) for p in params)
            if len(out) == 2:
                a, b = self.name("a"), self.name("b")
                self.write(depth, f"{a}, {b} := {f}({args})")
                self.write(depth, f"_, _ = {a}, {b}")
                scope += [(a, out[0]), (b, out[1])]
            else:
                self.write(depth, f"{'_ = ' if out else ''}{f}({args})" if out else f"{f}({args})")
        elif kind == "closure":
            name = self.name("f")
            self.block(f"{name} := func() *int {{", scope, ["*int"], depth, f"\treturn {self.expr('*int', scope)}")
            self.write(depth, "}")
            self.write(depth, f"_ = {name}")
            scope.append((name, "func() *int"))
        elif kind == "defer":
            word = r.choice(("defer", "go"))
            calls = [s for s in self.signatures if len(s[1]) > 0]
            if calls and r.random() < 0.6:
                f, params, _ = r.choice(calls)
                self.write(depth, f"{word} {f}({', '.join(self.expr(p, scope) for p in params)})")
            else:
                self.block(f"{word} func() {{", scope, [], depth, "}()")
        elif kind == "switch":
            v = self.name("t")
            self.write(depth, f"switch {v} := ({self.expr('any', scope)}).(type) {{")
            for t in r.sample(("int", "*int", "*node", "node", "string"), 2):
                self.write(depth, f"case {t}:")
                self.write(depth + 1, f"_ = {v}")
                self.statements([*scope, (v, t)], results, depth + 1)
            self.write(depth, "}")
        elif kind == "send":
            self.write(depth, f"({self.expr('chan *int', scope)}) <- {self.expr('*int', scope)}")
        elif kind == "type":
            name, ok = self.name("w"), self.name("ok")
            self.write(depth, f"{name}, {ok} := ({self.expr('any', scope)}).(*int)")
            self.write(depth, f"_, _ = {name}, {ok}")
            scope.append((name, "*int"))
        else:
            self.write(depth, f"globals = append(globals, {self.expr('*int', scope)})")

    def function(self) -> None:
        r = self.random
        name = self.name("f")
        params = [(self.name("p"), r.choice(TYPES)) for _ in range(r.randint(0, 3))]
        results = [r.choice(TYPES) for _ in range(r.choice((0, 1, 1, 1, 2)))]
        named = [(self.name("r"), t) for t in results] if r.random() < 0.3 else None
        shown = ", ".join(f"{n} {t}" for n, t in named) if named else ", ".join(results)
        self.lines.append("")
        if r.random() < 0.15:
            self.lines.append("//go:noinline")
        self.lines.append(f"func {name}({', '.join(f'{n} {t}' for n, t in params)}) ({shown}) {{")
        scope = [*params, *(named or [])]
        if r.random() < 0.2:
            self.signatures.append((name, [t for _, t in params], results))  # it may call itself
            own = True
        else:
            own = False
        if r.random() < 0.8:
            self.statements(scope, results, 1)
        if results:
            self.write(1, "return" if named and r.random() < 0.5 else "return " + ", ".join(self.expr(t, scope) for t in results))
        self.lines.append("}")
        if not own:
            self.signatures.append((name, [t for _, t in params], results))


def program(seed: int, functions: int = 8) -> str:
    w = Writer(seed)
    for _ in range(functions):
        w.function()
    return HEAD + "\n".join(w.lines) + "\n"

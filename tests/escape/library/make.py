"""Makes goalloc/escape/library.json.gz from the real toolchain: `python -m tests.escape.library.make` (Go 1.21.13 installed).

What packages export comes from go/types (dump.go), how parameters leak and what is inlined at which cost from the
compiler's own messages (-m=2), what an inlined body adds to its caller's graph from the analysis itself, run on the
library's source. No text of that source goes into the table but the spelling of allocations in messages.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from goalloc.escape import types as T
from goalloc.escape.check import Checker
from goalloc.escape.deadcode import dead_code
from goalloc.escape.devirt import devirtualize
from goalloc.escape.escape import Batch
from goalloc.escape.flow import Flow
from goalloc.escape.fmt import text
from goalloc.escape.graph import Graph, heap_reason
from goalloc.escape.inline import Inliner
from goalloc.escape.ir import Function, Name, Node, XPos, edit_children, static_value, visit_list
from goalloc.escape.leaks import RESULTS
from goalloc.escape.library import Generic, Library, decode_tag
from goalloc.escape.objects import TypeName
from goalloc.escape.messages import Messages
from goalloc.escape.staticinit import _inlined
from goalloc.escape.syntax import parse
from goalloc.escape.tree import GoError, Refused
from goalloc.escape.unit import TAGGED, Aside, Inl, Unit, delay_results

PUBLIC = (
    "bufio bytes compress/gzip container/heap container/list container/ring context crypto/md5 crypto/sha1 crypto/sha256 encoding/base64 "
    "encoding/binary encoding/csv encoding/hex encoding/json errors flag fmt hash hash/adler32 hash/crc32 hash/crc64 hash/fnv hash/maphash "
    "html io io/fs io/ioutil log math math/big math/bits math/cmplx math/rand net/url os os/exec os/signal path path/filepath regexp runtime "
    "runtime/debug sort strconv strings sync sync/atomic testing text/tabwriter text/template time unicode unicode/utf16 unicode/utf8"
).split()
HERE = Path(__file__).parent
TABLE = HERE.parents[2] / "goalloc" / "escape" / "library.json.gz"
UNFIT = (Refused, GoError, AttributeError, KeyError, AssertionError, TypeError, IndexError, StopIteration, ValueError)


def go(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    tool = os.environ.get("GO", "go")
    env = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "", "GO111MODULE": "off"}
    return subprocess.run([tool, *words], capture_output=True, text=True, env=env, **options)


def main() -> None:
    deps = go("list", "-deps", *PUBLIC).stdout.split()
    api = json.loads(go("run", str(HERE / "dump.go"), *deps).stdout)
    messages = go("build", "-gcflags=all=-m=2", *deps).stderr
    tags, costs = read_messages(messages)
    for entry in api.values():
        add_facts(entry, tags, costs)
    done = bodies = 0
    for path in deps:
        if path in api:
            a, b = Summaries(path, api).run()
            done, bodies = done + a, bodies + b
    print(f"{bodies} functions are inlined, {done} of them with a summary", file=sys.stderr)
    TABLE.write_bytes(gzip.compress(json.dumps(prune(api), separators=(",", ":"), sort_keys=True).encode(), mtime=0))


# The compiler's messages

PLACE = re.compile(r"^(?:.*/)?([^/]+/[^/:]+\.go):(\d+):(\d+): (.*)$")


def read_messages(output: str) -> tuple[dict[str, list[int]], dict[tuple[str, int, str], int]]:
    """Tags by the parameter's place; costs by file, line and name."""
    tags: dict[str, list[int]] = {}
    costs: dict[tuple[str, int, str], int] = {}
    for line in output.splitlines():
        m = PLACE.match(line)
        if m is None:
            continue
        file, row, col, said = m.groups()
        at = f"{file}:{row}:{col}"
        if found := re.match(r"can inline (\S+) with cost (\d+) as", said):
            costs[file, int(row), found[1].rsplit(".", 1)[-1]] = int(found[2])
        elif re.match(r"\S+ does not escape$", said):
            tags.setdefault(at, [])
        elif found := re.match(r"leaking param: \S+ to result \S+ level=(\d+)$", said):
            tags.setdefault(at, []).append(int(found[1]))
        elif found := re.match(r"parameter (\S+) leaks to (\S+) with derefs=(\d+):", said):
            tags.setdefault("leak " + at, []).append((found[2], int(found[3])))  # type: ignore[arg-type]
        elif re.match(r"leaking param( content)?: ", said) or re.match(r"moved to heap: ", said):
            tags.setdefault("heap " + at, [])
    return tags, costs


def add_facts(entry: dict[str, Any], tags: dict[str, Any], costs: dict[Any, int]) -> None:
    functions = list(entry["funcs"].items())
    for t in entry["types"].values():
        functions.extend(t.get("methods", {}).items())
    for name, f in functions:
        names = [p[0] for p in f["sig"][2]]
        f["tags"] = [tag_of(at, names, tags) for at in f["where"] or ()]
        file, row, _ = f["at"].rsplit(":", 2)
        cost = costs.get((file, int(row), name))
        if cost is not None:
            f["cost"] = cost


def tag_of(at: str, results: list[str], tags: dict[str, Any]) -> list[int] | None:
    """[heap, result 0, ...] with -1 for no flow; None: to the heap."""
    leaks = tags.get("leak " + at)
    if leaks is None:
        return [] if at in tags else None
    out = [-1] * (RESULTS + 1)
    for sink, derefs in leaks:
        i = next((k for k, r in enumerate(results) if sink == (r if r and r != "_" else f"~{'b' if r else 'r'}{k}")), None)
        i = 0 if i is None or i >= RESULTS else i + 1
        if out[i] < 0 or derefs < out[i]:
            out[i] = derefs
    if out[0] == 0:
        return None
    if out[0] > 0:
        out[1:] = [-1 if r >= out[0] else r for r in out[1:]]
    while out and out[-1] < 0:
        out.pop()
    return out


# Inlined bodies


class Tolerant(Checker):
    """Puts aside whatever it cannot check; who calls a function that is put aside is not, as its tags are known."""

    entry: dict[str, Any]
    import_path: str

    def declare_type(self, d: Any, scope: Any, package_level: bool) -> None:
        """A type that holds an instance of a generic one is taken from the table."""
        try:
            if d.broken is not None and package_level and "generic" not in self.entry["types"][d.name]:
                scope.names[d.name] = TypeName(d.name, d.pos, self.library.named(f"{self.import_path}.{d.name}"))
            else:
                super().declare_type(d, scope, package_level)
        except Generic:
            raise Refused(d.pos, "a generic type") from None

    def check_bodies(self) -> None:
        for d in self.globals:
            self.global_values(d)
        for func in self.functions:
            func.unbuilt = func.refused
            if func.refused is None:
                try:
                    self.check_body(func)
                except UNFIT as e:
                    func.unbuilt = func.pos, str(e)

    def attempt(self, func: Any, do: Any) -> None:
        try:
            super().attempt(func, do)
        except UNFIT as e:
            func.refused = func.pos, str(e)

    def global_values(self, d: Any) -> None:
        try:
            super().global_values(d)
        except UNFIT as e:
            d.refused = d.pos, str(e)
            for v in d.vars:
                v.type = v.type or T.BASIC["invalid"]


class Recorder(Graph):
    """A graph that writes down how it is made."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[list[Any]] = []
        self.numbers: dict[int, Any] = {id(self.heap): "heap", id(self.blank): "blank"}
        self.on = False
        self.functions: list[Function] = []

    def new(self, n: Node | None, fn: Function, depth: int, transient: bool) -> Any:
        loc = super().new(n, fn, depth, transient)
        self.numbers[id(loc)] = len(self.locations) - 1
        if self.on:
            silent = n is None or isinstance(n, Name) or self.index(fn) > 0 or (n.op == "CLOSURE" and n.func.wrapper)
            said = None if silent else text(n)
            self.steps.append(["new", said, depth - 1, transient, heap_reason(n), self.index(fn), loc.is_result])
        return loc

    def index(self, fn: Function) -> int:
        if fn not in self.functions:
            self.functions.append(fn)
        return self.functions.index(fn)

    def flow(self, k: Any, src: Any) -> None:
        if self.on:
            self.steps.append(["flow", self.numbers[id(k.dst)], k.derefs, k.addrtaken, self.numbers[id(src)]])
        super().flow(k, src)


class Summaries:
    """One package's inlined functions."""

    def __init__(self, path: str, api: dict[str, Any]) -> None:
        self.path, self.api, self.entry = path, api, api[path]
        listed = json.loads(go("list", "-json", path).stdout)
        files = [parse(Path(listed["Dir"], f).read_bytes()) for f in listed["GoFiles"]]
        self.checker = Tolerant(files, Library(api), self.entry["name"])
        self.checker.entry, self.checker.import_path = self.entry, path
        self.checker.run()

    def run(self) -> tuple[int, int]:
        unit = Unit(self.entry["name"])
        wanted: list[tuple[Any, dict[str, Any]]] = []
        for func in self.checker.functions:
            entry = self.find(func)
            if entry is None:
                continue
            if func.refused is not None:
                continue
            fn = unit.function(func)
            fn.esc, fn.tags = TAGGED, [decode_tag(t) for t in entry["tags"]]
            if "cost" in entry and func.unbuilt is not None:
                say(self.path, fn.sym, *func.unbuilt)
                fn.unfit = True
            elif "cost" in entry and func.decl.body is not None:
                try:
                    unit.declare(func)
                    unit.read_bodies()
                    dead_code(fn)
                except (*UNFIT, Aside) as e:
                    say(self.path, fn.sym, type(e).__name__, e)
                    fn.inl = None
                    fn.body = []
                    fn.unfit = True
                    continue
                fn.inl = Inl(entry["cost"], delay_results(fn))
                wanted.append((fn, entry))
        done = 0
        for fn, entry in wanted:
            try:
                entry["body"] = self.summary(unit, fn)
                done += 1
            except UNFIT as e:
                say(self.path, fn.sym, type(e).__name__, e)
        count = sum("cost" in f for f in self.entry["funcs"].values())
        count += sum("cost" in f for t in self.entry["types"].values() for f in t.get("methods", {}).values())
        return done, count

    def find(self, func: Any) -> dict[str, Any] | None:
        if func.recv is None:
            return self.entry["funcs"].get(func.name)
        return self.entry["types"].get(T.deref(func.recv).name, {}).get("methods", {}).get(func.name)

    def summary(self, unit: Unit, fn: Function) -> dict[str, Any]:
        unit.messages = Messages()
        p = XPos(1, 1)
        caller = Function("caller", p, T.func([], []))
        before = len(unit.closures)
        args = [Name(f"a{i}", p, f.type, "EXTERN") for i, f in enumerate(fn.param_fields)]
        results = T.under(fn.type).results
        t = results[0].type if len(results) == 1 else T.tuple_of([r.type for r in results])
        call = Node("CALLFUNC", p, t, x=fn.name, args=args, dots=False, no_inline=False)
        inliner = Inliner(unit)
        inliner.current = caller
        made = inliner.call(call, fn)
        caller.body = [made]
        nested = self.nested(inliner, made)
        unit.messages.lines.clear()
        for each in [caller, *unit.closures[before:]]:
            devirtualize(unit, each)
        as2 = next(n for n in made.init if n.op == "AS2" and n.define)
        for name in caller.dcl:
            if name.sym[0] not in "~." and "." not in name.sym:
                name.sym = f"{self.entry['name']}.{name.sym}"
        check_independent(caller, [n for n in as2.lhs if n.sym != "_"])
        graph = Recorder()
        graph.index(caller)
        if unit.messages.lines:
            raise Refused((1, 1), "a devirtualized call")
        batch = Batch(Said(graph))
        batch.graph = graph
        for name in caller.dcl:
            graph.new(name, caller, 1, False)
        graph.on = True
        flow = Flow(batch, caller)
        flow.labels = {}
        visit_list([made], lambda n: _label(flow, n))
        flow.stmts([n for n in made.init if n is not as2])
        flow.stmts(made.body)
        depth = flow.depth
        for k, closure in batch.closures:
            batch.flow_closure(k, closure)
        index = {id(n): i for i, n in enumerate(caller.dcl)}
        return {
            "params": [None if n.sym == "_" else index[id(n)] for n in as2.lhs],
            "results": [index[id(n)] for n in made.list],
            "vars": [[n.sym, T.size(n.type), T.has_pointers(n.type), n.loc.depth - 1] for n in caller.dcl],
            "steps": graph.steps,
            "nested": nested,
            "deeper": depth - 1,
            "literals": caller.closgen,
            "functions": [[fn.sym.removeprefix("caller"), fn.closure_called] for fn in graph.functions[1:]],
            "data": data_form(made, as2),
            "static": any(static_value(n) is not n for n in made.list),
        }

    def nested(self, inliner: Inliner, root: Node) -> list[Any]:
        """The calls inlined inside, in order, each with those inside it."""
        tree: dict[int, list[Any]] = {id(root): []}
        todo = [root]
        while todo:
            n = todo.pop(0)
            inliner.made = []
            said = len(inliner.unit.messages.lines)
            edit_children(n, inliner.edit)
            names = [line.split("inlining call to ")[1] for line in inliner.unit.messages.lines[said:] if "inlining call to " in line]
            for sym, below in zip(names, inliner.made):
                item: list[Any] = [self.qualified(sym, below), below.__dict__.get("nested", [])]
                tree[id(n)].append(item)
                if "nested" not in below.__dict__:
                    tree[id(below)] = item[1] = []
                    todo.append(below)
        return tree[id(root)]

    def qualified(self, sym: str, n: Node) -> str:
        return sym if "nested" in n.__dict__ else f"{self.entry['name']}.{sym}"


def say(*words: Any) -> None:
    if os.environ.get("VERBOSE"):
        print(*words, file=sys.stderr)


def data_form(made: Node, as2: Node) -> Any:
    """Where the result is data once the arguments are: the places of the arguments that are parts of it; "?" where parts are more."""
    out: list[Node] = []
    args = [Name(f"p{i}", XPos(1, 1), n.type, "AUTO") for i, n in enumerate(as2.lhs)]
    as2.rhs = list(args)
    if len(made.list) != 1 or made.body[0].op == "SUMMARY" or not _inlined(made, out):
        return None
    parts = [n.y for n in out]
    return [args.index(p) for p in parts] if all(p in args for p in parts) else "?"


class Said(Messages):
    """Messages of the walk itself become steps: they are said again at every call."""

    def __init__(self, graph: Recorder) -> None:
        super().__init__()
        self.graph = graph

    def warn(self, pos: Any, message: str) -> None:
        self.graph.steps.append(["say", message.removeprefix("caller ")])


def _label(flow: Flow, n: Node) -> None:
    if n.op == "LABEL":
        flow.labels[n.label] = False
    elif n.op == "GOTO" and n.label in flow.labels:
        flow.labels[n.label] = True


def check_independent(caller: Function, params: list[Name]) -> None:
    """A body that calls an argument, or a method of one, does more where the argument is known."""

    def see(n: Node) -> None:
        if n.op == "CLOSURE":
            visit_list(n.func.body, see)
        if n.op == "CALLFUNC":
            callee = static_value(n.x)
            if callee.op == "NAME" and callee.cls == "EXTERN" and callee in arguments:
                raise Refused((1, 1), "calls an argument")
            if callee.__dict__.get("func") is None and callee.op == "NAME" and callee.cls == "AUTO":
                raise Refused((1, 1), "calls a variable")
            if getattr(callee.__dict__.get("func"), "unfit", False):
                raise Refused((1, 1), "calls what is not understood")
        if n.op == "CALLINTER":
            receiver = static_value(n.x.x)
            if receiver.op == "NAME" and receiver in arguments:
                raise Refused((1, 1), "calls a method of an argument")

    arguments = [static_value(p) for p in params]
    visit_list(caller.body, see)


# What is shipped


def prune(api: dict[str, Any]) -> dict[str, Any]:
    """The public packages, with the types that they reach."""
    kept: dict[str, Any] = {}

    def keep(path: str) -> dict[str, Any]:
        if path not in kept:
            kept[path] = {"name": api[path]["name"], "consts": {}, "vars": {}, "funcs": {}, "types": {}}
        return kept[path]

    hidden = {m[0] for e in api.values() for t in e["types"].values() if "under" in t and t["under"][0] == "iface" for m in t["under"][1]}
    todo: list[str] = []
    seen: set[str] = set()

    def reach(e: Any) -> None:
        if isinstance(e, str):
            path, _, name = e.rpartition(".")
            if path in api and e not in seen:
                seen.add(e)
                todo.append(e)
        elif isinstance(e, list):
            for x in e:
                reach(x)

    for path in PUBLIC:
        entry, out = api[path], keep(path)
        for kind in ("consts", "vars"):
            out[kind] = {k: v for k, v in entry[kind].items() if kind == "vars" or not complex_constant(v)}
            reach([*entry[kind].values()])
        out["funcs"] = {k: slim(v) for k, v in entry["funcs"].items() if k[0].isupper()}
        reach([f["sig"] for f in out["funcs"].values()])
        for name in entry["types"]:
            if name[0].isupper() and "generic" not in entry["types"][name]:
                reach(f"{path}.{name}")
    while todo:
        full = todo.pop()
        path, _, name = full.rpartition(".")
        t = api[path]["types"].get(name)
        if t is None:
            continue
        if "under" in t:
            methods = {k: slim(v) for k, v in t["methods"].items() if k[0].isupper() or k in hidden}
            t = {"under": t["under"], "methods": methods}
            reach([t["under"], *(m["sig"] for m in methods.values())])
        elif "alias" in t:
            reach(t["alias"])
        keep(path)["types"][name] = t
    return kept


def complex_constant(v: Any) -> bool:
    return isinstance(v, list) and len(v) == 2 and isinstance(v[1], str) and "i" in v[1]


def slim(f: dict[str, Any]) -> dict[str, Any]:
    return {k: f[k] for k in ("sig", "tags", "pointer", "cost", "body") if k in f}


if __name__ == "__main__":
    main()

"""From source to the compiler's messages: parse, check, build, inline, devirtualize, analyse."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from goalloc.escape.check import Checker, check
from goalloc.escape.deadcode import dead_code
from goalloc.escape.devirt import devirtualize
from goalloc.escape.escape import Batch
from goalloc.escape.inline import Inliner
from goalloc.escape.ir import Function, Node, bottom_up
from goalloc.escape.library import Library
from goalloc.escape.objects import Func
from goalloc.escape.pkginit import Initialiser
from goalloc.escape.staticinit import static_init
from goalloc.escape.syntax import parse
from goalloc.escape.tree import GoError, Refused
from goalloc.escape.unit import Aside, Unit


DEEPEST = 20_000  # frames: a sum of some thousand terms is one tree


class Analysis:
    """`lines` as the compiler prints them, without the file's name; `refused` as (line, reason) for what is not analysed."""

    def __init__(self, source: bytes, inline: bool = True) -> None:
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(max(limit, DEEPEST))
        try:
            self.run(source, inline)
        except RecursionError:
            raise GoError((1, 1), "expressions or statements are nested too deeply") from None
        finally:
            sys.setrecursionlimit(limit)

    def run(self, source: bytes, inline: bool) -> None:
        self.checker = check([parse(source)], Library())
        while True:  # what turns out to be outside the subset on the way is put aside, with who uses it, and all begins again
            try:
                self.unit = _compile(self.checker, inline)
                break
            except Aside as found:
                self.checker.put_aside(found.function.object, found.refused)
        self.lines = self.unit.messages.lines
        self.refused = [(pos[0], name, why) for pos, (name, why) in sorted(self.checker.refused.items())]

    def allocations(self, name: str) -> list[tuple[Node, bool]] | None:
        """What a function (f, T.M or (*T).M) allocates with what is inlined into it, and whether on the heap; None: no such function."""
        roots = [fn for fn in self.unit.functions if fn.sym == name]
        if not roots:
            return None
        return [(n, escapes) for root, n, escapes in self.unit.allocations if root is roots[0]]

    def output(self, name: str) -> list[str]:
        """The lines with the file's name, as go build gives it."""
        return [f"{name}:{line}" for line in self.lines] + [f"{name}:{line}: not analysed: {who}: {why}" for line, who, why in self.refused]


def _compile(checker: Checker, inline: bool) -> Unit:
    unit = Unit()
    init = Initialiser(unit)
    for d in checker.decls:
        if d.refused is not None or d.name == "_":  # a function named _ is checked, not compiled
            continue
        if isinstance(d, Func):
            unit.declare(d)
        else:
            with aside(init.fn):
                init.add(d)
    unit.read_bodies()
    init.finish()
    for fn in [*unit.functions, *unit.closures]:
        dead_code(fn)
    if inline:
        inliner = Inliner(unit)
        with aside(inliner):
            inliner.run()
    for fn in [*unit.functions, *unit.closures]:
        with aside(fn):
            if fn.package:
                static_init(fn)
            devirtualize(unit, fn)
    bottom_up([*unit.functions, *unit.closures], lambda fns, recursive: _batch(unit, fns))
    return unit


@contextmanager
def aside(where: Any) -> Iterator[None]:
    """What is refused inside is refused of the declaration that `where` (or what it works on) belongs to."""
    try:
        yield
    except Refused as r:
        raise Aside(getattr(where, "current", where).root, r) from None


def _batch(unit: Unit, functions: list[Function]) -> None:
    with aside(functions[0]):
        batch = Batch(unit.messages)
        batch.run(functions)
        unit.allocations += batch.allocations

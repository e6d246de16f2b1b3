"""The syntax tree of a Go file: what the checker annotates and the builder turns into nodes.

One class for all kinds of trees, because a pass adds what it found (type, value, obj) to the tree that it looked at.

    kind        what it is: "Call", "If", "Name" ...; the builder and the checker dispatch on it
    pos         (line, column in bytes, both from 1), where Go's own syntax package puts it: a call is at its "(", a
                selector at its ".", a binary expression and an assignment at the operator, a composite literal at its "{"
    type        the checker's answer (types.Type), None for statements
    value       the value of a constant expression (int, float, complex, str, bool), None for others
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

Pos = tuple[int, int]


class Refused(Exception):
    """What the analysis does not cover. `pos` is where, the message why; the function around it is not analysed."""

    def __init__(self, pos: Pos, reason: str) -> None:
        super().__init__(reason)
        self.pos, self.reason = pos, reason


class GoError(Exception):
    """The source is not Go, or not a valid program: the compiler would not take it either."""

    def __init__(self, pos: Pos, reason: str) -> None:
        super().__init__(reason)
        self.pos, self.reason = pos, reason


class Tree:
    """A node of the syntax tree; its fields are set by name."""

    kind: str
    pos: Pos

    def __init__(self, kind: str, pos: Pos, **fields: Any) -> None:
        self.kind, self.pos = kind, pos
        self.type: Any = None
        self.value: Any = None
        self.__dict__.update(fields)

    if TYPE_CHECKING:  # a pass sets what it finds

        def __setattr__(self, name: str, value: Any) -> None: ...

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"{self.kind} at {self.pos} has no {name}")


def unparen(x: Tree) -> Tree:
    while x.kind == "Paren":
        x = x.x
    return x

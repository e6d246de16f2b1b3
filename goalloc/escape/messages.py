"""The compiler's messages in the order in which it finds them; with -m it prints each at once and sorts nothing."""

from __future__ import annotations

from goalloc.escape.ir import XPos


class Messages:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def warn(self, pos: XPos, message: str) -> None:
        self.lines.append(f"{pos.shown}: {message}")

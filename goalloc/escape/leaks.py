"""Where a parameter's value goes: to the heap or to a result, after how many dereferences. Also a function's tag for its callers."""

from __future__ import annotations

RESULTS = 7  # results that a tag can name; flows to later ones count as flows to the heap


class Leaks:
    """Fewest dereferences on any flow to the heap (`heap`) and to each result; -1 where there is none."""

    def __init__(self, heap: int = -1, results: list[int] | None = None) -> None:
        self.heap = heap
        self.results = results if results is not None else [-1] * RESULTS

    @property
    def empty(self) -> bool:
        return self.heap < 0 and all(r < 0 for r in self.results)

    def add_heap(self, derefs: int) -> None:
        if self.heap < 0 or derefs < self.heap:
            self.heap = derefs

    def add_result(self, i: int, derefs: int) -> None:
        if self.results[i] < 0 or derefs < self.results[i]:
            self.results[i] = derefs

    def optimize(self) -> None:
        """A flow to the heap makes flows to results that are as long or longer needless."""
        if self.heap >= 0:
            self.results = [-1 if r >= self.heap else r for r in self.results]


def to_heap() -> Leaks:
    return Leaks(0)

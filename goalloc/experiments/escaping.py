"""What it costs when a variable leaves the stack: the same variable where the compiler puts it if it escapes, and if not (escape/cost.py)."""

from typing import NamedTuple

from goalloc.escape.cost import COLUMNS, measure
from hwmem.experiments.experiment import Experiment, Figure, verdict
from hwmem.programs.registry import parameter

SIZES = (16, 64, 256, 1024)
LINE = 64


class Variable(NamedTuple):
    """As escape/cost.py Allocation, of no source."""

    size: int
    text: str = "variable"
    at: str = ""
    escapes: bool = True

    @property
    def pointers(self):
        """Its first word is one."""
        return [True, *[False] * (self.size // 8 - 1)]


def measure_escaping(lab):
    found = [dict(zip(COLUMNS, row)) for row in measure([Variable(size) for size in SIZES], lab.option("calls"), lab.runtime())]
    lab.tick()
    return [[row[name] for name in ("bytes", "stack cycles", "heap cycles", "stack lines", "heap lines")] for row in found]


def judge_escaping(table):
    rows = table.named()
    ratios = [row["on the heap"] / row["on the stack"] for row in rows]
    again = [row for row in rows if row["lines, stack"] > -(-row["bytes"] // LINE)]
    new = [row["lines, heap"] / row["lines, stack"] for row in rows]
    return verdict(
        (min(ratios) >= 2, f"on the heap it costs {min(ratios):.1f} to {max(ratios):.1f} times as much"),
        (not again, "on the stack each call writes the same lines"),
        (min(new) >= 100, f"on the heap at least {min(new):.0f} times as many"),
    )


EXPERIMENTS = [
    Experiment(
        "escaping-variables",
        "A variable that does not escape costs only its stores, to lines that the stack has used before; one that does is allocated each time, on "
        "new lines.",
        ("内存管理", "go语言的堆栈和传统上的堆栈的区别"),
        ("bytes", "on the stack", "on the heap", "lines, stack", "lines, heap"),
        measure_escaping,
        judge_escaping,
        "at least twice the cycles; a hundred times the lines for a thousand calls, since objects share lines; the collector's later work is not counted",
        options={"calls": parameter(1000, "calls of the function", 1, 100_000)},
        figure=Figure("bytes", ("on the stack", "on the heap"), "cycles a call", log=True),
    )
]

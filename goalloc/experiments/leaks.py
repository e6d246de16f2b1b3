"""Memory that a collector does not free: what a root leads to and nobody needs (programs/leaks.py)."""

from goalloc.programs.leaks import LEAKS, measure
from hwmem.experiments.experiment import Experiment, Figure, verdict
from hwmem.programs.registry import parameter

NAMES, ROUNDS = ("global", "goroutine", "slice", "ticker"), 3


def measure_leaks(lab):
    rows = []
    for name in NAMES:
        row = [name]
        for mended in (lab.option("mended"), True):
            one = measure(name, mended, ROUNDS, lab.config())
            grown = one.rounds[-1]["HeapAlloc"] - one.rounds[1]["HeapAlloc"]
            row += [round(grown / (LEAKS[name].units * (ROUNDS - 2))), one.path.root if one.path else "nothing"]
            lab.tick()
        rows.append(row)
    return rows


def judge_leaks(table):
    rows = table.named()
    leaks = [row for row in rows if row["bytes left, each"] >= LEAKS[row["leak"]].per and row["kept by"] == LEAKS[row["leak"]].root]
    stays = [row for row in rows if row["mended"] > LEAKS[row["leak"]].per / 8]
    return verdict(
        (len(leaks) == len(rows), f"{len(leaks)} of {len(rows)} programs grow after every collection, each by what the root said leads to"),
        (not stays, f"{len(stays)} of their mended twins"),
    )


EXPERIMENTS = [
    Experiment(
        "leaks",
        "Memory leaks in spite of the collector where a root, or a goroutine that waits for ever, refers to what nobody needs.",
        ("内存管理", "有了垃圾回收为什么会发生内存泄漏"),
        ("leak", "bytes left, each", "kept by", "mended", "then kept by"),
        measure_leaks,
        judge_leaks,
        "an eighth of it in the mended twins: copies of the little that is kept, tables that have grown",
        options={"mended": parameter(False, "both programs are the mended one")},
        figure=Figure("leak", ("bytes left, each", "mended"), "bytes", log=True),
    )
]

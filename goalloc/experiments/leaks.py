"""Memory that a collector does not free: what a root leads to and nobody needs (programs/leaks.py)."""

from goalloc.programs.leaks import LEAKS, measure
from hwmem.experiments.experiment import Experiment, Figure, verdict
from hwmem.programs.registry import parameter

ROUNDS = 3


def measure_leaks(lab):
    rows = []
    for name in LEAKS:
        row = [name]
        for mended in (lab.option("mended"), True):
            one = measure(name, mended, ROUNDS, lab.config())
            row += [one.rounds[-1]["HeapAlloc"] - one.rounds[0]["HeapAlloc"], one.path.root if one.path else "nothing"]
            lab.tick()
        rows.append(row)
    return rows


def judge_leaks(table):
    rows = table.named()
    least = {row["leak"]: LEAKS[row["leak"]].least(ROUNDS) for row in rows}
    leaks = [row for row in rows if row["bytes left"] >= least[row["leak"]] and row["kept by"] == LEAKS[row["leak"]].root]
    stays = [row for row in rows if row["mended"] > least[row["leak"]] / 8]
    return verdict(
        (len(leaks) == len(rows), f"{len(leaks)} of {len(rows)} programs have grown, each by what its stated root leads to"),
        (not stays, f"of their mended twins {len(stays)}"),
    )


EXPERIMENTS = [
    Experiment(
        "leaks",
        "Memory leaks in spite of the collector where a root, or a goroutine that waits forever, refers to what is no longer needed.",
        ("内存管理", "有了垃圾回收为什么会发生内存泄漏"),
        ("leak", "bytes left", "kept by", "mended", "then kept by"),
        measure_leaks,
        judge_leaks,
        "an eighth of the leak in the mended twins: copies of the little that is kept, tables that have grown",
        options={"mended": parameter(False, "whether both programs are the mended one")},
        figure=Figure("leak", ("bytes left", "mended"), "bytes", log=True),
    )
]

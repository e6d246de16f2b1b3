"""The order in which other cores see a core's writes: the claims on reordering and on memory barriers."""

from hwmem.experiments.experiment import Experiment, Figure, verdict

MODEL = "Golang Rumtime-内存模型"
RELAXED = {"ordering": "relaxed"}


def measure_reordering(lab):
    rows = []
    for algorithm in ("peterson", "dekker"):
        for barrier in (False, True):
            result = lab.run("mutual-exclusion", algorithm=algorithm, fence=barrier, iterations=1_000)
            rows.append([f"{algorithm}: a load passes a store", barrier, result.values["operations"], result.values["together"]])
    for name, unit, wrong in (("message-passing", {}, "stale"), ("double-checked-locking", {}, "unmade")):
        for barrier in (False, True):
            result = lab.run(name, machine=RELAXED, release=barrier, rounds=1_000, **unit)
            rows.append([f"{name}: a store passes a store", barrier, result.values["operations"], result.values[wrong]])
    return rows


def judge_reordering(table):
    rows = table.named()
    pairs = list(zip(rows[::2], rows[1::2]))
    return verdict(
        *((without["wrong"] > 0, f"{without['what goes wrong']}, {without['wrong']:,} times in {without['of']:,}") for without, _ in pairs),
        (not any(barred["wrong"] for _, barred in pairs), f"with barriers, {sum(barred['wrong'] for _, barred in pairs)} times"),
    )


def measure_fences(lab):
    grid = lab.run("fence-costs").values["grid"]
    return [[name, *(list(cells) + [None, None])[:3]] for name, cells in zip(grid["rows"], grid["cells"])]


def judge_fences(table):
    cost = {row["operation"]: row for row in table.named()}
    full, store = cost["mfence"], cost["store"]
    after = full["after one"]
    return verdict(
        (
            after is not None and after >= 2 * full["after none"],
            "there is nothing to wait for" if after is None else f"mfence takes {full['after none']:.0f} cycles, {after:.0f} after a store",
        ),
        (store["after none"] <= 0.1 * full["after none"], f"a store itself takes {store['after none']:.1f}"),
    )


EXPERIMENTS = [
    Experiment(
        "reordering",
        "Other cores may see several variables in another order than they were written in, unless a memory barrier stands between the writes.",
        (MODEL, "多变量: 内存重排, Memory barrier"),
        ("what goes wrong", "barrier", "of", "wrong"),
        measure_reordering,
        judge_reordering,
        "any number but zero without the barrier, since once is an error in a program; none with it",
        workloads=("mutual-exclusion", "message-passing", "double-checked-locking"),
        figure=Figure("what goes wrong", ("wrong",), "times that it went wrong", by="barrier"),
    ),
    Experiment(
        "fence-costs",
        "A memory barrier costs what it waits for: a full one waits until every earlier store is visible.",
        (MODEL, "多变量: Memory barrier"),
        ("operation", "after none", "after one", "after a full buffer"),
        measure_fences,
        judge_fences,
        "twice as long after one store to another core's line, which takes at least a transfer between caches; a store into a buffer with room "
        "costs at most a tenth of a fence (Fog's tables: 1 against some 33 cycles)",
        workloads=("fence-costs",),
        figure=Figure("operation", ("after none", "after one"), "cycles", log=True),
    ),
]

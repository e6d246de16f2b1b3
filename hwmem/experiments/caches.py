"""What caches cost and save when several cores use them: the claims on cache lines, on MESI and on atomics."""

from hwmem.experiments.experiment import Experiment, Figure, near, verdict
from hwmem.page.answer import hitms

MODEL = "Golang Rumtime-内存模型"
THREADS = (1, 2, 4)


def measure_levels(lab):
    rows = []
    for level, size in (("l1d", "16KiB"), ("l2", "128KiB"), ("llc", "4MiB"), ("dram", "64MiB")):
        result = lab.run("pointer-chase", machine={"mmu": False}, size=size, loads=50_000)
        config = result.config
        promised = config.dram.row_conflict if level == "dram" else getattr(config, level).latency if getattr(config, level) else None
        rows.append([level, size, result.cycles / result.values["operations"], promised])
    return rows


def judge_levels(table):
    l1d, l2, llc, dram = table.column("cycles a load")
    promised = table.column("of its level")
    return verdict(
        (l1d < l2 < llc < dram, f"a load takes {l1d:.1f}, {l2:.1f}, {llc:.1f} and {dram:.0f} cycles as the working set grows"),
        *(
            (p is not None and near(cycles, p, 0.1), f"{level} answers in {cycles:.1f} cycles, its latency is {p}")
            for level, cycles, p in zip(("L1D", "L2", "LLC"), (l1d, l2, llc), promised)
        ),
    )


def measure_false_sharing(lab):
    rows = []
    for threads in THREADS:
        beside = lab.run("false-sharing", threads=threads, stride=8, iterations=20_000)
        apart = lab.run("false-sharing", threads=threads, stride=64, iterations=20_000)
        every, false = hitms(beside)
        rows.append([threads, beside.cost, apart.cost, beside.cost / apart.cost, every, false])
    return rows


def judge_false_sharing(table):
    alone, *_, most = table.named()
    return verdict(
        (near(alone["slowdown"], 1, 0.05), f"one thread takes {alone['slowdown']:.2f} times as long on one line as apart"),
        (
            most["slowdown"] >= 1.5,
            f"with {most['threads']} threads an increment takes {most['slowdown']:.1f} times as long on one line as apart",
        ),
        (most["false"] >= 0.99 * most["HITMs"] > 0, f"{most['false']:,} of {most['HITMs']:,} HITMs are false sharing"),
    )


def measure_true_sharing(lab):
    rows = []
    for threads in THREADS:
        atomic = lab.run("true-sharing", threads=threads, atomic=True, iterations=10_000)
        plain = lab.run("true-sharing", threads=threads, atomic=False, iterations=10_000)
        rows.append([threads, atomic.cost, atomic.values["lost"], plain.cost, plain.values["lost"]])
    return rows


def judge_true_sharing(table):
    alone, *_, most = table.named()
    ratio = most["atomic: cycles"] / alone["atomic: cycles"]
    return verdict(
        (not any(table.column("lost")), f"atomic increments lose {sum(table.column('lost')):,}"),
        (most["plain: lost"] > 0, f"plain ones by {most['threads']} threads lose {most['plain: lost']:,}"),
        (ratio >= 2, f"an atomic one takes {ratio:.1f} times as long with {most['threads']} threads as with one"),
    )


def measure_ping_pong(lab):
    rows = []
    for way, atomic in (("compare-and-swap", True), ("load, store", False)):
        result = lab.run("ping-pong", atomic=atomic, rounds=5_000)
        moved = sum(core["interventions_hit_modified"] for core in result.counters["cores"])
        turns = result.values["operations"]
        rows.append([way, result.cycles / turns, moved / turns, result.config.interconnect.forward])
    alone = lab.run("false-sharing", threads=1, atomic=True, iterations=5_000)
    return [*rows, ["one core's own word", alone.cost, 0.0, 0]]


def judge_ping_pong(table):
    *shared, alone = table.named()
    return verdict(
        *(
            (row["HITMs a turn"] >= 0.9, f"{row['word']}: the line moves from core to core {row['HITMs a turn']:.1f} times a turn")
            for row in shared
        ),
        *(
            (
                row["cycles a turn"] >= max(row["a transfer"], 2 * alone["cycles a turn"]),
                f"{row['word']}: {row['cycles a turn']:.0f} cycles a turn, {alone['cycles a turn']:.0f} where no other core uses the word",
            )
            for row in shared
        ),
    )


def measure_protocols(lab):
    """Data of one core that does not fit its cache; two words that one thread writes and three read, without an LLC, so that memory answers
    whatever no cache does."""
    rows = []
    for protocol in ("msi", "mesi", "moesi", "mesif"):
        own = lab.run("matrix-multiply", machine={"protocol": protocol, "l2": None}, n=48)
        few = {"protocol": protocol, "l2": None, "llc": None}
        shared = lab.run("reader-writer", machine=few, kind="seqlock", writers=1, readers=3, iterations=1_000)
        dram = shared.counters["dram"]
        rows.append([protocol.upper(), own.counters["directory"]["upgrades"], dram["reads"], dram["writes"], shared.cost])
    return rows


def judge_protocols(table):
    msi, mesi, moesi, mesif = table.named()
    asked, reads, writes = ("upgrades of own data", "memory reads", "memory writes")
    return verdict(
        (
            msi[asked] >= 100 > 10 * max(row[asked] for row in (mesi, moesi, mesif)),
            f"E saves {msi[asked] - mesi[asked]} of {msi[asked]} upgrades of own data",
        ),
        (mesi[writes] >= 100 > 10 * moesi[writes], f"O saves {mesi[writes] - moesi[writes]:,} of {mesi[writes]:,} writes to memory"),
        (mesi[reads] >= 100 > 10 * mesif[reads], f"F saves {mesi[reads] - mesif[reads]:,} of {mesi[reads]:,} reads from memory"),
    )


EXPERIMENTS = [
    Experiment(
        "pointer-chase",
        "Memory is a hierarchy: a load takes longer, level by level, as the working set grows.",
        (MODEL, "现代计算机的多级存储结构"),
        ("level", "working set", "cycles a load", "of its level"),
        measure_levels,
        judge_levels,
        "10 % of a cache's latency: a random cycle has a few conflicts, and the first loads are cold; DRAM only has to be slowest, since "
        "rows that stay open make it faster than its latency says",
        "10 %",
        workloads=("pointer-chase",),
        figure=Figure("working set", ("cycles a load",), "cycles a load", log=True),
    ),
    Experiment(
        "true-sharing",
        "One variable that several threads change needs atomic operations: plain increments are lost, and atomic ones wait for the line.",
        (MODEL, "单变量: MESI, atomic"),
        ("threads", "atomic: cycles", "lost", "plain: cycles", "plain: lost"),
        measure_true_sharing,
        judge_true_sharing,
        "lost increments: none with atomics, any number without, since it depends on which threads collide; twice the time of one thread, "
        "where published counters take 4 to 25 times (LMAX Disruptor; centrifugo 77)",
        workloads=("true-sharing",),
        figure=Figure("threads", ("atomic: cycles", "plain: cycles"), "cycles an increment"),
    ),
    Experiment(
        "ping-pong",
        "MESI keeps one word coherent on many cores by moving its line: each time the other core writes, the line goes from cache to cache.",
        (MODEL, "单变量: MESI"),
        ("word", "cycles a turn", "HITMs a turn", "a transfer"),
        measure_ping_pong,
        judge_ping_pong,
        "nine turns in ten move the line, since the first ones find it elsewhere; a turn takes at least a transfer (interconnect.forward), and "
        "more where the waiting thread takes the line back meanwhile",
        workloads=("ping-pong", "false-sharing"),
        figure=Figure("word", ("cycles a turn",), "cycles a turn"),
    ),
    Experiment(
        "protocols",
        "Each state beyond M, S and I saves traffic: E a second request for one's own data, O writing memory when others read, F reading it.",
        (MODEL, "单变量: MESI"),
        ("protocol", "upgrades of own data", "memory reads", "memory writes", "cycles a read"),
        measure_protocols,
        judge_protocols,
        "fewer than ten where there were a hundred or more: lines that a page walk has also read are S in every protocol",
        workloads=("matrix-multiply", "reader-writer"),
        figure=Figure("protocol", ("upgrades of own data", "memory reads", "memory writes"), "requests"),
    ),
    Experiment(
        "false-sharing",
        "Threads that change variables of their own slow each other down if the variables lie on one cache line; padded to a line each, they do not.",
        (MODEL, "false sharing"),
        ("threads", "on one line", "a line each", "slowdown", "HITMs", "false"),
        measure_false_sharing,
        judge_false_sharing,
        "half as long again at least with four threads: published repairs gain from 1.1 to 9 times (Huron, PLDI'19; Sheriff, OOPSLA'11), depending on "
        "how often a program writes, and this one does nothing else; one HITM in a hundred may be the kernel's or a walk's",
        workloads=("false-sharing",),
        figure=Figure("threads", ("on one line", "a line each"), "cycles an increment"),
    ),
]

"""The kinds of allocators, and what each costs: the claims on bump and free-list allocators, and on thread caches.

The programs are those of `goalloc compare allocators` (programs/requests.py); options choose other allocators.
"""

from goalloc.baselines.api import NAMES
from goalloc.programs.comparison import CORES, row, run
from hwmem.experiments.experiment import Experiment, Figure, verdict
from hwmem.programs.registry import parameter

MANAGEMENT = "内存管理"
MODEL = "Golang Rumtime-内存模型"
FITS = ("first-fit", "next-fit", "best-fit", "segregated")
THREADS = (1, 2, 4, 8)
# threadtest makes 50 rounds (Berger, McKinley, Blumofe, Wilson, 2000), a factor four; in the first few lists grow and pages fault
LONGER = 12


def figures(lab, program, name, threads=1, factor=1):
    found = row(run(program, name, threads, factor, seed=lab.seed, config=lab.config(cores=CORES)))
    lab.tick()
    return found


def measure_reuse(lab):
    rows = []
    for name in (lab.option("linear"), "first-fit", "segregated"):
        one = figures(lab, "producer-consumer", name)
        rows.append([name, one["rss"], one["faults"], one["cycles"]])
    return rows


def judge_reuse(table):
    linear, *lists = table.named()
    most = max(one["RSS KiB"] for one in lists)
    return verdict(
        (
            linear["RSS KiB"] >= 4 * most,
            f"blocks that are soon freed take {linear['RSS KiB']:,} KiB with a bump pointer, {most:,} with free lists",
        ),
        (linear["faults"] > max(one["faults"] for one in lists), f"and {linear['faults']:,} page faults"),
    )


def measure_fits(lab):
    rows = []
    for name in FITS:
        one = figures(lab, lab.option("program"), name)
        rows.append([name, one["cycles"], one["rss"], one["overhead"]])
    return rows


def judge_fits(table):
    first, next_, best, segregated = table.named()
    return verdict(
        (best["RSS KiB"] <= first["RSS KiB"] <= next_["RSS KiB"], "best fit takes the least memory, next fit the most"),
        (best["cycles each"] >= 2 * first["cycles each"], f"looking at all blocks costs {best['cycles each']:,.0f} cycles a call"),
        (
            segregated["cycles each"] <= 1.1 * first["cycles each"] and segregated["RSS KiB"] <= 1.02 * best["RSS KiB"],
            f"segregated lists need {segregated['cycles each']:,.0f}, and no more memory than best fit",
        ),
    )


def measure_caches(lab):
    rows = []
    for name in (lab.option("cached"), lab.option("locked")):
        for threads in THREADS:
            one = figures(lab, "threadtest", name, threads, LONGER)
            rows.append([name, threads, one["cycles"], one["lock_waits"], one["lines"]])
    return rows


def judge_caches(table):
    rows = table.named()
    cached, locked = rows[: len(THREADS)], rows[len(THREADS) :]
    grown, waited = (part[-1]["cycles each"] / part[0]["cycles each"] for part in (cached, locked))
    return verdict(
        (grown <= 2, f"with a cache for each thread, a call with {THREADS[-1]} threads takes {grown:.1f} times as long as with one"),
        (waited >= 5, f"with one list under one lock {waited:.1f} times"),
        (cached[-1]["lock waits"] <= 0.02 * locked[-1]["lock waits"], f"where {locked[-1]['lock waits']:,} calls wait for the lock"),
    )


def measure_sharing(lab):
    rows = []
    for name in ("bump", "first-fit", lab.option("own")):
        for program in ("cache-thrash", "cache-scratch"):
            one = figures(lab, program, name, 4)
            rows.append([name, program, one["active"], one["passive"], one["lines"]])
    return rows


def judge_sharing(table):
    thrash = [one for one in table.named() if one["program"] == "cache-thrash"]
    own = [one for one in table.named() if one["allocator"] == thrash[-1]["allocator"]]
    return verdict(
        (
            all(one["active"] > 0 for one in thrash[:-1]),
            f"allocators that serve all from one place put {thrash[0]['active']} and {thrash[1]['active']} blocks beside another thread's",
        ),
        (all(one["active"] == 0 for one in own), f"with slabs for each thread {sum(one['active'] for one in own)}"),
        (own[1]["passive"] > 0, f"but {own[1]['passive']} blocks that the program has passed on stay side by side"),
    )


def measure_decay(lab):
    rows = []
    for name in ("glibc", lab.option("decaying")):
        one = figures(lab, "sawtooth", name)
        rows.append([name, one["rss"], one["dropped"], one["rested"], one["trimmed"]])
    return rows


def judge_decay(table):
    glibc, other = table.named()
    return verdict(
        (
            glibc["rested"] >= 0.9,
            f"with glibc {glibc['rested']:.0%} of the RSS at the top is still resident with 95 % freed, until the program asks for it",
        ),
        (glibc["trimmed"] <= 0.6, f"malloc_trim leaves {glibc['trimmed']:.0%}"),
        (
            other["dropped"] >= 0.9 and other["rested"] <= 0.6,
            f"with pages that decay it is {other['dropped']:.0%} at first and {other['rested']:.0%} later, without a request",
        ),
    )


EXPERIMENTS = [
    Experiment(
        "linear-allocator",
        "A bump allocator only advances its pointer, so freed memory is never reused; a free list reuses it.",
        (MANAGEMENT, "分配方法: 线性分配, 空闲链表分配"),
        ("allocator", "RSS KiB", "faults", "cycles each"),
        measure_reuse,
        judge_reuse,
        "four times the memory: the program has a block or two at a time, so lists need a few pages, a bump pointer all that was ever requested",
        options={"linear": parameter("bump", "the allocator without free lists", choices=NAMES)},
        figure=Figure("allocator", ("RSS KiB",), "KiB resident"),
    ),
    Experiment(
        "fits",
        "First, next and best fit trade time for memory; lists segregated by size need little of either, which is why industry uses them.",
        (MODEL, "Free List Allocator: First-Fit, Next-Fit, Best-Fit, Segregated-Fit"),
        ("allocator", "cycles each", "RSS KiB", "RSS/live"),
        measure_fits,
        judge_fits,
        "twice the time for best fit; for segregated lists a tenth over first fit's time and 2 % over best fit's memory: only the order, on one program",
        options={"program": parameter("sawtooth", "of goalloc compare allocators", choices=("sawtooth", "threadtest", "larson"))},
        figure=Figure("allocator", ("cycles each", "RSS KiB"), "cycles, KiB", log=True),
    ),
    Experiment(
        "thread-caches",
        "A cache for each thread takes the locks out of malloc, as tcmalloc does; with one lock threads wait for each other.",
        (MODEL, "google tcmalloc: 每个线程维护一个独立的内存池"),
        ("allocator", "threads", "cycles each", "lock waits", "lines each"),
        measure_caches,
        judge_caches,
        "twice for eight threads, which share transfer caches and spans whenever a batch moves; five times for a lock that each takes at every call",
        options={
            "cached": parameter("tcmalloc-threads", "the allocator with caches", choices=NAMES),
            "locked": parameter("first-fit", "the one with a lock", choices=NAMES),
        },
        figure=Figure("threads", ("cycles each",), "cycles a call", log=True, by="allocator"),
    ),
    Experiment(
        "allocator-sharing",
        "An allocator that serves all threads from one place puts their blocks on the same lines; one that gives each thread its own does not.",
        (MANAGEMENT, "分级分配: 线程缓存"),
        ("allocator", "program", "active", "passive", "lines each"),
        measure_sharing,
        judge_sharing,
        "none: which thread has which bytes of a line is counted exactly",
        options={"own": parameter("jemalloc", "the allocator that gives each thread its own", choices=NAMES)},
        figure=Figure("allocator", ("active", "passive"), "blocks"),
    ),
    Experiment(
        "decay",
        "RSS does not fall when memory is freed: with glibc a few live blocks pin the rest; jemalloc's free pages go back after ten seconds.",
        (MANAGEMENT, "归还内存"),
        ("allocator", "RSS KiB", "dropped", "rested", "trimmed"),
        measure_decay,
        judge_decay,
        "nine tenths kept, and six tenths left: one block in twenty is kept and pins its page, and most pages of small blocks have one",
        options={"decaying": parameter("jemalloc", "the allocator whose pages decay", choices=NAMES)},
        figure=Figure("allocator", ("dropped", "rested", "trimmed"), "part of the RSS at the top"),
    ),
]

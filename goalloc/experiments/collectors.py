"""The collectors side by side: what moves, what each costs, who pays, and how they do by each criterion (goalloc.collectors)."""

from goalloc.collectors.heap import Heap
from goalloc.collectors.script import COLLECT, NEW, POP, SET, STORE, script
from goalloc.programs import criteria
from hwmem.experiments.experiment import Experiment, Figure, verdict
from hwmem.machine.machine import Machine
from hwmem.programs.registry import parameter

LEARNING = "内存管理学习"
ALGORITHMS, CRITERIA = "垃圾回收算法", "评价垃圾回收算法的好坏的标准"
KIB = 1 << 10
MOVING = ("lisp2", "threaded", "semispace", "generational")
STAYING = ("mark-sweep", "counts-traced")
WHOLE = ("mark-sweep", "threaded", "semispace")  # which look at the whole heap each time
SECRET, OBJECTS, STORES = 7, 100, 2_000
HEAP = parameter(300, "size of the heap, percent of the live data", 100, 10_000)


def program(default):
    return parameter(default, "of goalloc compare collectors", choices=criteria.PROGRAMS)


def criteria_of(lab, name, collector, heap):
    """A row of `goalloc compare collectors`."""
    lab.commands.append(
        f"{lab.program} compare collectors --program {name} --collector {collector} --heap {heap / 100:g} --seed {lab.seed}"
    )
    found = criteria.compare(name, collector, heap / 100, lab.seed, lab.config())
    lab.tick()
    return found


def new_heap(lab, collector, size):
    return Heap(Machine(lab.config(), lab.seed).spawn(), collector, size)


def chain(n):
    """A list of `n` objects of four words, on the stack."""
    rows = [(NEW, 1, 2, 1)]
    for i in range(2, n + 1):
        rows += [(NEW, 1, 2, i), (STORE, 1, 0, 0), (SET, 0, 1), (POP, 1)]
    return rows


def garbage(n):
    return [row for i in range(n) for row in ((NEW, 0, 6, i), (POP, 1))]


def measure_moving(lab):
    rows = []
    for collector in (*STAYING, *MOVING):
        heap = new_heap(lab, collector, 4 * KIB)
        heap.run(script([*garbage(3), (NEW, 0, 1, SECRET)]))
        kept = before = heap.stack()[0]
        heap.run(script([(COLLECT,), *garbage(60)]))
        after = heap.stack()[0]
        if lab.option("kept") == "root":
            kept = after
        read = heap.process.load
        rows.append([collector, after - before, read(after + 8), "the object" if read(kept + 8) == SECRET else "something else"])
        lab.tick()
    return rows


def judge_moving(table):
    found = {row["collector"]: row for row in table.named()}
    moved = [name for name in found if found[name]["moved by"]]
    broken = [name for name in found if found[name]["the address kept is"] != "the object"]
    return verdict(
        (moved == list(MOVING), f"the object has moved under {', '.join(moved)}"),
        (broken == moved, f"the address in the program's variable is something else's under {', '.join(broken) or 'none'}"),
        (all(row["through the root"] == SECRET for row in found.values()), "the root always leads to it"),
    )


def measure_copying(lab):
    rows = []
    for size in (64, 256, 1024):
        cycles = []
        for collector in ("mark-sweep", "semispace"):
            heap = new_heap(lab, collector, size * KIB)
            heap.run(script([*garbage(100), *chain(lab.option("live")), (COLLECT,), *garbage(size * KIB // 128)]))
            before = heap.statistics()["collector cycles"]
            heap.run(script([(COLLECT,)]))
            cycles.append(heap.statistics()["collector cycles"] - before)
            lab.tick()
        rows.append([size, *cycles])
    return rows


def judge_copying(table):
    first, *_, last = table.named()
    sweep, copy = (last[name] / first[name] for name in ("mark-sweep", "semispace"))
    return verdict(
        (sweep >= 8, f"in a heap 16 times as large mark-sweep takes {sweep:.1f} times as long for the same objects"),
        (copy <= 1.25, f"copying {copy:.2f} times"),
    )


def loop(n, closed):
    """`n` objects, each with a reference to the one before; if it is `closed`, the first to the last. Then no root refers to them."""
    rows = [(NEW, 1, 2, 1), (NEW, 1, 2, 2), (STORE, 1, 0, 0)]
    for i in range(3, n + 1):
        rows += [(NEW, 1, 2, i), (STORE, 2, 0, 1), (SET, 1, 2), (POP, 1)]
    return [*rows, *([(STORE, 0, 0, 1)] if closed else []), (POP, 2), (COLLECT,)]


def measure_cycles(lab):
    rows = []
    for collector in ("counts", "deferred", "counts-traced", "deferred-traced", "mark-sweep"):
        heap, left = new_heap(lab, collector, 64 * KIB), []
        for closed in (False, lab.option("closed")):
            heap.run(script(loop(OBJECTS, closed)))
            left.append(len(heap.objects()))
        rows.append([collector, *left])
        lab.tick()
    return rows


def judge_cycles(table):
    rows = table.named()
    left = {row["collector"]: row["left of a cycle"] for row in rows}
    lost = [name for name in left if left[name]]
    return verdict(
        (all(row["left of a list"] == 0 for row in rows), f"of a dropped list of {OBJECTS} objects no collector leaves anything"),
        (lost == ["counts", "deferred"], f"a cycle stays whole under {', '.join(lost) or 'none'}"),
        (set(left.values()) <= {0, OBJECTS}, "and is freed wherever the roots are traced"),
    )


def measure_counting(lab):
    rows = []
    for collector in ("mark-sweep", "counts", "deferred"):
        found = criteria_of(lab, lab.option("program"), collector, lab.option("heap"))
        rows.append([collector, *(found[key] for key in ("cycles", "share", "p99", "longest", "mmu_100"))])
    return rows


def judge_counting(table):
    traced, counted, deferred = table.named()
    return verdict(
        (
            counted["cycles a step"] >= 1.2 * traced["cycles a step"],
            f"a step takes {counted['cycles a step']} cycles with counts, {traced['cycles a step']} with mark-sweep",
        ),
        (
            counted["longest, us"] <= 0.1 * traced["longest, us"],
            f"the longest pause is {counted['longest, us']:.1f} us, with mark-sweep {traced['longest, us']:.1f}",
        ),
        (deferred["longest, us"] > counted["longest, us"], f"with a zero-count table {deferred['longest, us']:.1f}"),
    )


def measure_generations(lab):
    rows = []
    for collector in (*WHOLE, "generational", "card-marking"):
        found = criteria_of(lab, lab.option("program"), collector, lab.option("heap"))
        rows.append([collector, *(found[key] for key in ("cycles", "share", "collections", "median", "longest"))])
    return rows


def judge_generations(table):
    rows = {row["collector"]: row for row in table.named()}
    steps = [rows[name]["cycles a step"] for name in WHOLE]
    young, copied = rows["generational"], rows["semispace"]
    return verdict(
        (young["cycles a step"] < min(steps), f"a step takes {young['cycles a step']:,} cycles, with the others {min(steps):,} at least"),
        (
            young["median, us"] <= 0.25 * copied["median, us"],
            f"half of the pauses are below {young['median, us']:.1f} us, when everything is copied {copied['median, us']:.1f}",
        ),
        (
            young["longest, us"] > copied["longest, us"],
            f"the longest, when old objects are collected too, is {young['longest, us']:.0f} us, with copying {copied['longest, us']:.0f}",
        ),
    )


def measure_heaps(lab):
    rows = []
    for heap in (120, 200, 300, 600):
        found = [criteria_of(lab, lab.option("program"), name, heap)["share"] for name in WHOLE]
        rows.append([heap / 100, *found])
    return rows


def judge_heaps(table):
    shares = {name: [share for share in table.column(name) if share is not None] for name in WHOLE}
    falls = all(column == sorted(column, reverse=True) for column in shares.values())
    said = "; ".join(f"{name} {column[0]} to {column[-1]} %" for name, column in shares.items())
    return verdict(
        (falls, f"the larger the heap, the less time goes to collecting: {said}"),
        (all(column[-1] <= 0.67 * column[0] for column in shares.values()), "less by a third at least"),
        (table.column("semispace")[0] is None, "copying needs twice what lives"),
    )


def measure_locality(lab):
    rows = []
    for collector in ("mark-sweep", "lisp2", "threaded", "semispace"):
        found = criteria_of(lab, lab.option("program"), collector, lab.option("heap"))
        rows.append([collector, found["l1d"], found["dtlb"]])
    return rows


def judge_locality(table):
    sweep, *compact = table.column("TLB misses")
    most = max((misses for misses in compact if misses is not None), default=sweep)  # None: the heap is too small to copy
    return verdict(
        (
            sweep >= 10 and most <= 0.2 * sweep,
            f"after mark-sweep {sweep} in a thousand loads miss the TLB, after compacting or copying at most {most}",
        ),
    )


def measure_shared(lab):
    rows = []
    for own in (True, False):
        threads = lab.option("threads")
        result = criteria.run("shared", "counts-atomic", "1MiB", lab.seed, lab.config(), threads=threads, own=own, stores=STORES)
        lines = sum(core["interventions_hit_modified"] for core in result.counters["cores"])
        rows.append(["of its own" if own else "shared", result.cycles / STORES, lines / (threads * STORES)])
        lab.tick()
    return rows


def judge_shared(table):
    own, shared = table.named()
    return verdict(
        (
            shared["lines a store"] >= 1 and own["lines a store"] <= 0.1,
            f"a store takes {shared['lines a store']:.2f} lines from another core where objects are shared, {own['lines a store']:.2f} where not",
        ),
        (
            shared["cycles a store"] >= 2 * own["cycles a store"],
            f"and {shared['cycles a store']:.0f} cycles instead of {own['cycles a store']:.0f}",
        ),
    )


EXPERIMENTS = [
    Experiment(
        "moving-objects",
        "Mark-sweep does not move objects, so languages with raw pointers can use it; compacting and copying do, and an address that C has kept "
        "then belongs to another object.",
        (LEARNING, ALGORITHMS),
        ("collector", "moved by", "through the root", "the address kept is"),
        measure_moving,
        judge_moving,
        "none: what is read is the object or it is not",
        options={"kept": parameter("address", "what the program keeps: an address, or the root alone", choices=("address", "root"))},
    ),
    Experiment(
        "copying-cost",
        "The cost of copying follows the live data, whatever the heap's size; mark-sweep reads all of the heap.",
        (LEARNING, ALGORITHMS),
        ("heap, KiB", "mark-sweep", "semispace"),
        measure_copying,
        judge_copying,
        "half of the heap's growth for mark-sweep, whose marking does not grow; a quarter for copying, whose other half is then farther away",
        options={"live": parameter(20, "objects of 32 bytes that live", 1, 500)},
        figure=Figure("heap, KiB", ("mark-sweep", "semispace"), "cycles a collection", log=True),
    ),
    Experiment(
        "counted-cycles",
        "Reference counting never frees objects that refer to each other; a backup trace does.",
        (LEARNING, ALGORITHMS),
        ("collector", "left of a list", "left of a cycle"),
        measure_cycles,
        judge_cycles,
        "none: objects are counted",
        options={"closed": parameter(True, "whether the last object refers to the first")},
        figure=Figure("collector", ("left of a list", "left of a cycle"), "objects that are left"),
    ),
    Experiment(
        "counting-burden",
        "Reference counting burdens the program, which counts at every store, but hardly ever stops it.",
        (LEARNING, ALGORITHMS),
        ("collector", "cycles a step", "GC %", "99 %, us", "longest, us", "MMU 100 us"),
        measure_counting,
        judge_counting,
        "a fifth more cycles a step; a tenth of the pause: a store frees what it alone held, which is a node here and could be a whole list",
        options={"program": program("graph"), "heap": HEAP},
        figure=Figure("collector", ("longest, us",), "microseconds", log=True),
    ),
    Experiment(
        "shared-counts",
        "Threads that share objects must count by atomic operations, and each count takes the object's line from another core.",
        (LEARNING, ALGORITHMS),
        ("objects", "cycles a store", "lines a store"),
        measure_shared,
        judge_shared,
        "at least twice the cycles and a line a store, since a store counts two objects; a tenth of a line where objects are not shared, from the start",
        options={"threads": parameter(4, "threads; thread i runs on core i", 1, 16)},
        figure=Figure("objects", ("cycles a store", "lines a store"), "cycles a store; lines from another core a store"),
    ),
    Experiment(
        "young-garbage",
        "Most objects die young: a collector that looks at new ones alone takes less time, and its usual pause is short; its longest is not.",
        (LEARNING, CRITERIA),
        ("collector", "cycles a step", "GC %", "GCs", "median, us", "longest, us"),
        measure_generations,
        judge_generations,
        "only the order for cycles, since how much is saved depends on the program; a quarter of the pause; cards are shown for comparison and cost "
        "more here, where little is old",
        options={"program": program("binary-trees"), "heap": HEAP},
        figure=Figure("collector", ("cycles a step",), "cycles"),
    ),
    Experiment(
        "heap-size",
        "Memory buys throughput: the larger the heap, the smaller the collector's share of the time.",
        (LEARNING, CRITERIA),
        ("heap / live", "mark-sweep", "threaded", "semispace"),
        measure_heaps,
        judge_heaps,
        "at least a third less from the smallest heap that suffices to 6 times the live data; not where the heap outgrows a cache (binary-trees): "
        "there each collection costs more",
        options={"program": program("lists")},
        figure=Figure("heap / live", ("mark-sweep", "threaded", "semispace"), "percent of the time"),
    ),
    Experiment(
        "compaction",
        "Compacting and copying bring live objects together, so the program misses the TLB less afterwards; mark-sweep leaves them where they were.",
        (LEARNING, CRITERIA),
        ("collector", "L1 misses", "TLB misses"),
        measure_locality,
        judge_locality,
        "at most a fifth of mark-sweep's misses, which are ten in a thousand loads or more",
        options={"program": program("graph"), "heap": HEAP},
        figure=Figure("collector", ("TLB misses",), "of a thousand loads"),
    ),
]

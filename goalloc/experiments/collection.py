"""The collector: what its barriers keep, when it starts, how long it stops the world, who pays for marking, what a memory limit does."""

from goalloc.constants import defaultHeapMinimum
from goalloc.experiments import barriers
from hwmem.config.record import Text, setting
from hwmem.programs.registry import parameter
from hwmem.experiments.experiment import Experiment, Figure, near, verdict

BARRIER = {"barrier": parameter("hybrid", "which", choices=tuple(barriers.SETTINGS))}
LIMIT = {"memory_limit": setting(Text(), "GOMEMLIMIT", "off")}
MANAGEMENT = "内存管理"
KIB = 1 << 10
LIVE, SIZE = 4_096, 1_024  # slots and bytes of a live heap of 4 MiB
TIMES = 6  # as much garbage
ALONE = {"gomaxprocs": 1}  # where the number of collections follows from the pacer


def measure_barrier(lab):
    rows = []
    for way in barriers.WAYS:
        kept = [barriers.is_kept(way, kind)[0] for kind in ("none", lab.option("barrier"))]
        rows.append([way, *("kept" if is_kept else "lost" for is_kept in kept)])
        lab.tick()
    return rows


def judge_barrier(table):
    without, barred = table.column("without a barrier"), table.column("with one")
    return verdict(
        (set(without) == {"lost"}, f"without a barrier {without.count('lost')} of {len(without)} ways to hide an object lose it"),
        (set(barred) == {"kept"}, f"with one {barred.count('lost')} do"),
    )


def measure_batches(lab):
    rows = []
    for name, way in (("none", "none"), ("in batches", lab.option("barrier")), ("at once", "hybrid, at once")):
        off, on = (cycles / barriers.STORES for cycles in barriers.store_cycles(way, lab.seed))
        rows.append([name, off, on])
        lab.tick()
    return rows


def judge_batches(table):
    none, batches, at_once = table.named()
    return verdict(
        (
            near(batches["no collection"], none["no collection"], 0.1),
            f"between collections a store takes {batches['no collection']:.1f} cycles with the barrier, {none['no collection']:.1f} without",
        ),
        (
            none["marking"] < batches["marking"] <= 0.95 * at_once["marking"],
            f"during marking {batches['marking']:.1f} in batches, {at_once['marking']:.1f} if each object is coloured at once",
        ),
    )


def marking_ns(cycle):
    """From the first pause's end to the second's beginning."""
    return cycle["at_ns"][2] - cycle["at_ns"][1]


def measure_pauses(lab):
    rows = []
    for objects in (250, 2_500, 25_000):
        result = lab.run("explicit-gc", objects=objects, size=128, cycles=4)
        cycles = result.gc[1:]
        pauses = [ns for c in cycles for ns in c["pauses_ns"]]
        rows.append(
            [
                result.parameters["objects"],
                sum(c["heap_marked"] for c in cycles) // len(cycles) // KIB,
                sum(map(marking_ns, cycles)) / len(cycles) / 1e3,
                max(pauses) / 1e3,
                sum(pauses) / len(cycles) / 1e3,
            ]
        )
    return rows


def judge_pauses(table):
    first, *_, last = table.named()
    grown = last["marking, us"] / first["marking, us"]
    longer = last["stopped, us"] / first["stopped, us"]
    stopped = last["stopped, us"] + last["marking, us"]
    return verdict(
        (grown >= 4, f"marking {last['objects']:,} objects takes {grown:.1f} times as long as {first['objects']:,}"),
        (longer <= 2, f"the world is stopped {longer:.1f} times as long"),
        (
            last["stopped, us"] <= 0.2 * stopped,
            f"for {last['stopped, us']:.0f} us; if it marked with the world stopped, for {stopped:.0f}",
        ),
    )


def measure_goal(lab):
    gogc = lab.option("gogc")
    result = lab.run("steady", gogc=gogc, memory_limit=lab.option("memory_limit"), **ALONE, slots=40_000, size=128, churn=180_000)
    rows = []
    for before, cycle in zip(result.gc, result.gc[1:]):
        marked, rest = before["heap_marked"], before["stack_scan"] + before["globals_scan"]
        formula = max(defaultHeapMinimum * gogc // 100, marked + (marked + rest) * gogc // 100)
        way = (cycle["heap_trigger"] - marked) / (cycle["goal"] - marked) if cycle["goal"] > marked else 1.0
        rows.append([cycle["n"], marked // KIB, rest // KIB, formula, cycle["goal"], way, cycle["heap_end"] / cycle["goal"]])
    return rows


def judge_goal(table):
    rows = table.named()
    off = max((abs(row["goal"] - row["formula"]) / row["formula"] for row in rows), default=1.0)
    least, most = (extreme((row["trigger"] for row in rows), default=0) for extreme in (min, max))
    over = max((row["end / goal"] for row in rows), default=0)
    return verdict(
        (len(rows) >= 2, f"{len(rows)} collections"),
        (off <= 0.001, f"their goals follow from GOGC and the live heap that the last one found, within {off:.2%}"),
        (0.69 <= least <= most <= 0.96, f"they begin {least:.0%} to {most:.0%} of the way there"),
        (over <= 1.05, f"and end at {over:.2f} of the goal at most"),
    )


def measure_assists(lab):
    rows = []
    for name, ps, background in (("workers, 4 Ps", 4, "go"), ("nobody, 1 P", 1, "off")):
        result = lab.run("steady", gomaxprocs=ps, background=background, slots=LIVE, size=SIZE, churn=3 * LIVE)
        cycles = result.gc[1:]  # of the heap that is full
        assist, workers = (
            sum(sum(c[kind] for kind in kinds) for c in cycles) for kinds in (("assist_ns",), ("dedicated_ns", "fractional_ns", "idle_ns"))
        )
        most = max((c["heap_end"] / c["goal"] for c in cycles), default=0)
        rows.append([name, len(cycles), workers / 1e3, assist / 1e3, assist / max(assist + workers, 1), most])
    return rows


def judge_assists(table):
    free, alone = table.named()
    return verdict(
        (free["assists"] <= 0.4, f"with free processors {free['assists']:.0%} of marking are assists"),
        (alone["assists"] >= 0.9, f"without workers {alone['assists']:.0%}"),
        (max(table.column("end / goal")) <= 1.125, f"the heap ends at {max(table.column('end / goal')):.2f} of its goal at most"),
    )


def measure_gogc(lab):
    rows = []
    for gogc in (50, 100, 200, 400):
        result = lab.run(
            "steady", gogc=gogc, memory_limit=lab.option("memory_limit"), **ALONE, noscan=True, slots=LIVE, size=SIZE, churn=TIMES * LIVE
        )
        full = [c for c in result.gc if c["heap_marked"] >= 0.9 * LIVE * SIZE]
        peak = max((c["heap_end"] for c in result.gc), default=0)
        stats = result.values["memstats"]
        rows.append([gogc, len(full), TIMES * 100 / gogc, peak / (1 << 20), 4 * (1 + gogc / 100), stats["GCCPUFraction"]])
    return rows


def judge_gogc(table):
    rows = table.named()
    return verdict(
        (
            all(abs(row["collections"] - row["6 / GOGC"]) <= 1 + 0.25 * row["6 / GOGC"] for row in rows),
            f"collections for garbage of six times the live heap: {', '.join(str(row['collections']) for row in rows)}",
        ),
        (
            all(row["peak, MiB"] >= 0.8 * row["live (1 + GOGC)"] for row in rows) and rows[-1]["peak, MiB"] >= 2 * rows[0]["peak, MiB"],
            f"the heap's peaks: {', '.join(format(row['peak, MiB'], '.1f') for row in rows)} MiB",
        ),
    )


def measure_limit(lab):
    rows = []
    for limit in ("off", "32MiB", "20MiB", "14MiB"):
        result = lab.run("steady", gogc=200, memory_limit=limit, **ALONE, noscan=True, slots=LIVE, size=SIZE, churn=TIMES * LIVE)
        rows.append([limit, *limited(result)])
    return rows


def limited(result):
    """Collections, the most memory mapped at their ends, what lives, the goal, the collector's part of the processors' time."""
    if not result.gc:
        return 0, 0.0, 0.0, 0.0, 0.0
    last = result.gc[-1]
    mapped = max(c["mapped_ready"] for c in result.gc) / (1 << 20)
    return len(result.gc), mapped, last["heap_marked"] / (1 << 20), last["goal"] / (1 << 20), result.values["memstats"]["GCCPUFraction"]


def judge_limit(table):
    off, *rows = table.named()
    over = max(row["mapped, MiB"] / float(row["limit"].removesuffix("MiB")) for row in rows)
    counts = table.column("collections")
    return verdict(
        (over <= 1.125, f"memory reaches at most {over:.0%} of the limit"),
        (off["mapped, MiB"] > 14, f"without one it is {off['mapped, MiB']:.1f} MiB"),
        (counts == sorted(counts) and counts[-1] > counts[0], f"the price is collections: {', '.join(map(str, counts))}"),
    )


def measure_too_low(lab):
    rows = []
    for limit in ("off", "6MiB"):
        result = lab.run("steady", gogc=100, memory_limit=limit, **ALONE, noscan=True, slots=LIVE, size=SIZE, churn=LIVE)
        rows.append([limit, *limited(result)])
    return rows


def judge_too_low(table):
    off, low = table.named()
    return verdict(
        (low["collections"] >= 5 * off["collections"], f"{low['collections']} collections, {off['collections']} without the limit"),
        (near(low["goal, MiB"], low["live, MiB"], 0.1), f"the goal is {low['goal, MiB']:.1f} MiB, with {low['live, MiB']:.1f} live"),
        (low["mapped, MiB"] > 6, f"and memory is {low['mapped, MiB']:.1f} MiB all the same"),
    )


def measure_stacks(lab):
    rows = []
    for goroutines in (10, 100, 1_000):
        result = lab.run("goroutine-stacks", goroutines=goroutines, depth=4, garbage=6_000)
        cycles = result.gc
        pauses = [ns for c in cycles for ns in c["pauses_ns"]]
        rows.append(
            [
                result.parameters["goroutines"],
                len(cycles),
                max(c["stack_scan"] for c in cycles) // KIB,
                sum(map(marking_ns, cycles)) / len(cycles) / 1e3,
                max(pauses) / 1e3,
                sum(c["assist_ns"] for c in cycles) / len(cycles) / 1e3,
            ]
        )
    return rows


def judge_stacks(table):
    few, *_, many = table.named()
    scanned = many["stacks, KiB"] / max(few["stacks, KiB"], 1)
    longer = many["longest pause, us"] / few["longest pause, us"]
    return verdict(
        (scanned >= 3, f"{many['goroutines']:,} goroutines have {scanned:.1f} times the stacks of {few['goroutines']:,} to scan"),
        (many["marking, us"] > few["marking, us"], f"marking takes {many['marking, us'] / few['marking, us']:.1f} times as long"),
        (longer <= 2, f"the longest pause {longer:.1f} times"),
    )


STEADY = ("limit", "collections", "mapped, MiB", "live, MiB", "goal, MiB", "processors")
EXPERIMENTS = [
    Experiment(
        "write-barrier",
        "While a collection marks concurrently, an object that the program moves is lost, unless a write barrier tells the collector.",
        (MANAGEMENT, "屏障技术: 三色不变性, 混合写屏障"),
        ("the object is", "without a barrier", "with one"),
        measure_barrier,
        judge_barrier,
        "none: an object lives or it does not",
        options=BARRIER,
    ),
    Experiment(
        "barrier-batches",
        "The write barrier costs nothing between collections, and writing pointers to a buffer is cheaper than colouring each object at once.",
        (MANAGEMENT, "批量写屏障机制"),
        ("barrier", "no collection", "marking"),
        measure_batches,
        judge_batches,
        "10 % between collections, when only a flag is read, which is in the cache; 5 % saved at least, since colouring is most of the cost and only "
        "its order is better; the lines are in the caches before",
        options=BARRIER,
        figure=Figure("barrier", ("no collection", "marking"), "cycles a pointer's store"),
    ),
    Experiment(
        "stop-the-world",
        "Concurrent marking keeps pauses short, however much there is to mark; a collector that marks with the world stopped pauses for all of it.",
        (MANAGEMENT, "三色标记: STW, 并发垃圾收集"),
        ("objects", "live, KiB", "marking, us", "longest pause, us", "stopped, us"),
        measure_pauses,
        judge_pauses,
        "pauses twice as long for a hundred times the objects: a pause ends when the last P has made its step; marking at least four times as long, "
        "since the globals of a small process are marked too",
        workloads=("explicit-gc",),
        figure=Figure("objects", ("marking, us", "stopped, us"), "microseconds a collection"),
    ),
    Experiment(
        "gc-goal",
        "A collection starts before the heap reaches its goal, which follows from GOGC and what the last collection found alive.",
        (MANAGEMENT, "触发垃圾回收的时机"),
        ("gc", "live, KiB", "stacks, globals", "formula", "goal", "trigger", "end / goal"),
        measure_goal,
        judge_goal,
        "a thousandth of the goal, for rounding; triggers from 70 to 95 % of the way (mgcpacer.go), and a percent for the object whose allocation "
        "starts it; 5 % above the goal, which assists aim at and do not promise",
        "0.1 %",
        workloads=("steady",),
        options={"gogc": parameter(100, "GOGC", 1, 10_000), **LIMIT},
        figure=Figure("gc", ("formula", "goal"), "bytes"),
    ),
    Experiment(
        "assists",
        "A goroutine that allocates faster than the workers mark has to mark itself: assists keep the heap at its goal.",
        (MANAGEMENT, "内存分配速度超过了标记清除的速度怎么办"),
        ("who else marks", "collections", "workers, us", "assists, us", "assists", "end / goal"),
        measure_assists,
        judge_assists,
        "two fifths of the marking with free processors: a cycle's first moments are assists, until the workers have been woken, one by one; nine "
        "tenths without workers; an eighth above the goal, by which the real runtime was seen to exceed its limit",
        workloads=("steady",),
        figure=Figure("who else marks", ("workers, us", "assists, us"), "microseconds of marking"),
    ),
    Experiment(
        "gogc-curve",
        "GOGC trades memory for processor time: twice the garbage per cycle means half the collections.",
        (MANAGEMENT, "触发垃圾回收的时机"),
        ("GOGC", "collections", "6 / GOGC", "peak, MiB", "live (1 + GOGC)", "processors"),
        measure_gogc,
        judge_gogc,
        "a collection, and a quarter, since cycles begin before the goal and what is allocated while they mark lives until the next; a peak of at least "
        "four fifths, for the same reasons, and twice as much at 400 as at 50",
        "25 %",
        workloads=("steady",),
        options=LIMIT,
        figure=Figure("GOGC", ("collections", "peak, MiB"), "collections; MiB"),
    ),
    Experiment(
        "memory-limit",
        "A memory limit bounds the program's memory by collecting more often as it comes near.",
        (MANAGEMENT, "触发垃圾回收的时机"),
        STEADY,
        measure_limit,
        judge_limit,
        "an eighth above: the limit is a soft one, and the real runtime was seen to exceed it by as much",
        "an eighth",
        workloads=("steady",),
        figure=Figure("limit", ("collections", "mapped, MiB"), "collections; MiB"),
    ),
    Experiment(
        "limit-too-low",
        "A memory limit below the live heap makes collections follow one another, and is exceeded all the same.",
        (MANAGEMENT, "触发垃圾回收的时机"),
        STEADY,
        measure_too_low,
        judge_too_low,
        "five times as many collections: as many as find time; the goal within a tenth of the live heap, which changes during marking",
        workloads=("steady",),
        figure=Figure("limit", ("collections",), "collections"),
    ),
    Experiment(
        "goroutine-stacks",
        "Goroutines' stacks are roots: more of them make marking longer, but hardly the pauses, since stacks are scanned concurrently.",
        (MANAGEMENT, "根对象是什么"),
        ("goroutines", "collections", "stacks, KiB", "marking, us", "longest pause, us", "assists, us"),
        measure_stacks,
        judge_stacks,
        "twice the pause for a hundred times the goroutines, where the real runtime was seen to take 3 to 25 us for a thousand to a hundred thousand; "
        "three times the stacks, since main's own counts too",
        workloads=("goroutine-stacks",),
        figure=Figure("goroutines", ("marking, us", "longest pause, us"), "microseconds"),
    ),
]

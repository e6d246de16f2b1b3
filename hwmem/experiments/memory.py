"""Virtual memory, paging and swap against what came before them: the claims on segments, overlays, faults and TLBs."""

from hwmem.experiments.experiment import Experiment, Figure, near, verdict
from hwmem.params import HUGE_PAGE, PAGE
from hwmem.programs.memory.oversubscription import AT_RANDOM, IN_ORDER, RATIOS
from hwmem.report.table import text
from hwmem.units import format_size

VIRTUAL = "go内存管理"
LINUX = "Linux系统内存"
KEPT = 0.1  # of RAM that the kernel may keep for itself


def measure_faults(lab):
    result = lab.run("page-faults", pages=512)
    v = result.values
    return [
        [kind, minor, major, cycles / result.parameters["pages"], cycles / (minor + major) if minor + major else None]
        for kind, minor, major, cycles in zip(v["kinds"], v["minor"], v["major"], v["cycles"])
    ]


def judge_faults(table):
    kinds = {row["first access"]: row for row in table.named()}
    zeroed, again, huge, copy, disk = (
        kinds[name]
        for name in (
            "write: a zeroed page",
            "write again: no fault",
            "write: a 2 MiB page",
            "write after fork: a copy",
            "file: from the disk",
        )
    )
    pages = zeroed["minor"]
    return verdict(
        (pages > 0 == again["minor"] + again["major"], f"{pages} first writes take {pages} faults, the next ones {again['minor']}"),
        (huge["minor"] == pages * PAGE // HUGE_PAGE, f"with 2 MiB pages they take {huge['minor']}"),
        (
            copy["cycles a fault"] > zeroed["cycles a fault"],
            f"a copy costs as much as {copy['cycles a fault'] / zeroed['cycles a fault']:.1f} zeroed pages",
        ),
        (
            disk["major"] == pages and disk["cycles a fault"] >= 20 * zeroed["cycles a fault"],
            f"a page from the disk as much as {disk['cycles a fault'] / zeroed['cycles a fault']:.0f}",
        ),
    )


def measure_swap(lab):
    result = lab.run("oversubscription", passes=4)
    v = result.values
    rows = []
    for k, ratio in enumerate(RATIOS):
        n = v["accesses"][k]
        right = all(total == n for total in v["sums"][k])
        order, chance = ([v[what][k][way] / n for what in ("cycles", "read")] for way in (IN_ORDER, AT_RANDOM))
        rows.append([f"{ratio:g}", right, *order, *chance, max(0.0, 1 - 1 / ratio)])
    return rows


def judge_swap(table):
    rows = table.named()
    fits = [row for row in rows if float(row["working set / RAM"]) <= 0.75]
    over = [row for row in rows if float(row["working set / RAM"]) >= 1.25]
    slower = over[0]["in order: cycles"] / fits[0]["in order: cycles"]
    off = max(abs(row["at random: read"] - row["does not fit"]) for row in over)
    return verdict(
        (all(row["right"] for row in rows), f"with {sum(row['right'] for row in rows)} of {len(rows)} working sets the sums are right"),
        (
            not any(row["in order: read"] + row["at random: read"] for row in fits),
            f"working sets that fit read {sum(row['in order: read'] + row['at random: read'] for row in fits):.2f} pages an access",
        ),
        (
            all(near(row["in order: read"], 1, KEPT) for row in over),
            f"a working set beyond RAM {over[0]['in order: read']:.2f} when accessed in order",
        ),
        (off <= KEPT, f"at random the part that does not fit, within {off:.2f}"),
        (slower >= 300, f"an access in order takes {slower:.0f} times as long beyond RAM"),
    )


def measure_segments(lab):
    result = lab.run("segments-pages", memory="1MiB", requests=1000, load=85)
    v = result.values
    names = v["grid"]["rows"]
    return [
        [name, *(v[what][k] for what in ("refused", "compactions")), v["moved"][k] >> 10, v["external"][k], v["internal"][k]]
        for k, name in enumerate(names)
    ]


def judge_segments(table):
    *segments, pages = table.named()
    least = min(row["external"] for row in segments)
    return verdict(
        (
            least >= 0.25 > pages["external"] == 0,
            f"with segments at least {least:.0%} of free memory lies in useless holes, with pages {pages['external']:.0%}",
        ),
        (
            min(row["compactions"] for row in segments) > 0 == pages["compactions"],
            f"segments are compacted at least {min(row['compactions'] for row in segments)} times, pages {pages['compactions']} times",
        ),
        (pages["internal"] <= 0.25, f"the unused ends of last pages are {pages['internal']:.1%} of the pages' memory"),
    )


def measure_overlay(lab):
    result = lab.run("overlay", calls=100)
    v = result.values
    return [
        [way, v["loads"][k], v["bytes"][k] >> 10, v["major"][k], v["cycles"][k] / result.parameters["calls"], v["sums"][k]]
        for k, way in enumerate(v["grid"]["rows"])
    ]


def judge_overlay(table):
    by_hand, on_demand, _ = table.named()
    return verdict(
        (
            len(set(table.column("sum"))) == 1,
            "all ways compute the same" if len(set(table.column("sum"))) == 1 else "the ways compute unlike sums",
        ),
        (
            by_hand["from disk, KiB"] >= 1.5 * on_demand["from disk, KiB"],
            f"overlays read {by_hand['from disk, KiB'] / max(on_demand['from disk, KiB'], 1):.1f} times as much as demand paging",
        ),
        (
            by_hand["cycles a call"] > on_demand["cycles a call"],
            f"a call takes {by_hand['cycles a call'] / on_demand['cycles a call']:.1f} times as long with them",
        ),
    )


def measure_reach(lab):
    result = lab.run("tlb-reach", largest="32MiB", loads=5_000)
    entries, v = result.config.stlb.entries if result.config.stlb else result.config.dtlb.entries, result.values
    rows = []
    for size, walks, cycles in zip(v["sizes"], v["walks"], v["cycles"]):
        pages = size // PAGE
        loads = result.parameters["loads"]
        small, large = ((walks[k] / loads, cycles[k] / loads) for k in range(2))
        rows.append([format_size(int(size)), *small, max(0.0, 1 - entries / pages), *large])
    return rows


def judge_reach(table):
    rows = table.named()
    off = max(abs(row["4 KiB: walks"] - row["beyond reach"]) for row in rows)
    most = max(row["2 MiB: walks"] for row in rows)
    last = rows[-1]
    return verdict(
        (
            off <= 0.05 and last["4 KiB: walks"] > 0,
            f"the share of loads that walk is that of the pages beyond the TLBs' reach, within {off:.3f}",
        ),
        (most == 0, f"with 2 MiB pages {most:.1%} walk"),
        (
            last["4 KiB: cycles"] > last["2 MiB: cycles"],
            f"at {last['size']} a load takes {text(last['4 KiB: cycles'])} cycles, {text(last['2 MiB: cycles'])} with 2 MiB pages",
        ),
    )


def measure_forks(lab):
    result = lab.run("fork-storm", largest="4MiB", forks=2)
    v, forks = result.values, result.parameters["forks"]
    rows = []
    for k, size in enumerate(v["sizes"]):
        child = v["grid"]["cells"][k][0]
        copies = v["copies"][k] // forks
        rows.append([format_size(int(size)), child, size // PAGE, copies, v["fork_cycles"][k] / forks, v["copy_cycles"][k] / forks])
    return rows


def judge_forks(table):
    ends = [row for row in table.named() if row["child"] == "ends at once"]
    writes = [row for row in table.named() if row["child"] != "ends at once"]
    last = writes[-1]
    return verdict(
        (not any(row["copied"] for row in ends), f"a child that ends at once copies {sum(row['copied'] for row in ends)} pages"),
        (all(row["copied"] == row["pages"] for row in writes), f"one that writes to {last['pages']:,} pages copies {last['copied']:,}"),
        (
            last["copying, cycles"] >= 20 * last["fork, cycles"],
            f"copying takes {last['copying, cycles'] / max(last['fork, cycles'], 1):.0f} times as long as the fork",
        ),
    )


EXPERIMENTS = [
    Experiment(
        "page-faults",
        "Requested memory is not there until it is touched: the first touch of a page is a fault, whose cost depends on its kind.",
        (VIRTUAL, "虚拟内存和物理内存"),
        ("first access", "minor", "major", "cycles a page", "cycles a fault"),
        measure_faults,
        judge_faults,
        "counts are exact; a page from the disk costs at least twenty zeroed ones, far below the ratio of any disk's latency to a microsecond",
        workloads=("page-faults",),
        figure=Figure("first access", ("cycles a page",), "cycles a page", log=True),
    ),
    Experiment(
        "fork-storm",
        "fork copies no memory: parent and child share pages until one of them writes, and each page written to is copied then.",
        (VIRTUAL, "虚拟内存和物理内存"),
        ("parent", "child", "pages", "copied", "fork, cycles", "copying, cycles"),
        measure_forks,
        judge_forks,
        "counts are exact; copying takes at least twenty times as long as the fork, since a page is 64 lines and its page-table entry 8 bytes",
        workloads=("fork-storm",),
        figure=Figure("parent", ("fork, cycles", "copying, cycles"), "cycles", log=True),
    ),
    Experiment(
        "tlb-reach",
        "Translation costs nothing within the TLBs' reach; beyond it loads walk page tables, and huge pages push that limit far out.",
        (VIRTUAL, "虚拟内存和物理内存: 段页表"),
        ("size", "4 KiB: walks", "4 KiB: cycles", "beyond reach", "2 MiB: walks", "2 MiB: cycles"),
        measure_reach,
        judge_reach,
        "5 % of the loads: which pages a set of a TLB holds is chance, and the first level has entries of its own",
        "5 % of the loads",
        workloads=("tlb-reach",),
        figure=Figure("size", ("4 KiB: cycles", "2 MiB: cycles"), "cycles a load"),
    ),
    Experiment(
        "oversubscription",
        "With swap a program may be larger than memory and still run correctly, at the price of a disk access for what does not fit.",
        (VIRTUAL, "虚拟内存和物理内存: swap"),
        (
            "working set / RAM",
            "right",
            "in order: cycles",
            "in order: read",
            "at random: cycles",
            "at random: read",
            "does not fit",
        ),
        measure_swap,
        judge_swap,
        "a tenth of the accesses, since the kernel keeps a few percent of RAM; 300 times as long, where a disk's latency is a thousand times DRAM's",
        "10 % of the accesses",
        workloads=("oversubscription",),
        figure=Figure("working set / RAM", ("in order: cycles", "at random: cycles"), "cycles an access", log=True),
    ),
    Experiment(
        "segments-pages",
        "Pages have no external fragmentation, while segments lose much of the free memory to holes; the waste inside last pages is bounded.",
        (VIRTUAL, "分页管理"),
        ("memory in", "refused", "compactions", "moved, KiB", "external", "internal"),
        measure_segments,
        judge_segments,
        "at least a quarter of free memory lost: by Knuth's fifty-percent rule there are half as many holes as segments; at most a quarter inside "
        "pages, since half a page is a sixth of requests that average some 12 KiB",
        workloads=("segments-pages",),
        figure=Figure("memory in", ("external", "internal"), "part of free, of taken memory"),
    ),
    Experiment(
        "overlay",
        "Virtual memory replaces overlays: nobody cuts the program up by hand, and only what is touched is read.",
        (LINUX, "虚拟内存技术: overlay"),
        ("way", "modules loaded", "from disk, KiB", "major faults", "cycles a call", "sum"),
        measure_overlay,
        judge_overlay,
        "at least half as many bytes again: a module is read whole, and a call uses a part of it",
        workloads=("overlay",),
        figure=Figure("way", ("from disk, KiB",), "KiB from the disk"),
    ),
]

"""Counters as blocks: where accesses hit, why they missed, what translating addresses cost, which pages faulted."""

from hwmem.page.answer import CAUSES
from hwmem.page.blocks import bars, table
from hwmem.report.overview import accesses
from hwmem.report.sections import FAULT_EVENTS, MEMORY_EVENTS

LEVELS = (("l1d", "L1D"), ("l2", "L2"), ("llc", "LLC"))
WHO = ("program", "walker", "kernel")


def busy(result):
    """(number, counters) of the cores that did something."""
    return [(c, n) for c, n in enumerate(result.counters["cores"]) if accesses(n) or n["kernel_accesses"]]


def share(part, rest):
    return part / (part + rest) if part + rest else None


def served(result):
    """Where the program's accesses found their lines: a bar a core."""
    levels = [(level, name) for level, name in LEVELS if level != "l2" or result.config.l2]
    rows = []
    for c, n in busy(result):
        own = n.get("program", n)
        found = [own[f"{level}.hits"] for level, _ in levels]
        rows.append((f"core {c}", [*found[1:], own["interventions_hit_modified"], own.get("dram.reads", 0)]))
    names = [name for _, name in levels[1:]]
    if "LLC" in names:  # a line that another core has modified comes through the LLC, which counts it as a hit
        k = names.index("LLC")
        for _, values in rows:
            values[k] = max(0, values[k] - values[-2])
    return bars(rows, [*names, "modified in another core", "DRAM"], "L1D misses by what served them", "misses")


def causes(result):
    """Why lines were missing; None of a run that did not classify."""
    rows = [(f"core {c}", [n.get(f"miss.{cause}", 0) for cause in CAUSES]) for c, n in busy(result)]
    return bars(rows, [cause.replace("_", " ") for cause in CAUSES], "Misses by cause", "misses")


def caches(result):
    remote = result.config.sockets > 1
    columns = ["core", ("accesses", "int"), ("L1D hits", "pct"), ("L2 hits", "pct"), ("LLC hits", "pct"), ("HITM", "int")]
    columns += [("remote HITM", "int")] * remote + [("invalidated", "int"), ("upgrades", "int"), ("DRAM reads", "int"), ("cycles", "int")]
    rows = []
    for c, n in busy(result):
        own = n.get("program", n)
        hits = [share(own[f"{level}.hits"], own[f"{level}.misses"]) for level, _ in LEVELS]
        hitm = [own["interventions_hit_modified"]] + [own["interventions_remote"]] * remote
        rest = [n["invalidations_received"], own["upgrades"], own.get("dram.reads"), n["cycles"] - n["idle_cycles"]]
        rows.append([f"core {c}", accesses(n), *hits, *hitm, *rest])
    return table(columns, rows, "The program's own accesses, core by core")


def others(result):
    """What page walkers and the kernel did to the caches."""
    rows = []
    for who in WHO[1:]:
        parts = [n[who] for _, n in busy(result) if who in n]
        if any(part["l1d.hits"] + part["l1d.misses"] for part in parts):
            total = {name: sum(part[name] for part in parts) for name in parts[0]}
            rows.append(
                [
                    who,
                    total["l1d.hits"] + total["l1d.misses"],
                    share(total["l1d.hits"], total["l1d.misses"]),
                    total["interventions_hit_modified"],
                    total["dram.reads"],
                ]
            )
    return table(["by", ("lines asked for", "int"), ("L1D hits", "pct"), ("HITM", "int"), ("DRAM reads", "int")], rows, "Others' accesses")


def translation(result):
    """DTLB misses by what answered them, a bar a core."""
    if not result.config.mmu:
        return None
    rows = [(f"core {c}", [n["stlb.hits"], n["walks"]]) for c, n in busy(result)]
    return bars(rows, ["second-level TLB", "page walks"], "DTLB misses by what answered them", "look-ups")


def tlbs(result):
    if not result.config.mmu:
        return None
    columns = ["core", ("DTLB hits", "pct"), ("DTLB misses", "int"), ("STLB hits", "pct"), ("walks", "int"), ("accesses a walk", "num")]
    columns += [("shootdowns sent", "int"), ("received", "int")]
    rows = [
        [
            f"core {c}",
            share(n["dtlb.hits"], n["dtlb.misses"]),
            n["dtlb.misses"],
            share(n["stlb.hits"], n["stlb.misses"]),
            n["walks"],
            n["walk_accesses"] / n["walks"] if n["walks"] else None,
            n["shootdowns.sent"],
            n["shootdowns.received"],
        ]
        for c, n in busy(result)
        if n["dtlb.hits"] + n["dtlb.misses"]
    ]
    return table(columns, rows, "Translation, core by core")


def faults(result):
    rows = [(f"core {c}", [n["faults.minor"], n["faults.major"]]) for c, n in busy(result)]
    return bars(rows, ["minor", "major"], "Page faults", "faults")


def kernel_events(result):
    """Linux's own counters that are not 0."""
    linux = result.counters.get("linux", {})
    chosen = [name for name in linux if name.startswith(FAULT_EVENTS + MEMORY_EVENTS)]
    return table(["/proc/vmstat", ("count", "int")], [[name, linux[name]] for name in chosen if linux[name]], "Linux's counters")


def dram(result):
    counts = result.counters["dram"]
    every = counts["reads"] + counts["writes"]
    if not every:
        return None
    names = (("row_hits", "in the open row"), ("row_misses", "no row open"), ("row_conflicts", "another row open"))
    rows = [["reads", counts["reads"], counts["reads"] / every], ["writes", counts["writes"], counts["writes"] / every]]
    rows += [[says, counts[name], counts[name] / every] for name, says in names]
    return table(["DRAM", ("lines", "int"), ("share", "bar")], rows, "DRAM", sort=False)

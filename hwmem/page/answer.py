"""What a run says, first: a sentence, and a few figures, each with a sentence of its own.

    false sharing costs 2.1 times: counters[0..3] lie on one line; pad each to 64 bytes

The sentence is about what stands out: a program that failed to end, sharing, thrashing, and else how long it took.
"""

from hwmem.observe import c2c
from hwmem.page.blocks import tile
from hwmem.params import LINE, PAGE
from hwmem.report.lines import variables
from hwmem.report.overview import accesses, duration
from hwmem.report.program import short
from hwmem.report.table import text
from hwmem.trace.program import false_hitms

FEW = 1000  # accesses for one HITM: from here on sharing is no answer
CAUSES = ("cold", "capacity", "true_sharing", "false_sharing")
ADVICE = {
    "cold": "first touches: fewer bytes, or larger lines",
    "capacity": "the data does not fit: smaller working sets, blocked loops",
    "true_sharing": "threads exchange data: write less often, or in batches",
    "false_sharing": "nothing is exchanged: move the data apart",
}


def headline(result):
    if result.stopped:
        return f"Stopped: {result.stopped}."
    every = hitms(result)[0]
    slower = factor(result)
    if every and (FEW * every > sum(map(accesses, result.counters["cores"])) or slower and slower[0] >= 1.05):
        return sharing(result)
    lines = f"{every:,} HITMs are too few to matter" if every else "no line was contended"
    return f"{text(result.cycles)} cycles, {duration(result.seconds)}; {lines}."


def hitms(result):
    """(all, those of false sharing) of the lines that were contended."""
    if result.program is not None:
        found = result.program.lines
        return sum(line.hitm for line in found), sum(map(false_hitms, found))
    rows = result.c2c()
    return sum(row["hitm"] for row in rows), sum(map(c2c.false_hitms, rows))


def worst(result, false):
    """(the variables, the line's address) of the worst line, of false sharing or of the other kind."""
    if result.program is not None:
        line = max(result.program.lines, key=false_hitms if false else lambda one: one.hitm - false_hitms(one))
        return short(line) if line.symbol else "", line.address
    row = max(result.c2c(), key=c2c.false_hitms if false else lambda row: row["hitm"] - c2c.false_hitms(row))
    return variables(row), row["address"]


def factor(result):
    """(how many times slower than its variant, the variant in words), or None where none is told."""
    grid = result.comparison
    if not grid or len(grid["columns"]) != 2:
        return None
    here, other = grid["cells"][-1]
    return (here / other, f"{grid['column']}={text(grid['columns'][1])}") if here and other else None


def sharing(result):
    every, false = hitms(result)
    if not every:
        return None
    slower = factor(result)
    cost = f" costs {slower[0]:.1f}x" if slower and slower[0] >= 1.05 else ""
    name, address = worst(result, 2 * false >= every)
    if 2 * false >= every:
        return f"False sharing{cost}: {name or 'data'} lie on one line; pad each thread's part to {LINE} bytes."
    return f"True sharing{cost}: threads write and read the same bytes of {name or hex(address)}."


def tiles(result):
    cores = result.counters["cores"]
    made = sum(map(accesses, cores))
    return [
        time_tile(result),
        cost_tile(result),
        sharing_tile(result),
        miss_tile(cores, made),
        cause_tile(cores),
        fault_tile(cores),
        memory_tile(result),
        race_tile(result),
    ]


def time_tile(result):
    says = f"{result.cycles:,} cycles at {result.config.frequency_ghz:g} GHz"
    return tile("time", duration(result.seconds) if result.seconds else "0", says, "bad" if result.stopped else "")


def cost_tile(result):
    slower = factor(result)
    if slower and not 0.95 < slower[0] < 1.05:
        times = slower[0] if slower[0] >= 1 else 1 / slower[0]
        word = "slower" if slower[0] > 1 else "faster"
        return tile("compared", f"{times:.1f}x {word}", f"than with {slower[1]}", "bad" if slower[0] > 1 else "good")
    if result.cost is not None:
        return tile(f"cycles per {result.operation}", text(result.cost), "of the thread that makes it, on average")
    return None


def sharing_tile(result):
    every, false = hitms(result)
    if not every:
        return None
    share = 100 * false / every
    return tile("modified in another core", f"{every:,} HITMs", f"{share:.0f}% of them false sharing", "bad" if share >= 50 else "")


def miss_tile(cores, made):
    own = [core.get("program", core) for core in cores]
    hits, misses = (sum(core[f"l1d.{what}"] for core in own) for what in ("hits", "misses"))
    dram = sum(core.get("dram.reads", 0) for core in own)
    if not hits + misses:
        return None
    return tile("L1D misses", f"{100 * misses / (hits + misses):.1f}%", f"{misses:,} of {made:,} accesses' lines; {dram:,} from DRAM")


def cause_tile(cores):
    causes = {name: sum(core.get(f"miss.{name}", 0) for core in cores) for name in CAUSES}
    every = sum(causes.values())
    if not every:
        return None
    worst = max(causes, key=causes.__getitem__)
    return tile("most misses are", worst.replace("_", " "), f"{100 * causes[worst] / every:.0f}%; {ADVICE[worst]}")


def fault_tile(cores):
    minor, major = (sum(core[f"faults.{kind}"] for core in cores) for kind in ("minor", "major"))
    if not minor + major:
        return None
    return tile("page faults", f"{minor + major:,}", f"{major:,} of them waited for the disk", "bad" if major > minor else "")


def memory_tile(result):
    if result.series is None or not len(result.series):
        return None
    resident = sum(result.series[name] for name in ("anon", "file", "shared"))
    end, most = int(resident[-1]) * PAGE, int(resident.max()) * PAGE
    swapped = int(result.series["swapped"].max()) * PAGE
    return tile("resident at most", size(most), f"{size(end)} at the end" + (f"; {size(swapped)} swapped out" if swapped else ""))


def race_tile(result):
    if result.races is None:
        return None
    return tile("data races", str(len(result.races)), "accesses that nothing orders", "bad" if result.races else "good")


def size(n):
    """Bytes to read: 5.2 MiB."""
    for unit, name in ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if n >= unit:
            return f"{n / unit:.1f} {name}".replace(".0 ", " ")
    return f"{n} B"

"""What a run prints: which program on which machine, what it is compared with, what each core did, which lines met."""

from hwmem.report.lines import lines_overview, races_text
from hwmem.report.program import program_overview
from hwmem.report.where import where
from hwmem.report.table import fold, grid_table, percent, table, text
from hwmem.units import format_size

MOST_CORES = 16  # shown one by one; another row adds up all
OTHERS = (("walker", "walker", "walk_accesses"), ("kernel", "kernel", "kernel_accesses"))  # counters, row, what counts accesses


def overview(result):
    parts = [header(result), outcome(result)]
    if "grid" in result.values:
        parts.append(grid_table(result.values["grid"]))
    if result.comparison and result.program is None:
        parts.append(grid_table(result.comparison, factor=True))
    parts += [
        cores(result),
        lines_overview(result) if result.program is None else program_overview(result),
        None if result.races is None else races_text(result),
        where(result) if result.where else None,
    ]
    return "\n\n".join(filter(None, parts))


def header(result):
    """Two lines: the program with its parameters, the machine with its seed."""
    parameters = " ".join(f"{name}={plainly(value)}" for name, value in result.parameters.items())
    c = result.config
    levels = ", ".join(f"{name} {format_size(level.size)}" for name, level in (("L1D", c.l1d), ("L2", c.l2), ("LLC", c.llc)) if level)
    sockets = f" in {c.sockets} sockets" if c.sockets > 1 else ""
    machine = (
        f"{c.name}: {c.cores} cores{sockets}, {c.frequency_ghz:g} GHz, {c.protocol.upper()}, {c.ordering.upper()}; {levels}; "
        f"seed {result.seed}, hwmem {result.version}"
    )
    return f"{fold(f'{result.workload}  {parameters}'.rstrip())}\n{fold(machine)}"


def plainly(value):
    return str(value).lower() if isinstance(value, bool) else value


def outcome(result):
    """One line of time, one of the single numbers that the program computed."""
    time = f"{result.cycles:,} cycles = {duration(result.seconds)}"
    if result.cost is not None:
        time += f"; {text(result.cost)} per {result.operation}, each thread"
    numbers = [f"{name}={text(value)}" for name, value in result.values.items() if isinstance(value, (int, float)) and name != "operations"]
    if result.stopped:
        time += f"\n{fold('stopped: ' + result.stopped)}"
    return "\n".join([time, fold("computed: " + " ".join(numbers))] if numbers else [time])


def duration(seconds):
    for unit, name in ((1, "s"), (1e-3, "ms"), (1e-6, "us")):
        if seconds >= unit:
            return f"{seconds / unit:.3g} {name}"
    return f"{seconds * 1e9:.3g} ns"


def cores(result):
    """The table of cores_table, and how many cores it leaves out."""
    busy = sum(accesses(counts) > 0 for counts in result.counters["cores"])
    unseen = busy - MOST_CORES
    more = f"\nand {unseen} more core{'s' * (unseen > 1)}, all in the row of their sum (hwmem report R.hwm caches)" if unseen > 0 else ""
    return table(*cores_table(result)) + more


def cores_table(result):
    """Headers and rows, a row a core that ran: where the program's own accesses hit, what other cores did to it; then the page
    walkers' accesses and the kernel's, of all cores together."""
    counted = result.counters["cores"]
    busy = [c for c, counts in enumerate(counted) if accesses(counts)]
    remote = result.config.sockets > 1
    rows = [core_row(c, counted[c], remote) for c in busy[:MOST_CORES]]
    if len(busy) > 1:
        rows.append(core_row(f"all {len(busy)}", added([counted[c] for c in busy]), remote))
    rows += others_rows(added(counted), remote)
    return [
        "core",
        "accesses",
        "cycles",
        "L1D hit",
        "L2 hit",
        "LLC hit",
        "HITM",
        *["remote HITM"] * remote,
        "invalidated",
        "upgrades",
        "DRAM",
    ], rows


def accesses(counts):
    return counts["loads"] + counts["stores"] + counts["atomics"]


def added(counted):
    """The counters of several cores as those of one."""
    return {
        name: added([counts[name] for counts in counted]) if isinstance(value, dict) else sum(counts[name] for counts in counted)
        for name, value in counted[0].items()
    }


def core_row(name, c, remote):
    """The program's. A result may be older than the counters that tell it apart."""
    own = c.get("program", c)
    return row(name, accesses(c), c["cycles"] - c["idle_cycles"], own, remote, c["invalidations_received"])


def others_rows(c, remote):
    """Of the page walkers and the kernel, where they made accesses."""
    return [row(name, c[made], "-", c[who], remote, "-") for who, name, made in OTHERS if who in c and c[made]]


def row(name, made, cycles, own, remote, invalidated):
    def hit(level):
        return percent(own[f"{level}.hits"], own[f"{level}.hits"] + own[f"{level}.misses"])

    return [
        str(name),
        made,
        cycles,
        hit("l1d"),
        hit("l2"),
        hit("llc"),
        own["interventions_hit_modified"],
        *[own["interventions_remote"]] * remote,
        invalidated,
        own["upgrades"],
        own.get("dram.reads", "-"),
    ]

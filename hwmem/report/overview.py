"""What a run prints: which program on which machine, what it is compared with, what each core did, which lines met."""
from hwmem.report.lines import lines_overview, races_text
from hwmem.report.where import where
from hwmem.report.table import fold, grid_table, percent, table, text
from hwmem.units import format_size

MOST_CORES = 16                 # shown one by one; the last row adds up all


def overview(result):
    parts = [header(result), outcome(result)]
    if "grid" in result.values:
        parts.append(grid_table(result.values["grid"]))
    if result.comparison:
        parts.append(grid_table(result.comparison, factor=True))
    parts += [cores(result), lines_overview(result), None if result.races is None else races_text(result),
              where(result) if result.where else None]
    return "\n\n".join(filter(None, parts))


def header(result):
    """Two lines: the program with its parameters, the machine with its seed."""
    parameters = " ".join(f"{name}={plainly(value)}" for name, value in result.parameters.items())
    c = result.config
    levels = ", ".join(f"{name} {format_size(level.size)}" for name, level in (("L1D", c.l1d), ("L2", c.l2), ("LLC", c.llc)) if level)
    sockets = f" in {c.sockets} sockets" if c.sockets > 1 else ""
    machine = (f"{c.name}: {c.cores} cores{sockets}, {c.frequency_ghz:g} GHz, {c.protocol.upper()}, {c.ordering.upper()}; {levels}; "
               f"seed {result.seed}, hwmem {result.version}")
    return f"{fold(f'{result.workload}  {parameters}'.rstrip())}\n{fold(machine)}"


def plainly(value):
    return str(value).lower() if isinstance(value, bool) else value


def outcome(result):
    """One line of time, one of the single numbers that the program computed."""
    time = f"{result.cycles:,} cycles = {duration(result.seconds)}"
    if result.cost is not None:
        time += f"; {text(result.cost)} per {result.operation}, each thread"
    numbers = [f"{name}={text(value)}" for name, value in result.values.items()
               if isinstance(value, (int, float)) and name != "operations"]
    if result.stopped:
        time += f"\n{fold('stopped: ' + result.stopped)}"
    return "\n".join([time, fold("computed: " + " ".join(numbers))] if numbers else [time])


def duration(seconds):
    for unit, name in ((1, "s"), (1e-3, "ms"), (1e-6, "us")):
        if seconds >= unit:
            return f"{seconds / unit:.3g} {name}"
    return f"{seconds * 1e9:.3g} ns"


def cores(result):
    """A row a core that ran: where its accesses hit, what other cores did to it."""
    counted = result.counters["cores"]
    busy = [c for c, counts in enumerate(counted) if accesses(counts)]
    rows = [core_row(c, counted[c]) for c in busy[:MOST_CORES]]
    if len(busy) > 1:
        total = {name: sum(counted[c][name] for c in busy) for name in counted[0]}
        rows.append(core_row(f"all {len(busy)}", total))
    unseen = len(busy) - MOST_CORES
    more = f"\nand {unseen} more core{'s' * (unseen > 1)}, all in the last row (hwmem report R.hwm caches)" if unseen > 0 else ""
    headers = ["core", "accesses", "cycles", "L1D hit", "L2 hit", "LLC hit", "HITM", "invalidated", "upgrades", "DRAM"]
    return table(headers, rows) + more


def accesses(counts):
    return counts["loads"] + counts["stores"] + counts["atomics"]


def core_row(name, c):
    def hit(level):
        return percent(c[f"{level}.hits"], c[f"{level}.hits"] + c[f"{level}.misses"])
    return [str(name), accesses(c), c["cycles"] - c["idle_cycles"], hit("l1d"), hit("l2"), hit("llc"),
            c["interventions_hit_modified"], c["invalidations_received"], c["upgrades"], c["llc.misses"]]

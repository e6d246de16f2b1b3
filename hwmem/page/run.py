"""The page of one run."""

import shlex
from dataclasses import replace

from hwmem.page import answer, coherence, counts, memory
from hwmem.page.blocks import listing, section, table, tiles
from hwmem.page.document import document
from hwmem.report import SECTIONS
from hwmem.report.overview import header, overview, plainly
from hwmem.report.table import no_screen
from hwmem.report.where import ADDRESSES, TITLES as WHERE
from hwmem.units import format_size

TITLES = {
    "c2c": "Contended lines as perf c2c shows them",
    "caches": "Caches",
    "tlb": "TLBs",
    "faults": "Page faults",
    "memory": "Memory",
    "ordering": "Ordering",
    "events": "Coherence requests",
    "races": "Data races",
    "where": "Where a trace misses",
}
MOST_TEXT = 60_000  # characters of a listing
MOST_EVENTS = 500  # of the listing of coherence requests


def page(result):
    """The HTML as text. For a Go program's own figures see goalloc's page."""
    return document(f"{result.workload} on {result.config.name}", sections(result), **head(result), headline=answer.headline(result))


def head(result):
    with no_screen():
        subtitle = header(result)
    return {"subtitle": subtitle, "command": command(result), "about": about(result)}


def command(result, program="hwmem"):
    """What runs it again, as far as a command line can say it."""
    if result.workload == "trace":  # a recording, or several
        words = [program, "trace", *str(result.parameters.get("file", "")).split()]
    else:
        words = [program, "run", result.workload]
        if result.parameters:
            words += ["--set", *(f"{name}={plainly(value)}" for name, value in result.parameters.items() if value is not None)]
        words += ["--seed", str(result.seed)]
    return shlex.join([*words, *machine(result)])


def machine(result):
    """The options of the machine: its name, where it ships; its settings are in the result in full."""
    from hwmem.config.machine import MachineConfig, presets

    name = result.config.name
    if name not in presets():
        return []
    base, options = MachineConfig.preset(name), [] if name == "generic" else ["--preset", name]
    changes = [f"{key}={value}" for key, value in changed(base.to_dict(), result.config.to_dict())]
    return options + (["--with", *changes] if changes else [])


def changed(base, own, prefix=""):
    """(setting, value as an option takes it) of what differs."""
    for key, value in own.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            yield from changed(base[key], value, f"{prefix}{key}.")
        elif base.get(key) != value and key not in ("name", "description"):
            yield prefix + key, "none" if value is None else plainly(value)


def about(result):
    c = result.config
    levels = [(name, format_size(level.size)) for name, level in (("L1D", c.l1d), ("L2", c.l2), ("LLC", c.llc)) if level]
    return [
        ("program", result.workload),
        *((name, plainly(value)) for name, value in result.parameters.items()),
        ("machine", c.name),
        ("cores", c.cores),
        ("protocol", c.protocol.upper()),
        ("ordering", c.ordering.upper()),
        *levels,
        ("memory", format_size(c.memory)),
        ("seed", result.seed),
        ("hwmem", result.version),
    ]


def sections(result):
    return [
        section("answer", "The answer", [tiles(answer.tiles(result)), comparison(result)]),
        section(
            "sharing",
            "Lines that cores fight for",
            [coherence.lines(result), coherence.recorded(result)],
            "A cell is a byte, in the colour of the thread that writes it, or reads it if nobody does.",
        ),
        section(
            "traffic",
            "Who asks whom",
            [coherence.matrix(result), coherence.histories(result)],
            "Coherence requests: a row asks, a column answers.",
        ),
        section("misses", "Caches", [counts.causes(result), counts.served(result), counts.caches(result), counts.others(result)]),
        section("time", "Over time", [memory.over_time(result)]),
        section("translation", "Addresses", [counts.translation(result), counts.tlbs(result)]),
        section("memory", "Pages", [counts.faults(result), memory.space(result), counts.kernel_events(result), counts.dram(result)]),
        section("where", "Where it misses", where(result)),
        section("threads", "Threads", coherence.threads(result)),
        section("races", "Data races", races(result)),
        section("text", "As the terminal shows it", texts(result)),
    ]


def comparison(result):
    """The grid of costs that the run was compared in."""
    grid = result.comparison
    if not grid:
        return None
    columns = [f"{grid['column']}={plainly(c)}" if grid["column"] else "cost" if c is None else str(c) for c in grid["columns"]]
    rows = [[*([row] if row is not None else []), *cells] for row, cells in zip(grid["rows"], grid["cells"])]
    first = [(grid["row"] or "", "int")] if grid["rows"] != [None] else []
    return table([*first, *((column, "num") for column in columns)], rows, grid["title"], sort=False)


def where(result):
    """The tables of a trace's misses."""
    kept = result.where or {}
    return [misses_by(kind, kept[kind]) for kind in WHERE if kind in kept]


def misses_by(kind, found):
    named, in_detail = kind == "source", "tlbs" in found
    columns = [(WHERE[kind], "address" if kind in ADDRESSES else "int" if kind in ("size", "thread") else "text"), *["function"] * named]
    columns += [("L1D misses", "int"), ("share", "bar"), ("HITM", "int"), ("faults", "int"), *[("DTLB misses", "int")] * in_detail]
    rows = [
        [
            row["at"],
            *[row.get("function") or "-"] * named,
            row["misses"],
            row["misses"] / found["misses"] if found["misses"] else None,
            row["hitms"],
            row["faults"],
            *[row.get("tlbs", 0)] * in_detail,
        ]
        for row in found["rows"]
    ]
    left = f"{len(rows):,} of {found['of']:,}." if found["of"] > len(rows) else ""
    return table(columns, rows, f"By {WHERE[kind]}", left)


def races(result):
    from hwmem.report.lines import races_text

    return [listing("What nothing orders", clipped(races_text(result)), opened=True)] if result.races else []


def texts(result):
    if result.events is not None:
        result = replace(result, events=result.events[:MOST_EVENTS])
    with no_screen():
        parts = [listing("Overview", clipped(overview(result)))]
        return parts + [listing(TITLES[name], clipped(write(result))) for name, write in SECTIONS.items()]


def clipped(text):
    return text if len(text) <= MOST_TEXT else f"{text[:MOST_TEXT].rpartition(chr(10))[0]}\n... and more (hwmem report)"

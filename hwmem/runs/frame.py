"""Results as plain rows, for pandas, CSV and whatever else takes tables.

    cores         a row a core that ran: its counters, and by who made them under "program.l1d.hits" and so on
    lines         a row a contended line (Result.c2c)
    offsets       a row an offset within a contended line and thread
    events        a row a coherence request, of runs that logged them
    series        a row a sample of the run over time: cycles, pages, counts, the program's own words
    space         a row a VMA of the address space as the program left it, pages by kind
    gc            a row a collection of a program whose memory is collected
    comparison    a row a cell: the cost of the run and of its variants
    run           one row: what was run, what it took, what the program computed, all cores' counters added up

Rows are dicts of numbers, strings and None, so that any library can take them; pandas is an extra (`pip install 'hwmem[pandas]'`).
"""

import csv
import io
from itertools import product

from hwmem.trace.program import false_hitms, kind
from hwmem.whole_file import write_whole

TABLES = ("cores", "lines", "offsets", "events", "series", "space", "gc", "comparison", "run")


def rows(result, table="cores"):
    """The rows of a table of TABLES. Raises ValueError for another name."""
    if table not in TABLES:
        raise ValueError(f"table: {table!r:.40} is none of {', '.join(TABLES)}")
    return globals()[f"{table}_rows"](result)


def cores_rows(result):
    counted = result.counters["cores"]
    ran = [c for c in range(len(counted)) if any(counted[c][kind] for kind in ("loads", "stores", "atomics"))]
    return [{"core": c, **flat(counted[c])} for c in ran]


def lines_rows(result):
    if result.program is not None:
        return [program_line(line) for line in result.program.lines]
    return [
        {
            name: value if not isinstance(value, list) else " ".join(map(str, value))
            for name, value in row.items()
            if name not in ("offsets", "bytes")
        }
        for row in result.c2c()
    ]


def program_line(line):
    """A line of a recorded program, under the names that those of a run have."""
    return {
        "address": line.address,
        "symbol": line.symbol or "",
        "sharing": kind(line) if line.hitm else line.sharing,
        "threads": " ".join(map(str, line.threads)),
        "hitm": line.hitm,
        "hitm_false": false_hitms(line),
        "source": " ".join(line.source),
    }


def offsets_rows(result):
    return [
        {
            "address": row["address"],
            **{name: value if not isinstance(value, list) else " ".join(map(str, value)) for name, value in offset.items()},
        }
        for row in result.c2c()
        for offset in row["offsets"]
    ]


def events_rows(result):
    if result.events is None:
        return []
    names = [name for name in result.events.dtype.names if result.events.dtype[name].shape == ()]  # not what fills up the record
    return [dict(zip(names, event)) for event in zip(*(result.events[name].tolist() for name in names))]


def series_rows(result):
    return [] if result.series is None else [dict(zip(result.series.dtype.names, row)) for row in result.series.tolist()]


def space_rows(result):
    plain = ("start", "end", "perms", "offset", "device", "inode", "name")
    return [{**{name: vma[name] for name in plain}, **flat({"pages": vma["pages"]})} for vma in result.space or ()]


def gc_rows(result):
    lists = {"pauses_ns": ("pause1_ns", "pause2_ns"), "at_ns": ("began_ns", "marking_ns", "terminating_ns", "ended_ns")}
    kept = [{name: value for name, value in cycle.items() if name not in lists} for cycle in result.gc]
    return [row | {n: v for key, names in lists.items() for n, v in zip(names, cycle.get(key, ()))} for row, cycle in zip(kept, result.gc)]


def comparison_rows(result):
    grid = result.comparison
    if not grid:
        return []
    cells = product(enumerate(grid["rows"]), enumerate(grid["columns"]))
    return [{grid["row"] or "row": row, grid["column"] or "column": column, "cost": grid["cells"][i][j]} for (i, row), (j, column) in cells]


def run_rows(result):
    own = {name: value for name, value in result.values.items() if isinstance(value, (bool, int, float, str))}
    totals = {}
    for core in cores_rows(result):
        for name, count in core.items():
            if name not in ("core", "cycles"):  # a run's cycles are those of its last core
                totals[name] = totals.get(name, 0) + count
    return [
        {
            "workload": result.workload,
            "machine": result.config.name,
            "seed": result.seed,
            **result.parameters,
            "cycles": result.cycles,
            "seconds": result.seconds,
            "cost": result.cost,
            **{f"computed.{name}": value for name, value in own.items()},
            **totals,
        }
    ]


def flat(counts, prefix=""):
    """A nested dict of numbers with dotted names."""
    found = {}
    for name, value in counts.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return found


def to_pandas(table):
    """A DataFrame of rows. Raises ImportError where pandas is missing."""
    try:
        import pandas
    except ImportError:
        raise ImportError("tables for pandas need it: pip install 'hwmem[pandas]'") from None
    return pandas.DataFrame(table)


def write_csv(table, path):
    """A CSV file of rows, with a line of names first. Raises OSError."""
    text = io.StringIO(newline="")
    write_csv_rows(table, text)
    write_whole(path, text.getvalue().encode(errors="backslashreplace"))


def write_csv_rows(table, file):
    """The same into an open file."""
    names = list(dict.fromkeys(name for row in table for name in row))
    writer = csv.DictWriter(file, names)
    writer.writeheader()
    writer.writerows(table)

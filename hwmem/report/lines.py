"""Contended lines: which threads touch which bytes, and what it costs.

    counters  0x7ffff7fee000    133,286 HITM   false sharing
      0000000011111111222222223333333333333333................................

One character a byte: the thread that wrote it (0-9, a-z, A-Z, then +), or read it if nobody did; # several threads; . nobody.
"""

import re
import string

from hwmem.observe import c2c, events, race_report
from hwmem.params import MAX_THREADS
from hwmem.report.program import program_lines
from hwmem.report.table import screen, table, text

LETTERS = string.digits + string.ascii_lowercase + string.ascii_uppercase + "+" * (MAX_THREADS - 62)
MOST_LINES = 5
LINE_HEADERS = ["contended line", "variable", "sharing", "HITM", "share", "false", "loads", "stores", "atomics", "threads"]
ELEMENT = re.compile(r"(?P<array>.+)\[(?P<index>\d+)\]")


def lines_overview(result):
    """The worst lines as rows and as maps, with a sentence on what they mean; None if nothing was contended."""
    rows = result.c2c()
    if not rows:
        return None
    shown = rows[:MOST_LINES]
    parts = [table(LINE_HEADERS, [line_row(row) for row in shown])]
    if len(rows) > len(shown):
        parts.append(f"and {len(rows) - len(shown)} more (hwmem report R.hwm c2c)")
    names = [f"{row['address']:#x}" for row in shown]
    longest = max(map(len, names))
    parts.append(
        "\n".join(
            [
                "bytes of each, by the thread that writes them (# several, . nobody)",
                *(f"{name.ljust(longest)}  {byte_map(row)}" for name, row in zip(names, shown)),
            ]
        )
    )
    return "\n\n".join([*parts, *filter(None, [verdict(result)])])


def line_row(row):
    return [
        f"{row['address']:#x}",
        variables(row),
        c2c.kind(row),
        row["hitm"],
        f"{row['hitm_percent']:.1f}%",
        c2c.false_hitms(row),
        row["loads"],
        row["stores"],
        row["atomics"],
        len(row["threads"]),
    ]


def variables(row):
    """The first and the last variable that were touched on the line; of elements of one array, counters[0..3]."""
    names = list(dict.fromkeys(offset["symbol"] for offset in sorted(row["offsets"], key=lambda o: o["offset"]) if offset["symbol"]))
    if len(names) < 2:
        return "".join(names)
    first, last = ELEMENT.fullmatch(names[0]), ELEMENT.fullmatch(names[-1])
    if first and last and first["array"] == last["array"]:
        return f"{first['array']}[{first['index']}..{last['index']}]"
    return f"{names[0]} .. {names[-1]}"


def byte_map(row):
    """64 characters; see the file header."""
    return "".join("." if t is None else "#" if t < 0 else LETTERS[t] for t in row["bytes"])


def verdict(result):
    """Whether moving data apart would help, and what the comparison says of it."""
    rows = result.c2c()
    hitm, false = sum(row["hitm"] for row in rows), sum(map(c2c.false_hitms, rows))
    if not hitm:
        return None
    if not false:
        said = ["True sharing: threads touch the same bytes."]
    elif 200 * false < hitm:
        said = [f"True sharing, but for {false:,} of {hitm:,} HITMs: threads touch the same bytes."]
    else:
        said = [f"{100 * false / hitm:.0f}% of the HITMs are false sharing: threads touch different bytes of a line."]
    grid = result.comparison
    if grid and len(grid["columns"]) == 2:
        here, other = grid["cells"][-1]
        factor = max(here, other) / min(here, other)
        times = (
            f"takes as long, within {100 * (factor - 1):.0f}%"
            if factor < 1.05
            else f"runs {factor:.1f} times as {'fast' if here > other else 'slow'}"
        )
        said.append(f"With {grid['column']}={text(grid['columns'][1])} the program {times}.")
    return "\n".join(said)


def lines_table(result):
    """The two tables of `perf c2c`, by line and by offset; of a recorded program by line and by code."""
    if result.program is not None:
        return program_lines(result)
    return c2c.text(result.c2c(), width=screen()).rstrip("\n")


def events_table(result):
    """The first coherence requests, if the run logged any."""
    return "No events were logged (hwmem run --events N)." if result.events is None else events.text(result.events).rstrip("\n")


def races_text(result):
    """The data races, if the run looked for any."""
    if result.races is None:
        return "Data races were not looked for (hwmem run --races)."
    return race_report.text(result.races, result.symbol) or "No data races."

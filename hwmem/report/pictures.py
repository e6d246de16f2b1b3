"""What can be drawn of a result, each a list of painters (plot.py) that look.py makes a figure of.

    comparison     the costs that the run was compared in; how many times slower it is than its variant
    figures        the program's own table: the memory mountain, oversubscription, TLB reach
    memory         over time: what is resident, mapped, swapped; of Go the heap's goal, what lives, what went back
    pauses         how long a collection stopped the world
    mmu            the least part of any window of time that the program had (report/mutator.py)

A result has those for which it has the figures.
"""

import re
from functools import partial

from hwmem.params import PAGE
from hwmem.report import mutator, plot
from hwmem.report.look import figure

NAMES = ("comparison", "figures", "memory", "pauses", "mmu")
SIZE = re.compile(r"([\d,.]+)(%|B|[KMG](?:iB)?)")
SCALE = {"B": 1 / 1024, "K": 1, "M": 1 << 10, "G": 1 << 20}
ANY, PARTS, KIB = "any", "parts of one", "KiB"  # units of a table's cells; "": a number
ORDER = (KIB, "", PARTS)  # of panels
NONE = 1 << 62  # a heap's goal from here on is none
VAST = 4  # address space that is so many times what is resident is no line beside it
HEAP = (("heap_live", "heap live"), ("heap_goal", "heap goal"), ("heap_released", "heap returned"))
WINDOWS = [10 ** (-6 + k / 12) for k in range(73)]  # seconds, 1 us to 1 s


def draw(result, path=None, what=None):
    """The picture `what` of NAMES, None: all that there are, one below the other; into `path` if given. The first one's Axes. Raises ValueError
    for one that there is not, ImportError."""
    if what is not None and what not in NAMES:
        raise ValueError(f"picture: {what!r:.40} is none of {', '.join(NAMES)}")
    found = {name: globals()[name](result) for name in (NAMES if what is None else (what,))}
    painters = [paint for several in found.values() for paint in several]
    if not painters:
        raise ValueError(f"{result.workload}: nothing to draw{f' of {what}' if what else ''}; run it with compare=True")
    return figure(painters, path, f"{result.workload} on {result.config.name}, seed {result.seed}")


def comparison(result):
    grid = result.comparison
    if not grid or not grid["cells"]:
        return []
    name, columns = grid["column"], grid["columns"]
    labels = [f"{name}={column}" if name else str(column) for column in columns]
    if len(grid["rows"]) == 1:  # nothing that grows: a bar a variant
        return [
            partial(plot.bars, series={"": list(zip(labels, grid["cells"][0]))}, across=name or "", along="cycles", title=grid["title"])
        ]
    series = {label: [(row, cells[k]) for row, cells in zip(grid["rows"], grid["cells"])] for k, label in enumerate(labels)}
    painters = [partial(plot.lines, series=series, across=grid["row"] or "", along="cycles", title=grid["title"])]
    if len(columns) == 2:
        times = [(row, here / other) for row, (here, other) in zip(grid["rows"], grid["cells"]) if here and other]
        says = f"slowdown: {labels[0]} takes so many times as long as {labels[1]}"
        painters.append(partial(plot.lines, series={"slowdown": times}, across=grid["row"] or "", along="times", title=says))
    return painters


def figures(result):
    grid = result.values.get("grid")
    if not grid:
        return []
    cells = [[number(cell) for cell in row] for row in grid["cells"]]
    columns, across, title = list(map(str, grid["columns"])), grid["row"] or "", grid["title"]
    if grid["column"] is not None and len(columns) > 3 and all(unit == "" for row in cells for unit, _ in row):
        numbers = [[value for _, value in row] for row in cells]
        return [partial(plot.mountain, rows=grid["rows"], columns=columns, cells=numbers, across=grid["column"], along=across, title=title)]
    rows = named(grid["rows"], grid["cells"])
    by_unit: dict[str, dict] = {}  # {unit: {column: points}}
    for k, name in enumerate(told_apart(columns)):
        unit = unit_of([row[k] for row in cells])
        if unit is not None:
            by_unit.setdefault(unit, {})[name] = [(row, found[k][1]) for row, found in zip(rows, cells)]
    painters = []
    for unit, series in sorted(by_unit.items(), key=lambda one: ORDER.index(one[0])):
        most = [y for points in series.values() for _, y in points if y] or [1]
        log, shape = unit != PARTS and max(most) > 50 * min(most), plot.lines if len(rows) > 4 and are_amounts(rows) else plot.bars
        painters.append(partial(shape, series=series, across=across, along=unit, title="" if painters else title, log=log))
    return painters


def number(cell):
    """(unit, value) of a table's cell: a number, a size as KiB, a percentage as a part of one; (None, None) for words, (any, None) for
    nothing."""
    if cell is None:
        return ANY, None
    if isinstance(cell, (int, float)) and not isinstance(cell, bool):
        return "", cell
    match = SIZE.fullmatch(cell) if isinstance(cell, str) else None
    if match is None:
        return None, None
    value = float(match[1].replace(",", ""))
    return (PARTS, value / 100) if match[2] == "%" else (KIB, value * SCALE[match[2][0]])


def unit_of(column):
    """Of numbers of one unit, which it is; None of a column with words, or with nothing."""
    units = {unit for unit, _ in column} - {ANY}
    if units == {""} and max(value or 0 for _, value in column) <= 1:
        return PARTS
    return units.pop() if len(units) == 1 else None


def are_amounts(rows):
    """Whether rows are numbers or sizes, between which there is something, so that a line may join them."""
    return all(not isinstance(row, str) or SIZE.fullmatch(row) or row.replace(",", "").replace(".", "").isdigit() for row in rows)


def named(rows, cells):
    """Labels of rows; those that several rows have, with the words beside them."""
    if len(set(rows)) == len(rows):
        return rows
    return [
        ", ".join([str(row), *(cell for cell in own if cell and isinstance(cell, str) and number(cell)[0] is None)])
        for row, own in zip(rows, cells)
    ]


def told_apart(names):
    """Columns of one name are of the column before them that has a name of its own: "in order", "in order: read"."""
    found, head = [], ""
    for name in map(str, names):
        if names.count(name) == 1:
            head = name.partition(":")[0]
        found.append(name if names.count(name) == 1 else f"{head}: {name}")
    return found


def memory(result):
    s = result.series
    if s is None or len(s) < 2:
        return []
    seconds = (s["cycle"] / (result.config.frequency_ghz * 1e9)).tolist()
    resident = ((s["anon"] + s["file"] + s["shared"]) * PAGE).tolist()
    kept = {"resident": resident}
    own = {says: [v if 0 <= v < NONE else None for v in s[name].tolist()] for name, says in HEAP if name in s.dtype.names}
    for name, says in (("lazy", "LazyFree"), ("swapped", "in swap"), ("cached", "page cache"), ("vm", "VmSize")):
        if s[name].any() and (name != "vm" or int(s["vm"].max()) * PAGE <= VAST * max(resident)):
            kept[says] = (s[name] * PAGE).tolist()
    if all(len(set(values)) == 1 for values in (kept | own).values()):  # nothing happens
        return []
    spans = [(begin, end) for begin, end, _ in mutator.phases(result)]
    title = "memory over time" + ("; shaded: a collection" if spans else "")
    return [partial(plot.steps, seconds=seconds, series=kept | own, along="bytes", title=title, spans=spans)]


def pauses(result):
    found = [ns / 1e9 for cycle in result.gc for ns in cycle["pauses_ns"]]
    if not found:
        return []
    title = f"{len(found)} pauses, the world stopped; the longest {plot.duration(max(found))}"
    return [partial(plot.histogram, values=found, across="pause", along="pauses", title=title)]


def mmu(result):
    found = mutator.pieces(result)
    if not found or not result.gc:
        return []
    windows = [window for window in WINDOWS if window < found[-1][1] - found[0][0]]
    return [partial(paint_mmu, points=list(zip(windows, mutator.least(found, windows))))] if len(windows) > 1 else []


def paint_mmu(axes, points):
    plot.lines(axes, {"MMU": points}, "window", "the program's share of it", "minimum mutator utilisation: the worst window of each length")
    for line in axes.lines:
        line.set_marker("")
    axes.set_xscale("log")
    axes.set_ylim(0, 1.02)
    plot.tell(axes.xaxis, plot.duration)

"""The tables of `perf c2c`: which lines cores contend for, where in the line, which threads, what it cost.

    cells = snapshot(machine)         what contended.py counted, an array that can be kept or saved
    rows = table(cells, symbols)      one dict a contended line, most HITMs first
    print(text(rows))                 both tables: the lines, then each line's offsets

A line is listed once two cores have touched it and one of them wrote. It is *true* sharing if some byte that one
thread writes is touched by another, else *false*: then it could be split between its threads. Many a line has both: its
HITMs are split, `hitm_true` those of accesses to bytes that another thread writes, `hitm_false` those to bytes that no other thread writes.

Every access is counted, none sampled. perf's names are kept; what differs is this. HITM counts loads, atomics and
stores that found the line modified in another core; perf's samples are loads only (`load_hitm`). An atomic counts
among the loads, and `atomics` says how many there are. A load never hits a fill buffer, since loads do not overlap
here. There is no code address and no source line: a symbol is that of the data.
"""
from bisect import bisect_right
from collections import Counter
from heapq import nsmallest
from itertools import accumulate, groupby
from typing import NamedTuple

import numpy as np

from hwmem import params as P
from hwmem.observers.contended import HITM_HERE, HITM_REMOTE, OTHER_LOADS, READS, WRITES

SERVED_BY = {"l1": (P.FROM_L1,), "l2": (P.FROM_L2,), "llc": (P.FROM_LLC, P.FROM_CLEAN), "upgrade": (P.FROM_UPGRADE,),
             "lcl_hitm": (P.FROM_HITM,), "rmt_hitm": (P.FROM_REMOTE_HITM,), "rmt_llc": (P.FROM_REMOTE_LLC, P.FROM_REMOTE_CLEAN),
             "lcl_dram": (P.FROM_DRAM,), "rmt_dram": (P.FROM_REMOTE_DRAM,)}
COUNTS = ("records", "hitm", "lcl_hitm", "rmt_hitm", "load_hitm", "loads", "stores", "atomics", "store_l1_hit", "store_l1_miss", "lcl_dram",
          "rmt_dram", "llc_ld_miss", "load_l1_hit", "load_l2_hit", "load_llc_hit", "load_rmt_llc_hit", "upgrades", "atomic_upgrades")
HITMS, RECORDS = COUNTS.index("hitm"), COUNTS.index("records")
LINE_BYTES = ~(P.LINE - 1)


class Cell(NamedTuple):
    """What one thread did at one offset of a line: fields of layout.CELL as plain Python numbers, since there may be many."""

    line: int
    use: int
    offset: int
    thread: int
    va: int
    process: int
    cores: int
    read: int
    wrote: int
    atomics: int
    cycles: list


def snapshot(machine):
    """A copy of the cells counted so far (layout.CELL)."""
    return machine.state.cell[:int(machine.state.observe.cells)].copy()


def dropped(machine):
    """Accesses that found no room in the tables: 0, or the tables below are not complete."""
    return int(machine.state.observe.c2c_dropped)


def table(cells, symbols=()):
    """One dict a contended line, most HITMs first. `cells`: a snapshot, or a machine.

    `symbols`: (start, end, name) or (start, end, name, element size) of the program's variables, by virtual address.
    Keys: "address", "physical", "symbol", "sharing" ("false" or "true"), "threads", "cores", "records", "loads", "stores",
    "atomics", "hitm", "hitm_percent" and the rest of `counts`; "offsets": a list of dicts, one for each offset and
    thread, with the same counts and "offset", "thread", "process", "symbol", "sharing", "cores", "lcl_hitm_cycles",
    "rmt_hitm_cycles", "load_cycles" (means).
    """
    return [row for row, _ in rows_and_cells(cells if isinstance(cells, np.ndarray) else snapshot(cells), symbols)]


def rows_and_cells(cells, symbols, most=None):
    """The table's rows, each with the Cells of its line; the first `most` of them, None: all. (A row takes the host a fifth of a millisecond.)"""
    names, contended = Names(symbols), list(contended_lines(cells))
    total = sum(own[HITMS] for _, figures in contended for own in figures)
    found = [(line_row(line, figures, names), line) for line, figures in nsmallest(most or len(contended), contended, key=place_of)]
    for row, _ in found:
        row["hitm_percent"] = 100 * row["hitm"] / total if total else 0.0
    return found


def place_of(contended):
    """Where a contended line stands in the table: most HITMs first."""
    line, figures = contended
    hitm, records = (sum(own[column] for own in figures) for column in (HITMS, RECORDS))
    return -hitm, -records, line[0].va & LINE_BYTES, line[0].line


def contended_lines(cells):
    """Of each line that two cores touched and one wrote its Cells, in the order of offset and thread, and for each of them its `counts`."""
    cells = cells[np.lexsort([cells[field] for field in ("process", "va", "thread", "offset", "use", "line")])]
    starts = np.flatnonzero(np.append(True, (np.diff(cells["line"]) != 0) | (np.diff(cells["use"]) != 0))[:len(cells)])
    if not len(starts):
        return
    cores, wrote = (np.bitwise_or.reduceat(cells[field], starts) for field in ("cores", "wrote"))
    ends = np.append(starts[1:], len(cells))
    kept = (cores & cores - np.uint64(1) != 0) & (wrote != 0)
    cells = cells[np.repeat(kept, ends - starts)]
    whole, figures = list(map(Cell._make, zip(*(cells[field].tolist() for field in Cell._fields)))), counts(cells)
    at = 0
    for n in (ends - starts)[kept].tolist():
        yield whole[at:at + n], figures[at:at + n]
        at += n


def line_row(line, figures, names):
    """`figures`: `counts` of its Cells, of which its own are the sums."""
    communicated, wrote = communicated_bytes(line), bytes_written(line)
    offsets = [offset_row(cell, dict(zip(COUNTS, own)), communicated, names) | split_hitms(cell, own[HITMS], wrote)
               for cell, own in zip(line, figures)]
    address = line[0].va & LINE_BYTES
    return {"address": address, "physical": line[0].line << P.LINE_SHIFT,
            "symbol": names.of(address, address + P.LINE),
            "sharing": "true" if communicated else "false",
            "threads": sorted({o["thread"] for o in offsets}), "cores": sorted({c for o in offsets for c in o["cores"]}),
            **dict(zip(COUNTS, map(sum, zip(*figures)))),
            **{kind: sum(o[kind] for o in offsets) for kind in ("hitm_true", "hitm_false")}, "offsets": offsets}


def bytes_written(line):
    """{thread: mask of the bytes it writes}."""
    wrote = Counter()
    for cell in line:
        wrote[cell.thread] |= cell.wrote
    return wrote


def split_hitms(cell, hitm, wrote):
    """The cell's HITMs by whether another thread writes what it touches."""
    others = any(mask & (cell.read | cell.wrote) for thread, mask in wrote.items() if thread != cell.thread)
    return {"hitm_true": hitm if others else 0, "hitm_false": 0 if others else hitm}


def sharing_of(row):
    """The same in words."""
    said = kind(row)
    return f"{said} sharing" if said != "both" else f"both kinds of sharing: {row['hitm'] - false_hitms(row):,} HITMs true, {false_hitms(row):,} false"


def kind(row):
    """What a line's HITMs are: "true", "false" or "both" (more than one in 200 of the other)."""
    few = min(false_hitms(row), row["hitm"] - false_hitms(row))
    return "both" if 200 * few >= row["hitm"] > 0 else row["sharing"]


def false_hitms(row):
    """(A result that was saved before HITMs were split has its line's one kind.)"""
    return row.get("hitm_false", row["hitm"] if row["sharing"] == "false" else 0)


def communicated_bytes(line):
    """Mask of the bytes that two threads touch and one of them writes."""
    touched = both = wrote = 0
    for _, cells in groupby(sorted(line, key=lambda cell: cell.thread), key=lambda cell: cell.thread):
        own = 0
        for cell in cells:
            own |= cell.read | cell.wrote
            wrote |= cell.wrote
        both |= touched & own
        touched |= own
    return both & wrote


def offset_row(cell, count, communicated, names):
    """What one thread did at one offset; `count`: its `counts` by name."""
    loads = count["loads"] + count["atomics"] - count["load_hitm"]
    return {"offset": cell.offset, "thread": cell.thread, "process": cell.process,
            "symbol": names.of(cell.va, cell.va + 1),
            "sharing": "true" if communicated & (cell.read | cell.wrote) else "false",
            "cores": list(bits(cell.cores)), **count,
            "lcl_hitm_cycles": mean(cell.cycles[HITM_HERE], count["lcl_hitm"]),
            "rmt_hitm_cycles": mean(cell.cycles[HITM_REMOTE], count["rmt_hitm"]),
            "load_cycles": mean(cell.cycles[OTHER_LOADS], loads)}


def counts(cells):
    """perf's columns, COUNTS, of each cell, from its accesses by kind and source and its atomics; lists. All are sums of those, so that a line's
    are the sums of its cells'. loads + atomics = l1 + l2 + llc + rmt_llc + upgrade + load_hitm + dram."""
    served, atomics = cells["served"], cells["atomics"]
    by = {name: served[:, :, list(sources)].sum(axis=2) for name, sources in SERVED_BY.items()}
    loads, stores_of = ({name: n[:, kind] for name, n in by.items()} for kind in (READS, WRITES))
    reads, stores = served[:, READS].sum(axis=1), served[:, WRITES].sum(axis=1)
    lcl, rmt = (by[name].sum(axis=1) for name in ("lcl_hitm", "rmt_hitm"))
    found = {"records": reads + stores, "hitm": lcl + rmt, "lcl_hitm": lcl, "rmt_hitm": rmt,
             "load_hitm": loads["lcl_hitm"] + loads["rmt_hitm"],
             "loads": reads - atomics, "stores": stores, "atomics": atomics,
             "store_l1_hit": stores_of["l1"], "store_l1_miss": stores - stores_of["l1"],
             "lcl_dram": loads["lcl_dram"], "rmt_dram": loads["rmt_dram"],
             "llc_ld_miss": loads["lcl_dram"] + loads["rmt_dram"] + loads["rmt_hitm"] + loads["rmt_llc"],
             "load_l1_hit": loads["l1"], "load_l2_hit": loads["l2"], "load_llc_hit": loads["llc"],
             "load_rmt_llc_hit": loads["rmt_llc"], "upgrades": by["upgrade"].sum(axis=1), "atomic_upgrades": loads["upgrade"]}
    return np.stack([found[name] for name in COUNTS], axis=1).tolist()


def bits(mask):
    """Numbers of the bits that are set, in order."""
    while mask:
        least = mask & -mask
        yield least.bit_length() - 1
        mask ^= least


def mean(total, n):
    return float(total) / n if n else 0.0


class Names:
    """The program's variables, of which it may have many: `ends[i]` is where the last of the first i + 1 ends."""

    def __init__(self, symbols):
        self.symbols = sorted(symbols)
        self.ends = list(accumulate((s[1] for s in self.symbols), max))

    def of(self, start, end):
        """The variable in [start, end) as "name", "name+8" or "name[3]"; of several the first; "" if there is none."""
        i = bisect_right(self.ends, start)
        if i == len(self.symbols) or self.symbols[i][0] >= end:
            return ""
        first, _, name, *element = self.symbols[i]
        into = max(0, start - first)
        if element:
            name, into = f"{name}[{into // element[0]}]", into % element[0]
        return f"{name}+{into}" if into else name


WIDTH = 120                     # of perf's tables
LEAST_NAME, MOST_NAME = 12, 26  # characters of a symbol behind the offsets
LINE_COLUMNS = (
    # group, title, width, value
    ("", "Cacheline", 14, lambda r: f"{r['address']:#x}"), ("Total", "records", 7, lambda r: r["records"]),
    ("Hitm", "%", 5, lambda r: f"{r['hitm_percent']:.1f}"),
    ("---- Hitm ----", "Tot", 6, lambda r: r["hitm"]), ("", "Lcl", 6, lambda r: r["lcl_hitm"]),
    ("", "Rmt", 6, lambda r: r["rmt_hitm"]),
    ("Store Reference", "Total", 6, lambda r: r["stores"]), ("", "L1Hit", 6, lambda r: r["store_l1_hit"]),
    ("", "L1Miss", 6, lambda r: r["store_l1_miss"]),
    ("Load", "Dram", 6, lambda r: r["lcl_dram"] + r["rmt_dram"]), ("LLC Ld", "Miss", 6, lambda r: r["llc_ld_miss"]),
    ("Total", "Loads", 6, lambda r: r["loads"] + r["atomics"]),
    ("Load Hit", "L1", 6, lambda r: r["load_l1_hit"]), ("", "L2", 6, lambda r: r["load_l2_hit"]),
    ("", "LLC", 6, lambda r: r["load_llc_hit"] + r["load_rmt_llc_hit"]), ("", "Sharing", 7, kind))
OFFSET_COLUMNS = (
    ("HITM", "Rmt", 7, lambda o: o["rmt_hitm"]), ("", "Lcl", 7, lambda o: o["lcl_hitm"]),
    ("Store Refs", "L1Hit", 7, lambda o: o["store_l1_hit"]), ("", "L1Miss", 7, lambda o: o["store_l1_miss"]),
    ("", "Loads", 7, lambda o: o["loads"] + o["atomics"]), (" ", "Offset", 6, lambda o: f"{o['offset']:#x}"),
    ("", "Pid", 4, lambda o: f"{o['process']}"), ("", "Tid", 4, lambda o: f"{o['thread']}"),
    ("---- cycles ----", "rmt hitm", 8, lambda o: f"{o['rmt_hitm_cycles']:.0f}"),
    ("", "lcl hitm", 8, lambda o: f"{o['lcl_hitm_cycles']:.0f}"), ("", "load", 5, lambda o: f"{o['load_cycles']:.0f}"),
    ("cpu", "cnt", 3, lambda o: f"{len(o['cores'])}"), ("", "Sharing", 7, lambda o: o["sharing"]))

OFFSET_KEYS = [column for column in OFFSET_COLUMNS if column[1] in ("Offset", "Tid")]


def text(rows, lines=20, width=WIDTH):
    """Both tables of the first `lines` rows, as perf prints them; where they are wider than `width`, groups of columns go below each other."""
    if not rows:
        return "No contended lines.\n"
    shown = rows[:lines]
    parts = ["Shared data: contended lines"]
    for columns in blocks(LINE_COLUMNS, LINE_COLUMNS[:1], width):
        parts += ["", *head(columns), *(render(columns, row) for row in shown)]
    del parts[1]
    if len(shown) < len(rows):
        parts.append(f"... and {len(rows) - len(shown)} lines with fewer HITMs")
    named = width - len(head(OFFSET_COLUMNS)[1]) - 2
    parts += ["", "Where in the line"]
    for columns in blocks(OFFSET_COLUMNS, OFFSET_KEYS, width if named >= LEAST_NAME else width - LEAST_NAME - 2):
        first, second = head(columns)
        parts += ["", first, f"{second}  Symbol"]
        for row in shown:
            parts += ["", f"{row['address']:#x}  {row['symbol']}  {sharing_of(row)}".replace("    ", "  ")]
            parts += [f"{render(columns, o)}  {o['symbol']:.{max(min(named, MOST_NAME), LEAST_NAME)}}".rstrip() for o in row["offsets"]]
    return "\n".join(parts) + "\n"


def blocks(columns, keys, width):
    """The columns in as many lists as it takes, each but the first beginning with `keys`; what stands under one group stays together."""
    groups = []
    for column in columns:
        if column[0] or not groups:
            groups.append([])
        groups[-1].append(column)
    found = [groups[0]]
    for group in groups[1:]:
        if len(head([*found[-1], *group])[1]) > width:
            found.append([*(key for key in keys if key not in group)])
        found[-1] = [*found[-1], *group]
    return found


def head(columns):
    """Two lines: groups over titles. A group stands over its first column and the untitled ones after it."""
    groups, width = "", 0
    for group, _, size, _ in columns:
        if group:
            groups += " " * max(0, width - len(groups)) + " " * max(0, (size if len(group) <= size else len(group)) - len(group)) + group
        width += size + 1
    return groups.rstrip(), " ".join(f"{title:>{size}}" for _, title, size, _ in columns)


def render(columns, row):
    return " ".join(f"{short(value(row)):>{size}}" for _, _, size, value in columns)


def short(value):
    """A count in at most six characters."""
    if isinstance(value, str) or value < 1_000_000:
        return str(value)
    for unit in "kMGT":
        value /= 1000
        if value < 9999.5:
            return f"{value:.4g}{unit}"
    return f"{value:.4g}P"

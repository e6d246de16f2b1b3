"""Misses, TLB misses and faults by source line and by allocation: the tables of machine/where.py, with names.

    rows by instruction ── Names.code ── one row a source line          adjacent.c:14   work
    rows by line        ── what lies on it ── one row an allocation     counters; 256 bytes (allocated at main, linreg.c:34); heap; stack of thread 2

Only the worst MOST rows of the machine's tables are named; what is beyond is in the row "(others)". A line on which several variables lie
counts for them together, since it does not tell which of them missed.
"""

from collections import defaultdict

MOST = 3000
WORD = 8  # bytes apart that a line is looked at
LINE = 64
OTHERS = "(others)"
COUNTS = ("misses", "hitms", "faults", "tlbs", "cycles")


def by_source(names, rows):
    """Rows of instructions (arrays with "key" and COUNTS, the worst first) as a table like those of machine/where.py: "at" is "file.c:12", or
    the function or object where no line is known."""
    return table(
        rows, lambda pc: source_of(names.code(pc), pc), lambda pc: {"function": names.code(pc).function, "object": names.code(pc).object}
    )


def by_allocation(names, rows, used=None):
    """Rows of lines likewise; "at" is what lies there. `used`: {line: mask of its bytes that threads use}, of lines of which that is known."""
    return table(rows, lambda line: " and ".join(on_line(names, line, (used or {}).get(line, -1))), lambda line: {})


def source_of(where, pc):
    return where.source or (f"{where.function} in {where.object}" if where.function else where.object) or f"{pc:#x}"


def on_line(names, line, used):
    """What lies on the bytes `used` of a line, each once."""
    words = (n for n in range(0, LINE, WORD) if used >> n & (1 << WORD) - 1)
    found = list(dict.fromkeys(names.allocation(line + n) for n in words))
    known = [name for name in found if name]
    return known[:3] + ["more"] * (len(known) > 3) if known else [f"{line:#x}"]


def table(rows, at, more):
    sums, said = defaultdict(lambda: dict.fromkeys(COUNTS, 0)), {}
    for n, row in enumerate(rows):
        key = int(row["key"])
        name = at(key) if n < MOST else OTHERS
        said.setdefault(name, more(key) if n < MOST else {})
        for count in COUNTS:
            sums[name][count] += int(row[count])
    order = sorted(sums, key=lambda name: (name == OTHERS, *(-sums[name][count] for count in COUNTS), name))
    found = [{"at": name, **said[name], **sums[name]} for name in order]
    return {"rows": found, "of": len(found), **{count: sum(row[count] for row in found) for count in COUNTS}, "dropped": 0}

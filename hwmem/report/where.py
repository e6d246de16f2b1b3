"""Where a trace misses: the worst lines, pages, sizes, threads and instructions, a table each; of a recorded program first the worst source
lines and allocations."""

from hwmem.report.table import percent, table

TITLES = {
    "source": "source line",
    "allocation": "allocation",
    "line": "line",
    "page": "page of 4 KiB",
    "size": "bytes",
    "thread": "thread",
    "instruction": "instruction",
}
ADDRESSES = ("line", "page", "instruction")


def where(result):
    """The tables of result.where, as many rows as it was asked for; misses are the program's own look-ups in its L1."""
    if not result.where:
        return "Where the trace misses was not recorded (hwmem trace FILE --top N)."
    parts = [one(kind, result.where[kind], result.where["top"]) for kind in TITLES if kind in result.where]
    return "\n\n".join(parts) or "The trace missed nothing."


def one(kind, found, top):
    rows = found["rows"][:top]
    in_detail = "tlbs" in found
    shown = table(
        [TITLES[kind], *["function"] * (kind == "source"), "L1D misses", "share", "HITM", "faults", *["DTLB misses"] * in_detail],
        [
            [
                f"{row['at']:#x}" if kind in ADDRESSES else str(row["at"]),
                *[row.get("function") or "-"] * (kind == "source"),
                row["misses"],
                percent(row["misses"], found["misses"]),
                row["hitms"],
                row["faults"],
                *[row.get("tlbs", 0)] * in_detail,
            ]
            for row in rows
        ],
    )
    more = [f"and {found['of'] - len(rows):,} more {kind}s"] if found["of"] > len(rows) else []
    more += [f"{found['dropped']:,} misses were of {kind}s that found no room"] if found["dropped"] else []
    return "\n".join([shown, *more])

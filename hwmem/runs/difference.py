"""Two results side by side: the settings and the figures that differ.

    difference(a, b) ── settings     name, of a, of b          parameters, configuration, seed, version
                     └─ figures      name, of a, of b, b / a   cycles, cost, computed values, counters of all cores together

Only what differs is listed. Counters come with the greatest change first, by the ratio; one that is 0 in one of the two comes before
all others.
"""

from math import inf, log

from hwmem.report.table import table, text
from hwmem.runs.frame import flat, rows

FIRST = ("cycles", "seconds", "cost")  # of the figures


def difference(a, b):
    """{"settings": [{"name", "a", "b"}], "figures": [{"name", "a", "b", "ratio"}]} of two Results."""
    return {
        "settings": [{"name": name, "a": x, "b": y} for name, x, y in changed(settings(a), settings(b))],
        "figures": sorted(map(figure, changed(figures(a), figures(b))), key=rank),
    }


def settings(result):
    return {
        "workload": result.workload,
        **result.parameters,
        "seed": result.seed,
        "version": result.version,
        **flat(result.config.to_dict()),
    }


def figures(result):
    row = rows(result, "run")[0]
    own = set(settings(result)) | {"machine"}
    shared = {f"directory.{name}": count for name, count in result.counters["directory"].items()}
    shared |= {f"dram.{name}": count for name, count in result.counters["dram"].items()}
    return {name: value for name, value in {**row, **shared}.items() if name not in own and isinstance(value, (int, float))}


def changed(a, b):
    """(name, of a, of b) of what differs."""
    return [(name, a.get(name), b.get(name)) for name in dict.fromkeys([*a, *b]) if a.get(name) != b.get(name)]


def figure(change):
    name, x, y = change
    return {"name": name, "a": x, "b": y, "ratio": y / x if x and y is not None else None}


def rank(row):
    """Where a figure stands in the list."""
    if row["name"] in FIRST:
        return (0, FIRST.index(row["name"]))
    return (1, -abs(log(row["ratio"])) if row["ratio"] and row["ratio"] > 0 else -inf)


def difference_text(a, b, names=("a", "b"), most=40):
    """Both tables, the figures' first `most` rows."""
    found = difference(a, b)
    if not found["settings"] and not found["figures"]:
        return "Nothing differs."
    parts = []
    if found["settings"]:
        parts.append(table(["setting", *names], [[row["name"], shown(row["a"]), shown(row["b"])] for row in found["settings"]]))
    if found["figures"]:
        parts.append(
            table(
                ["figure", *names, "ratio"],
                [
                    [row["name"], row["a"], row["b"], "-" if row["ratio"] is None else f"{row['ratio']:.2f}x"]
                    for row in found["figures"][:most]
                ],
            )
        )
    if len(found["figures"]) > most:
        parts.append(f"and {len(found['figures']) - most} more (--json has all)")
    return "\n\n".join(parts)


def shown(value):
    return "-" if value is None else text(value)

"""The page of two runs side by side: the settings and figures that differ, both over time."""

from math import log10

from hwmem.page import answer, coherence
from hwmem.page.blocks import chart, panel, section, table, tile, tiles, words
from hwmem.page.document import document
from hwmem.params import PAGE
from hwmem.report.overview import duration
from hwmem.report.table import text

WIDTHS = 3.0  # decades of a ratio that fill half a bar


def comparison(a, b, found, names=("a", "b")):
    """The HTML as text. `found`: runs/difference.py's of the two Results; `names`: what they are called."""
    return document(
        f"{names[0]} and {names[1]}",
        [
            section("answer", "The answer", [tiles(figures(a, b, found))]),
            section("settings", "Settings that differ", [settings(found, names)]),
            section("outcome", "Figures that differ", [outcome(found, names)], "Bars to the right: more in the second run."),
            section("time", "Over time", [over_time(a, b, names)]),
            *(section(f"lines-{k}", f"Contended lines of {name}", [coherence.lines(r)]) for k, (name, r) in enumerate(zip(names, (a, b)))),
            section("same", "The same", [words("Nothing differs.")]) if not found["settings"] and not found["figures"] else None,
        ],
        subtitle=f"{a.workload} on {a.config.name}, and {b.workload} on {b.config.name}",
        headline=headline(a, b, names),
    )


def headline(a, b, names):
    if not a.cycles or not b.cycles:
        return ""
    ratio = b.cycles / a.cycles
    if 0.99 < ratio < 1.01:
        return f"{names[1]} takes as long as {names[0]}."
    return f"{names[1]} takes {ratio:.2f} times as long as {names[0]}." if ratio > 1 else f"{names[1]} is {1 / ratio:.2f} times as fast."


def figures(a, b, found):
    hitms = [answer.hitms(r)[0] for r in (a, b)]
    return [
        tile("time", " → ".join(duration(r.seconds) if r.seconds else "0" for r in (a, b)), f"{a.cycles:,} → {b.cycles:,} cycles"),
        tile(f"cycles per {b.operation}", f"{text(a.cost)} → {text(b.cost)}", "") if a.cost is not None and b.cost is not None else None,
        tile("HITMs", f"{hitms[0]:,} → {hitms[1]:,}", "lines found modified in another core") if any(hitms) else None,
        tile("settings that differ", str(len(found["settings"]))),
    ]


def settings(found, names):
    return table(["setting", *names], [[row["name"], shown(row["a"]), shown(row["b"])] for row in found["settings"]])


def shown(value):
    return "-" if value is None else text(value)


def outcome(found, names):
    rows = [[row["name"], row["a"], row["b"], row["ratio"], tilt(row)] for row in found["figures"]]
    return table(["figure", (names[0], "num"), (names[1], "num"), ("ratio", "num"), ("change", "tilt")], rows)


def tilt(row):
    """-1 to 1: how far, and which way, on a scale of decades."""
    if not row["ratio"] or row["ratio"] <= 0:
        return None
    return max(-1.0, min(1.0, log10(row["ratio"]) / WIDTHS))


def over_time(a, b, names):
    """Resident memory in both, each over its own time. None unless both have it."""
    if a.series is None or b.series is None or min(len(a.series), len(b.series)) < 2:
        return None
    x = sorted({*seconds(a), *seconds(b)})
    each = [(name, at(x, seconds(r), resident(r))) for name, r in zip(names, (a, b))]
    misses = [(name, at(x, seconds(r), r.series["l1_misses"].tolist())) for name, r in zip(names, (a, b))]
    return chart(x, [panel("Resident", "bytes", each), panel("L1D misses so far", "count", misses)], "Both runs from their beginnings")


def seconds(result):
    return (result.series["cycle"] / (result.config.frequency_ghz * 1e9)).tolist()


def resident(result):
    s = result.series
    return ((s["anon"] + s["file"] + s["shared"]) * PAGE).tolist()


def at(x, own, values):
    """The values at each of `x`: the last sample's until then; None after the end."""
    found, k = [], 0
    for moment in x:
        while k + 1 < len(own) and own[k + 1] <= moment:
            k += 1
        found.append(values[k] if own[0] <= moment <= own[-1] else None)
    return found

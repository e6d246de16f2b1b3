"""Memory as blocks: over time, and as a map of what lies where."""

import re

import numpy as np

from hwmem.layout import SERIES_NAMES
from hwmem.page.blocks import chart, panel, table
from hwmem.params import PAGE

MOST_VMAS = 100  # of the map: those with the most pages
DIGITS = re.compile("[0-9]+", re.ASCII)
HIDDEN = 4  # times as large as all that is resident: shown when asked for


def over_time(result, spans=(), panels=()):
    """The sampled series as a chart, or None. `spans`: (from, to, name) in seconds; `panels`: more of them, made of the same rows."""
    s = result.series
    if s is None or len(s) < 2:
        return None
    seconds = s["cycle"] / (result.config.frequency_ghz * 1e9)
    return chart(
        seconds.tolist(), [pages(s), *panels, rates(s), rate_of_faults(s), *own(s, panels)], "The run over time", spans, "s", note(s)
    )


def note(s):
    return f"{len(s):,} samples; each rate is that since the sample before."


def pages(s):
    resident = (s["anon"] + s["file"] + s["shared"]) * PAGE
    vast = int(s["vm"].max()) * PAGE > HIDDEN * max(int(resident.max()), 1)
    return panel(
        "Memory",
        "bytes",
        [
            ("resident", resident.tolist()),
            ("anonymous", (s["anon"] * PAGE).tolist(), False),
            ("of files", ((s["file"] + s["shared"]) * PAGE).tolist(), False),
            ("LazyFree", (s["lazy"] * PAGE).tolist()),
            ("in swap", (s["swapped"] * PAGE).tolist()),
            ("page cache", (s["cached"] * PAGE).tolist()),
            ("all RAM in use", (s["used"] * PAGE).tolist(), False),
            ("VmSize", (s["vm"] * PAGE).tolist(), not vast),
        ],
    )


def per_thousand(s, name):
    """Of `name`, what came on 1,000 accesses since the sample before; None where there were none."""
    made, found = np.diff(s["accesses"], prepend=s["accesses"][:1]), np.diff(s[name], prepend=s[name][:1])
    return [1000 * f / n if n > 0 else None for f, n in zip(found.tolist(), made.tolist())]


def rates(s):
    named = (("l1_misses", "L1D misses"), ("llc_misses", "LLC misses"), ("hitm", "HITMs"), ("walks", "page walks"))
    return panel("On 1,000 accesses", "per thousand", [(says, per_thousand(s, name)) for name, says in named])


def rate_of_faults(s):
    return panel("Page faults", "count", [("faults so far", s["faults"].tolist())])


def own(s, panels):
    """The program's own words, a panel each, but those that other panels show."""
    shown = {one["name"] for p in panels if p for one in p["series"]} | {name for p in panels if p for name in p.get("of", ())}
    return [panel(name, "count", [(name, s[name].tolist())]) for name in s.dtype.names if name not in SERIES_NAMES and name not in shown]


def space(result):
    """The address space as the program left it: a VMA a row with a strip of what is resident; None if it is not known."""
    if not result.space:
        return None
    if not all(DIGITS.fullmatch(v["resident"]) and DIGITS.fullmatch(v["swapped"]) for v in result.space):
        raise ValueError("space: a map of pages is digits")
    kept = sorted(sorted(result.space, key=weight, reverse=True)[:MOST_VMAS], key=lambda v: v["start"])
    names = [kind for kind in ("anon", "lazy", "file", "zero", "huge", "swap") if any(v["pages"][kind] for v in kept)]
    titles = {"anon": "anonymous", "lazy": "LazyFree", "file": "of files", "zero": "zero page", "huge": "in huge pages", "swap": "in swap"}
    columns = ["mapping", ("from", "address"), ("rights", "code"), ("size", "bytes"), ("what is resident", "strip")]
    columns += [(titles[kind], "bytes") for kind in names]
    rows = [
        [
            v["name"] or "anonymous",
            v["start"],
            v["perms"],
            v["end"] - v["start"],
            [v["resident"], v["swapped"]],
            *(v["pages"][kind] * PAGE for kind in names),
        ]
        for v in kept
    ]
    left = f"The {MOST_VMAS} mappings with the most pages, of {len(result.space):,}." if len(result.space) > MOST_VMAS else ""
    return table(columns, rows, "Mappings, by address", left)


def weight(vma):
    return sum(vma["pages"].values()), vma["end"] - vma["start"]

"""The page of a Go program's run: `goalloc html R.hwm`. First the heap and its collections, then what hwmem's page has.

tiles, collections     result.gc                  over time     result.series' probes, marking and pauses shaded
the Ps                 values["turns"]            ... and a lane a P of what the collector did there
spans by class         values["sizes"]            arenas        values["arenas"], page by page
"""

from goalloc.observe.pagemap import KINDS
from goalloc.params import pageSize
from goalloc.programs.command import command
from hwmem.page import answer, document, memory, run
from hwmem.page.blocks import bars, lanes, listing, panel, section, table, tile, tiles
from hwmem.report import mutator
from hwmem.report.overview import accesses, duration
from hwmem.report.table import no_screen, table as text_table

NONE = 1 << 62  # a goal from here on is none: GOGC off
COLOURS = ("c0", "c1", "c2", "c3", "I", "c7")  # of KINDS
MUCH = 0.01  # HITMs an access that the first sentence speaks of
ACROSS = 128  # pages in a row of an arena's map: 1 MiB
HEAP = (("heap_live", "live"), ("heap_goal", "goal"), ("heap_in_use", "in use"), ("heap_free", "free"), ("heap_released", "returned"))
TURNS = {
    "dedicated": "dedicated",
    "fractional": "fractional",
    "idle": "idle",
    "assist": "assists",
    "sweep": "sweeping",
}  # kinds as they are shown
WORK = ("dedicated_ns", "fractional_ns", "idle_ns", "assist_ns")


def page(result):
    """The HTML as text, of a result of a Go program."""
    own = [
        section("collections", "Collections", collections(result)),
        section("time", "Over time", [memory.over_time(result, mutator.phases(result), [heap_over_time(result), ps_over_time(result)])]),
        section("heap", "The heap", [classes(result), arenas(result), memstats(result)]),
    ]
    first, *rest = [one for one in run.sections(result) if one and one["id"] != "time"]
    first = section("answer", first["title"], [tiles([*go_tiles(result), *answer.tiles(result)]), *first["blocks"][1:]])
    head = run.head(result) | {"command": command(result)}
    return document(f"{result.workload} on {result.config.name}", [first, *own, *rest], **head, headline=headline(result))


def longest(result):
    return max((ns for c in result.gc for ns in c["pauses_ns"]), default=0)


def headline(result):
    if result.stopped:
        return answer.headline(result)
    return f"{of_the_heap(result)} {contended(result)}".strip()


def of_the_heap(result):
    stats = result.values["memstats"]
    if not result.gc:
        return f"Nothing was collected: {answer.size(stats['HeapAlloc'])} of {answer.size(stats['HeapSys'])} of heap are in use."
    many = f"{len(result.gc)} collection{'s' * (len(result.gc) > 1)}"
    return f"{many}, the longest pause {duration(longest(result) / 1e9)}; the heap ends at {answer.size(stats['HeapAlloc'])}."


def contended(result):
    """What lines that cores fight for have to do with it, if it is much."""
    made = sum(map(accesses, result.counters["cores"]))
    return answer.sharing(result) or "" if answer.hitms(result)[0] > MUCH * made else ""


def go_tiles(result):
    stats = result.values["memstats"]
    goal = answer.size(stats["NextGC"]) if 0 < stats["NextGC"] < NONE else "none"
    unused = sum(row["tail"] + row["free"] * row["size"] for row in result.values["sizes"])
    whole = sum(row["span bytes"] for row in result.values["sizes"])
    found = [
        tile("live heap", answer.size(stats["HeapAlloc"]), f"goal of the next collection: {goal}"),
        tile("returned to the kernel", answer.size(stats["HeapReleased"]), f"of {answer.size(stats['HeapIdle'])} that are idle"),
    ]
    if whole:
        found.append(tile("of spans unused", f"{100 * unused / whole:.0f}%", f"{answer.size(unused)}: free slots and tails"))
    if result.gc:
        forced = sum(c["forced"] for c in result.gc)
        pauses = sum(ns for c in result.gc for ns in c["pauses_ns"])
        found += [
            tile("collections", str(len(result.gc)), f"{forced} of them forced"),
            tile("longest pause", duration(longest(result) / 1e9), f"{duration(pauses / 1e9)} in all with the world stopped"),
            tile("processors' time", f"{100 * stats['GCCPUFraction']:.2f}%", "of the program's, spent by the collector"),
        ]
    return found


def collections(result):
    if not result.gc:
        return []
    stopped = [sum(c["pauses_ns"]) for c in result.gc]
    work = bars(
        [(f"gc {c['n']}", [c[name] for name in WORK] + [pause]) for c, pause in zip(result.gc, stopped)],
        ["dedicated", "fractional", "idle", "assists", "world stopped"],
        "Who marked, and how long the world was stopped",
        "ns",
        of="collection",
    )
    columns = [
        "collection",
        ("first pause", "text"),
        ("second", "text"),
        ("trigger", "bytes"),
        ("heap before", "bytes"),
        ("after", "bytes"),
    ]
    columns += [("marked", "bytes"), ("goal", "bytes"), ("next goal", "bytes"), ("objects", "int"), ("spans swept", "int")]
    rows = [
        [
            f"gc {c['n']}{' (forced)' if c['forced'] else ''}",
            *(duration(ns / 1e9) for ns in c["pauses_ns"]),
            *(c[name] for name in ("heap_trigger", "heap_start", "heap_end", "heap_marked")),
            *(c[name] if c[name] < NONE else None for name in ("goal", "next_goal")),
            c["objects_marked"],
            c["spans_swept"],
        ]
        for c in result.gc
    ]
    return [
        work,
        by_p(result),
        table(columns, rows, "Collections"),
        listing("GODEBUG=gctrace=1,scavtrace=1", "\n".join(result.values.get("trace", ()))),
    ]


def by_p(result):
    """What each P's time went to, from the run's beginning to its end."""
    kept, ps = result.values.get("turns"), len(result.cores)
    if not kept or kept["lost"]:
        return None
    stopped = sum(end - begin for begin, end, what in mutator.phases(result) if what != "marking")
    spent = {(p, kind): 0.0 for p in range(ps) for kind in TURNS}
    for p, kind, begin, end in mutator.turns(result):
        if p < ps and kind in TURNS:
            spent[p, kind] += end - begin
    rows = []
    for p in range(ps):
        own = [1e9 * spent[p, kind] for kind in TURNS] + [1e9 * stopped]
        rows.append((f"P {p}", [round(v) for v in (max(0.0, 1e9 * result.seconds - sum(own)), *own)]))
    parts = ["the program, or nothing to do", *TURNS.values(), "world stopped"]
    return bars(
        rows, parts, "What each P's time went to", "ns", "A P with nothing to run is not distinguished from one that runs the program.", "P"
    )


def ps_over_time(result):
    """A lane a P: what the collector did on it."""
    kept, ps = result.values.get("turns"), len(result.cores)
    if not kept:
        return None
    kinds = list(TURNS)
    stopped = [(begin, end, len(kinds)) for begin, end, what in mutator.phases(result) if what != "marking"]
    pieces = [list(stopped) for _ in range(ps)]
    for p, kind, begin, end in mutator.turns(result):
        if p < ps and kind in TURNS and end >= 0:
            pieces[p].append((begin, end, kinds.index(kind)))
    left = f"The first {len(kept['rows']):,} turns of {len(kept['rows']) + kept['lost']:,}. " if kept["lost"] else ""
    says = f"{left}Where a lane is empty the P runs the program, or has nothing to do."
    return lanes(
        "The collector on the Ps", [(f"P {p}", sorted(own)) for p, own in enumerate(pieces)], [*TURNS.values(), "world stopped"], says
    )


def heap_over_time(result):
    s = result.series
    names = [] if s is None else [(name, says) for name, says in HEAP if name in s.dtype.names]
    made = panel("Go heap", "bytes", [(says, [v if 0 <= v < NONE else None for v in s[name].tolist()]) for name, says in names])
    return made and made | {"of": [name for name, _ in names]}


def classes(result):
    """Spans by size class: how full they are, and what of their bytes no object has."""
    columns = [("size", "text"), ("spans", "int"), ("slots", "int"), ("live", "int"), ("occupied", "bar"), ("span bytes", "bytes")]
    columns += [("unused", "bytes"), ("of its bytes", "bar"), ("mallocs", "int"), ("frees", "int")]
    rows = []
    for row in result.values["sizes"]:
        if row["spans"] or row["mallocs"]:
            unused = row["tail"] + row["free"] * row["size"]
            share = unused / row["span bytes"] if row["span bytes"] else None
            full = row["live"] / row["slots"] if row["slots"] else None
            name = f"{row['size']:,} bytes" if row["size"] else "large"
            rows.append(
                [name, row["spans"], row["slots"], row["live"], full, row["span bytes"], unused, share, row["mallocs"], row["frees"]]
            )
    return table(columns, rows, "Spans by size class")


def arenas(result):
    found = result.values.get("arenas")
    if not found:
        return None
    return {
        "kind": "pages",
        "kinds": list(KINDS),
        "colours": list(COLOURS),
        "across": ACROSS,
        "areas": [{"name": f"Arena at {arena['base']:#x}", "runs": arena["runs"]} for arena in found],
        "note": f"A square is a page of {pageSize >> 10} KiB, a row {ACROSS * pageSize >> 20} MiB.",
    }


def memstats(result):
    stats = result.values["memstats"]
    rows = [[name, value] for name, value in stats.items() if isinstance(value, (int, float)) and not isinstance(value, bool)]
    with no_screen():
        return listing("runtime.MemStats at the end", text_table(["MemStats", "value"], rows))

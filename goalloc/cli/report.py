"""What a kept result says about the heap: `goalloc report R.hwm heap`, `spans`, `profile`. The figures are those at the program's end.

heap    runtime.MemStats in bytes, and which figures are parts of which
spans   a row a size class: what it has allocated, and which of its spans' bytes nobody requested: inside objects, free, at the ends
gc      a row a collection: what started it, what it found, what it cost
scavenger   what went back to the kernel, in scavtrace's lines, and what the heap keeps of it
profile what was allocated where, estimated from samples, in the form of `pprof -top -alloc_space`
"""

from goalloc.observe.memprofile import COLUMNS, top
from hwmem.report.overview import header
from hwmem.report.table import fold, percent, table

# (name in MemStats, what it is a part of), as runtime.MemStats explains them
BYTES = (
    ("Sys", None),
    ("HeapSys", "Sys"),
    ("HeapInuse", "HeapSys"),
    ("HeapAlloc", "HeapInuse"),
    ("HeapIdle", "HeapSys"),
    ("HeapReleased", "HeapIdle"),
    ("StackSys", "Sys"),
    ("StackInuse", "StackSys"),
    ("MSpanSys", "Sys"),
    ("MSpanInuse", "MSpanSys"),
    ("MCacheSys", "Sys"),
    ("MCacheInuse", "MCacheSys"),
    ("BuckHashSys", "Sys"),
    ("GCSys", "Sys"),
    ("OtherSys", "Sys"),
)
SPANS = ("class", "size", "asked", "mallocs", "frees", "live", "spans", "span bytes", "share", "inside", "free", "ends")
UNUSED = "asked: bytes of a request, on average. Unused bytes of the spans lie inside objects, in free slots and at the spans' ends."
COUNTS = ("Mallocs", "Frees", "HeapObjects", "TotalAlloc", "NextGC", "NumGC")


def heap(result):
    stats = result.values["memstats"]
    sizes = [[name, stats[name], percent(stats[name], stats[whole]) if whole else "-", whole or "-"] for name, whole in BYTES]
    return table(["MemStats", "bytes", "share", "of"], sizes) + "\n\n" + table(["MemStats", "value"], [[n, stats[n]] for n in COUNTS])


def spans(result):
    rows, whole = [], sum(row["span bytes"] for row in result.values["sizes"])
    for row in result.values["sizes"]:
        if row["spans"] or row["mallocs"]:
            nbytes = row["span bytes"]
            rows.append(
                [
                    str(row["class"]),
                    row["size"] or "large",
                    row["asked"] / row["mallocs"] if row["mallocs"] else None,
                    row["mallocs"],
                    row["frees"],
                    row["live"],
                    row["spans"],
                    nbytes,
                    percent(nbytes, whole),
                    *(percent(part, nbytes) for part in (row["inside"], row["free"] * row["size"], row["tail"])),
                ]
            )
    return table(SPANS, rows) + "\n" + fold(UNUSED)


def gc(result):
    """Raises ValueError if nothing was collected."""
    if not result.gc:
        raise ValueError(f"{result.workload} collected nothing")
    columns = [
        "gc",
        "trigger",
        "heap before",
        "after",
        "marked",
        "goal",
        "next goal",
        "scanned",
        "pauses ns",
        "assists ns",
        "workers ns",
        "idle ns",
        "objects",
        "spans swept",
    ]
    rows = [
        [
            f"{c['n']}{' (forced)' if c['forced'] else ''}",
            c["heap_trigger"],
            c["heap_start"],
            c["heap_end"],
            c["heap_marked"],
            c["goal"],
            c["next_goal"],
            c["heap_scan_work"] + c["stack_scan"] + c["globals_scan"],
            sum(c["pauses_ns"]),
            c["assist_ns"],
            c["dedicated_ns"] + c["fractional_ns"],
            c["idle_ns"],
            c["objects_marked"],
            c["spans_swept"],
        ]
        for c in result.gc
    ]
    stats = result.values["memstats"]
    ends = [
        ["GCCPUFraction", f"{stats['GCCPUFraction']:.4f}"],
        ["PauseTotalNs", stats["PauseTotalNs"]],
        ["NumForcedGC", stats["NumForcedGC"]],
    ]
    return table(columns, rows) + "\n\n" + table(["MemStats", "value"], ends)


def scavenger(result):
    """Raises ValueError if nothing was collected."""
    if not result.gc:
        raise ValueError(f"{result.workload} collected nothing")
    columns = ["after gc", "heap free", "heap released", "mapped and ready"]
    rows = [[str(c["n"]), c["heap_free"], c["heap_released"], c["mapped_ready"]] for c in result.gc]
    lines = [line for line in result.values["trace"] if line.startswith("scav ")]
    return "\n".join([table(columns, rows), *([""] + lines if lines else [])])


def profile(result):
    """Raises ValueError if the run took no samples."""
    if "memprofile" not in result.values:
        raise ValueError(f"{result.workload} ran without --memprofile")
    rate, records = result.values["memprofile"]["rate"], result.values["memprofile"]["records"]
    rows = [[row[0], f"{row[1]:.2%}", f"{row[2]:.2%}", *row[3:]] for row in top(records, rate)]
    return f"alloc_space, by samples of one object in {rate:,} bytes\n" + table(COLUMNS, rows)


SECTIONS = {"heap": heap, "spans": spans, "gc": gc, "scavenger": scavenger, "profile": profile}
WITHOUT = {
    "profile": lambda result: "memprofile" not in result.values,
    "gc": lambda result: not result.gc,
    "scavenger": lambda result: not result.gc,
}  # sections that not every result has


def report(result, section=None):
    """The text of one section (a name in SECTIONS), or all. Raises ValueError for another name, or if no Go program gave the
    result."""
    if "memstats" not in result.values:
        was = (
            "was interrupted before its heap could be looked at"
            if result.stopped
            else "is not a Go program's result; hwmem report shows it"
        )
        raise ValueError(f"{result.workload} {was}")
    if section is not None and section not in SECTIONS:
        raise ValueError(f"section: {section!r} is none of {', '.join(SECTIONS)}")
    names = [section] if section else [name for name in SECTIONS if name not in WITHOUT or not WITHOUT[name](result)]
    return "\n\n".join([header(result), *(SECTIONS[name](result) for name in names)])

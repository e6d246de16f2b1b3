"""What a kept result tells of the heap: `goalloc report R.hwm heap`, `spans`, `profile`. The figures are those of the program's end.

    heap    runtime.MemStats in bytes, and what one thing of it is a part of
    spans   a row a size class: what it has allocated, what its spans hold, what of their bytes no object has
    profile what was allocated where, estimated from samples, as `pprof -top -alloc_space` tells it
"""
from goalloc.observe.memprofile import COLUMNS, top
from hwmem.report.overview import header
from hwmem.report.table import percent, table

# (name in MemStats, what it is a part of), as runtime.MemStats explains them
BYTES = (("Sys", None), ("HeapSys", "Sys"), ("HeapInuse", "HeapSys"), ("HeapAlloc", "HeapInuse"), ("HeapIdle", "HeapSys"),
         ("HeapReleased", "HeapIdle"), ("StackSys", "Sys"), ("StackInuse", "StackSys"), ("MSpanSys", "Sys"), ("MSpanInuse", "MSpanSys"),
         ("MCacheSys", "Sys"), ("MCacheInuse", "MCacheSys"), ("BuckHashSys", "Sys"), ("GCSys", "Sys"), ("OtherSys", "Sys"))
COUNTS = ("Mallocs", "Frees", "HeapObjects", "TotalAlloc", "NextGC", "NumGC")


def heap(result):
    stats = result.values["memstats"]
    sizes = [[name, stats[name], percent(stats[name], stats[whole]) if whole else "-", whole or "-"] for name, whole in BYTES]
    return table(["MemStats", "bytes", "share", "of"], sizes) + "\n\n" + table(["MemStats", "value"], [[n, stats[n]] for n in COUNTS])


def spans(result):
    rows, whole = [], sum(row["span bytes"] for row in result.values["sizes"])
    for row in result.values["sizes"]:
        if row["spans"] or row["mallocs"]:
            unused = row["tail"] + row["free"] * row["size"]
            rows.append([str(row["class"]), row["size"] or "large", row["mallocs"], row["frees"], row["spans"], row["slots"], row["live"],
                         row["span bytes"], percent(row["span bytes"], whole), percent(unused, row["span bytes"])])
    return table(["class", "size", "mallocs", "frees", "spans", "slots", "live", "span bytes", "share", "unused"], rows)


def profile(result):
    """Raises ValueError if the run took no samples."""
    if "memprofile" not in result.values:
        raise ValueError(f"{result.workload} ran without --memprofile")
    rate, records = result.values["memprofile"]["rate"], result.values["memprofile"]["records"]
    rows = [[row[0], f"{row[1]:.2%}", f"{row[2]:.2%}", *row[3:]] for row in top(records, rate)]
    return f"alloc_space, by samples of one object in {rate:,} bytes\n" + table(COLUMNS, rows)


SECTIONS = {"heap": heap, "spans": spans, "profile": profile}


def report(result, section=None):
    """The text of one section (a name in SECTIONS), or all. Raises ValueError for another name, or if no Go program gave the
    result."""
    if "memstats" not in result.values:
        raise ValueError(f"{result.workload} is not a Go program's result; hwmem report shows it")
    if section is not None and section not in SECTIONS:
        raise ValueError(f"section: {section!r} is none of {', '.join(SECTIONS)}")
    names = [section] if section else [name for name in SECTIONS if name != "profile" or "memprofile" in result.values]
    return "\n\n".join([header(result), *(SECTIONS[name](result) for name in names)])

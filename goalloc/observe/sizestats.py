"""Per-size statistics: what each size class has allocated, what its spans hold, what they waste. Read as a debugger reads.

slots = live + free         bytes of the spans = bytes live + bytes free + tail, which no object fits into
"""

from goalloc.observe.check import all_spans
from goalloc.params import mSpanInUse, numSizeClasses, pageSize
from goalloc.sizeclasses import class_to_size
from goalloc.observe.memstats import heap_stats


def size_stats(look):
    """A dict a class, large objects (class 0, a span each) first: "class", "size", "mallocs", "frees" (blocks, as BySize counts
    them; what the mcaches hold has been flushed), "spans", "slots", "live", "free" (objects), "span bytes", "tail" (bytes)."""
    counts = heap_stats(look)
    mallocs = [counts["largeAllocCount"], *counts["smallAllocCount"][1:]]
    frees = [counts["largeFreeCount"], *counts["smallFreeCount"][1:]]
    rows = [
        {
            "class": c,
            "size": class_to_size[c],
            "mallocs": mallocs[c],
            "frees": frees[c],
            "spans": 0,
            "slots": 0,
            "live": 0,
            "free": 0,
            "span bytes": 0,
            "tail": 0,
        }
        for c in range(numSizeClasses)
    ]
    for span in all_spans(look).values():
        if span["state"] == mSpanInUse:
            row, nbytes = rows[span["spanclass"] >> 1], span["npages"] * pageSize
            for name, n in (
                ("spans", 1),
                ("slots", span["nelems"]),
                ("live", span["allocCount"]),
                ("free", span["nelems"] - span["allocCount"]),
                ("span bytes", nbytes),
                ("tail", nbytes - span["nelems"] * span["elemsize"]),
            ):
                row[name] += n
    return rows

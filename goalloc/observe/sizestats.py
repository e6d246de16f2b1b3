"""Per-size statistics: what each size class has allocated, what its spans hold, what they waste. Read as a debugger reads.

slots = live + free         bytes of the spans = used + inside + free * size + tail

    inside   in the slots of live objects, beyond the requested size: 127 of the 1,152 bytes of an object of 1,025
    tail     at the ends of the spans, where no object fits

mallocgc counts the requested sizes, class by class (heap/malloc.py, count_asked): Go does not record them. They are not kept per object, so
live objects count with the mean requested size of their class: exact if nothing was freed, or if all were of one size. The initial objects
of a recorded heap count as if they filled their slots.
"""

from goalloc.observe.check import all_spans
from goalloc.params import mSpanInUse, numSizeClasses, pageSize
from goalloc.sizeclasses import class_to_size
from goalloc.observe.inspect import Inspector
from goalloc.observe.memstats import heap_stats


def size_stats(look):
    """A dict a class, large objects (class 0, a span each) first: "class", "size", "mallocs", "frees" (blocks, as BySize counts
    them; what the mcaches hold has been flushed), "asked" (bytes asked for, of all "mallocs"), "spans", "slots", "live", "free"
    (objects), "span bytes", "inside", "tail" (bytes)."""
    counts = heap_stats(look)
    mallocs = [counts["largeAllocCount"], *counts["smallAllocCount"][1:]]
    frees = [counts["largeFreeCount"], *counts["smallFreeCount"][1:]]
    asked = look.state.process[look.number].asked
    rows = [
        {
            "class": c,
            "size": class_to_size[c],
            "mallocs": mallocs[c],
            "frees": frees[c],
            "asked": int(asked[c]),
            "spans": 0,
            "slots": 0,
            "live": 0,
            "free": 0,
            "span bytes": 0,
            "inside": 0,
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
    for row, allocated in zip(rows, allocated_bytes(counts)):
        occupied = row["span bytes"] - row["tail"] - row["free"] * row["size"]
        row["inside"] = occupied - round(occupied * row["asked"] / allocated) if allocated else 0
    return rows


def allocated_bytes(counts):
    """Bytes of the slots that each class has ever handed out."""
    return [counts["largeAlloc"], *(n * size for n, size in zip(counts["smallAllocCount"][1:], class_to_size[1:]))]


def assume_asked(rt):
    """The initial objects of a recorded heap count as if they filled their slots."""
    rt.machine.state.process[rt.process.number].asked[:] = allocated_bytes(heap_stats(Inspector(rt.process)))

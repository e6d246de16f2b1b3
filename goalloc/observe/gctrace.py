"""The collector's cycles as dicts, and the lines that GODEBUG's gctrace=1 and scavtrace=1 print, from its log (gc/trace.py).

    gc 7 @0.012s 6%: 0.003+0.51+0.001 ms clock, 0.003+0.044/0/0+0.001 ms cpu, 2->3->0 MB, 4 MB goal, 0 MB stacks, 0 MB globals, 1 P
    scav 65536 KiB work (bg), 0 KiB work (eager), 131072 KiB now, 12% util

Go: mgc.go gcMarkTermination, fmtNSAsMS, itoaDiv; mgcscavenge.go printScavTrace.
"""

from goalloc.gc.trace import CYCLE, FORCED, NAMES, SCAVENGED, WORDS_OF
from goalloc.observe.memstats import as_float

CLOCKS = ("began", "marking", "terminating", "ended", "pause_ns", "cpu_fraction")
COUNTS = ("heap_trigger", *(name for name in WORDS_OF if name not in (*CLOCKS, "cons_mark")))
WORD = (1 << 64) - 1


def fields(row):
    return dict(zip(NAMES, map(int, row[1:])))


def cycles(rows, objects, spans):
    """A dict a cycle. `objects`, `spans`: how many have been marked and swept until now.

    Sizes are bytes, times nanoseconds. `next_goal` is what GOGC gives, before the memory limit and the 1 MiB between two cycles (2^64 - 1
    with GOGC off); `goal` the one that the cycle had. Its own spans are swept after it, until the next begins. `at_ns`: when it stopped the
    world, began to mark, stopped it again and was over, by the machine's clocks.
    """
    found = [fields(row) for row in rows if row[0] == CYCLE]
    ends = [cycle["spans"] for cycle in found[1:]] + [spans]
    starts = [0] + [cycle["objects"] for cycle in found[:-1]]
    return [
        {
            "n": c["n"],
            "forced": bool(c["forced"]),
            **{name: c[name] & WORD for name in COUNTS},
            "at_ns": [c[name] for name in ("began", "marking", "terminating", "ended")],
            "pauses_ns": [c["marking"] - c["began"], c["ended"] - c["terminating"]],
            "cons_mark": as_float(c["cons_mark"] & WORD),
            "objects_marked": c["objects"] - before,
            "spans_swept": after - c["spans"],
        }
        for c, before, after in zip(found, starts, ends)
    ]


def lines(rows, began):
    """What both traces print, in order. `began`: when the program started, nanoseconds."""
    tell = {
        CYCLE: lambda row: gctrace(fields(row), began),
        SCAVENGED: lambda row: scavtrace(*map(int, row[1:8])),
        FORCED: lambda row: "GC forced",
    }
    return [tell[int(row[0])](row) for row in rows]


def gctrace(c, began):
    clock = [c["marking"] - c["began"], c["terminating"] - c["marking"], c["ended"] - c["terminating"]]
    cpu = [c["procs"] * clock[0], c["assist_ns"], c["dedicated_ns"] + c["fractional_ns"], c["idle_ns"], c["procs"] * clock[2]]
    first, assist, workers, idle, last = map(milliseconds, cpu)
    mib = {name: (c[name] & WORD) >> 20 for name in ("heap_start", "heap_end", "heap_marked", "goal", "stack_scan", "globals_scan")}
    return (
        f"gc {c['n']} @{divided((c['began'] - began) // 1_000_000, 3)}s {int(as_float(c['cpu_fraction'] & WORD) * 100)}%: "
        f"{'+'.join(map(milliseconds, clock))} ms clock, {first}+{assist}/{workers}/{idle}+{last} ms cpu, "
        f"{mib['heap_start']}->{mib['heap_end']}->{mib['heap_marked']} MB, {mib['goal']} MB goal, {mib['stack_scan']} MB stacks, "
        f"{mib['globals_scan']} MB globals, {c['maxprocs']} P{' (forced)' if c['forced'] else ''}"
    )


def scavtrace(background, eager, released, in_use, retained, forced, reset):
    end = " (forced)" if forced else " [controller reset]" if reset else ""
    return (
        f"scav {background >> 10} KiB work (bg), {eager >> 10} KiB work (eager), {released >> 10} KiB now, "
        f"{in_use * 100 // retained}% util{end}"
    )


def divided(value, decimals):
    """value / 10^decimals, with so many decimals, and a digit before the point."""
    return f"{value // 10**decimals}.{value % 10**decimals:0{decimals}}" if decimals else str(value)


def milliseconds(ns):
    """Nanoseconds as milliseconds with two digits that matter, at most three decimals; from 10 ms on whole."""
    if ns >= 10_000_000:
        return str(ns // 1_000_000)
    x, decimals = ns // 1000, 3
    if x == 0:
        return "0"
    while x >= 100:
        x //= 10
        decimals -= 1
    return divided(x, decimals)

"""How a collection scales with processors, and what the lists of grey objects cost it: `goalloc experiment marking`, `list-padding`.

The program parallel-marking collects a table of objects of 16 bytes while its Ps are free to mark. Microseconds: both pauses together, and the marking
between them (medians of all cycles but the first). Lines: those that a core took, modified, from another core's cache, per 1,000 objects marked: of mark
bits, 512 of which lie on one line (false sharing: the workers mark different objects), of the lists of grey objects, and of all else (among them objects
that main wrote). A pause asks every P, and resets span lists whose lines are with the cores that swept.

list-padding: goroutines on all Ps allocate and keep little, so that workers find few grey objects at a time and hand half of them on. Every worker
looks at work.full before each object. Go 1.21 has a line's padding between it and work.empty, which whoever needs or returns a buffer changes
(golang/go#59461: a service on a machine of many cores gained 9.7 %); before, each such change took the line from all workers. Same work, another
layout; how many of these looks found that the line had gone, per 1,000 objects marked.
"""

import re
import statistics

from goalloc.programs import PROGRAMS, run

PS, CYCLES = (1, 2, 4, 8), 4
MARK_BITS = re.compile(r"mspan\(0x\w+\)\.\w+Bits\[\]|gcBits")  # those of the cycle before are allocation bits now
LISTS = re.compile(r"work\.|workbufs\(|p\d+\.gcw\.")

PADDED_PS = (4, 8, 16)
LAYOUTS = ("sharedworklists=1", "")


def lines_of(result):
    """(mark bits, lists, all else): lines taken, for 1,000 objects marked."""
    found, marked = [0, 0, 0], sum(c["objects_marked"] for c in result.gc)
    for row in result.c2c():
        found[0 if MARK_BITS.match(row["symbol"]) else 1 if LISTS.match(row["symbol"]) else 2] += row["hitm"]
    return [round(n * 1000 / marked, 1) for n in found]


def marking(seed=0, objects=40_000):
    config, rows = PROGRAMS["parallel-marking"].config().replace(cores=max(PS)), []
    for ps in PS:
        result = run("parallel-marking", config, seed, c2c=True, gomaxprocs=ps, objects=objects, cycles=CYCLES)
        cycles = result.gc[1:]
        stopped = statistics.median(sum(c["pauses_ns"]) for c in cycles) / 1e3
        between = statistics.median(c["at_ns"][2] - c["at_ns"][1] for c in cycles) / 1e3
        rows.append([ps, round(stopped, 1), round(between, 1), *lines_of(result)])
    return ["Ps", "stopped, us", "marking, us", "lines: mark bits", "lists", "all else"], rows


def missed_looks(result):
    """How many loads of work.full had to fetch its line, for 1,000 objects marked."""
    words = [word for line in result.c2c() for word in line["offsets"] if word["symbol"] == "work.full"]
    return round(sum(word["load_hitm"] + word["load_llc_hit"] for word in words) * 1000 / sum(c["objects_marked"] for c in result.gc), 1)


def list_padding(seed=0, objects=400):
    config, rows = PROGRAMS["many-goroutines"].config().replace(cores=max(PADDED_PS)), []
    for ps in PADDED_PS:
        row = [ps]
        for setting in LAYOUTS:
            result = run("many-goroutines", config, seed, c2c=True, godebug=setting, gomaxprocs=ps, goroutines=256, objects=objects)
            row += [missed_looks(result), round(result.cycles / config.frequency_ghz / 1e3, 1)]
        rows.append(row)
    return ["Ps", "missed looks", "time, us", "missed looks, apart", "time, us, apart"], rows


TABLES = {"marking": marking, "list-padding": list_padding}

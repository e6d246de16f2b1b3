"""Trace-event JSON, which Perfetto and chrome://tracing open: a run on a time axis.

    process 1 "cores"         a track a core: each coherence request a slice as long as its answer took
    process 2 "memory"        counters: resident, swapped, faults, misses, and the program's own words
    process 3 "collector"     of Go programs: marking, the world stopped

Time is in microseconds of the run. At most MOST requests are written, and the file says how many there were.
Format: "Trace Event Format" (Chrome), JSON object form.
"""

import json

from hwmem.cache.protocol import REQUEST_NAMES
from hwmem.layout import SERIES_NAMES
from hwmem.params import LINE_SHIFT, PAGE, STATE_NAMES

MOST = 100_000
CORES, MEMORY, COLLECTOR = 1, 2, 3
RESIDENT = ("anon", "file", "shared")


def chrome(result):
    """The JSON as text. Raises ValueError of a result that kept nothing with a time."""
    events = [*requests(result), *counters(result), *collections(result)]
    if not events:
        raise ValueError("nothing in it has a time: make it with hwmem run --events N -o FILE")
    logged = 0 if result.events is None else len(result.events)
    other = {"workload": result.workload, "machine": result.config.name, "seed": result.seed, "hwmem": result.version}
    other |= {"requests logged": logged, "requests told": min(logged, MOST)}
    document = {"displayTimeUnit": "ns", "otherData": other, "traceEvents": [*names(result), *events]}
    return json.dumps(document, separators=(",", ":"))


def names(result):
    for pid, name in ((CORES, "cores"), (MEMORY, "memory"), (COLLECTOR, "collector")):
        if pid != COLLECTOR or result.gc:
            yield {"ph": "M", "pid": pid, "tid": 0, "name": "process_name", "args": {"name": name}}
            yield {"ph": "M", "pid": pid, "tid": 0, "name": "process_sort_index", "args": {"sort_index": pid}}
    for c in range(result.config.cores):
        yield {"ph": "M", "pid": CORES, "tid": c, "name": "thread_name", "args": {"name": f"core {c}"}}


def microseconds(result, cycle):
    return round(cycle / (result.config.frequency_ghz * 1e3), 6)


def requests(result):
    if result.events is None:
        return
    start, known = result.start or 0, {row["physical"] >> LINE_SHIFT: row["symbol"] for row in result.lines}
    for event in result.events[:MOST].tolist():
        one = dict(zip(result.events.dtype.names, event))
        ts, spent = microseconds(result, one["cycle"] - start), microseconds(result, one["latency"])
        line = known.get(one["line"]) or f"{one['line'] << LINE_SHIFT:#x}"
        told = {"line": line, "thread": one["thread"], "before": STATE_NAMES[one["before"]], "after": STATE_NAMES[one["after"]]}
        told["answered by"] = f"core {one['responder']}" if one["responder"] >= 0 else "LLC or memory"
        kind = REQUEST_NAMES[one["request"]]
        yield {"ph": "X", "pid": CORES, "tid": one["core"], "ts": ts, "dur": spent, "name": f"{kind} {line}", "cat": kind, "args": told}


def counters(result):
    s = result.series
    if s is None:
        return
    own = [name for name in s.dtype.names if name not in SERIES_NAMES]
    for row in s.tolist():
        one = dict(zip(s.dtype.names, row))
        head = {"ph": "C", "pid": MEMORY, "tid": 0, "ts": microseconds(result, one["cycle"])}
        yield head | {"name": "resident (bytes)", "args": {"bytes": sum(one[name] for name in RESIDENT) * PAGE}}
        yield head | {"name": "swapped (bytes)", "args": {"bytes": one["swapped"] * PAGE}}
        for name in ("faults", "l1_misses", "hitm"):
            yield head | {"name": name, "args": {name: one[name]}}
        for name in own:
            yield head | {"name": name, "args": {"value": one[name]}}


def collections(result):
    start = (result.start or 0) / (result.config.frequency_ghz * 1e3)
    for cycle in result.gc:
        if "at_ns" in cycle:
            at = [round(ns / 1e3 - start, 6) for ns in cycle["at_ns"]]
            for name, begin, end in (("sweep termination", 0, 1), ("marking", 1, 2), ("mark termination", 2, 3)):
                told = {"collection": cycle["n"], "forced": cycle["forced"]}
                yield {
                    "ph": "X",
                    "pid": COLLECTOR,
                    "tid": 0,
                    "ts": at[begin],
                    "dur": round(at[end] - at[begin], 6),
                    "name": name,
                    "args": told,
                }

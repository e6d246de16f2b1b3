"""What `--json` prints, as JSON Schema (draft 2020-12): `hwmem schema NAME`.

    result        hwmem run, hwmem trace, goalloc run, and what a kept result has inside
    section       hwmem report R.hwm SECTION
    difference    hwmem diff A B          moments     hwmem trace-line
    workloads     hwmem list              heap        goalloc report
    litmus        hwmem litmus            sizes       goalloc sizes

A schema's `$id` ends with its version. A version says which names there are and what they hold; more names may come in the same version,
so whoever reads a document passes over those it does not know. What is taken away, or means something else, makes a new version. The
version of a result is its `format`.
"""

from hwmem.runs.result import FORMAT, KIND

DRAFT = "https://json-schema.org/draft/2020-12/schema"
INT, NUMBER, TEXT, BOOL = {"type": "integer"}, {"type": "number"}, {"type": "string"}, {"type": "boolean"}
ANY: dict = {}
COUNT = {"type": "integer", "minimum": 0}
NAME_OR_NONE = {"type": ["string", "null"]}


def record(required, **optional):
    """An object with these members, and perhaps more."""
    return {"type": "object", "properties": required | optional, "required": list(required)}


def rows(of):
    return {"type": "array", "items": of}


def named(of):
    return {"type": "object", "additionalProperties": of}


def or_none(of):
    return {"anyOf": [of, {"type": "null"}]}


# A counter, or those of the program, the walker and the kernel apart
COUNTERS = named({"anyOf": [INT, named(INT)]})
OFFSET = record(
    {"offset": COUNT, "thread": INT, "symbol": TEXT, "sharing": TEXT, "loads": COUNT, "stores": COUNT, "atomics": COUNT, "hitm": COUNT}
)
LINE = record(
    {
        "address": COUNT,
        "physical": COUNT,
        "symbol": TEXT,
        "sharing": {"enum": ["true", "false"]},
        "hitm": COUNT,
        "hitm_percent": NUMBER,
        "loads": COUNT,
        "stores": COUNT,
        "atomics": COUNT,
        "threads": rows(INT),
        "cores": rows(COUNT),
        "offsets": rows(OFFSET),
        "bytes": {"type": "array", "items": or_none(INT), "minItems": 64, "maxItems": 64},
    }
)
GRID = record(
    {
        "title": TEXT,
        "row": NAME_OR_NONE,
        "rows": rows(ANY),
        "column": NAME_OR_NONE,
        "columns": rows(ANY),
        "cells": rows(rows(or_none(NUMBER))),
    }
)
VMA = record(
    {
        "start": COUNT,
        "end": COUNT,
        "perms": TEXT,
        "offset": COUNT,
        "device": TEXT,
        "inode": COUNT,
        "name": TEXT,
        "pages": named(COUNT),
        "resident": TEXT,
        "swapped": TEXT,
    }
)
MISSES = record(
    {"rows": rows(record({"at": {"type": ["integer", "string"]}, "misses": COUNT, "hitms": COUNT, "faults": COUNT})), "of": COUNT}
)
SYMBOL = {"type": "array", "prefixItems": [TEXT, COUNT, COUNT, COUNT], "minItems": 4, "maxItems": 4}
RESULT = record(
    {
        "kind": {"const": KIND},
        "format": {"const": FORMAT},
        "version": TEXT,
        "workload": TEXT,
        "parameters": named(ANY),
        "config": record({"name": TEXT, "cores": COUNT, "protocol": TEXT, "ordering": TEXT}),
        "seed": INT,
        "cores": rows(COUNT),
        "operation": TEXT,
        "cycles": COUNT,
        "seconds": NUMBER,
        "wall_seconds": NUMBER,
        "cost": or_none(NUMBER),
        "counters": record(
            {"cores": rows(COUNTERS), "directory": COUNTERS, "dram": COUNTERS, "llc": COUNTERS, "linux": COUNTERS, "tlb": COUNTERS}
        ),
        "values": named(ANY),
        "symbols": rows(SYMBOL),
        "lines": rows(LINE),
        "comparison": or_none(GRID),
        "races": or_none(rows({"type": "object"})),
        "where": or_none(named(ANY)),
        "space": or_none(rows(VMA)),
        "start": or_none(COUNT),
    },
    stopped=TEXT,
    program={"type": "object"},
)
SECTION = record(
    {"section": TEXT, "workload": TEXT, "machine": TEXT, "seed": INT},
    lines=rows(LINE),
    events=rows(named(INT)),
    races=or_none(rows({"type": "object"})),
    where=or_none(record({"top": COUNT}, **dict.fromkeys(("line", "page", "size", "thread", "instruction"), MISSES))),
    linux=COUNTERS,
    values=named(ANY),
    cores=rows(COUNTERS),
)
CHANGE = record({"name": TEXT, "a": ANY, "b": ANY})
DIFFERENCE = record(
    {
        "settings": rows(CHANGE),
        "figures": rows(record({"name": TEXT, "a": or_none(NUMBER), "b": or_none(NUMBER), "ratio": or_none(NUMBER)})),
    }
)
WORKLOAD = record({"description": TEXT, "machine": named(ANY), "parameters": named(record({"default": ANY, "takes": TEXT, "doc": TEXT}))})
MOMENT = record(
    {
        "cycle": INT,
        "core": COUNT,
        "request": {"enum": ["GETS", "GETX", "UPGRADE", "PUTX"]},
        "supplier": INT,
        "latency": COUNT,
        "states": TEXT,
    }
)
OUTCOMES = record(
    {
        "ordering": TEXT,
        "mode": TEXT,
        "holds": or_none(BOOL),
        "outcomes": rows({"type": "array", "minItems": 2, "maxItems": 2}),
        "allowed": or_none(rows(rows(ANY))),
    }
)
LITMUS = rows(record({"name": TEXT, "observed": rows(TEXT), "condition": NAME_OR_NONE, "results": named(OUTCOMES)}))
SIZES = rows(record({"class": COUNT, "bytes": COUNT, "span bytes": COUNT, "objects": COUNT, "tail waste": COUNT, "max waste": NUMBER}))
COLLECTION = record(
    {
        "n": COUNT,
        "forced": BOOL,
        "pauses_ns": rows(COUNT),
        "at_ns": rows(COUNT),
        "cons_mark": NUMBER,
        **dict.fromkeys(("heap_trigger", "heap_start", "heap_end", "heap_marked", "goal", "next_goal", "assist_ns", "dedicated_ns"), COUNT),
    }
)
CLASS = record(dict.fromkeys(("class", "size", "mallocs", "frees", "spans", "slots", "live", "free", "span bytes", "tail"), COUNT))
TURNS = record({"rows": rows({"type": "array", "minItems": 4, "maxItems": 4}), "lost": COUNT})
HEAP = record(
    {"memstats": named(ANY), "sizes": rows(CLASS)}, gc=rows(COLLECTION), turns=TURNS, trace=rows(TEXT), memprofile={"type": "object"}
)

VERSIONS = {
    "result": (RESULT, FORMAT),
    "section": (SECTION, 1),
    "difference": (DIFFERENCE, 1),
    "workloads": ({"anyOf": [record({"workloads": named(WORKLOAD), "presets": named(TEXT)}), named(WORKLOAD)]}, 1),
    "moments": (rows(MOMENT), 1),
    "litmus": (LITMUS, 1),
    "sizes": (SIZES, 1),
    "heap": (HEAP, 1),
}


def schema(name):
    """The JSON Schema of a document of VERSIONS. Raises ValueError for another name."""
    if name not in VERSIONS:
        raise ValueError(f"schema: {name!r:.40} is none of {', '.join(VERSIONS)}")
    body, version = VERSIONS[name]
    return {"$schema": DRAFT, "$id": f"urn:hwmem:{name}:{version}", "title": f"hwmem {name}, version {version}", **body}

"""What is in a page, and results to make pages of, without running a machine."""

import json
import re

import numpy as np

from hwmem import MachineConfig
from hwmem.cache.protocol import GETS, GETX
from hwmem.layout import SERIES_NAMES
from hwmem.layout.observers import EVENT
from hwmem.machine.machine import Machine
from hwmem.params import M, S
from hwmem.runs.result import Result

DATA = re.compile(r'<script type="application/json" id="data">(.*?)</script>', re.S)
HOSTILE = (
    "</script><script>window.hurt=1</script>",
    "<img src=x onerror='window.hurt=1'>",
    "\"'><svg/onload=window.hurt=1>",
    "<!--<script>",
    "javascript:window.hurt=1",
    "\u2028\u2029\\u003cscript",
    "\x1b[31mred\x1b]0;title\x07",
    "\u202egnp.exe",
    "\ud800 half",
    "&lt;b&gt; &amp; ${window.hurt=1} {{constructor}}",
    "__proto__",
)


def data_of(page):
    """The data in a page."""
    (found,) = DATA.findall(page)
    return json.loads(found)


def blocks_of(page):
    return [block for section in data_of(page)["sections"] for block in section["blocks"]]


def offset(k, n, name):
    counts = dict.fromkeys(("loads", "stores", "atomics", "hitm", "lcl_hitm", "rmt_hitm", "load_hitm", "records", "hitm_true"), 0)
    zeros = dict.fromkeys(("store_l1_hit", "store_l1_miss", "lcl_dram", "rmt_dram", "llc_ld_miss", "load_l1_hit", "load_l2_hit"), 0)
    more = dict.fromkeys(("load_llc_hit", "load_rmt_llc_hit", "upgrades", "atomic_upgrades"), 0)
    cycles = {"lcl_hitm_cycles": 60.0, "rmt_hitm_cycles": 0.0, "load_cycles": 70.0}
    own = {"offset": 8 * k, "thread": k, "process": 0, "symbol": name, "sharing": "false", "cores": [k], "stores": n, "hitm": n}
    return counts | zeros | more | cycles | own | {"hitm_false": n, "lcl_hitm": n}


def line(k, names, cores):
    offsets = [offset(c, 10 * (k + 1), names[c % len(names)]) for c in range(cores)]
    summed = {name: sum(o[name] for o in offsets) for name, value in offsets[0].items() if isinstance(value, int)}
    address = 0x7000 + 64 * k
    owners = [(n // 8 if n // 8 < cores else None) for n in range(64)]
    head = {"address": address, "physical": address, "symbol": names[0], "sharing": "false", "hitm_percent": 50.0}
    return summed | head | {"threads": list(range(cores)), "cores": list(range(cores)), "offsets": offsets, "bytes": owners}


def event_log(n, cores, lines):
    """`n` requests in turn, as a ping-pong makes them."""
    log = np.zeros(n, EVENT)
    k = np.arange(n)
    log["cycle"], log["line"], log["latency"] = 100 * k, (0x7000 >> 6) + k % lines, 60 + k % 7
    log["core"] = log["thread"] = k // lines % cores
    log["responder"] = np.where(k < lines, -1, (k // lines - 1) % cores)
    log["request"], log["before"], log["after"] = np.where(k // lines % 2, GETX, GETS), 0, np.where(k // lines % 2, M, S)
    return log


def series(n, probes=()):
    made = np.zeros(n, [(name, "i8") for name in (*SERIES_NAMES, *probes)])
    k = np.arange(n)
    made["cycle"], made["accesses"], made["l1_misses"], made["hitm"] = 3_000_000 * k, 1000 * k, 40 * k, 9 * k
    made["vm"], made["anon"], made["swapped"], made["faults"] = 5000, 100 + k, k // 4, 3 * k
    for probe in probes:
        made[probe] = 7 * k
    return made


def result(names=("counters[0]", "counters[1]"), cores=4, lines=2, events=400, samples=81, **changes):
    """A Result of everything a page can show. `names`: of whatever has a name."""
    config = MachineConfig().replace(cores=cores)
    counters = Machine(config).counters()
    for c, counts in enumerate(counters["cores"]):
        counts |= {"loads": 1000, "stores": 1000, "l1d.hits": 1900, "l1d.misses": 100, "llc.hits": 100, "interventions_hit_modified": 90}
        counts |= {"miss.cold": 4, "miss.capacity": 6 * c, "miss.false_sharing": 80, "dtlb.hits": 1990, "dtlb.misses": 10, "walks": 4}
        counts |= {"stlb.hits": 6, "stlb.misses": 4, "faults.minor": 3 + c, "faults.major": c, "cycles": 10**6, "walk_accesses": 16}
        counts["program"] |= {"l1d.hits": 1900, "l1d.misses": 100, "llc.hits": 100, "interventions_hit_modified": 90, "dram.reads": 3}
    counters["linux"]["pgfault"] = 30
    space = [
        {
            "start": 0x1000 * (k + 1),
            "end": 0x1000 * (k + 9),
            "perms": "rw-p",
            "offset": 0,
            "device": "00:00",
            "inode": 0,
            "name": names[k % len(names)],
            "pages": {"anon": 3, "lazy": 1, "file": 0, "zero": 0, "huge": 0, "swap": 2},
            "resident": "90099000",
            "swapped": "00900900",
        }
        for k in range(max(6, len(names)))
    ]
    fields = {
        "workload": names[0],
        "parameters": {"threads": cores, "stride": 8},
        "config": config,
        "seed": 0,
        "cores": list(range(cores)),
        "operation": "increment",
        "cycles": 3_000_000 * max(samples, 1),
        "wall_seconds": 1.0,
        "counters": counters,
        "values": {"operations": 4000},
        "symbols": [(name, 0x7000 + 8 * k, 8, 8) for k, name in enumerate(names)],
        "lines": [line(k, names, min(cores, 8)) for k in range(lines)],
        "comparison": {
            "title": "cycles",
            "row": "threads",
            "rows": [1, 4],
            "column": "stride",
            "columns": [8, 64],
            "cells": [[6.0, 6.0], [12.5, 6.0]],
        },
        "events": event_log(events, cores, max(lines, 1)) if events else None,
        "series": series(samples, [name for name in names if name.isidentifier()]) if samples else None,
        "space": space,
        "races": [],
        "start": 0,
    }
    return Result(**(fields | changes))

"""Collectors by the four criteria, a row a run: `goalloc compare collectors`.

    pause          the longest, percentiles, and the minimum mutator utilisation: the smallest share of any window of so many microseconds that the program got
    throughput     cycles a step of the program; the collector's share of them, which for counting includes every count
    efficiency     of the heap: how small it may be (a row says so if it is too small), and memory in RAM relative to the most that lives
    locality       of the program after a collection: misses of the L1 and of the first TLB in a thousand loads of a walk over the live objects

A heap's size is a multiple of the live data: the most that a full collection leaves, measured by compacting often (the `threaded` collector). It counts
what objects alone need, with their one header word; tables, mark stack, other half and prefixes are the collector's overhead. Go's collections are
at least 1 MiB of allocation apart (mgcpacer.go sweepMinHeapDistance): in place of smaller heaps it gets the smallest that it can keep to.
Minimum mutator utilisation: Cheng, Blelloch 2001; GC Handbook 1.5 (criteria), figure 1.2.
"""

import functools
import math
from operator import itemgetter

import numpy as np

from hwmem.config.machine import MachineConfig
from hwmem.errors import MachineError
from hwmem.runs.job import Job
from hwmem.runs.watch import UNWATCHED
from goalloc.collectors.kinds import COLLECTORS, GO
from goalloc.programs import mutator_graph, mutator_lists, mutator_trees  # noqa: F401  (they register)
from goalloc.programs.mutators import MUTATORS

PROGRAMS = ("binary-trees", "lists", "lru", "gcbench", "graph")
ALL = (*COLLECTORS, *GO)
FACTORS = (1.2, 2.0, 3.0, 6.0)
SWEEP_DISTANCE = 1 << 20  # bytes
WINDOWS = (10, 100, 1000)  # microseconds
PROBED_HEAP, PROBED_EVERY = "16MiB", 500  # steps between two collections that measure what lives
FIGURES = {  # key: what a column of the table is called
    "heap": "heap/ live",
    "collector": "collector",
    "cycles": "cycles/ step",
    "share": "GC %",
    "collections": "GCs",
    "median": "pause us",
    "p99": "99 %",
    "longest": "most",
    **{f"mmu_{w}": f"MMU {w}us" if w < 1000 else f"MMU {w // 1000}ms" for w in WINDOWS},
    "memory": "RAM/ live",
    "l1d": "L1 /k",
    "dtlb": "TLB /k",
}


def run(program, collector, heap, seed=0, config=None, **parameters):
    """The hwmem.Result of one program on one collector, with `heap` bytes. Raises ValueError; MachineError if the heap is exhausted."""
    given = parameters | {"collector": collector, "heap": heap}
    return Job(MUTATORS.find(program), config or MachineConfig(), seed, None, given).run(watch=UNWATCHED)


@functools.lru_cache(64)
def live_bytes(program, seed=0, config=None, every=PROBED_EVERY, **parameters):
    """The most bytes of a program's that live at a time, looked at after so many steps."""
    return run(program, "threaded", PROBED_HEAP, seed, config, every=every, **parameters).values["most_live"]


def heap_of(live, factor):
    return int(live * factor) // 16 * 16


def utilisation(pauses, begin, end, window):
    """The least part of any `window` cycles between `begin` and `end` in which no pause is; of a shorter run, of all of it. `pauses`: (start, end),
    in order."""
    pauses = np.clip(np.asarray(pauses, float).reshape(-1, 2), begin, end)
    window = min(window, end - begin)
    if not len(pauses) or window <= 0:
        return 1.0
    edges = np.concatenate([[begin], pauses.ravel(), [end]])
    paused = np.concatenate([[0], np.cumsum(np.diff(edges) * (np.arange(len(edges) - 1) % 2))])  # until each edge
    first = np.clip(
        np.concatenate([pauses[:, 0], pauses[:, 1] - window]), begin, end - window
    )  # the worst begins with a pause, or ends with one
    spent = np.interp(first + window, edges, paused) - np.interp(first, edges, paused)
    return float(1 - spent.max() / window)


def row(result, live):
    """The figures of one run, a dict with the keys of FIGURES; pauses in microseconds."""
    values, mhz = result.values, result.config.frequency_ghz * 1e3
    begin = result.start
    pauses = np.asarray(values["pauses"], float).reshape(-1, 2)
    lengths = (pauses[:, 1] - pauses[:, 0]) / mhz if len(pauses) else np.zeros(1)
    end, loads = begin + result.cycles, max(values["walk"]["loads"], 1)
    found = {
        "collector": result.parameters["collector"],
        "cycles": round(result.cycles / values["operations"]),
        "share": round(100 * values["collector_cycles"] / result.cycles),
        "collections": values["collections"],
        "median": round(float(np.median(lengths)), 1),
        "p99": round(float(np.percentile(lengths, 99)), 1),
        "longest": round(float(lengths.max()), 1),
        "memory": round(values["rss"] / live, 2),
        "l1d": round(1000 * values["walk"]["l1d"] / loads),
        "dtlb": round(1000 * values["walk"]["dtlb"] / loads),
    }
    return found | {f"mmu_{w}": round(100 * utilisation(pauses, begin, end, w * mhz)) for w in WINDOWS}


def compare(program, collector, factor, seed=0, config=None, **parameters):
    """`row` of a heap of `factor` times what lives, its "heap" with it; where it is too small, with None for what was to be measured."""
    live = live_bytes(program, seed, config, **parameters)
    try:
        found = row(run(program, collector, heap_of(live, factor), seed, config, **parameters), live)
    except MachineError as error:
        if "heap exhausted" not in str(error):
            raise
        found = dict.fromkeys(FIGURES) | {"collector": collector}
    return found | {"heap": factor}


def runs(programs=PROGRAMS, collectors=ALL, factors=FACTORS, seed=0):
    """(program, collector, factor) of each run, in the tables' order."""
    found = []
    for program in programs:
        pairs = [(factor, collector) for collector in collectors for factor in heaps_of(collector, program, factors, seed)]
        found += [(program, collector, factor) for factor, collector in sorted(pairs, key=itemgetter(0))]
    return found


def heaps_of(collector, program, factors, seed=0):
    """The factors that a collector can keep to, of those asked for; of Go the least that it can in place of smaller ones."""
    if collector not in GO:
        return list(factors)
    least = math.ceil(10 * (1 + SWEEP_DISTANCE / live_bytes(program, seed))) / 10
    return list(dict.fromkeys(max(factor, least) for factor in factors))

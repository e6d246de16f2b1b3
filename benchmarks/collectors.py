"""Part "collectors": objects that one emulated collector marks, copies or counts, in a CPU second of the host, everything modelled.

A list of objects of 32 bytes lives, 5,000 or 50,000 (more than the second cache holds), in a heap of four times as much; a collection is repeated. Marked (mark-sweep: with its sweep; lisp2, threaded:
with sliding, where nothing has to move), copied (semispace); of counting, objects that a store frees.
"""

import numpy as np
from tqdm import tqdm

from benchmarks.floors import Floor
from benchmarks.measure import best_in_turn
from hwmem.report.table import table

LIVE, TIMES, LEAST = (5_000, 50_000), 10, 3e6
COLLECTORS = ("mark-sweep", "lisp2", "threaded", "semispace", "generational", "counts")
BYTES = 32


def list_script(n):
    """A list of `n` objects, the last made on the stack."""
    from goalloc.collectors.script import NEW, POP, SET, STORE

    rows = np.zeros((4 * n, 4), np.int64)
    rows[0::4] = [(NEW, 1, 2, 0)]
    rows[1::4], rows[2::4], rows[3::4] = (STORE, 1, 0, 0), (SET, 0, 1, 0), (POP, 1, 0, 0)
    rows[0::4, 3] = np.arange(n)
    return np.delete(rows, (1, 2, 3), axis=0)  # of the first there is none before it


def prepared(collector, live):
    """The call to measure, on a machine of its own."""
    from goalloc.collectors.heap import Heap
    from goalloc.collectors.script import COLLECT, POP, script
    from hwmem import Machine

    heap = Heap(Machine().spawn(), collector, 4 * live * BYTES)
    heap.run(list_script(live))
    if collector == "counts":
        drop = script([(POP, 1)])
        return lambda: heap.run(drop)
    heap.run(script([(COLLECT,)]))
    collections = script([(COLLECT,)] * TIMES)
    return lambda: heap.run(collections)


def measure(repeats):
    cases = [(name, live) for name in COLLECTORS for live in LIVE]
    with tqdm(total=len(cases) * (repeats + 1), desc="collectors", unit="run", disable=None) as bar:
        contenders = {case: lambda case=case: prepared(*case) for case in cases}
        for prepare in contenders.values():  # compiled, and loaded
            prepare()()
            bar.update()
        best = best_in_turn(contenders, repeats, lambda case: bar.update())
    rates = {case: case[1] * (1 if case[0] == "counts" else TIMES) / seconds for case, seconds in best.items()}
    return {name: {f"{live:,}": rates[name, live] for live in LIVE} for name in COLLECTORS}


def text(result):
    rows = [[name, *(rate / 1e6 for rate in rates.values())] for name, rates in result.items()]
    return "objects collected, million a CPU second, everything modelled\n" + table(["", *(f"{live:,} live" for live in LIVE)], rows)


def floors(result):
    for name, rates in result.items():
        for live, rate in rates.items():
            yield Floor(f"million objects a second, {live} live", name, rate / 1e6, None if name == "counts" else LEAST / 1e6)

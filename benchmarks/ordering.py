"""Part "ordering": what memory ordering costs the emulator.

hits      loads and stores of one core in a working set that its L1 holds, one store in four, in random order, by the
          kernels that programs call; million accesses a second under sc, tso and relaxed
private   four threads that each increment a counter of their own line      without and with the race detector,
locked    four threads that add to one under a ticket lock                  nanoseconds an access
litmus    every interleaving of store buffering by six threads in a ring (6.SB): states a second
"""

import numpy as np
from tqdm import tqdm

from benchmarks.floors import Floor
from benchmarks.measure import best_in_turn
from hwmem import litmus
from hwmem._jit import kernel
from hwmem.config.machine import MachineConfig
from hwmem.core.access import load64, store64
from hwmem.machine.machine import Machine
from hwmem.runs.watch import Watch
from hwmem.params import ORDERINGS
from hwmem.machine.enter import place_thread
from hwmem.report.table import table
from hwmem.programs import find
from hwmem.runs.job import Job, accesses, start_thread

WORKING_SET = 16 << 10
HITS = 8_000_000
STORES = 4  # one access in so many is a store
PROGRAMS = {
    "private": ("false-sharing", {"stride": 64, "threads": 4, "iterations": 100_000}),
    "locked": ("spin-lock", {"lock": "ticket", "threads": 4, "iterations": 10_000}),
}
FLOOR = 0.8  # of sc's speed
RING = {"threads": [[["store", f"x{n}", 1], ["load", f"x{(n + 1) % 6}", "r"]] for n in range(6)]}


@kernel
def hit(m, t, base, places, total):
    """`total` accesses at base + places, again and again; the sum of what was loaded."""
    found, k = 0, 0
    for i in range(total):
        if i % STORES == 0:
            store64(m, t, base + places[k], i)
        else:
            found += load64(m, t, base + places[k])
        k = k + 1 if k + 1 < len(places) else 0
    return found


def measure(repeats):
    """{"hits": {ordering: accesses a second}, "races": {program: {"off", "on": seconds an access}}, "litmus": states a second}."""
    with tqdm(total=3, desc="ordering", unit="part", disable=None) as bar:
        seconds = best_in_turn({ordering: lambda o=ordering: prepare_hits(o) for ordering in ORDERINGS}, repeats)
        hits = {ordering: HITS / s for ordering, s in seconds.items()}
        bar.update()
        programs = {(name, watched): Program(name, watched) for name in PROGRAMS for watched in (False, True)}
        seconds = best_in_turn({key: program.prepare for key, program in programs.items()}, repeats)
        races = {
            name: {state: seconds[name, watched] / programs[name, watched].accesses for state, watched in (("off", False), ("on", True))}
            for name in PROGRAMS
        }
        bar.update()
        states = litmus.run(RING, "tso").states
        least = best_in_turn({"litmus": lambda: lambda: litmus.run(RING, "tso")}, repeats)["litmus"]
        bar.update()
    return {"repeats": repeats, "hits": hits, "races": races, "litmus": {"states": states, "rate": states / least}}


def prepare_hits(ordering):
    machine = Machine(MachineConfig().replace(ordering=ordering))
    process = machine.spawn()
    base = process.mmap(0, WORKING_SET)
    process.touch(base, WORKING_SET)
    t = process.thread_on(0)
    place_thread(machine.state, t, 0)
    places = np.random.default_rng(1).permutation(WORKING_SET // 8) * 8
    hit(machine.state, t, base, places, len(places))
    return lambda: hit(machine.state, t, base, places, HITS)


class Program:
    """A workload, with the race detector or without; `accesses` is how many the last run made."""

    def __init__(self, name, watched):
        self.name, self.watched, self.accesses = name, watched, 0

    def prepare(self):
        workload, parameters = PROGRAMS[self.name]
        job = Job(find(workload), parameters=parameters)
        job.set_up()
        job.level_clocks()
        m = job.machine.state
        if self.watched:
            Watch(c2c=False, races=True).start(job.machine, job.threads)
        for rank, t in enumerate(job.threads):
            start_thread(m, t, rank)
        before = accesses(m)

        def run():
            job.workload.kernel(m, job.w)
            self.accesses = accesses(m) - before

        return run


def text(result):
    """Two tables and a line."""
    hits, sc = result["hits"], result["hits"]["sc"]
    races = [[name, r["off"] * 1e9, r["on"] * 1e9, r["on"] / r["off"]] for name, r in result["races"].items()]
    return "\n\n".join(
        [
            f"Accesses that hit, one store in {STORES}, best of {result['repeats']}\n"
            + table(["ordering", "M accesses a CPU second", "of sc"], [[o, rate / 1e6, rate / sc] for o, rate in hits.items()]),
            "Race detector, ns an access\n" + table(["program", "off", "on", "times"], races),
            f"Litmus, 6.SB under tso: {result['litmus']['states']:,} states, {result['litmus']['rate'] / 1e6:.2f} million a CPU second",
        ]
    )


def floors(result):
    hits = result["hits"]
    yield Floor("hits, tso / sc", "ratio", hits["tso"] / hits["sc"], FLOOR)
    yield Floor("hits, relaxed / sc", "ratio", hits["relaxed"] / hits["sc"])
    for name, r in result["races"].items():
        yield Floor("race detector, times as slow", name, r["on"] / r["off"])

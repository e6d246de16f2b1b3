"""Part "sharing": accesses a second while cores fight over a line.

The workload false-sharing with adjacent counters (stride 8), one thread a core. "atomic" is one locked operation an
increment, and nearly all of them take the line from another core; "plain" is a load and a store, in bursts, since
stores wait for the line in the store buffer; "watched" is plain with the observer of contended lines on
(Result.c2c()). Only the kernel's CPU time counts, not the set-up.
"""

from tqdm import tqdm

from benchmarks.floors import Floor
from benchmarks.measure import best_in_turn
from benchmarks.workloads import Workload
from hwmem.config.machine import MachineConfig
from hwmem.report.table import table

CORES = (2, 4, 8, 16)
INCREMENTS = 2_000_000  # by all threads together
ROWS = {"plain": (False, False), "atomic": (True, False), "watched": (False, True)}  # (atomic, watched)
FLOORS = {2: 15.0, 16: 8.0}  # million accesses a second, unwatched
GEM5 = {2: 0.40, 4: 0.34}  # Ruby, MESI_Two_Level, recorded once on a quiet machine: not measured here


def measure(repeats):
    """{"rates": {row: {cores: accesses a second}}}."""
    rates = {row: {} for row in ROWS}
    with tqdm(CORES, desc="false sharing", unit="machine", disable=None) as bar:
        for cores in bar:
            jobs = {row: contest(cores, *switches) for row, switches in ROWS.items()}
            seconds = best_in_turn(
                {row: job.prepare for row, job in jobs.items()}, repeats, lambda row: bar.set_postfix_str(f"{cores} cores, {row}")
            )
            for row, job in jobs.items():
                rates[row][cores] = job.accesses / seconds[row]
    return {"repeats": repeats, "increments": INCREMENTS, "rates": rates, "gem5": {c: r * 1e6 for c, r in GEM5.items()}}


def contest(cores, atomic, watched):
    """`cores` threads with adjacent counters."""
    parameters = {"threads": cores, "stride": 8, "iterations": INCREMENTS // cores, "atomic": atomic}
    return Workload("false-sharing", parameters, MachineConfig().replace(cores=cores), watched)


def text(result):
    """The table: million accesses a second."""
    rates = result["rates"] | {"gem5": result["gem5"]}
    labels = {"watched": "plain, watched for contended lines", "gem5": "gem5 Ruby, MESI (recorded, not run here)"}
    rows = [[labels.get(row, row), *(by_cores[c] / 1e6 if c in by_cores else None for c in CORES)] for row, by_cores in rates.items()]
    return f"False sharing, million accesses a CPU second, best of {result['repeats']}\n" + table(
        ["", *(f"{c} cores" for c in CORES)], rows
    )


def floors(result):
    for row in ("plain", "atomic"):
        for cores, floor in FLOORS.items():
            yield Floor(f"false sharing, {row}, M/s", f"{cores} cores", result["rates"][row][cores] / 1e6, floor)

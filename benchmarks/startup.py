"""Part "startup": from the prompt to the table of `hwmem run false-sharing`.

    cold    with an empty compile cache: numba compiles the machine and the workload
    warm    again, everything compiled

A process of its own each time. Seconds are by the clock, since that is what one waits; CPU seconds stand beside them.
"""
import tempfile

from tqdm import tqdm

from benchmarks.floors import UNDER, Floor
from benchmarks.measure import python, run_child
from hwmem.report.table import table

COMMAND = python("hwmem", "run", "false-sharing")
WARM_RUNS = 3
FLOORS = {"cold": 45.0, "warm": 2.0}            # seconds by the clock, on two cores


def measure(repeats):
    """{"runs": {"cold" or "warm": {"wall", "cpu"}}}, in seconds; the best warm run."""
    with tempfile.TemporaryDirectory() as cache, tqdm(total=1 + WARM_RUNS, desc="startup", unit="run", disable=None) as bar:
        def run():
            used = run_child(COMMAND, {"NUMBA_CACHE_DIR": cache})
            bar.update()
            return used
        runs = {"cold": run(), "warm": min((run() for _ in range(WARM_RUNS)), key=lambda used: used.wall)}
    return {"command": "hwmem run false-sharing", "runs": {name: {"wall": u.wall, "cpu": u.cpu} for name, u in runs.items()}}


def text(result):
    rows = [[f"{name} compile cache", run["wall"], run["cpu"]] for name, run in result["runs"].items()]
    return f"{result['command']}, from the prompt to the table\n" + table(["", "seconds", "CPU seconds"], rows)


def floors(result):
    for name, run in result["runs"].items():
        yield Floor(f"prompt to table, {name}", "seconds", run["wall"], FLOORS[name], UNDER)

"""Part "startup": from the prompt to the table of `hwmem run false-sharing` and `goalloc run alloc-storm`.

    cold    with an empty compile cache of its own: numba compiles the machine and the workload
    warm    again, everything compiled

A process of its own each time. Seconds are by the clock, since that is what one waits; CPU seconds stand beside them.
"""

import tempfile

from tqdm import tqdm

from benchmarks.floors import UNDER, Floor
from benchmarks.measure import python, run_child
from hwmem.report.table import table

COMMANDS = {"hwmem": python("hwmem", "run", "false-sharing"), "goalloc": python("goalloc", "run", "alloc-storm")}
WARM_RUNS = 3
FLOORS = {"hwmem, cold": 20.0, "hwmem, warm": 1.3, "goalloc, cold": 35.0, "goalloc, warm": 2.0}  # seconds by the clock, on two cores


def measure(repeats):
    """{"runs": {"hwmem, cold", ...: {"wall", "cpu"}}}, in seconds; the best warm run."""
    runs = {}
    with tqdm(total=len(COMMANDS) * (1 + WARM_RUNS), desc="startup", unit="run", disable=None) as bar:
        for name, command in COMMANDS.items():
            with tempfile.TemporaryDirectory() as cache:
                used = []
                for _ in range(1 + WARM_RUNS):
                    used.append(run_child(command, {"NUMBA_CACHE_DIR": cache}))
                    bar.update()
            runs |= {f"{name}, cold": used[0], f"{name}, warm": min(used[1:], key=lambda one: one.wall)}
    return {
        "commands": {name: " ".join(command[2:]) for name, command in COMMANDS.items()},
        "runs": {name: {"wall": u.wall, "cpu": u.cpu} for name, u in runs.items()},
    }


def text(result):
    rows = [[name, run["wall"], run["cpu"]] for name, run in result["runs"].items()]
    return f"{' and '.join(result['commands'].values())}, from the prompt to the table\n" + table(["", "seconds", "CPU seconds"], rows)


def floors(result):
    for name, run in result["runs"].items():
        yield Floor(f"prompt to table, {name}", "seconds", run["wall"], FLOORS[name], UNDER)

"""A run over time, from Python: started with the measured phase, read at its end (linux/series.py takes the rows).

    start(machine, process, probes, start)  ...  stop(machine, t, cycle)  ──>  a structured array, a row a sample

Cycles are the run's, from 0; counts of pages are as Linux keeps them; counts of accesses, misses and so on are those since the run
began. Costs no cycle, and the host some microseconds a row.
"""

import numpy as np

from hwmem import params as P
from hwmem.layout import SERIES_COUNTS, SERIES_NAMES
from hwmem.machine.enter import enter

FIRST_STEP = 1024  # cycles between rows of the shortest runs
NOW = ("cycle", "vm", "anon", "file", "shared", "swapped", "lazy", "cached", "used")  # of the columns: not counted from the beginning on


def start(machine, process, probes, cycle):
    """From `cycle` on, which the clocks stand at; `probes`: (name, address)."""
    s = machine.state.series
    s.start, s.step, s.rows, s.process, s.probes = cycle, FIRST_STEP, 0, process, len(probes)
    s.probe[: len(probes)] = [address for _, address in probes]
    s.at = cycle


def stop(machine, t, cycle, probes):
    """The rows, the last of them at `cycle`. `t`: a thread of the run."""
    m = machine.state
    enter(m, P.DOOR_SERIES, t, cycle, 0, 0)
    m.series.at = P.NEVER
    rows, width = m.sample[: int(m.series.rows)], SERIES_COUNTS + len(probes)
    found = np.zeros(len(rows), [(name, "i8") for name in (*SERIES_NAMES, *(name for name, _ in probes))])
    for k, name in enumerate(found.dtype.names[:width]):
        base = m.series.start if name == "cycle" else 0 if name in NOW or k >= SERIES_COUNTS else rows[0, k]
        found[name] = rows[:, k] - base
    return found

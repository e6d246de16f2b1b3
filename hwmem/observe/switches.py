"""Observers on and off.

    start(machine, classify=True, c2c=True, events=1000, races=True)  ...  stop(machine)  ...  read

A start begins a new observation: tables and the event log are emptied; core.miss, like every counter, goes on. What
was observed can be read while it goes on and after the stop. While classify, c2c or races is on, every access leaves
the hit filter (cache/hit_filter.py): that costs time on the host, and no cycle.
"""

import numpy as np

from hwmem.cache.hit_filter import forget_everything
from hwmem.config.build import is_direct
from hwmem.config.record import Integer
from hwmem.layout import CELL, EVENT_SLOTS
from hwmem.observers.sharing import FALSE_SHARING

EVENTS = Integer(0, EVENT_SLOTS)


def start(machine, classify=False, c2c=False, events=0, races=False):
    """Begin an observation: miss causes (`classify`), contended lines (`c2c`), the first `events` coherence
    requests, data races (`races`).

    Raises TypeError or ValueError for more events than the log holds.
    """
    events = EVENTS.check("events", events)
    stop(machine)
    m = machine.state
    o = m.observe
    o.epoch += 1
    m.others_wrote[: o.rows + 1] = 0
    m.cell[: o.cells] = np.zeros(1, CELL)
    if o.cells:
        m.cell_index[:] = 0
    o.rows = o.cells = o.sharing_dropped = o.c2c_dropped = o.event_count = 0
    o.classify, o.c2c, o.events, o.event_limit = bool(classify), bool(c2c), events > 0, events
    if races:
        begin_races(m)
    m.direct = m.direct and not o.events
    o.races = bool(races)
    o.watching = o.classify or o.c2c or o.races
    if o.watching:
        forget_everything(m)
        m.core["plain"][: int(m.cores)] = 0


def stop(machine):
    """End the observation. Misses whose lifetime is still open stay what they count as: false sharing."""
    m = machine.state
    o = m.observe
    m.core["miss"][:, FALSE_SHARING] += o.pending
    o.pending[:] = 0
    o.watching = o.classify = o.c2c = o.events = o.races = 0
    m.direct = is_direct(machine.config)


def begin_races(m):
    """No access made so far counts, and no thread knows of another."""
    o = m.observe
    if o.race_cells or o.race_rows:
        m.race_index[:] = 0
        m.race_sync[:] = 0
    m.race_row[: o.race_rows + 1] = 0
    m.race_clock[:] = 0
    np.fill_diagonal(m.race_clock, 1)
    o.race_cells = o.race_rows = o.race_count = o.races_dropped = 0

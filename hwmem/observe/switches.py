"""Observers on and off.

    start(machine, classify=True, c2c=True, events=1000)  ...  stop(machine)  ...  read

A start begins a new observation: tables and the event log are emptied; core.miss, like every counter, goes on. What
was observed can be read while it goes on and after the stop. While classify or c2c is on, every access leaves the hit
filter (core/access.py): that costs time on the host, and no cycle.
"""
import numpy as np

from hwmem.layout import CELL, EVENT_SLOTS
from hwmem.observe.sharing import FALSE_SHARING


def start(machine, classify=False, c2c=False, events=0):
    """Begin an observation: miss causes (`classify`), contended lines (`c2c`), the first `events` coherence requests.

    Raises ValueError for more events than the log holds.
    """
    if not 0 <= events <= EVENT_SLOTS:
        raise ValueError(f"events: takes 0 to {EVENT_SLOTS}, not {events}")
    stop(machine)
    m = machine.state
    o = m.observe
    o.epoch += 1
    m.others_wrote[:o.rows + 1] = 0
    m.cell[:o.cells] = np.zeros(1, CELL)
    if o.cells:
        m.cell_index[:] = 0
    o.rows = o.cells = o.sharing_dropped = o.c2c_dropped = o.event_count = 0
    o.classify, o.c2c, o.events, o.event_limit = bool(classify), bool(c2c), events > 0, events
    o.watching = o.classify or o.c2c
    if o.watching:
        for c in range(int(m.cores)):
            m.core[c].hot["line"] = 0
            m.core[c].hot["store"] = 0
            m.core[c].plain = 0


def stop(machine):
    """End the observation. Misses whose lifetime is still open stay what they count as: false sharing."""
    m = machine.state
    o = m.observe
    m.core["miss"][:, FALSE_SHARING] += o.pending
    o.pending[:] = 0
    o.watching = o.classify = o.c2c = o.events = 0

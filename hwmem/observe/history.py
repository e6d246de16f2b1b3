"""The history of one line: each request for it, and in which state every core then has it.

    cycle  core  request  answered by  cycles   P0 P1 P2
      120     1  GETX     core 0           75   I  M  I

Worked out from the event log (events.py): a request and its answer say what becomes of the core that asked, the
protocol's table what becomes of the others. Two things happen in silence and are seen late or not at all: a store that
makes E into M (the line stays E here until its core's next request or PUTX says M; under MOESI, read by another core, S
for what is O), and a core that drops a clean copy
for want of room (it stays S here until it asks again).
"""

from typing import NamedTuple

import numpy as np

from hwmem.cache.protocol import BUS_RD, BUS_RDX, BUS_UPGR, GETS, GETX, REQUEST_NAMES, UPGRADE, tables
from hwmem.params import STATE_NAMES, I, M

MEETS = {GETS: BUS_RD, GETX: BUS_RDX, UPGRADE: BUS_UPGR}


class Moment(NamedTuple):
    """`states`: a letter a core, after the request; `supplier`: the core that had the line, -1 if none did."""

    cycle: int
    core: int
    request: str
    supplier: int
    latency: int
    states: str


def history(log, line, cores, protocol):
    """The Moments of physical line `line` (address >> 6) in an event log, oldest first."""
    table = tables(protocol).next_state
    states, moments = [I] * cores, []
    for event in log[log["line"] == line]:
        core, request, supplier = int(event["core"]), int(event["request"]), int(event["responder"])
        if supplier >= 0 and states[supplier] == I:
            states[supplier] = M  # it had the line since before the log began
        if request in MEETS:
            states = [int(table[state, MEETS[request]]) if state != I else I for state in states]
        states[core] = int(event["after"])
        moments.append(
            Moment(
                int(event["cycle"]), core, REQUEST_NAMES[request], supplier, int(event["latency"]), "".join(STATE_NAMES[s] for s in states)
            )
        )
    return moments


def busiest(log):
    """The line with the most requests, or None."""
    if not len(log):
        return None
    lines, counts = np.unique(log["line"], return_counts=True)
    return int(lines[np.argmax(counts)])

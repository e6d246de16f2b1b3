"""What a run is watched for, from its arguments to what its result keeps.

    Watch ── start ── the measured phase ── stop ── lines, log, races     observe/switches.py, c2c.py, events.py, race_report.py

A result speaks of the program's threads by the numbers that the program gives them, from 0.
"""

import time
from typing import NamedTuple

import numpy as np

from hwmem import params as P
from hwmem.ctrl_c import heard
from hwmem.observe import c2c, events, race_report, switches

SEVERAL = -1
INTERRUPTED_LINES = 1000
INTERRUPTED = "interrupted"  # what a Result's `stopped` says after Ctrl-C


class Watch(NamedTuple):
    """`c2c`: contended lines (None: if there are several threads); `classify`: misses by cause; `events`: how many
    coherence requests to log; `races`: look for data races."""

    c2c: bool | None = None
    classify: bool = False
    events: int = 0
    races: bool = False

    def start(self, machine, threads):
        switches.start(machine, self.classify, len(threads) > 1 if self.c2c is None else self.c2c, self.events, self.races)

    def stop(self, machine):
        switches.stop(machine)

    def over(self, machine, threads, run):
        """What `run()`, replays on the machine's threads, took: the host's seconds, the counters, INTERRUPTED or None."""
        machine.reset_counters()
        self.start(machine, threads)
        began, stopped = time.perf_counter(), None
        try:
            run()
        except KeyboardInterrupt:
            heard.clear()
            stopped = INTERRUPTED
        wall, counters = time.perf_counter() - began, machine.counters()
        self.stop(machine)
        return wall, counters, stopped

    def lines(self, machine, symbols, threads, stopped=None):
        """Rows of observe/c2c.py's table, each also with "bytes": for every byte of the line the thread that wrote it
        or, if nobody did, read it; None for no thread, SEVERAL for several. Of a run that is `stopped` by Ctrl-C the worst ones, for the end is waited
        for."""
        rank = {t: n for n, t in enumerate(threads)}
        rows, most = [], INTERRUPTED_LINES if stopped == INTERRUPTED else None
        for row, cells in c2c.rows_and_cells(c2c.snapshot(machine), [as_c2c_takes_it(s) for s in symbols], most):
            row["bytes"] = owners(cells, rank)
            row["threads"] = [rank.get(t, t) for t in row["threads"]]
            for offset in row["offsets"]:
                offset["thread"] = rank.get(offset["thread"], offset["thread"])
            rows.append(row)
        return rows

    def found_races(self, machine, threads):
        """Rows of observe/race_report.py's table, or None."""
        if not self.races:
            return None
        rank = {t: n for n, t in enumerate(threads)}
        return race_report.table(machine, lambda t: rank.get(t, t))

    def log(self, machine, threads):
        """The event log as an array (observe/events.py), or None."""
        if not self.events:
            return None
        log, _ = events.events(machine)
        number = np.arange(-1, P.MAX_THREADS)  # of thread t at t + 1; of nobody, -1, at 0
        number[np.array(threads) + 1] = range(len(threads))
        log["thread"] = number[log["thread"] + 1]
        return log


UNWATCHED = Watch(c2c=False)


def as_c2c_takes_it(symbol):
    """(start, end, name), and the element's size where there are several."""
    return (symbol.start, symbol.start + symbol.size, symbol.name) + ((symbol.element,) if symbol.element < symbol.size else ())


def owners(cells, rank):
    """The thread of each byte of a line, from the line's cells."""
    found = [None] * P.LINE
    for touched in ("read", "wrote"):  # who writes a byte counts, and only else who reads it
        masks = {}
        for cell in cells:
            masks[cell.thread] = masks.get(cell.thread, 0) | getattr(cell, touched)
        by_one = by_several = 0
        for mask in masks.values():
            by_one, by_several = by_one | mask, by_several | by_one & mask
        for thread, mask in masks.items():
            own = rank.get(thread, thread)
            for byte in c2c.bits(mask):
                found[byte] = SEVERAL if by_several >> byte & 1 else own
    return found

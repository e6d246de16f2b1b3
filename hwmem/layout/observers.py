"""Records of the observers: their tables, then the switches."""
from hwmem import params as P
from hwmem.layout.rules import record

WATCHED_SLOTS = 1 << 20             # lines that can be followed (a power of two)
SHARED_ROWS = 1 << 16               # of them, those that more than one core has touched
CELLS = 1 << 17                     # (line, offset, thread) triples of contended lines
CELL_SLOTS = 2 * CELLS
EVENT_SLOTS = 1 << 20

WATCHED = record("line", "va", ("held", "u8"), ("lost", "u8"), ("pending", "u8"),     # masks of cores (observers/sharing.py)
                 ("wrote", "u8"),   # bytes written by thread `writer` - 1 before anybody contended (observers/contended.py)
                 ("epoch", "i4"), ("row", "i4"), ("use", "i4"), ("writer", "i2"), ("contended", "i2"))

CELL = record("line", "va", ("cores", "u8"), ("read", "u8"), ("wrote", "u8"),         # masks of cores, of bytes, of bytes
              ("slot", "i4"), ("use", "i4"), ("thread", "i4"), ("process", "i2"), ("offset", "i2"),
              ("cycles", "i8", 3), "atomics", ("served", "i8", (2, P.SOURCES)))                  # observers/contended.py

EVENT = record("cycle", "line", "latency", ("thread", "i2"), ("core", "i2"), ("responder", "i2"),
               ("request", "i1"), ("before", "i1"), ("after", "i1"),
               ("unused", "i1", 7))

# Race detector (observers/races.py)
RACE_CELLS = 1 << 20                # stretches of up to 8 bytes with a history of their own
RACE_SLOTS = 2 * RACE_CELLS
RACE_ROWS = 1 << 15                 # vector clocks
RACE_LOG = 256                      # races kept

ACCESS = record("va", "cycle", ("clock", "i4"), ("thread", "i2"), ("core", "i2"), ("width", "i2"), ("kind", "i2"), ("unused", "i4"))
RACE_CELL = record("key", ("next", "i4"), ("mask", "i4"), ("reported", "i4"), ("unused", "i4"), ("write", ACCESS), ("read", ACCESS),
                   ("read_row", "i4"), ("ordered_row", "i4"))
SYNC = record("key", "row")
RACE = record(("now", ACCESS), ("before", ACCESS))

# A run over time (linux/series.py)
SAMPLES, PROBES = 512, 8
SERIES_NAMES = ("cycle", "vm", "anon", "file", "shared", "swapped", "lazy", "cached", "used", "accesses", "l1_misses", "llc_misses", "hitm",
                "walks", "faults")
SERIES_COUNTS = len(SERIES_NAMES)
SERIES = record("at", "start", "step", "rows",      # cycles: of the next row, of the run's beginning, between rows (at NEVER: none are taken)
                "process", "probes", ("probe", "i8", PROBES))

OBSERVE = record("watching", "classify", "c2c", "events", "races",  # switches
                 "ordered",                     # to the race detector: an acquire or a release (core/ordered.py); or params.COMPARES, FAILS
                 "epoch", "core", "va", "cycles",                   # of the access that hooks.py hands over
                 "race_cells", "race_rows", "race_count", "races_dropped",
                 "rows", "sharing_dropped", ("pending", "i8", P.MAX_CORES), "cells", "c2c_dropped", "event_limit", "event_count")

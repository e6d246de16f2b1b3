"""The machine as one nested record. Every kernel takes it first, as `m`.

    machine ── doors[]            addresses of the cold kernels (_jit)
            ├─ core[c]            clock, hit filter, counters; l1d, l2, dtlb, ... are `sets` records
            ├─ llc[socket]        a `sets` record; `holder` has the directory state, `word` the sharers
            ├─ directory, dram    counters and the state of channels and banks
            ├─ thread[t], process[p]
            └─ tag[], word[], order[], stamp[], holder[]    the pools in which all set-associative arrays lie

    machine.py     the whole            hardware.py    cores, caches, directory, DRAM       linux.py    processes, memory, files
    observers.py   their tables         rules.py       how a record is declared

Shapes are capacities; zero means empty, so a new machine is zeroed memory. Addresses, sizes and cycles are int64. No field
has the name of an attribute of numpy's records (base, flags, size, ...): that would hide it from unjitted code.
"""
from hwmem.layout.hardware import CORE, SETS
from hwmem.layout.linux import FRAME, PROCESS, THREAD, VMA, VMSTAT_NAMES
from hwmem.layout.machine import MACHINE
from hwmem.layout.observers import (CELL, CELL_SLOTS, CELLS, EVENT_SLOTS, PROBES, RACE_CELLS, RACE_LOG, RACE_ROWS, RACE_SLOTS, SAMPLES,
                                    SERIES_COUNTS, SERIES_NAMES, SHARED_ROWS, WATCHED_SLOTS)
from hwmem.layout.rules import record, rows

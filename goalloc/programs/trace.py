"""The allocations of a recorded program as requests: what `hwmem record --heap -o FILE -- PROG` notes of malloc, free and realloc.

    + BLOCK BYTES     a slot that is free gets a block          - BLOCK      the slot's is freed, by whichever thread
    = OLD NEW BYTES   realloc                                   what was allocated before the recording began is left out

A trace of perl counting words (a script of 4 KiB) comes with it: trace.json.gz, [[kind, slot, bytes], ...].
"""

import gzip
import json
import pathlib

import numpy as np

from goalloc.programs.play import FREE, MALLOC, REALLOC, REQUESTS, SLOTS, request

SHIPPED = pathlib.Path(__file__).with_name("trace.json.gz")


def shipped():
    """One thread's (kind, slot, bytes), an array."""
    return [np.array(json.loads(gzip.decompress(SHIPPED.read_bytes())), np.int64)]


def recorded(path):
    """The same of each thread of a recording that calls malloc. Raises TraceError or ValueError for a file that is none or has no blocks."""
    from hwmem.trace.trace import open_trace

    return of_notes(open_trace(path).recording().log.notes, path)


def of_notes(notes, path):
    threads, slots, free, fresh = {}, {}, [], 0
    for sign, numbers, thread, _ in notes[:REQUESTS]:
        rows = threads.setdefault(thread, [])
        old, new, size = (0, *numbers[:2]) if sign == "+" else (numbers[0], 0, 0) if sign == "-" else numbers[:3]
        slot = slots.pop(old, None)
        if new and slot is None:
            if not free:
                free, fresh = [fresh], fresh + 1
            slots[new] = free.pop()
            rows.append((MALLOC, slots[new], size))
        elif new:
            slots[new] = slot
            rows.append((REALLOC, slot, size))
        elif slot is not None:
            free.append(slot)
            rows.append((FREE, slot, 0))
    streams = [np.array(rows, np.int64) for rows in threads.values() if rows]
    if not streams:
        raise ValueError(f"{path}: no heap blocks were recorded (hwmem record --heap)")
    return streams


def trace(threads, recording=None):
    """Requests for as many threads, or the next fewer: copies of the recording (`recorded`; None: perl's), each with slots of its own."""
    streams = recording or shipped()
    slots = 8 + max(int(rows[:, 1].max()) for rows in streams)
    most = min(SLOTS // slots, REQUESTS // sum(map(len, streams)))
    copies = max(1, min(threads // len(streams), most))
    return [request(rows[:, 0], rows[:, 1] + copy * slots, rows[:, 2]) for copy in range(copies) for rows in streams]

"""Lines that cores fight for, as blocks: who asks whom, which bytes whose, what became of one line.

    matrix     requests by (line, kind, who asked, who answered), from the event log
    lines      a contended line: its bytes' threads, its variables, what was done at each offset
    history    the lines with the most requests, request by request: each core's state, drawn one step at a time

A recorded program's lines (Result.program) come with names and places in its source where those are known.
"""

import numpy as np

from hwmem.cache.protocol import REQUEST_NAMES
from hwmem.observe import c2c
from hwmem.observe.history import history
from hwmem.params import LINE, LINE_SHIFT
from hwmem.report.lines import variables

MOST_LINES = 24  # shown byte by byte
MOST_OFFSETS = 128  # of one line
MATRIX_LINES = 12  # that the matrix tells apart
HISTORIES, MOMENTS = 8, 250  # lines, and requests of each
MEMORY = -1  # who answered, if no core did
SEVERAL = -1  # whose byte


def lines(result):
    """The worst contended lines, or None."""
    rows = result.c2c()
    if not rows:
        return None
    names = c2c.Names([(start, start + size, name, *[element] * (element < size)) for name, start, size, element in result.symbols])
    shown = [line(row, names) for row in rows[:MOST_LINES]]
    note = f"The {MOST_LINES} worst of {len(rows):,} contended lines." if len(rows) > MOST_LINES else ""
    return {"kind": "lines", "lines": shown, "note": note}


def line(row, names):
    every, false = row["hitm"], c2c.false_hitms(row)
    return {
        "address": f"{row['address']:#x}",
        "name": variables(row),
        "sharing": c2c.kind(row),
        "hitm": every,
        "says": c2c.sharing_of(row),
        "false": false,
        "counts": [row["loads"], row["stores"], row["atomics"]],
        "threads": len(row["threads"]),
        "bytes": row["bytes"],
        "names": [names.of(row["address"] + byte, row["address"] + byte + 1) for byte in range(LINE)],
        "offsets": [
            [o["offset"], o["thread"], o["symbol"], o["sharing"], o["loads"] + o["atomics"], o["stores"], o["hitm"], o["load_cycles"]]
            for o in row["offsets"][:MOST_OFFSETS]
        ],
        "more": max(0, len(row["offsets"]) - MOST_OFFSETS),
    }


def recorded(result):
    """The lines of a recorded program that several of its threads use, with what is known of their names and source; or None."""
    if result.program is None:
        return None
    shown = [recorded_line(one) for one in result.program.lines[:MOST_LINES]]
    if not shown:
        return None
    note = f"The {MOST_LINES} worst of {len(result.program.lines):,} lines." if len(result.program.lines) > MOST_LINES else ""
    return {"kind": "lines", "lines": shown, "note": note}


def recorded_line(one):
    source = [str(place) for place in ([one.source] if isinstance(one.source, str) else one.source or ())]
    sharing = {"none": "one writer"}.get(one.sharing, one.sharing)
    return {
        "address": f"{one.address:#x}",
        "name": one.symbol or "",
        "sharing": sharing,
        "hitm": one.hitm,
        "says": f"{sharing} sharing" if sharing != "one writer" else "one thread writes, others read",
        "false": one.hitm if one.sharing == "false" else 0,
        "counts": None,
        "threads": len(one.threads),
        "bytes": [owner(one.written, byte) if owner(one.written, byte) is not None else owner(one.read, byte) for byte in range(LINE)],
        "names": [""] * LINE,
        "source": source,
        "offsets": [[0, code.thread, f"{code.pc:#x}", "", code.misses, None, code.hitm, None] for code in one.code[:MOST_OFFSETS]],
        "code": True,
        "more": max(0, len(one.code) - MOST_OFFSETS),
    }


def owner(masks, byte):
    threads = [int(thread) for thread, mask in masks.items() if mask >> byte & 1]
    return (SEVERAL if len(threads) > 1 else threads[0]) if threads else None


def matrix(result):
    """Requests between cores, or None of a run without an event log."""
    log = result.events
    if log is None or not len(log):
        return None
    log = log[(log["core"] >= 0) & (log["core"] < result.config.cores)]
    numbers, counts = np.unique(log["line"], return_counts=True)
    worst = numbers[np.argsort(-counts, kind="stable")[:MATRIX_LINES]].tolist()
    place = np.full(len(log), len(worst))
    for k, number in enumerate(worst):
        place[log["line"] == number] = k
    keys = np.stack([place, log["request"].astype(int), log["core"].astype(int), log["responder"].astype(int)])
    groups, where, n = np.unique(keys, axis=1, return_inverse=True, return_counts=True)
    cycles = np.bincount(where.reshape(-1), log["latency"].astype(float), minlength=groups.shape[1])
    names = [result.line_name(number) for number in worst]
    return {
        "kind": "matrix",
        "cores": result.config.cores,
        "lines": names + (["all other lines"] if len(numbers) > len(worst) else []),
        "requests": list(REQUEST_NAMES),
        "cells": [[*group, int(count), round(total)] for group, count, total in zip(groups.T.tolist(), n.tolist(), cycles.tolist())],
        "note": f"Of the first {len(log):,} requests, which the run logged.",
    }


def histories(result):
    """The lines with the most requests, step by step; None without an event log."""
    log = result.events
    if log is None or not len(log):
        return None
    numbers, counts = np.unique(log["line"], return_counts=True)
    order = np.argsort(-counts, kind="stable")[:HISTORIES]
    start = result.start or 0
    found = []
    for number, count in zip(numbers[order].tolist(), counts[order].tolist()):
        own = log[log["line"] == number][:MOMENTS]
        moments = history(own, number, result.config.cores, result.config.protocol)
        found.append(
            {
                "name": result.line_name(number),
                "address": f"{number << LINE_SHIFT:#x}",
                "requests": count,
                "moments": [[m.cycle - start, m.core, m.request, m.supplier, m.latency, m.states] for m in moments],
            }
        )
    most = max(counts.tolist())
    note = f"The first {MOMENTS} requests of a line." if most > MOMENTS else ""
    return {"kind": "history", "cores": result.config.cores, "lines": found, "note": note}

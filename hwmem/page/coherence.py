"""Contended lines, as blocks: requests between cores, the threads of each byte, and the history of a line.

    matrix     requests by (line, kind, requester, responder), from the event log
    lines      a contended line: its bytes' threads, its variables, what was done at each offset
    history    the lines with the most requests, request by request: each core's state, drawn one step at a time

A recorded program's lines (Result.program) come with names and places in its source where those are known.
"""

import shlex

import numpy as np

from hwmem.cache.protocol import REQUEST_NAMES
from hwmem.observe import c2c
from hwmem.observe.history import history
from hwmem.params import LINE, LINE_SHIFT
from hwmem.page.blocks import table, words
from hwmem.report.lines import variables
from hwmem.report.program import notes, sharing_of, short
from hwmem.trace.program import false_hitms, kind

MOST_LINES = 24  # shown byte by byte
MOST_OFFSETS = 128  # of one line
MATRIX_LINES = 12  # that the matrix tells apart
HISTORIES, MOMENTS = 8, 250  # lines, and requests of each
MEMORY = -1  # who answered, if no core did
SEVERAL = -1  # whose byte


def lines(result):
    """The worst contended lines, or None."""
    rows = result.c2c()
    if not rows or result.program is not None:
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
    """The lines of a recorded program that went from core to core, with names and source where those are known; or None."""
    if result.program is None:
        return None
    found = [one for one in result.program.lines if one.hitm]
    if not found:
        return None
    excerpts = {excerpt.source: excerpt for excerpt in result.program.excerpts}
    note = f"The {MOST_LINES} worst of {len(found):,} lines." if len(found) > MOST_LINES else ""
    return {"kind": "lines", "lines": [recorded_line(one, excerpts, result) for one in found[:MOST_LINES]], "note": note}


def recorded_line(one, excerpts, result):
    return {
        "address": f"{one.address:#x}",
        "name": short(one) if one.symbol else "",
        "sharing": kind(one),
        "hitm": one.hitm,
        "says": sharing_of(one),
        "false": false_hitms(one),
        "counts": None,
        "threads": len(one.threads),
        "bytes": [first(owner(one.written, byte), owner(one.read, byte)) for byte in range(LINE)],
        "names": [""] * LINE,
        "code": [
            [c.hitm, c.hitm / one.hitm, c.thread, f"{c.pc:#x}", c.function, " < ".join([*c.sources, *c.via]) or c.object]
            for c in one.code[:MOST_OFFSETS]
        ],
        "source": excerpt(one, excerpts),
        "apart": shlex.join(["hwmem", "trace", str(result.parameters.get("file", "FILE")), "--apart", ",".join(one.apart)])
        if one.apart and kind(one) != "true"
        else "",
        "offsets": [],
        "more": max(0, len(one.code) - MOST_OFFSETS),
    }


def excerpt(one, excerpts):
    """[where, number of the first line, the hot one's, lines] around the hottest instruction, or None."""
    for name in one.code[0].sources + one.code[0].via if one.code else ():
        if name in excerpts:
            return [name, excerpts[name].first, int(name.rpartition(":")[2]), list(excerpts[name].lines)]
    return None


def threads(result):
    """The threads of a recorded program, and notes on the recording."""
    if result.program is None:
        return []
    columns = [("thread", "int"), ("instructions", "int"), ("loads", "int"), ("stores", "int"), ("atomics", "int"), "made by"]
    rows = [
        [t.number, t.instructions, t.loads, t.stores, t.atomics, f"thread {t.parent}" if t.parent else "-"] for t in result.program.threads
    ]
    return [table(columns, rows, "The recorded program's threads"), words(*notes(result.program).splitlines())]


def first(*found):
    return next((one for one in found if one is not None), None)


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

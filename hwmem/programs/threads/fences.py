"""What a fence costs: one operation at a time, with nothing in the store buffer, and with the buffer full.

    stores to lines that the other core has written          then the operation, and its cycles

None, one, or twice as many as the buffer holds; each has to bring its line. The operation's own word is in the L1. Source for
the comparison: Fog, "Instruction tables" (mfence, lock add); Intel's optimization manual on store buffers.
"""

import numpy as np

from hwmem.kernels import (
    clock,
    exchange64,
    fetch_add64,
    finish,
    kernel,
    lfence,
    load64,
    load_acquire64,
    mfence,
    next_thread,
    sfence,
    store64,
    store_release64,
)
from hwmem.programs.registry import grid, parameter, workload

OPERATIONS = ("load", "store", "release store", "sfence", "lfence", "mfence", "locked add", "exchange")
LOAD, STORE, RELEASE_STORE, SFENCE, LFENCE, MFENCE, LOCKED_ADD, EXCHANGE = range(8)
RANK, COUNT = range(2)  # a thread's registers
MEASURES = 1  # of the two threads, the one that measures
LINE = 64


def place(w, space):
    config = space.process.machine.config
    w.threads = 2
    more = 2 * config.store_buffer.entries if config.ordering != "sc" else 0  # than the buffer holds
    w.fills = np.unique(np.minimum([0, 1, more], more))
    w.lines = more + 1
    w.far = space.map("far", w.lines * LINE, element=LINE)
    w.word = space.map("word", 8)
    w.ready = space.map("ready", 8)
    w.cycles = np.zeros((len(OPERATIONS), len(w.fills)), np.int64)


def read(w, space):
    return {
        "operations": len(OPERATIONS) * len(w.fills) * w.repeats,
        "grid": grid("cycles", "operation", list(OPERATIONS), "stores before", w.fills, w.cycles / w.repeats),
    }


@workload(
    "fence-costs",
    "what fences and locked operations cost, after how many stores",
    setup=place,
    values=read,
    operation="measurement",
    repeats=parameter(20, "measurements of each"),
)
def fence_costs(m, w):
    while True:
        t = next_thread(m)
        if t < 0:
            return
        r = m.thread[t].local
        turn = load_acquire64(m, t, w.ready)
        if turn % 2 == r[RANK]:  # the second thread takes the lines, then the first one measures
            if r[RANK] == MEASURES:
                measure(m, t, w, r[COUNT])
            else:
                take_lines(m, t, w)
            r[COUNT] += 1
            store_release64(m, t, w.ready, turn + 1)
            if r[COUNT] == len(w.cycles) * len(w.fills) * w.repeats:
                finish(m, t)


@kernel
def take_lines(m, t, w):
    for k in range(w.lines):
        store64(m, t, w.far + k * LINE, 1)
    mfence(m, t)


@kernel
def measure(m, t, w, number):
    """Measurement `number`: of each operation in turn, with each filling."""
    operation, fill = number // w.repeats % len(w.cycles), number // w.repeats // len(w.cycles)
    store64(m, t, w.word, 1)
    mfence(m, t)
    load64(m, t, w.word)
    for k in range(w.fills[fill]):
        store64(m, t, w.far + k * LINE, 2)
    start = clock(m, t)
    perform(m, t, w, operation)
    w.cycles[operation, fill] += clock(m, t) - start
    mfence(m, t)


@kernel
def perform(m, t, w, operation):
    if operation == LOAD:
        load64(m, t, w.word)
    elif operation == STORE:
        store64(m, t, w.word, 3)
    elif operation == RELEASE_STORE:
        store_release64(m, t, w.word, 3)
    elif operation == SFENCE:
        sfence(m, t)
    elif operation == LFENCE:
        lfence(m, t)
    elif operation == MFENCE:
        mfence(m, t)
    elif operation == LOCKED_ADD:
        fetch_add64(m, t, w.word, 1)
    else:
        exchange64(m, t, w.word, 3)

"""Programs that call malloc and free, as streams of requests: one kernel runs any of them on any allocator.

    requests(kind, slot, n)     MALLOC  a block of n bytes for a slot; a word of each of its pages is written
                                FREE    the slot's block; REALLOC it to n bytes
                                WRITE   n times: a byte of the slot's block is written and read
                                MEET    at a barrier: all threads
                                SLEEP   n cycles, then the allocator's tick
                                TRIM    the allocator gives back all that it can
                                MARK    note what the process has: row n of w.marks

A slot is a word of emulated memory with the block's address, 0: none. A thread that frees a slot that has no block yet, or fills one that
still has one, waits for the other thread and looks again in the next step: so blocks are handed from thread to thread. A step is one request,
of WRITE one byte. A request is one int64, kind | slot << 4 | n << 24; each thread's are one stretch of w.requests.
"""

import numpy as np

from hwmem.kernels import clock, finish, is_over, kernel, load8, load64, next_thread, sleep_until, store8, store64
from hwmem.programs import barrier, meter
from goalloc.baselines.malloc import free, malloc, realloc, tick
from goalloc.programs.neighbours import given, place_neighbours, taken_back

MALLOC, FREE, REALLOC, WRITE, MEET, SLEEP, TRIM, MARK = range(8)
REQUESTS, SLOTS, MOST_THREADS, MARKS = 1 << 18, 1 << 16, 64, 16  # the most there can be
RANK, AT, WRITES, MEETING, ARRIVED, CALLS, CALL_CYCLES, WAITED = range(8)  # a thread's registers
PAGE = 4096
RSS, LIVE, LEAST_LIVE = range(3)  # columns of marks: bytes in RAM, bytes asked for


def request(kind, slot=0, n=0):
    """A request, or an array of them."""
    return np.asarray(kind, np.int64) | np.asarray(slot, np.int64) << 4 | np.asarray(n, np.int64) << 24


def place_requests(w, space, streams):
    """`streams`: a thread's requests each."""
    w.threads = len(streams)
    ends = np.cumsum([0, *map(len, streams)])
    if ends[-1] > REQUESTS:
        raise ValueError(f"requests: {ends[-1]:,} are more than {REQUESTS:,}")
    w.requests, w.first = np.zeros(REQUESTS, np.int64), np.full(MOST_THREADS + 1, ends[-1])
    w.requests[: ends[-1]] = np.concatenate(streams)
    w.first[: len(ends)] = ends
    slots = int((w.requests >> 4 & 0xFFFFF).max()) + 1
    if slots > SLOTS:
        raise ValueError(f"slots: {slots:,} are more than {SLOTS:,}")
    w.table, w.barrier = space.map("slots", 8 * slots), space.map("barrier", barrier.BYTES)
    w.sizes, w.owners = np.zeros(SLOTS, np.int64), np.zeros(SLOTS, np.int64)
    w.marks = np.zeros((MARKS, 3), np.int64)
    w.live = w.peak_live = w.rss_at_peak = w.peak_rss = w.failed = 0
    w.calls = w.call_cycles = w.waited = 0
    place_neighbours(w)
    w.before = -1


def play(m, w):
    while True:
        t = next_thread(m)
        if t < 0:
            return
        r = m.thread[t].local
        here = w.first[r[RANK]] + r[AT]
        if w.before < 0:
            w.before = meter.rss(m, t)
        if here == w.first[r[RANK] + 1]:
            w.calls, w.call_cycles, w.waited = w.calls + r[CALLS], w.call_cycles + r[CALL_CYCLES], w.waited + r[WAITED]
            finish(m, t)
        elif perform(m, t, w, r, w.requests[here]):
            r[AT] += 1


@kernel
def perform(m, t, w, r, one):
    """One request, or a part of it; whether it is done."""
    kind, slot, n = one & 15, one >> 4 & 0xFFFFF, one >> 24
    place = w.table + 8 * slot
    if kind == MALLOC:
        return get_block(m, t, w, r, slot, n)
    if kind == FREE:
        return free_block(m, t, w, r, slot)
    if kind == REALLOC:
        return resize_block(m, t, w, r, slot, n)
    if kind == WRITE:
        return write_byte(m, t, load64(m, t, place), r, n, w.sizes[slot])
    if kind == MEET:
        return meet(m, t, w, r)
    if kind == SLEEP:
        tick(m, t, 0)
        sleep_until(m, t, clock(m, t) + n)
    elif kind == TRIM:
        tick(m, t, 1)
    else:
        w.marks[n, RSS] = (meter.rss(m, t) - w.before) * PAGE
        w.marks[n, LIVE] = w.live
    return True


@kernel
def get_block(m, t, w, r, slot, n):
    place = w.table + 8 * slot
    if load64(m, t, place):
        r[WAITED] += 1
        return False
    before = clock(m, t)
    block = malloc(m, t, n)
    r[CALL_CYCLES] += clock(m, t) - before
    r[CALLS] += 1
    if block == 0:
        w.failed += 1
        return True
    for offset in range(0, n, PAGE):
        if is_over(m, t):
            return False
        store64(m, t, block + offset, block)
    store64(m, t, place, block)
    given(w, r[RANK], block, n)
    w.sizes[slot], w.owners[slot] = n, r[RANK]
    w.live += n
    note_peaks(m, t, w)
    return True


@kernel
def note_peaks(m, t, w):
    rss = meter.rss(m, t) - w.before
    w.peak_rss = max(w.peak_rss, rss)
    if w.live > w.peak_live:
        w.peak_live, w.rss_at_peak = w.live, rss


@kernel
def free_block(m, t, w, r, slot):
    place = w.table + 8 * slot
    block = load64(m, t, place)
    if block == 0 and w.failed == 0:
        r[WAITED] += 1
        return False
    before = clock(m, t)
    free(m, t, block)
    r[CALL_CYCLES] += clock(m, t) - before
    r[CALLS] += 1
    store64(m, t, place, 0)
    if block:
        taken_back(w, r[RANK], block, w.sizes[slot], w.owners[slot])
        w.live -= w.sizes[slot]
    return True


@kernel
def resize_block(m, t, w, r, slot, n):
    block = load64(m, t, w.table + 8 * slot)
    before = clock(m, t)
    new = realloc(m, t, block, n)
    r[CALL_CYCLES] += clock(m, t) - before
    r[CALLS] += 1
    if new == 0:
        w.failed += 1
        return True
    if block:
        taken_back(w, r[RANK], block, w.sizes[slot], w.owners[slot])
        w.live -= w.sizes[slot]
    given(w, r[RANK], new, n)
    store64(m, t, w.table + 8 * slot, new)
    w.sizes[slot], w.owners[slot] = n, r[RANK]
    w.live += n
    note_peaks(m, t, w)
    return True


@kernel
def write_byte(m, t, block, r, n, size):
    """The next of `n` bytes written and read; whether it was the last."""
    if block:
        place = block + r[WRITES] % size
        store8(m, t, place, r[WRITES])
        load8(m, t, place)
    r[WRITES] += 1
    if r[WRITES] < n:
        return False
    r[WRITES] = 0
    return True


@kernel
def meet(m, t, w, r):
    if not r[ARRIVED]:
        r[ARRIVED] = 1
        if not barrier.arrive(m, t, w.barrier, w.threads, r[MEETING]):
            return False
    elif not barrier.passed(m, t, w.barrier, r[MEETING]):
        return False
    r[ARRIVED] = 0
    r[MEETING] += 1
    return True

"""A recording of threads, replayed: each thread's accesses in program order, on its core. The thread on the core with the smallest clock
goes next, unless a stop (trace/order.py) holds it.

    weave ── first ── the thread to go on, and until when
             go ── stops: it waits, takes or frees a lock
                └─ records up to the next stop: the hit filter, or the memory door; culprits.py notes misses of shared lines
             ── DRY, CALLED, FAULTED, STUCK ...     what Python must do (runs/strands.py)

A thread that waits for record `until` of another is released when that record is made, at that core's clock. Threads that wait for a lock
are released when it is freed; the one with the smallest clock takes it. Threads that share a core take turns of a time slice.

Cost: about 10 ns for a hit, more by a transfer where cores contend.
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import apart, call_door, hot, kernel
from hwmem.cache.hit_filter import is_hot
from hwmem.layout.rules import record
from hwmem.machine.culprits import is_shared, note_culprit, see
from hwmem.machine.enter import place_thread
from hwmem.machine.records import ATOMIC, CALL, FILTER_BITS, FREE, TAKE, parts, put_word, word
from hwmem.machine.replay import count_hit, phantom, touch
from hwmem.machine.where import after_access, before_access, note

READY, WAITS, WAITS_LOCK, WAITS_MEMORY, AT_CALL, EMPTY, OVER = range(7)  # states of a thread
ALL_OVER, DRY, CALLED, FAULTED, STUCK, PAUSE = range(6)  # what weave returns
NOBODY = -1

STRAND = np.dtype(
    [
        (name, np.int64)
        for name in (
            "thread",  # the machine's
            "core",
            "state",
            "at",  # number of its next record
            "first",  # number of the first one in the arrays, which lies at `place`
            "place",
            "end",  # number beyond the last one there
            "halt",  # number at which somebody wants to know
            "stop",
            "stops_end",  # its next stop, and beyond the last, in the array of all
            "skip",
            "skips_end",
            "other",
            "until",  # what it waits for: a record of strand `other`, or a lock
            "ready_at",  # clock at which it was let go
            "turn",  # among those of its core, who goes on
            "check_from",  # number from which what it reads is checked
            "digest",
            "passed",  # the stop that it need not keep, counted from 1
        )
    ]
)

MOST_STRANDS = 1000
ARRAYS = ("what", "pcs", "stops", "skips", "acts", "owner", "freed_at", "lines", "granules", "slots", "state", "stores")
WEAVE = record(
    "budget",
    "turns",
    "store_start",
    "store_end",
    "stored",  # (thread, address) pairs in `stores`
    "room",  # for so many
    "checking",
    "strand",
    "limit",  # the clock until which it may go on
    "count",
    "lines_size",
    "granules_size",
    *ARRAYS,  # addresses of int64 arrays (records.py)
    ("bits", "u1", 1 << FILTER_BITS),  # filter of the shared lines
    ("strands", STRAND, MOST_STRANDS),
)
POS, AT, OTHER, STOP_WORDS = 0, 1, 3, 4  # of a stop (trace/order.py, STOP)


@hot
def stop_word(w, stop, field):
    return word(w.stops, stop * STOP_WORDS + field)


@kernel
def weave(m, w, places, culprits):
    """Run until Python must act; returns the reason, with the strand concerned in w.strand."""
    while True:
        if w.budget <= 0 or w.stored > w.room - 2:
            return PAUSE
        k, w.limit = first(m, w, m.cost.time_slice)
        if k < 0:
            w.strand = NOBODY
            return ALL_OVER if are_over(w) else STUCK
        s = w.strands[k]
        core = m.core[s.core]
        if s.ready_at > core.cycles:
            core.idle_cycles += s.ready_at - core.cycles
            core.cycles = s.ready_at
        if core.current != s.thread + 1:
            if core.current:
                core.cycles += m.cost.context_switch
                core.context_switches += 1
            core.current = s.thread + 1
        w.strand = k
        go(m, w, k, places, culprits)
        if s.at >= s.halt:
            let_go(m, w, k)
        if m.thread[s.thread].state == P.KILLED:
            return FAULTED
        if s.state == EMPTY:
            return DRY
        if s.state == AT_CALL:
            return CALLED
        if s.state == READY and core.cycles > w.limit:
            w.turns += 1
            s.turn = w.turns


@kernel
def first(m, w, time_slice):
    """(the strand to go on, the clock until which it may); (-1, 0): none can."""
    k, least, second = NOBODY, P.NEVER, P.NEVER
    for j in range(w.count):
        s = w.strands[j]
        if s.state == READY:
            clock = max(m.core[s.core].cycles, s.ready_at)
            if clock < least or (clock == least and k >= 0 and w.strands[k].core == s.core and s.turn < w.strands[k].turn):
                if k >= 0 and w.strands[k].core != s.core:
                    second = min(second, least)
                k, least = j, clock
            elif k >= 0 and w.strands[k].core == s.core:
                second = min(second, clock + time_slice)
            else:
                second = min(second, clock)
    return k, second


@kernel
def are_over(w):
    for j in range(w.count):
        if w.strands[j].state != OVER:
            return False
    return True


@kernel
def go(m, w, k, places, culprits):
    """Strand `k` goes on until its clock passes w.limit, or something holds it."""
    s = w.strands[k]
    core, t, limit = m.core[s.core], s.thread, w.limit
    while s.at < s.end and core.cycles <= limit and w.budget > 0:
        if s.stop < s.stops_end and stop_word(w, s.stop, POS) == s.at and not pass_stops(m, w, k):
            return
        if s.skip < s.skips_end and word(w.skips, s.skip) == s.at:
            s.skip += 1
            s.at += 1
            if s.at >= s.halt:
                return
            continue
        bound = min(s.end, s.halt)
        if s.stop < s.stops_end:
            bound = min(bound, stop_word(w, s.stop, POS))
        if s.skip < s.skips_end:
            bound = min(bound, word(w.skips, s.skip))
        began = s.at
        what = run(m, w, k, bound, places, culprits)
        w.budget -= s.at - began + 1
        if m.thread[t].state == P.KILLED:
            return
        if what == CALLED:
            s.state = AT_CALL
            return
        if s.at >= s.halt:
            return
        if what == PAUSE:
            return
    if s.at == s.end:
        s.state = EMPTY


@kernel
def run(m, w, k, bound, places, culprits):
    """Records of strand `k` before number `bound`; CALLED at a call that Python carries out, PAUSE where stores must be fetched."""
    s = w.strands[k]
    core, t, shift, limit = m.core[s.core], s.thread, s.place - s.first, w.limit
    i = s.at
    why = ALL_OVER
    while i < bound:
        reference = word(w.what, i + shift)
        kind, va, size = parts(reference)
        if kind == CALL:
            if word(w.acts, va):
                why = CALLED
                break
            i += 1
            continue
        write = kind & 1 if kind < ATOMIC else 1
        if kind < ATOMIC and is_hot(core, va, size, write):
            count_hit(core, write)
        else:
            slow(m, w, k, i + shift, places, culprits)
            if m.thread[t].state == P.KILLED:
                break
        if w.checking and i >= s.check_from and (is_shared(w, va) or is_shared(w, va + size - 1)):
            s.digest = see(w, s.digest, reference, k + 1, i)
        if write and va < w.store_end and va + size > w.store_start:
            put_word(w.stores, 2 * w.stored, k + 1)
            put_word(w.stores, 2 * w.stored + 1, va)
            w.stored += 1
            if w.stored > w.room - 2:
                i += 1
                why = PAUSE
                break
        i += 1
        if core.cycles > limit:
            break
    s.at = i
    return why


@apart
def slow(m, w, k, at, places, culprits):
    """An access that the hit filter does not know, record `at` in the buffers; its misses are noted."""
    t = w.strands[k].thread
    core = m.core[w.strands[k].core]
    before_access(places, core)
    kind, va, size = parts(word(w.what, at))
    if kind != ATOMIC:
        touch(m, t, va, size | phantom(kind & 1) << P.KIND_SHIFT)
    else:
        atomic(m, t, core, va, size)
    if after_access(places, core):
        if places.on:
            note(places, va, size, k + 1, word(w.pcs, at))
        if places.misses and is_shared(w, va):
            note_culprit(w, culprits, places, k + 1, at)


@hot
def atomic(m, t, core, va, size):
    """A read-modify-write without data. One that crosses a line is a store to both, which a processor would lock the bus for."""
    if m.mmu and (va & P.LINE - 1) + size <= P.LINE:
        call_door(m, P.DOOR_MEMORY, t, va, size | P.ATOMIC << P.KIND_SHIFT, 0)
        return
    touch(m, t, va, size | P.PHANTOM_STORE << P.KIND_SHIFT)
    if m.thread[t].state != P.KILLED:
        core.stores -= 1
        core.atomics += 1
        core.cycles += m.cost.atomic


@kernel
def pass_stops(m, w, k):
    """The stops at the next record of strand `k`: whether it may go on; else its state says what it waits for, READY: for nothing but
    its turn."""
    s = w.strands[k]
    while s.stop < s.stops_end and stop_word(w, s.stop, POS) == s.at:
        at, other = stop_word(w, s.stop, AT), stop_word(w, s.stop, OTHER)
        if s.passed == s.stop + 1:
            pass
        elif other == FREE:
            if free_lock(m, w, at, m.core[s.core].cycles):
                s.stop += 1
                return False  # who waited may be earlier from now on
        elif other == TAKE:
            if word(w.owner, at) != 0:
                s.state, s.until = WAITS_LOCK, at
                return False
            put_word(w.owner, at, k + 1)
            wait_until(m.core[s.core], word(w.freed_at, at))
        elif w.strands[other - 1].at <= at:
            s.state, s.other, s.until = WAITS, other - 1, at
            w.strands[other - 1].halt = min(w.strands[other - 1].halt, at + 1)
            return False
        s.stop += 1
    return True


@hot
def wait_until(core, cycle):
    if cycle > core.cycles:
        core.idle_cycles += cycle - core.cycles
        core.cycles = cycle


@kernel
def free_lock(m, w, lock, cycle):
    """The lock is free from `cycle` on, and its waiters may try to take it. Returns whether there are any."""
    put_word(w.owner, lock, 0)
    put_word(w.freed_at, lock, cycle)
    anybody = False
    for j in range(w.count):
        if w.strands[j].state == WAITS_LOCK and w.strands[j].until == lock:
            w.strands[j].state, w.strands[j].ready_at = READY, cycle
            anybody = True
    return anybody


@kernel
def let_go(m, w, k):
    """Release the strands that waited for what strand `k` has done; returns the record at which the next waiter is due."""
    done, now = w.strands[k].at, m.core[w.strands[k].core].cycles
    if done < w.strands[k].halt:
        return
    w.strands[k].halt = P.NEVER
    for j in range(w.count):
        s = w.strands[j]
        if s.state == WAITS and s.other == k:
            if s.until < done:
                s.state, s.ready_at = READY, now
            else:
                w.strands[k].halt = min(w.strands[k].halt, s.until + 1)


@kernel
def finish(m, w, k):
    """Strand `k` has made its last record: its locks are freed."""
    s = w.strands[k]
    while s.stop < s.stops_end:
        if stop_word(w, s.stop, OTHER) == FREE:
            free_lock(m, w, stop_word(w, s.stop, AT), m.core[s.core].cycles)
        s.stop += 1
    s.state = OVER
    let_go(m, w, k)


@kernel
def begin(m, w):
    """Every strand's thread is on its core, and all cores' clocks show the same."""
    now = 0
    for c in range(m.cores):
        now = max(now, m.core[c].cycles)
    for c in range(m.cores):
        m.core[c].cycles = now
    for j in range(w.count):
        place_thread(m, w.strands[j].thread, w.strands[j].core)
        m.core[w.strands[j].core].current = 0

"""A recording of threads, replayed: each thread's accesses in its own order, on its core; among threads the one whose core's clock is least goes on, unless a
stop (trace/order.py) holds it.

    weave ── first ── the thread to go on, and until when
             go ── stops: it waits, takes or frees a lock
                └─ records up to the next stop: the hit filter, or the memory door; culprits.py notes misses of shared lines
             ── DRY, CALLED, FAULTED, STUCK ...     what Python must do (runs/recorded.py)

A thread that waits for record `until` of another is let go when that is made, at that core's clock. Who waits for a lock is let go when it is
freed; the one whose clock is least takes it. Threads that share a core take turns of a time slice.

Cost: about 10 ns for a hit, more by a transfer where cores contend.
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import apart, call_door, hot, kernel
from hwmem.cache.hit_filter import is_hot
from hwmem.machine.culprits import is_shared, note_culprit, see
from hwmem.machine.enter import place_thread
from hwmem.machine.records import ADDRESS_SHIFT, ATOMIC, CALL, FREE, KIND_BITS, KIND_MASK, SIZE_MASK, TAKE
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

WEAVE = np.dtype([(name, np.int64) for name in ("budget", "turns", "store_start", "store_end", "stores", "checking", "strand")])


@kernel
def weave(m, w, strands, tables, places, culprits):
    """Go on until Python must do something: what, with w.strand whom it concerns. `tables`: see runs/recorded.py."""
    while True:
        if w.budget <= 0 or w.stores > len(tables.stores) - 2:
            return PAUSE
        k, limit = first(m, strands, m.cost.time_slice)
        if k < 0:
            w.strand = NOBODY
            return ALL_OVER if are_over(strands) else STUCK
        s = strands[k]
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
        go(m, w, strands, k, limit, tables, places, culprits)
        let_go(m, strands, k)
        if m.thread[s.thread].state == P.KILLED:
            return FAULTED
        if s.state == EMPTY:
            return DRY
        if s.state == AT_CALL:
            return CALLED
        if s.state == READY and core.cycles > limit:
            w.turns += 1
            s.turn = w.turns


@kernel
def first(m, strands, time_slice):
    """(the strand to go on, the clock until which it may); (-1, 0): none can."""
    k, least, second = NOBODY, P.NEVER, P.NEVER
    for j in range(len(strands)):
        s = strands[j]
        if s.state == READY:
            clock = max(m.core[s.core].cycles, s.ready_at)
            if clock < least or (clock == least and k >= 0 and strands[k].core == s.core and s.turn < strands[k].turn):
                if k >= 0 and strands[k].core != s.core:
                    second = min(second, least)
                k, least = j, clock
            elif k >= 0 and strands[k].core == s.core:
                second = min(second, clock + time_slice)
            else:
                second = min(second, clock)
    return k, second


@kernel
def are_over(strands):
    for j in range(len(strands)):
        if strands[j].state != OVER:
            return False
    return True


@kernel
def go(m, w, strands, k, limit, tables, places, culprits):
    """Strand `k` goes on until its clock passes `limit`, or something holds it."""
    s = strands[k]
    core, t = m.core[s.core], s.thread
    while s.at < s.end and core.cycles <= limit and w.budget > 0:
        if s.stop < s.stops_end and tables.stops[s.stop].pos == s.at and not pass_stops(m, strands, k, tables):
            return
        if s.skip < s.skips_end and tables.skips[s.skip] == s.at:
            s.skip += 1
            s.at += 1
            if s.at >= s.halt:
                return
            continue
        bound = min(s.end, s.halt)
        if s.stop < s.stops_end:
            bound = min(bound, tables.stops[s.stop].pos)
        if s.skip < s.skips_end:
            bound = min(bound, tables.skips[s.skip])
        began = s.at
        what = run(m, w, s, k, bound, limit, tables, places, culprits)
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
def run(m, w, s, k, bound, limit, tables, places, culprits):
    """Records of strand `s` before number `bound`; CALLED at a call that Python carries out, PAUSE where stores must be fetched."""
    core, t, shift = m.core[s.core], s.thread, s.place - s.first
    i = s.at
    why = ALL_OVER
    while i < bound:
        record = tables.what[i + shift]
        kind, va, size = record & KIND_MASK, record >> ADDRESS_SHIFT, (record >> KIND_BITS & SIZE_MASK) + 1
        if kind == CALL:
            if tables.acts[va]:
                why = CALLED
                break
            i += 1
            continue
        write = kind & 1 if kind < ATOMIC else 1
        if kind < ATOMIC and is_hot(core, va, size, write):
            count_hit(core, write)
        else:
            slow(m, s, core, va, size | kind << P.KIND_SHIFT, (tables, i + shift, k, places, culprits))
            if m.thread[t].state == P.KILLED:
                break
        if w.checking and i >= s.check_from and (is_shared(tables, va) or is_shared(tables, va + size - 1)):
            s.digest = see(tables, s.digest, record, k + 1, i)
        if write and va < w.store_end and va + size > w.store_start:
            tables.stores[w.stores, 0], tables.stores[w.stores, 1] = k + 1, va
            w.stores += 1
            if w.stores > len(tables.stores) - 2:
                i += 1
                why = PAUSE
                break
        i += 1
        if core.cycles > limit:
            break
    s.at = i
    return why


@apart
def slow(m, s, core, va, what, noting):
    """An access that the hit filter does not know; its misses are noted. `what`: size, and the record's kind."""
    tables, at, k, places, culprits = noting
    t = s.thread
    before_access(places, core)
    kind, size = what >> P.KIND_SHIFT, what & P.SIZE_MASK
    if kind != ATOMIC:
        touch(m, t, va, size | phantom(kind & 1) << P.KIND_SHIFT)
    else:
        atomic(m, t, core, va, size)
    if after_access(places, core):
        if places.on:
            note(places, va, size, k + 1, tables.pcs[at])
        if places.misses and is_shared(tables, va):
            note_culprit(culprits, places, va, size, k + 1, tables.pcs, at)


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
def pass_stops(m, strands, k, tables):
    """The stops at the next record of strand `k`: whether it may go on; else its state says what it waits for."""
    s = strands[k]
    while s.stop < s.stops_end and tables.stops[s.stop].pos == s.at:
        stop = tables.stops[s.stop]
        if s.passed == s.stop + 1:
            pass
        elif stop.other == FREE:
            tables.owner[stop.at] = 0
            tables.freed_at[stop.at] = m.core[s.core].cycles
            wake_for_lock(m, strands, stop.at, m.core[s.core].cycles)
        elif stop.other == TAKE:
            if tables.owner[stop.at] != 0:
                s.state, s.until = WAITS_LOCK, stop.at
                return False
            tables.owner[stop.at] = k + 1
            s.ready_at = max(s.ready_at, tables.freed_at[stop.at])
            wait_until(m.core[s.core], tables.freed_at[stop.at])
        elif strands[stop.other - 1].at <= stop.at:
            s.state, s.other, s.until = WAITS, stop.other - 1, stop.at
            other = strands[stop.other - 1]
            other.halt = min(other.halt, stop.at + 1)
            return False
        s.stop += 1
    return True


@hot
def wait_until(core, cycle):
    if cycle > core.cycles:
        core.idle_cycles += cycle - core.cycles
        core.cycles = cycle


@kernel
def wake_for_lock(m, strands, lock, cycle):
    for j in range(len(strands)):
        if strands[j].state == WAITS_LOCK and strands[j].until == lock:
            strands[j].state, strands[j].ready_at = READY, cycle


@kernel
def let_go(m, strands, k):
    """Who waits for what strand `k` has done goes on; at which record the next one wants to."""
    done, now = strands[k].at, m.core[strands[k].core].cycles
    if done < strands[k].halt:
        return
    strands[k].halt = P.NEVER
    for j in range(len(strands)):
        s = strands[j]
        if s.state == WAITS and s.other == k:
            if s.until < done:
                s.state, s.ready_at = READY, now
            else:
                strands[k].halt = min(strands[k].halt, s.until + 1)


@kernel
def finish(m, strands, k, tables):
    """Strand `k` has made its last record: what it held is free."""
    s = strands[k]
    while s.stop < s.stops_end:
        stop = tables.stops[s.stop]
        if stop.other == FREE:
            tables.owner[stop.at] = 0
            tables.freed_at[stop.at] = m.core[s.core].cycles
            wake_for_lock(m, strands, stop.at, m.core[s.core].cycles)
        s.stop += 1
    s.state = OVER
    let_go(m, strands, k)


@kernel
def begin(m, strands):
    """Every strand's thread is on its core, and all cores' clocks show the same."""
    now = 0
    for c in range(m.cores):
        now = max(now, m.core[c].cycles)
    for c in range(m.cores):
        m.core[c].cycles = now
    for j in range(len(strands)):
        place_thread(m, strands[j].thread, strands[j].core)
        m.core[strands[j].core].current = 0

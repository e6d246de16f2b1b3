"""A recorded trace, or arrays of accesses, run on the machine: one access after another, in order.

A trace holds no values, so its accesses carry none (params.PHANTOM_*); each runs to its end before the
next, past the store buffer: the trace's order is the order in which memory sees it. Without a process of the
caller's, a process whose one mapping spans the whole address space stands in for the program's. All of that was there before
(VM_EXISTED): a page's first touch is a fault and a walk that find a frame of its own, and the kernel clears and writes nothing
through the caches. Which core makes which access, player.py says.

    one core    hit filter ── a hit: with it up to seven more of its line, looked at together (eight.py)
                    └─ else the memory door's short way, in this loop; its long way through the door
    many cores  hit filter, or the door, access by access, as the trace has them or as the cores' clocks say; and where.py
                notes what missed, if somebody looks

Cost of one core, on the host: about 2 ns for one of a run of hits, 20 ns for a miss of all levels.
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import apart, call_door, cold, hot, kernel
from hwmem.machine.arguments import as_array, filled, int64_array
from hwmem.bits import ctz64, popcount64
from hwmem.cache.hit_filter import forget_lines, is_hot, is_hot_store
from hwmem.cache.match import LANES
from hwmem.cache.sets import prefetch_row, row_of
from hwmem.core.memory_door import short_way, takes_long_way
from hwmem.machine.eight import stores8, within8
from hwmem.machine.where import after_access, before_access, note
from hwmem.mmu.walk import foresee


AHEAD = 4  # accesses; the host fetches the LLC's set for the one so far ahead


@kernel
def replay_one_core(m, t, addresses, is_store, sizes):
    """All accesses on the core of thread `t`. Returns how many were made: fewer than all if one ended the thread."""
    c = m.thread[t].core
    core = m.core[c]
    llc = m.llc[core.socket]
    i, n = 0, len(addresses)
    addresses_at, is_store_at, sizes_at = np.int64(addresses.ctypes.data), np.int64(is_store.ctypes.data), np.int64(sizes.ctypes.data)
    ahead = AHEAD if m.has_llc else n
    while i < n:
        va, size = addresses[i], np.int64(sizes[i])
        if is_hot(core, va, size, is_store[i]):
            if i + LANES <= n:
                at = np.int64(i)
                run = within8(addresses_at + 8 * at, sizes_at + 2 * at, va & -P.LINE)
                i += count_hits(core, va, run, stores8(is_store_at + at))
            else:
                count_hit(core, is_store[i])
                i += 1
            continue
        if i + ahead < n:
            expect(m, core, llc, va, addresses[i + ahead])
        what = size | phantom(is_store[i]) << P.KIND_SHIFT
        if takes_long_way(m, core, va, what):
            touch(m, t, va, what)
        else:
            short_way(m, t, c, va, what, 0)
        if m.thread[t].state == P.KILLED:
            break
        i += 1
    return i


@hot
def expect(m, core, llc, va, later):
    """The host begins to fetch what the access to `later`, soon after the one to `va`, will search in the LLC."""
    if (va ^ later) >> (P.PAGE_SHIFT if m.mmu else P.LINE_SHIFT) == 0:
        return  # within a page the host does so by itself, and within a line nothing is searched
    pa = foresee(m, core, later) if m.mmu else later
    if pa >= 0:
        prefetch_row(m, llc, row_of(llc, pa >> P.LINE_SHIFT))


@hot
def count_hits(core, va, within, stores):
    """The access to `va` is a hit that the filter knows; so are those that follow it `within` its line, `stores` only where
    they may go ahead (masks of eight accesses, this one the first). How many were counted."""
    if not is_hot_store(core, va):
        within &= ~stores
    hits = ctz64(np.uint64(~within))
    stores = popcount64(np.uint64(stores & (1 << hits) - 1))
    core.loads += hits - stores
    core.stores += stores
    core.cycles += core.hit_cycles * hits
    return hits


@kernel
def replay_cores(m, threads, core, accesses, places):
    """Access i on core[i], by that core's thread threads[core[i]]. `accesses`: addresses, is_store, sizes; the cycles that its core
    computes before each; whose it is and by which instruction (or empty), for `places` (where.py)."""
    addresses, is_store, sizes, compute, thread, instruction = accesses
    for i in range(len(addresses)):
        m.core[core[i]].cycles += compute[i]
        if make(m, threads[core[i]], addresses[i], np.int64(sizes[i]), is_store[i], places):
            note(places, addresses[i], np.int64(sizes[i]), np.int64(thread[i]), instruction[i] if len(instruction) else 0)
        if m.thread[threads[core[i]]].state == P.KILLED:
            return i
    return len(addresses)


@kernel
def replay_by_clock(m, threads, at, end, accesses, places):
    """Of the cores with accesses left, core c's from at[c] to end[c] of the arrays (end[c] < 0: it has none), the one whose
    clock is least makes its next; until one of them has come to its end. The arrays are as in replay_cores."""
    addresses, is_store, sizes, compute, thread, instruction = accesses
    while True:
        c = -1
        for d in range(len(at)):
            if end[d] >= 0 and (c < 0 or m.core[d].cycles < m.core[c].cycles):
                c = d
        if c < 0 or at[c] == end[c]:
            return
        i = at[c]
        if compute[i]:
            m.core[c].cycles += compute[i]
            compute[i] = 0
            continue  # somebody else may be earlier now
        if make(m, threads[c], addresses[i], np.int64(sizes[i]), is_store[i], places):
            note(places, addresses[i], np.int64(sizes[i]), np.int64(thread[i]), instruction[i] if len(instruction) else 0)
        at[c] += 1
        if m.thread[threads[c]].state == P.KILLED:
            return


@kernel
def make(m, t, va, size, is_store, places):
    """An access of thread `t`; whether there is something to note of it."""
    core = m.core[m.thread[t].core]
    if is_hot(core, va, size, is_store):
        count_hit(core, is_store)
        return False
    if places.on:
        return make_noting(m, t, va, size | phantom(is_store) << P.KIND_SHIFT, places)
    touch(m, t, va, size | phantom(is_store) << P.KIND_SHIFT)
    return False


@apart
def make_noting(m, t, va, what, places):
    """An access that leaves the filter, for where.py; whether there is something to note of it."""
    core = m.core[m.thread[t].core]
    before_access(places, core)
    touch(m, t, va, what)
    return after_access(places, core)


@kernel
def forget_addresses(m):
    """Without an MMU a trace's addresses need not lie in RAM: no load may follow them there, however the replay ended."""
    for c in range(m.cores):
        forget_lines(m.core[c])


@kernel
def count_hit(core, is_store):
    if is_store:
        core.stores += 1
    else:
        core.loads += 1
    core.cycles += core.hit_cycles


@hot
def phantom(is_store):
    """The kind of a trace's access."""
    return P.PHANTOM_STORE if is_store else P.PHANTOM_LOAD


@kernel
def touch(m, t, va, what):
    """One access; what is longer than a line (saves of vector registers) goes line by line."""
    if what & P.SIZE_MASK > P.LINE:
        touch_long(m, t, va, what)
    else:
        call_door(m, P.DOOR_MEMORY, t, va, what, 0)


@cold
def touch_long(m, t, va, what):
    size, kind = what & P.SIZE_MASK, what >> P.KIND_SHIFT
    while size > 0 and m.thread[t].state != P.KILLED:
        part = min(size, P.LINE - (va & P.LINE - 1))
        call_door(m, P.DOOR_MEMORY, t, va, part | kind << P.KIND_SHIFT, 0)
        va += part
        size -= part


def as_arrays(addresses, is_store, sizes):
    """The three arrays as int64, bool, uint16 of one length; a scalar fills, and None (8) as size. Raises TypeError or
    ValueError that names the array."""
    addresses = int64_array("addresses", addresses)
    is_store = np.ascontiguousarray(filled("is_store", is_store, "biu", addresses.shape), dtype=np.bool_)
    sizes = as_array("sizes", 8 if sizes is None else sizes, "iu")
    if sizes.size and not (0 < sizes.min() and (sizes.dtype == np.uint16 or sizes.max() < 1 << 16)):
        raise ValueError(f"sizes: takes 1 to 65535 bytes, got {sizes.min()} to {sizes.max()}")
    sizes = filled("sizes", sizes.astype(np.uint16, copy=False), "iu", addresses.shape)
    return addresses, is_store, np.ascontiguousarray(sizes)

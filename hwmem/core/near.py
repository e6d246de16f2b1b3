"""Loads that mostly hit, from code that goes round more lines than the hit filter knows: the TLB and the L1 are asked before the door.

    load_near(m, t, va, size) ── hit filter ──> bytes                     inlined, as load64
                             └── near: first-level TLB, L1 ──> bytes      one call, a third of the door's time
                                   └── memory door ──> all the rest

A runtime's marker reads a dozen lines for each object, in as many pages: two that share a set of the L1 or of the TLB push each
other out of the filter, time and again. It also writes what it has just read, so here, unlike in the door, a load of a line that
the core has in M lets later stores go ahead.

What the full path would do is done, in its order: the same counts, ages, clocks and early answers. An access that is anything else
than a hit in both (a waiting store, an observer, a crossing, a huge page) has changed nothing when the door gets it.
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import apart, call_door, hot
from hwmem.cache.hit_filter import LAST, hot_host, is_hot, note_frame, note_line
from hwmem.cache.private import HIT
from hwmem.cache.sets import index_in, row_of, touch_in
from hwmem.core.in_flight import meet_stores
from hwmem.memory.ram import peek8, peek16, peek32, peek64
from hwmem.mmu.tlb import key_4k
from hwmem.mmu.translate import is_user_address

NOT_NEAR = -1


@hot
def load_near(m, t, va, size):
    """`size` (1, 2, 4, 8) bytes at `va`, as access.load gives them."""
    core = m.core[m.thread[t].core]
    if is_hot(core, va, size, 0):
        core.loads += 1
        now, host = core.cycles, hot_host(core, va)
        core.cycles = now + core.hit_cycles
        if core.sb_free_at > now:
            core.cycles += meet_stores(m, core, host, size, now)
    else:
        host = near(m, core, va, size)
        if host == NOT_NEAR:
            return call_door(m, P.DOOR_MEMORY, t, va, size & P.SIZE_MASK | P.LOAD << P.KIND_SHIFT, 0)
    if size == 8:
        return peek64(host)
    if size == 4:
        return peek32(host)
    if size == 2:
        return peek16(host)
    return peek8(host)


@apart
def near(m, core, va, size):
    """A load that hits in the first-level TLB and the L1, with no store waiting and nobody watching, made: the bytes' host address.
    NOT_NEAR, and nothing has changed, if it is another."""
    if core.plain == 0 or m.mmu == 0 or (va & LAST) + size > P.LINE or not is_user_address(core, va):
        return NOT_NEAR
    slot = core.hot_page[np.uint64(va >> P.PAGE_SHIFT & core.page_mask)]
    key = key_4k(core, va)
    page_row, j, frame = row_of(core.dtlb, key), -1, slot.frame & ~1
    if slot.page != (va | core.page_last):
        j = index_in(m, core.dtlb, page_row, key)
        if j < 0:
            return NOT_NEAR
        frame = m.word[j] & P.PTE_FRAME
    pa = frame | va & P.PAGE - 1
    row = row_of(core.l1d, pa >> P.LINE_SHIFT)
    i = index_in(m, core.l1d, row, pa >> P.LINE_SHIFT)
    if i < 0 or m.tag[i] & P.STATE_MASK == P.I:
        return NOT_NEAR
    if j >= 0:
        core.leaf = m.word[j]
        touch_in(m, core.dtlb, page_row, j)
        note_frame(core, va, pa)
    touch_in(m, core.l1d, row, i)
    may_store = m.tag[i] & P.STATE_MASK == P.M and slot.frame & 1 != 0 and core.sb_leaving == 0 and m.store_buffer_always == 0
    note_line(core, va, m.ram_base + pa, may_store, HIT)
    count_hit(m, core, m.ram_base + pa, size)
    return m.ram_base + pa


@hot
def count_hit(m, core, host, size):
    """What a load that both have answered counts and takes."""
    core.slow_accesses += 1
    core.loads += 1
    core.dtlb.hits += 1
    core.l1d.hits += 1
    core.source = P.FROM_L1
    now = core.cycles
    core.cycles = now + core.l1d.latency
    if core.sb_free_at > now:
        core.cycles += meet_stores(m, core, host, size, now)

"""The memory door: every access that the hit filter does not answer.

access.py calls it with the thread, the address, size and kind in one word, and the value of a store.

    no store waits, nobody watches:   short_way   translate ── L1, L2, directory, DRAM ── hit filter ── bytes
    else                              access      the same with store buffer, early loads, observers (long_way.py)
    by physical address               serve       the kernel's accesses, drains (physical.py)

Returns what was loaded; 0 for a store; for an atomic the host address of the word; after a fault 0, atomics -1.
"""

from hwmem import params as P
from hwmem._jit import DOORS, cold, hot
from hwmem.cache.hit_filter import HIT, LAST, note_line, page_slot
from hwmem.cache.private import hit_line, take_miss
from hwmem.cache.seen import see_line
from hwmem.cache.sets import row_of
from hwmem.core.in_flight import meet_some, retire, words_of
from hwmem.core.long_way import access, access_atomic
from hwmem.core.physical import serve
from hwmem.core.place import NOT_KNOWN, count_access, is_write, known_place, place_of
from hwmem.core.store_buffer import push, read_bytes, write_bytes
from hwmem.memory.ram import peek64


@DOORS.door(P.DOOR_MEMORY)
def memory_door(m, t, va, what, value):
    kind = what >> P.KIND_SHIFT
    if kind > P.PHANTOM_STORE:
        return compare(m, t, va, what, value) if kind == P.COMPARE else serve(m, t, va, what & P.SIZE_MASK, kind)
    if kind == P.ATOMIC:
        return access_atomic(m, t, va, what & P.SIZE_MASK, value)
    c = m.thread[t].core
    if takes_long_way(m, m.core[c], va, what):
        return access(m, t, va, what, value)
    return short_way(m, t, c, va, what, value)


@hot
def takes_long_way(m, core, va, what):
    kind = what >> P.KIND_SHIFT
    return (
        core.plain == 0
        or kind == P.STREAM_STORE
        or (kind == P.STORE and m.store_buffer_always)
        or (va & LAST) + (what & P.SIZE_MASK) > P.LINE
    )


@hot
def short_way(m, t, c, va, what, value):
    """An access within a line, with no store waiting and no observer on: all of it inlined."""
    core, kind = m.core[c], what >> P.KIND_SHIFT
    write = is_write(kind)
    count_access(core, kind)
    pa = known_place(m, t, core, va, what)
    if pa == NOT_KNOWN:
        pa = place_of(m, t, c, va, kind)
    if pa < 0:
        return 0
    line = pa >> P.LINE_SHIFT
    row, now = row_of(core.l1d, line), core.cycles
    if core.sb_free_at > now and kind == P.STORE and core.sb_free_at >= now + core.sb_passage:
        push(m, t, va, pa, what, value)  # behind one that is longer on its way
        return 0
    i = hit_line(m, c, row, line, write)
    if i == HIT:
        after_hit(m, core, pa, what, now)
    else:
        if kind == P.STORE and m.ordering != P.SC:
            push(m, t, va, pa, what, value)
            return 0
        take_miss(m, c, row, line, write, i)
        if kind == P.LOAD:
            core.cycles += meet_some(m, core, m.ram_base + pa, what & P.SIZE_MASK, now)
        if i >= 0 and m.recency == P.PROCESSOR:
            i = HIT
    owned = kind < P.PHANTOM_LOAD and see_line(m, core, va, pa, row)  # (no load of a replay is near)
    note_line(core, va, m.ram_base + pa, core.sb_leaving == 0 and (write or (owned and may_follow(m, core, va))), i)
    return move_bytes(m.ram_base + pa, what, value)


@hot
def may_follow(m, core, va):
    """Whether a store may follow a load of a line that the core has in M, without a look at anything."""
    return page_slot(core, va).frame & 1 != 0 and m.store_buffer_always == 0 and core.sb_free_at < core.cycles + core.sb_passage


@hot
def after_hit(m, core, pa, what, now):
    """After an L1 hit of an access that began at cycle `now`: a store is now in flight, or a load may have met one."""
    kind = what >> P.KIND_SHIFT
    if kind == P.STORE:
        core.cycles, core.sb_leaving = now, 0
        retire(core, m.ram_base + pa, what & P.SIZE_MASK, words_of(pa, what & P.SIZE_MASK))
    elif kind == P.LOAD:
        core.cycles += meet_some(m, core, m.ram_base + pa, what & P.SIZE_MASK, now)


@hot
def move_bytes(host, what, value):
    """The data of a load or a store within a line; what was loaded."""
    size, kind = what & P.SIZE_MASK, what >> P.KIND_SHIFT
    if kind == P.LOAD:
        return peek64(host) if size == 8 else read_bytes(host, size)
    if kind == P.STORE:
        write_bytes(host, size, value)
    return 0


@cold
def compare(m, t, va, what, expected):
    """A compare-and-swap: an atomic, of which the race detector learns whether it will succeed."""
    m.observe.ordered = P.COMPARES
    host = access_atomic(m, t, va, what & P.SIZE_MASK, expected)
    m.observe.ordered = 0
    return host

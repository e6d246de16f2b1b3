"""Store buffer: what a core has written and others cannot see yet.

memory_door.py pushes stores here; loads of the same core look here first. A ring in program order:

    head                     tail
     | a=1 | b=2 | a=3 |  ... |        a load of `a` on this core sees 3; on any other, RAM

An entry may leave when no entry ahead of it must go first (`stays_behind`); this rule defines the ordering:

    tso        all must: a FIFO (x86-TSO; Owens, Sarkar, Sewell, 2009). Only non-temporal stores pass, and are passed
    relaxed    those of the same line, and those of an older group: sfence and a release store begin a new group. (What
               relaxed does to loads: cache/invalidations.py)

It drains at `due`, some cycles after the store retired, or when the entry before it has left. Draining fetches the line (a coherence
request like any other) on the buffer's time, not the core's: one cycle if the L1 has it. Under tso the entry waits for its line at the
head, and later stores to the same line drain along with it, one a cycle, until another core's request can arrive. It has then left the
ring, but keeps its entry until its line arrives (in_flight.py). Under relaxed an entry that is due requests its line, and becomes visible
when the line arrives; others go ahead meanwhile. Non-temporal stores wait for others to their line, and go with them to memory, past the
caches.

The core waits only when the buffer is full, at a fence or an atomic, or when its thread blocks. in_flight.py has the cost of loads that
meet a store.

Invariants: while an entry for a line waits, the line is not in the core's hit filter, and no store is; groups never
decrease from head to tail; sb_next is when the buffer acts next, if it holds anything.
"""

from hwmem import params as P
from hwmem._jit import apart, cold, hot, kernel
from hwmem.cache.private import access_physical
from hwmem.cache.hit_filter import forget_stores
from hwmem.cache.sets import index_of
from hwmem.cache.invalidations import process_lines
from hwmem.cache.past import write_past
from hwmem.core.in_flight import ALL_WORDS, in_flight
from hwmem.core.ring import ASKED, PLAIN, STREAM, append, slot_of, youngest_overlap
from hwmem.memory.ram import peek8, poke8, poke64
from hwmem.observers.hooks import access_seen


@apart
def push(m, t, va, pa, what, value):
    """A retired store; its slot. Waits while the buffer is full. `what`: size and kind, as the memory door gets them."""
    core = m.core[m.thread[t].core]
    if core.sb_count + in_flight(core) >= m.store_buffer_entries:
        core.store_buffer_stalls += 1
        make_room(m, core)
    slot = append(m, t, va, pa, what, value)
    if core.sb_count == 1:
        core.plain, core.recent_words = 0, ALL_WORDS
        forget_stores(core)
        core.sb_next = max(core.sb_due[slot], core.sb_free_at)
    elif core.sb_due[slot] < core.sb_due[core.sb_head]:
        core.sb_next = next_time(m, core)
    return slot


@apart
def make_room(m, core):
    """The core waits for an entry: until one in flight is gone, or the next is on its way."""
    flying = in_flight(core)
    while core.sb_count + flying >= m.store_buffer_entries:
        if flying == 0:
            core.cycles = max(core.cycles, core.sb_next)
            drain_next(m, core.id)
        elif core.sb_leaving > 0:
            core.cycles = core.sb_free_at - flying + 1
        else:
            core.cycles += 1
        flying = in_flight(core)


@cold
def stream(m, core, slot):
    """The store just pushed is a non-temporal one."""
    core.sb_kind[slot] = STREAM
    core.sb_streams += 1
    core.sb_due[slot] += P.COMBINE_CYCLES
    core.sb_next = next_time(m, core)


@kernel
def stays_behind(m, core, a, b):
    """Whether the entry in slot `b` must wait for the older one in slot `a`."""
    if core.sb_pa[a] >> P.LINE_SHIFT == core.sb_pa[b] >> P.LINE_SHIFT or core.sb_after[a] != core.sb_after[b]:
        return True
    return m.ordering != P.RELAXED and core.sb_kind[a] != STREAM and core.sb_kind[b] != STREAM


@kernel
def may_leave(m, core, k):
    """Whether the entry at position `k` need not wait for any other."""
    for j in range(k):
        if stays_behind(m, core, slot_of(core, j), slot_of(core, k)):
            return False
    return True


@kernel
def next_position(m, core):
    """Position of the entry that acts next: of those that may leave, the one with the earliest time."""
    best, due = 0, core.sb_due[core.sb_head]
    if m.ordering == P.RELAXED or core.sb_streams > 0:
        for k in range(1, core.sb_count):
            if core.sb_due[slot_of(core, k)] < due and may_leave(m, core, k):
                best, due = k, core.sb_due[slot_of(core, k)]
    return best


@kernel
def next_time(m, core):
    return max(core.sb_due[slot_of(core, next_position(m, core))], core.sb_free_at)


@apart
def drain_next(m, c):
    """The buffer's next action, at its time: the cost is the buffer's, not the core's."""
    core = m.core[c]
    now, waits, waited = core.cycles, core.line_waits, core.line_wait_cycles
    k = next_position(m, core)
    slot = slot_of(core, k)
    core.cycles = core.sb_next
    if m.ordering == P.RELAXED and core.sb_kind[slot] == PLAIN and not may_write(m, core, core.sb_pa[slot] >> P.LINE_SHIFT):
        core.store_buffer_fetches += 1
        take_line(m, c, slot)
        core.sb_kind[slot], core.sb_due[slot] = ASKED, core.cycles
    else:
        drain_line(m, c, k)
    core.cycles, core.line_waits, core.line_wait_cycles = now, waits, waited
    core.sb_next = next_time(m, core)


@apart
def drain_line(m, c, k):
    """The entry at position `k` becomes visible, together with those behind it that wait for the same line."""
    core = m.core[c]
    line, kind = core.sb_pa[slot_of(core, k)] >> P.LINE_SHIFT, core.sb_kind[slot_of(core, k)]
    drain_entry(m, c, k)
    core.sb_free_at, core.sb_leaving = core.cycles, 0
    if kind == STREAM:
        finish_stream(m, core, k, line)
        return
    leaving, lost = 1, core.cycles + (m.cost.invalidate + 1) // 2  # the next request for the line needs half of that way to get here
    while (
        core.sb_count > k
        and core.sb_pa[slot_of(core, k)] >> P.LINE_SHIFT == line
        and core.sb_due[slot_of(core, k)] <= core.sb_free_at
        and core.sb_free_at < lost
    ):
        follow(m, c, k)
        core.sb_free_at += 1
        leaving += 1
    if k == 0 and m.ordering == P.TSO:
        core.sb_leaving = leaving


@hot
def follow(m, c, k):
    """The store at position `k` is performed right after one to the same line, which the L1 has in M, the most recent of its set."""
    if m.observe.watching:
        drain_entry(m, c, k)
        return
    m.core[c].l1d.hits += 1
    write_entry(m, m.core[c], k)


@cold
def finish_stream(m, core, k, line):
    """Non-temporal stores behind position `k` to the line that has just been written go with it: one write to memory."""
    while k < core.sb_count:
        slot = slot_of(core, k)
        if core.sb_pa[slot] >> P.LINE_SHIFT != line:
            k += 1
        elif core.sb_kind[slot] == STREAM and may_leave(m, core, k):
            core.store_buffer_streams += 1
            write_entry(m, core, k)
        else:
            return


@kernel
def may_write(m, core, line):
    """Whether the L1 has the line with the right to write it."""
    i = index_of(m, core.l1d, line)
    return i >= 0 and m.tag[i] & P.STATE_MASK >= P.E


@apart
def drain_entry(m, c, k):
    """The store at position `k` is performed at the core's clock."""
    core = m.core[c]
    slot = slot_of(core, k)
    if core.sb_kind[slot] == STREAM:
        core.store_buffer_streams += 1
        write_past(m, c, core.sb_pa[slot] >> P.LINE_SHIFT)
    else:
        take_line(m, c, slot)
    write_entry(m, core, k)


@apart
def take_line(m, c, slot):
    """Fetch the line of the store in `slot` for writing. Observers see the store when its line is first requested, and again if it must be
    requested once more because another core took it."""
    core = m.core[c]
    start = core.cycles
    access_physical(m, c, core.sb_pa[slot], 1)
    if core.source == P.FROM_L1:
        core.cycles = start + 1  # one a cycle
    if m.observe.watching and (core.sb_kind[slot] == PLAIN or core.source != P.FROM_L1):
        what = core.sb_size[slot] | P.STORE << P.KIND_SHIFT
        access_seen(m, core.sb_thread[slot], core.sb_va[slot], core.sb_pa[slot], what, core.cycles - start)


@apart
def write_entry(m, core, k):
    """The bytes of the store at position `k` go to memory, the entry out of the buffer."""
    slot = slot_of(core, k)
    write_bytes(m.ram_base + core.sb_pa[slot], core.sb_size[slot], core.sb_value[slot])
    if core.iq_count > 0:
        process_lines(core, core.sb_pa[slot] >> P.LINE_SHIFT, core.sb_pa[slot] >> P.LINE_SHIFT)
    core.sb_streams -= core.sb_kind[slot] == STREAM
    for j in range(k, 0, -1):
        copy_entry(core, slot_of(core, j - 1), slot_of(core, j))
    core.sb_head = slot_of(core, 1)
    core.sb_count -= 1
    core.store_buffer_drains += 1


@kernel
def copy_entry(core, a, b):
    core.sb_pa[b], core.sb_va[b], core.sb_size[b], core.sb_value[b] = core.sb_pa[a], core.sb_va[a], core.sb_size[a], core.sb_value[a]
    core.sb_thread[b], core.sb_due[b], core.sb_after[b], core.sb_kind[b] = (
        core.sb_thread[a],
        core.sb_due[a],
        core.sb_after[a],
        core.sb_kind[a],
    )


@kernel
def drain_due(m, c, now):
    """Drain the entries that are due at cycle `now`."""
    core = m.core[c]
    while core.sb_count > 0 and core.sb_next <= now:
        drain_next(m, c)


@cold
def drain_all(m, c):
    """What a fence waits for: the buffer is empty, and the core's clock at the end of the last entry."""
    core = m.core[c]
    while core.sb_count > 0:
        drain_next(m, c)
    core.cycles = max(core.cycles, core.sb_free_at)
    core.sb_leaving = 0


@cold
def drain_overlap(m, core, pa, size):
    """The core waits until no entry shares a byte with [pa, pa + size)."""
    while youngest_overlap(core, pa, size) >= 0:
        drain_next(m, core.id)
    core.cycles = max(core.cycles, core.sb_free_at)


@kernel
def write_bytes(host, size, value):
    if size == 8:
        poke64(host, value)
        return
    for k in range(size):
        poke8(host + k, value >> 8 * k & 255)


@kernel
def read_bytes(host, size):
    value = 0
    for k in range(size):
        value |= peek8(host + k) << 8 * k
    return value

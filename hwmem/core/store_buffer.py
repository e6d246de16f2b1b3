"""Store buffer: what a core has written and others cannot see yet.

memory_door.py pushes every store here (ordering="tso"); loads of the same core look here first. A FIFO:
entries leave in program order, into the L1, when their time comes or a fence, an atomic or a block waits for
them (x86-TSO; Owens, Sarkar, Sewell, 2009).

    head                     tail
     | a=1 | b=2 | a=3 |  ... |        a load of `a` on this core sees 3; on any other, RAM

An entry's time is `due`, some cycles after the store retired, or the end of the entry before it. Draining
takes the line (a coherence request like any other) on the buffer's time, not the core's; entries behind the
head that wait for the same line go with it, one a cycle, until another's request can arrive. The core waits only when the buffer is full, or at a
fence. Loads that overlap an entry partly wait until it has drained.

Invariant: while an entry for a line waits, the line is not in the core's hit filter, and no store is.
"""
from hwmem import params as P
from hwmem._jit import apart, cold, kernel
from hwmem.memory.ram import peek8, poke8, poke64
from hwmem.cache.private import access_physical
from hwmem.observe.hooks import access_seen

SLOTS = 64


@apart
def push(m, t, c, va, pa, size, value):
    """A retired store. Waits for the oldest entry when the buffer is full."""
    core = m.core[c]
    if core.sb_count == m.store_buffer_entries:
        core.store_buffer_stalls += 1
        core.cycles = max(core.cycles, head_due(core))
        drain_head(m, c)
    slot = (core.sb_head + core.sb_count) % SLOTS
    core.sb_pa[slot] = pa
    core.sb_va[slot] = va
    core.sb_size[slot] = size
    core.sb_value[slot] = value
    core.sb_thread[slot] = t
    core.sb_due[slot] = core.cycles + m.cost.store_drain
    core.sb_count += 1
    core.store_buffer_stores += 1
    core.hot[pa >> P.LINE_SHIFT & core.hot_mask].line = 0
    if core.sb_count == 1:
        core.plain = 0
        for h in range(core.hot_mask + 1):
            core.hot[h].store = 0
    core.cycles += 1


@kernel
def head_due(core):
    return max(core.sb_due[core.sb_head], core.sb_free_at)


@apart
def drain_head(m, c):
    """The oldest entry becomes visible, and with it those behind it that wait for the same line: the core has it now.

    The buffer, not the core, spends the time.
    """
    core = m.core[c]
    now, waits, waited = core.cycles, core.line_waits, core.line_wait_cycles
    line = core.sb_pa[core.sb_head] >> P.LINE_SHIFT
    core.cycles = head_due(core)
    write_head(m, c)
    core.sb_free_at = core.cycles
    lost = core.cycles + m.cost.invalidate              # the next request for the line needs that long to get here
    while core.sb_count > 0 and core.sb_pa[core.sb_head] >> P.LINE_SHIFT == line \
            and core.sb_due[core.sb_head] <= core.sb_free_at and core.sb_free_at < lost:
        write_head(m, c)
        core.sb_free_at += 1
    core.cycles, core.line_waits, core.line_wait_cycles = now, waits, waited


@cold
def write_head(m, c):
    """Perform the oldest entry's store at the core's clock, and take the entry out."""
    core = m.core[c]
    slot, start = core.sb_head, core.cycles
    pa, size = core.sb_pa[slot], core.sb_size[slot]
    access_physical(m, c, pa, 1)
    if m.observe.watching:
        access_seen(m, core.sb_thread[slot], c, core.sb_va[slot], pa >> P.LINE_SHIFT, pa & P.LINE - 1, size, P.STORE, core.cycles - start)
    write_bytes(m.ram_base + pa, size, core.sb_value[slot])
    core.sb_head = (slot + 1) % SLOTS
    core.sb_count -= 1
    core.store_buffer_drains += 1


@kernel
def drain_due(m, c, now):
    """Entries whose time has come at cycle `now`."""
    core = m.core[c]
    while core.sb_count > 0 and head_due(core) <= now:
        drain_head(m, c)


@cold
def drain_all(m, c):
    """What a fence waits for: the buffer is empty, and the core's clock at the end of the last entry."""
    core = m.core[c]
    while core.sb_count > 0:
        drain_head(m, c)
    core.cycles = max(core.cycles, core.sb_free_at)


@kernel
def youngest_overlap(core, pa, size):
    """Slot of the youngest entry that shares a byte with [pa, pa + size), or -1."""
    for k in range(core.sb_count - 1, -1, -1):
        slot = (core.sb_head + k) % SLOTS
        if core.sb_pa[slot] < pa + size and pa < core.sb_pa[slot] + core.sb_size[slot]:
            return slot
    return -1


@kernel
def waits_for_line(core, line):
    """Whether an entry of the buffer lies in `line`."""
    for k in range(core.sb_count):
        if core.sb_pa[(core.sb_head + k) % SLOTS] >> P.LINE_SHIFT == line:
            return True
    return False


@kernel
def forwards(core, slot, pa, size):
    """Whether the entry covers all of [pa, pa + size)."""
    return core.sb_pa[slot] <= pa and pa + size <= core.sb_pa[slot] + core.sb_size[slot]


@kernel
def forwarded(core, slot, pa, size):
    value = core.sb_value[slot] >> 8 * (pa - core.sb_pa[slot])
    return value if size == 8 else value & ((1 << 8 * size) - 1)


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

"""The store buffer's ring: its entries, what joins them, what a load finds among them. How they leave is in store_buffer.py.

    slot    (sb_head + k) % SLOTS      k = 0 .. sb_count - 1, the oldest first
    sb_pa, sb_va, sb_size, sb_value, sb_thread      the store
    sb_due                                          the cycle from which it may leave
    sb_after                                        its group: stores of an older one go first (relaxed)
    sb_kind                                         PLAIN, ASKED (its line is under way), STREAM (a non-temporal one)

Of the SLOTS, `store_buffer_entries` are the machine's; what is in flight takes some of them (in_flight.py).
"""

from hwmem import params as P
from hwmem._jit import hot, kernel
from hwmem.cache.hit_filter import cool
from hwmem.core.in_flight import SLOTS

PLAIN, ASKED, STREAM = P.PLAIN, P.ASKED, P.STREAM  # sb_kind


@kernel
def slot_of(core, k):
    """Slot of the entry at position `k` from the head."""
    return (core.sb_head + k) % SLOTS


@hot
def append(m, t, va, pa, what, value):
    """The store becomes the buffer's last entry, which costs the core a cycle; its slot."""
    core = m.core[m.thread[t].core]
    slot = slot_of(core, core.sb_count)
    core.sb_pa[slot] = pa
    core.sb_va[slot] = va
    core.sb_size[slot] = what & P.SIZE_MASK
    core.sb_value[slot] = value
    core.sb_thread[slot] = t
    core.sb_due[slot] = core.cycles + m.cost.store_drain
    core.sb_after[slot] = core.sb_group
    core.sb_kind[slot] = PLAIN
    core.sb_count += 1
    core.store_buffer_stores += 1
    core.cycles += 1
    cool(core, pa >> P.LINE_SHIFT)
    return slot


@hot
def goes_last(m, core):
    """Whether there is room for one more store for certain, and those that wait already are due before it."""
    most = core.sb_count + max(core.sb_leaving, core.sb_passage)  # in flight is at most so many (in_flight)
    return most < m.store_buffer_entries and core.sb_due[core.sb_head] <= core.cycles + m.cost.store_drain


@kernel
def begin_group(core):
    """Later stores leave after those now waiting."""
    if core.sb_count > 0 and core.sb_after[slot_of(core, core.sb_count - 1)] == core.sb_group:
        core.sb_group += 1


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
def waits_near(core, line):
    """Whether one lies in `line` or a line whose address has the same low 12 bits: loads of it meet a store (in_flight.py)."""
    for k in range(core.sb_count):
        if (core.sb_pa[(core.sb_head + k) % SLOTS] >> P.LINE_SHIFT ^ line) & P.LINES_PER_PAGE - 1 == 0:
            return True
    return False


@kernel
def forwards(core, slot, pa, size):
    """Whether the entry covers all of [pa, pa + size)."""
    return core.sb_pa[slot] <= pa and pa + size <= core.sb_pa[slot] + core.sb_size[slot]


@kernel
def forward(core, slot, pa, size):
    """A load that the entry feeds: charge it; its value."""
    core.store_buffer_forwards += 1
    core.cycles += core.forward_cycles
    value = core.sb_value[slot] >> 8 * (pa - core.sb_pa[slot])
    return value if size == 8 else value & ((1 << 8 * size) - 1)

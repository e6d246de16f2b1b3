"""The memory door: every access that the hit filter does not answer.

access.py calls it with the thread, the address, size and kind in one word, and the value of a store.

    drain what is due ── translate ── forward own stores ── L1, L2, directory, DRAM ── bytes ── hit filter
                                      └─ or (relaxed) the line as it was before another core's store (cache/invalidations.py)

An access that crosses a line is two, and both addresses are translated before either is performed. An atomic
that crosses a line is refused with SIGBUS, as Linux's split-lock detection does.
Returns what was loaded; 0 for a store; for an atomic the host address of the word; after a fault 0, atomics -1.
"""
import numpy as np

from hwmem import params as P
from hwmem._jit import DOORS, apart, cold, hot, kernel
from hwmem.cache.private import HIT, access_line, expect_request, hit_line, sweep_physical, take_miss
from hwmem.cache.sets import index_of, row_of
from hwmem.cache.directory import keep_line
from hwmem.cache.invalidations import held_value, oldest, process_all, process_due, process_everywhere, process_lines
from hwmem.core.signal import kill
from hwmem.core.store_buffer import (drain_all, drain_due, drain_entry, forwarded, forwards, push, read_bytes, stream,
                                     waits_for_line, write_bytes, youngest_overlap)
from hwmem.memory.ram import peek64
from hwmem.mmu.tlb import STORE_NEEDS, forget_pages
from hwmem.mmu.translate import translate
from hwmem.observers.hooks import access_made, access_seen, physical_seen

LAST = P.LINE - 1
READS = (1 << P.LOAD) | (1 << P.PHANTOM_LOAD)
NOT_KNOWN = -2
LONG_WAY = (1 << P.ATOMIC) | (1 << P.STREAM_STORE)


@DOORS.door(P.DOOR_MEMORY)
def memory_door(m, t, va, what, value):
    size, kind = what & P.SIZE_MASK, what >> P.KIND_SHIFT
    if kind > P.PHANTOM_STORE:
        return compare(m, t, va, size, value) if kind == P.COMPARE else serve(m, t, va, size, kind)
    c = m.thread[t].core
    if takes_long_way(m, m.core[c], va, size, kind):
        return access(m, t, va, size, kind, value)
    return short_way(m, t, c, va, size, kind, value)


@hot
def takes_long_way(m, core, va, size, kind):
    return core.plain == 0 or LONG_WAY >> kind & 1 or (kind == P.STORE and m.store_buffer_always) or (va & LAST) + size > P.LINE


@hot
def short_way(m, t, c, va, size, kind, value):
    """An access within a line while no store waits and nobody watches: nothing of it is a call."""
    core = m.core[c]
    count_access(core, kind)
    write = 0 if READS >> kind & 1 else 1
    pa = known_place(m, t, core, va, size, write, kind)
    if pa == NOT_KNOWN:
        pa = place_of(m, t, c, va, write, kind)
    if pa < 0:
        return 0
    line = pa >> P.LINE_SHIFT
    row = row_of(core.l1d, line)
    i = hit_line(m, c, row, line, write)
    if i != HIT:
        if kind == P.STORE and m.ordering != P.SC:
            push(m, t, c, va, pa, size, value)
            return 0
        take_miss(m, c, row, line, write, i)
    note_line(core, va, m.ram_base + pa, write, i)
    return move_bytes(m.ram_base + pa, size, kind, value)


@hot
def known_place(m, t, core, va, size, write, kind):
    """Physical address of `va` where that can be told without a look into the TLBs: its page is the last one of its set and
    allows the access, or there is no MMU. Else NOT_KNOWN; -1 after a fault."""
    if not m.mmu:
        return va if kind >= P.PHANTOM_LOAD else place_in_ram(m, t, va, size, write)
    known = core.hot_page[np.uint64(va >> P.PAGE_SHIFT & core.page_mask)]
    if known.page != (va | core.page_last) or (write and not known.frame & 1):
        return NOT_KNOWN
    core.dtlb.hits += 1
    return (known.frame & ~1) + (va & P.PAGE - 1)


@apart
def place_in_ram(m, t, va, size, write):
    """Without an MMU `va` is the physical address, and data must lie in RAM; -1 after a fault."""
    return va if 0 <= va <= m.ram_size - size else kill(m, t, va, write, P.SEGV_MAPERR)


@apart
def find_place(m, t, c, va, write, kind):
    """place_of, as a call."""
    return place_of(m, t, c, va, write, kind)


@hot
def place_of(m, t, c, va, write, kind):
    """Physical address of `va`, or -1 after a fault."""
    pa = translate(m, t, c, va, write)
    if pa >= 0:
        if kind < P.PHANTOM_LOAD:                               # a new page: a new line, as a rule
            expect_request(m, m.core[c], pa >> P.LINE_SHIFT)    # (a replay has looked ahead)
        note_page(m.core[c], va, pa)
    return pa


@cold
def serve(m, c, pa, size, kind):
    """What the scheduler and the operating system ask of core `c` (service.py)."""
    if kind == P.DRAIN_DUE:
        drain_due(m, c, pa)
    elif kind == P.DRAIN_ALL:
        drain_all(m, c)
    elif kind == P.DRAIN_ENTRY:
        drain_entry(m, c, pa)
    else:
        physical_accesses(m, c, pa, size, 1 if kind == P.PHYSICAL_STORE else 0)
    return 0


@cold
def compare(m, t, va, size, expected):
    """A compare-and-swap: an atomic, of which the race detector learns whether it will succeed."""
    m.observe.ordered = P.COMPARES
    host = access(m, t, va, size, P.ATOMIC, expected)
    m.observe.ordered = 0
    return host


@apart
def physical_accesses(m, c, pa, size, write):
    """The kernel's access to [pa, pa + size), line by line. Lines that it overwrites whole need not be fetched."""
    core = m.core[c]
    for line_pa in range(pa, pa + size, P.LINE):
        core.kernel_accesses += 1
        core.overwrites = 1 if write and line_pa & LAST == 0 and pa + size - line_pa >= P.LINE else 0
        sweep_physical(m, c, line_pa, write)
        if m.observe.watching:
            physical_seen(m, c, line_pa, min(P.LINE, pa + size - line_pa), write)
    core.overwrites = 0
    if write and m.cost.early > 0:
        process_everywhere(m, pa, size)


@apart
def access(m, t, va, size, kind, value):
    """Any access by a virtual address, with all that can happen to it."""
    c = m.thread[t].core
    core = m.core[c]
    count_access(core, kind)
    if core.sb_count > 0:
        drain_due(m, c, core.cycles)
    if kind == P.ATOMIC and (core.sb_free_at > core.cycles or core.sb_count > 0):
        drain_all(m, c)
    if core.iq_count > 0:
        process_before(m, core, kind)
    write = 0 if READS >> kind & 1 else 1
    pa = known_place(m, t, core, va, size, write, kind)
    if pa == NOT_KNOWN:
        pa = find_place(m, t, c, va, write, kind)
    if pa < 0:
        return -1 if kind == P.ATOMIC else 0
    if m.observe.races:
        if m.observe.ordered == P.COMPARES and (va & LAST) + size <= P.LINE and peek64(m.ram_base + pa) != value:
            m.observe.ordered = P.FAILS
        access_made(m, t, va, size, kind)
    if (va & LAST) + size > P.LINE:
        return access_split(m, t, c, va, pa, size, P.STORE if kind == P.STREAM_STORE else kind, write, value)
    if kind == P.STREAM_STORE:
        stream(m, core, push(m, t, c, va, pa, size, value))
        if m.ordering == P.SC:
            drain_all(m, c)
        return 0
    if kind == P.LOAD and core.sb_count > 0:
        slot = youngest_overlap(core, pa, size)
        if slot >= 0 and forwards(core, slot, pa, size):
            core.store_buffer_forwards += 1
            core.cycles += core.hit_cycles
            return forwarded(core, slot, pa, size)
        if slot >= 0:
            drain_all(m, c)
    elif kind == P.STORE and m.ordering != P.SC and buffered(m, core, pa):
        push(m, t, c, va, pa, size, value)
        return 0
    if core.iq_count > 0:
        k = early_copy(core, pa >> P.LINE_SHIFT, kind)
        if k >= 0:
            core.early_loads += 1
            core.cycles += core.hit_cycles
            return held_value(core, k, pa & LAST, size)
    perform(m, t, c, va, pa, size, kind, write)
    if kind == P.ATOMIC:
        core.cycles += m.cost.atomic
        keep_line(m, core, pa >> P.LINE_SHIFT)
    return move_bytes(m.ram_base + pa, size, kind, value)


@cold
def process_before(m, core, kind):
    """Lines taken from the core that an access of this kind does not see as they were."""
    if kind == P.ATOMIC or (kind == P.LOAD and m.observe.ordered):
        process_all(core)
    else:
        process_due(core)


@cold
def early_copy(core, line, kind):
    """Place in the invalidation queue of the bytes that a load of `line` gets, -1: memory's. All else goes to memory, and
    later loads with it."""
    k = oldest(core, line)
    if k >= 0 and kind != P.LOAD:
        process_lines(core, line, line)
        return -1
    return k


@hot
def move_bytes(host, size, kind, value):
    """The data of an access within a line; what the door returns."""
    if kind == P.LOAD:
        return peek64(host) if size == 8 else read_bytes(host, size)
    if kind == P.STORE:
        write_bytes(host, size, value)
    return host if kind == P.ATOMIC else 0


@kernel
def count_access(core, kind):
    core.slow_accesses += 1
    if kind == P.ATOMIC:
        core.atomics += 1
    elif READS >> kind & 1:
        core.loads += 1
    else:
        core.stores += 1


@kernel
def buffered(m, core, pa):
    """Whether a store goes to the buffer: unless that is empty and the L1 can take the store now."""
    if core.sb_count > 0 or m.store_buffer_always:
        return True
    i = index_of(m, core.l1d, pa >> P.LINE_SHIFT)
    return i < 0 or m.tag[i] & P.STATE_MASK < P.E


@hot
def perform(m, t, c, va, pa, size, kind, write):
    """The line's access, then what observers and the hit filter note."""
    core = m.core[c]
    start = core.cycles
    line = pa >> P.LINE_SHIFT
    i = access_line(m, c, line, write)
    if m.observe.watching:
        access_seen(m, t, c, va, line, pa & LAST, size, kind, core.cycles - start)
        return
    if core.iq_count > 0:
        return
    note_line(core, va, m.ram_base + pa, write, i)
    core.plain = 1 if core.sb_count == 0 else 0
    if core.sb_count > 0:
        slot = core.hot[line & core.hot_mask]
        slot.store = 0
        if waits_for_line(core, line):
            slot.line = 0


@hot
def note_line(core, va, host, write, i):
    """The line is now the most recent of its L1 set, unless it was refilled in place (`i`: what hit_line returned)."""
    slot = core.hot[np.uint64(va >> P.LINE_SHIFT & core.hot_mask)]
    slot.line = 0 if i >= 0 else va | LAST
    slot.store = slot.line if write else 0
    slot.host = host - (va & LAST)


@hot
def note_page(core, va, pa):
    """The page is now the most recent of its TLB set."""
    if core.leaf & P.PTE_PS:
        note_huge_page(core, va, pa)
        return
    note_frame(core, va, pa)


@hot
def note_frame(core, va, pa):
    slot = core.hot_page[np.uint64(va >> P.PAGE_SHIFT & core.page_mask)]
    slot.page = va | core.page_last
    slot.frame = (pa & ~(P.PAGE - 1)) | (1 if core.leaf & STORE_NEEDS == STORE_NEEDS else 0)


@cold
def note_huge_page(core, va, pa):
    """Of 2 MiB pages the filter knows only the last one, and none where they share the TLB with small ones."""
    huge = (va >> P.HUGE_SHIFT) + 1
    if core.last_huge != huge or core.dtlb_2m.ways == 0:
        forget_pages(core)
        core.last_huge = huge
    if core.dtlb_2m.ways:
        note_frame(core, va, pa)


@cold
def perform_half(m, t, c, va, pa, size, kind, write):
    perform(m, t, c, va, pa, size, kind, write)


@cold
def access_split(m, t, c, va, pa, size, kind, write, value):
    """Both halves of an access that crosses a line."""
    core = m.core[c]
    if kind == P.ATOMIC:
        return kill(m, t, va, write, P.BUS_ADRALN)
    head = P.LINE - (va & LAST)
    pa_2 = find_place(m, t, c, va + head, write, kind) if m.mmu else va + head
    if pa_2 < 0:
        return 0
    core.split_accesses += 1
    drain_all(m, c)
    process_all(core)
    before = core.l1d.misses
    perform_half(m, t, c, va, pa, head, kind, write)
    one = core.l1d.misses - before
    perform_half(m, t, c, va + head, pa_2, size - head, kind, write)
    if one and core.l1d.misses - before - one:
        core.split_double_misses += 1
    host, host_2 = m.ram_base + pa, m.ram_base + pa_2
    if kind == P.LOAD:
        return read_bytes(host, head) | read_bytes(host_2, size - head) << 8 * head
    if kind == P.STORE:
        write_bytes(host, head, value)
        write_bytes(host_2, size - head, value >> 8 * head)
    return 0

"""The memory door's long way: any access by a virtual address, with all that can happen to it.

What travels with the access lies in core.access (layout.ACCESS): thread, va, pa, size, kind, value.

    begin      it is counted; stores whose time has come drain, for an atomic all of them; lines held for early loads go
    place      the physical address; the race detector learns of the access, which is the program's next
    by kind    load      from the store buffer, or the line as it was before another core's store (invalidations.py), or memory
               store     into the store buffer, unless that is empty and the L1 can take it now
               stream    into the store buffer, to pass by the caches
               atomic    to the L1, in M
               phantom   as a load or a store past the buffer, without data (a trace's)
    perform    the line's access; observers, or the hit filter, note it

One that crosses a line is two, and both addresses are translated before either is performed. An atomic that crosses a line is
refused with SIGBUS, as Linux's split-lock detection does.
"""
from hwmem import params as P
from hwmem._jit import apart, cold, hot, kernel
from hwmem.cache.directory import keep_line
from hwmem.cache.hit_filter import LAST, cool, note_line
from hwmem.cache.invalidations import held_value, oldest, process_all, process_due, process_lines
from hwmem.cache.private import access_line
from hwmem.cache.sets import index_of
from hwmem.core.place import NOT_KNOWN, count_access, find_place, is_write, known_place
from hwmem.core.signal import kill
from hwmem.core.store_buffer import (drain_all, drain_due, forwarded, forwards, push, read_bytes, stream, waits_for_line,
                                     write_bytes, youngest_overlap)
from hwmem.memory.ram import peek64
from hwmem.observers.hooks import access_made, access_seen


@apart
def access(m, t, va, what, value):
    """Returns what the memory door does."""
    c = m.thread[t].core
    core, kind = m.core[c], what >> P.KIND_SHIFT
    count_access(core, kind)
    begin(m, core, kind)
    pa = known_place(m, t, core, va, what)
    if pa == NOT_KNOWN:
        pa = find_place(m, t, c, va, kind)
    if pa < 0:
        return -1 if kind == P.ATOMIC else 0
    note_access(core.access, t, va, pa, what, value)
    if m.observe.races:
        tell_races(m, core.access)
    if (va & LAST) + (what & P.SIZE_MASK) > P.LINE:
        return access_split(m, c)
    if kind == P.LOAD:
        return load_line(m, c)
    if kind == P.STORE:
        return store_line(m, c)
    if kind == P.ATOMIC:
        return atomic_line(m, c)
    return stream_line(m, c) if kind == P.STREAM_STORE else phantom_line(m, c)


@hot
def begin(m, core, kind):
    """What comes before an access of this kind."""
    if core.sb_count > 0:
        drain_due(m, core.id, core.cycles)
    if kind == P.ATOMIC and (core.sb_free_at > core.cycles or core.sb_count > 0):
        drain_all(m, core.id)
    if core.iq_count > 0:
        if kind == P.ATOMIC:
            process_all(core)
        else:
            process_due(core)


@hot
def note_access(a, t, va, pa, what, value):
    """`a` holds the access from now on."""
    a.thread, a.va, a.pa, a.value = t, va, pa, value
    a.size, a.kind = what & P.SIZE_MASK, what >> P.KIND_SHIFT


@cold
def tell_races(m, a):
    """The race detector learns of the access; of a compare-and-swap, also that it will fail."""
    if m.observe.ordered == P.COMPARES and (a.va & LAST) + a.size <= P.LINE and peek64(m.ram_base + a.pa) != a.value:
        m.observe.ordered = P.FAILS
    access_made(m, a)


@kernel
def load_line(m, c):
    """The value."""
    core = m.core[c]
    pa, size = core.access.pa, core.access.size
    if core.sb_count > 0:
        slot = youngest_overlap(core, pa, size)
        if slot >= 0 and forwards(core, slot, pa, size):
            core.store_buffer_forwards += 1
            core.cycles += core.hit_cycles
            return forwarded(core, slot, pa, size)
        if slot >= 0:
            drain_all(m, c)
    if core.iq_count > 0:
        k = oldest(core, pa >> P.LINE_SHIFT)
        if k >= 0:
            core.early_loads += 1
            core.cycles += core.hit_cycles
            return held_value(core, k, pa & LAST, size)
    perform(m, c)
    return peek64(m.ram_base + pa) if size == 8 else read_bytes(m.ram_base + pa, size)


@kernel
def store_line(m, c):
    core = m.core[c]
    a = core.access
    if m.ordering != P.SC and buffered(m, core, a.pa):
        push(m, c)
        return 0
    perform_in_memory(m, c)
    write_bytes(m.ram_base + a.pa, a.size, a.value)
    return 0


@kernel
def buffered(m, core, pa):
    """Whether a store goes to the buffer: unless that is empty and the L1 can take the store now."""
    if core.sb_count > 0 or m.store_buffer_always:
        return True
    i = index_of(m, core.l1d, pa >> P.LINE_SHIFT)
    return i < 0 or m.tag[i] & P.STATE_MASK < P.E


@cold
def stream_line(m, c):
    stream(m, m.core[c], push(m, c))
    if m.ordering == P.SC:
        drain_all(m, c)
    return 0


@kernel
def atomic_line(m, c):
    """Host address of the word, whose line the core now holds in M."""
    core = m.core[c]
    pa = core.access.pa
    perform_in_memory(m, c)
    core.cycles += m.cost.atomic
    keep_line(m, core, pa >> P.LINE_SHIFT)
    return m.ram_base + pa


@cold
def phantom_line(m, c):
    perform_in_memory(m, c)
    return 0


@kernel
def perform_in_memory(m, c):
    """perform, by other than a load: it goes to memory, and later loads of the core with it."""
    core = m.core[c]
    if core.iq_count > 0:
        process_lines(core, core.access.pa >> P.LINE_SHIFT, core.access.pa >> P.LINE_SHIFT)
    perform(m, c)


@apart
def perform(m, c):
    """The line's access, then what observers and the hit filter note."""
    core = m.core[c]
    a, start = core.access, core.cycles
    line, write = a.pa >> P.LINE_SHIFT, is_write(a.kind)
    i = access_line(m, c, line, write)
    if m.observe.watching:
        access_seen(m, c, a, core.cycles - start)
        return
    if core.iq_count > 0:
        return
    waits = core.sb_count > 0
    note_line(core, a.va, m.ram_base + a.pa, write and not waits, i)
    core.plain = 0 if waits else 1
    if waits and waits_for_line(core, line):
        cool(core, line)


@cold
def access_split(m, c):
    """Both halves of an access that crosses a line. Returns what the memory door does."""
    core = m.core[c]
    a = core.access
    if a.kind == P.STREAM_STORE:
        a.kind = P.STORE
    if a.kind == P.ATOMIC:
        return kill(m, a.thread, a.va, 1, P.BUS_ADRALN)
    head = P.LINE - (a.va & LAST)
    pa, pa_2 = a.pa, find_place(m, a.thread, c, a.va + head, a.kind) if m.mmu else a.va + head
    if pa_2 < 0:
        return 0
    core.split_accesses += 1
    drain_all(m, c)
    process_all(core)
    size, misses = a.size, core.l1d.misses
    a.size = head
    perform(m, c)
    one = core.l1d.misses - misses
    a.va, a.pa, a.size = a.va + head, pa_2, size - head
    perform(m, c)
    if one and core.l1d.misses - misses - one:
        core.split_double_misses += 1
    host, host_2 = m.ram_base + pa, m.ram_base + pa_2
    if a.kind == P.LOAD:
        return read_bytes(host, head) | read_bytes(host_2, a.size) << 8 * head
    if a.kind == P.STORE:
        write_bytes(host, head, a.value)
        write_bytes(host_2, a.size, a.value >> 8 * head)
    return 0

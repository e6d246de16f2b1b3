"""The memory door's slow path: any access by a virtual address, with everything that can happen to it.

Size and kind travel in one word, `what`, and the core is the thread's, so that an access fits a call's registers: a record
for it costs a tenth of the speed where cores fight for a line.

    begin      it is counted; stores that are due drain, for an atomic all of them; lines held for early loads go
    place      the physical address; the race detector learns of the access, which is the program's next
    by kind    load      from the store buffer, or the line as it was before another core's store (invalidations.py), or memory
               store     into the store buffer, unless that is empty and the L1 can take it
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
from hwmem.cache.hit_filter import HIT, LAST, cool, note_line
from hwmem.cache.invalidations import held_value, oldest, process_all, process_due, process_lines
from hwmem.cache.private import access_line
from hwmem.cache.sets import index_of
from hwmem.core.in_flight import meet_stores, retire, words_of
from hwmem.core.place import LAST_PLACE, NOT_KNOWN, count_access, find_place, is_write, known_place
from hwmem.core.signal import kill
from hwmem.core.ring import forward, forwards, waits_near, youngest_overlap
from hwmem.core.store_buffer import drain_all, drain_due, drain_overlap, push, read_bytes, stream, write_bytes
from hwmem.memory.ram import peek64
from hwmem.mmu.walk import place_in_tables
from hwmem.observers.hooks import access_made, access_seen

TRIES = 8  # of an access that crosses pages, while its faults take each other's page


@apart
def access(m, t, va, what, value):
    """Any access but an atomic. Returns what the memory door does."""
    core, kind = m.core[m.thread[t].core], what >> P.KIND_SHIFT
    pa = begin_at(m, t, core, va, what, value)
    if pa < 0:
        return 0
    if (va & LAST) + (what & P.SIZE_MASK) > P.LINE:
        if what & P.SIZE_MASK > P.LINE:
            kill(m, t, va, is_write(kind), P.BAD_SIZE)
            return 0
        return access_split(m, t, va, pa, what, value)
    if kind == P.LOAD:
        return load_line(m, core, t, va, pa, what)
    if kind == P.STORE:
        return store_line(m, t, va, pa, what, value)
    return stream_line(m, t, va, pa, what, value) if kind == P.STREAM_STORE else phantom_line(m, t, va, pa, what)


@apart
def access_atomic(m, t, va, size, expected):
    """An atomic. Returns what the memory door does."""
    core, what = m.core[m.thread[t].core], size | P.ATOMIC << P.KIND_SHIFT
    pa = begin_at(m, t, core, va, what, expected)
    if pa < 0:
        return -1
    if (va & LAST) + size > P.LINE:
        return kill(m, t, va, 1, P.BUS_ADRALN if size <= P.LINE else P.BAD_SIZE)
    return atomic_line(m, core, t, va, pa, what)


@hot
def begin_at(m, t, core, va, what, value):
    """The first two steps; the physical address, or -1 after a fault."""
    kind = what >> P.KIND_SHIFT
    count_access(core, kind)
    begin(m, core, kind)
    pa = known_place(m, t, core, va, what)
    if pa == NOT_KNOWN:
        pa = find_place(m, t, core.id, va, kind)
    if pa >= 0 and m.observe.races:
        tell_races(m, t, va, pa, what, value)
    return pa


@hot
def begin(m, core, kind):
    """What comes before an access of this kind."""
    if core.sb_count > 0 and core.sb_next <= core.cycles:
        drain_due(m, core.id, core.cycles)
    if kind == P.ATOMIC:
        if core.sb_free_at > core.cycles or core.sb_count > 0:
            drain_all(m, core.id)
        core.sb_leaving = 0
    if core.iq_count > 0:
        if kind == P.ATOMIC:
            process_all(core)
        else:
            process_due(core)


@cold
def tell_races(m, t, va, pa, what, value):
    """Report the access to the race detector, and whether a compare-and-swap will fail."""
    if m.observe.ordered == P.COMPARES and (va & LAST) + (what & P.SIZE_MASK) <= P.LINE and peek64(m.ram_base + pa) != value:
        m.observe.ordered = P.FAILS
    access_made(m, t, va, what)


@hot
def load_line(m, core, t, va, pa, what):
    """The value."""
    size, host = what & P.SIZE_MASK, m.ram_base + pa
    now = core.cycles
    if core.sb_count > 0:
        slot = youngest_overlap(core, pa, size)
        if slot >= 0 and forwards(core, slot, pa, size):
            return forward(core, slot, pa, size)
        if slot >= 0:
            core.store_buffer_blocked += 1
            drain_overlap(m, core, pa, size)
            perform(m, t, va, pa, what)
            core.cycles = max(core.cycles, now + core.forward_cycles + m.cost.blocked)
            return peek64(host) if size == 8 else read_bytes(host, size)
    if core.iq_count > 0:
        k = oldest(core, pa >> P.LINE_SHIFT)
        if k >= 0:
            core.early_loads += 1
            core.cycles += core.hit_cycles
            return held_value(core, k, pa & LAST, size)
    perform(m, t, va, pa, what)
    if core.sb_count > 0 or core.sb_free_at > now:
        core.cycles += meet_stores(m, core, host, size, now)
    return peek64(host) if size == 8 else read_bytes(host, size)


@hot
def store_line(m, t, va, pa, what, value):
    core = m.core[m.thread[t].core]
    if m.ordering != P.SC and buffered(m, core, pa):
        push(m, t, va, pa, what, value)
        return 0
    see_memory(core, pa)
    now, core.sb_leaving = core.cycles, 0
    perform(m, t, va, pa, what)
    if m.ordering != P.SC:
        core.cycles = now
        retire(core, m.ram_base + pa, what & P.SIZE_MASK, words_of(pa, what & P.SIZE_MASK))
    write_bytes(m.ram_base + pa, what & P.SIZE_MASK, value)
    return 0


@kernel
def buffered(m, core, pa):
    """Whether a store goes to the buffer: unless that is empty, nothing longer on its way, and the L1 can take the store."""
    if core.sb_count > 0 or m.store_buffer_always or core.sb_free_at >= core.cycles + core.sb_passage:
        return True
    i = index_of(m, core.l1d, pa >> P.LINE_SHIFT)
    return i < 0 or m.tag[i] & P.STATE_MASK < P.E


@cold
def stream_line(m, t, va, pa, what, value):
    core = m.core[m.thread[t].core]
    stream(m, core, push(m, t, va, pa, what, value))
    if m.ordering == P.SC:
        drain_all(m, core.id)
    return 0


@hot
def atomic_line(m, core, t, va, pa, what):
    """Host address of the word, whose line the core now holds in M."""
    see_memory(core, pa)
    perform(m, t, va, pa, what)
    core.cycles += m.cost.atomic
    if core.source != P.FROM_L1:  # (the hit filter, which knows only hits, keeps nothing)
        keep_line(m, core, pa >> P.LINE_SHIFT)
    return m.ram_base + pa


@cold
def phantom_line(m, t, va, pa, what):
    see_memory(m.core[m.thread[t].core], pa)
    perform(m, t, va, pa, what)
    return 0


@hot
def see_memory(core, pa):
    """An access other than a load goes to memory, and so do later loads of its line."""
    if core.iq_count > 0:
        process_lines(core, pa >> P.LINE_SHIFT, pa >> P.LINE_SHIFT)


@cold
def perform_half(m, t, va, pa, what):
    perform(m, t, va, pa, what)


@hot
def perform(m, t, va, pa, what):
    """The line's access, then what observers and the hit filter note."""
    c = m.thread[t].core
    core = m.core[c]
    start, line, write = core.cycles, pa >> P.LINE_SHIFT, is_write(what >> P.KIND_SHIFT)
    i = access_line(m, c, line, write)
    if m.observe.watching:
        access_seen(m, t, va, pa, what, core.cycles - start)
        return
    if core.iq_count > 0:
        return
    waits = core.sb_count > 0
    ahead = write and not waits and core.sb_leaving == 0 and not m.store_buffer_always
    note_line(core, va, m.ram_base + pa, ahead, i if m.recency == P.GEM5 else HIT)
    core.plain = 0 if waits else 1
    if waits and waits_near(core, line):
        cool(core, line)


@cold
def both_places(m, t, va, pa, head, kind):
    """Physical addresses of both parts, `pa` being known already; the second -1 after a fault. A fault may move or reclaim the other part's
    page; then both are translated again, as a processor restarts the instruction, until both are present. Meanwhile reclaim leaves the
    first page alone, or a very small machine would loop forever."""
    core = m.core[m.thread[t].core]
    for _ in range(TRIES):
        faults = core.faults_minor + core.faults_major
        m.pinned = (pa >> P.PAGE_SHIFT) + 1
        pa_2 = find_place(m, t, core.id, va + head, kind)
        m.pinned = 0
        if pa_2 < 0 or core.faults_minor + core.faults_major == faults or place_in_tables(m, core, va) == pa:
            return pa, pa_2
        pa = find_place(m, t, core.id, va, kind)
        if pa < 0:
            return pa, pa
    kill(m, t, va, is_write(kind), P.NO_MEMORY)
    return pa, -1


@cold
def access_split(m, t, va, pa, what, value):
    """Both halves of an access that crosses a line. Returns what the memory door does."""
    core, size, kind = m.core[m.thread[t].core], what & P.SIZE_MASK, what >> P.KIND_SHIFT
    if kind == P.STREAM_STORE:
        kind = P.STORE
    head = P.LINE - (va & LAST)
    pa_2 = va + head & LAST_PLACE
    if m.mmu:
        pa, pa_2 = both_places(m, t, va, pa, head, kind)
    if pa_2 < 0:
        return 0
    core.split_accesses += 1
    drain_all(m, core.id)
    process_all(core)
    before = core.l1d.misses - core.upgrades  # an upgrade has its line
    perform_half(m, t, va, pa, head | kind << P.KIND_SHIFT)
    one = core.l1d.misses - core.upgrades - before
    perform_half(m, t, va + head, pa_2, size - head | kind << P.KIND_SHIFT)
    if one and core.l1d.misses - core.upgrades - before - one:
        core.split_double_misses += 1
    host, host_2 = m.ram_base + pa, m.ram_base + pa_2
    if kind == P.LOAD:
        return read_bytes(host, head) | read_bytes(host_2, size - head) << 8 * head
    if kind == P.STORE:
        write_bytes(host, head, value)
        write_bytes(host_2, size - head, value >> 8 * head)
    return 0

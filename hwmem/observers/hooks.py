"""What the machine reports to its observers. Each hook stands behind a switch that its caller has tested.

    core/long_way.py, core/store_buffer.py      access_seen        a line was accessed        m.observe.watching
    core/physical.py, mmu/walk.py               physical_seen      the kernel's and the walker's accesses
    cache/peers.py                              line_lost          a core's copy was taken from it
    cache/entry.py                              line_recalled      ... to make room in the LLC, not for another core
    cache/directory.py                          log_event          a request and its answer   m.observe.events
    core/long_way.py                            access_made        a thread's access, in program order     m.observe.races
    sched/block.py, sched/thread.py             thread_edge, ...   what orders threads
    linux/mapping.py                            memory_gone        addresses that will mean other memory

The hooks only pack their arguments; the rest is behind a door of its own (door.py), so that the machine compiles none of it. An event is
small enough to be written here.

Invariant: observing changes no clock, no count and no state of the machine.
"""

from hwmem import params as P
from hwmem._jit import call_door, cold, kernel


@cold
def access_seen(m, t, va, pa, what, cycles):
    """Thread `t` made an access within a line (`what`: size and kind, as the memory door gets them); its core's `source` says
    what served it."""
    m.observe.core, m.observe.va, m.observe.cycles = m.thread[t].core, va, cycles
    hand_over(m, t, pa, what)


@cold
def physical_seen(m, c, pa, size, write):
    """The same for an access by physical address, by no thread."""
    m.observe.core, m.observe.va, m.observe.cycles = c, pa, 0
    hand_over(m, -1, pa, size | (P.PHYSICAL_STORE if write else P.PHYSICAL_LOAD) << P.KIND_SHIFT)


@kernel
def hand_over(m, t, pa, what):
    where = pa & P.LINE - 1 | (what & P.SIZE_MASK) << P.KIND_SHIFT
    call_door(m, P.DOOR_OBSERVE, t, pa >> P.LINE_SHIFT, where, what >> P.KIND_SHIFT)


@cold
def line_lost(m, d, line):
    """Core `d` had a valid copy of `line` and now has none."""
    call_door(m, P.DOOR_OBSERVE, d, line, 0, P.COPY_LOST)


@cold
def line_recalled(m, d, line):
    """The loss just reported by line_lost was for lack of room."""
    call_door(m, P.DOOR_OBSERVE, d, line, 0, P.COPY_RECALLED)


@kernel
def change(kind, before, after):
    """A request and the states of the line before and after it, packed for log_event."""
    return kind | before << 8 | after << 16


@cold
def log_event(m, c, line, what, responder, latency):
    """Core `c` made a request (`what`: by `change`; protocol.REQUEST_NAMES) and has had its answer, from core `responder` or -1."""
    o = m.observe
    n = o.event_count
    o.event_count += 1
    if n >= o.event_limit:
        return
    core, event = m.core[c], m.event[n]
    event.cycle, event.line, event.latency = core.cycles - latency, line, latency
    event.core, event.thread, event.responder = c, core.current - 1, responder
    event.request, event.before, event.after = what & 255, what >> 8 & 255, what >> 16


@kernel
def access_made(m, t, va, what):
    """Thread `t` makes an access, in program order (a store may become visible later)."""
    call_door(m, P.DOOR_RACES, t, va, what, m.observe.ordered)


@cold
def thread_edge(m, t, other):
    """What thread `t` has done happened before what thread `other` does from now on."""
    call_door(m, P.DOOR_RACES, t, other, P.THREAD_EDGE << P.KIND_SHIFT, 0)


@cold
def released(m, t, key):
    """What thread `t` has done happened before whatever a thread does after it acquires `key` (any number that is not an address)."""
    call_door(m, P.DOOR_RACES, t, key, P.RELEASE << P.KIND_SHIFT, 0)


@cold
def acquired(m, t, key):
    call_door(m, P.DOOR_RACES, t, key, P.ACQUIRE << P.KIND_SHIFT, 0)


@cold
def memory_gone(m, t, start, end):
    call_door(m, P.DOOR_RACES, t, start, P.MEMORY_GONE << P.KIND_SHIFT, end)

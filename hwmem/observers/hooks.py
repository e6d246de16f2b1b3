"""What the machine tells its observers. Each hook stands behind a switch that its caller has tested.

    core/memory_door.py, core/store_buffer.py   access_seen        a line was accessed        m.observe.watching
    core/memory_door.py, mmu/walk.py            physical_seen      the kernel's and the walker's accesses
    cache/peers.py                          line_lost          a core's copy was taken from it
    cache/entry.py                          line_recalled      ... to make room in the LLC, not for another core
    cache/directory.py                      log_event          a request and its answer   m.observe.events
    core/memory_door.py                         access_made        a thread's access, in program order     m.observe.races
    sched/block.py, kernels.py                  thread_edge, ...   what orders threads
    linux/mapping.py                            memory_gone        addresses that will mean other memory

The hooks only pack their arguments; what is done with them lies behind a door of its own (door.py), so that the
machine compiles none of it. An event is so small that it is written here.

Invariant: observing changes no clock, no count and no state of the machine.
"""
from hwmem import params as P
from hwmem._jit import call_door, cold


@cold
def access_seen(m, t, c, va, line, offset, size, kind, cycles):
    """Core `c` accessed `size` bytes at `offset` of a physical line for thread `t`; core.source says what served it."""
    o = m.observe
    o.core, o.va, o.cycles = c, va, cycles
    call_door(m, P.DOOR_OBSERVE, t, line, offset | size << P.KIND_SHIFT, kind)


@cold
def physical_seen(m, c, pa, size, write):
    """The same for an access by physical address, by no thread."""
    kind = P.PHYSICAL_STORE if write else P.PHYSICAL_LOAD
    access_seen(m, -1, c, pa, pa >> P.LINE_SHIFT, pa & P.LINE - 1, size, kind, 0)


@cold
def line_lost(m, d, line):
    """Core `d` had a valid copy of `line` and now has none."""
    call_door(m, P.DOOR_OBSERVE, d, line, 0, P.COPY_LOST)


@cold
def line_recalled(m, d, line):
    """What line_lost has just told was for lack of room."""
    call_door(m, P.DOOR_OBSERVE, d, line, 0, P.COPY_RECALLED)


@cold
def log_event(m, c, line, kind, responder, before, after, latency):
    """Core `c` made the request `kind` (protocol.REQUEST_NAMES) and has had its answer, from core `responder` or -1."""
    o = m.observe
    n = o.event_count
    o.event_count += 1
    if n >= o.event_limit:
        return
    core, event = m.core[c], m.event[n]
    event.cycle, event.line, event.latency = core.cycles - latency, line, latency
    event.core, event.thread, event.responder = c, core.current - 1, responder
    event.request, event.before, event.after = kind, before, after


@cold
def access_made(m, t, va, size, kind):
    """Thread `t` makes an access, in program order (a store may become visible later)."""
    call_door(m, P.DOOR_RACES, t, va, size | kind << P.KIND_SHIFT, m.observe.ordered)


@cold
def thread_edge(m, t, other):
    """What thread `t` has done happened before what thread `other` does from now on."""
    call_door(m, P.DOOR_RACES, t, other, P.THREAD_EDGE << P.KIND_SHIFT, 0)


@cold
def released(m, t, key):
    """What thread `t` has done happened before what those do who acquire `key` later (any number that is no address)."""
    call_door(m, P.DOOR_RACES, t, key, P.RELEASE << P.KIND_SHIFT, 0)


@cold
def acquired(m, t, key):
    call_door(m, P.DOOR_RACES, t, key, P.ACQUIRE << P.KIND_SHIFT, 0)


@cold
def memory_gone(m, t, start, end):
    call_door(m, P.DOOR_RACES, t, start, P.MEMORY_GONE << P.KIND_SHIFT, end)

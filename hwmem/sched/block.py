"""Threads that wait: futexes, sleeping, joining. A blocked thread leaves its core until somebody wakes it.

Invariant: a thread is in at most one of: its core's `current`, its core's run queue, blocked, ended.
"""
from hwmem import params as P
from hwmem._jit import kernel
from hwmem.core.access import load32
from hwmem.core.service import drain_all


@kernel
def enqueue(m, t):
    """Thread `t` joins the tail of its core's run queue."""
    core = m.core[m.thread[t].core]
    m.thread[t].next = 0
    if core.queue_tail:
        m.thread[core.queue_tail - 1].next = t + 1
    else:
        core.queue_head = t + 1
    core.queue_tail = t + 1
    if core.current == 0:
        m.key[core.id] = core.cycles
    core.slice_end = min(core.slice_end, core.cycles + m.cost.time_slice)


@kernel
def leave_core(m, t):
    """The running thread `t` stops running; its stores become visible."""
    c = m.thread[t].core
    drain_all(m, c)
    m.core[c].current = 0
    m.core[c].slice_end = 0


@kernel
def futex_wait(m, t, va, expected):
    """Block until woken if the word at `va` holds `expected`; 0, or -EAGAIN."""
    if load32(m, t, va) != expected & 0xFFFF_FFFF:
        return -P.EAGAIN
    m.thread[t].state = P.BLOCKED
    m.thread[t].wait_address = va
    m.thread[t].waits += 1
    leave_core(m, t)
    return 0


@kernel
def futex_wake(m, t, va, count):
    """Wake up to `count` threads of the caller's process that wait at `va`, the longest waiting first by number; how many."""
    woken = 0
    for other in range(m.threads):
        thread = m.thread[other]
        if woken < count and thread.state == P.BLOCKED and thread.wait_address == va and thread.process == m.thread[t].process:
            wake(m, other, m.core[m.thread[t].core].cycles + m.cost.futex)
            woken += 1
    return woken


@kernel
def wake(m, t, now):
    """Thread `t` becomes runnable at cycle `now`; an idle core's clock moves there."""
    core = m.core[m.thread[t].core]
    m.thread[t].state = P.RUNNABLE
    m.thread[t].wait_address = 0
    if core.current == 0 and core.queue_head == 0 and core.cycles < now:
        core.idle_cycles += now - core.cycles
        core.cycles = now
    enqueue(m, t)

"""Threads that wait: futexes, sleeping, joining. A blocked thread leaves its core until it is woken.

Invariant: a thread is in at most one of: its core's `current`, its core's run queue, blocked, ended.
"""

from hwmem import params as P
from hwmem._jit import kernel
from hwmem.core.ordered import load_acquire
from hwmem.core.service import drain_all
from hwmem.observers.hooks import thread_edge


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
    m.turn[core.id] = min(m.turn[core.id], core.cycles + m.cost.time_slice)
    core.slice_end = min(core.slice_end, m.turn[core.id])


@kernel
def dequeue(m, t):
    """Thread `t`, runnable until now, is not to run: it leaves its core's run queue, or the core at its next step."""
    core = m.core[m.thread[t].core]
    if core.current == t + 1:
        core.slice_end = 0
    before, n = 0, core.queue_head
    while n and n != t + 1:
        before, n = n, m.thread[n - 1].next
    if n == 0:
        return
    if before:
        m.thread[before - 1].next = m.thread[t].next
    else:
        core.queue_head = m.thread[t].next
    if core.queue_tail == n:
        core.queue_tail = before


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
    word = load_acquire(m, t, va, 4)
    if word != expected & 0xFFFF_FFFF or m.thread[t].state == P.KILLED:
        return -P.EAGAIN
    m.core[m.thread[t].core].cycles += m.cost.futex
    m.thread[t].state = P.BLOCKED
    m.thread[t].wait_address = va
    m.thread[t].wake_at = m.core[m.thread[t].core].cycles  # while it waits: since when
    m.thread[t].waits += 1
    leave_core(m, t)
    return 0


@kernel
def futex_wake(m, t, va, count):
    """Wake up to `count` threads of the caller's process that wait at `va`, the longest waiting first; how many."""
    woken = 0
    while woken < count:
        other = longest_waiting(m, m.thread[t].process, va)
        if other < 0:
            break
        wake_other(m, t, other)
        woken += 1
        if m.observe.races:
            thread_edge(m, t, other)
    return woken


@kernel
def longest_waiting(m, p, va):
    """The thread of process `p` that has waited at `va` since the earliest cycle, or -1."""
    best = -1
    for t in range(m.threads):
        thread = m.thread[t]
        if thread.state == P.BLOCKED and thread.wait_address == va and thread.process == p:
            if best < 0 or thread.wake_at < m.thread[best].wake_at:
                best = t
    return best


@kernel
def wake_other(m, t, other):
    """Thread `t` makes `other`, which waits, runnable. That costs its own core time; an idle one is first to come out of its sleep."""
    own, core = m.core[m.thread[t].core], m.core[m.thread[other].core]
    own.cycles += m.cost.futex
    now = own.cycles
    if core.current == 0 and core.queue_head == 0:
        own.cycles += m.cost.wake_call
        now = own.cycles + m.cost.wake_idle
    wake(m, other, now)


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

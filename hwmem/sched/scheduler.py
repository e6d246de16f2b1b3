"""`next_thread`: the runnable thread on the core with the smallest clock. Every workload's loop asks it.

    while True:
        t = next_thread(m)
        if t < 0: return
        ...one step of thread t...

Ties go to the lower core number. The common case (the core's thread goes on) is inlined; switching threads,
draining store buffers and going idle are behind the scheduler's door. A core without a runnable thread has the
key NEVER, or the time at which one of its sleepers wakes; one with stores waiting, the time at which the first of them
becomes visible if that is earlier. -1: no thread can run; `m.deadlocked` says whether any still waits.

No thread runs from cycle `m.until` on: a limit, or 0 when the user at the prompt wants to stop (machine/interrupt.py). No core's
`slice_end` is later than that, nor than `m.series.at`, when the run's next sample is due, so the common case need not check either.
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import DOORS, call_door, cold, hot, kernel
from hwmem.bits import bit
from hwmem.cache.hit_filter import forget_lines, forget_pages
from hwmem.cache.invalidations import process_all
from hwmem.core.service import drain_all, drain_due, next_event
from hwmem.sched.block import enqueue, leave_core, wake


@kernel
def next_thread(m):
    """The thread whose step it is now, -1 when no thread can run or the run is to stop."""
    last = m.current_core
    best, key = earliest_but(m, last)
    if last >= 0 and goes_on(m, last, best, key):
        best, key = last, m.key[last]
    else:
        m.current_core = best
    core = m.core[best]
    if (
        core.current == 0
        or core.cycles >= core.slice_end
        or key < core.cycles
        or key == P.NEVER
        or (core.sb_count > 0 and core.sb_next == key)
    ):
        return call_door(m, P.DOOR_SCHEDULE, best, 0, 0, 0)
    t = core.current - 1
    m.thread[t].steps += 1
    return t


@hot
def earliest_but(m, last):
    """The core with the smallest key but for `last`, whose clock the host may still be computing (-1: of all); and that key."""
    best, key = 0, P.NEVER
    for c in range(m.cores):
        if c != last and m.key[c] < key:
            best, key = c, m.key[c]
    return best, key


@hot
def goes_on(m, last, best, key):
    """Whether core `last`, whose key is brought up to date, comes before all others, of which `best` with its `key` is the first."""
    own = next_event(m.core[last])
    m.key[last] = own
    return own < key + (last < best)


@DOORS.door(P.DOOR_SCHEDULE)
def schedule(m, c, unused_a, unused_b, unused_c):
    """Decide for core `c`, which has the smallest clock, then for whichever core that leaves first."""
    while m.key[c] != P.NEVER:
        if m.key[c] >= m.until:
            return stop(m)
        if m.key[c] >= m.series.at:
            call_door(m, P.DOOR_SERIES, 0, m.key[c], 0, 0)
        drain_due(m, c, m.key[c])
        if m.core[c].current and m.key[c] < m.core[c].cycles:  # that was a store's turn; the thread's comes later
            m.key[c] = next_event(m.core[c])
            c, _ = earliest_but(m, -1)
            continue
        wake_due(m, c)
        if settle(m, c):
            t = m.core[c].current - 1
            m.current_core = c
            m.thread[t].steps += 1
            return t
        m.key[c] = next_alarm(m, c)
        c, _ = earliest_but(m, -1)
    m.current_core = -1
    m.deadlocked = 0
    for t in range(m.threads):
        m.deadlocked += m.thread[t].state == P.BLOCKED
    return -1


@cold
def stop(m):
    """End all threads where they are; their stores become visible."""
    for c in range(m.cores):
        drain_all(m, c)
    m.stopped = 1
    m.current_core = -1
    m.deadlocked = 0
    return -1


@kernel
def is_over(m, t):
    """Whether thread `t` must not go on, because a signal has ended it or the run is to stop. A long step checks this between its parts. A
    run that is to stop has not ended, whatever the step does next."""
    if m.core[m.thread[t].core].cycles < m.until:
        return m.thread[t].state == P.KILLED
    m.stopped = 1
    return True


@kernel
def settle(m, c):
    """See that core `c` has a thread to run now; False if it has none."""
    core = m.core[c]
    if core.current and m.thread[core.current - 1].state != P.RUNNABLE:
        leave_core(m, core.current - 1)
    if core.current and core.cycles < core.slice_end:
        return True
    if core.current and core.queue_head:
        t = core.current - 1
        leave_core(m, t)
        enqueue(m, t)
    if core.current == 0:
        if core.queue_head == 0:
            drain_all(m, c)
            return False
        switch_to(m, c, core.queue_head - 1)
    m.turn[c] = min(core.cycles + m.cost.time_slice if core.queue_head else P.NEVER, next_alarm(m, c), m.until)
    core.slice_end = min(m.turn[c], m.series.at)
    return True


@kernel
def switch_to(m, c, t):
    """Thread `t`, the head of the queue, runs on core `c`."""
    core = m.core[c]
    core.queue_head = m.thread[t].next
    if core.queue_head == 0:
        core.queue_tail = 0
    core.current = t + 1
    if core.context_switches > 0:  # the core's first thread is there already
        core.cycles += m.cost.context_switch
    core.context_switches += 1
    load_address_space(m, c, m.thread[t].process)


@kernel
def load_address_space(m, c, p):
    """Write CR3: the core's accesses are from now on process `p`'s. Tags keep other processes' TLB entries apart."""
    core = m.core[c]
    process = m.process[p]
    if m.mmu and core.asid != process.asid:
        forget_lines(core)
        forget_pages(core)
    core.asid = process.asid
    core.process = p
    core.root = process.root
    core.levels = process.levels
    process_all(core)
    process.cores = np.int64(np.uint64(process.cores) | bit(c))


@kernel
def next_alarm(m, c):
    """When the first sleeping thread of core `c` wants to run, or NEVER."""
    when = P.NEVER
    for t in range(m.threads):
        if m.thread[t].state == P.SLEEPING and m.thread[t].core == c:
            when = min(when, m.thread[t].wake_at)
    return when


@kernel
def wake_due(m, c):
    """Wake the sleepers of core `c` that are due; an idle core's clock advances to the first of them."""
    core = m.core[c]
    now = core.cycles if core.current or core.queue_head else max(core.cycles, next_alarm(m, c))
    for t in range(m.threads):
        if m.thread[t].state == P.SLEEPING and m.thread[t].core == c and m.thread[t].wake_at <= now:
            if core.current == t + 1:
                m.thread[t].state = P.RUNNABLE  # its time came before it left the core
            else:
                wake(m, t, m.thread[t].wake_at)


@kernel
def finish(m, t):
    """Thread `t` has done its work: it never runs again."""
    m.thread[t].state = P.DONE
    m.core[m.thread[t].core].slice_end = 0


@kernel
def sleep_until(m, t, cycle):
    """Thread `t` runs again when its core's clock has reached `cycle`."""
    m.thread[t].state = P.SLEEPING
    m.thread[t].wake_at = cycle
    m.core[m.thread[t].core].slice_end = 0

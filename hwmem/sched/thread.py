"""A thread's own requests: its clock, work without memory, joins, starting and ending threads of a process.

Threads themselves are rows of the machine (layout.THREAD); scheduler.py says who runs, block.py how one waits.
"""

from hwmem import params as P
from hwmem._jit import kernel
from hwmem.cache.invalidations import process_all
from hwmem.core.signal import end_by_signal
from hwmem.observers.hooks import acquired, released, thread_edge
from hwmem.sched.block import enqueue, leave_core

NOBODY = -1  # as a thread: none (exit_process: no thread waits for the child)


@kernel
def clock(m, t):
    """The clock of the thread's core, in cycles (what rdtsc reads)."""
    return m.core[m.thread[t].core].cycles


@kernel
def compute(m, t, cycles):
    """Work of `cycles` cycles that touches no memory."""
    m.core[m.thread[t].core].cycles += cycles


@kernel
def is_thread(m, t, other):
    """Whether `other` is a thread's number; if not, thread `t`, which named it, ends."""
    if 0 <= other < m.threads:
        return True
    end_by_signal(m, t, other, 0, P.BAD_THREAD)
    return False


@kernel
def joined(m, t, other):
    """Whether thread `other` has ended and its stores are visible: a join, by asking the kernel again and again."""
    compute(m, t, m.cost.futex)
    if not is_thread(m, t, other):
        return False
    thread = m.thread[other]
    if thread.state != P.DONE or m.core[thread.core].current == other + 1:
        return False
    process_all(m.core[m.thread[t].core])
    if m.observe.races:
        thread_edge(m, other, t)
    return True


@kernel
def happens_before(m, t, key):
    """For the race detector: what the thread did so far happens before a later call of happens_after with this key.

    For a program's own synchronisation, such as channels; costs nothing. `key`: any number.
    """
    if m.observe.races:
        released(m, t, key)


@kernel
def happens_after(m, t, key):
    """For the race detector: what precedes a call of happens_before with this key happens before what the thread does next."""
    if m.observe.races:
        acquired(m, t, key)


@kernel
def begin_thread(m, t, process):
    """Thread `t`, which is in no run queue, becomes a thread of `process`, runnable on its core."""
    thread = m.thread[t]
    thread.process = process
    thread.state = P.RUNNABLE
    enqueue(m, t)


@kernel
def wait_child(m, t):
    """wait(2): the thread blocks until exit_process names it. Ends the step."""
    m.thread[t].state = P.BLOCKED
    m.thread[t].wake_at = clock(m, t)
    leave_core(m, t)

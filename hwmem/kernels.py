"""What jitted code imports: the machine's operations as kernels. `m` is the machine, `t` the thread, `va` an address.

    load64(m, t, va)  store64(m, t, va, value)  and 32, 8; load, store with a size     core/access.py
    fetch_add64  exchange64  compare_exchange64                                        core/access.py
    load_acquire64  store_release64  store_stream64                                    core/ordered.py
    mfence  sfence  lfence                                                             core/fence.py
    next_thread(m)  finish(m, t)  sleep_until(m, t, cycle)                             sched/scheduler.py
    clock  compute  futex_wait  futex_wake  joined  happens_before  happens_after      here

A kernel that calls these compiles in a second or two: what they do beyond a cache hit lies behind doors (_jit.py).
"""
from hwmem import params as P
from hwmem._jit import call_door, kernel
from hwmem.core.access import (compare_exchange64, exchange64, fetch_add64, load, load8, load32, load64, store, store8,
                               store32, store64)
from hwmem.core.fence import lfence, mfence, sfence
from hwmem.core.ordered import load_acquire, load_acquire64, store_release, store_release64, store_stream, store_stream64
from hwmem.observe.hooks import acquired, released, thread_edge
from hwmem.sched.scheduler import finish, next_thread, sleep_until

__all__ = ["kernel", "load", "load8", "load32", "load64", "store", "store8", "store32", "store64", "fetch_add64",
           "exchange64", "compare_exchange64", "load_acquire", "load_acquire64", "store_release", "store_release64", "store_stream",
           "store_stream64", "mfence", "sfence", "lfence", "next_thread", "finish", "sleep_until",
           "clock", "compute", "futex_wait", "futex_wake", "joined", "happens_before", "happens_after"]


@kernel
def clock(m, t):
    """The clock of the thread's core, in cycles (what rdtsc reads)."""
    return m.core[m.thread[t].core].cycles


@kernel
def compute(m, t, cycles):
    """Work of `cycles` cycles that touches no memory."""
    m.core[m.thread[t].core].cycles += cycles


@kernel
def futex_wait(m, t, va, expected):
    """FUTEX_WAIT: the thread blocks if the 4-byte word at `va` holds `expected`; 0, or -EAGAIN. Ends the step."""
    return futex(m, t, va, P.FUTEX_WAIT, expected)


@kernel
def futex_wake(m, t, va, count):
    """FUTEX_WAKE: up to `count` threads that wait at `va` become runnable; how many did."""
    return futex(m, t, va, P.FUTEX_WAKE, count)


@kernel
def joined(m, t, other):
    """Whether thread `other` has ended and its stores are visible: a join, by asking the kernel again and again."""
    thread = m.thread[other]
    compute(m, t, m.cost.futex)
    if thread.state != P.DONE or m.core[thread.core].current == other + 1:
        return False
    if m.observe.races:
        thread_edge(m, other, t)
    return True


@kernel
def happens_before(m, t, key):
    """To the race detector: what the thread did so far comes before whoever calls happens_after with this key, later.

    For ways of synchronisation of a program's own, such as channels; costs nothing. `key`: any number.
    """
    if m.observe.races:
        released(m, t, key)


@kernel
def happens_after(m, t, key):
    if m.observe.races:
        acquired(m, t, key)


@kernel
def futex(m, t, va, operation, value):
    m.sys[0] = va
    m.sys[1] = operation
    m.sys[2] = value
    return call_door(m, P.DOOR_SYSCALL, t, P.SYS_FUTEX, 0, 0)

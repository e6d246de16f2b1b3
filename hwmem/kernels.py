"""What jitted code imports: the machine's operations as kernels. `m` is the machine, `t` the thread, `va` an address.

    load64(m, t, va)  store64(m, t, va, value)  and 32, 8; load, store with a size     core/access.py
    fetch_add64  exchange64  compare_exchange64                                        core/access.py
    load_acquire64  store_release64  store_stream64                                    core/ordered.py
    mfence  sfence  lfence                                                             core/fence.py
    load_segment(m, t, s, offset, size)  store_segment                                 core/segment.py
    next_thread(m)  finish(m, t)  sleep_until(m, t, cycle)                             sched/scheduler.py
    clock  compute  futex_wait  futex_wake  joined  happens_before  happens_after      here
    mmap  mmap_file  munmap  mprotect  madvise  brk  pread                             here: system calls, result or -errno
    fork  begin_thread  wait_child  exit_process                                       here

A kernel that calls these compiles in a second or two: what they do beyond a cache hit lies behind doors (_jit.py).
"""
from hwmem import params as P
from hwmem._jit import call_door, kernel
from hwmem.cache.invalidations import process_all
from hwmem.core.access import (compare_exchange64, exchange64, fetch_add64, load, load8, load32, load64, store, store8,
                               store32, store64)
from hwmem.core.fence import lfence, mfence, sfence
from hwmem.core.ordered import load_acquire, load_acquire64, store_release, store_release64, store_stream, store_stream64
from hwmem.core.segment import load_segment, store_segment
from hwmem.observers.hooks import acquired, released, thread_edge
from hwmem.sched.block import enqueue, leave_core, wake
from hwmem.sched.scheduler import finish, next_thread, sleep_until

__all__ = ["kernel", "load", "load8", "load32", "load64", "store", "store8", "store32", "store64", "fetch_add64",
           "exchange64", "compare_exchange64", "load_acquire", "load_acquire64", "store_release", "store_release64", "store_stream",
           "store_stream64", "mfence", "sfence", "lfence", "next_thread", "finish", "sleep_until",
           "clock", "compute", "futex_wait", "futex_wake", "joined", "happens_before", "happens_after", "mmap", "mmap_file", "munmap",
           "mprotect", "madvise", "brk", "pread", "load_segment", "store_segment", "fork", "begin_thread", "wait_child", "exit_process"]

NOBODY = -1                     # exit_process: no thread waits for the child


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
    process_all(m.core[m.thread[t].core])
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
    return system_call(m, t, P.SYS_FUTEX)


@kernel
def system_call(m, t, call):
    """The system call `call` (params.SYS_*), its arguments in m.sys."""
    return call_door(m, P.DOOR_SYSCALL, t, call, 0, 0)


@kernel
def mmap(m, t, va, length, prot, flags):
    """mmap(2) of anonymous memory: the address."""
    return mmap_file(m, t, va, length, prot, flags | P.MAP_ANONYMOUS, -1)


@kernel
def mmap_file(m, t, va, length, prot, flags, file):
    """mmap(2) of a file from its beginning: the address."""
    m.sys[0] = va
    m.sys[1] = length
    m.sys[2] = prot
    m.sys[3] = flags
    m.sys[4] = file
    m.sys[5] = 0
    return system_call(m, t, P.SYS_MMAP)


@kernel
def munmap(m, t, va, length):
    """munmap(2)."""
    m.sys[0] = va
    m.sys[1] = length
    return system_call(m, t, P.SYS_MUNMAP)


@kernel
def mprotect(m, t, va, length, prot):
    """mprotect(2)."""
    m.sys[0] = va
    m.sys[1] = length
    m.sys[2] = prot
    return system_call(m, t, P.SYS_MPROTECT)


@kernel
def madvise(m, t, va, length, advice):
    """madvise(2)."""
    m.sys[0] = va
    m.sys[1] = length
    m.sys[2] = advice
    return system_call(m, t, P.SYS_MADVISE)


@kernel
def brk(m, t, va):
    """brk(2), as the system call is: where the heap ends now; 0 asks."""
    m.sys[0] = va
    return system_call(m, t, P.SYS_BRK)


@kernel
def pread(m, t, file, va, length, offset):
    """pread(2) with O_DIRECT (linux/direct.py): whole pages of a file into the program's memory."""
    m.sys[0] = file
    m.sys[1] = va
    m.sys[2] = length
    m.sys[3] = offset
    return system_call(m, t, P.SYS_PREAD)


@kernel
def fork(m, t):
    """fork(2): the child's number; it has no thread yet."""
    return system_call(m, t, P.SYS_FORK)


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


@kernel
def exit_process(m, t, waiter):
    """_exit(2): the thread's process ends, and the thread with it; `waiter` (NOBODY: none) blocks no longer, unless it was
    killed meanwhile. Ends the step."""
    system_call(m, t, P.SYS_EXIT)
    finish(m, t)
    if waiter != NOBODY and m.thread[waiter].state == P.BLOCKED:
        wake(m, waiter, clock(m, t))

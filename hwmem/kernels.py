"""What jitted code imports: the machine's operations as kernels. `m` is the machine, `t` the thread, `va` an address.

    load64(m, t, va)  store64(m, t, va, value)  and 32, 8; load, store with a size     core/access.py
    fetch_add64  exchange64  compare_exchange64                                        core/access.py
    load_acquire64  store_release64  store_stream64                                    core/ordered.py
    mfence  sfence  lfence                                                             core/fence.py
    load_segment(m, t, s, offset, size)  store_segment                                 core/segment.py
    next_thread(m)  finish(m, t)  sleep_until(m, t, cycle)  is_over(m, t)              sched/scheduler.py
    clock  compute  joined  happens_before  happens_after  begin_thread  wait_child    sched/thread.py
    futex_wait  futex_wake  mmap  mmap_file  munmap  mprotect  madvise  brk  pread     linux/stubs.py: system calls,
    fork  exit_process                                                                 ... result or -errno

A kernel that calls these compiles in a second or two: what they do beyond a cache hit lies behind doors (_jit).
"""

from hwmem._jit import kernel
from hwmem.core.access import compare_exchange64, exchange64, fetch_add64, load, load8, load32, load64, store, store8, store32, store64
from hwmem.core.fence import lfence, mfence, sfence
from hwmem.core.ordered import load_acquire, load_acquire64, store_release, store_release64, store_stream, store_stream64
from hwmem.core.segment import load_segment, store_segment
from hwmem.linux.stubs import brk, exit_process, fork, futex_wait, futex_wake, madvise, mmap, mmap_file, mprotect, munmap, pread
from hwmem.sched.scheduler import finish, is_over, next_thread, sleep_until
from hwmem.sched.thread import NOBODY, begin_thread, clock, compute, happens_after, happens_before, joined, wait_child

__all__ = [
    "kernel",
    "load",
    "load8",
    "load32",
    "load64",
    "store",
    "store8",
    "store32",
    "store64",
    "fetch_add64",
    "exchange64",
    "compare_exchange64",
    "load_acquire",
    "load_acquire64",
    "store_release",
    "store_release64",
    "store_stream",
    "store_stream64",
    "mfence",
    "sfence",
    "lfence",
    "next_thread",
    "finish",
    "sleep_until",
    "is_over",
    "clock",
    "compute",
    "futex_wait",
    "futex_wake",
    "joined",
    "happens_before",
    "happens_after",
    "mmap",
    "mmap_file",
    "munmap",
    "mprotect",
    "madvise",
    "brk",
    "pread",
    "load_segment",
    "store_segment",
    "fork",
    "begin_thread",
    "wait_child",
    "exit_process",
    "NOBODY",
]

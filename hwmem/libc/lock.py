"""An arena's lock: a word that is 1 while the lock is held, which is only ever within a step (sched/lock.py).

Taking and releasing it are locked operations, so its line moves between the cores that use the arena; each core counts its waits. A
single-threaded process takes no locks (__libc_single_threaded).
"""

from hwmem._jit import cold, kernel
from hwmem.core.access import exchange64, fetch_add64, load8, load64, store8, store64
from hwmem.core.service import membarrier
from hwmem.libc import layout as L
from hwmem.libc.layout import library, tls
from hwmem.sched.lock import is_held, leave_lock, wait_for_lock


@kernel
def is_single(m, t):
    """Whether no second thread has called the library."""
    return load8(m, t, library(m, t) + L.SINGLE_THREAD) != 0


@kernel
def know_thread(m, t):
    """The first call of a thread makes itself known."""
    if load64(m, t, tls(m, t) + L.KNOWN) == 0:
        greet_thread(m, t)


@cold
def greet_thread(m, t):
    lib = library(m, t)
    store64(m, t, tls(m, t) + L.KNOWN, 1)
    if fetch_add64(m, t, lib + L.KNOWN_THREADS, 1) == 1:
        store8(m, t, lib + L.SINGLE_THREAD, 0)
        membarrier(m, m.thread[t].core)  # what the first wrote without locks is there, and it knows


@kernel
def lock(m, t, av):
    if not is_single(m, t):
        take(m, t, av)


@cold
def take(m, t, av):
    asked = m.core[m.thread[t].core].cycles
    exchange64(m, t, av + L.LOCK, 1)
    wait = wait_for_lock(m, t, av + L.LOCK, asked)
    if wait > 0:
        core = m.core[m.thread[t].core]
        core.lock_waits += 1
        core.lock_wait_cycles += wait


@kernel
def unlock(m, t, av):
    if not is_single(m, t):
        exchange64(m, t, av + L.LOCK, 0)
        leave_lock(m, t, av + L.LOCK)


@kernel
def try_lock(m, t, av):
    """Whether the lock was free; it is the thread's now."""
    asked = m.core[m.thread[t].core].cycles
    if is_held(m, t, av + L.LOCK):
        fetch_add64(m, t, av + L.LOCK, 0)  # a compare-and-exchange that fails
        return False
    exchange64(m, t, av + L.LOCK, 1)
    wait_for_lock(m, t, av + L.LOCK, asked)
    return True

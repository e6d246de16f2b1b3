"""A program's locks that are held only within a step: no thread finds one taken, but its core's clock moves as if it had waited.

take the word with an atomic operation ── wait_for_lock ── ... ── release it with another ── leave_lock
"""

from hwmem import params as P
from hwmem._jit import cold, kernel
from hwmem.memory.periods import beginning, forget, used

PROCESS_SHIFT = 57  # above every address


@kernel
def slot_of_lock(m, t, va):
    return m.lock[(va >> 3 ^ va >> 12) & P.LOCK_SLOTS - 1]


@kernel
def key_of(m, t, va):
    return va ^ m.thread[t].process << PROCESS_SHIFT


@cold
def wait_for_lock(m, t, va, asked):
    """The atomic operation that takes the lock is done, which the thread began at cycle `asked`: how long it waits now, in cycles."""
    core, lock = m.core[m.thread[t].core], slot_of_lock(m, t, va)
    if lock.key != key_of(m, t, va):
        lock.key = key_of(m, t, va)
        forget(lock.held, asked)
    lock.began = beginning(lock.held, asked)
    wait = max(lock.began - core.cycles, 0)
    core.cycles += wait
    return wait


@cold
def leave_lock(m, t, va):
    """So is the one that releases it."""
    lock = slot_of_lock(m, t, va)
    if lock.key == key_of(m, t, va):  # no lock taken meanwhile has its slot
        used(lock.held, lock.began, m.core[m.thread[t].core].cycles)


@kernel
def is_held(m, t, va):
    """Whether another core holds the lock at the thread's cycle."""
    lock, now = slot_of_lock(m, t, va), m.core[m.thread[t].core].cycles
    return lock.key == key_of(m, t, va) and beginning(lock.held, now) != now

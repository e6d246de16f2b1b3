"""Locks of the runtime that are held within one step: words that are 1 while a lock is held.

Taking one and releasing it are atomic exchanges, as Go's are, so each costs what the word's line costs. Where cores contend for a lock the
taker waits (hwmem/sched/lock.py), and the wait is counted. Go: lock_futex.go.
"""

from hwmem._jit import cold
from hwmem.sched.lock import leave_lock, wait_for_lock
from goalloc import params as P
from goalloc.words import swap64


@cold
def lock(m, t, va):
    asked = m.core[m.thread[t].core].cycles
    swap64(m, t, va, 1)  # which may itself wait for the line
    wait, counts = wait_for_lock(m, t, va, asked), m.process[m.thread[t].process].guest
    counts[P.LOCKS] += 1
    if wait > 0:
        counts[P.LOCK_WAITS] += 1
        counts[P.LOCK_WAIT_CYCLES] += wait


@cold
def unlock(m, t, va):
    swap64(m, t, va, 0)
    leave_lock(m, t, va)

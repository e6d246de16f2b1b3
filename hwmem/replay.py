"""A recorded trace, or arrays of accesses, run on the machine: one access after another, in order.

A trace holds no values, so its accesses carry none (access.touch_phantom); each runs to its end before the
next, past the store buffer: the trace's order is the order in which memory sees it. Without a process of the
caller's, a process whose one mapping spans the whole address space stands in for the program's.
"""
import numpy as np

from hwmem import params as P
from hwmem._jit import kernel
from hwmem.core.access import touch_phantom


@kernel
def replay_one_core(m, t, addresses, is_store, sizes):
    """All accesses on the core of thread `t`. Returns how many were made: fewer than all if one ended the thread."""
    for i in range(len(addresses)):
        touch(m, t, addresses[i], sizes[i], is_store[i])
        if m.thread[t].state == P.KILLED:
            return i
    return len(addresses)


@kernel
def replay_cores(m, threads, addresses, is_store, sizes, core):
    """Access i on core[i], by that core's thread `threads[core[i]]`."""
    for i in range(len(addresses)):
        t = threads[core[i]]
        touch(m, t, addresses[i], sizes[i], is_store[i])
        if m.thread[t].state == P.KILLED:
            return i
    return len(addresses)


@kernel
def touch(m, t, va, size, is_store):
    """One access; what is longer than a line (saves of vector registers) goes line by line."""
    while size > P.LINE:
        touch_phantom(m, t, va, P.LINE, is_store)
        va += P.LINE
        size -= P.LINE
    touch_phantom(m, t, va, size, is_store)


def as_arrays(addresses, is_store, sizes):
    """The three arrays as int64, bool, int64 of one length; a scalar size or None (8) fills."""
    addresses = np.ascontiguousarray(addresses, dtype=np.int64)
    is_store = np.ascontiguousarray(np.broadcast_to(np.asarray(is_store, dtype=np.bool_), addresses.shape))
    sizes = np.ascontiguousarray(np.broadcast_to(np.asarray(8 if sizes is None else sizes, dtype=np.int64), addresses.shape))
    return addresses, is_store, sizes

"""A thread killed by a signal: what a bad access leaves behind for the front end to report."""

from hwmem import params as P
from hwmem._jit import cold


@cold
def kill(m, t, va, write, code):
    """A bad access ends thread `t`: address, access and code (params.SEGV_*) say why. Returns -1."""
    m.core[m.thread[t].core].refused_accesses += 1
    return end_by_signal(m, t, va, write, code)


@cold
def end_by_signal(m, t, va, write, code):
    """Thread `t` never runs again. Returns -1. The first cause is the one reported: the rest of its step may fault too."""
    thread = m.thread[t]
    if thread.state == P.KILLED:
        return -1
    thread.state = P.KILLED
    thread.fault_address = va
    thread.fault_access = write
    thread.fault_code = code
    m.core[thread.core].slice_end = 0
    return -1

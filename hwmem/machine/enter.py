"""The two kernels by which Python enters the machine: put a thread on a core, and go through a door."""

from hwmem._jit import call_door, kernel
from hwmem.core.service import drain_all
from hwmem.sched.scheduler import load_address_space


@kernel
def enter(m, door, t, a, b, d):
    """One door, as thread `t` on its core; then the core's stores become visible."""
    c = m.thread[t].core
    load_address_space(m, c, m.thread[t].process)
    result = call_door(m, door, t, a, b, d)
    drain_all(m, c)
    return result


@kernel
def place_thread(m, t, c):
    m.thread[t].core = c
    load_address_space(m, c, m.thread[t].process)

"""System calls that copy processes and end them, by way of one door: fork.py, exit.py. (A program's start has its own: exec.py.)"""

from hwmem import params as P
from hwmem._jit import DOORS
from hwmem.linux.exit import exit_process, release_address_space
from hwmem.linux.fork import fork
from hwmem.linux.oom import BURY


@DOORS.door(P.DOOR_TASK)
def task_call(m, t, call, a, b):
    """`a`: the process that BURY is about."""
    if call == BURY:
        release_address_space(m, m.thread[t].core, a)
        return 0
    return fork(m, t) if call == P.SYS_FORK else exit_process(m, t)

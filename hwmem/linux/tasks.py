"""System calls that make processes and end them, by way of one door: fork.py, exec.py (a program's start), exit.py."""

from hwmem import params as P
from hwmem._jit import DOORS
from hwmem.linux.exec import spawn
from hwmem.linux.exit import exit_process
from hwmem.linux.fork import fork


@DOORS.door(P.DOOR_TASK)
def task_call(m, t, call, layout, b):
    if call == P.SYS_FORK:
        return fork(m, t)
    if call == P.SYS_EXIT:
        return exit_process(m, t)
    return spawn(m, t, layout)

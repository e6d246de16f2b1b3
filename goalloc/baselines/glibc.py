"""glibc's malloc (hwmem.libc) behind the door that all allocators have here.

`tick` is malloc_trim(0) if everything is to go back, and otherwise nothing: the library does nothing by itself. Its system calls are not
counted one by one; what is counted are calls that change the process's memory.
"""

from hwmem._jit import DOORS, hot
from hwmem.libc import malloc as libc
from goalloc import params as P
from goalloc.baselines.system import END_THREAD, FREE, MALLOC, REALLOC, TICK, USABLE_SIZE


@DOORS.door(P.DOOR_GLIBC)
def glibc_door(m, t, operation, a, b):
    process = m.process[m.thread[t].process]
    before, committed, anon = process.total_vm, m.mm.committed, process.anon
    answer = call(m, t, operation, a, b)
    if process.total_vm != before or m.mm.committed != committed or process.anon < anon:
        process.guest[P.SYS_CALLS] += 1
    return answer


@hot
def call(m, t, operation, a, b):
    if operation == MALLOC:
        return libc.malloc(m, t, a)
    if operation == FREE:
        libc.free(m, t, a)
    elif operation == REALLOC:
        return libc.realloc(m, t, a, b)
    elif operation == USABLE_SIZE:
        return libc.usable_size(m, t, a)
    elif operation == TICK:
        if a:
            libc.malloc_trim(m, t, 0)
    elif operation == END_THREAD:
        libc.end_of_thread(m, t)
    return 0

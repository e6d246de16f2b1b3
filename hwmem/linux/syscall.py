"""System calls: arguments in `m.sys`, result or -errno returned, as on x86-64.

Workload kernels and the Python facade come here through one door, with a call of params.SYS_*. A call is carried out
behind the door of the file that has it, so that a program compiles the calls it makes and no others:

    stubs.py, machine/calls.py ──> system_call ── DOOR_OF ──> mapping.py    mmap, munmap, brk
                                                          ├─> protect.py    mprotect
                                                          ├─> mlock.py      mlock, mlock2, munlock, mlockall, munlockall
                                                          ├─> mremap.py     mremap
                                                          ├─> madvise.py    madvise, mincore; advice.py: its rare ones
                                                          ├─> clear_refs.py     a write to /proc/PID/clear_refs
                                                          ├─> files.py      msync, fsync, ftruncate, pread
                                                          ├─> tasks.py      fork, _exit
                                                          ├─> exec.py       what starts a program
                                                          └─> here          futex

A new call is a row here, its number in call_numbers.py, and a file with a door, or a line in one that has its like.
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import DOORS, call_door, kernel
from hwmem.core.signal import end_by_signal
from hwmem.linux.huge import wake_khugepaged
from hwmem.linux.oom import bury
from hwmem.sched.block import futex_wait, futex_wake

CALLS = {
    P.DOOR_SYSCALL: (P.SYS_FUTEX,),
    P.DOOR_MAPPING: (P.SYS_MMAP, P.SYS_MUNMAP, P.SYS_BRK),
    P.DOOR_PROTECT: (P.SYS_MPROTECT,),
    P.DOOR_MLOCK: (P.SYS_MLOCK, P.SYS_MLOCK2, P.SYS_MUNLOCK, P.SYS_MLOCKALL, P.SYS_MUNLOCKALL),
    P.DOOR_MREMAP: (P.SYS_MREMAP,),
    P.DOOR_MADVISE: (P.SYS_MADVISE, P.SYS_MINCORE),
    P.DOOR_CLEAR_REFS: (P.SYS_CLEAR_REFS,),
    P.DOOR_FILE: (P.SYS_MSYNC, P.SYS_FSYNC, P.SYS_FTRUNCATE, P.SYS_PREAD),
    P.DOOR_TASK: (P.SYS_FORK, P.SYS_EXIT),
    P.DOOR_SPAWN: (P.SYS_SPAWN,),
}

DOOR_OF = np.zeros(P.SYSTEM_CALLS, np.int64)
for _door, _calls in CALLS.items():
    DOOR_OF[list(_calls)] = _door


@DOORS.door(P.DOOR_SYSCALL)
def system_call(m, t, call, a, b):
    """The system call `call` (params.SYS_*) of thread `t`. `a`: the layout that SYS_SPAWN asks for."""
    m.core[m.thread[t].core].cycles += m.cost.syscall
    wake_khugepaged(m, m.thread[t].core)
    if not 0 <= call < P.SYSTEM_CALLS:
        result = -P.ENOSYS
    elif call == P.SYS_FUTEX:
        result = futex(m, t, m.sys[0], m.sys[1], m.sys[2])
    else:
        result = call_door(m, DOOR_OF[call], t, call, a, b)
    if m.mm.dying:
        bury(m, t)
    if m.mm.full:
        end_by_signal(m, t, m.mm.full, 0, P.TABLE_FULL)
        m.mm.full = 0
    return result


@kernel
def futex(m, t, va, operation, value):
    return futex_wait(m, t, va, value) if operation == P.FUTEX_WAIT else futex_wake(m, t, va, value)

"""System calls by number: arguments in `m.sys`, result or -errno returned, as on x86-64.

Workload kernels and the Python facade come here through one door. What a call does is in the file of its name:

    mapping.py   mmap, munmap, brk        protect.py   mprotect, mlock, munlock      mremap.py
    madvise.py   madvise, mincore         truncate.py  ftruncate, fsync, msync           direct.py  pread
    fork.py, exec.py, exit.py                  sched/block.py   futex
"""
from hwmem import params as P
from hwmem._jit import DOORS, kernel
from hwmem.linux.direct import sys_pread
from hwmem.linux.exec import spawn
from hwmem.linux.exit import exit_process
from hwmem.linux.fork import fork
from hwmem.linux.huge import wake_khugepaged
from hwmem.linux.madvise import sys_madvise, sys_mincore
from hwmem.linux.mapping import sys_brk, sys_mmap, sys_munmap
from hwmem.linux.mremap import sys_mremap
from hwmem.linux.oom import bury
from hwmem.linux.protect import sys_mlock, sys_mprotect, sys_munlock
from hwmem.linux.truncate import sys_fsync, sys_ftruncate, sys_msync
from hwmem.sched.block import futex_wait, futex_wake


@DOORS.door(P.DOOR_SYSCALL)
def system_call(m, t, number, a, b):
    m.core[m.thread[t].core].cycles += m.cost.syscall
    result = frequent_call(m, t, number, a)
    if m.mm.dying:
        bury(m, t)
    return result


@kernel
def frequent_call(m, t, number, a):
    wake_khugepaged(m, m.thread[t].core)
    arguments = m.sys
    if number == P.SYS_MMAP:
        return sys_mmap(m, t, arguments[0], arguments[1], arguments[2], arguments[3])
    if number == P.SYS_MUNMAP:
        return sys_munmap(m, t, arguments[0], arguments[1])
    if number == P.SYS_MADVISE:
        return sys_madvise(m, t, arguments[0], arguments[1], arguments[2])
    if number == P.SYS_MPROTECT:
        return sys_mprotect(m, t, arguments[0], arguments[1], arguments[2])
    if number == P.SYS_BRK:
        return sys_brk(m, t, arguments[0])
    if number == P.SYS_FUTEX:
        return futex(m, t, arguments[0], arguments[1], arguments[2])
    return rare_call(m, t, number, a)


@kernel
def rare_call(m, t, number, a):
    arguments = m.sys
    if number == P.SYS_MREMAP:
        return sys_mremap(m, t, arguments[0], arguments[1], arguments[2], arguments[3])
    if number == P.SYS_MINCORE:
        return sys_mincore(m, t, arguments[0], arguments[1], arguments[2])
    if number == P.SYS_MLOCK:
        return sys_mlock(m, t, arguments[0], arguments[1])
    if number == P.SYS_MUNLOCK:
        return sys_munlock(m, t, arguments[0], arguments[1])
    if number == P.SYS_MSYNC:
        return sys_msync(m, t, arguments[0], arguments[1], arguments[2])
    if number == P.SYS_FSYNC:
        return sys_fsync(m, t, arguments[0])
    if number == P.SYS_FTRUNCATE:
        return sys_ftruncate(m, t, arguments[0], arguments[1])
    if number == P.SYS_PREAD:
        return sys_pread(m, t, arguments[0], arguments[1], arguments[2], arguments[3])
    if number == P.SYS_FORK:
        return fork(m, t)
    if number == P.SYS_EXIT:
        return exit_process(m, t)
    if number == P.SYS_SPAWN:
        return spawn(m, t, a)
    return -P.ENOSYS


@kernel
def futex(m, t, va, operation, value):
    return futex_wait(m, t, va, value) if operation == P.FUTEX_WAIT else futex_wake(m, t, va, value)

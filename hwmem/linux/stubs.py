"""System calls as a program makes them: what the C library's stubs put into registers.

    munmap(m, t, va, length) ── m.sys[] ── system_call ──> the kernel's door (syscall.py)

The result, or -errno.
"""

from hwmem import params as P
from hwmem._jit import call_door, kernel
from hwmem.sched.block import wake
from hwmem.sched.scheduler import finish
from hwmem.sched.thread import NOBODY, clock, is_thread


@kernel
def system_call(m, t, call):
    """The system call `call` (params.SYS_*), its arguments in m.sys."""
    return call_door(m, P.DOOR_SYSCALL, t, call, 0, 0)


@kernel
def call_with(m, t, call, a, b, c):
    """The same with its first three arguments."""
    m.sys[0] = a
    m.sys[1] = b
    m.sys[2] = c
    return system_call(m, t, call)


@kernel
def futex_wait(m, t, va, expected):
    """FUTEX_WAIT: the thread blocks if the 4-byte word at `va` holds `expected`; 0, or -EAGAIN. Ends the step."""
    return call_with(m, t, P.SYS_FUTEX, va, P.FUTEX_WAIT, expected)


@kernel
def futex_wake(m, t, va, count):
    """FUTEX_WAKE: up to `count` threads that wait at `va` become runnable; how many did."""
    return call_with(m, t, P.SYS_FUTEX, va, P.FUTEX_WAKE, count)


@kernel
def mmap(m, t, va, length, prot, flags):
    """mmap(2) of anonymous memory: the address, or -errno."""
    return mmap_file(m, t, va, length, prot, flags | P.MAP_ANONYMOUS, -1)


@kernel
def mmap_file(m, t, va, length, prot, flags, file):
    """mmap(2) of a file from its beginning: the address, or -errno."""
    m.sys[3] = flags
    m.sys[4] = file
    m.sys[5] = 0
    return call_with(m, t, P.SYS_MMAP, va, length, prot)


@kernel
def munmap(m, t, va, length):
    """munmap(2): 0, or -errno."""
    return call_with(m, t, P.SYS_MUNMAP, va, length, 0)


@kernel
def mprotect(m, t, va, length, prot):
    """mprotect(2): 0, or -errno."""
    return call_with(m, t, P.SYS_MPROTECT, va, length, prot)


@kernel
def madvise(m, t, va, length, advice):
    """madvise(2): 0, or -errno."""
    return call_with(m, t, P.SYS_MADVISE, va, length, advice)


@kernel
def brk(m, t, va):
    """brk(2), as the system call is: where the heap ends now; 0 asks."""
    return call_with(m, t, P.SYS_BRK, va, 0, 0)


@kernel
def pread(m, t, file, va, length, offset):
    """pread(2) with O_DIRECT (linux/direct.py): whole pages of a file into the program's memory."""
    m.sys[3] = offset
    return call_with(m, t, P.SYS_PREAD, file, va, length)


@kernel
def fork(m, t):
    """fork(2): the child's number; it has no thread yet."""
    return system_call(m, t, P.SYS_FORK)


@kernel
def exit_process(m, t, waiter):
    """_exit(2): the thread's process ends, and the thread with it; `waiter` (NOBODY: none) blocks no longer, unless it was
    killed meanwhile. Ends the step."""
    system_call(m, t, P.SYS_EXIT)
    finish(m, t)
    if waiter != NOBODY and is_thread(m, t, waiter) and m.thread[waiter].state == P.BLOCKED:
        wake(m, waiter, clock(m, t))

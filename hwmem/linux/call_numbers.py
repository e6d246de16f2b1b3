"""System-call numbers of each architecture, and the corresponding calls here (params.SYS_*).

A program's own number (from Process.syscall, or a program that is executed or was recorded) is looked up here; a missing number gives
ENOSYS. For linux-i386 only calls are listed that take their arguments as on x86-64, one per register. Source:
arch/x86/entry/syscalls/syscall_64.tbl, syscall_32.tbl.
"""

from hwmem import params as P

X86_64 = {
    9: P.SYS_MMAP,
    10: P.SYS_MPROTECT,
    11: P.SYS_MUNMAP,
    12: P.SYS_BRK,
    17: P.SYS_PREAD,
    25: P.SYS_MREMAP,
    26: P.SYS_MSYNC,
    27: P.SYS_MINCORE,
    28: P.SYS_MADVISE,
    57: P.SYS_FORK,
    60: P.SYS_EXIT,
    74: P.SYS_FSYNC,
    77: P.SYS_FTRUNCATE,
    149: P.SYS_MLOCK,
    150: P.SYS_MUNLOCK,
    151: P.SYS_MLOCKALL,
    152: P.SYS_MUNLOCKALL,
    202: P.SYS_FUTEX,
    231: P.SYS_EXIT,
    325: P.SYS_MLOCK2,
}
I386 = {
    1: P.SYS_EXIT,
    2: P.SYS_FORK,
    45: P.SYS_BRK,
    91: P.SYS_MUNMAP,
    93: P.SYS_FTRUNCATE,
    118: P.SYS_FSYNC,
    125: P.SYS_MPROTECT,
    144: P.SYS_MSYNC,
    150: P.SYS_MLOCK,
    151: P.SYS_MUNLOCK,
    152: P.SYS_MLOCKALL,
    153: P.SYS_MUNLOCKALL,
    163: P.SYS_MREMAP,
    218: P.SYS_MINCORE,
    219: P.SYS_MADVISE,
    240: P.SYS_FUTEX,
    252: P.SYS_EXIT,
    376: P.SYS_MLOCK2,
}
NUMBERS = {P.LINUX_X86_64: X86_64, P.LINUX_I386: I386}

"""System calls on files, by way of one door: msync, fsync, ftruncate (truncate.py) and pread (direct.py)."""

from hwmem import params as P
from hwmem._jit import DOORS
from hwmem.linux.direct import sys_pread
from hwmem.linux.truncate import sys_fsync, sys_ftruncate, sys_msync


@DOORS.door(P.DOOR_FILE)
def file_call(m, t, call, a, b):
    s = m.sys
    if call == P.SYS_MSYNC:
        return sys_msync(m, t, s[0], s[1], s[2] & P.UINT_MASK)
    file = s[0] & P.UINT_MASK
    if call == P.SYS_FSYNC:
        return sys_fsync(m, t, file)
    if call == P.SYS_FTRUNCATE:
        return sys_ftruncate(m, t, file, s[1])
    return sys_pread(m, t, file, s[1], s[2], s[3])

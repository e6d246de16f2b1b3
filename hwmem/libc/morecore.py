"""The main arena's memory: the break, moved up to get more and down when top has grown large.

The library keeps the break it knows (__curbrk) and asks the kernel only to move it.
Source: glibc 2.36 misc/sbrk.c; malloc/malloc.c systrim.
"""

from hwmem import params as P
from hwmem._jit import call_door, cold, kernel
from hwmem.core.access import load64, store64
from hwmem.libc import layout as L
from hwmem.libc.chunk import MINSIZE, PREV_INUSE, chunksize, set_head
from hwmem.libc.layout import library

FAILED = -1


@kernel
def brk(m, t, address):
    """Ask for the break to be at `address`; where it is then."""
    m.sys[0] = address
    now = call_door(m, P.DOOR_SYSCALL, t, P.SYS_BRK, 0, 0)
    store64(m, t, library(m, t) + L.CURBRK, now)
    return now


@kernel
def sbrk(m, t, increment):
    """Move the break; where it was, or FAILED."""
    now = load64(m, t, library(m, t) + L.CURBRK)
    if now == 0:
        now = brk(m, t, 0)
    if increment == 0:
        return now
    if increment > P.TASK_END[P.LINUX_X86_64] or brk(m, t, now + increment) < now + increment:
        return FAILED
    return now


@cold
def systrim(m, t, av, pad):
    """Give back all of the main arena's top but `pad` bytes and what is left of a page; 1 if anything was."""
    top = load64(m, t, av + L.TOP)
    size = chunksize(m, t, top)
    area = size - MINSIZE - 1
    extra = (area - pad) & -P.PAGE
    if 0 <= area <= pad or extra == 0:  # area -1, the smallest top, makes it larger: glibc's, kept
        return 0
    before = sbrk(m, t, 0)
    if before != top + size:  # somebody else moved the break
        return 0
    sbrk(m, t, -extra)
    released = before - sbrk(m, t, 0)
    if released == 0:
        return 0
    store64(m, t, av + L.SYSTEM_MEM, load64(m, t, av + L.SYSTEM_MEM) - released)
    set_head(m, t, top, size - released | PREV_INUSE)
    return 1

"""persistentalloc: memory that is never freed, cut from chunks of 256 KiB, for the runtime's own structures.

A P has a chunk of its own (p.palloc); before there are Ps the global one is used, under its lock. Blocks of 64 KiB and
more come straight from the system. Chunks count as other_sys until they are handed out. Reached through a door: the
fixed-size allocators, span sets and address ranges stand above it. Go: malloc.go persistentalloc1.
"""

from hwmem._jit import DOORS, call_door, kernel
from goalloc import errors as E, params as P
from goalloc.errors import throw
from goalloc.layout import g_, m_, mstats, p_, persistentAlloc, variables as V
from goalloc.base.lock import lock, unlock
from goalloc.base.mem import sysAlloc
from goalloc.words import add64, align_up, cas64, get64, put64

OTHER_SYS = V.memstats + mstats.other_sys


@kernel
def persistentalloc(m, t, size, align, stat):
    """`size` zeroed bytes on a multiple of `align` (0: 8), counted under `stat`; the address, or 0 after a fatal error."""
    return call_door(m, P.DOOR_PERSISTENTALLOC, t, size, align, stat)


@kernel
def current_p(m, t):
    """getg().m.p: the P of the thread's M, or 0 while there are none."""
    return get64(m, t, get64(m, t, m.thread[t].guest[P.G] + g_.m) + m_.p)


@DOORS.door(P.DOOR_PERSISTENTALLOC)
def persistentalloc1(m, t, size, align, stat):
    if align == 0:
        align = 8
    if align & (align - 1) or align > P.pageSize:
        throw(m, t, E.PERSISTENT_ALIGN, 0, 0)
        return 0
    if size >= P.maxPersistentBlock:
        return sysAlloc(m, t, size, stat)
    pp = current_p(m, t)
    persistent = pp + p_.palloc if pp else V.globalAlloc + 8
    if pp == 0:
        lock(m, t, V.globalAlloc)
    result = cut(m, t, persistent, size, align)
    if pp == 0:
        unlock(m, t, V.globalAlloc)
    if result and stat != OTHER_SYS:
        add64(m, t, stat, size)
        add64(m, t, OTHER_SYS, -size)
    return result


@kernel
def cut(m, t, persistent, size, align):
    """The next `size` bytes of a chunk, or of a new one."""
    base = get64(m, t, persistent + persistentAlloc.base)
    off = align_up(get64(m, t, persistent + persistentAlloc.off), align)
    if base == 0 or off + size > P.persistentChunkSize:
        base = sysAlloc(m, t, P.persistentChunkSize, OTHER_SYS)
        if base == 0:
            throw(m, t, E.CANNOT_ALLOCATE_MEMORY, 0, 0)
            return 0
        put64(m, t, persistent + persistentAlloc.base, base)
        chunks = get64(m, t, V.persistentChunks)
        put64(m, t, base, chunks)
        cas64(m, t, V.persistentChunks, chunks, base)
        off = align_up(8, align)
    put64(m, t, persistent + persistentAlloc.off, off + size)
    return base + off

"""fixalloc: the runtime's own objects of one size (spans, mcaches, arena hints): a free list over chunks of 16 KiB.

`f` is the address of a fixalloc. The caller holds the lock that guards it. Go: mfixalloc.go.
"""

from hwmem._jit import kernel
from goalloc import errors as E, params as P
from goalloc.errors import throw
from goalloc.layout import fixalloc
from goalloc.base.malloc_persistent import persistentalloc
from goalloc.words import get8, get32, get64, put8, put32, put64


@kernel
def fixalloc_init(m, t, f, size, stat, zero):
    put64(m, t, f + fixalloc.size, size)
    put32(m, t, f + fixalloc.nalloc, P.FixAllocChunk // size * size)
    put64(m, t, f + fixalloc.stat, stat)
    put8(m, t, f + fixalloc.zero, zero)


@kernel
def fixalloc_alloc(m, t, f):
    """(an object's address or 0, whether it is handed out for the first time)."""
    size = get64(m, t, f + fixalloc.size)
    if size == 0:
        throw(m, t, E.FIXALLOC, 0, 0)
        return 0, False
    put64(m, t, f + fixalloc.inuse, get64(m, t, f + fixalloc.inuse) + size)
    v = get64(m, t, f + fixalloc.list)
    if v:
        put64(m, t, f + fixalloc.list, get64(m, t, v))
        if get8(m, t, f + fixalloc.zero):
            for offset in range(0, size, 8):
                put64(m, t, v + offset, 0)
        return v, False
    if get32(m, t, f + fixalloc.nchunk) < size:
        nalloc = get32(m, t, f + fixalloc.nalloc)
        put64(m, t, f + fixalloc.chunk, persistentalloc(m, t, nalloc, 0, get64(m, t, f + fixalloc.stat)))
        put32(m, t, f + fixalloc.nchunk, nalloc)
    v = get64(m, t, f + fixalloc.chunk)
    if v == 0:
        return 0, False
    put64(m, t, f + fixalloc.chunk, v + size)
    put32(m, t, f + fixalloc.nchunk, get32(m, t, f + fixalloc.nchunk) - size)
    return v, True


@kernel
def fixalloc_free(m, t, f, v):
    put64(m, t, f + fixalloc.inuse, get64(m, t, f + fixalloc.inuse) - get64(m, t, f + fixalloc.size))
    put64(m, t, v, get64(m, t, f + fixalloc.list))
    put64(m, t, f + fixalloc.list, v)

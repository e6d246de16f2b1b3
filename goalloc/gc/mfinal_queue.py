"""Queued finalizers: blocks of 101, which are reused and never freed.

    finq ─> the block being filled ─> older ones            finc ─> empty blocks            allfin: all of them, roots of every cycle

A finalizer that is queued keeps its object alive until it has run. Go: mfinal.go queuefinalizer.
"""

from hwmem._jit import cold, kernel
from goalloc import constants as C, params as P
from goalloc.base.lock import lock, unlock
from goalloc.base.malloc_persistent import persistentalloc
from goalloc.layout import finalizer, finblock, mstats, specialfinalizer, variables as V
from goalloc.words import add64, get32, get64, put32, put64

GC_MISC = V.memstats + mstats.gcMiscSys


@kernel
def or_status(m, t, bits):
    """fingStatus |= bits."""
    old = get32(m, t, V.fingStatus)
    if old & bits != bits:
        add64(m, t, V.fingStatus, bits & ~old)


@cold
def queuefinalizer(m, t, x, sp):
    """The object at `x` has not been reached: its finalizer, which the special at `sp` names, will run."""
    lock(m, t, V.finlock)
    fb = get64(m, t, V.finq)
    if fb == 0 or get32(m, t, fb + finblock.cnt) == C.finblockEntries:
        fb = get64(m, t, V.finc)
        if fb == 0:
            fb = persistentalloc(m, t, C.FinBlockSize, 0, GC_MISC)
            put64(m, t, fb + finblock.alllink, get64(m, t, V.allfin))
            put64(m, t, V.allfin, fb)
        else:
            put64(m, t, V.finc, get64(m, t, fb + finblock.next))
        put64(m, t, fb + finblock.next, get64(m, t, V.finq))
        put64(m, t, V.finq, fb)
    n = get32(m, t, fb + finblock.cnt)
    f = fb + finblock.fin + n * finalizer.sizeof
    put32(m, t, fb + finblock.cnt, n + 1)
    put64(m, t, f + finalizer.fn, get64(m, t, sp + specialfinalizer.fn))
    put64(m, t, f + finalizer.nret, get64(m, t, sp + specialfinalizer.nret))
    put64(m, t, f + finalizer.fint, get64(m, t, sp + specialfinalizer.fint))
    put64(m, t, f + finalizer.ot, get64(m, t, sp + specialfinalizer.ot))
    put64(m, t, f + finalizer.arg, x)
    unlock(m, t, V.finlock)
    or_status(m, t, C.fingWake)
    m.process[m.thread[t].process].guest[P.COLLECTOR] |= P.SYSTEM

"""The write barrier's buffer: 512 addresses a P, which become grey together when it is full or a cycle wants to end.

    next ─> end                          a store puts the pointer that it overwrites and the one that it writes, and goes on

Flushing marks objects directly, and puts into the P's work only those that have pointers. Go: mwbbuf.go.
"""

from hwmem._jit import cold, kernel
from goalloc import constants as C
from goalloc.gc.mgcmark_scan import count_marked, findObject, is_noscan, mark
from goalloc.gc.mgcwork import put
from goalloc.layout import mspan, p_, wbBuf
from goalloc.words import get64, put64

NEXT, END, BUF = p_.wbBuf + wbBuf.next, p_.wbBuf + wbBuf.end, p_.wbBuf + wbBuf.buf


@kernel
def reset(m, t, pp):
    """The P's buffer is empty."""
    put64(m, t, pp + NEXT, pp + BUF)
    put64(m, t, pp + END, pp + BUF + 8 * C.wbBufEntries)


@cold
def wbBufFlush1(m, t, pp):
    """What is in the P's buffer becomes grey."""
    w = pp + p_.gcw
    end = get64(m, t, pp + NEXT)
    put64(m, t, pp + NEXT, 0)
    for slot in range(pp + BUF, end, 8):
        va = get64(m, t, slot)
        if va < C.minLegalPointer:
            continue
        obj, s, i = findObject(m, t, va, 0, 0)
        if obj == 0 or not mark(m, t, s, i):
            continue
        if is_noscan(m, t, s):
            count_marked(m, t, w, get64(m, t, s + mspan.elemsize))
        else:
            put(m, t, w, obj)
    reset(m, t, pp)

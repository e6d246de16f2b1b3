"""The write barrier: what a pointer's store does in addition while a cycle marks.

    hybrid     the old value and the new one become grey: a goroutine's stack need not be scanned twice          (Go since 1.8)
    Dijkstra   the new one: an object that only a stack knows, scanned already, may be lost
    Yuasa      the old one: an object that moves from a stack not scanned yet to a black object may be lost
    none       whatever moves behind the marker's back is lost

They go to the P's buffer (mwbbuf.py), or with IMMEDIATE are shaded at once. Which one a run has is its own setting, guest[BARRIER].
A copy of many pointers does the same for each before it (typedmemmove in base/memclr.py). Go: mbarrier.go, mwbbuf.go, mbitmap.go.
"""

from hwmem._jit import call_door, cold, kernel
from goalloc import params as P
from goalloc.base.malloc_persistent import current_p
from goalloc.gc.mwbbuf import END, NEXT
from goalloc.layout import type_
from goalloc.words import get8, get64, put64

HYBRID, DIJKSTRA, YUASA, NO_BARRIER, IMMEDIATE = 0, 1, 2, 3, 4
FLUSH = 0  # DOOR_MARK: empty the P's buffer


@kernel
def keep(m, t, pp, va):
    """`va` is to become grey."""
    at = get64(m, t, pp + NEXT)
    if at == get64(m, t, pp + END):
        call_door(m, P.DOOR_MARK, t, FLUSH, pp, 0)
        at = get64(m, t, pp + NEXT)
    put64(m, t, at, va)
    put64(m, t, pp + NEXT, at + 8)


@cold
def write_barrier(m, t, slot, value):
    """Before *slot = value."""
    pp, setting = current_p(m, t), m.process[m.thread[t].process].guest[P.BARRIER]
    kind = setting & 3
    if kind == HYBRID or kind == YUASA:
        keep(m, t, pp, get64(m, t, slot))
    if kind == HYBRID or kind == DIJKSTRA:
        keep(m, t, pp, value)
    if setting & IMMEDIATE:
        call_door(m, P.DOOR_MARK, t, FLUSH, pp, 0)


@cold
def typeBitsBulkBarrier(m, t, dst, src, n):
    """Before `n` bytes, values of the type at the address in the register SIZE, are copied from `src` to `dst`, or cleared (src = 0): the
    barrier for each pointer."""
    typ = m.thread[t].guest[P.SIZE]
    size, ptrs, mask = get64(m, t, typ + type_.Size_), get64(m, t, typ + type_.PtrBytes), get64(m, t, typ + type_.GCData)
    for first in range(0, n, size):
        for at in range(0, ptrs, 8):
            if get8(m, t, mask + at // 64) >> at // 8 % 8 & 1:
                write_barrier(m, t, dst + first + at, get64(m, t, src + first + at) if src else 0)

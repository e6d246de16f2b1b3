"""The write barrier: what happens beside a pointer's store while a cycle marks.

    hybrid     the old value and the new one become grey: a goroutine's stack need not be scanned twice          (Go since 1.8)
    Dijkstra   the new one: an object that only a stack knows, scanned already, may be lost
    Yuasa      the old one: an object that moves from a stack not scanned yet to a black object may be lost
    none       whatever moves behind the marker's back is lost

They go to the P's buffer (mwbbuf.py), or with IMMEDIATE are shaded at once. Which one a run has is its own setting, guest[BARRIER].
A copy of many pointers does the same for each before it (bulkBarrierPreWrite). Go: mbarrier.go, mwbbuf.go, mbitmap.go.
"""
from hwmem._jit import call_door, cold, kernel
from goalloc import params as P
from goalloc.base.malloc_persistent import current_p
from goalloc.gc.mgcmark_scan import heap_bits, spanOf
from goalloc.gc.mwbbuf import END, NEXT
from goalloc.layout import GLOBALS, mspan
from goalloc.words import NONE, ONE, ctz64, get8, get64, put64, shl

HYBRID, DIJKSTRA, YUASA, NO_BARRIER, IMMEDIATE = 0, 1, 2, 3, 4
FLUSH = 0                               # DOOR_MARK: empty the P's buffer


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
def bulkBarrierPreWrite(m, t, dst, src, n):
    """Before `n` bytes are copied from `src` to `dst`, or cleared (src = 0): the barrier for each word of `dst` that is a pointer."""
    s = spanOf(m, t, dst)
    if s == 0:
        if dst >= GLOBALS and dst + n <= m.process[m.thread[t].process].guest[P.GLOBALS_END]:
            for at in range(0, n, 8):
                write_barrier(m, t, dst + at, get64(m, t, src + at) if src else 0)
        return
    if get8(m, t, s + mspan.state) != P.mSpanInUse or get8(m, t, s + mspan.spanclass) & 1:
        return
    at, last = 0, False
    while at < n and not last:
        mask, valid, last = heap_bits(m, t, dst + at, n - at)
        while mask != NONE:
            i = ctz64(mask)
            mask ^= shl(ONE, i)
            write_barrier(m, t, dst + at + 8 * i, get64(m, t, src + at + 8 * i) if src else 0)
        at += 8 * valid

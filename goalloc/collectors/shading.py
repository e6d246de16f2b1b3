"""The barriers of concurrent collectors, by themselves: a store makes objects grey, and they are never scanned.

    the flag     LARGEST: a marking is under way; a store looks at it first
    grey         MARK in the header, and a place in a table; an object that is grey already costs a look at the header

    Dijkstra   the object that is stored      Yuasa   the one that is overwritten      hybrid   both

A collection makes all white again. Go's own, in batches, is gc/mwbbuf.py. GC Handbook 15.2 (algorithms 15.1, 15.2); Dijkstra and others 1978, Yuasa
1990, Clements and Hudson 2016 (hybrid).
"""

from hwmem._jit import DOORS, cold, kernel
from goalloc import params as P
from goalloc.collectors.bump import new_object
from goalloc.collectors.model import (
    COLLECT,
    LARGEST,
    MARK,
    NEW,
    OPERATION_SHIFT,
    SHADE_NEW,
    SHADE_OLD,
    START,
    TABLE,
    TABLE_TOP,
    TOP,
    WORD,
    enter,
    guest,
    leave,
    words_of,
)
from goalloc.words import get64, put64


@DOORS.door(P.DOOR_SHADING)
def shading(m, t, operation, a, b):
    h = guest(m, t)[P.HEAP]
    if operation == NEW:
        return new_object(m, t, a, b)
    if operation == COLLECT:
        return whiten(m, t, h)
    store(m, t, h, a + WORD * (1 + (operation >> OPERATION_SHIFT)), b)
    return 0


@cold
def store(m, t, h, slot, y):
    variant = guest(m, t)[P.HEAP_BARRIERS]
    if get64(m, t, h + LARGEST):
        if variant & SHADE_OLD:
            shade(m, t, h, get64(m, t, slot))
        if variant & SHADE_NEW:
            shade(m, t, h, y)
    put64(m, t, slot, y)
    guest(m, t)[P.BARRIERS] += 1


@kernel
def shade(m, t, h, x):
    if x == 0:
        return
    header = get64(m, t, x)
    if not header & MARK:
        put64(m, t, x, header | MARK)
        enter(m, t, h)
        top = get64(m, t, h + TABLE_TOP)
        put64(m, t, top, x)
        put64(m, t, h + TABLE_TOP, top + WORD)
        leave(m, t, h)


@cold
def whiten(m, t, h):
    """All objects, as before a marking. It frees nothing."""
    x, top = get64(m, t, h + START), get64(m, t, h + TOP)
    while x < top:
        header = get64(m, t, x)
        put64(m, t, x, header & ~MARK)
        x += WORD * words_of(header)
    put64(m, t, h + TABLE_TOP, get64(m, t, h + TABLE))
    guest(m, t)[P.COLLECTIONS] += 1
    return 0

"""Mark-sweep, the world stopped: what the roots do not reach goes back to the free lists, and nothing moves.

The sweep reads every header of the heap, so its cost follows the heap, and marking's what lives. GC Handbook 2.2, 2.3 (the mark-sweep algorithm;
marks are in headers), 7.4.
"""

from hwmem._jit import DOORS, cold
from goalloc import params as P
from goalloc.collectors.freelist import take
from goalloc.collectors.mark import mark
from goalloc.collectors.model import NEW, begin_pause, clear, end_pause, exhausted, guest, is_object
from goalloc.collectors.sweep import sweep


@DOORS.door(P.DOOR_MARK_SWEEP)
def mark_sweep(m, t, operation, a, b):
    h = guest(m, t)[P.HEAP]
    return new_object(m, t, h, a, b) if operation == NEW else collect(m, t, h)


@cold
def new_object(m, t, h, refs, data):
    if not is_object(m, t, refs, data):
        return 0
    words = 1 + refs + data
    x = take(m, t, h, words)
    if x == 0:
        collect(m, t, h)
        x = take(m, t, h, words)
    if x == 0:
        return exhausted(m, t, h, words)
    clear(m, t, x, refs, words)
    return x


@cold
def collect(m, t, h):
    start = begin_pause(m, t)
    mark(m, t, h)
    sweep(m, t, h, True)
    end_pause(m, t, start)
    return 1

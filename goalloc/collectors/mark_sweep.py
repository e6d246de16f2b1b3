"""Mark-sweep, the world stopped: what the roots do not reach goes back to the free lists, and nothing moves.

The sweep reads every header of the heap, so its cost follows the heap, and marking's what lives. GC Handbook 2.2, 2.3 (the mark-sweep algorithm;
marks are in headers), 7.4.
"""

from hwmem._jit import DOORS, cold
from goalloc import params as P
from goalloc.collectors.freelist import add_block, no_blocks, take
from goalloc.collectors.mark import mark
from goalloc.collectors.model import (
    END,
    FREE,
    MARK,
    NEW,
    START,
    WORD,
    begin_pause,
    clear,
    end_pause,
    exhausted,
    guest,
    is_object,
    words_of,
)
from goalloc.words import get64, put64


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
    sweep(m, t, h)
    end_pause(m, t, start)
    return 1


@cold
def sweep(m, t, h):
    """Stretches of free blocks and of objects without MARK become blocks; the others lose their MARK."""
    x, end = get64(m, t, h + START), get64(m, t, h + END)
    registers, first = guest(m, t), x  # where the stretch of free words before x begins
    no_blocks(m, t, h)
    while x < end:
        header = get64(m, t, x)
        after = x + WORD * words_of(header)
        if header & MARK:
            put64(m, t, x, header & ~MARK)
            if x > first:
                add_block(m, t, h, first, (x - first) // WORD)
            first = after
        elif not header & FREE:
            registers[P.FREED] += 1
        x = after
    if end > first:
        add_block(m, t, h, first, (end - first) // WORD)

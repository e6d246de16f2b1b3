"""Reference counting: an object's header says how many references there are to it; at zero it is freed, and with it what only it held.

    at once       roots count as fields do: every store adds one and takes one away. A pause is what one store frees
    ATOMIC        ... by atomic additions, as threads that share objects need; the counts' lines go from core to core
    DEFERRED      only fields count. An object at zero may still be a root's: it waits in the zero-count table (KEPT) until a collection looks at the roots
    TRACED        cycles, which counting never frees, are found by a marking from the roots when memory is used up: the backup trace

    zero-count table   | x | y | ... TABLE_TOP ... TABLE_END      a collection: roots' objects +1; those in it at zero are freed; roots' objects -1

GC Handbook 5.1 (algorithm 5.1), 5.3 (deferred, algorithms 5.2 and 5.3), 5.5 (cyclic: backup tracing), 5.2 (atomicity); Deutsch and Bobrow 1976.
Simplified: a count has 28 bits and is not sticky; blocks are joined when nothing fits, or by the trace.
"""

from hwmem._jit import DOORS, cold, kernel
from goalloc import params as P
from goalloc.collectors.freelist import add_block, take
from goalloc.collectors.mark import mark
from goalloc.collectors.model import (
    ATOMIC,
    COLLECT,
    COUNT_SHIFT,
    DEFERRED,
    END,
    FREE,
    KEPT,
    LARGEST,
    MARK,
    MARKS,
    NEW,
    ONE_MORE,
    OPERATION_SHIFT,
    ROOT,
    START,
    TABLE,
    TABLE_END,
    TABLE_TOP,
    TRACED,
    WORD,
    begin_pause,
    clear,
    end_of_roots,
    end_pause,
    enter,
    exhausted,
    first_root,
    guest,
    is_object,
    leave,
    note_pause,
    refs_of,
    stretches,
    words_of,
)
from goalloc.collectors.sweep import sweep
from goalloc.words import add64, get64, put64


@DOORS.door(P.DOOR_COUNTS)
def counts(m, t, operation, a, b):
    h = guest(m, t)[P.HEAP]
    if operation == NEW:
        return new_object(m, t, h, a, b)
    if operation == COLLECT:
        return collect(m, t, h, True)
    registers, core = guest(m, t), m.core[m.thread[t].core]
    spent = registers[P.COLLECTOR_CYCLES] - core.cycles
    replace(m, t, h, a if operation == ROOT else a + WORD * (1 + (operation >> OPERATION_SHIFT)), b)
    registers[P.BARRIERS] += 1
    registers[P.COLLECTOR_CYCLES] = spent + core.cycles  # with a collection in it
    return 0


@kernel
def is_variant(m, t, bit):
    return guest(m, t)[P.HEAP_BARRIERS] & bit != 0


@cold
def new_object(m, t, h, refs, data):
    if not is_object(m, t, refs, data):
        return 0
    words = 1 + refs + data
    if table_is_full(m, t, h):
        collect(m, t, h, False)
    x = take(m, t, h, words)
    if x == 0:
        collect(m, t, h, True)
        x = take(m, t, h, words)
    if x == 0:
        join(m, t, h)
        x = take(m, t, h, words)
    if x == 0:
        return exhausted(m, t, h, words)
    clear(m, t, x, refs, words)
    if is_variant(m, t, DEFERRED):
        note_zero(m, t, h, x, get64(m, t, x))
    return x


@cold
def join(m, t, h):
    """Free neighbours become one block; the world waits."""
    start = m.core[m.thread[t].core].cycles
    sweep(m, t, h, False)
    end_pause(m, t, start)


@cold
def replace(m, t, h, slot, y):
    """*slot = y. The new object is counted first: it may be the old one."""
    if table_is_full(m, t, h):
        collect(m, t, h, False)
    if y:
        count(m, t, y, ONE_MORE)
    old = get64(m, t, slot)
    put64(m, t, slot, y)
    if old:
        header = count(m, t, old, -ONE_MORE)
        if header >> COUNT_SHIFT == 0:
            nobody_holds(m, t, h, old, header)


@kernel
def count(m, t, x, change):
    """The header with the new count, or flag."""
    if is_variant(m, t, ATOMIC):
        return add64(m, t, x, change) + change
    header = get64(m, t, x) + change
    put64(m, t, x, header)
    return header


@cold
def nobody_holds(m, t, h, x, header):
    """The count of x has dropped to zero."""
    if is_variant(m, t, DEFERRED):
        note_zero(m, t, h, x, header)
    else:
        start = m.core[m.thread[t].core].cycles
        enter(m, t, h)
        release(m, t, h, x)
        leave(m, t, h)
        note_pause(m, t, start)


@cold
def release(m, t, h, x):
    """Free x, and whatever only x and those held. Who is in the table stays for the collection that empties it."""
    bottom = get64(m, t, h + MARKS)
    put64(m, t, bottom, x)
    top = bottom + WORD
    while top > bottom:
        top -= WORD
        x = get64(m, t, top)
        header = get64(m, t, x)
        for i in range(1, 1 + refs_of(header)):
            y = get64(m, t, x + WORD * i)
            if y:
                held = count(m, t, y, -ONE_MORE)
                if held >> COUNT_SHIFT == 0 and not held & KEPT:
                    put64(m, t, top, y)
                    top += WORD
        add_block(m, t, h, x, words_of(header))
        guest(m, t)[P.FREED] += 1


@kernel
def table_is_full(m, t, h):
    return is_variant(m, t, DEFERRED) and get64(m, t, h + TABLE_TOP) >= get64(m, t, h + TABLE_END)


@kernel
def note_zero(m, t, h, x, header):
    """Into the zero-count table, where it is once at most: there is room for all objects."""
    if not header & KEPT:
        enter(m, t, h)
        count(m, t, x, KEPT)
        top = get64(m, t, h + TABLE_TOP)
        put64(m, t, top, x)
        put64(m, t, h + TABLE_TOP, top + WORD)
        leave(m, t, h)


@cold
def collect(m, t, h, whole):
    """What counting at once leaves to do is nothing. Not `whole`: the table alone is full."""
    if not is_variant(m, t, DEFERRED | TRACED):
        guest(m, t)[P.COLLECTIONS] += 1
        return 0
    start = begin_pause(m, t)
    if is_variant(m, t, DEFERRED):
        count_roots(m, t, h, ONE_MORE)
        empty_table(m, t, h)
        count_roots(m, t, h, -ONE_MORE)
    if whole and is_variant(m, t, TRACED):
        trace(m, t, h)
    put64(m, t, h + TABLE_END, get64(m, t, h + TABLE_TOP) + get64(m, t, h + LARGEST))
    end_pause(m, t, start)
    return 1


@kernel
def count_roots(m, t, h, change):
    for k in range(stretches(m)):
        for slot in range(first_root(m, t, h, k), end_of_roots(m, t, h, k), WORD):
            x = get64(m, t, slot)
            if x:
                header = count(m, t, x, change)
                if header >> COUNT_SHIFT == 0:
                    note_zero(m, t, h, x, header)


@kernel
def empty_table(m, t, h):
    """Free the objects in the table that no root refers to."""
    first, top = get64(m, t, h + TABLE), get64(m, t, h + TABLE_TOP)
    for at in range(first, top, WORD):
        x = get64(m, t, at)
        header = get64(m, t, x) & ~KEPT
        put64(m, t, x, header)
        if header >> COUNT_SHIFT == 0:
            release(m, t, h, x)
    put64(m, t, h + TABLE_TOP, first)


@cold
def trace(m, t, h):
    """Mark from the roots; who is not marked is freed, and what it held is counted down."""
    mark(m, t, h)
    leave_table(m, t, h)
    x, end = get64(m, t, h + START), get64(m, t, h + END)
    while x < end:
        header = get64(m, t, x)
        if not header & (MARK | FREE):
            for i in range(1, 1 + refs_of(header)):
                let_go(m, t, h, get64(m, t, x + WORD * i))
        x += WORD * words_of(header)
    sweep(m, t, h, True)


@kernel
def let_go(m, t, h, y):
    """A dead object's reference to y is no more; if y lives, somebody else holds it, or a root."""
    if y and get64(m, t, y) & MARK:
        header = count(m, t, y, -ONE_MORE)
        if header >> COUNT_SHIFT == 0 and is_variant(m, t, DEFERRED):
            note_zero(m, t, h, y, header)


@kernel
def leave_table(m, t, h):
    """Who is not marked leaves the zero-count table."""
    first, top = get64(m, t, h + TABLE), get64(m, t, h + TABLE_TOP)
    kept = first
    for at in range(first, top, WORD):
        x = get64(m, t, at)
        if get64(m, t, x) & MARK:
            put64(m, t, kept, x)
            kept += WORD
    put64(m, t, h + TABLE_TOP, kept)

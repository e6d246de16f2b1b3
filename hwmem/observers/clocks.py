"""Vector clocks: how much each thread knows of every other, and what passes that knowledge on.

    race_clock[t]      thread t's vector clock; its own component counts its releases
    release(place)     the place learns what t knows; t's clock goes on        atomics, release stores
    acquire(place)     t learns what the place knows                           atomics, acquire loads
    edge(t, other)     other learns what t knows                               futex wake, join

A place is a virtual address in its process, or a negative key of the program's own. It only ever learns, also when a
release store overwrites another's: so stores that become visible in another order than they were made raise no
false alarm. Lamport, 1978; Mattern, 1989.
"""

from hwmem._jit import cold, kernel
from hwmem.layout import RACE_ROWS


@kernel
def edge(m, t, other):
    for u in range(m.threads):
        m.race_clock[other, u] = max(m.race_clock[other, u], m.race_clock[t, u])
    m.race_clock[t, t] += 1


@kernel
def release(m, t, place):
    row = row_of(m, place, 1)
    if row:
        for u in range(m.threads):
            m.race_row[row, u] = max(m.race_row[row, u], m.race_clock[t, u])
    m.race_clock[t, t] += 1


@kernel
def acquire(m, t, place):
    row = row_of(m, place, 0)
    if row:
        for u in range(m.threads):
            m.race_clock[t, u] = max(m.race_clock[t, u], m.race_row[row, u])


@kernel
def row_of(m, place, add):
    """The row of what a place knows; 0: nothing yet and not to be added, or no room."""
    slot = (place ^ place >> 15) * 40503 & RACE_ROWS - 1
    for _ in range(RACE_ROWS):
        sync = m.race_sync[slot]
        if sync.row != 0 and sync.key == place:
            return sync.row
        if sync.row == 0:
            if add:
                sync.row, sync.key = new_row(m, 1), place
            return sync.row
        slot = slot + 1 & RACE_ROWS - 1
    return 0


@cold
def new_row(m, count):
    """The first of `count` fresh rows, all zero; 0: no room."""
    row = m.observe.race_rows
    if row + count > RACE_ROWS - 1:
        m.observe.races_dropped += 1
        return 0
    m.observe.race_rows += count
    return row + 1


@kernel
def copy_row(m, a, b):
    """Row `a` into row `b` (0: no room); returns `b`."""
    if b:
        for u in range(m.threads):
            m.race_row[b, u] = m.race_row[a, u]
    return b


@kernel
def knows_row(m, t, row):
    """The first thread of whose entry in a row thread `t` does not know; -1: it knows all."""
    for u in range(m.threads):
        if m.race_row[row, u] > m.race_clock[t, u]:
            return u
    return -1

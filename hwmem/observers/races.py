"""Data races: two unordered accesses to a byte by two threads, at least one of them a write.

    access_made, thread_edge, ... (hooks.py) ──> races_door ──> clocks.py      who knows how much of whom
                                                            └─> this file      has it been touched by one I do not know?

FastTrack (Flanagan & Freund, 2009): a stretch of bytes remembers its last write as an epoch (thread, clock), its reads
as one epoch or, when they are concurrent, as a vector clock. An access races with a remembered one if its thread does
not know that thread's clock yet.

    cell.write    last plain write        cell.read, .read_row    plain reads since
    cell.ordered_row, + 1                 by thread: last ordered access (atomic, acquire, release); last ordered write

Ordered accesses do not race with each other, but with plain ones they do, as in Go. The grain is the byte: bytes of a
word that were always accessed together share a cell, and a cell is split when they no longer are (`cells_of`).

Accesses come in program order: a store counts from when it retires, not from when it leaves the buffer. A word is
its virtual address in its process. What finds no room is counted in races_dropped.
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import DOORS, cold, kernel
from hwmem.layout import RACE_CELLS, RACE_LOG, RACE_SLOTS
from hwmem.observers.clocks import acquire, copy_row, edge, knows_row, new_row, release

PHANTOMS = 1 << P.PHANTOM_LOAD | 1 << P.PHANTOM_STORE
WORD_SHIFT = 3
PROCESS_SHIFT = 48
PLAIN_READ, PLAIN_WRITE, ORDERED_READ, ORDERED_WRITE = range(4)


@DOORS.door(P.DOOR_RACES)
def races_door(m, t, va, what, extra):
    """`extra`: of an access, whether it is ordered (or FAILS); of MEMORY_GONE, where the range ends."""
    size, kind = what & P.SIZE_MASK, what >> P.KIND_SHIFT
    if kind == P.THREAD_EDGE:
        edge(m, t, va)
    elif kind == P.RELEASE:
        release(m, t, -1 - va)
    elif kind == P.ACQUIRE:
        acquire(m, t, -1 - va)
    elif kind == P.MEMORY_GONE:
        forget(m, m.thread[t].process, va, extra)
    elif not PHANTOMS >> kind & 1:
        accessed(m, t, va, size, kind | P.ORDERED if extra or kind == P.ATOMIC else kind, extra != P.FAILS)
    return 0


@cold
def forget(m, p, start, end):
    """What is mapped at [start, end) from now on is other memory, without a history."""
    first, last = p << PROCESS_SHIFT - WORD_SHIFT | start >> WORD_SHIFT, p << PROCESS_SHIFT - WORD_SHIFT | end - 1 >> WORD_SHIFT
    for n in range(m.observe.race_cells):
        cell = m.race_cell[n]
        if first <= cell.key <= last:
            cell.write.clock = cell.read.clock = 0
            cell.read_row = cell.ordered_row = 0


@kernel
def accessed(m, t, va, size, kind, succeeds):
    """An access, word by word; an ordered one also takes over or hands on what is known at its address. An atomic that fails
    only takes over, as in Go and C++."""
    write = P.WRITES >> (kind & P.ORDERED - 1) & 1
    place = m.thread[t].process << PROCESS_SHIFT | va
    if kind & P.ORDERED and (not write or kind & P.ORDERED - 1 == P.ATOMIC):
        acquire(m, t, place)
    first, last = va >> WORD_SHIFT, va + size - 1 >> WORD_SHIFT
    for word in range(first, last + 1):
        start, end = max(va, word << WORD_SHIFT), min(va + size, word + 1 << WORD_SHIFT)
        mask = (1 << end - (word << WORD_SHIFT)) - (1 << start - (word << WORD_SHIFT))
        cells_of(m, t, m.thread[t].process << PROCESS_SHIFT - WORD_SHIFT | word, mask, va, size | kind << P.KIND_SHIFT)
    if kind & P.ORDERED and write and succeeds:
        release(m, t, place)


@kernel
def cells_of(m, t, key, mask, va, what):
    """Every cell of the word that the access touches, split so that it touches the whole of each."""
    slot = slot_of(m, key)
    n = m.race_index[slot] - 1
    while n >= 0 and mask:
        cell = m.race_cell[n]
        after = cell.next - 1
        if cell.mask & mask:
            if cell.mask & ~mask and not split(m, n, slot, mask):
                return
            mask &= ~cell.mask
            touch(m, n, t, va, what)
        n = after
    if mask:
        n = new_cell(m, slot, key, mask)
        if n >= 0:
            touch(m, n, t, va, what)


@kernel
def slot_of(m, key):
    """Where in the index the word's first cell stands, or would stand."""
    slot = (key ^ key >> 17) * 40503 & RACE_SLOTS - 1
    while m.race_index[slot] != 0 and m.race_cell[m.race_index[slot] - 1].key != key:
        slot = slot + 1 & RACE_SLOTS - 1
    return slot


@cold
def new_cell(m, slot, key, mask):
    """A cell without a history, the first of its word; -1: no room."""
    n = m.observe.race_cells
    if n == RACE_CELLS:
        m.observe.races_dropped += 1
        return -1
    m.observe.race_cells += 1
    cell = m.race_cell[n]
    cell.key, cell.next, cell.mask, cell.reported = key, m.race_index[slot], mask, 0
    cell.write.clock = cell.read.clock = 0
    cell.read_row = cell.ordered_row = 0
    m.race_index[slot] = n + 1
    return n


@cold
def split(m, n, slot, mask):
    """The bytes of cell `n` outside `mask` get a cell with the same history; False: no room."""
    cell = m.race_cell[n]
    other = new_cell(m, slot, cell.key, cell.mask & ~mask)
    if other < 0:
        return False
    twin = m.race_cell[other]
    copy_access(cell.write, twin.write)
    copy_access(cell.read, twin.read)
    if cell.read_row:
        twin.read_row = copy_row(m, cell.read_row, new_row(m, 1))
    if cell.ordered_row:
        twin.ordered_row = copy_row(m, cell.ordered_row, new_row(m, 2))
        copy_row(m, cell.ordered_row + 1, twin.ordered_row + 1)
    cell.mask &= mask
    return True


@kernel
def copy_access(a, b):
    b.va, b.cycle, b.clock, b.thread, b.core, b.width, b.kind = a.va, a.cycle, a.clock, a.thread, a.core, a.width, a.kind


@kernel
def note(m, a, t, va, what):
    a.va, a.width, a.kind = va, what & P.SIZE_MASK, what >> P.KIND_SHIFT
    a.thread, a.core, a.clock = t, m.thread[t].core, m.race_clock[t, t]
    a.cycle = m.core[m.thread[t].core].cycles


@kernel
def touch(m, n, t, va, what):
    """Compare the access with the history of cell `n`, then make it part of that."""
    cell, kind = m.race_cell[n], what >> P.KIND_SHIFT
    write = P.WRITES >> (kind & P.ORDERED - 1) & 1
    if kind & P.ORDERED == 0 and not write and cell.read.clock == m.race_clock[t, t] and cell.read.thread == t:
        return  # the same thread again, nothing released since
    if cell.write.clock > m.race_clock[t, cell.write.thread]:
        report(m, n, t, va, what, cell.write.thread)
    elif write:
        check_reads(m, n, t, va, what)
    if kind & P.ORDERED:
        note_ordered(m, cell, t, write)
        return
    if cell.ordered_row:
        stranger = knows_row(m, t, cell.ordered_row if write else cell.ordered_row + 1)
        if stranger >= 0:
            report_ordered(m, n, t, va, what, stranger)
    if write:
        note(m, cell.write, t, va, what)
        cell.read.clock = cell.read_row = 0
    else:
        note_read(m, cell, t, va, what)


@kernel
def check_reads(m, n, t, va, what):
    cell = m.race_cell[n]
    stranger = -1
    if cell.read_row:
        stranger = knows_row(m, t, cell.read_row)
    elif cell.read.clock > m.race_clock[t, cell.read.thread]:
        stranger = np.int64(cell.read.thread)
    if stranger >= 0:
        report(m, n, t, va, what, stranger)


@kernel
def note_read(m, cell, t, va, what):
    """A plain read: the only one to remember, or one of several concurrent ones."""
    if cell.read_row == 0 and cell.read.clock > m.race_clock[t, cell.read.thread]:
        row = new_row(m, 1)
        if row:
            m.race_row[row, cell.read.thread] = cell.read.clock
            cell.read_row = row
    if cell.read_row:
        m.race_row[cell.read_row, t] = m.race_clock[t, t]
    note(m, cell.read, t, va, what)


@kernel
def note_ordered(m, cell, t, write):
    if cell.ordered_row == 0:
        cell.ordered_row = new_row(m, 2)
    if cell.ordered_row:
        m.race_row[cell.ordered_row, t] = m.race_clock[t, t]
        if write:
            m.race_row[cell.ordered_row + 1, t] = m.race_clock[t, t]


@cold
def report(m, n, t, va, what, other):
    """A race with a plain access of thread `other`."""
    cell = m.race_cell[n]
    wrote = cell.write.clock > m.race_clock[t, cell.write.thread]
    i = new_race(m, n, t, va, what, PLAIN_WRITE if wrote else PLAIN_READ)
    if i >= 0:
        copy_access(cell.write if wrote else cell.read, m.race[i].before)
        if m.race[i].before.thread != other:
            clock_only(m, n, m.race[i].before, other, P.LOAD)


@cold
def report_ordered(m, n, t, va, what, other):
    """A race with an ordered access of thread `other`."""
    wrote = m.race_row[m.race_cell[n].ordered_row + 1, other] > m.race_clock[t, other]
    i = new_race(m, n, t, va, what, ORDERED_WRITE if wrote else ORDERED_READ)
    if i >= 0:
        clock_only(m, n, m.race[i].before, other, P.ORDERED | (P.STORE if wrote else P.LOAD))


@kernel
def clock_only(m, n, access, other, kind):
    """A record for an access whose clock alone is known."""
    access.va = (m.race_cell[n].key & (1 << PROCESS_SHIFT - WORD_SHIFT) - 1) << WORD_SHIFT
    access.width, access.cycle = 0, -1
    access.thread, access.core, access.kind = other, m.thread[other].core, kind


@kernel
def new_race(m, n, t, va, what, before):
    """Number of a new race in the log, its later access filled in; -1: the cell has reported its like, or the log is full."""
    cell, kind = m.race_cell[n], what >> P.KIND_SHIFT
    like = 1 << 4 * (P.WRITES >> (kind & P.ORDERED - 1) & 1) + before
    if cell.reported & like:
        return -1
    cell.reported |= like
    m.observe.race_count += 1
    if m.observe.race_count > RACE_LOG:
        return -1
    note(m, m.race[m.observe.race_count - 1].now, t, va, what)
    return m.observe.race_count - 1

"""Which threads contend for which line: what `perf c2c` samples, counted.

door.py calls `begin_contention` when a core's copy of a line was taken away, and `count_access` with every access
of a thread. A line is contended from the first coherence event that concerns it: an access that finds it modified
in another core (HITM), or the loss of a copy to another core. Its accesses are counted in cells, one for each
offset and thread:

    m.cell[n]   line, slot, use, offset, thread     the key; m.cell_index is the hash table that finds it
                read, wrote                         masks of the bytes touched: what decides between true and false sharing
                served[kind, source]                accesses: loads and atomics, stores, by where they were served from
                atomics                             how many of the first kind are atomics
                cycles[3]                           of HITMs in the socket, HITMs of another one, other loads and atomics

Before its first event a line costs one look-up, and of its accesses only which bytes its last writer wrote is kept: they classify the first
HITM. When the kernel clears a line's page for another owner, a new `use` of the line begins (forget_use), so that two owners of one frame
are kept apart.

Bounded: cells beyond layout.CELLS are counted in m.observe.c2c_dropped. c2c.py makes the tables.
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import cold, kernel
from hwmem.bits import bit, ctz64
from hwmem.layout import CELL_SLOTS, CELLS

NOTHING = np.uint64(0)
QUIET, CALLED, CONTENDED = range(3)  # CALLED: by an event, since when no thread has come
A_LOAD, A_STORE, AN_ATOMIC = range(3)
READS, WRITES = range(2)  # rows of `served`
HITM_HERE, HITM_REMOTE, OTHER_LOADS = range(3)


@kernel
def begin_contention(m, i):
    w = m.watched[i]
    if w.contended == QUIET:
        w.contended = CALLED


@kernel
def count_access(m, i, t, offset, touched, kind):
    """Thread `t` touched the bytes `touched`, from `offset` on, of line record `i` (-1: none)."""
    source = m.core[m.observe.core].source
    hitm = source == P.FROM_HITM or source == P.FROM_REMOTE_HITM
    if i < 0:
        m.observe.c2c_dropped += hitm
        return
    what = AN_ATOMIC if kind == P.ATOMIC else A_STORE if kind == P.STORE or kind == P.PHANTOM_STORE else A_LOAD
    w = m.watched[i]
    if w.contended != CONTENDED:
        if w.contended == QUIET and not hitm:
            if what != A_LOAD:
                note_writer(m, w, t, touched)
            return
        enter(m, i)
    n = cell_of(m, i, t, offset, m.observe.va)
    if n >= 0:
        fill(m, n, touched, what, source)


@kernel
def fill(m, n, touched, what, source):
    cell = m.cell[n]
    cell.cores |= bit(m.observe.core)
    if what != A_STORE:
        cell.read |= touched
    if what != A_LOAD:
        cell.wrote |= touched
    cell.served[WRITES if what == A_STORE else READS, source] += 1
    if what == AN_ATOMIC:
        cell.atomics += 1
    if source == P.FROM_HITM:
        cell.cycles[HITM_HERE] += m.observe.cycles
    elif source == P.FROM_REMOTE_HITM:
        cell.cycles[HITM_REMOTE] += m.observe.cycles
    elif what != A_STORE:
        cell.cycles[OTHER_LOADS] += m.observe.cycles


@kernel
def note_writer(m, w, t, touched):
    """For a line not yet contended: its last writer, and the bytes it wrote since another thread did."""
    if w.writer != t + 1:
        w.writer = t + 1
        w.wrote = NOTHING
        w.va = m.observe.va & ~(P.LINE - 1)
    w.wrote |= touched


@cold
def enter(m, i):
    """The line is contended from now on; its previous writer gets a cell without accesses."""
    w = m.watched[i]
    w.contended = CONTENDED
    if w.writer > 0:
        t, offset = w.writer - 1, ctz64(w.wrote)
        n = cell_of(m, i, t, offset, w.va + offset)
        if n >= 0:
            m.cell[n].wrote |= w.wrote
            m.cell[n].cores |= bit(m.thread[t].core)


@kernel
def forget_use(m, i):
    w = m.watched[i]
    if w.writer > 0 or w.contended == CONTENDED:
        w.use += 1
        w.writer = 0
        w.contended = QUIET


@kernel
def cell_of(m, i, t, offset, va):
    """Number of the cell of (line record, its use, thread, offset), new if need be; -1: no room."""
    use = m.watched[i].use
    h = i * 40503 + use * 7919 + t * 613 + offset * 2971 & CELL_SLOTS - 1
    while m.cell_index[h] != 0:
        n = m.cell_index[h] - 1
        cell = m.cell[n]
        if cell.slot == i and cell.thread == t and cell.offset == offset and cell.use == use:
            return n
        h = h + 1 & CELL_SLOTS - 1
    return new_cell(m, h, i, t, offset, va)


@cold
def new_cell(m, h, i, t, offset, va):
    n = m.observe.cells
    if n == CELLS:
        m.observe.c2c_dropped += 1
        return -1
    m.observe.cells += 1
    m.cell_index[h] = n + 1
    cell = m.cell[n]
    cell.line, cell.va, cell.slot, cell.use = m.watched[i].line, va, i, m.watched[i].use
    cell.thread, cell.process, cell.offset = t, m.thread[t].process, offset
    return n

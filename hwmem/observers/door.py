"""The observers' door: what the hooks report, handed to those observers that are switched on.

    hooks ──> observe_door ──> watched.py      the line's record, looked up once
                               ├─ sharing.py   why did this miss happen?       m.observe.classify
                               └─ contended.py who meets whom on this line?    m.observe.c2c

Cost: a look-up in a hash table and some masks, about 20 ns an access, 40 ns on a contended line.
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import DOORS, kernel
from hwmem.bits import ONE
from hwmem.observers.contended import begin_contention, count_access, forget_use
from hwmem.observers.sharing import classify, lifetime_ends, recalled
from hwmem.observers.watched import find_or_add, find_watched

WRITES = 1 << P.STORE | 1 << P.ATOMIC | 1 << P.PHANTOM_STORE | 1 << P.PHYSICAL_STORE
HITM = 1 << P.FROM_HITM | 1 << P.FROM_REMOTE_HITM


@DOORS.door(P.DOOR_OBSERVE)
def observe_door(m, t, line, where, kind):
    if not m.observe.classify and not m.observe.c2c:
        return 0
    if kind >= P.COPY_LOST:
        copy_gone(m, t, line, kind)
    else:
        accessed(m, t, line, where & P.SIZE_MASK, where >> P.KIND_SHIFT, kind)
    return 0


@kernel
def copy_gone(m, d, line, kind):
    """Core `d` has no copy of `line` any more."""
    i = find_or_add(m, line)
    if i < 0:
        return
    if kind == P.COPY_RECALLED:
        recalled(m, i, d)
        return
    if m.observe.classify:
        lifetime_ends(m, i, d)
    if m.observe.c2c:
        begin_contention(m, i)


@kernel
def accessed(m, t, line, offset, size, kind):
    o = m.observe
    write = 1 if WRITES >> kind & 1 else 0
    hitm = 1 if HITM >> m.core[o.core].source & 1 else 0
    i = find_or_add(m, line) if o.classify or write or hitm else find_watched(m, line)
    touched = byte_mask(offset, size)
    if o.classify:
        classify(m, i, o.core, touched, write)
    if o.c2c:
        if t >= 0:
            count_access(m, i, t, offset, touched, kind)
        elif size == P.LINE and i >= 0:
            forget_use(m, i)


@kernel
def byte_mask(offset, size):
    """A bit a byte of [offset, offset + size) of a line."""
    ones = (ONE << np.uint64(size)) - ONE if size < P.LINE else ~np.uint64(0)
    return ones << np.uint64(offset)

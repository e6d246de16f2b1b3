"""Lines that observers follow: a bounded hash table keyed by physical line.

door.py looks a line up once an access; sharing.py and contended.py keep what they know of it in its record
(layout.WATCHED). The hash is the line number's low bits, so that neighbours in memory are neighbours here and
a small workload touches little of the table; collisions go to the next slot, PROBES at most. A record belongs
to the observation whose `epoch` it bears: starting another one empties the table at no cost.

Invariant: a line that found no room once finds none until the next start, so what is not followed is not
followed from the beginning.
"""

from hwmem._jit import kernel
from hwmem.layout import WATCHED_SLOTS

PROBES = 64
SLOT_BITS = WATCHED_SLOTS.bit_length() - 1


@kernel
def find_watched(m, line):
    """Number of the record of `line`, or -1."""
    epoch = m.observe.epoch
    i = first_slot(line)
    for _ in range(PROBES):
        if m.watched[i].epoch != epoch:
            return -1
        if m.watched[i].line == line:
            return i
        i = i + 1 & WATCHED_SLOTS - 1
    return -1


@kernel
def find_or_add(m, line):
    """The same; a line met for the first time gets a record, -1 if there is no room."""
    epoch = m.observe.epoch
    i = first_slot(line)
    for _ in range(PROBES):
        w = m.watched[i]
        if w.epoch != epoch:
            w.epoch, w.line, w.va = epoch, line, 0
            w.held = w.lost = w.pending = w.wrote = 0
            w.row = w.use = w.writer = w.contended = 0
            return i
        if w.line == line:
            return i
        i = i + 1 & WATCHED_SLOTS - 1
    return -1


@kernel
def first_slot(line):
    return (line ^ line >> SLOT_BITS) & WATCHED_SLOTS - 1

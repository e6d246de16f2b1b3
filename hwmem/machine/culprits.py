"""What makes shared lines move: misses and HITMs of each line that threads share, charged to instruction and thread; and a check that every
load reads what it read in the recording.

    an access that missed ── its line shared? ── a row of (line, instruction, thread) gets it
    any access            ── its line shared? ── the digest of what its thread reads (trace/order.py) goes on

`is_shared` is a filter of 2^15 bytes, then a hash table; a negative answer, the common one, costs one load of the host.
"""

import numpy as np

from hwmem._jit import cold, hot, kernel
from hwmem.bits import hashed
from hwmem.layout.rules import record
from hwmem.machine.records import (
    FILTER_BITS,
    GRANULE_SHIFT,
    find_word,
    parts,
    put_word,
    seen,
    store_number,
    word,
    writes,
)
from hwmem.observers.door import byte_mask
from hwmem.params import LINE, LINE_SHIFT

ROWS, SLOTS = 1 << 16, 1 << 17
FAR, TRIES = 2048, 1000  # records that the search for a caller goes back; misses after which none is expected
ROW = record("line", "instruction", "thread", "misses", "hitms", "caller", ("touched", "u8"))
CULPRITS = record("rows", "dropped", "program_start", "program_end", ("index", "i4", SLOTS), ("row", ROW, ROWS))


def new_culprits(program):
    """A table without rows. `program`: (start, end) of the program's own instructions, (0, 0) where they are not known."""
    culprits = np.zeros(1, CULPRITS).view(np.recarray)[0]
    culprits.program_start, culprits.program_end = program
    return culprits


@hot
def is_shared(w, va):
    """Whether threads share the line of `va`."""
    line = va >> LINE_SHIFT
    return w.bits[hashed(line, 1 << FILTER_BITS)] != 0 and find_word(w.lines, w.lines_size, line)[0]


@cold
def note_culprit(w, culprits, places, thread, at):
    """The last access, record `at` in the buffers, missed with what `places` says."""
    _, va, size = parts(word(w.what, at))
    n = row_of(culprits, va >> LINE_SHIFT, word(w.pcs, at), thread)
    if n < 0:
        culprits.dropped += places.misses
        return
    row = culprits.row[n]
    row.misses += places.misses
    row.hitms += places.hitms
    row.touched |= byte_mask(va & LINE - 1, min(size, LINE - (va & LINE - 1)))
    if row.caller == 0 and culprits.program_end and row.misses < TRIES:
        row.caller = caller(w, culprits, at)


@kernel
def caller(w, culprits, at):
    """The last instruction of the program's own up to record `at`; 0: none for long."""
    for i in range(at, max(at - FAR, -1), -1):
        pc = word(w.pcs, i)
        if culprits.program_start <= pc < culprits.program_end:
            return pc
    return 0


@kernel
def row_of(culprits, line, instruction, thread):
    """The row of a key, new if need be; -1: no room."""
    slot = hashed(line * 31 + instruction * 1031 + thread * 7, SLOTS)
    while culprits.index[slot] != 0:
        row = culprits.row[culprits.index[slot] - 1]
        if row.line == line and row.instruction == instruction and row.thread == thread:
            return np.int64(culprits.index[slot] - 1)
        slot = slot + 1 & SLOTS - 1
    if culprits.rows == ROWS:
        return -1
    culprits.rows += 1
    culprits.index[slot] = culprits.rows
    row = culprits.row[culprits.rows - 1]
    row.line, row.instruction, row.thread = line, instruction, thread
    return culprits.rows - 1


@kernel
def see(w, digest, what, thread, pos):
    """The digest of strand `thread` after its record `pos`, `what`, an access to a shared line."""
    kind, address, size = parts(what)
    granule = address >> GRANULE_SHIFT
    while granule <= address + size - 1 >> GRANULE_SHIFT:
        there, place = find_word(w.granules, w.granules_size, granule)
        if there:
            slot = word(w.slots, place)
            digest = seen(digest, slot, kind, word(w.state, slot))
            if writes(kind):
                put_word(w.state, slot, store_number(thread, pos))
        granule += 1
    return digest

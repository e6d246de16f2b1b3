"""The object model that all collectors here share, and where a heap's own variables lie. All of it is emulated memory.

    x ─> header | reference 0 ... reference refs-1 | data ...          8 bytes each; x is a multiple of 8

A header is odd, an address is even: in a header's place may stand the object's new address (semispace.py), or a chain of slots
(threaded.py).

    | count 28 | words 16 | refs 12 | flags 8 |     words: the whole object with its header, two at least
     63      36 35      20 19      8 7       0      count: of references, where they are counted
                                                    a free block: words 44 (63..20), FREE set

A heap's variables lie at the address in its process's register HEAP, each 8 bytes. The roots: GLOBALS references of the program's, then a
shadow stack a thread, whose top is a register of the thread. No collector looks for references anywhere else, so a kernel that keeps an
address in a variable across an allocation or a collection may find another object there, or none.
Source: Jones, Hosking, Moss, The Garbage Collection Handbook (2nd ed., 2023), 1.7 (terms), 7.8 (headers), 11.2 (roots).
"""

from hwmem._jit import cold, kernel
from hwmem.core.service import clock_moved, drain_all
from hwmem.memory.ram import poke64
from goalloc import params as P
from goalloc.base.lock import lock, unlock
from goalloc.errors import HEAP_EXHAUSTED, OBJECT_SIZE, throw
from goalloc.words import get64, put64

# Flags
HEADER, MARK, KEPT, FREE = 1, 2, 4, 8  # KEPT: is in one of the collector's tables
REFS_SHIFT, WORDS_SHIFT, COUNT_SHIFT = 8, 20, 36
MAX_REFS, MAX_WORDS = (1 << 12) - 1, (1 << 16) - 2
ONE_MORE = 1 << COUNT_SHIFT  # a reference more, added to a header
WORD = 8

# The heap's variables, as offsets: its range; where the next object goes, and how far it may; the other half, or where old objects end; the mark
# stack; a table of the collector's, its top, its end; the roots and the globals' end; words before an object; where the nursery begins; where
# objects begin (a byte a card); bit b: bin b has blocks, or the nursery after the last whole collection; the nursery, or table, at most
(START, END, TOP, LIMIT, OTHER, MARKS, TABLE, TABLE_TOP, TABLE_END, ROOTS, ROOTS_END, PREFIX, NURSERY, MAP, HAVE, LARGEST) = range(
    0, 8 * 16, 8
)
BINS = 8 * 16
LONG = 63  # the bin of long blocks (freelist.py)
LOCK = BINS + 8 * (LONG + 1)  # on a line of its own
VARIABLES = LOCK + 64  # bytes
GLOBALS = 64
STACK_BYTES = 64 << 10  # of a thread

# Operations of a collector's door: (a, b, c). NEW: references, words of data; STORE: object, value, with a = STORE | slot << OPERATION_SHIFT;
# ROOT: slot, value
NEW, STORE, ROOT, COLLECT = range(4)
OPERATION_SHIFT = 8
OPERATION_MASK = (1 << OPERATION_SHIFT) - 1

# HEAP_BARRIERS: which stores go through the door, of references into objects, into roots; and variants of collectors: counts.py's, generational.py's, shading.py's
FIELDS, SLOTS, ATOMIC, DEFERRED, TRACED, CARDS, SHADE_NEW, SHADE_OLD, LOCKED = (1 << bit for bit in range(9))

PAUSE_CAPACITY = 1 << 16


@kernel
def guest(m, t):
    """The registers of a thread's process."""
    return m.process[m.thread[t].process].guest


@kernel
def refs_of(header):
    return header >> REFS_SHIFT & MAX_REFS


@kernel
def words_of(header):
    return header >> WORDS_SHIFT if header & FREE else header >> WORDS_SHIFT & 0xFFFF


@kernel
def header_of(refs, words):
    return HEADER | refs << REFS_SHIFT | words << WORDS_SHIFT


@cold
def clear(m, t, x, refs, words):
    """A new object at x: its header, and zeros."""
    put64(m, t, x, header_of(refs, words))
    for at in range(x + WORD, x + WORD * words, WORD):
        put64(m, t, at, 0)
    registers = guest(m, t)
    registers[P.OBJECTS] += 1
    registers[P.BYTES] += WORD * words


@cold
def is_object(m, t, refs, data):
    """Whether there may be such an object; the thread ends if not."""
    if 0 <= refs <= MAX_REFS and 0 <= data and 1 <= refs + data < MAX_WORDS:
        return True
    throw(m, t, OBJECT_SIZE, refs, refs + data + 1)
    return False


@cold
def exhausted(m, t, h, words):
    """The thread ends: there is no room for an object of so many words. Returns 0."""
    throw(m, t, HEAP_EXHAUSTED, WORD * words, get64(m, t, h + END) - get64(m, t, h + START))
    return 0


@kernel
def first_root(m, t, h, k):
    """Where the k-th stretch of roots begins: 0: the globals; k: the shadow stack of thread k - 1."""
    if k == 0:
        return get64(m, t, h + ROOTS)
    if m.thread[k - 1].process != m.thread[t].process:
        return 0
    return m.thread[k - 1].guest[P.STACK_BASE]


@kernel
def end_of_roots(m, t, h, k):
    """Where it ends."""
    if k == 0:
        return get64(m, t, h + ROOTS_END)
    if m.thread[k - 1].process != m.thread[t].process:
        return 0
    return m.thread[k - 1].guest[P.STACK_TOP]


@kernel
def stretches(m):
    """How many stretches of roots there may be."""
    return m.threads + 1


@kernel
def enter(m, t, h):
    """What several threads share is the caller's until it leaves."""
    if guest(m, t)[P.HEAP_BARRIERS] & LOCKED:
        lock(m, t, h + LOCK)


@kernel
def leave(m, t, h):
    if guest(m, t)[P.HEAP_BARRIERS] & LOCKED:
        unlock(m, t, h + LOCK)


@cold
def begin_pause(m, t):
    """The world stands still from now on, and what it has stored is in memory: the cycle."""
    guest(m, t)[P.COLLECTIONS] += 1
    core = m.core[m.thread[t].core]
    for c in range(m.cores):
        if runs(m, t, c):
            drain_all(m, c)
            clock_moved(m, c)
            core.cycles = max(core.cycles, m.core[c].cycles)
    return core.cycles


@cold
def end_pause(m, t, start):
    """The others go on where the collector's clock is; the pause is noted."""
    end = m.core[m.thread[t].core].cycles
    for c in range(m.cores):
        if runs(m, t, c):
            m.core[c].cycles = max(m.core[c].cycles, end)
            clock_moved(m, c)
    guest(m, t)[P.COLLECTOR_CYCLES] += end - start
    note_pause(m, t, start)


@kernel
def begin_tracing(m, t):
    """begin_pause: (the cycle, how many objects have ever been traced)."""
    return begin_pause(m, t), guest(m, t)[P.TRACED]


@kernel
def end_tracing(m, t, start, before):
    """All that lives has been traced since, and the rest is freed: end_pause. What a door answers."""
    registers = guest(m, t)
    registers[P.FREED] = registers[P.OBJECTS] - (registers[P.TRACED] - before)
    end_pause(m, t, start)
    return 1


@cold
def note_pause(m, t, start):
    """It ends now. Into the log, which is the host's."""
    registers = guest(m, t)
    if registers[P.PAUSES] and registers[P.PAUSE_ROWS] < PAUSE_CAPACITY:
        row = registers[P.PAUSES] + 16 * registers[P.PAUSE_ROWS]
        poke64(row, start)
        poke64(row + 8, m.core[m.thread[t].core].cycles)
    registers[P.PAUSE_ROWS] += 1


@kernel
def runs(m, t, c):
    """Whether core `c` is another than the thread's and runs a thread of its process."""
    current = m.core[c].current
    return c != m.thread[t].core and current > 0 and m.thread[current - 1].process == m.thread[t].process

"""Early loads: which of them a search has to try (relaxed; the rule itself is the machine's, cache/invalidations.py).

A thread may read a location early at any moment since its last acquire or fence. Of all moments only one matters for each
value: just before another thread changes it. Earlier it is the same, and a load that comes before the change need not
be early. So after an early read nothing else happens than further ones of the same location, by threads in their order,
until one of the others changes it; `pending` in a row (encode.py) remembers that.

    P1 reads x early ── P2 reads x early ── x=1 leaves P0's buffer

An early read is of use if a plain load of the location lies ahead with nothing before it that orders loads, no store of
the thread's own to it waits or comes first, and there are more such loads than early reads of the location already
(x.loads_ahead): a load sees the oldest of them, and may be the last to do so. That is an action of its own.
"""

from hwmem._jit import kernel
from hwmem.litmus import test as T
from hwmem.litmus.alu import low, taken
from hwmem.litmus.encode import ENTRY, NONE, PENDING_SHIFT, SIZE_MASK, STATE
from hwmem.litmus.state import buffer_at, location_of, reads_of, register_at


@kernel
def find_changers(x, table, n):
    """x.may_change: of each location, a bit a thread that can change it in the state of row `n`, by a drain or an atomic.
    x.may_drain is known."""
    for location in range(x.locations):
        x.may_change[location] = 0
    for c in range(x.threads):
        at = buffer_at(x, c)
        for k in range(table[n, at]):
            location, size = table[n, at + 2 + ENTRY * k], table[n, at + 4 + ENTRY * k] >> 1 & SIZE_MASK
            if x.may_drain[c] >> k & 1 and low(table[n, at + 3 + ENTRY * k] ^ table[n, x.memory_at + location], size) != 0:
                x.may_change[location] |= 1 << c
        location = atomic_next(x, table, n, c)
        if location >= 0:
            x.may_change[location] |= 1 << c


@kernel
def atomic_next(x, table, n, c):
    """The location of thread `c`'s next step if that is an atomic, else -1."""
    pc = table[n, STATE + c]
    if pc < x.steps[c] and (x.code[c, pc].operation == T.ATOMIC or x.code[c, pc].operation == T.COMPARE_EXCHANGE):
        return location_of(x, table, n, c, x.code[c, pc])
    return -1


@kernel
def may_read_early(x, table, n, c, location):
    """Whether it is of use that thread `c` reads the location now."""
    pending = table[n, x.early_at]
    readers = pending & (1 << PENDING_SHIFT) - 1
    if pending and (pending >> PENDING_SHIFT != location + 1 or readers >> c):
        return False
    if reads_of(x, table, n, c, location) >= x.loads_ahead[c, table[n, STATE + c], location]:
        return False
    return x.may_change[location] & ~(readers | 1 << c) != 0 and not waits_in_buffer(x, table, n, c, location)


@kernel
def waits_in_buffer(x, table, n, c, location):
    """Whether a store of thread `c`'s own to the location waits."""
    at = buffer_at(x, c)
    for k in range(table[n, at]):
        if table[n, at + 2 + ENTRY * k] == location:
            return True
    return False


@kernel
def waits_for_bytes(x, table, n, c, location, size):
    """Whether the youngest store of thread `c`'s own to the location that waits has only some of a load's bytes: the load comes
    when it has left."""
    at = buffer_at(x, c)
    for k in range(table[n, at] - 1, -1, -1):
        if table[n, at + 2 + ENTRY * k] == location:
            return table[n, at + 4 + ENTRY * k] >> 1 & SIZE_MASK < size
    return False


@kernel
def note_reader(x, table, n, c, location):
    """Row `n`: thread `c` has read the location early, and another thread is about to change it."""
    table[n, x.early_at] = location + 1 << PENDING_SHIFT | table[n, x.early_at] & (1 << PENDING_SHIFT) - 1 | 1 << c


@kernel
def is_awaited(x, table, n, c, location):
    """Whether thread `c` may change `location` (-1: it changes none that could be awaited) in the state of row `n`."""
    pending = table[n, x.early_at] if x.reads else 0
    return pending == 0 or (pending >> PENDING_SHIFT == location + 1 and pending >> c & 1 == 0)


@kernel
def may_step(x, table, n, c, ends):
    """Whether thread `c`'s next step is to be tried; `ends` (0/1): as a load that is the last to see its early read."""
    pc = table[n, STATE + c]
    if pc == x.steps[c] or not is_awaited(x, table, n, c, atomic_next(x, table, n, c)):
        return False
    code = x.code[c, pc]
    if code.operation == T.JUMP and code.goto == NONE and taken(code.condition, table[n, register_at(x, c, code.flag_register)]):
        return False
    location = location_of(x, table, n, c, code)
    if (code.operation == T.LOAD or code.operation == T.LOAD_ACQUIRE) and waits_for_bytes(x, table, n, c, location, code.bytes):
        return False
    if x.reads == 0 or code.operation != T.LOAD or location < 0:
        return ends == 0
    reads, ahead = reads_of(x, table, n, c, location), x.loads_ahead[c, pc + 1, location]
    if ends:
        return reads > 0 and ahead > 0
    return ahead == 0 or reads <= ahead

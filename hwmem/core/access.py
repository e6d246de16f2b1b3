"""Loads, stores and atomics: what every front end calls, and nothing else reaches memory.

    load64(m, t, va) ── hit filter ──> bytes          inlined, a few dozen instructions (cache/hit_filter.py)
                   ├── behind ──> bytes               a load or a store that only waiting stores concern (behind.py), one call
                   ├── near ──> bytes                 a load that hits the first-level TLB and the L1 (near.py), one call
                   └── memory door ──> all the rest   (memory_door.py)

`m` is the machine, `t` the thread. A bad access ends the thread with a signal (linux/fault.py) and reads 0.
"""

from hwmem import params as P
from hwmem._jit import apart, call_door, hot, kernel
from hwmem.cache.hit_filter import NOT_KNOWN, hot_host, is_hot, is_line_hot
from hwmem.core.behind import load_behind, store_behind
from hwmem.core.in_flight import is_last, may_meet, meet_stores, retire, word_of, words_of
from hwmem.core.near import near
from hwmem.memory.ram import peek8, peek16, peek32, peek64, poke8, poke16, poke32, poke64


@hot
def load(m, t, va, size):
    """`size` (1, 2, 4, 8) bytes at `va`, zero-extended below 8, as int64."""
    core = m.core[m.thread[t].core]
    if is_known(core, va, size, 0):
        return load_known(m, core, va, size)
    return load_else(m, t, core, va, size) if is_width(size) else no_width(m, t, va, P.LOAD)


@hot
def load_known(m, core, va, size):
    """A load that is_known."""
    if may_meet(core, va):
        return load_meeting(m, core, va, size)
    core.loads += 1
    core.cycles += core.hit_cycles
    return peek_sized(hot_host(core, va), size)


@apart
def load_else(m, t, core, va, size):
    """A load that the hit filter does not answer, or that is not aligned."""
    if va & size - 1 or core.plain == 0 and core.sb_count != 0:
        return load_far(m, t, core, va, size)
    if core.plain != 0 and not may_meet(core, va):
        host = near(m, core, va)
        if host != NOT_KNOWN:
            return peek_sized(host, size)
    return call_door(m, P.DOOR_MEMORY, t, va, size & P.SIZE_MASK | P.LOAD << P.KIND_SHIFT, 0)


@apart
def load_far(m, t, core, va, size):
    """load_else, of a load that is not aligned, or that stores wait before."""
    if va & size - 1 and is_hot(core, va, size, 0):
        return load_meeting(m, core, va, size)
    if core.plain == 0:
        done, value = load_behind(m, core, va, size)
        if done:
            return value
    return call_door(m, P.DOOR_MEMORY, t, va, size & P.SIZE_MASK | P.LOAD << P.KIND_SHIFT, 0)


@apart
def load_meeting(m, core, va, size):
    """A load that the hit filter answers, and that may meet a store in flight: most often the last one, as in x += 1."""
    now, host = core.cycles, hot_host(core, va)
    if core.sb_free_at > now and is_last(core, host, size, now):
        core.loads += 1
        core.forwards_in_flight += 1
        core.cycles = now + core.forward_cycles
        return peek_sized(host, size)
    return load_meeting_another(m, core, va, size)


@apart
def load_meeting_another(m, core, va, size):
    """load_meeting, of a load that does not read just what has been stored last."""
    core.loads += 1
    now, host = core.cycles, hot_host(core, va)
    core.cycles = now + core.hit_cycles
    if core.sb_free_at > now:
        core.cycles += meet_stores(m, core, host, size, now)
    return peek_sized(host, size)


@hot
def is_known(core, va, size, store):
    """Whether the access is of up to 8 bytes, aligned (so it stays within a word), and the hit filter lets it go ahead."""
    return is_width(size) and va & size - 1 == 0 and is_line_hot(core, va, store)


@hot
def is_width(size):
    """Whether there are loads and stores of so many bytes: 1, 2, 4 or 8. Of a number that the compiler knows, nothing is left of it."""
    return 0 < size <= 8 and size & size - 1 == 0


@apart
def no_width(m, t, va, kind):
    """An access of a width that there is not: the thread ends, as the door has it of one that is wider than a line."""
    return call_door(m, P.DOOR_MEMORY, t, va, P.SIZE_MASK | kind << P.KIND_SHIFT, 0)


@hot
def peek_sized(host, size):
    """The `size` (1, 2, 4, 8) bytes at a host address, zero-extended below 8, as int64."""
    if size == 8:
        return peek64(host)
    if size == 4:
        return peek32(host)
    if size == 2:
        return peek16(host)
    return peek8(host)


@hot
def store(m, t, va, size, value):
    """Write the low `size` (1, 2, 4, 8) bytes of `value` at `va`."""
    core = m.core[m.thread[t].core]
    if not is_known(core, va, size, 1):
        if is_width(size):
            store_else(m, t, core, va, size, value)
        else:
            no_width(m, t, va, P.STORE)
        return
    core.stores += 1
    host = hot_host(core, va)
    retire(core, host, size, word_of(va))
    poke_sized(host, size, value)


@apart
def store_else(m, t, core, va, size, value):
    """A store that the hit filter does not let go ahead, or that is not aligned."""
    if va & size - 1 and is_hot(core, va, size, 1):
        store_unaligned(core, va, size, value)
    elif core.sb_count == 0 or not store_behind(m, t, core, va, size, value):
        call_door(m, P.DOOR_MEMORY, t, va, size & P.SIZE_MASK | P.STORE << P.KIND_SHIFT, value)


@apart
def store_unaligned(core, va, size, value):
    """A store that is not aligned, and that the hit filter lets go ahead."""
    core.stores += 1
    host = hot_host(core, va)
    retire(core, host, size, words_of(host, size))
    poke_sized(host, size, value)


@hot
def poke_sized(host, size, value):
    """Write the low `size` (1, 2, 4, 8) bytes of `value` at a host address."""
    if size == 8:
        poke64(host, value)
    elif size == 4:
        poke32(host, value)
    elif size == 2:
        poke16(host, value)
    else:
        poke8(host, value)


@hot
def load64(m, t, va):
    """The 8 bytes at `va`, as int64."""
    return load(m, t, va, 8)


@hot
def load32(m, t, va):
    """The 4 bytes at `va`, zero-extended."""
    return load(m, t, va, 4)


@hot
def load8(m, t, va):
    """The byte at `va`, 0 to 255."""
    return load(m, t, va, 1)


@hot
def store64(m, t, va, value):
    """Write 8 bytes at `va`."""
    store(m, t, va, 8, value)


@hot
def store32(m, t, va, value):
    """Write the low 4 bytes of `value` at `va`."""
    store(m, t, va, 4, value)


@hot
def store8(m, t, va, value):
    """Write the low byte of `value` at `va`."""
    store(m, t, va, 1, value)


@kernel
def atomic_place(m, t, va, kind, expected):
    """Host address of an 8-byte word whose line this core now holds in M, its store buffer empty; -1 after a fault."""
    core = m.core[m.thread[t].core]
    if not is_hot(core, va, 8, 1) or core.sb_free_at > core.cycles:
        return call_door(m, P.DOOR_MEMORY, t, va, 8 | kind << P.KIND_SHIFT, expected)
    core.atomics += 1
    core.cycles += core.hit_cycles + m.cost.atomic
    return hot_host(core, va)


@kernel
def fetch_add64(m, t, va, delta):
    """Add to the word at `va` atomically; returns the old value. A full fence, as x86's locked instructions are."""
    host = atomic_place(m, t, va, P.ATOMIC, 0)
    if host < 0:
        return 0
    old = peek64(host)
    poke64(host, old + delta)
    return old


@kernel
def exchange64(m, t, va, value):
    """Put `value` at `va` atomically; returns the old value."""
    host = atomic_place(m, t, va, P.ATOMIC, 0)
    if host < 0:
        return 0
    old = peek64(host)
    poke64(host, value)
    return old


@kernel
def compare_exchange64(m, t, va, expected, value):
    """Put `value` at `va` if it holds `expected`, atomically; returns the old value (equal to `expected`: done)."""
    host = atomic_place(m, t, va, P.COMPARE, expected)
    if host < 0:
        return 0
    old = peek64(host)
    if old == expected:
        poke64(host, value)
    return old

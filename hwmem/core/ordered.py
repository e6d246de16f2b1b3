"""Loads and stores that say in which order others see them: acquire, release, non-temporal.

    load_acquire    nothing the thread does later comes before it, and it is never early itself: under relaxed the core's
                    invalidation queue is processed first (cache/invalidations.py), as by an lfence
    store_release   nothing the thread did before comes after it: the store begins a new group of the store buffer
    store_stream    past the caches, ordered only by sfence, mfence and atomics (x86: movnti)

Under sc and tso both are ordinary accesses. To the race detector acquire and release accesses are synchronisation (observers/hooks.py), as
a language's atomics are; it learns of them from observe.ordered, which nothing else reads.
"""

from hwmem import params as P
from hwmem._jit import call_door, kernel
from hwmem.cache.invalidations import process_all
from hwmem.core.access import is_width, load, store
from hwmem.core.ring import begin_group


@kernel
def load_acquire(m, t, va, size):
    """`size` (1, 2, 4, 8) bytes at `va`, before everything that the thread does later."""
    core = m.core[m.thread[t].core]
    if core.iq_count > 0:
        process_all(core)
    m.observe.ordered = 1
    value = load(m, t, va, size)
    m.observe.ordered = 0
    return value


@kernel
def store_release(m, t, va, size, value):
    """Write the low `size` bytes of `value` at `va`, after everything that the thread did before."""
    begin_group(m.core[m.thread[t].core])
    m.observe.ordered = 1
    store(m, t, va, size, value)
    m.observe.ordered = 0


@kernel
def store_stream(m, t, va, size, value):
    """Write the low `size` bytes of `value` at `va` past the caches (movnti)."""
    width = size if is_width(size) else P.SIZE_MASK
    call_door(m, P.DOOR_MEMORY, t, va, width | P.STREAM_STORE << P.KIND_SHIFT, value)


@kernel
def load_acquire64(m, t, va):
    """The 8 bytes at `va`, before everything that the thread does later."""
    return load_acquire(m, t, va, 8)


@kernel
def store_release64(m, t, va, value):
    """Write 8 bytes at `va`, after everything that the thread did before."""
    store_release(m, t, va, 8, value)


@kernel
def store_stream64(m, t, va, value):
    """Write 8 bytes at `va` past the caches (movnti)."""
    store_stream(m, t, va, 8, value)

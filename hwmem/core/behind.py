"""Accesses behind stores that wait, where these are all that the access depends on: they are tried here before the memory door is called.

    a load that one of them covers       its value                            in the same call that else goes to the door
    a store, where the buffer has room   joins them

So a program whose core waits for a line goes on at nearly the speed of hits. Any other access (a drain that is due, a page that the hit
filter does not know, a full buffer, an invalidation queued, the race detector on) reaches the door with nothing changed.
"""

from hwmem import params as P
from hwmem._jit import hot
from hwmem.cache.hit_filter import LAST, known_frame
from hwmem.core.ring import append, forward, forwards, goes_last, youngest_overlap


@hot
def place_behind(m, core, va, size, write):
    """Physical address of an access that may be performed while stores wait, and that faults for nothing; else -1."""
    if (
        core.sb_count == 0
        or core.sb_next <= core.cycles
        or core.iq_count > 0
        or m.observe.races
        or not m.mmu
        or (va & LAST) + size > P.LINE
    ):
        return -1
    frame = known_frame(core, va, write)
    return frame + (va & P.PAGE - 1) if frame >= 0 else -1


@hot
def load_behind(m, core, va, size):
    """Whether a waiting store alone has the bytes, and their value. If not, nothing has changed."""
    pa = place_behind(m, core, va, size, 0)
    if pa < 0:
        return False, 0
    slot = youngest_overlap(core, pa, size)
    if slot < 0 or not forwards(core, slot, pa, size):
        return False, 0
    core.slow_accesses += 1
    core.loads += 1
    core.dtlb.hits += 1
    return True, forward(core, slot, pa, size)


@hot
def store_behind(m, t, core, va, size, value):
    """Whether the store has joined those that wait. If not, nothing has changed."""
    pa = place_behind(m, core, va, size, 1)
    if pa < 0 or not goes_last(m, core):
        return False
    core.slow_accesses += 1
    core.stores += 1
    core.dtlb.hits += 1
    append(m, t, va, pa, size | P.STORE << P.KIND_SHIFT, value)
    return True

"""Fences: what they wait for, and what they cost when there is nothing to wait for.

    mfence    waits until the store buffer is empty, as every locked operation does (access.atomic_place)
    sfence    waits for nothing: later stores leave the buffer after earlier ones (a new group, store_buffer.py). That
              changes something only where stores could pass: under relaxed, and for non-temporal ones
    lfence    waits for nothing: later loads see at least what memory has now (cache/invalidations.py). That changes
              something only under relaxed: elsewhere loads are in order

All are counted; sfence and lfence cost a cycle.
"""

from hwmem._jit import kernel
from hwmem.cache.invalidations import process_all
from hwmem.core.service import drain_all
from hwmem.core.ring import begin_group


@kernel
def mfence(m, t):
    """Thread `t` goes on when all its stores are visible."""
    core = m.core[m.thread[t].core]
    core.fences += 1
    drain_all(m, core.id)
    core.cycles = max(core.cycles, core.sb_free_at)  # the last store is on its way
    core.cycles += m.cost.mfence
    process_all(core)


@kernel
def sfence(m, t):
    """Stores that thread `t` makes later become visible after those it has made."""
    core = m.core[m.thread[t].core]
    core.fences += 1
    core.cycles += 1
    begin_group(core)


@kernel
def lfence(m, t):
    """Loads that thread `t` makes later see at least what memory has now."""
    core = m.core[m.thread[t].core]
    core.fences += 1
    core.cycles += 1
    process_all(core)

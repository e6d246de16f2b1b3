"""What the scheduler and the operating system request from a core: through the memory door, so that they need not contain its code."""

from hwmem import params as P
from hwmem._jit import call_door, kernel
from hwmem.cache.invalidations import process_all


@kernel
def kernel_access(m, c, pa, size, write):
    """The kernel, on core `c`, reads or writes (`write` 0/1) `size` bytes at a physical address: one access per line; none in memory that
    existed before the run (linux/fault.py, VM_EXISTED)."""
    if m.mm.untold:
        return
    kind = P.PHYSICAL_STORE if write else P.PHYSICAL_LOAD
    call_door(m, P.DOOR_MEMORY, c, pa, size | kind << P.KIND_SHIFT, 0)


@kernel
def table_access(m, c, pa, size, write):
    """kernel_access, to page tables: past the caches if walks go there too (walker.path)."""
    if not m.tables_uncached:
        kernel_access(m, c, pa, size, write)
    elif not m.mm.untold:
        kind = P.TABLE_STORE if write else P.TABLE_LOAD
        call_door(m, P.DOOR_MEMORY, c, pa, size | kind << P.KIND_SHIFT, 0)


@kernel
def drain_due(m, c, now):
    """Stores of core `c` that are due at cycle `now` become visible."""
    if m.core[c].sb_count > 0:
        call_door(m, P.DOOR_MEMORY, c, now, P.DRAIN_DUE << P.KIND_SHIFT, 0)


@kernel
def drain_all(m, c):
    """All stores of core `c` become visible; its clock moves to the end of the last."""
    if m.core[c].sb_count > 0 or m.core[c].sb_free_at > m.core[c].cycles:
        call_door(m, P.DOOR_MEMORY, c, 0, P.DRAIN_ALL << P.KIND_SHIFT, 0)


@kernel
def membarrier(m, c):
    """What core `c` does so that all cores see what any has stored: stores leave every buffer, no line is held for early loads. (As
    membarrier(2) and the creation of a thread do.)"""
    for d in range(m.cores):
        drain_all(m, d)
        process_all(m.core[d])
        if d != c:
            clock_moved(m, d)


@kernel
def next_event(core):
    """When the core next does something that others may see: its next step, or a waiting store's drain."""
    if core.sb_count > 0:
        return min(core.cycles, core.sb_next)
    return core.cycles


@kernel
def clock_moved(m, c):
    """Tell the scheduler that the clock of core `c`, which has no step now, has advanced. If all its threads sleep, they still sleep until
    their time."""
    core = m.core[c]
    if m.key[c] == P.NEVER:
        return
    if core.current or core.queue_head:
        m.key[c] = next_event(core)
    else:
        m.key[c] = max(m.key[c], core.cycles)

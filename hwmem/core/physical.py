"""A core's accesses by physical address: the kernel's own; and what else the scheduler and Linux ask of a core.

They come through the memory door (service.py), so that none of its callers has to contain it. The page walker's
accesses do not come here: it stands beside the caches (mmu/walk.py).
"""

from hwmem import params as P
from hwmem._jit import apart, cold
from hwmem.cache.hit_filter import HIT
from hwmem.cache.invalidations import process_everywhere
from hwmem.cache.past import access_uncached, clear_uncached
from hwmem.cache.private import look_up, take_miss
from hwmem.cache.shares import close_share, open_share
from hwmem.core.store_buffer import drain_all, drain_due, drain_entry
from hwmem.observers.hooks import physical_seen


@cold
def serve(m, c, pa, size, kind):
    """What the scheduler and the operating system ask of core `c`."""
    if kind == P.DRAIN_DUE:
        drain_due(m, c, pa)
    elif kind == P.DRAIN_ALL:
        drain_all(m, c)
    elif kind == P.DRAIN_ENTRY:
        drain_entry(m, c, pa)
    elif kind == P.TABLE_LOAD or kind == P.TABLE_STORE:
        table_accesses(m, c, pa, size, 1 if kind == P.TABLE_STORE else 0)
    else:
        physical_accesses(m, c, pa, size, 1 if kind == P.PHYSICAL_STORE else 0)
    return 0


@cold
def table_accesses(m, c, pa, size, write):
    """The kernel's access to page tables that are not cached; a whole page is a new table, which is cleared."""
    core = m.core[c]
    for line in range(pa >> P.LINE_SHIFT, (pa + size - 1 >> P.LINE_SHIFT) + 1):
        core.kernel_accesses += 1
        if size == P.PAGE:
            clear_uncached(m, c, line, core.kernel)
        else:
            access_uncached(m, c, line, write, core.kernel)


@apart
def physical_accesses(m, c, pa, size, write):
    """The kernel's access to [pa, pa + size), line by line. Lines that it overwrites whole need not be fetched."""
    core, missed = m.core[c], False
    for line_pa in range(pa, pa + size, P.LINE):
        core.kernel_accesses += 1
        core.overwrites = 1 if write and line_pa & P.LINE - 1 == 0 and pa + size - line_pa >= P.LINE else 0
        line = line_pa >> P.LINE_SHIFT
        row, i = look_up(m, c, line, write)
        if i != HIT:
            if not missed:
                open_share(core)
                missed = True
            take_miss(m, c, row, line, write, i)
            core.kernel.served[core.source] += 1
        if m.observe.watching:
            physical_seen(m, c, line_pa, min(P.LINE, pa + size - line_pa), write)
    core.overwrites = 0
    if missed:
        close_share(core, core.kernel)
    if write and m.cost.early > 0:
        process_everywhere(m, pa, size)

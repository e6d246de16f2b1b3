"""From virtual to physical: TLBs, then a walk, then a trap.

The memory door calls `translate`; a fault goes to the operating system through a door of its own, as on a processor through the interrupt
table, and the access is retried when the handler says so.
"""

from hwmem import params as P
from hwmem._jit import call_door, cold, hot
from hwmem.cache.hit_filter import forget_page
from hwmem.cache.sets import row_of
from hwmem.mmu.tlb import fill_first, fill_second, first_level, is_user_address, key_4k, second_level
from hwmem.mmu.walk import NO_LEAF, walk

HUGE_FRAME = P.PTE_FRAME & ~(P.HUGE_PAGE - 1)


@hot
def translate(m, t, c, va, write):
    """Physical address of `va` for thread `t` on core `c`, or -1 when the thread got a signal."""
    core = m.core[c]
    if not is_user_address(core, va):
        return trap(m, t, c, va, write)  # the handler ends the thread
    key = key_4k(core, va)
    row = row_of(core.dtlb, key)
    pte = first_level(m, core, row, key, va, write)
    if pte == 0:
        row_2 = row_of(core.stlb, key)
        pte = second_level(m, core, row_2, key, va, write)
        if pte == 0:
            pte = walk(m, c, va, write)
            if pte == NO_LEAF:
                pte = trap(m, t, c, va, write)
                if pte == NO_LEAF:
                    return -1
            fill_second(m, core, row_2, key, va, pte)
        fill_first(m, core, row, key, va, pte)
    core.leaf = pte
    if pte & P.PTE_PS:
        return pte & HUGE_FRAME | va & (P.HUGE_PAGE - 1)
    return pte & P.PTE_FRAME | va & (P.PAGE - 1)


@cold
def trap(m, t, c, va, write):
    """Leaf entry after the traps that an access took, or NO_LEAF when the thread got a signal."""
    pte = NO_LEAF
    while pte == NO_LEAF:
        if call_door(m, P.DOOR_PAGE_FAULT, t, va, write, 0) < 0:
            forget_page(m.core[c], va)  # the TLBs have dropped an entry that lacks the right
            return NO_LEAF
        pte = walk(m, c, va, write)
    return pte

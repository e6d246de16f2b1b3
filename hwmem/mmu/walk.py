"""The page walker: page tables in emulated RAM, read through the caches.

translate.py comes here on a miss in all TLBs. Four levels for x86-64:

    63  48 47      39 38      30 29      21 20      12 11        0
    | 0..0 |  PML4   |  PDPT   |   PD    |   PT    |  offset    |
                                     └ PS=1: a 2 MiB page

    PTE: | NX |  frame (bits 12-51)  | D A   US RW P |      SDM vol. 3A, 4.5

and two levels of 4-byte entries for 32-bit processes (10 + 10 + 12 bits). The paging-structure caches (pml4e, pdpte, pde) let a walk begin
lower down. Every entry read is a load of the core's L1, and setting A or D is a store (with walker.path = "memory" they go past the
caches). Returns the leaf entry, or NO_LEAF if the walk ends in a fault; the handler finds out for itself why.

Cost: one to four accesses; with a warm pde cache, one.
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import apart, cold, hot, kernel
from hwmem.cache.hit_filter import HIT
from hwmem.cache.past import access_uncached
from hwmem.cache.private import look_up, take_miss
from hwmem.cache.sets import index_in, install, row_of, touch_in
from hwmem.cache.shares import BY_WALKER
from hwmem.memory.ram import peek32, peek64, poke32, poke64
from hwmem.observers.hooks import physical_seen

TOP_LEVEL = 3
NO_LEAF = -1
LARGE_LEAF = (1 << 63) - 1  # NX is not part of what a data access needs
SMALL_LEAF = LARGE_LEAF & ~P.PTE_PS  # in a 4 KiB leaf that bit is PAT
LOAD_LEAF = P.PTE_P | P.PTE_A  # what a leaf entry needs so that an access may use it as it is
STORE_LEAF = LOAD_LEAF | P.PTE_RW | P.PTE_D


@hot
def walk(m, c, va, write):
    """Leaf entry for `va` (bit PS set: a 2 MiB page), or NO_LEAF."""
    core = m.core[c]
    core.walks += 1
    core.cycles += m.cost.walker
    table = cached_leaf_table(m, core, va) if core.levels == 4 else -1
    if table < 0:
        return walk_down(m, c, va, write)
    pa = table + (va >> P.PAGE_SHIFT & 511) * 8
    access_entry(m, c, pa, 0)
    pte = peek64(m.ram_base + pa)
    wanted = STORE_LEAF if write else LOAD_LEAF
    if pte & wanted != wanted:
        if not use_entry(m, c, pa, pte, 1, write):
            return NO_LEAF
    return (pte | wanted) & SMALL_LEAF


@hot
def foresee(m, core, va):
    """Physical address that the leaf tables give `va` as they are now, -1 where there is none. This is a host-side look-up: nothing is
    counted or charged. A remembered table may have been freed; then the address is wrong, but only a prefetch uses it."""
    key = paging_key(core, va, 1) + 1
    known = core.foreseen[np.uint64(va >> P.HUGE_SHIFT & P.FORESEEN - 1)]
    if known.key != key:
        table = leaf_table(m, core, va)
        if table < 0:
            return -1
        known.key, known.table = key, table
    pte = peek64(m.ram_base + known.table + (va >> P.PAGE_SHIFT & 511) * 8)
    return pte & P.PTE_FRAME | va & P.PAGE - 1 if pte & P.PTE_P else -1


@apart
def leaf_table(m, core, va):
    """Physical address of the leaf table for `va`, -1 where there is none of four levels."""
    if core.levels != TOP_LEVEL + 1:
        return -1
    table = core.root
    for level in range(TOP_LEVEL, 0, -1):
        pte = peek64(m.ram_base + table + (va >> (P.PAGE_SHIFT + 9 * level) & 511) * 8)
        if pte & (P.PTE_P | P.PTE_PS) != P.PTE_P:
            return -1
        table = pte & P.PTE_FRAME
    return table


@cold
def place_in_tables(m, core, va):
    """Physical address that the tables give `va` as they are now, -1 where there is none. Nothing is counted or charged."""
    table = core.root
    if core.levels == 2:
        pte = peek32(m.ram_base + table + (va >> 22 & 1023) * 4)
        pte = peek32(m.ram_base + (pte & P.PTE_FRAME) + (va >> P.PAGE_SHIFT & 1023) * 4) if pte & P.PTE_P else 0
        return pte & P.PTE_FRAME | va & P.PAGE - 1 if pte & P.PTE_P else -1
    for level in range(TOP_LEVEL, -1, -1):
        pte = peek64(m.ram_base + table + (va >> (P.PAGE_SHIFT + 9 * level) & 511) * 8)
        if not pte & P.PTE_P:
            return -1
        if level == 1 and pte & P.PTE_PS:
            return pte & P.PTE_FRAME & -P.HUGE_PAGE | va & P.HUGE_PAGE - 1
        table = pte & P.PTE_FRAME
    return table | va & P.PAGE - 1


@cold
def walk_down(m, c, va, write):
    """A walk that begins above the leaf tables."""
    core = m.core[c]
    if core.levels == 2:
        return walk_32(m, c, va, write)
    level, table = start_high(m, core, va)
    while True:
        pa = table + (va >> (P.PAGE_SHIFT + 9 * level) & 511) * 8
        walker_access(m, c, pa, 0)
        pte = peek64(m.ram_base + pa)
        leaf = 1 if level == 0 or (level == 1 and pte & P.PTE_PS) else 0
        if not use_entry(m, c, pa, pte, leaf, write):
            return NO_LEAF
        if leaf:
            return (pte | (STORE_LEAF if write else LOAD_LEAF)) & (LARGE_LEAF if level else SMALL_LEAF)
        table = pte & P.PTE_FRAME
        remember_table(m, core, va, level, table)
        level -= 1


@cold
def use_entry(m, c, pa, pte, leaf, write):
    """The walker has read `pte` at `pa`: whether the walk may go on, A (and D, at a stored-to leaf) set."""
    if not pte & P.PTE_P or (write and not pte & P.PTE_RW):
        return False
    wanted = pte | P.PTE_A | (P.PTE_D if leaf and write else 0)
    if wanted != pte:
        walker_access(m, c, pa, 1)
        if m.core[c].levels == 4:
            poke64(m.ram_base + pa, wanted)
        else:
            poke32(m.ram_base + pa, wanted)
    return True


@cold
def walk_32(m, c, va, write):
    pa = m.core[c].root + (va >> 22 & 1023) * 4
    for level in range(2):
        walker_access(m, c, pa, 0)
        pte = peek32(m.ram_base + pa)
        if not use_entry(m, c, pa, pte, level, write):
            return NO_LEAF
        if level == 0:
            pa = (pte & P.PTE_FRAME) + (va >> P.PAGE_SHIFT & 1023) * 4
    return (pte | (STORE_LEAF if write else LOAD_LEAF)) & SMALL_LEAF


@hot
def access_entry(m, c, pa, write):
    """The walker reads or writes (`write` 0/1) an entry."""
    core, line = m.core[c], pa >> P.LINE_SHIFT
    core.walk_accesses += 1
    if m.tables_uncached:
        access_uncached(m, c, line, write, core.walker)
        return
    row, i = look_up(m, c, line, write)
    if i != HIT:
        take_walk_miss(m, c, row, line, write, i)
    if m.observe.watching:
        physical_seen(m, c, pa, 8, write)


@hot
def take_walk_miss(m, c, row, line, write, i):
    """private.take_miss, counted as the walker's as well (cache/shares.py)."""
    core = m.core[c]
    core.walking = 1
    take_miss(m, c, row, line, write | BY_WALKER, i)
    core.walking = 0
    core.walker.served[np.uint64(core.source)] += 1


@cold
def walker_access(m, c, pa, write):
    """access_entry, for all but the entry that a walk reads next."""
    access_entry(m, c, pa, write)


@hot
def cached_leaf_table(m, core, va):
    """Physical address of the leaf table for `va` if the pde cache has it, else -1."""
    key = paging_key(core, va, 1)
    if core.last_pde == key + 1:  # its most recent entry
        core.pde.hits += 1
        return core.last_table
    if core.pde.ways == 0:
        return -1
    table = find_table(m, core.pde, key)
    if table >= 0:
        core.last_pde, core.last_table = key + 1, table
    return table


@cold
def start_high(m, core, va):
    """Level and table at which a walk begins that the pde cache does not help."""
    for low in range(2, TOP_LEVEL + 1):
        found = cached_table(m, core, va, low)
        if found >= 0:
            return low - 1, found
    return TOP_LEVEL, core.root


@kernel
def paging_cache(core, level):
    """The cache of entries of `level` (1: pde, 2: pdpte, 3: pml4e)."""
    if level == 1:
        return core.pde
    if level == 2:
        return core.pdpte
    return core.pml4e


@kernel
def cached_table(m, core, va, level):
    """Physical address of the table below level `level`'s entry for `va`, if cached; else -1."""
    s = paging_cache(core, level)
    return find_table(m, s, paging_key(core, va, level)) if s.ways else -1


@hot
def find_table(m, s, key):
    row = row_of(s, key)
    i = index_in(m, s, row, key)
    if i < 0:
        s.misses += 1
        return -1
    s.hits += 1
    touch_in(m, s, row, i)
    return m.word[i]


@cold
def remember_table(m, core, va, level, table):
    s = paging_cache(core, level)
    if level == 1:
        core.last_pde = 0
    key = paging_key(core, va, level)
    if s.ways > 0:
        install(m, s, row_of(s, key), key, table)


@kernel
def paging_key(core, va, level):
    return core.asid << 36 | va >> (P.PAGE_SHIFT + 9 * level)

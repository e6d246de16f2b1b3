"""TLBs: what a core remembers of its page tables.

translate.py looks here before it walks. A core has a first-level TLB for 4 KiB pages, one for 2 MiB pages
(without one they share the first), and a second level for both. An entry's key holds the address-space id, so
that a context switch need not flush; its word is the leaf page-table entry.

    key   | huge 1 | asid 12 | vpn 36 (2 MiB: va >> 21) |

An entry that lacks the right which an access needs (RW, or D on a store) is dropped and counts as a miss: the
walk that follows sets D, or faults. Invariant: an entry agrees with the page tables (checked by check.py).
"""

from hwmem import params as P
from hwmem._jit import cold, hot, kernel
from hwmem.cache.hit_filter import STORE_NEEDS, forget_lines, forget_page, forget_pages
from hwmem.cache.seen import see_page
from hwmem.cache.sets import clear, empty, forget, index_in, install, row_of, touch_in

HUGE_KEY = 1 << 50


@kernel
def is_user_address(core, va):
    """Whether the tables can map `va` for a user: its lower half in canonical form; 32 bits in a 32-bit process."""
    return va >> (47 if core.levels == 4 else 32) == 0


@kernel
def key_4k(core, va):
    return core.asid << 36 | va >> P.PAGE_SHIFT


@kernel
def key_2m(core, va):
    return HUGE_KEY | core.asid << 36 | va >> P.HUGE_SHIFT


@hot
def lookup(m, s, row, key, write):
    """The entry's word if it is there, in row `row`, and allows the access, else 0."""
    i = find(m, s, row, key, write)
    return m.word[i] if i >= 0 else 0


@hot
def find(m, s, row, key, write):
    """The entry if it is there and allows the access, else -1."""
    i = index_in(m, s, row, key)
    if i < 0:
        return -1
    if write and m.word[i] & STORE_NEEDS != STORE_NEEDS:
        empty(m, s, i)
        return -1
    touch_in(m, s, row, i)
    return i


@cold
def lookup_2m(m, s, core, va, write):
    key = key_2m(core, va)
    return lookup(m, s, row_of(s, key), key, write) if s.ways else 0


@hot
def first_level(m, core, row, key, va, write):
    """Leaf entry from the first-level TLBs, or 0; `key` is that of a 4 KiB page, `row` where it belongs."""
    i, pte = find(m, core.dtlb, row, key, write), 0
    if i >= 0:
        pte = m.word[i]
        see_page(core, va, row, i)
    elif core.last_huge != 0:  # a core that never met a huge page need not look for one
        pte = lookup_2m(m, core.dtlb_2m if core.dtlb_2m.ways else core.dtlb, core, va, write)
    if pte != 0:
        core.dtlb.hits += 1
    else:
        core.dtlb.misses += 1
    return pte


@hot
def second_level(m, core, row, key, va, write):
    """Leaf entry from the second-level TLB, or 0; `key` and `row` as above."""
    s = core.stlb
    if s.ways == 0:
        return 0
    pte = lookup(m, s, row, key, write)
    if pte == 0 and core.last_huge != 0:
        pte = lookup_2m(m, s, core, va, write)
    if pte != 0:
        s.hits += 1
        core.cycles += s.latency
    else:
        s.misses += 1
    return pte


@hot
def fill_first(m, core, row, key, va, pte):
    if pte & P.PTE_PS:
        core.last_huge |= 1
        fill_2m(m, core.dtlb_2m if core.dtlb_2m.ways else core.dtlb, core, va, pte)
    else:
        see_page(core, va, row, install(m, core.dtlb, row, key, pte))


@hot
def fill_second(m, core, row, key, va, pte):
    if pte & P.PTE_PS:
        fill_2m(m, core.stlb, core, va, pte)
    elif core.stlb.ways > 0:
        install(m, core.stlb, row, key, pte)


@cold
def fill_2m(m, s, core, va, pte):
    key = key_2m(core, va)
    if s.ways > 0:
        install(m, s, row_of(s, key), key, pte)


@kernel
def invalidate_page(m, c, va):
    """INVLPG: core `c` forgets the page of `va` in its current address space, and the paging-structure caches' entries."""
    core = m.core[c]
    forget(m, core.dtlb, key_4k(core, va))
    forget(m, core.dtlb_2m if core.dtlb_2m.ways else core.dtlb, key_2m(core, va))
    forget(m, core.stlb, key_4k(core, va))
    forget(m, core.stlb, key_2m(core, va))
    for level in range(1, 4):
        key = core.asid << 36 | va >> (P.PAGE_SHIFT + 9 * level)
        if level == 1:
            core.last_pde = 0
            forget(m, core.pde, key)
        elif level == 2:
            forget(m, core.pdpte, key)
        else:
            forget(m, core.pml4e, key)
    forget_page(core, va)
    forget_lines(core)


@kernel
def flush(m, c):
    """Core `c` forgets every translation of every address space."""
    core = m.core[c]
    clear(m, core.dtlb)
    clear(m, core.dtlb_2m)
    clear(m, core.stlb)
    clear(m, core.pml4e)
    clear(m, core.pdpte)
    clear(m, core.pde)
    core.last_pde = 0
    forget_pages(core)
    forget_lines(core)

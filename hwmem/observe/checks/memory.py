"""Page tables and what caches them: entries lead where they may and are counted, TLBs agree with them.

A TLB may know a page as accessed that its entry no longer calls so: reclaim clears the bit without a flush (linux/aging.py).
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import kernel
from hwmem.cache.sets import index_of, key_of
from hwmem.linux.page_table import entry_place, frame_at, is_huge, is_mapped, read_entry
from hwmem.linux.rmap import HUGE_MAPPING
from hwmem.linux.swap import slot_at
from hwmem.mmu.tlb import HUGE_KEY
from hwmem.observe.checks.arrays import is_recent
from hwmem.observe.checks.faults import (
    BAD_FRAME,
    BAD_SLOT,
    FRAME_TWICE,
    LAST_TABLE,
    NOT_EXCLUSIVE,
    OUTSIDE_VMA,
    PAGING_CACHE,
    PROCESS_PAGES,
    RMAP_MISSING,
    TLB_NO_PROCESS,
    TLB_RIGHTS,
    TLB_WRONG,
    fault,
)
from hwmem.observe.checks.frames import TABLE, mark

ASID_SHIFT, ASID_MASK = 36, (1 << 12) - 1
VPN_MASK = (1 << ASID_SHIFT) - 1
HUGE_PAGES = P.HUGE_PAGE // P.PAGE
TABLE_PA, NEXT, COUNT, PROCESS = range(4)  # rows of `path`: by level, by level, by kind; the first of the row
ANON, FILE, SHARED, SWAPPED, TABLES, KINDS = range(6)  # what is counted


@kernel
def process_of(m, asid):
    """The living process with that address-space id, or -1."""
    for p in range(P.MAX_PROCESSES):
        if m.process[p].alive and m.process[p].asid == asid:
            return p
    return -1


@kernel
def leaf_of(m, p, va, stop):
    """The entry of level `stop` (0: the leaf) for `va` in the tables of process `p`, or the 2 MiB leaf above it; 0: none."""
    table = m.process[p].root
    level = m.process[p].levels - 1
    while True:
        entry = read_entry(m, p, entry_place(m, p, table, level, va))
        if not entry & P.PTE_P:
            return 0
        if level == stop:
            return entry & ~P.PTE_PS if level == 0 else entry
        if level == 1 and entry & P.PTE_PS and m.process[p].levels == 4:
            return entry
        table = entry & P.PTE_FRAME
        level -= 1


@kernel
def check_all_tables(m, marks, met, found):
    """The page tables of every process. `marks`, `met`: see checks/frames.py."""
    path = np.zeros((4, 8), np.int64)
    for p in range(P.MAX_PROCESSES):
        if m.process[p].alive:
            path[:] = 0
            path[PROCESS, 0] = p
            code = check_tables(m, marks, met, path, found) or check_process(m, p, path, found)
            if code:
                return code
    return 0


@kernel
def check_tables(m, marks, met, path, found):
    """The page tables of a process, depth first. `path`: which process; for each level on the way down its table and the next entry; and
    what has been counted."""
    p = path[PROCESS, 0]
    process = m.process[p]
    top = process.levels - 1
    entries = 512 if top == 3 else 1024
    code = enter_table(m, top, process.root, marks, path, found)
    if code:
        return code
    v, level = process.first_vma, top
    while level <= top:
        i = path[NEXT, level]
        if i == entries:
            level += 1
            continue
        path[NEXT, level] += 1
        entry = read_entry(m, p, path[TABLE_PA, level] + i * (P.PAGE // entries))
        if entry == 0:
            continue
        huge = is_huge(m, p, level, entry)
        if level and not huge:
            level -= 1
            code = enter_table(m, level, entry, marks, path, found)
        else:
            va = address_of(path, level, top)
            while v and m.vma[v - 1].end <= va:
                v = m.vma[v - 1].next
            if v == 0 or m.vma[v - 1].start > va or m.vma[v - 1].end < va + (P.HUGE_PAGE if huge else P.PAGE):
                return fault(found, OUTSIDE_VMA, p, va, entry, 0)
            code = check_leaf(m, va | (HUGE_MAPPING if huge else 0), entry, met, path, found)
        if code:
            return code
    return 0


@kernel
def enter_table(m, level, entry, marks, path, found):
    """Go down to the table of `level` that `entry` leads to."""
    p, pa = path[PROCESS, 0], entry & P.PTE_FRAME
    if not mark(m, marks, pa >> P.PAGE_SHIFT, TABLE):
        return fault(found, FRAME_TWICE, pa >> P.PAGE_SHIFT, m.frame[pa >> P.PAGE_SHIFT].state, TABLE, 0)
    path[TABLE_PA, level], path[NEXT, level] = pa, 0
    path[COUNT, TABLES] += 1
    return check_reserve(m, p, pa, marks, path, found) if level == 1 and m.process[p].levels == 4 else 0


@kernel
def check_reserve(m, p, pa, marks, path, found):
    """The tables kept for the 2 MiB entries of the table at `pa`: one each."""
    huge = kept = 0
    for place in range(pa, pa + P.PAGE, 8):
        huge += read_entry(m, p, place) & P.PTE_PS != 0
    frame = np.int64(m.frame[pa >> P.PAGE_SHIFT].next)
    while frame:
        if not mark(m, marks, frame, TABLE):
            return fault(found, FRAME_TWICE, frame, m.frame[frame].state, TABLE, 0)
        kept += 1
        frame = np.int64(m.frame[frame].next)
    path[COUNT, TABLES] += kept
    return fault(found, PROCESS_PAGES, p, kept, huge, TABLES) if kept != huge else 0


@kernel
def address_of(path, level, top):
    """The address of the entry of `level` that the walk has just read."""
    va = 0
    for above in range(level, top + 1):
        va |= path[NEXT, above] - 1 << P.PAGE_SHIFT + (9 if top == 3 else 10) * above
    return va


@kernel
def check_leaf(m, va, entry, met, path, found):
    """The entry that maps `va` (bit 0: of 2 MiB)."""
    p = path[PROCESS, 0]
    if entry == P.PTE_GUARD:
        return 0
    if not is_mapped(entry):
        slot = slot_at(entry)
        if not entry & P.PTE_SWAP or slot >= m.swap.fresh:
            return fault(found, BAD_SLOT, p, va, entry, 0)
        met[m.frames.fresh + slot] += 1
        path[COUNT, SWAPPED] += 1
        return 0
    frame = frame_at(entry)
    if frame == 0:
        zero = (entry & P.PTE_FRAME) >> P.PAGE_SHIFT
        wrong = entry & P.PTE_RW or not m.frame[zero].state & P.FRAME_RESERVED
        return fault(found, BAD_FRAME, p, va, zero, entry) if wrong else 0
    if frame >= m.frames.fresh or not m.frame[frame].state & (P.FRAME_ANON | P.FRAME_CACHED):
        return fault(found, BAD_FRAME, p, va, frame, entry)
    if not is_recorded(m, frame, p, va):
        return fault(found, RMAP_MISSING, p, va, frame, 0)
    f = m.frame[frame]
    if entry & P.PTE_RW and f.state & P.FRAME_ANON and not f.state & P.FRAME_EXCLUSIVE:
        return fault(found, NOT_EXCLUSIVE, p, va, frame, entry)
    met[frame] += 1
    kind = ANON if f.state & P.FRAME_ANON else SHARED if m.file[f.file - 1].shared else FILE
    path[COUNT, kind] += HUGE_PAGES if va & HUGE_MAPPING else 1
    return 0


@kernel
def is_recorded(m, frame, p, va):
    """Whether the frame's reverse mappings include process `p` at `va`."""
    f = m.frame[frame]
    if f.maps + f.huge_maps == 0:
        return False
    if f.process == p and f.va == va:
        return True
    n = f.chain
    while n and (m.rmap[n - 1].process != p or m.rmap[n - 1].va != va):
        n = m.rmap[n - 1].next
    return n != 0


@kernel
def check_process(m, p, path, found):
    """What process `p` counts, against what was found."""
    process = m.process[p]
    for kind in range(KINDS):
        counted = (process.anon, process.file, process.shared, process.swapped, process.table_pages)[kind]
        if counted != path[COUNT, kind]:
            return fault(found, PROCESS_PAGES, p, counted, path[COUNT, kind], kind)
    return 0


@kernel
def check_tlb(m, s, found):
    """Every translation in TLB `s` against the page tables of its process."""
    for i in range(s.first, s.first + (s.sets << s.row_shift)):
        if not m.tag[i] & P.OCCUPIED:
            continue
        key, word = key_of(m.tag[i]), m.word[i]
        p = process_of(m, key >> ASID_SHIFT & ASID_MASK)
        if p < 0:
            return fault(found, TLB_NO_PROCESS, key, key >> ASID_SHIFT & ASID_MASK, 0, 0)
        huge = key & HUGE_KEY != 0
        va = (key & VPN_MASK) << (P.HUGE_SHIFT if huge else P.PAGE_SHIFT)
        pte = leaf_of(m, p, va, 0)
        kept = P.PTE_FRAME | P.PTE_P | P.PTE_US | P.PTE_PS
        if (word ^ pte) & kept or huge != (pte & P.PTE_PS != 0):
            return fault(found, TLB_WRONG, va, p, word, pte)
        if word & ~pte & (P.PTE_RW | P.PTE_D):
            return fault(found, TLB_RIGHTS, va, p, word, pte)
    return 0


@kernel
def check_last_table(m, c, found):
    """The walker's note of its pde cache's most recent entry."""
    core = m.core[c]
    if core.last_pde == 0:
        return 0
    i = index_of(m, core.pde, core.last_pde - 1)
    if i < 0 or m.word[i] != core.last_table or not is_recent(m, core.pde, i):
        return fault(found, LAST_TABLE, c, core.last_pde - 1, core.last_table, 0)
    return 0


@kernel
def check_paging_cache(m, s, level, found):
    """Every table that a paging-structure cache of `level` (1: pde, 2: pdpte, 3: pml4e) leads to."""
    for i in range(s.first, s.first + (s.sets << s.row_shift)):
        if not m.tag[i] & P.OCCUPIED:
            continue
        key = key_of(m.tag[i])
        p = process_of(m, key >> ASID_SHIFT & ASID_MASK)
        if p < 0:
            return fault(found, TLB_NO_PROCESS, key, key >> ASID_SHIFT & ASID_MASK, 0, 0)
        va = (key & VPN_MASK) << P.PAGE_SHIFT + 9 * level
        entry = leaf_of(m, p, va, level)
        if entry & P.PTE_FRAME != m.word[i] or not entry & P.PTE_P or (level == 1 and entry & P.PTE_PS):
            return fault(found, PAGING_CACHE, va, p, m.word[i], entry)
    return 0

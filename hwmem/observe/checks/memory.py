"""Memory management: every frame has one owner, the counts are right, TLBs agree with the page tables.

`marks` is a byte for each frame handed out so far; a frame met twice is a fault.
"""
import numpy as np

from hwmem import params as P
from hwmem._jit import kernel
from hwmem.cache.sets import index_of, key_of
from hwmem.linux.page_table import entry_place, read_entry
from hwmem.memory.ram import peek64
from hwmem.mmu.tlb import HUGE_KEY
from hwmem.mmu.translate import HUGE_FRAME
from hwmem.observe.checks.arrays import is_recent
from hwmem.observe.checks.faults import (BAD_FRAME, BAD_FREE_LIST, FRAME_COUNTS, FRAME_TWICE, FRAMES_USED, LAST_TABLE,
                                         PAGING_CACHE, PROCESS_PAGES, PROCESS_TABLES, TLB_NO_PROCESS, TLB_RIGHTS, TLB_WRONG,
                                         fault)

ASID_SHIFT, ASID_MASK = 36, (1 << 12) - 1
VPN_MASK = (1 << ASID_SHIFT) - 1
HUGE_PAGES = P.HUGE_PAGE // P.PAGE


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
def check_frames(m, marks, found):
    """All frames: the free list, then what the processes have."""
    f = m.frames
    if not 1 <= f.fresh <= f.total or f.free + f.used != f.fresh - 1:
        return fault(found, FRAME_COUNTS, f.free, f.used, f.fresh - 1, f.total)
    pa = f.free_head
    for place in range(f.free):
        if not mark(m, marks, pa, 1):
            return fault(found, BAD_FREE_LIST, pa, place, 0, 0)
        pa = peek64(m.ram_base + pa)
    if pa != 0:
        return fault(found, BAD_FREE_LIST, pa, f.free, 0, 0)
    if not m.mmu:
        return 0
    path = np.zeros((2, 4), np.int64)
    used = 0
    for p in range(P.MAX_PROCESSES):
        if m.process[p].alive:
            code = check_tables(m, p, marks, path, found)
            if code:
                return code
            used += m.process[p].pages + m.process[p].table_pages
    return fault(found, FRAMES_USED, f.used, used, 0, 0) if used != f.used else 0


@kernel
def mark(m, marks, pa, n):
    """Take `n` frames from `pa` on as met; False if one cannot be."""
    first = pa >> P.PAGE_SHIFT
    if pa & P.PAGE - 1 or first < 1 or first + n > m.frames.fresh:
        return False
    for frame in range(first, first + n):
        if marks[frame]:
            return False
        marks[frame] = 1
    return True


@kernel
def check_tables(m, p, marks, path, found):
    """The page tables of process `p`, depth first. `path`: for each level on the way down, its table and where to go on."""
    process = m.process[p]
    top = process.levels - 1
    width = 8 if top == 3 else 4
    tables, pages, level = 1, 0, top
    path[:, top] = process.root
    if not mark(m, marks, process.root, 1):
        return fault(found, FRAME_TWICE, p, 0, process.root, 0)
    while level <= top:
        place = path[1, level]
        if place == path[0, level] + P.PAGE:
            level += 1
            continue
        path[1, level] += width
        entry = read_entry(m, p, place)
        if not entry & P.PTE_P:
            continue
        huge = top == 3 and level == 1 and entry & P.PTE_PS != 0
        frames = HUGE_PAGES if huge else 1
        pa = entry & (HUGE_FRAME if huge else P.PTE_FRAME)
        if pa < P.PAGE or (pa >> P.PAGE_SHIFT) + frames > m.frames.fresh:
            return fault(found, BAD_FRAME, p, place, pa, 0)
        if not mark(m, marks, pa, frames):
            return fault(found, FRAME_TWICE, p, place, pa, 0)
        if level == 0 or huge:
            pages += frames
        else:
            tables += 1
            level -= 1
            path[:, level] = pa
    if pages != process.pages:
        return fault(found, PROCESS_PAGES, p, process.pages, pages, 0)
    if tables != process.table_pages:
        return fault(found, PROCESS_TABLES, p, process.table_pages, tables, 0)
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
        if word & ~pte & (P.PTE_RW | P.PTE_D | P.PTE_A):
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

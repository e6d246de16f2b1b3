"""Page tables as the kernel reads and writes them: real entries in emulated RAM, through the caches.

The walker (mmu/walk.py) reads what is written here. A table is a frame; a line of entries that the kernel reads, and
each entry that it writes, is an access of the core it runs on. Entries that are present are the hardware's (drawn in
mmu/walk.py); with P clear, Linux's own bits describe what takes the page's place (params.PTE_PROTNONE, PTE_SWAP):

    | swap slot, or frame (bits 12-51) | 0 | EXCLUSIVE | SWAP | PROTNONE | 0 ... 0 | P=0 |

Each 2 MiB entry, the huge zero page's too, has a leaf table in reserve (deposit_table), so that it can always be split: in a
list that begins in the record of the frame of the table above it, as many as that table has 2 MiB entries.

`next_entry` walks a range entry by entry for all that works on ranges; m.cursor keeps the leaf table it is in.
Invariant: process.table_pages = tables reachable from the root, the root and those in reserve among them. Source: mm/memory.c.
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import cold, kernel
from hwmem.core.service import table_access
from hwmem.linux.frames import give_frame, take_zeroed
from hwmem.memory.ram import peek32, peek64, poke32, poke64

TABLE_ENTRY = P.PTE_P | P.PTE_RW | P.PTE_US | P.PTE_A
HUGE_ABOVE = -64  # find_place: a 2 MiB entry maps the address, there is no leaf table


@kernel
def read_entry(m, p, pa):
    """The page-table entry at `pa`, of the width that the process's tables have."""
    return peek64(m.ram_base + pa) if m.process[p].levels == 4 else peek32(m.ram_base + pa)


@kernel
def write_entry(m, c, p, pa, entry):
    """Core `c` writes an entry."""
    table_access(m, c, pa, 8 if m.process[p].levels == 4 else 4, 1)
    if m.process[p].levels == 4:
        poke64(m.ram_base + pa, entry)
    else:
        poke32(m.ram_base + pa, entry)


@kernel
def is_mapped(entry):
    """Whether a leaf entry leads to a frame (the zero page's too)."""
    return entry & P.PTE_P != 0 or entry & P.PTE_PROTNONE != 0


@kernel
def is_swapped(entry):
    """Whether a leaf entry stands for a swap slot."""
    return entry & (P.PTE_SWAP | P.PTE_P | P.PTE_PROTNONE) == P.PTE_SWAP


@kernel
def frame_at(entry):
    """The frame that a mapped leaf entry leads to: its number; 0: the zero page, which is nobody's."""
    return 0 if entry & P.PTE_ZERO else (entry & P.PTE_FRAME) >> P.PAGE_SHIFT


@kernel
def new_table(m, c, p):
    """A zeroed frame for a table of process `p`: its physical address, or -1."""
    frame = take_zeroed(m, c)
    if frame < 0:
        return -1
    m.frame[frame].state = P.FRAME_TABLE
    m.frame[frame].next = 0
    table_access(m, c, frame * P.PAGE, P.PAGE, 1)
    m.process[p].table_pages += 1
    return frame * P.PAGE


@kernel
def drop_table(m, c, p, pa):
    m.process[p].table_pages -= 1
    give_frame(m, c, pa >> P.PAGE_SHIFT)


@kernel
def deposit_table(m, place, table):
    """Keep `table` for a later split of the 2 MiB entry at `place`. Linux: pgtable_trans_huge_deposit."""
    middle, frame = place >> P.PAGE_SHIFT, table >> P.PAGE_SHIFT
    m.frame[frame].next = m.frame[middle].next
    m.frame[middle].next = frame


@kernel
def withdraw_table(m, place):
    """The table that was kept for the 2 MiB entry at `place`: its physical address."""
    middle = place >> P.PAGE_SHIFT
    frame = np.int64(m.frame[middle].next)
    m.frame[middle].next = m.frame[frame].next
    m.frame[frame].next = 0
    return frame << P.PAGE_SHIFT


@kernel
def entry_width(m, p):
    return 8 if m.process[p].levels == 4 else 4


@kernel
def span_of(m, p, level):
    """Bytes that an entry of `level` maps (0: a leaf entry)."""
    return 1 << P.PAGE_SHIFT + (9 if m.process[p].levels == 4 else 10) * level


@kernel
def entry_place(m, p, table, level, va):
    """Physical address of `va`'s entry in a table of `level` (0: the leaf table)."""
    if m.process[p].levels == 4:
        return table + (va >> (P.PAGE_SHIFT + 9 * level) & 511) * 8
    return table + (va >> (P.PAGE_SHIFT + 10 * level) & 1023) * 4


@kernel
def find_place(m, c, p, va, level):
    """Physical address of `va`'s entry of `level`; -1 - the level of the entry that lacks a table; HUGE_ABOVE."""
    table = m.process[p].root
    for above in range(m.process[p].levels - 1, level, -1):
        pa = entry_place(m, p, table, above, va)
        table_access(m, c, pa, 8, 0)
        entry = read_entry(m, p, pa)
        if entry == 0:
            return -1 - above
        if is_huge(m, p, above, entry):
            return HUGE_ABOVE
        table = entry & P.PTE_FRAME
    return entry_place(m, p, table, level, va)


@kernel
def is_huge(m, p, level, entry):
    return level == 1 and entry & P.PTE_PS != 0 and m.process[p].levels == 4


@kernel
def make_place(m, c, p, va, level):
    """find_place, the missing tables made; -1 when RAM is exhausted."""
    place = find_place(m, c, p, va, level)
    while -8 < place < 0:
        above = -1 - place
        below = new_table(m, c, p)
        if below < 0:
            return -1
        write_entry(m, c, p, find_place(m, c, p, va, above), below | TABLE_ENTRY)
        place = find_place(m, c, p, va, level)
    return place


@kernel
def look_up(m, p, va):
    """`va`'s leaf entry, or the 2 MiB entry (bit PS) that maps it; 0: none. Read without an access, for the prompt."""
    table = m.process[p].root
    for level in range(m.process[p].levels - 1, -1, -1):
        entry = read_entry(m, p, entry_place(m, p, table, level, va))
        if entry == 0 or level == 0:
            return entry
        if is_huge(m, p, level, entry):
            return entry
        table = entry & P.PTE_FRAME
    return 0


@kernel
def next_entry(m, c, p, va, end):
    """The first page from `va` on whose entry is not empty: its address, or one from `end` on. m.cursor.place is where
    the entry lies, m.cursor.huge whether it is a 2 MiB one (then `va` may lie within it)."""
    at = m.cursor
    width = entry_width(m, p)
    while va < end:
        if at.process != p + 1 or va < at.start or va >= at.end:
            va = enter_table(m, c, p, va)
            if at.huge:
                return va
            if at.process == 0:
                continue
        place = at.table + (va - at.start >> P.PAGE_SHIFT) * width
        stop = min(end, at.end)
        if va < stop:
            table_access(m, c, place, width, 0)
        while va < stop:
            if read_entry(m, p, place) != 0:
                at.place = place
                return va
            va += P.PAGE
            place += width
            if place & P.LINE - 1 == 0 and va < stop:
                table_access(m, c, place, width, 0)
    return va


@kernel
def enter_table(m, c, p, va):
    """Set the cursor on the leaf table of `va`; where there is none it is on nothing, and the result is the next address
    that could have one."""
    at = m.cursor
    at.process = at.huge = 0
    place = find_place(m, c, p, va, 0)
    if place == HUGE_ABOVE:
        at.huge = 1
        at.place = find_place(m, c, p, va, 1)
        return va
    if place < 0:
        span = span_of(m, p, -1 - place)
        return (va // span + 1) * span
    span = span_of(m, p, 1)
    at.process = p + 1
    at.start = va // span * span
    at.end = at.start + span
    at.table = place & ~(P.PAGE - 1)
    return va


@kernel
def forget_cursor(m):
    """Tables have gone, or a 2 MiB entry has become a table."""
    m.cursor.process = m.cursor.huge = 0


@cold
def free_leaf_tables(m, c, p, start, end):
    """Give back the leaf tables that lie wholly in [start, end), all of whose entries but guards are empty already: their number.

    Linux: mm/pt_reclaim.c, which only 64-bit kernels have.
    """
    if m.process[p].levels != 4:
        return 0
    forget_cursor(m)
    freed = 0
    va = start + P.HUGE_PAGE - 1 & ~(P.HUGE_PAGE - 1)
    while va + P.HUGE_PAGE <= end:
        place = find_place(m, c, p, va, 1)
        if place < 0:
            missing = span_of(m, p, -1 - place)
            va = (va // missing + 1) * missing
            continue
        entry = read_entry(m, p, place)
        if entry and is_empty(m, p, entry & P.PTE_FRAME):
            write_entry(m, c, p, place, 0)
            drop_table(m, c, p, entry & P.PTE_FRAME)
            freed += 1
        va += P.HUGE_PAGE
    return freed


@kernel
def is_empty(m, p, table):
    """Whether a leaf table of 64-bit entries has nothing in it, as whoever emptied it knows."""
    for place in range(table, table + P.PAGE, 8):
        if read_entry(m, p, place):
            return False
    return True


@cold
def drop_empty_leaf(m, c, p, va):
    """A fault made the leaf table of `va` and failed: the table is freed, if it maps nothing else either. Linux creates it only when there
    is something to map."""
    start = va & ~(P.HUGE_PAGE - 1)
    if next_entry(m, c, p, start, start + P.HUGE_PAGE) >= start + P.HUGE_PAGE:
        free_leaf_tables(m, c, p, start, start + P.HUGE_PAGE)

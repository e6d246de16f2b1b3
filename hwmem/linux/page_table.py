"""Page tables as the kernel writes them: real entries in emulated RAM, written through the caches.

The walker (mmu/walk.py) reads what is written here. A table page is a frame; each entry the kernel reads or
writes is an access of the core it runs on. Bit layouts: mmu/walk.py.
"""
from hwmem import params as P
from hwmem._jit import kernel
from hwmem.core.service import kernel_access
from hwmem.linux.frames import give_frame, take_frame
from hwmem.memory.ram import peek32, peek64, poke32, poke64

TABLE_ENTRY = P.PTE_P | P.PTE_RW | P.PTE_US | P.PTE_A


@kernel
def read_entry(m, p, pa):
    """The page-table entry at `pa`, of the width that the process's tables have."""
    return peek64(m.ram_base + pa) if m.process[p].levels == 4 else peek32(m.ram_base + pa)


@kernel
def write_entry(m, p, pa, entry):
    if m.process[p].levels == 4:
        poke64(m.ram_base + pa, entry)
    else:
        poke32(m.ram_base + pa, entry)


@kernel
def new_table(m, c, p):
    """A zeroed frame for a table of process `p`, or -1."""
    pa = take_frame(m)
    if pa >= 0:
        kernel_access(m, c, pa, P.PAGE, 1)
        m.process[p].table_pages += 1
    return pa


@kernel
def entry_place(m, p, table, level, va):
    """Physical address of `va`'s entry in a table of `level` (0: the leaf table)."""
    if m.process[p].levels == 4:
        return table + (va >> (P.PAGE_SHIFT + 9 * level) & 511) * 8
    return table + (va >> (P.PAGE_SHIFT + 10 * level) & 1023) * 4


@kernel
def leaf_place(m, c, p, va, make):
    """Physical address of `va`'s leaf entry. Where a table is missing it is made if `make`; else, or when RAM is
    exhausted, -1 - the level of the entry that lacks it."""
    table = m.process[p].root
    for level in range(m.process[p].levels - 1, 0, -1):
        pa = entry_place(m, p, table, level, va)
        kernel_access(m, c, pa, 8, 0)
        entry = read_entry(m, p, pa)
        if not entry & P.PTE_P:
            below = new_table(m, c, p) if make else -1
            if below < 0:
                return -1 - level
            kernel_access(m, c, pa, 8, 1)
            entry = below | TABLE_ENTRY
            write_entry(m, p, pa, entry)
        table = entry & P.PTE_FRAME
    return entry_place(m, p, table, 0, va)


@kernel
def find_leaf(m, p, va):
    """`va`'s leaf entry, 0 if there is none; read without an access (for the prompt and for checks)."""
    table = m.process[p].root
    for level in range(m.process[p].levels - 1, 0, -1):
        entry = read_entry(m, p, entry_place(m, p, table, level, va))
        if not entry & P.PTE_P:
            return 0
        table = entry & P.PTE_FRAME
    entry = read_entry(m, p, entry_place(m, p, table, 0, va))
    return entry if entry & P.PTE_P else 0


@kernel
def set_leaf(m, c, p, va, entry):
    """Map `va`'s page; False when RAM is exhausted."""
    pa = leaf_place(m, c, p, va, True)
    if pa < 0:
        return False
    kernel_access(m, c, pa, 8, 1)
    write_entry(m, p, pa, entry)
    return True


@kernel
def unmap_range(m, c, p, start, end):
    """Clear the leaf entries of [start, end) and give their frames back; returns the number of pages."""
    width, bits = (8, 9) if m.process[p].levels == 4 else (4, 10)
    freed = 0
    va = start
    while va < end:
        pa = leaf_place(m, c, p, va, False)
        span = 1 << P.PAGE_SHIFT + bits * max(1, -1 - pa)               # what one entry of the missing level maps
        stop = min(end, (va // span + 1) * span)
        while pa >= 0 and va < stop:
            entry = read_entry(m, p, pa)
            if entry & P.PTE_P:
                kernel_access(m, c, pa, 8, 1)
                write_entry(m, p, pa, 0)
                give_frame(m, entry & P.PTE_FRAME)
                freed += 1
            va += P.PAGE
            pa += width
        va = stop
    m.process[p].pages -= freed
    return freed


@kernel
def free_tables(m, p, table, level):
    """Give back a table and all tables below it (the process's end)."""
    if level > 0:
        width = 8 if m.process[p].levels == 4 else 4
        for pa in range(table, table + P.PAGE, width):
            entry = read_entry(m, p, pa)
            if entry & P.PTE_P:
                below = entry & P.PTE_FRAME
                if level > 1:
                    free_level(m, p, below, level - 1, width)
                give_frame(m, below)
                m.process[p].table_pages -= 1
    give_frame(m, table)
    m.process[p].table_pages -= 1


@kernel
def free_level(m, p, table, level, width):
    """The tables below `table`, depth first without recursion: at most two more levels."""
    for pa in range(table, table + P.PAGE, width):
        entry = read_entry(m, p, pa)
        if entry & P.PTE_P:
            below = entry & P.PTE_FRAME
            if level > 1:
                for pa_2 in range(below, below + P.PAGE, width):
                    leaf = read_entry(m, p, pa_2)
                    if leaf & P.PTE_P:
                        give_frame(m, leaf & P.PTE_FRAME)
                        m.process[p].table_pages -= 1
            give_frame(m, below)
            m.process[p].table_pages -= 1

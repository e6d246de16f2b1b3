"""Sweeping: every header of the heap is read, and what is free becomes blocks again, joined with its neighbours. GC Handbook 2.3.

The lists are rebuilt, so a block comes before those with lower addresses.
"""

from hwmem._jit import cold
from goalloc import params as P
from goalloc.collectors.freelist import add_block, no_blocks
from goalloc.collectors.model import END, FREE, MARK, START, WORD, guest, words_of
from goalloc.words import get64, put64


@cold
def sweep(m, t, h, marked):
    """Stretches of free blocks, and if it is `marked` of objects without MARK, become blocks; the others lose their MARK."""
    x, end = get64(m, t, h + START), get64(m, t, h + END)
    registers, first = guest(m, t), x  # where the stretch of free words before x begins
    no_blocks(m, t, h)
    while x < end:
        header = get64(m, t, x)
        after = x + WORD * words_of(header)
        if header & MARK or not (marked or header & FREE):
            if header & MARK:
                put64(m, t, x, header & ~MARK)
            if x > first:
                add_block(m, t, h, first, (x - first) // WORD)
            first = after
        elif not header & FREE:
            registers[P.FREED] += 1
        x = after
    if end > first:
        add_block(m, t, h, first, (end - first) // WORD)

"""Which lines an allocator hands to two threads: counted exactly, by which thread has which bytes.

A line of 64 bytes is eight words; for each, seven bits say whose live block covers it (thread + 1), and seven others which thread freed it
there for another thread. When a block is given out on a line where another thread has one, two threads share that line, and the sharing is

    passive    if the thread got back what it had itself freed for another, however often since: the program moved the block there first
    active     otherwise: the allocator put them on one line by itself

Only a block's first and last line can be shared. Source: Berger, McKinley, Blumofe, Wilson, "Hoard", ASPLOS 2000, 2.2.
All of this is the observer's and lies in `w`: no access is made.
"""

import numpy as np

from hwmem._jit import cold, kernel
from hwmem.bits import hashed
from hwmem.params import LINE, LINE_SHIFT

ROWS = 1 << 17
KEY, OWNERS, PASSED = range(3)  # columns; KEY: the line's number + 1
BITS = 7  # of a word in the others
ALL = (1 << BITS) - 1
LARGE = 1 << 16  # blocks from here on have pages of their own


def place_neighbours(w):
    w.lines = np.zeros((ROWS, 3), np.int64)
    w.active = w.passive = w.unwatched = 0


@kernel
def row_of(w, line):
    """The line's row, new or not; -1 when the table is full around there."""
    row = hashed(line, ROWS)
    for _ in range(64):
        if w.lines[row, KEY] == line + 1:
            return row
        if w.lines[row, KEY] == 0:
            w.lines[row, KEY] = line + 1
            return row
        row = row + 1 & ROWS - 1
    w.unwatched += 1
    return -1


@kernel
def mask_of(line, block, n):
    """The lowest bits of those of a row's entry that stand for the words of `line` that the block of `n` bytes covers."""
    first = max(block - line * LINE, 0) >> 3
    last = min(block + n - 1 - line * LINE, LINE - 1) >> 3
    mask = 0
    for word in range(first, last + 1):
        mask |= 1 << BITS * word
    return mask


@cold
def given(w, rank, block, n):
    """Thread `rank` has got a block of `n` bytes."""
    if n > LARGE:
        return
    first, last, shared, own = block >> LINE_SHIFT, block + max(n, 1) - 1 >> LINE_SHIFT, False, False
    for line in (first, last):
        row = row_of(w, line)
        if row >= 0 and (line == first or last != first):
            mask, passed = mask_of(line, block, max(n, 1)), False
            for word in range(8):
                owner = w.lines[row, OWNERS] >> BITS * word & ALL
                shared = shared or (owner != 0 and owner != rank + 1)
                passed = passed or (mask >> BITS * word & 1 and w.lines[row, PASSED] >> BITS * word & ALL == rank + 1)
            w.lines[row, OWNERS] = w.lines[row, OWNERS] & ~(mask * ALL) | mask * (rank + 1)
            if not passed:
                w.lines[row, PASSED] &= ~(mask * ALL)
            own = own or passed
    if shared and own:
        w.passive += 1
    elif shared:
        w.active += 1


@cold
def taken_back(w, rank, block, n, owner):
    """Thread `rank` frees a block of `n` bytes that thread `owner` got."""
    if n > LARGE:
        return
    first, last = block >> LINE_SHIFT, block + max(n, 1) - 1 >> LINE_SHIFT
    for line in (first, last):
        row = row_of(w, line)
        if row >= 0:
            mask = mask_of(line, block, max(n, 1))
            w.lines[row, OWNERS] &= ~(mask * ALL)
            if rank != owner:  # its own, if it was passed on, stays so
                w.lines[row, PASSED] = w.lines[row, PASSED] & ~(mask * ALL) | mask * (rank + 1)

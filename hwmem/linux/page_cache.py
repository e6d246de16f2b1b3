"""The page cache: the frame of each file page that is in memory.

    (file, index) ── hash ──> m.page_cache, one table for all files: open addressing, 16 pages that follow one another
                              share a line of it
                       n > 0        frame n, whose record says file + 1 and index (FRAME_CACHED)
                       -1 - slot    a page of shared memory that is in a swap slot; m.swap_owner[slot] says which
                       0            free

Faults and read-ahead put pages in, reclaim and truncation take them out. A page that is on its way from the disk is not
FRAME_UPTODATE, and `va` of its frame, which nobody maps yet, is the cycle at which it is there. FRAME_DIRTY: it differs
from the disk; FRAME_LOCKED: in use by the kernel, reclaim leaves it alone.

Invariant: file.cached, file.dirty and their sums in m.files are the numbers of such frames; dirty ones of shared memory
are not counted as such: no disk waits for them. Source: mm/filemap.c (there a tree a file), mm/swap.c (folio_mark_accessed).
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import cold, kernel
from hwmem.linux.lru import lru_add, lru_move, lru_remove

MASK = P.CACHE_SLOTS - 1
MOST_PAGES = P.CACHE_SLOTS // 4 * 3  # above that the table would be slow
RUN_SHIFT, RUN_MASK = 4, 15


@kernel
def home(file, index):
    """Where the search for a page begins."""
    z = (np.int64(index) >> RUN_SHIFT) * 0x9E3779B1 + np.int64(file) * 0x85EBCA6B & 0x7FFF_FFFF
    z = (z ^ z >> 15) * 0x45D9F3B & 0x7FFF_FFFF
    return (z ^ z >> 16) << RUN_SHIFT & MASK | np.int64(index) & RUN_MASK


@kernel
def place_of(m, file, index):
    """The page's place in the table, or the free one at which the search for it ends."""
    i = home(file, index)
    while m.page_cache[i] != 0 and not is_page(m, m.page_cache[i], file, index):
        i = i + 1 & MASK
    return i


@kernel
def is_page(m, held, file, index):
    """Whether an entry of the table is the page (file, index)."""
    if held > 0:
        return m.frame[held].file == file + 1 and m.frame[held].index == index
    return m.swap_owner[-1 - held].file == file + 1 and m.swap_owner[-1 - held].index == index


@kernel
def find_page(m, file, index):
    """The table's entry for a page: its frame, -1 - its swap slot, or 0."""
    return np.int64(m.page_cache[place_of(m, file, index)])


@kernel
def is_full(m):
    return m.files.cached + m.files.swapped >= MOST_PAGES


@kernel
def enter_cache(m, frame, file, index):
    """`frame` is page `index` of the file from now on; in the place of its swap slot, if it had one."""
    f = m.frame[frame]
    f.file, f.index = file + 1, index
    shared = m.file[file].shared
    f.state = P.FRAME_CACHED | (P.FRAME_SWAPBACKED if shared else 0)
    m.page_cache[place_of(m, file, index)] = frame
    m.file[file].cached += 1
    m.files.cached += 1
    lru_add(m, frame, P.LRU_INACTIVE_ANON if shared else P.LRU_INACTIVE_FILE)


@kernel
def leave_cache(m, frame):
    """Take `frame` out of the table and off its list."""
    f = m.frame[frame]
    file, index = np.int64(f.file) - 1, np.int64(f.index)
    mark_clean(m, frame)
    lru_remove(m, frame)
    free_place(m, place_of(m, file, index))
    m.file[file].cached -= 1
    m.files.cached -= 1
    f.file = f.index = f.state = 0


@cold
def free_place(m, i):
    """Empty place `i`; entries behind it whose search went over it move up."""
    j = i
    while True:
        j = j + 1 & MASK
        held = m.page_cache[j]
        if held == 0:
            m.page_cache[i] = 0
            return
        if held > 0:
            start = home(np.int64(m.frame[held].file) - 1, np.int64(m.frame[held].index))
        else:
            owner = m.swap_owner[-1 - held]
            start = home(np.int64(owner.file) - 1, np.int64(owner.index))
        if j - start & MASK >= j - i & MASK:
            m.page_cache[i] = held
            i = j


@kernel
def mark_dirty(m, frame):
    """The page differs from the disk, and read-ahead's mark is gone from it (Linux: folio_mark_dirty; the mark's bit is
    PG_reclaim's)."""
    f = m.frame[frame]
    if not f.state & (P.FRAME_DIRTY | P.FRAME_SWAPBACKED):
        m.file[f.file - 1].dirty += 1
        m.files.dirty += 1
    f.state = f.state & ~P.FRAME_READAHEAD | P.FRAME_DIRTY


@kernel
def mark_clean(m, frame):
    """The page equals its copy on the disk, or is no longer needed."""
    f = m.frame[frame]
    if f.state & P.FRAME_DIRTY and not f.state & P.FRAME_SWAPBACKED:
        m.file[f.file - 1].dirty -= 1
        m.files.dirty -= 1
    f.state &= ~P.FRAME_DIRTY


@kernel
def mark_accessed(m, frame):
    """Used once, it is referenced; used twice, it is active. Linux: folio_mark_accessed."""
    f = m.frame[frame]
    if not f.state & P.FRAME_REFERENCED:
        f.state |= P.FRAME_REFERENCED
    elif f.lru == P.LRU_INACTIVE_ANON or f.lru == P.LRU_INACTIVE_FILE:
        f.state &= ~P.FRAME_REFERENCED
        lru_move(m, frame, f.lru + 1)
        m.vmstat.pgactivate += 1


@kernel
def has_arrived(m, now, frame):
    """Whether the page's bytes are there at cycle `now`."""
    f = m.frame[frame]
    if not f.state & P.FRAME_UPTODATE and f.va <= now:
        f.state |= P.FRAME_UPTODATE
    return f.state & P.FRAME_UPTODATE != 0


@kernel
def note_use(m, frame, entry):
    """A process gives up its entry for the page; the entry's accessed and dirty bits are kept with the page."""
    if entry & P.PTE_D:
        mark_dirty(m, frame)
    if entry & P.PTE_A:
        mark_accessed(m, frame)


@kernel
def make_evictable(m, frame):
    """No mapping keeps the page any more by mlock."""
    f = m.frame[frame]
    if f.state & P.FRAME_MLOCKED:
        f.state &= ~P.FRAME_MLOCKED
        lru_move(m, frame, P.LRU_INACTIVE_ANON if f.state & P.FRAME_SWAPBACKED else P.LRU_INACTIVE_FILE)
        m.vmstat.unevictable_pgs_munlocked += 1

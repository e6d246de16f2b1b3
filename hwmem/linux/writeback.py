"""Write-back: dirty pages of files go to their places on the disk.

    a write dirties a page ── more than 10 % of what could be cache is dirty: the flusher writes, beside the program
                           └─ more than 15 % is dirty or on its way: the writer waits for the disk
    msync, fsync, reclaim     those pages now

A page is write-protected in every process before it is written, so that the next write to it faults and makes it dirty
again (page_mkwrite): that is how Linux knows which pages of shared mappings are dirty. Pages are clean once the disk has
queued them; what the queue holds counts as on its way. The flusher starts when too much is dirty; that Linux's also
writes what is older than 30 seconds is left out. Its cycles are counted in m.files and charged to no core.
Source: mm/page-writeback.c (domain_dirty_limits, balance_dirty_pages, folio_clear_dirty_for_io), mm/rmap.c (folio_mkclean).
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import cold, kernel
from hwmem.core.service import kernel_access
from hwmem.linux.disk import backlog, wait_until, write_page
from hwmem.linux.frames import reserve
from hwmem.linux.page_cache import find_page, mark_clean
from hwmem.linux.page_table import find_place, read_entry, write_entry
from hwmem.linux.readahead import pages_in
from hwmem.linux.shootdown import finish_stores, shoot_down
from hwmem.memory.ram import poke8, ram_page

BACKGROUND, LIMIT = 10, 20  # percent: vm.dirty_background_ratio, vm.dirty_ratio
CHUNK = 1024  # pages that the flusher writes at once (MIN_WRITEBACK_PAGES)
WRITABLE = P.PTE_RW | P.PTE_D


@cold
def write_back(m, c, frame):
    """A dirty page of a file is on its way to the disk, clean from now on; the cycle at which it is there."""
    f = m.frame[frame]
    if f.maps:
        protect(m, c, np.int64(f.process), f.va)
        n = f.chain
        while n:
            protect(m, c, np.int64(m.rmap[n - 1].process), m.rmap[n - 1].va)
            n = m.rmap[n - 1].next
    mark_clean(m, frame)
    clear_tail(m, c, frame)
    return write_page(m, c, frame, m.file[f.file - 1].first + np.int64(f.index))


@kernel
def protect(m, c, p, va):
    """Process `p` can write to its page `va` only through a fault."""
    place = find_place(m, c, p, va, 0)
    if read_entry(m, p, place) & WRITABLE == 0:
        return
    finish_stores(m, p)
    write_entry(m, c, p, place, read_entry(m, p, place) & ~WRITABLE)
    shoot_down(m, c, p, va, va + P.PAGE)


@kernel
def clear_tail(m, c, frame):
    """Bytes of the last page behind the file's end are zero whenever it is written (fs/ext4/page-io.c)."""
    f = m.frame[frame]
    used = m.file[f.file - 1].length - (np.int64(f.index) << P.PAGE_SHIFT)
    if used < P.PAGE:
        clear_bytes(m, c, frame, max(used, 0))


@kernel
def clear_bytes(m, c, frame, used):
    """Zero what is in a frame from byte `used` on."""
    kernel_access(m, c, (frame << P.PAGE_SHIFT) + used, P.PAGE - used, 1)
    start = ram_page(m, frame)
    for host in range(start + used, start + P.PAGE):
        poke8(host, 0)


@cold
def sync_range(m, c, file, start, end):
    """Pages [start, end) of the file are on the disk when this returns (msync, fsync)."""
    done = m.core[c].cycles
    for index in range(start, min(end, pages_in(m, file))):
        if m.file[file].dirty == 0:
            break
        done = max(done, write_index(m, c, file, index))
    wait_until(m, c, done)


@kernel
def write_index(m, c, file, index):
    """Write page `index` if it is dirty; the cycle at which it is on the disk, or 0."""
    frame = find_page(m, file, index)
    if frame <= 0 or m.frame[frame].state & (P.FRAME_DIRTY | P.FRAME_LOCKED) != P.FRAME_DIRTY:
        return 0
    return write_back(m, c, frame)


@kernel
def dirtyable(m):
    """Frames that pages of files could have: those that do, and the free ones. Linux: global_dirtyable_memory."""
    return max(0, reserve(m) - m.frames.mark_high) + m.lru.pages[P.LRU_INACTIVE_FILE] + m.lru.pages[P.LRU_ACTIVE_FILE]


@kernel
def page_dirtied(m, c):
    """Core `c` has made a page dirty. Linux: balance_dirty_pages_ratelimited."""
    memory = dirtyable(m)
    if m.files.dirty * 100 > memory * BACKGROUND:
        flush_pages(m, c)
    most = memory * (BACKGROUND + LIMIT) // 200
    room = max(0, most - m.files.dirty) * m.disk.page_cycles
    excess = backlog(m, c) - room
    if excess > 0:
        m.files.throttled_cycles += excess
        wait_until(m, c, m.core[c].cycles + excess)


@cold
def flush_pages(m, c):
    """The flusher's turn: a chunk of dirty pages, file after file, each from where it was left."""
    start, left = m.core[c].cycles, CHUNK
    for _ in range(m.files.fresh):
        left = flush_file(m, c, m.files.hand, left)
        if left == 0 or m.files.dirty == 0:
            break
        m.files.hand = (m.files.hand + 1) % m.files.fresh
    m.files.flusher_cycles += m.core[c].cycles - start
    m.core[c].cycles = start


@kernel
def flush_file(m, c, file, left):
    """Up to `left` dirty pages of the file; how many of them are left."""
    f = m.file[file]
    for _ in range(pages_in(m, file)):
        if f.dirty == 0 or left == 0:
            break
        if f.hand >= pages_in(m, file):
            f.hand = 0
        left -= 1 if write_index(m, c, file, f.hand) else 0
        f.hand += 1
    return left

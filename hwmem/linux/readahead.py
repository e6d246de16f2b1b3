"""Read-ahead: what is read from a file in addition to the page that a fault needs.

    fault, page missing        MADV_RANDOM    that page alone
                               MADV_SEQUENTIAL, or code    that page and what follows it
                               else           read-around: the window lies around the page
    fault, page has a mark     the next window is read before it is needed: windows double up to 128 KiB
    madvise(WILLNEED)          the range

The pages of a window are one request to the disk, and no core waits for them; the first page beyond what is needed gets the mark
(FRAME_READAHEAD). When faults miss a hundred times more than they hit, read-around stops. Linux keeps the window for each open file; here a
file has one. This is a file system without large folios. Source: mm/filemap.c (do_sync_mmap_readahead, do_async_mmap_readahead),
mm/readahead.c (page_cache_async_ra).
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import cold, kernel
from hwmem.linux.disk import start_read, wait_until
from hwmem.linux.frames import take_frame
from hwmem.linux.page_cache import enter_cache, find_page, has_arrived, is_full

WINDOW = 32  # pages: the block device's read_ahead_kb, 128 KiB
LARGEST_REQUEST = 320  # pages of a WILLNEED: its max_sectors_kb, 1,280 KiB
LOTS_OF_MISSES = 100  # MMAP_LOTSAMISS
ALIGN = 4  # where a window read in advance ends


@kernel
def pages_in(m, file):
    """Pages that the file has, the last one perhaps in part."""
    return m.file[file].length + P.PAGE - 1 >> P.PAGE_SHIFT


@kernel
def start_page(m, c, file, index):
    """Page `index`, which is not in the cache, is on its way there: its frame, or -1."""
    if is_full(m):
        return -1
    frame = take_frame(m, c)
    if frame < 0:
        return -1
    enter_cache(m, frame, file, index)
    m.frame[frame].va = start_read(m, c, m.file[file].first + index, frame)
    return frame


@kernel
def await_page(m, c, frame):
    """Core `c` waits until the page in `frame` is there."""
    if not has_arrived(m, m.core[c].cycles, frame):
        wait_until(m, c, m.frame[frame].va)
        m.frame[frame].state |= P.FRAME_UPTODATE


@kernel
def read_pages(m, c, file, start, n, ahead):
    """What is missing of `n` pages from `start` on is read; before the last `ahead` of them is the mark.

    It is one request: its pages are there when the last of them is. Linux: do_page_cache_ra.
    """
    first, last = P.NEVER, 0
    end = min(start + n, pages_in(m, file))
    mark = end - ahead if ahead else end
    for index in range(start, end):
        if find_page(m, file, index) == 0:
            frame = start_page(m, c, file, index)
            if frame < 0:
                break
            last = m.frame[frame].va
            first = min(first, last)
            if index == mark:
                m.frame[frame].state |= P.FRAME_READAHEAD
    for index in range(start, end):
        frame = find_page(m, file, index)
        if frame > 0 and not m.frame[frame].state & P.FRAME_UPTODATE and m.frame[frame].va >= first:
            m.frame[frame].va = last


@kernel
def read_window(m, c, file, start, n, ahead):
    """Read the window of `n` pages from `start` on, its last `ahead` pages in advance, and remember it."""
    f = m.file[file]
    f.window, f.window_pages, f.window_ahead = start, n, ahead
    read_pages(m, c, file, start, n, ahead)


@cold
def read_missing(m, c, v, file, index):
    """A fault in VMA `v` misses page `index`: read-ahead as the VMA wants it. Linux: do_sync_mmap_readahead."""
    f, vma = m.file[file], m.vma[v]
    if vma.vm_flags & (P.VM_RANDOM | P.VM_EXEC) == P.VM_RANDOM:
        return
    if vma.vm_flags & P.VM_SEQUENTIAL:
        if index == 0:
            read_window(m, c, file, 0, WINDOW, WINDOW // 2)
        else:
            read_pages(m, c, file, index, WINDOW, 0)
        return
    f.misses = min(f.misses + 1, 10 * LOTS_OF_MISSES)
    if f.misses > LOTS_OF_MISSES:
        return
    if vma.vm_flags & P.VM_EXEC:
        end = min(index + WINDOW, vma.pgoff + (vma.end - vma.start >> P.PAGE_SHIFT))
        read_window(m, c, file, index, end - index, 0)
    else:
        read_window(m, c, file, max(0, index - WINDOW // 2), WINDOW, WINDOW // 4)


@kernel
def page_was_there(m, c, v, file, frame):
    """A fault in VMA `v` found its page in the cache. Linux: do_async_mmap_readahead."""
    f = m.file[file]
    if m.vma[v].vm_flags & P.VM_RANDOM:
        return
    if has_arrived(m, m.core[c].cycles, frame):
        f.misses = max(f.misses - 1, 0)
    if m.frame[frame].state & P.FRAME_READAHEAD:
        read_next_window(m, c, file, frame)


@cold
def read_next_window(m, c, file, frame):
    """The mark is reached: the window after the last one, or after what is there. Linux: page_cache_async_ra."""
    f = m.file[file]
    index = np.int64(m.frame[frame].index)
    m.frame[frame].state &= ~P.FRAME_READAHEAD
    if index == f.window + f.window_pages - f.window_ahead:
        start = f.window + f.window_pages
        n = max(f.window_pages, doubled(f.window_pages))
    else:  # somebody else's window: it ends where pages are missing
        start = index + 1
        while start <= index + WINDOW and find_page(m, file, start):
            start += 1
        if start > index + WINDOW:
            return
        n = doubled(start - index + WINDOW)
    over = (start + n) % ALIGN
    n -= over if over < n else 0
    read_window(m, c, file, start, n, n)


@kernel
def doubled(n):
    """Pages of the window after one of `n`. Linux: get_next_ra_size."""
    if n < WINDOW // 16:
        return 4 * n
    return min(2 * n, WINDOW)


@kernel
def will_need(m, c, file, start, n):
    """MADV_WILLNEED for `n` pages of the file: they are on their way. Linux: force_page_cache_ra."""
    if not m.file[file].shared:
        read_pages(m, c, file, start, min(n, LARGEST_REQUEST), 0)

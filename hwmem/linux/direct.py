"""pread of a file opened with O_DIRECT: pages go from the disk straight into the program's own memory.

Used by programs that decide for themselves what is in RAM (an overlay manager, a database): the page cache is neither consulted nor filled.
Buffer, length and offset are whole pages. The buffer is faulted in as a store would; all pages are requested at once, and the caller waits
for the last. Bytes that the page cache has newer than the disk are written back first. Source: mm/filemap.c (generic_file_read_iter,
kiocb_write_and_wait), fs/iomap/direct-io.c.
"""

from hwmem import params as P
from hwmem._jit import call_door, cold, kernel
from hwmem.linux.disk import start_read, wait_until
from hwmem.linux.exec import task_end
from hwmem.linux.populate import is_ready, populate_for
from hwmem.linux.page_cache import find_page
from hwmem.linux.page_table import frame_at, look_up
from hwmem.linux.shootdown import finish_stores
from hwmem.linux.vma_tree import find_vma
from hwmem.linux.writeback import write_back


@cold
def sys_pread(m, t, file, va, length, offset):
    """pread(2): bytes read, fewer at the file's end, or -errno."""
    p, c = m.thread[t].process, m.thread[t].core
    if not (0 <= file < P.MAX_FILES and m.file[file].alive and m.file[file].shared == 0):
        return -P.EBADF
    if offset < 0:
        return -P.EINVAL
    end = task_end(m.process[p].layout)
    if va < 0 or va > end or length < 0 or length > end - va:  # access_ok
        return -P.EFAULT
    if (va | length | offset) & P.PAGE - 1 or offset > P.UNLIMITED - length:
        return -P.EINVAL
    length = min(length, max(m.file[file].length - offset, 0))
    pages = length + P.PAGE - 1 >> P.PAGE_SHIFT
    if populate_for(m, c, p, va, va + pages * P.PAGE, True) < 0:
        return -P.EFAULT
    finish_stores(m, p)
    done = m.core[c].cycles
    for i in range(pages):
        frame = frame_behind(m, c, p, va + i * P.PAGE)
        if frame < 0:
            return -P.EFAULT
        cached = find_page(m, file, (offset >> P.PAGE_SHIFT) + i)
        if cached > 0 and m.frame[cached].state & P.FRAME_DIRTY:
            write_back(m, c, cached)
        done = start_read(m, c, m.file[file].first + (offset >> P.PAGE_SHIFT) + i, frame)
    wait_until(m, c, done)
    return length


@kernel
def frame_behind(m, c, p, va):
    """The frame of the page at `va`, brought back if it was reclaimed since; -1 without memory."""
    if not is_ready(m, p, va, 1) and call_door(m, P.DOOR_HANDLE_FAULT, c, find_vma(m, p, va), va, 1) < 0:
        return -1
    entry = look_up(m, p, va)
    within = va >> P.PAGE_SHIFT & P.HUGE_FRAMES - 1 if entry & P.PTE_PS else 0
    return frame_at(entry) + within

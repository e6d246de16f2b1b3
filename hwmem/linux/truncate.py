"""System calls on files: ftruncate, fsync, msync. A file is known by its number, which is what mmap takes as a descriptor.

A file made shorter leaves every address space: pages behind its end are unmapped, private copies of them too, and
dropped unwritten; a touch is SIGBUS from then on. What the disk holds there is zero, should the file grow again.
Source: mm/truncate.c (truncate_pagecache), mm/memory.c (unmap_mapping_range), mm/msync.c, fs/ext4/inode.c
(ext4_block_truncate_page).
"""

from hwmem import params as P
from hwmem._jit import cold, kernel
from hwmem.linux.frames import give_frame
from hwmem.linux.mapping import is_file
from hwmem.linux.page_cache import find_page, leave_cache, mark_dirty
from hwmem.linux.pages import zap_range
from hwmem.linux.readahead import await_page, pages_in
from hwmem.linux.shootdown import finish_stores, shoot_down
from hwmem.linux.vma_tree import find_vma
from hwmem.linux.writeback import clear_bytes, sync_range
from hwmem.memory.ram import disk_page, poke8, release_host
from hwmem.linux.ranges import range_end

LONGEST_FILE = (1 << 44) - P.PAGE  # ext4's, with blocks of 4 KiB
MS_ALL = P.MS_ASYNC | P.MS_INVALIDATE | P.MS_SYNC


@cold
def sys_ftruncate(m, t, file, length):
    """ftruncate(2). What the disk has room for behind the file's first page limits its length (ENOSPC)."""
    if not is_file(m, file):
        return -P.EBADF
    if length < 0:
        return -P.EINVAL
    if length > LONGEST_FILE:
        return -P.EFBIG
    f, c = m.file[file], m.thread[t].core
    if length > f.pages << P.PAGE_SHIFT:
        return -P.ENOSPC
    old, edge = pages_in(m, file), min(f.length, length)
    f.length = length
    kept = pages_in(m, file)
    unmap_file(m, c, file, kept)
    for index in range(kept, old):
        frame = find_page(m, file, index)
        if frame:
            leave_cache(m, frame)
            give_frame(m, c, frame)
    frame = find_page(m, file, edge >> P.PAGE_SHIFT) if edge & P.PAGE - 1 else 0
    if frame:  # the page that was cut, or ended there so far, is zero behind its edge
        await_page(m, c, frame)
        clear_bytes(m, c, frame, edge & P.PAGE - 1)
        mark_dirty(m, frame)
    clear_disk(m, f.first, length, old)
    return 0


@kernel
def clear_disk(m, first, length, pages):
    """The disk holds zeros behind byte `length` of a run of `pages` from page `first` on."""
    whole = length + P.PAGE - 1 >> P.PAGE_SHIFT
    if length & P.PAGE - 1:
        last = disk_page(m, first + whole - 1)
        for host in range(last + (length & P.PAGE - 1), last + P.PAGE):
            poke8(host, 0)
    if whole < pages:
        release_host(disk_page(m, first + whole), pages - whole << P.PAGE_SHIFT)


@kernel
def unmap_file(m, c, file, kept):
    """No process maps anything of the file but its first `kept` pages."""
    for p in range(P.MAX_PROCESSES):
        v = m.process[p].first_vma - 1 if m.process[p].alive else -1
        while v >= 0:
            vma = m.vma[v]
            start = max(vma.start, vma.start + (kept - vma.pgoff << P.PAGE_SHIFT))
            if vma.file == file + 1 and start < vma.end:
                finish_stores(m, p)
                if zap_range(m, c, p, start, vma.end, 0):
                    shoot_down(m, c, p, start, vma.end)
            v = vma.next - 1


@kernel
def sys_fsync(m, t, file):
    """fsync(2)."""
    if not is_file(m, file):
        return -P.EBADF
    sync_range(m, m.thread[t].core, file, 0, pages_in(m, file))
    return 0


@kernel
def sys_msync(m, t, start, length, flags):
    """msync(2)."""
    end = range_end(start, length)
    if flags & ~MS_ALL or start & P.PAGE - 1 or flags & (P.MS_ASYNC | P.MS_SYNC) == P.MS_ASYNC | P.MS_SYNC:
        return -P.EINVAL
    if end < start:
        return -P.ENOMEM
    return sync_mappings(m, t, start, end, flags) if end > start else 0


@kernel
def sync_mappings(m, t, start, end, flags):
    """Write what [start, end) maps, shared, of files; -ENOMEM after that if part of it is not mapped."""
    p, c, hole = m.thread[t].process, m.thread[t].core, 0
    while start < end:
        v = find_vma(m, p, start)
        if v < 0:
            return -P.ENOMEM
        vma = m.vma[v]
        if start < vma.start:
            hole = -P.ENOMEM
            if flags == P.MS_ASYNC or vma.start >= end:
                return hole
            start = vma.start
        if flags & P.MS_INVALIDATE and vma.vm_flags & P.VM_LOCKED:
            return -P.EBUSY
        if flags & P.MS_SYNC and vma.file and vma.vm_flags & P.VM_SHARED and not m.file[vma.file - 1].shared:
            first = vma.pgoff + (start - vma.start >> P.PAGE_SHIFT)
            sync_range(m, c, vma.file - 1, first, first + (min(end, vma.end) - start >> P.PAGE_SHIFT))
        start = vma.end
    return hole

"""Faults on mappings of files and of shared memory, and reclaim of the pages they map.

    read              the page from the cache, and with it those of its 64 KiB that are there (fault-around)
    private write     a copy, anonymous from the start
    shared write      the page itself, dirty

A page that is not in the cache is read from the disk: a major fault, with read-ahead; one whose read is under way is waited for, which is
minor (arch/x86/mm/fault.c counts the second try of a fault as major only if the first was). A page beyond the file's end is refused
(SIGBUS), after what lies around it has been mapped. An entry of a shared mapping of a file stays read-only until a write faults and the
page is dirty (writeback.py); shared memory has no such accounting. Source: mm/memory.c (do_read_fault, do_cow_fault, do_shared_fault,
do_fault_around, wp_page_shared), mm/filemap.c (filemap_fault, filemap_map_pages). x86 maps pages around a fault as accessed
(arch_wants_old_prefaulted_pte).
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import cold, kernel
from hwmem.core.service import drain_all, kernel_access, table_access
from hwmem.linux.disk import copy_frame, is_congested, throttle
from hwmem.linux.frames import give_frame, take_frame
from hwmem.linux.page_cache import find_page, has_arrived, leave_cache, mark_dirty
from hwmem.linux.page_table import entry_width, find_place, frame_at, read_entry, write_entry
from hwmem.linux.pages import USER_ENTRY, clean_mark, count_rss, enter_anon, leave_frame
from hwmem.linux.readahead import await_page, page_was_there, pages_in, read_missing, start_page
from hwmem.linux.rmap import add_mapping
from hwmem.linux.shmem import page_gone, shared_page, swap_out
from hwmem.linux.shootdown import finish_stores, shoot_down
from hwmem.linux.swap import free_slot, take_slot
from hwmem.linux.vma import prepare_anon
from hwmem.linux.writeback import page_dirtied, write_back

FAULT_AROUND = 16  # pages: fault_around_bytes
OWN_ENTRY = USER_ENTRY | P.PTE_RW | P.PTE_D
SHARED_WRITE = P.VM_SHARED | P.VM_WRITE
WRITE, FRESH = 1, 2  # of a fault, beside the page's address: it is a write's; it is the first in its leaf table
KEPT = P.FRAME_LOCKED | P.FRAME_MLOCKED


@kernel
def file_fault(m, c, v, what, place):
    """The entry at `place`, of a page of VMA `v`, a mapping of a file, is empty. 0 minor, 1 major, -ENOMEM, -EFAULT.

    `what`: the page's address, with the bits WRITE and FRESH.
    """
    va, write, fresh = what & ~(P.PAGE - 1), what & WRITE, what & FRESH != 0
    file = file_of(m, v)
    index = m.vma[v].pgoff + (va - m.vma[v].start >> P.PAGE_SHIFT)
    if not write and map_around(m, c, v, va, place, fresh):
        return 0
    copies = write and not m.vma[v].vm_flags & P.VM_SHARED
    if copies:
        prepare_anon(m, v)  # before it is known that there is a page to copy
    if index >= pages_in(m, file):
        return -P.EFAULT
    if copies:
        return copy_fault(m, c, v, va, place, index)
    found = cached_page(m, c, v, file, index)
    if found < 0:
        return -P.ENOMEM
    if write or m.file[file].shared or not map_around(m, c, v, va, place, fresh):  # after I/O the fault is tried again
        map_frame(m, c, v, va, place, found >> 1)
    if write:
        make_shared_writable(m, c, v, va, place)
    return found & 1


@kernel
def file_of(m, v):
    return np.int64(m.vma[v].file) - 1


@kernel
def is_write_free(m, frame, entry):
    """Whether an entry of a shared mapping may be written without a fault: shared memory's, and one that is dirty already.

    Linux: vma_wants_writenotify, can_change_shared_pte_writable.
    """
    return m.file[m.frame[frame].file - 1].shared != 0 or entry & P.PTE_D != 0


@kernel
def map_frame(m, c, v, va, place, frame):
    """The entry at `place`, for `va`, leads to a page of the cache."""
    p = np.int64(m.vma[v].process)
    mark = clean_mark(m, v)
    writable = m.vma[v].vm_flags & SHARED_WRITE == SHARED_WRITE and mark == 0 and is_write_free(m, frame, 0)
    add_mapping(m, frame, p, va)
    count_rss(m, p, frame, 1)
    write_entry(m, c, p, place, frame * P.PAGE | USER_ENTRY | mark | (P.PTE_RW if writable else 0))


@kernel
def make_shared_writable(m, c, v, va, place):
    """A write to a page of a shared mapping whose entry at `place` is read-only. 0. Linux: wp_page_shared."""
    p = np.int64(m.vma[v].process)
    entry = read_entry(m, p, place)
    frame = frame_at(entry)
    write_entry(m, c, p, place, entry & ~P.PTE_CLEARED | OWN_ENTRY)
    mark_dirty(m, frame)
    if not m.file[file_of(m, v)].shared:
        m.frame[frame].state |= P.FRAME_LOCKED
        page_dirtied(m, c)
        m.frame[frame].state &= ~P.FRAME_LOCKED
    return 0


@kernel
def cached_page(m, c, v, file, index):
    """Page `index`, in the cache and up to date: its frame * 2, plus 1 if it had to be read from the disk; -1: no memory."""
    if m.file[file].shared:
        return shared_page(m, c, file, index)
    frame = find_page(m, file, index)
    major = 0 if frame else 1
    if frame:
        m.frame[frame].state |= P.FRAME_LOCKED
        page_was_there(m, c, v, file, frame)
        m.frame[frame].state &= ~P.FRAME_LOCKED
    else:
        read_missing(m, c, v, file, index)
        frame = find_page(m, file, index)
        if frame == 0:
            frame = start_page(m, c, file, index)
        if frame < 0:
            return -1
    await_page(m, c, frame)
    return frame * 2 + major


@kernel
def map_around(m, c, v, va, place, fresh):
    """Map what the cache has of the 64 KiB around `va`; whether the page at `va` was there. Linux: do_fault_around,
    filemap_map_pages. Pages with read-ahead's mark are left out, so that a fault meets the mark. Linux 6.18 gives up where
    it has no leaf table yet and the first page it finds is the file's last (can_map_large is meant for huge pages)."""
    vma, p, file = m.vma[v], np.int64(m.vma[v].process), file_of(m, v)
    index = vma.pgoff + (va - vma.start >> P.PAGE_SHIFT)
    width = entry_width(m, p)
    slot = (place & P.PAGE - 1) // width
    last = pages_in(m, file) - 1
    first = max(slot & ~(FAULT_AROUND - 1), slot - (va - vma.start >> P.PAGE_SHIFT))
    end = min(first + FAULT_AROUND, P.PAGE // width, slot + (vma.end - va >> P.PAGE_SHIFT), slot + last + 1 - index)
    if end > first:
        table_access(m, c, place + (first - slot) * width, (end - first) * width, 0)
    for i in range(first - slot, end - slot):
        frame = find_page(m, file, index + i)
        if frame > 0 and has_arrived(m, m.core[c].cycles, frame) and not m.frame[frame].state & P.FRAME_READAHEAD:
            if fresh and index + i == last and not m.file[file].shared:
                return False
            fresh = False
            m.file[file].misses = max(m.file[file].misses - 1, 0)
            if read_entry(m, p, place + i * width) == 0:
                map_frame(m, c, v, va + i * P.PAGE, place + i * width, frame)
    return read_entry(m, p, place) != 0


@kernel
def copy_fault(m, c, v, va, place, index):
    """A write to a page of a private mapping that is not there: a copy of the file's page, never that page itself."""
    p = np.int64(m.vma[v].process)
    copy = take_frame(m, c)
    if copy < 0:
        return -P.ENOMEM
    found = cached_page(m, c, v, file_of(m, v), index)
    if found < 0:
        give_frame(m, c, copy)
        return -P.ENOMEM
    drain_all(m, c)
    source = found >> 1
    for line in range(0, P.PAGE, P.LINE):
        kernel_access(m, c, source * P.PAGE + line, P.LINE, 0)
        kernel_access(m, c, copy * P.PAGE + line, P.LINE, 1)
    copy_frame(m, source, copy)
    m.frame[copy].state = 0
    enter_anon(m, p, va, copy)
    write_entry(m, c, p, place, copy * P.PAGE | OWN_ENTRY)
    return found & 1


@kernel
def cached_at(m, c, file, index):
    """1 if page `index` of the file is in the page cache, as core `c` sees it now: what mincore says of it."""
    frame = find_page(m, file, index)
    return 1 if frame > 0 and has_arrived(m, m.core[c].cycles, frame) else 0


@cold
def drop_cached(m, c, frame):
    """Reclaim: the page leaves all its processes and the cache, by way of the disk if it is dirty, and its frame is free.

    False, with nothing done, if it is in use, being read from the disk, or has no free swap slot.
    """
    f = m.frame[frame]
    if f.state & KEPT or not has_arrived(m, m.core[c].cycles, frame):
        return False
    if is_congested(m, c) and not m.reclaim.kswapd:
        throttle(m, c)
    if m.file[f.file - 1].shared:
        return drop_shared(m, c, frame)
    unmap_everywhere(m, c, frame)
    if f.state & P.FRAME_DIRTY:
        write_back(m, c, frame)
    leave_cache(m, frame)
    give_frame(m, c, frame)
    return True


@kernel
def drop_shared(m, c, frame):
    slot = take_slot(m, np.int64(m.frame_group[frame]))
    if slot < 0:
        return False
    unmap_everywhere(m, c, frame)
    if m.frame[frame].state & P.FRAME_DIRTY:
        swap_out(m, c, frame, slot)
    else:  # nobody has written to it: it is zero, and will be again
        free_slot(m, slot)
        page_gone(m, np.int64(m.frame[frame].file) - 1)
        leave_cache(m, frame)
        give_frame(m, c, frame)
    return True


@kernel
def unmap_everywhere(m, c, frame):
    f = m.frame[frame]
    while f.maps:
        unmap_page(m, c, np.int64(f.process), f.va, frame)


@kernel
def unmap_page(m, c, p, va, frame):
    """Process `p` maps the page at `va` no more."""
    finish_stores(m, p)
    place = find_place(m, c, p, va, 0)
    if read_entry(m, p, place) & P.PTE_D:
        mark_dirty(m, frame)
    write_entry(m, c, p, place, 0)
    leave_frame(m, c, p, va, frame)
    shoot_down(m, c, p, va, va + P.PAGE)

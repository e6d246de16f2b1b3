"""Shared memory: files without a name and without a place on the disk, for MAP_SHARED | MAP_ANONYMOUS mappings.

mmap makes one (new_shmem), every VMA that maps it is a user (get_file, count_users, put_file), and with the last of them
its pages go. A page is zero when it is first asked for; it lives in the page cache, and reclaim sends it to a swap slot,
whose number then stands in the page cache's table in its place; a page that nobody has written to is simply dropped. The
next fault reads it back, alone: what Linux reads ahead of a shared page, and the time it spends in the swap cache, are
left out.
Invariant: swap_map of such a slot is 1, m.swap_owner names the page. Source: mm/shmem.c (shmem_get_folio_gfp,
shmem_swapin_folio, shmem_writeout).
"""
import numpy as np

from hwmem import params as P
from hwmem._jit import cold, kernel
from hwmem.core.service import kernel_access
from hwmem.linux.disk import read_page, write_page
from hwmem.linux.frames import give_frame, take_frame, take_zeroed
from hwmem.linux.page_cache import enter_cache, find_page, free_place, is_full, leave_cache, place_of
from hwmem.linux.readahead import pages_in
from hwmem.linux.swap import put_slot


@cold
def new_shmem(m, pages):
    """A nameless file for a shared anonymous mapping of `pages`: its number, or -1. It has no user yet."""
    for file in range(P.MAX_FILES):
        f = m.file[file]
        if f.alive == 0:
            f.alive = f.shared = 1
            f.length = pages << P.PAGE_SHIFT
            f.users = f.cached = f.dirty = 0
            return file
    return -1


@kernel
def get_file(m, file):
    """One VMA more maps file `file` (its number)."""
    m.file[file].users += 1


@kernel
def count_users(m, file, more):
    """`more` VMAs more map it, or fewer, after a merge or a split; one at least remains."""
    m.file[file].users += more


@kernel
def put_file(m, c, file):
    """One VMA fewer maps it, and what that one mapped is unmapped; with its last one shared memory goes."""
    f = m.file[file]
    f.users -= 1
    if f.users == 0 and f.shared:
        free_shmem(m, c, file)


@cold
def free_shmem(m, c, file):
    """Its pages go; where it is longer than memory and swap are, by asking each frame and slot whose it is."""
    if pages_in(m, file) <= m.frames.fresh + m.swap.fresh:
        for index in range(pages_in(m, file)):
            free_page(m, c, file, index)
    else:
        for frame in range(1, m.frames.fresh):
            f = m.frame[frame]
            if f.state & P.FRAME_CACHED and f.file == file + 1:
                free_page(m, c, file, np.int64(f.index))
        for slot in range(m.swap.fresh):
            if m.swap_owner[slot].file == file + 1:
                free_page(m, c, file, np.int64(m.swap_owner[slot].index))
    m.file[file].alive = m.file[file].shared = 0


@kernel
def free_page(m, c, file, index):
    held = find_page(m, file, index)
    if held > 0:
        leave_cache(m, held)
        give_frame(m, c, held)
    elif held < 0:
        leave_slot(m, file, index, -1 - held)


@kernel
def leave_slot(m, file, index, slot):
    """The page is in the slot no more, nor in the table."""
    free_place(m, place_of(m, file, index))
    m.swap_owner[slot].file = 0
    m.files.swapped -= 1
    put_slot(m, slot)


@kernel
def shared_page(m, c, file, index):
    """Page `index` of shared memory, brought into the cache: its frame * 2, plus 1 where the swap device was read; -1."""
    held = find_page(m, file, index)
    if held > 0:
        return held * 2
    if held < 0:
        return read_back(m, c, file, index, -1 - held)
    frame = -1 if is_full(m) else take_zeroed(m, c)
    if frame < 0:
        return -1
    kernel_access(m, c, frame * P.PAGE, P.PAGE, 1)
    enter_cache(m, frame, file, index)
    m.frame[frame].state |= P.FRAME_UPTODATE
    return frame * 2


@cold
def read_back(m, c, file, index, slot):
    frame = take_frame(m, c)
    if frame < 0:
        return -1
    read_page(m, c, slot, frame)
    m.vmstat.pswpin += 1
    leave_slot(m, file, index, slot)
    enter_cache(m, frame, file, index)
    m.frame[frame].state |= P.FRAME_UPTODATE | P.FRAME_DIRTY
    return frame * 2 + 1


@kernel
def swap_out(m, c, frame, slot):
    """A page of shared memory that nobody maps goes to `slot`; its frame is free."""
    file, index = np.int64(m.frame[frame].file) - 1, np.int64(m.frame[frame].index)
    write_page(m, c, frame, slot)
    m.vmstat.pswpout += 1
    leave_cache(m, frame)
    give_frame(m, c, frame)
    owner = m.swap_owner[slot]
    owner.file, owner.index = file + 1, index
    m.swap_map[slot] = 1
    m.page_cache[place_of(m, file, index)] = -1 - slot
    m.files.swapped += 1

"""Shared memory: files without a name and without a place on the disk, for MAP_SHARED | MAP_ANONYMOUS mappings.

mmap makes one (new_shmem) and charges it to overcommit, whatever the rights of the mapping; every VMA that maps it is a user (get_file, count_users, put_file), and with the last of them
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
from hwmem.linux.commit import charge, uncharge
from hwmem.linux.disk import read_page, write_page
from hwmem.linux.frames import give_frame, take_frame, take_zeroed
from hwmem.linux.page_cache import enter_cache, find_page, free_place, is_full, leave_cache, place_of
from hwmem.linux.readahead import pages_in
from hwmem.linux.swap import put_slot

PROMISED, ON_DEMAND = 1, 2  # file.shared: its whole length is charged to overcommit from the start; each page when it comes


@kernel
def take_number(m):
    """A number that no file has, or -1: that of the last one which went, or one never used."""
    if m.files.free:
        file = m.files.free - 1
        m.files.free = m.file[file].window
        m.file[file].window = 0
        return file
    if m.files.fresh == P.MAX_FILES:
        return -1
    m.files.fresh += 1
    return m.files.fresh - 1


@kernel
def has_number(m):
    return m.files.free != 0 or m.files.fresh < P.MAX_FILES


@cold
def new_shmem(m, p, pages, promise):
    """A nameless file for a shared anonymous mapping of `pages`: its number (has_number), or -ENOMEM. It has no user yet.

    All of it is promised to process `p`, or without `promise` (MAP_NORESERVE) each page when it is there.
    """
    if promise and not charge(m, p, pages):
        return -P.ENOMEM
    file = take_number(m)
    f = m.file[file]
    f.alive, f.shared = 1, PROMISED if promise else ON_DEMAND
    f.length = pages << P.PAGE_SHIFT
    f.users = f.cached = f.dirty = f.pages = 0
    return file


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
    f = m.file[file]
    if pages_in(m, file) <= m.frames.fresh + m.swap.fresh:
        for index in range(pages_in(m, file)):
            drop_shared_page(m, c, file, index)
    else:
        for frame in range(1, m.frames.fresh):
            if m.frame[frame].state & P.FRAME_CACHED and m.frame[frame].file == file + 1:
                drop_shared_page(m, c, file, np.int64(m.frame[frame].index))
        for slot in range(m.swap.fresh):
            if m.swap_owner[slot].file == file + 1:
                drop_shared_page(m, c, file, np.int64(m.swap_owner[slot].index))
    if f.shared == PROMISED:
        uncharge(m, pages_in(m, file))
    f.alive = f.shared = 0
    f.window, m.files.free = m.files.free, file + 1  # the list of free numbers


@kernel
def drop_shared_page(m, c, file, index):
    """Page `index`, which nobody maps, is no more, if it is there."""
    held = find_page(m, file, index)
    if held > 0:
        leave_cache(m, held)
        give_frame(m, c, held)
    elif held < 0:
        leave_slot(m, file, index, -1 - held)
    if held:
        page_gone(m, file)


@kernel
def page_gone(m, file):
    """A page of shared memory is neither in RAM nor in a slot from now on."""
    if m.file[file].shared == ON_DEMAND:
        uncharge(m, 1)


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
    if m.file[file].shared == ON_DEMAND:
        m.mm.committed += 1  # one page is never refused where this is allowed (overcommit 0, 1)
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

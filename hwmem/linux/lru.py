"""LRU lists: frames that can be reclaimed, in the order in which they came.

    LRU_INACTIVE_ANON  LRU_ACTIVE_ANON       swap-backed pages
    LRU_INACTIVE_FILE  LRU_ACTIVE_FILE       pages of files, and lazily freed anonymous ones (MADV_FREE)
    LRU_UNEVICTABLE                          mlocked

A list's head is its newest frame; reclaim.py takes from the tail. A huge page is on a list with its first frame and
counts as 512. Invariant: a frame is on at most one list, and `lru` says which.
Source: include/linux/mm_inline.h.
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import kernel
from hwmem.linux.group import count_listed


@kernel
def frames_of(m, frame):
    """4 KiB frames of the page whose first frame this is."""
    return P.HUGE_FRAMES if m.frame[frame].state & P.FRAME_HEAD else 1


@kernel
def insert(m, frame, which, before, after):
    """Put a frame into list `which` between two neighbours, 0: none there."""
    lists, f = m.lru, m.frame[frame]
    f.lru, f.prev, f.next = which, before, after
    if before:
        m.frame[before].next = frame
    else:
        lists.head[which] = frame
    if after:
        m.frame[after].prev = frame
    else:
        lists.tail[which] = frame
    lists.pages[which] += frames_of(m, frame)
    if m.groups:
        count_listed(m, frame, which, frames_of(m, frame))


@kernel
def lru_add(m, frame, which):
    """Put a frame at the head of list `which`."""
    insert(m, frame, which, 0, m.lru.head[which])


@kernel
def lru_remove(m, frame):
    """Take a frame off its list, if it is on one."""
    lists, f = m.lru, m.frame[frame]
    which = f.lru
    if which == P.LRU_NONE:
        return
    if f.prev:
        m.frame[f.prev].next = f.next
    else:
        lists.head[which] = f.next
    if f.next:
        m.frame[f.next].prev = f.prev
    else:
        lists.tail[which] = f.prev
    lists.pages[which] -= frames_of(m, frame)
    if m.groups:
        count_listed(m, frame, which, -frames_of(m, frame))
    f.lru = P.LRU_NONE


@kernel
def pages_on(m, which):
    """Pages of list `which` that reclaim looks at: all, or those of one group."""
    g = m.reclaim.group
    return m.group[g].pages[which] if g else m.lru.pages[which]


@kernel
def oldest(m, which):
    """The next frame of list `which` to be reclaimed, 0: none."""
    frame = np.int64(m.lru.tail[which])
    g = m.reclaim.group
    while frame and g and m.frame_group[frame] != g:
        frame = np.int64(m.frame[frame].prev)
    return frame


@kernel
def lru_move(m, frame, which):
    lru_remove(m, frame)
    lru_add(m, frame, which)


@kernel
def lru_add_tail(m, frame, which):
    """Put a frame at the tail of list `which`: the next to be reclaimed."""
    insert(m, frame, which, m.lru.tail[which], 0)

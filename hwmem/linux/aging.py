"""Aging: which pages have been used lately, according to the accessed bits of the entries that map them.

    used once   stays for another round of the inactive list, marked REFERENCED
    used twice  (or by two mappings, or an executable file's page) becomes active
    not used    is reclaimed

Pages of the active list are not checked for a long time: the oldest move to the inactive list while that is the shorter one, and are tested
there. Accessed bits are cleared without a TLB flush, as x86 does: a page whose translation a TLB keeps looks unused until the TLB forgets
it. Source: mm/vmscan.c (folio_check_references, shrink_active_list, inactive_is_low), mm/rmap.c (folio_referenced_one).
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import kernel
from hwmem.core.service import table_access
from hwmem.linux.lru import frames_of, lru_move, oldest, pages_on
from hwmem.linux.page_table import entry_width, find_place, read_entry, write_entry
from hwmem.linux.pages import NO_RECENCY
from hwmem.linux.rmap import HUGE_MAPPING
from hwmem.linux.vma_tree import vma_at

KEEP, ACTIVATE, RECLAIM = range(3)


@kernel
def is_file_page(m, frame):
    """1 for pages of the file lists: those of files, and the lazily freed."""
    return 0 if m.frame[frame].state & P.FRAME_SWAPBACKED else 1


@kernel
def fate_of(m, c, frame):
    """What becomes of a page from the tail of an inactive list: KEEP, ACTIVATE or RECLAIM."""
    f = m.frame[frame]
    used = count_uses(m, c, frame)
    marked = f.state & P.FRAME_REFERENCED
    f.state &= ~P.FRAME_REFERENCED
    if used == 0:
        return KEEP if marked and f.state & P.FRAME_CACHED and f.state & P.FRAME_DIRTY else RECLAIM
    f.state |= P.FRAME_REFERENCED
    if marked or used > 1:
        return ACTIVATE
    return ACTIVATE if f.state & P.FRAME_CACHED and is_executable(m, frame) else KEEP


@kernel
def count_uses(m, c, frame):
    """Mappings through which the page has been accessed since the last check."""
    if not m.frame[frame].state & P.FRAME_HEAD:
        return count_uses_of(m, c, frame)
    used = 0
    for part in range(frame, frame + P.HUGE_FRAMES):
        used += count_uses_of(m, c, part)
    return used


@kernel
def count_uses_of(m, c, frame):
    f = m.frame[frame]
    if f.maps + f.huge_maps == 0:
        return 0
    used = take_accessed(m, c, frame, np.int64(f.process), f.va)
    n = f.chain
    while n:
        used += take_accessed(m, c, frame, np.int64(m.rmap[n - 1].process), m.rmap[n - 1].va)
        n = m.rmap[n - 1].next
    return used


@kernel
def take_accessed(m, c, frame, p, va):
    """1 if process `p` has accessed the page at `va` (bit 0: of 2 MiB), whose bit is clear from now on. A page that is in a
    locked VMA is found out here."""
    flags = flags_at(m, p, va)
    if flags & P.VM_LOCKED and not m.frame[frame].state & P.FRAME_MLOCKED:
        m.frame[frame].state |= P.FRAME_MLOCKED
        m.vmstat.unevictable_pgs_mlocked += 1
    place = find_place(m, c, p, va & ~HUGE_MAPPING, va & HUGE_MAPPING)
    table_access(m, c, place, entry_width(m, p), 0)
    entry = read_entry(m, p, place)
    if not entry & P.PTE_A or flags & NO_RECENCY:
        return 0
    write_entry(m, c, p, place, entry & ~P.PTE_A)
    return 1


@kernel
def is_executable(m, frame):
    """Whether the first mapping of a page may be executed."""
    f = m.frame[frame]
    return flags_at(m, np.int64(f.process), f.va) & P.VM_EXEC != 0


@kernel
def flags_at(m, p, va):
    """vm_flags of the VMA at `va`; 0 while there is none: it is being unmapped."""
    v = vma_at(m, p, va)
    return m.vma[v].vm_flags if v >= 0 else 0


@kernel
def activate(m, frame):
    """The page goes to the head of its active list."""
    m.vmstat.pgactivate += frames_of(m, frame)
    m.lru.age += frames_of(m, frame)
    lru_move(m, frame, P.LRU_ACTIVE_FILE if is_file_page(m, frame) else P.LRU_ACTIVE_ANON)


@kernel
def deactivate(m, frame):
    """MADV_COLD: an active page goes to the head of its inactive list. Linux: mm/swap.c, lru_deactivate."""
    which = np.int64(m.frame[frame].lru)
    if which == P.LRU_ACTIVE_ANON or which == P.LRU_ACTIVE_FILE:
        m.frame[frame].state &= ~P.FRAME_REFERENCED
        m.vmstat.pgdeactivate += frames_of(m, frame)
        lru_move(m, frame, which - 1)


@kernel
def inactive_is_low(m, inactive):
    """Whether the inactive list is too short compared with its active one: 1 to 1 below 1 GiB, 1 to sqrt(10 * GiB) above."""
    short, long = pages_on(m, inactive), pages_on(m, inactive + 1)
    gib = short + long >> 30 - P.PAGE_SHIFT
    ratio = 1
    while gib and (ratio + 1) * (ratio + 1) <= 10 * gib:
        ratio += 1
    return short * ratio < long


@kernel
def shrink_active(m, c, active, pages):
    """Up to `pages` of the oldest active pages become inactive; files' that are executed and in use get another round.
    How many of these there were."""
    scanned = rotated = 0
    while scanned < pages:
        frame = oldest(m, active)
        if frame == 0:
            break
        scanned += frames_of(m, frame)
        used = count_uses(m, c, frame)
        if m.frame[frame].state & P.FRAME_MLOCKED:
            lru_move(m, frame, P.LRU_UNEVICTABLE)
        elif used and m.frame[frame].state & P.FRAME_CACHED and is_executable(m, frame):
            lru_move(m, frame, active)
            rotated += 1
        else:
            m.frame[frame].state |= P.FRAME_WORKINGSET
            m.vmstat.pgdeactivate += frames_of(m, frame)
            lru_move(m, frame, active - 1)
    m.vmstat.pgrefill += scanned
    return rotated

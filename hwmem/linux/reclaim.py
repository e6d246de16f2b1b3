"""Reclaim: called by frames.py when little memory is free. The door to everything that takes pages away.

    kswapd    below mark_low, up to mark_high. Its time is its own: the clock of the core that woke it stands still, and
              what it took is in m.mm.kswapd_cycles (its accesses are real, in that core's caches). It stops while the disk's queue is long,
              so allocations can find too little free
    direct    below mark_min, until 32 frames are above it. The allocation waits, for the disk too
    neither finds anything: oom.py

A pass looks at a part of each list (balance.py), oldest pages first: used ones go round again or become active (aging.py),
the others are evicted (evict.py). While the passes bring too little the part grows, from a 4096th to all.
Frames taken while reclaiming (tables for huge pages that are split) come from below the marks.
Source: mm/vmscan.c (balance_pgdat, do_try_to_free_pages, shrink_lruvec, shrink_inactive_list), mm/page_alloc.c
(__alloc_pages_slowpath, should_reclaim_retry).
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import DOORS, cold, kernel
from hwmem.linux.aging import ACTIVATE, KEEP, activate, fate_of, inactive_is_low, shrink_active
from hwmem.linux.balance import can_swap, set_targets
from hwmem.linux.disk import is_congested
from hwmem.linux.evict import evict
from hwmem.linux.frames import DIRECT, KSWAPD, give_batch, reserve
from hwmem.linux.group import GROUP, ON_MAX, ON_OOM
from hwmem.linux.lru import frames_of, lru_move, oldest, pages_on
from hwmem.linux.oom import out_of_memory
from hwmem.linux.page_cache import has_arrived
from hwmem.linux.pages import head_of
from hwmem.linux.workingset import CLUSTER, note_cost

FIRST_PRIORITY = 12
RETRIES = 16  # passes over everything without success before giving up (MAX_RECLAIM_RETRIES)


@DOORS.door(P.DOOR_RECLAIM)
def reclaim(m, c, who, g, n):
    """For an allocation on core `c`: as kswapd, or directly (frames.DIRECT, KSWAPD); for `n` frames of group `g`, so that it
    keeps to its limit (group.GROUP, HIGH). Returns 0."""
    if m.mm.reclaiming:
        return 0
    m.mm.reclaiming = 1
    m.reclaim.kswapd = 1 if who == KSWAPD else 0
    if who == KSWAPD:
        run_kswapd(m, c)
    elif who == DIRECT:
        reclaim_directly(m, c)
    else:
        m.reclaim.group = g
        if who == GROUP:
            keep_to_max(m, c, g, n)
        else:
            come_down(m, c, g)
        m.reclaim.group = 0
    m.reclaim.kswapd = 0
    m.mm.reclaiming = 0
    return 0


@cold
def run_kswapd(m, c):
    r = m.reclaim
    if r.failures >= RETRIES or is_congested(m, c):
        return
    m.vmstat.pageoutrun += 1
    r.forced = 0
    r.priority = FIRST_PRIORITY
    freed = 0
    while r.priority > 0 and reserve(m) < m.frames.mark_high and not is_congested(m, c):
        now = shrink_lists(m, c, m.frames.mark_high - reserve(m))
        freed += now
        if now < CLUSTER:
            r.priority -= 1
    r.failures = 0 if freed else r.failures + 1


@cold
def reclaim_directly(m, c):
    m.vmstat.allocstall += 1
    enough = m.frames.mark_min + CLUSTER
    failures = 0
    while reserve(m) < enough and m.mm.dying == 0:
        if shrink_by_priority(m, c):
            failures = m.reclaim.failures = 0
            continue
        failures += 1
        drain_core_lists(m)
        if failures < RETRIES and reclaimable_pages(m):
            continue
        if reserve(m) >= m.frames.mark_min or not out_of_memory(m, c, 0):
            return
        failures = 0


@cold
def keep_to_max(m, c, g, n):
    """Group `g` may have `n` frames more without exceeding its maximum when this returns, or a process of it has been killed.
    Linux: try_charge_memcg."""
    group = m.group[g]
    group.event[ON_MAX] += 1
    failures = 0
    while group.usage + n > group.most and m.mm.dying == 0:
        if shrink_by_priority(m, c):
            failures = 0
            continue
        failures += 1
        if failures < RETRIES and reclaimable_pages(m):
            continue
        group.event[ON_OOM] += 1
        if not out_of_memory(m, c, g):
            return
        failures = 0


@cold
def come_down(m, c, g):
    """Group `g` gives up what it has above memory.high, as far as that can be had. Linux: reclaim_high."""
    freed = 1
    while freed and m.group[g].usage > m.group[g].high:
        freed = shrink_by_priority(m, c)


@kernel
def shrink_by_priority(m, c):
    """Passes of growing reach until a cluster of frames is free; how many came of it."""
    r = m.reclaim
    for forced in range(2):  # in vain: once more, at the active lists' cost
        r.forced = forced
        r.skipped = freed = 0
        r.priority = FIRST_PRIORITY
        while r.priority >= 0 and freed < CLUSTER:
            freed += shrink_lists(m, c, CLUSTER)
            r.priority -= 1
        if freed or not r.skipped:
            return freed
    return 0


@kernel
def reclaimable_pages(m):
    """Pages that reclaim could take in principle. Linux: zone_reclaimable_pages."""
    pages = pages_on(m, P.LRU_INACTIVE_FILE) + pages_on(m, P.LRU_ACTIVE_FILE)
    if can_swap(m):
        pages += pages_on(m, P.LRU_INACTIVE_ANON) + pages_on(m, P.LRU_ACTIVE_ANON)
    return pages


@cold
def drain_core_lists(m):
    for d in range(m.cores):
        give_batch(m, d, m.frames.core_count[d])


@kernel
def shrink_lists(m, c, wanted):
    """One pass at m.reclaim.priority, ended early when it has freed `wanted` frames; how many it did."""
    r = m.reclaim
    set_targets(m)
    freed = 0
    while r.target[P.LRU_INACTIVE_ANON] or r.target[P.LRU_ACTIVE_FILE] or r.target[P.LRU_INACTIVE_FILE]:
        for which in range(P.LRU_INACTIVE_ANON, P.LRU_UNEVICTABLE):
            pages = min(r.target[which], CLUSTER)
            if pages:
                r.target[which] -= pages
                freed += shrink_list(m, c, which, pages)
        if freed >= wanted or (r.kswapd and is_congested(m, c)):
            return freed
    if can_swap(m) and inactive_is_low(m, P.LRU_INACTIVE_ANON):
        age_list(m, c, P.LRU_ACTIVE_ANON, CLUSTER)
    return freed


@kernel
def shrink_list(m, c, which, pages):
    """Look at `pages` pages of a list; frames freed."""
    file = 1 if which >= P.LRU_INACTIVE_FILE else 0
    if which == P.LRU_INACTIVE_ANON or which == P.LRU_INACTIVE_FILE:
        return shrink_inactive(m, c, which, pages)
    if m.reclaim.deactivate[file]:
        age_list(m, c, which, pages)
    else:
        m.reclaim.skipped = 1
    return 0


@kernel
def age_list(m, c, active, pages):
    clock = m.core[c].cycles
    rotated = shrink_active(m, c, active, pages)
    charge_kswapd(m, c, clock)
    note_cost(m, 1 if active >= P.LRU_INACTIVE_FILE else 0, rotated)


@kernel
def shrink_inactive(m, c, which, pages):
    """Reclaim from the tail of an inactive list, having looked at `pages` pages; frames freed."""
    scanned = freed = 0
    writes = m.disk.writes
    while scanned < pages:
        clock = m.core[c].cycles
        frame = oldest(m, which)
        if frame == 0:
            break
        scanned += frames_of(m, frame)
        freed += reclaim_page(m, c, frame)
        charge_kswapd(m, c, clock)
    if m.reclaim.kswapd:
        m.vmstat.pgscan_kswapd += scanned
        m.vmstat.pgsteal_kswapd += freed
    else:
        m.vmstat.pgscan_direct += scanned
        m.vmstat.pgsteal_direct += freed
    m.group[m.reclaim.group].pgscan += scanned
    m.group[m.reclaim.group].pgsteal += freed
    note_cost(m, 1 if which == P.LRU_INACTIVE_FILE else 0, (m.disk.writes - writes) * CLUSTER + max(scanned - freed, 0))
    return freed


@kernel
def reclaim_page(m, c, frame):
    """One page from the tail of an inactive list: freed, or moved elsewhere. Frames freed, which the buddy allocator has."""
    fate = KEEP if is_busy(m, c, frame) else fate_of(m, c, frame)
    if m.frame[frame].state & P.FRAME_MLOCKED:
        lru_move(m, frame, P.LRU_UNEVICTABLE)
    elif fate == KEEP:
        lru_move(m, frame, np.int64(m.frame[frame].lru))
    elif fate == ACTIVATE:
        activate(m, frame)
    else:
        freed = evict(m, c, frame)
        give_batch(m, c, min(freed, m.frames.core_count[c]))
        return freed
    return 0


@kernel
def is_busy(m, c, frame):
    """Whether the kernel is at work on a page, or the disk is on a file's."""
    if m.pinned and head_of(m, m.pinned - 1) == frame:
        return True
    state = m.frame[frame].state
    return state & P.FRAME_LOCKED != 0 or (state & P.FRAME_CACHED != 0 and not has_arrived(m, m.core[c].cycles, frame))


@kernel
def charge_kswapd(m, c, clock):
    """What core `c` did since `clock` was kswapd's work, if kswapd runs: the core's own clock is set back by as much.

    Page by page, so that the lines it leaves busy are not far in the core's future; its transfers hold up nobody.
    """
    if m.reclaim.kswapd:
        m.mm.kswapd_cycles += m.core[c].cycles - clock
        m.core[c].cycles = clock
        for s in range(m.sockets):
            for channel in range(m.dram[s].channels):
                bus = m.dram[s].bus[channel]
                bus.since, bus.until = min(bus.since, clock), min(bus.until, clock)

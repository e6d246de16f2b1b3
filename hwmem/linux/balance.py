"""Balance: how many pages of each LRU list a pass of reclaim looks at.

A list is scanned for its length >> priority: a 4096th at priority 12, all of it at 0. The pressure is divided between file pages and
anonymous ones by what reclaiming each has cost lately (workingset.py) and by swappiness:

    no swap           files only
    priority 0        both, by their lengths
    few file pages    anonymous only: the files' last pages would be read again at once
    many inactive file pages, and the active ones fewer: files only
    else              anonymous * swappiness / cost   against   file * (200 - swappiness) / cost

Source: mm/vmscan.c (prepare_scan_control, get_scan_count, calculate_pressure_balance).
"""

from hwmem import params as P
from hwmem._jit import kernel
from hwmem.linux.aging import inactive_is_low
from hwmem.linux.frames import reserve
from hwmem.linux.lru import pages_on

MAX_SWAPPINESS = 200
ANON, FILE = range(2)


@kernel
def can_swap(m):
    """Whether a page could go to the swap device, of the group that reclaim looks at if it looks at one."""
    g = m.reclaim.group
    return m.swap.used < m.swap.slots and (g == 0 or m.group[g].swap < m.group[g].swap_most)


@kernel
def allow_deactivation(m):
    """Whether this pass may shorten the active lists: they are long, or pages that were evicted came back (`activated`)."""
    r = m.reclaim
    refaults = r.activated != m.lru.activated
    r.activated = m.lru.activated
    r.deactivate[ANON] = 1 if r.forced or refaults or inactive_is_low(m, P.LRU_INACTIVE_ANON) else 0
    r.deactivate[FILE] = 1 if r.forced or inactive_is_low(m, P.LRU_INACTIVE_FILE) else 0


@kernel
def set_targets(m):
    """Fill m.reclaim.target for a pass at m.reclaim.priority."""
    r = m.reclaim
    allow_deactivation(m)
    anon, file, whole = shares(m)
    for which in range(P.LRU_INACTIVE_ANON, P.LRU_UNEVICTABLE):
        share = file if which >= P.LRU_INACTIVE_FILE else anon
        r.target[which] = (pages_on(m, which) >> r.priority) * share // whole


@kernel
def shares(m):
    """The pressure on anonymous pages and on files', as parts of the third number."""
    r, swappiness = m.reclaim, m.mm.swappiness
    inactive_file = pages_on(m, P.LRU_INACTIVE_FILE)
    if not can_swap(m) or (r.group and swappiness == 0):
        return 0, 1, 1
    if r.priority == 0 and swappiness:
        return 1, 1, 1
    if (
        r.group == 0
        and inactive_file + pages_on(m, P.LRU_ACTIVE_FILE) + reserve(m) <= m.frames.mark_high
        and not r.deactivate[ANON]
        and pages_on(m, P.LRU_INACTIVE_ANON) >> r.priority
    ):
        return 1, 0, 1
    if inactive_file >> r.priority and not r.deactivate[FILE]:
        return 0, 1, 1
    anon_cost, file_cost = m.lru.cost[ANON], m.lru.cost[FILE]
    total = anon_cost + file_cost
    anon_cost, file_cost = anon_cost + total, file_cost + total
    total = anon_cost + file_cost + 1
    anon = swappiness * total // (anon_cost + 1)
    file = (MAX_SWAPPINESS - swappiness) * total // (file_cost + 1)
    return anon, file, anon + file

"""Memory groups: a limit for the memory of several processes together, as a container has one.

Every frame that a process of a group is given is charged to the group: its own pages, the pages of files that it was the first to touch,
shared memory, its page tables. Freeing the frame gives the charge back. So a group's usage is more than the RSS of its processes
(proc/group.py has its parts).

    usage above max     the process that allocates reclaims from the group's own pages (reclaim.py); if that yields nothing a
                        process of the group is killed (oom.py), or all of them
    usage above high    it reclaims too, and waits, the longer the further above
    swap above swap_max no page of it goes to the swap device any more

frames.py charges and gives back, swap.py does for slots, lru.py keeps how many pages of each list are a group's. Group 0 holds all other
processes and has no limit; while it is the only one, none of this costs anything. Linux charges in batches of 64 pages a core, and keeps
LRU lists for each group; here lists are the machine's, and others' pages are passed over. Source: mm/memcontrol.c (try_charge_memcg,
reclaim_high, mem_cgroup_handle_over_high, calculate_high_delay).
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import call_door, cold, kernel

GROUP, HIGH = 2, 3  # who reclaims, beside frames.DIRECT and KSWAPD
ON_HIGH, ON_MAX, ON_OOM, ON_KILL, ON_KILL_ALL = range(5)  # params.GROUP_EVENTS
PRECISION_SHIFT, SCALING_SHIFT, BATCH = 20, 14, 64  # MEMCG_DELAY_*, MEMCG_CHARGE_BATCH
MOST_OVERAGE = 1 << 26  # waits the longest, and its square has less than 63 bits
TICKS, MOST_SECONDS = 250, 2  # CONFIG_HZ; a process waits no longer at a time


@kernel
def group_of(m, c):
    """The group of the process that core `c` runs."""
    return m.process[m.core[c].process].group


@cold
def may_charge(m, c, n):
    """Whether the group of the process on core `c` may have `n` more frames; reclaims for them if necessary."""
    g = group_of(m, c)
    if g == 0 or m.mm.reclaiming:
        return True
    if m.group[g].usage + n > m.group[g].most:
        call_door(m, P.DOOR_RECLAIM, c, GROUP, g, n)
        if m.process[m.core[c].process].killed:
            return False
    return m.group[g].usage + n <= m.group[g].most


@cold
def charge_frames(m, c, frame, n):
    """Charge `n` frames from `frame` on to the group of the process that core `c` runs."""
    g = group_of(m, c)
    for each in range(frame, frame + n):
        m.frame_group[each] = g
    if g == 0:
        return
    group = m.group[g]
    group.usage += n
    group.peak = max(group.peak, group.usage)
    if group.usage > group.high and m.mm.reclaiming == 0:
        group.event[ON_HIGH] += 1
        call_door(m, P.DOOR_RECLAIM, c, HIGH, g, n)
        wait_above_high(m, c, g, n)


@kernel
def wait_above_high(m, c, g, n):
    """Core `c` waits, as a penalty for `n` frames beyond memory.high. Linux: calculate_high_delay."""
    group = m.group[g]
    if group.usage <= group.high:
        return
    overage = min((group.usage - group.high << PRECISION_SHIFT) // max(group.high, 1), MOST_OVERAGE)
    ticks = min(overage * overage * TICKS >> PRECISION_SHIFT >> SCALING_SHIFT, MOST_SECONDS * TICKS) * n / BATCH
    cycles = np.int64(ticks / TICKS * (m.mm.khugepaged_sleep / P.KHUGEPAGED_SECONDS))
    m.core[c].cycles += cycles
    m.core[c].idle_cycles += cycles


@cold
def uncharge_frames(m, frame, n):
    """Uncharge `n` frames from `frame` on."""
    for each in range(frame, frame + n):
        g = np.int64(m.frame_group[each])
        if g:
            m.group[g].usage -= 1
            m.frame_group[each] = 0


@cold
def count_listed(m, frame, which, pages):
    """Count `pages` more on LRU list `which` for the group to which `frame` is charged."""
    m.group[np.int64(m.frame_group[frame])].pages[which] += pages

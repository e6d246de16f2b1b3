"""Refaults: pages that come back soon after eviction belong to the working set, and become active at once.

A clock (`m.lru.age`) ticks whenever a page is evicted or activated. The slot of an evicted page keeps the time; when the
page is read again, the ticks since then say how much longer the inactive list would have had to be to keep it. If the
active pages would have made that room, the page belongs among them.

    swap_cache[slot] = -1 - (age << 1 | the page had been active before)

`cost` is what reclaiming each kind of page has brought in disk traffic and vain scanning, older events fading; balance.py puts less
pressure on the more expensive kind. Source: mm/workingset.c, mm/swap.c (lru_note_cost).
"""

from hwmem import params as P
from hwmem._jit import kernel

AGE_MASK = (1 << 29) - 1
CLUSTER = 32  # pages at a time (SWAP_CLUSTER_MAX); what an I/O costs beside the scan of a page


@kernel
def note_eviction(m, frame, slot):
    """The frame goes, its bytes are in `slot` alone."""
    was_active = 1 if m.frame[frame].state & P.FRAME_WORKINGSET else 0
    m.swap_cache[slot] = -1 - ((m.lru.age & AGE_MASK) << 1 | was_active)
    m.lru.age += 1


@kernel
def list_of_refault(m, note):
    """The list for a page that is read from a slot with the note `note`."""
    if note >= 0:
        return P.LRU_INACTIVE_ANON
    lists = m.lru
    m.vmstat.workingset_refault_anon += 1
    distance = lists.age - (-1 - note >> 1) & AGE_MASK
    room = lists.pages[P.LRU_ACTIVE_FILE] + lists.pages[P.LRU_INACTIVE_FILE]
    if m.swap.used < m.swap.slots:
        room += lists.pages[P.LRU_ACTIVE_ANON]
    if distance > room:
        return P.LRU_INACTIVE_ANON
    lists.age += 1
    lists.activated += 1
    if -1 - note & 1:
        note_cost(m, 0, CLUSTER)
    return P.LRU_ACTIVE_ANON


@kernel
def note_cost(m, file, cost):
    """Reclaiming pages of a kind (`file` 0/1) has cost this much: an I/O counts CLUSTER, a page scanned in vain 1."""
    lists = m.lru
    lists.cost[file] += cost
    pages = 0
    for which in range(P.LRU_INACTIVE_ANON, P.LRU_UNEVICTABLE):
        pages += lists.pages[which]
    if lists.cost[0] + lists.cost[1] > pages // 4:
        lists.cost[0] //= 2
        lists.cost[1] //= 2

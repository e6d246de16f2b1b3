"""Loads that hit the first-level TLB and the L1, but not the hit filter: they are tried here before the memory door is called.

    load64 ── hit filter ──> bytes        inlined
          └── near ──> bytes              in the same call that else goes to the door, in half of its time
                └── memory door ──> all the rest

Programs use more lines than the filter holds: two that share a set of the L1 or of the TLB push each other out of it, time and again.
A line that comes for the second time is looked for in both, and `near` remembers where it was and looks there from then on (one that comes
once, as in a long loop, would be looked for in vain):

    seen[va >> 6 & 255].line          va | 63, 0: none        .pa   the line's physical address
                       .entry         its entry in the L1     .page_entry   its page's, in the first-level TLB

Its entries are hints, so it need not be notified of changes: both entries' tags, and the frame, are compared. It also lets later stores to
a line that the core has in M go ahead, since a marker writes what it has just read. (Stores that are not let go ahead take the door: to look
for them here gains nothing, and costs those to lines that cores fight for.)

What the full path would do is done, in its order: the same counts, ages and clocks. Any other access (not a hit in both, a waiting store,
an observer, a line crossing, a huge page, a policy other than LRU) reaches the door with nothing changed.
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import apart, hot
from hwmem.cache.hit_filter import HIT, LAST, note_frame, note_line
from hwmem.cache.sets import index_of, touch_lru
from hwmem.core.in_flight import meet_some
from hwmem.mmu.tlb import is_user_address, key_4k

NOT_NEAR = -1
NOWHERE = -1  # the physical address of a line that was not looked for


@hot
def near(m, core, va, size):
    """Perform a load that hits in the first-level TLB and the L1, with no store waiting and no observer on: the bytes' host address. For
    any other load NOT_NEAR, with nothing changed."""
    seen, page = seen_at(core, va), page_at(core, va)
    if not is_near(m, core, va, size, seen, page):
        return NOT_NEAR
    entry, host = seen.entry, m.ram_base + (seen.pa | va & LAST)
    use_both(m, core, va, seen, page)
    may_store = m.tag[entry] & P.STATE_MASK == P.M and page.frame & 1 != 0 and core.sb_leaving == 0 and m.store_buffer_always == 0
    note_line(core, va, host, may_store, HIT)
    core.loads += 1
    now = core.cycles
    core.cycles = now + core.l1d.latency
    core.cycles += meet_some(m, core, host, size, now)
    return host


@hot
def seen_at(core, va):
    return core.seen[np.uint64(va >> P.LINE_SHIFT & P.SEEN - 1)]


@hot
def page_at(core, va):
    return core.hot_page[np.uint64(va >> P.PAGE_SHIFT & core.page_mask)]


@hot
def is_near(m, core, va, size, seen, page):
    """Whether nothing but the TLB and the L1 concerns the access, and both have what it needs to load; its line has come before."""
    if core.plain == 0 or size > 8 or (va & LAST) + size > P.LINE:
        return False
    if seen.line != (va | LAST):
        seen.line, seen.pa = va | LAST, NOWHERE
        return False
    return is_where_seen(m, core, va, seen, page) or look(m, core, va)


@hot
def is_where_seen(m, core, va, seen, page):
    """Whether the line of `va`, which has come before, and its page are, with a right to load, where they were seen last."""
    tag = m.tag[seen.entry]
    if tag & P.KEY_MASK != seen.pa | P.OCCUPIED or tag & P.STATE_MASK == P.I:
        return False
    frame = seen.pa & -P.PAGE
    if page.page == (va | core.page_last):
        return page.frame & ~1 == frame
    j = seen.page_entry
    return m.tag[j] & P.KEY_MASK == key_4k(core, va) << P.TAG_SHIFT | P.OCCUPIED and m.word[j] & P.PTE_FRAME == frame


@apart
def look(m, core, va):
    """The same, after a search of both; where they are is remembered."""
    if m.mmu == 0 or core.l1d.policy != P.LRU or core.dtlb.policy != P.LRU or not is_user_address(core, va):
        return False
    j = index_of(m, core.dtlb, key_4k(core, va))
    if j < 0:
        return False
    pa = m.word[j] & P.PTE_FRAME | va & P.PAGE - P.LINE
    i = index_of(m, core.l1d, pa >> P.LINE_SHIFT)
    if i < 0 or m.tag[i] & P.STATE_MASK == P.I:
        return False
    seen = seen_at(core, va)
    seen.pa, seen.entry, seen.page_entry = pa, i, j
    return True


@hot
def use_both(m, core, va, seen, page):
    """The page and the line of an access that is near are used."""
    if page.page != (va | core.page_last):
        core.leaf = m.word[seen.page_entry]
        touch_lru(m, core.dtlb, seen.page_entry)
        note_frame(core, va, seen.pa)
    touch_lru(m, core.l1d, seen.entry)
    core.slow_accesses += 1
    core.dtlb.hits += 1
    core.l1d.hits += 1
    core.source = P.FROM_L1

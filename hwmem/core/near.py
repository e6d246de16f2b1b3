"""Loads that hit the first-level TLB and the L1, but not the hit filter: they are tried here before the memory door is called.

    load64 ── hit filter ──> bytes        inlined
          └── near ──> bytes              in the same call that else goes to the door, in half of its time
                └── memory door ──> all the rest

Programs use more lines than the filter holds: two that share a set of the L1 or of the TLB push each other out of it, time and again.
A line that comes for the second time is looked for in both, and `near` remembers where it was and looks there from then on (one that comes
once, as in a long loop, would be looked for in vain):

    seen[va >> 6 & mask].line       va | 63, 0: none
                        .entries    its page's entry in the first-level TLB << 32 | its own in the L1; NOWHERE: not looked for

Its entries are hints, so it need not be notified of changes: both entries' tags are compared. It also lets later stores to
a line that the core has in M go ahead, since a marker writes what it has just read. (Stores that are not let go ahead take the door: to look
for them here gains nothing, and costs those to lines that cores fight for.)

What the full path would do is done, in its order: the same counts, ages and clocks. Any other access (not a hit in both, a waiting store,
one in flight, an observer, bytes that are not aligned, a huge page, a policy other than LRU) reaches the door with nothing changed.
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import apart, hot
from hwmem.cache.hit_filter import HIT, LAST, NOT_KNOWN, known_frame, note_frame, note_line, page_slot
from hwmem.cache.sets import index_of, touch_lru
from hwmem.core.in_flight import may_meet
from hwmem.mmu.tlb import is_user_address, key_4k

NOWHERE = -1  # the entries of a line that was not looked for
PAGE_ENTRY, LINE_ENTRY = 32, (1 << 32) - 1  # in `entries`: where the page's begins; the bits of the line's


@hot
def near(m, core, va, size):
    """Physical address of the frame of an aligned load that hits in the first-level TLB and the L1 where it did before, with
    no store waiting, none in flight to meet and no observer on; of any other load NOT_KNOWN."""
    seen = seen_of(core, va)
    if seen.line != (va | LAST) or not is_plain(core, va, size):
        return NOT_KNOWN
    frame = frame_seen(m, core, va, seen)
    return frame if frame == NOT_KNOWN or has_line(m, seen.entries & LINE_ENTRY, frame | va & P.PAGE - P.LINE) else NOT_KNOWN


@hot
def seen_of(core, va):
    return core.seen[np.uint64(va >> P.LINE_SHIFT & P.SEEN - 1)]


@hot
def is_plain(core, va, size):
    """Whether it is aligned, and neither waiting stores, observers nor stores in flight concern it."""
    return core.plain != 0 and va & size - 1 == 0 and not may_meet(core, va)


@hot
def frame_seen(m, core, va, seen):
    """Physical address of the frame of `va`'s page, if the filter knows it or the page is where it was seen last; else NOT_KNOWN."""
    if seen.entries == NOWHERE:
        return NOT_KNOWN
    frame = known_frame(core, va, 0)
    if frame != NOT_KNOWN:
        return frame
    j = seen.entries >> PAGE_ENTRY
    return m.word[j] & P.PTE_FRAME if m.tag[j] & P.KEY_MASK == key_4k(core, va) << P.TAG_SHIFT | P.OCCUPIED else NOT_KNOWN


@hot
def has_line(m, entry, pa):
    """Whether an entry of the L1 has the line at `pa`, with a right to load."""
    return m.tag[entry] & P.KEY_MASK == pa | P.OCCUPIED and m.tag[entry] & P.STATE_MASK != P.I


@apart
def look(m, core, va, size):
    """near, of a line that is not where it was: one that comes for the second time is searched for, and its place remembered."""
    seen = seen_of(core, va)
    if seen.line != (va | LAST):
        seen.line, seen.entries = va | LAST, NOWHERE
        return NOT_KNOWN
    if not is_plain(core, va, size) or not m.mmu or core.l1d.policy != P.LRU or core.dtlb.policy != P.LRU or not is_user_address(core, va):
        return NOT_KNOWN
    j = index_of(m, core.dtlb, key_4k(core, va))
    if j < 0:
        return NOT_KNOWN
    frame = m.word[j] & P.PTE_FRAME
    i = index_of(m, core.l1d, (frame | va & P.PAGE - 1) >> P.LINE_SHIFT)
    if i < 0 or m.tag[i] & P.STATE_MASK == P.I:
        return NOT_KNOWN
    seen.entries = j << PAGE_ENTRY | i
    return frame


@hot
def perform_near(m, core, va, frame):
    """The load that near, or look, found in `frame`: the bytes' host address."""
    entries, page = seen_of(core, va).entries, page_slot(core, va)
    i, j = entries & LINE_ENTRY, entries >> PAGE_ENTRY
    if page.page != (va | core.page_last):
        touch_lru(m, core.dtlb, j)
        note_frame(core, page, va, frame, m.word[j])
    touch_lru(m, core.l1d, i)
    host = m.ram_base + (frame | va & P.PAGE - 1)
    may_store = m.tag[i] & P.STATE_MASK == P.M and page.frame & 1 != 0 and core.sb_leaving == 0 and m.store_buffer_always == 0
    note_line(core, va, host, may_store, HIT)
    core.loads += 1
    core.slow_accesses += 1
    core.dtlb.hits += 1
    core.l1d.hits += 1
    core.cycles += core.l1d.latency
    return host

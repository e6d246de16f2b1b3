"""Loads that hit the first-level TLB and the L1, but not the hit filter: they are tried here before the memory door is called.

    load64 ── hit filter ──> bytes        inlined
          └── near ──> bytes              in the same call that else goes to the door, in a third of its time
                └── memory door ──> all the rest

Programs use more lines than the filter holds: two that share a set of the L1 or of the TLB push each other out of it, time and again.
The door notes where it found a page and a line (cache/seen.py), and `near` looks there; of a line that is still the last of its L1 set only
the page. It also lets later stores to a line that the core has in M go ahead, since a marker writes what it has just read. (Stores that are not
let go ahead take the door: to look for them here gains nothing, and costs those to lines that cores fight for.)

What the full path would do is done, in its order: the same counts, ages and clocks. Any other access (not a hit in both, a waiting store,
one in flight, an observer, bytes that are not aligned, a huge page, a policy other than LRU) reaches the door with nothing changed.
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import hot
from hwmem.cache.hit_filter import FRAME, HIT, LAST, NOT_KNOWN, note_frame, note_line, page_slot
from hwmem.cache.seen import entry_at, line_seen, page_seen, use
from hwmem.mmu.tlb import key_4k

ADDRESS_BITS = 48  # above them an address has no part in a TLB's key


@hot
def near(m, core, va):
    """The load is performed, if the line of the aligned `va` hits where it was seen: the bytes' host address; else NOT_KNOWN."""
    page, frame, place = page_slot(core, va), 0, 0
    if page.page == (va | core.page_last):
        frame = page.frame & FRAME
    else:
        place = page_seen(core, va)
        if place == 0 or not has_page(m, core, va, entry_at(place)):
            return NOT_KNOWN
        frame = m.word[entry_at(place)] & P.PTE_FRAME
    host, line = m.ram_base + (frame | va & P.PAGE - 1), line_seen(core, va)
    other = core.hot[np.uint64(va >> P.LINE_SHIFT & core.hot_mask)].line != (va | LAST)  # than the last line of its L1 set
    if other and (line == 0 or not has_line(m, entry_at(line), frame | va & P.PAGE - P.LINE)):
        return NOT_KNOWN
    if place != 0:
        use(m, place)
        note_frame(core, page, va, frame, m.word[entry_at(place)])
    if other:
        use(m, line)
        has_right = m.tag[entry_at(line)] & P.STATE_MASK == P.M and page.frame & 1 != 0
        note_line(core, va, host, has_right and core.sb_leaving == 0 and m.store_buffer_always == 0, HIT)
    core.loads += 1
    core.cycles += core.hit_cycles
    return host


@hot
def has_page(m, core, va, j):
    """Whether entry `j` of the first-level TLB is that of `va`'s page."""
    return va >> ADDRESS_BITS == 0 and m.tag[j] & P.KEY_MASK == key_4k(core, va) << P.TAG_SHIFT | P.OCCUPIED


@hot
def has_line(m, i, pa):
    """Whether entry `i` of the L1 has the line at `pa`, with a right to load."""
    return m.tag[i] & P.KEY_MASK == pa | P.OCCUPIED and m.tag[i] & P.STATE_MASK != P.I

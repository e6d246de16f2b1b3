"""A core's own shortcuts: the hit filter promises nothing untrue, the store buffer is in order, and so is the invalidation queue."""

from hwmem import params as P
from hwmem._jit import kernel
from hwmem.cache.hit_filter import STORE_NEEDS
from hwmem.cache.sets import index_of
from hwmem.core.in_flight import SLOTS
from hwmem.core.ring import waits_near
from hwmem.mmu.tlb import key_2m, key_4k
from hwmem.mmu.translate import HUGE_FRAME
from hwmem.observe.checks.arrays import is_recent
from hwmem.observe.checks.faults import (
    BUFFER_COUNT,
    BUFFER_ENTRY,
    BUFFER_ORDER,
    HOT_NOT_IN_L1,
    HOT_NOT_RECENT,
    HOT_PAGE,
    HOT_SLOT,
    HOT_STORE,
    HOT_TRANSLATION,
    HOT_WAITING,
    NOT_PLAIN,
    QUEUE_COUNT,
    QUEUE_ENTRY,
    QUEUE_FILTER,
    fault,
)
from hwmem.observe.checks.memory import leaf_of, process_of

LAST = P.LINE - 1


@kernel
def check_filter(m, c, found):
    """Every line and every page in the hit filter of core `c`."""
    core = m.core[c]
    if core.plain and (core.sb_count > 0 or core.iq_count > 0 or m.observe.watching):
        return fault(found, NOT_PLAIN, c, core.sb_count, m.observe.watching, core.iq_count)
    for h in range(core.hot_mask + 1):
        hot = core.hot[h]
        if hot.line != 0 or hot.store != 0:
            if hot.line >> P.LINE_SHIFT & core.hot_mask != h or (hot.store != 0 and hot.store != hot.line):
                return fault(found, HOT_SLOT, c, h, hot.line >> P.LINE_SHIFT, 0)
            code = check_hot_line(m, c, hot.line & ~LAST, hot.host - m.ram_base, hot.store != 0, found)
            if code:
                return code
    for h in range(core.page_mask + 1):
        hot = core.hot_page[h]
        if hot.page != 0 and m.mmu:
            if hot.page >> P.PAGE_SHIFT & core.page_mask != h:
                return fault(found, HOT_SLOT, c, h, hot.page >> P.PAGE_SHIFT, 0)
            code = check_hot_page(m, c, hot.page & ~core.page_last, hot.frame & ~1, hot.frame & 1, found)
            if code:
                return code
    return 0


@kernel
def check_hot_line(m, c, va, pa, stores, found):
    """The filter takes `va` to be in the line at `pa`, ready for loads and, if `stores`, for stores."""
    core = m.core[c]
    i = index_of(m, core.l1d, pa >> P.LINE_SHIFT)
    if i < 0 or m.tag[i] & P.STATE_MASK == P.I:
        return fault(found, HOT_NOT_IN_L1, c, va, pa, 0)
    if not is_recent(m, core.l1d, i):
        return fault(found, HOT_NOT_RECENT, c, va, pa, 0)
    if stores and (m.tag[i] & P.STATE_MASK != P.M or core.sb_count + core.sb_leaving > 0):
        return fault(found, HOT_STORE, c, va, m.tag[i] & P.STATE_MASK, core.sb_count + core.sb_leaving)
    if waits_near(core, pa >> P.LINE_SHIFT):
        return fault(found, HOT_WAITING, c, va, 0, 0)
    return check_translation(m, c, va, pa, stores, found)


@kernel
def check_translation(m, c, va, pa, stores, found):
    """The filter takes `va` to be at `pa`, and its page to be writable and dirty if `stores`."""
    if not m.mmu:
        return fault(found, HOT_TRANSLATION, c, va, pa, 0) if va != pa & ~LAST else 0
    p = process_of(m, m.core[c].asid)
    pte = leaf_of(m, p, va, 0) if p >= 0 else 0
    frame = pte & HUGE_FRAME | va & P.HUGE_PAGE - P.PAGE if pte & P.PTE_PS else pte & P.PTE_FRAME
    if pte == 0 or frame | va & P.PAGE - 1 != pa & ~LAST or (stores and pte & STORE_NEEDS != STORE_NEEDS):
        return fault(found, HOT_TRANSLATION, c, va, pa, pte)
    return 0


@kernel
def check_hot_page(m, c, va, pa, stores, found):
    """The filter takes the page of `va` to be the frame at `pa`, and the most recent of its TLB set."""
    core = m.core[c]
    code = check_translation(m, c, va, pa, stores, found)
    if code:
        return code
    s, key = core.dtlb, key_4k(core, va)
    i = index_of(m, s, key)
    if i < 0:
        s, key = core.dtlb_2m if core.dtlb_2m.ways else core.dtlb, key_2m(core, va)
        i = index_of(m, s, key)
    if i < 0 or not is_recent(m, s, i) or (stores and m.word[i] & STORE_NEEDS != STORE_NEEDS):
        return fault(found, HOT_PAGE, c, va, 0, 0)
    return 0


@kernel
def check_store_buffer(m, c, found):
    core = m.core[c]
    entries = 0 if m.ordering == P.SC else m.store_buffer_entries
    if not 0 <= core.sb_count <= entries:
        return fault(found, BUFFER_COUNT, c, core.sb_count, entries, 0)
    last = 0
    for k in range(core.sb_count):
        slot = (core.sb_head + k) % SLOTS
        pa, size = core.sb_pa[slot], core.sb_size[slot]
        if not 1 <= size <= 8 or (pa & P.LINE - 1) + size > P.LINE or not 0 <= pa <= m.ram_size - size:
            return fault(found, BUFFER_ENTRY, c, slot, pa, size)
        order = core.sb_due[slot] if m.ordering == P.TSO and core.sb_streams == 0 else core.sb_after[slot]
        if order < last:
            return fault(found, BUFFER_ORDER, c, slot, order, 0)
        last = order
    return 0


@kernel
def check_invalidations(m, c, found):
    """The invalidation queue of core `c`: none unless loads may be early, and nothing in the hit filter while a line waits."""
    core = m.core[c]
    room = m.invalidation_entries if m.cost.early > 0 else 0
    if not 0 <= core.iq_count <= room:
        return fault(found, QUEUE_COUNT, c, core.iq_count, room, 0)
    for k in range(core.iq_count):
        if m.mmu and not 0 <= core.iq_line[k] < m.ram_size >> P.LINE_SHIFT:  # without an MMU a trace goes anywhere
            return fault(found, QUEUE_ENTRY, c, k, core.iq_line[k], 0)
    for h in range(core.hot_mask + 1):
        if core.iq_count > 0 and (core.hot[h].line != 0 or core.hot[h].store != 0):
            return fault(found, QUEUE_FILTER, c, core.hot[h].line & ~LAST, core.iq_count, 0)
    return 0

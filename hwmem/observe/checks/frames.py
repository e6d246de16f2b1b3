"""Frames and swap slots: each is in exactly one state, and all counts of it agree.

    free        in a block of the buddy allocator: aligned, disjoint, joined with its buddy when that is free too
    listed      in a core's list of free frames
    table, reserved (the zero pages)
    page        anonymous or of a file: on one LRU list, mapped by as many entries as its reverse mappings say

`marks` is a byte a frame: where it has been met. `met` counts, a word a frame and, behind them, a word a swap slot, the
page-table entries that lead there (checks/memory.py has walked the tables before).
"""

from hwmem import params as P
from hwmem._jit import kernel
from hwmem.linux.lru import frames_of
from hwmem.linux.pages import head_of
from hwmem.observe.checks.faults import (
    BAD_BLOCK,
    BAD_CORE_LIST,
    BAD_HUGE,
    BAD_LRU,
    BLOCK_COUNT,
    BUDDIES,
    FRAME_COUNTS,
    FRAME_TWICE,
    LOST_FRAME,
    LRU_PAGES,
    RMAP_COUNT,
    RMAP_RECORDS,
    SLOT_CACHE,
    SLOT_COUNT,
    SLOTS_USED,
    WRONG_LIST,
    fault,
)

FREE, LISTED, TABLE, ON_LRU = 1, 2, 4, 8


@kernel
def mark(m, marks, frame, what):
    """Note that `frame` has been met; False if that cannot be, or it was met as the same before."""
    if not 1 <= frame < m.frames.fresh or marks[frame] & (what | FREE | LISTED):
        return False
    marks[frame] |= what
    return True


@kernel
def check_free_blocks(m, marks, found):
    f = m.frames
    if not 1 <= f.fresh <= f.total or f.free < 0 or f.used < 0:
        return fault(found, FRAME_COUNTS, f.free, 0, f.used, f.fresh)
    free = 0
    for order in range(P.MAX_ORDER + 1):
        before, blocks, frame = 0, 0, f.head[order]
        while frame:
            block = m.frame[frame]
            code = check_block(m, marks, frame, order, found)
            if code:
                return code
            if block.prev != before:
                return fault(found, BAD_BLOCK, frame, order, block.state, 0)
            before, blocks, frame = frame, blocks + 1, block.next
        if blocks != f.count[order]:
            return fault(found, BLOCK_COUNT, f.count[order], order, blocks, 0)
        free += blocks << order
    return fault(found, FRAME_COUNTS, f.free, 0, f.used, f.fresh) if free != f.free else 0


@kernel
def check_block(m, marks, frame, order, found):
    block, end = m.frame[frame], frame + (1 << order)
    if frame & (1 << order) - 1 or end > m.frames.fresh or not block.state & P.FRAME_FREE or block.order != order:
        return fault(found, BAD_BLOCK, frame, order, block.state, 0)
    for each in range(frame, end):
        if not mark(m, marks, each, FREE):
            return fault(found, BAD_BLOCK, each, order, m.frame[each].state, 0)
    buddy = frame ^ 1 << order
    if (
        order < P.MAX_ORDER
        and buddy + (1 << order) <= m.frames.fresh
        and m.frame[buddy].state & P.FRAME_FREE
        and m.frame[buddy].order == order
    ):
        return fault(found, BUDDIES, frame, buddy, order, 0)
    return 0


@kernel
def check_core_lists(m, marks, found):
    f = m.frames
    listed = 0
    for c in range(m.cores):
        frame = f.core_head[c]
        for place in range(f.core_count[c]):
            if not m.frame[frame].state & P.FRAME_LISTED or not mark(m, marks, frame, LISTED):
                return fault(found, BAD_CORE_LIST, c, frame, place, 0)
            frame = m.frame[frame].next
        if frame:
            return fault(found, BAD_CORE_LIST, c, frame, f.core_count[c], 0)
        listed += f.core_count[c]
    if f.free + listed + f.used != f.fresh - 1:
        return fault(found, FRAME_COUNTS, f.free, listed, f.used, f.fresh)
    return 0


@kernel
def check_lru(m, marks, found):
    for which in range(P.LRU_INACTIVE_ANON, P.LRU_LISTS):
        before, pages, frame = 0, 0, m.lru.head[which]
        while frame:
            f = m.frame[frame]
            if not mark(m, marks, frame, ON_LRU) or f.lru != which or f.prev != before:
                return fault(found, BAD_LRU, which, frame, f.lru, f.state)
            pages += frames_of(m, frame)
            before, frame = frame, f.next
        if m.lru.tail[which] != before:
            return fault(found, BAD_LRU, which, m.lru.tail[which], 0, 0)
        if m.lru.pages[which] != pages:
            return fault(found, LRU_PAGES, which, m.lru.pages[which], pages, 0)
    return 0


@kernel
def check_each_frame(m, marks, met, found):
    """Every frame ever handed out is one thing; what is in use is as much as is counted."""
    used = chained = 0
    for frame in range(1, m.frames.fresh):
        if marks[frame] & FREE:
            continue
        f = m.frame[frame]
        state = f.state
        expected = (LISTED if state & P.FRAME_LISTED else 0) | (TABLE if state & P.FRAME_TABLE else 0)
        if marks[frame] & (LISTED | TABLE) != expected:
            return fault(found, FRAME_TWICE, frame, state, marks[frame], 0)
        if state & P.FRAME_LISTED:
            continue
        used += 1
        if state & (P.FRAME_ANON | P.FRAME_CACHED):
            code = check_page(m, frame, marks, met, found)
            if code:
                return code
            chained += max(f.maps + f.huge_maps - 1, 0)
        elif not state & (P.FRAME_TABLE | P.FRAME_RESERVED):
            return fault(found, LOST_FRAME, frame, state, 0, 0)
    if used != m.frames.used:
        return fault(found, FRAME_COUNTS, m.frames.free, m.frames.fresh - 1 - m.frames.free - used, m.frames.used, m.frames.fresh)
    return check_rmap_records(m, chained, found)


@kernel
def check_page(m, frame, marks, met, found):
    """A frame that holds a page: its mappings, its LRU list, the huge page it is a part of."""
    f = m.frame[frame]
    head = head_of(m, frame)
    tail = f.state & P.FRAME_TAIL != 0
    if f.maps + f.huge_maps != met[frame]:
        return fault(found, RMAP_COUNT, frame, f.maps + f.huge_maps, met[frame], 0)
    if f.state & P.FRAME_ANON and met[frame] + m.frame[head].huge_maps == 0 and f.slot == 0:
        return fault(found, LOST_FRAME, frame, f.state, 0, 0)
    if (marks[frame] & ON_LRU != 0) == tail:
        return fault(found, WRONG_LIST, frame, f.state, f.lru, 0)
    of_files = f.lru == P.LRU_INACTIVE_FILE or f.lru == P.LRU_ACTIVE_FILE
    if not tail and f.lru != P.LRU_UNEVICTABLE and of_files == (f.state & P.FRAME_SWAPBACKED != 0):
        return fault(found, WRONG_LIST, frame, f.state, f.lru, 0)
    if f.slot and m.swap_cache[f.slot - 1] != frame:
        return fault(found, SLOT_CACHE, f.slot - 1, m.swap_cache[f.slot - 1], f.slot, 0)
    if tail and not m.frame[head].state & P.FRAME_HEAD:
        return fault(found, BAD_HUGE, frame, f.state, head, 0)
    return check_head(m, frame, found) if f.state & P.FRAME_HEAD else 0


@kernel
def check_head(m, head, found):
    """A huge page: aligned, mapped whole at least once, its other frames its tails."""
    if head & P.HUGE_FRAMES - 1 or m.frame[head].huge_maps == 0:
        return fault(found, BAD_HUGE, head, m.frame[head].state, head, 0)
    for frame in range(head + 1, head + P.HUGE_FRAMES):
        if not m.frame[frame].state & P.FRAME_TAIL:
            return fault(found, BAD_HUGE, frame, m.frame[frame].state, head, 0)
    return 0


@kernel
def check_rmap_records(m, chained, found):
    """The records of reverse mappings: `chained` are in use, the others free."""
    n, free = m.rmap_free, 0
    while n and free <= m.rmap_fresh:
        n, free = m.rmap[n - 1].next, free + 1
    return fault(found, RMAP_RECORDS, chained, free, m.rmap_fresh, 0) if chained + free != m.rmap_fresh else 0


@kernel
def check_slots(m, met, found):
    """Every swap slot: free, or referred to by as many entries as it counts, or in the swap cache."""
    s, first = m.swap, m.frames.fresh
    n, free = s.free_head, 0
    while n:
        if met[first + n - 1]:
            return fault(found, SLOT_COUNT, n - 1, 0, met[first + n - 1], 0)
        met[first + n - 1] = -1
        n, free = m.swap_map[n - 1], free + 1
    if s.used != s.fresh - free:
        return fault(found, SLOTS_USED, s.used, s.fresh - free, 0, 0)
    for slot in range(s.fresh):
        entries = met[first + slot]
        if entries < 0:
            continue
        entries += 1 if m.swap_owner[slot].file else 0
        cached = m.swap_cache[slot]
        if entries != m.swap_map[slot] or (entries == 0 and cached <= 0):
            return fault(found, SLOT_COUNT, slot, m.swap_map[slot], entries, 0)
        if cached > 0 and m.frame[cached].slot != slot + 1:
            return fault(found, SLOT_CACHE, slot, cached, m.frame[cached].slot, 0)
    return 0

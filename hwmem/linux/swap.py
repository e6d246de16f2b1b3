"""Swap: slots of the device, the entries that refer to them, and the pages that are both in RAM and in a slot.

    swap_map[slot]     page-table entries that stand for the slot
    swap_cache[slot]   the frame that holds the same bytes, whose `slot` is slot + 1;
                       0: none;  below 0: none, a note of when it went (workingset.py)

A page enters the swap cache when it is about to be written out or has been read in, and leaves it when it is written to
again, when its frame is needed, or when no entry refers to its slot. A slot is free when neither has it.
Invariant: used = slots with an entry or a frame. Source: mm/swapfile.c, mm/swap_state.c.
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import kernel


@kernel
def slot_at(entry):
    """The slot that a swap entry stands for."""
    return (entry & P.PTE_FRAME) >> P.PAGE_SHIFT


@kernel
def swap_entry(slot, exclusive):
    return slot << P.PAGE_SHIFT | P.PTE_SWAP | (P.PTE_EXCLUSIVE if exclusive else 0)


@kernel
def take_slot(m, g):
    """A free slot for a page of group `g`, or -1. Slots never used come in order; freed ones, last freed first, are threaded through swap_map."""
    s = m.swap
    if g and m.group[g].swap >= m.group[g].swap_most:
        return -1
    if s.free_head:
        slot = s.free_head - 1
        s.free_head = m.swap_map[slot]
    elif s.fresh < s.slots:
        slot = s.fresh
        s.fresh += 1
    else:
        return -1
    m.swap_map[slot] = 0
    s.used += 1
    if g:
        m.slot_group[slot] = g
        m.group[g].swap += 1
    return slot


@kernel
def free_slot(m, slot):
    if m.slot_group[slot]:
        m.group[np.int64(m.slot_group[slot])].swap -= 1
        m.slot_group[slot] = 0
    m.swap_map[slot] = m.swap.free_head
    m.swap_cache[slot] = 0
    m.swap.free_head = slot + 1
    m.swap.used -= 1


@kernel
def cached_frame(m, slot):
    """The frame in the swap cache that holds the slot's bytes, 0: none."""
    return max(np.int64(m.swap_cache[slot]), 0)


@kernel
def slot_of(m, frame):
    """The slot of a frame in the swap cache."""
    return np.int64(m.frame[frame].slot) - 1


@kernel
def enter_swap_cache(m, frame, slot):
    m.frame[frame].slot = slot + 1
    m.swap_cache[slot] = frame


@kernel
def leave_swap_cache(m, frame):
    """The frame parts from its slot, which is free then; False, and nothing done, while an entry stands for the slot."""
    slot = slot_of(m, frame)
    if m.swap_map[slot]:
        return False
    m.frame[frame].slot = 0
    m.frame[frame].state |= P.FRAME_DIRTY
    free_slot(m, slot)
    return True


@kernel
def put_slot(m, slot):
    """One entry fewer refers to `slot`. Returns the frame in the swap cache that no entry refers to now, 0 if there is none; -1 while other
    entries remain."""
    m.swap_map[slot] -= 1
    if m.swap_map[slot]:
        return -1
    frame = cached_frame(m, slot)
    if frame == 0:
        free_slot(m, slot)
    return frame


@kernel
def swap_is_full(m):
    """More than half of the slots are in use: pages read back do not keep theirs (Linux: vm_swap_full)."""
    return 2 * m.swap.used > m.swap.slots

"""Anonymous pages: zero on demand, copied on write.

    read of nothing      the zero page, shared by all and never written; nothing is counted as resident (what VM_EXISTED
                         says was there before: as if it had been written)
    write of nothing     a zeroed frame of its own
    write of a page that others may see    a copy; without one if nobody else has it any more

A frame is EXCLUSIVE to the page-table entry that leads to it from the write that brought it until a fork; after that a write counts the
page's mappings to see whether it is unshared. Source: mm/memory.c (do_anonymous_page, do_wp_page, wp_page_copy).
"""

from hwmem import params as P
from hwmem._jit import kernel
from hwmem.core.service import kernel_access
from hwmem.linux.disk import copy_frame
from hwmem.linux.frames import take_frame, take_zeroed
from hwmem.linux.page_table import frame_at, read_entry, write_entry
from hwmem.linux.pages import USER_ENTRY, clean_mark, enter_anon, head_of, is_shared, leave_frame, make_droppable
from hwmem.linux.shootdown import finish_stores, shoot_down
from hwmem.linux.swap import leave_swap_cache
from hwmem.linux.vma import prepare_anon

NO_FRAME = -P.ENOMEM
OWN_PAGE = USER_ENTRY | P.PTE_RW | P.PTE_D


@kernel
def anonymous_fault(m, c, v, va, place, write):
    """The entry at `place` is empty: give the page at `va` a meaning. 0, or NO_FRAME."""
    p = m.vma[v].process
    if not write and not m.vma[v].vm_flags & P.VM_EXISTED:
        write_entry(m, c, p, place, m.frames.zero * P.PAGE | USER_ENTRY | P.PTE_ZERO | clean_mark(m, v))
        return 0
    prepare_anon(m, v)
    frame = take_zeroed(m, c)
    if frame < 0:
        return NO_FRAME
    kernel_access(m, c, frame * P.PAGE, P.PAGE, 1)
    enter_anon(m, p, va, frame)
    make_droppable(m, v, frame)
    write_entry(m, c, p, place, frame * P.PAGE | OWN_PAGE)
    return 0


@kernel
def write_fault(m, c, v, va, place):
    """A write to a page whose entry, at `place`, is read-only though the VMA, a private one, lets it be written. 0, or NO_FRAME."""
    p = m.vma[v].process
    entry = read_entry(m, p, place)
    frame = frame_at(entry)
    if frame and can_reuse(m, frame):
        m.frame[frame].state |= P.FRAME_EXCLUSIVE
        write_entry(m, c, p, place, entry & ~P.PTE_CLEARED | P.PTE_RW | P.PTE_D | P.PTE_A)
        return 0
    return copy_page(m, c, v, va, place)


@kernel
def can_reuse(m, frame):
    """Whether an anonymous page is unshared: then it is written in place."""
    f = m.frame[frame]
    if not f.state & P.FRAME_ANON:
        return False
    if f.state & P.FRAME_EXCLUSIVE:
        return True
    return not is_shared(m, frame) and head_of(m, frame) == frame and (f.slot == 0 or leave_swap_cache(m, frame))


@kernel
def take_beside(m, c, old):
    """A frame for a copy of frame `old` (0: of none), which reclaim leaves alone meanwhile (Linux holds a reference): otherwise the copy
    could get the page's own frame, and the access would never end. -1 without memory."""
    head = head_of(m, old)
    locked = m.frame[head].state & P.FRAME_LOCKED
    m.frame[head].state |= P.FRAME_LOCKED if old else 0
    frame = take_frame(m, c)
    if old and not locked:
        m.frame[head].state &= ~P.FRAME_LOCKED
    return frame


@kernel
def copy_page(m, c, v, va, place):
    """A page of one's own instead of the one (or the zero page) that the entry at `place` leads to."""
    p = m.vma[v].process
    prepare_anon(m, v)
    old = frame_at(read_entry(m, p, place))
    frame = take_beside(m, c, old)
    if frame < 0:
        return NO_FRAME
    m.frame[frame].state = 0
    source = old if old else m.frames.zero
    for line in range(0, P.PAGE, P.LINE):
        if old:  # the zero page's copy is a page cleared
            kernel_access(m, c, old * P.PAGE + line, P.LINE, 0)
        kernel_access(m, c, frame * P.PAGE + line, P.LINE, 1)
    finish_stores(m, p)
    copy_frame(m, source, frame)
    if old:
        leave_frame(m, c, p, va, old)
    enter_anon(m, p, va, frame)
    make_droppable(m, v, frame)
    write_entry(m, c, p, place, frame * P.PAGE | OWN_PAGE)
    shoot_down(m, c, p, va, va + P.PAGE)
    return 0

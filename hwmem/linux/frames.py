"""Page frames: the buddy allocator over RAM, each core's list of free frames, and what the host keeps of them.

    take_frame ── core's list (batches) ── buddy: blocks of 2^order frames, order 0 to 10 ── never used: carved from `fresh`
         └─ below the watermarks: reclaim, through its door

A free block's first frame is on its order's list, with FRAME_FREE set and `order` telling its length; two free buddies
are joined at once. FRAME_CLEAN on it says that the host's bytes are zero: RAM never used costs the host nothing, and
blocks of 256 KiB and more are given back to it when much is free. Frame 0 is never handed out.

    mark_min    below it only the kernel's own needs are served: all others reclaim first
    mark_low    below it kswapd starts, and goes on up to mark_high      (mm/page_alloc.c, setup_per_zone_wmarks)

Invariant: free (on the buddy's lists) + in cores' lists + used = fresh - 1; no two free buddies of one order.
Source: mm/page_alloc.c (__free_one_page, rmqueue_bulk, free_pcppages_bulk).
"""

from hwmem import params as P
from hwmem._jit import call_door, cold, kernel
from hwmem.cache.invalidations import process_everywhere
from hwmem.linux.group import charge_frames, group_of, may_charge, uncharge_frames
from hwmem.memory.ram import ram_page, release_host, zero_bytes

DIRECT, KSWAPD = range(2)  # who reclaims (linux/reclaim.py)


@kernel
def take_frame(m, c):
    """Number of a frame, for core `c`, with the bytes that were in it; -1 when RAM is exhausted."""
    f = m.frames
    if m.groups and not may_charge(m, c, 1):
        return -1
    if reserve(m) < f.mark_low and m.mm.reclaiming == 0:
        make_room(m, c)
        if m.process[m.core[c].process].killed:  # the OOM killer took the one that asked
            return -1
    if f.core_count[c] == 0:
        refill(m, c)
        if f.core_count[c] == 0:
            return -1
    frame = f.core_head[c]
    f.core_head[c] = m.frame[frame].next
    f.core_count[c] -= 1
    hand_out(m, frame, 1)
    if m.groups:
        charge_frames(m, c, frame, 1)
    return frame


@kernel
def take_zeroed(m, c):
    """A frame whose bytes are zero; -1 when RAM is exhausted. The accesses that write them are the caller's to make."""
    frame = take_frame(m, c)
    if frame >= 0:
        clear_host(m, frame, 1)
    return frame


@cold
def take_huge(m, c):
    """First of 512 frames, aligned, their bytes zero; -1 if no such block is free: there is no reclaim for it."""
    if reserve(m) - P.HUGE_FRAMES < m.frames.mark_low:
        return -1
    g = group_of(m, c)
    if g and m.group[g].usage + P.HUGE_FRAMES > m.group[g].most:
        return -1
    frame = take_block(m, P.HUGE_ORDER)
    if frame < 0:
        return -1
    hand_out(m, frame, P.HUGE_FRAMES)
    if m.groups:
        charge_frames(m, c, frame, P.HUGE_FRAMES)
    clear_host(m, frame, P.HUGE_FRAMES)
    return frame


@kernel
def hand_out(m, frame, n):
    """Count `n` frames from `frame` on, all free until now, as used."""
    f = m.frames
    if not m.frame[frame].state & P.FRAME_CLEAN:
        f.dirty -= n
    f.used += n
    m.vmstat.pgalloc += n
    if m.cost.early > 0:
        process_everywhere(m, frame * P.PAGE, n * P.PAGE)


@kernel
def clear_host(m, frame, n):
    """Zero the bytes of `n` frames where they are not; the frames' state is 0 from now on."""
    clean = m.frame[frame].state & P.FRAME_CLEAN
    m.frame[frame].state = 0
    if not clean:
        zero_bytes(ram_page(m, frame), n * P.PAGE)


@kernel
def give_frame(m, c, frame):
    """An unused frame goes to core `c`'s list, and from there, by batches, to the buddy allocator."""
    f = m.frames
    f.used -= 1
    f.dirty += 1
    if m.groups:
        uncharge_frames(m, frame, 1)
    m.vmstat.pgfree += 1
    m.frame[frame].state = P.FRAME_LISTED
    m.frame[frame].next = f.core_head[c]
    f.core_head[c] = frame
    f.core_count[c] += 1
    if f.core_count[c] > P.PCP_HIGH:
        give_batch(m, c, P.PCP_HIGH // 2)


@kernel
def give_huge(m, frame):
    """512 frames go back at once."""
    m.frames.used -= P.HUGE_FRAMES
    if m.groups:
        uncharge_frames(m, frame, P.HUGE_FRAMES)
    m.frames.dirty += P.HUGE_FRAMES
    m.vmstat.pgfree += P.HUGE_FRAMES
    give_block(m, frame, P.HUGE_ORDER, 0)


@kernel
def reserve(m):
    """Free frames, those never used among them."""
    return m.frames.free + m.frames.total - m.frames.fresh


@cold
def make_room(m, c):
    """What an allocation does when little is free: it wakes kswapd, and below the lowest mark it reclaims itself. That is done now,
    whatever the frame is for."""
    untold = m.mm.untold
    m.mm.untold = 0
    call_door(m, P.DOOR_RECLAIM, c, KSWAPD, 0, 0)
    if reserve(m) < m.frames.mark_min:
        call_door(m, P.DOOR_RECLAIM, c, DIRECT, 0, 0)
    m.mm.untold = untold


@cold
def refill(m, c):
    """A batch of frames for core `c`'s empty list, in the order of their addresses."""
    f = m.frames
    last = 0
    for _ in range(P.PCP_BATCH):
        frame = take_block(m, 0)
        if frame < 0:
            return
        m.frame[frame].state |= P.FRAME_LISTED
        m.frame[frame].next = 0
        if last:
            m.frame[last].next = frame
        else:
            f.core_head[c] = frame
        last = frame
        f.core_count[c] += 1


@cold
def give_batch(m, c, n):
    """`n` frames of core `c`'s list go back to the buddy allocator."""
    f = m.frames
    for _ in range(n):
        frame = f.core_head[c]
        f.core_head[c] = m.frame[frame].next
        f.core_count[c] -= 1
        give_block(m, frame, 0, m.frame[frame].state & P.FRAME_CLEAN)


@kernel
def take_block(m, order):
    """First frame of a block of 2^order frames, its state FRAME_CLEAN or 0; -1: none."""
    have = smallest(m, order)
    while have > P.MAX_ORDER:
        if not carve(m):
            return -1
        have = smallest(m, order)
    frame = m.frames.head[have]
    unlink_block(m, frame, have)
    clean = m.frame[frame].state & P.FRAME_CLEAN
    while have > order:  # the upper half goes back, as often as it takes
        have -= 1
        link_block(m, frame + (1 << have), have, clean)
    m.frame[frame].state = clean
    return frame


@kernel
def smallest(m, order):
    """The least order, from `order` up, that has a free block; above MAX_ORDER: none has."""
    while order <= P.MAX_ORDER and m.frames.head[order] == 0:
        order += 1
    return order


@cold
def carve(m):
    """Frames never used, to the next multiple of the largest block, become free; False when there are none left."""
    f = m.frames
    end = min(f.total, (f.fresh >> P.MAX_ORDER) + 1 << P.MAX_ORDER)
    if f.fresh == end:
        return False
    while f.fresh < end:
        order = 0
        while f.fresh & (1 << order) == 0 and f.fresh + (2 << order) <= end and order < P.MAX_ORDER:
            order += 1
        link_block(m, f.fresh, order, P.FRAME_CLEAN)
        f.fresh += 1 << order
    return True


@kernel
def give_block(m, frame, order, clean):
    """A block becomes free: joined with its buddy while that is free too (`clean`: FRAME_CLEAN or 0)."""
    f = m.frames
    while order < P.MAX_ORDER:
        buddy = frame ^ 1 << order
        if buddy + (1 << order) > f.fresh or not m.frame[buddy].state & P.FRAME_FREE or m.frame[buddy].order != order:
            break
        unlink_block(m, buddy, order)
        if clean != m.frame[buddy].state & P.FRAME_CLEAN:
            f.dirty += 1 << order  # the half whose bytes were zero counts as the other
            clean = 0
        m.frame[buddy].state = 0
        frame &= buddy
        order += 1
    if order >= P.RELEASE_ORDER and not clean and f.dirty > P.RELEASE_ABOVE:
        release_host(ram_page(m, frame), P.PAGE << order)
        f.dirty -= 1 << order
        f.released += 1 << order
        clean = P.FRAME_CLEAN
    link_block(m, frame, order, clean)


@kernel
def link_block(m, frame, order, clean):
    f = m.frames
    first = f.head[order]
    m.frame[frame].state = P.FRAME_FREE | clean
    m.frame[frame].order = order
    m.frame[frame].prev = 0
    m.frame[frame].next = first
    if first:
        m.frame[first].prev = frame
    f.head[order] = frame
    f.count[order] += 1
    f.free += 1 << order


@kernel
def unlink_block(m, frame, order):
    f = m.frames
    before, after = m.frame[frame].prev, m.frame[frame].next
    if before:
        m.frame[before].next = after
    else:
        f.head[order] = after
    if after:
        m.frame[after].prev = before
    f.count[order] -= 1
    f.free -= 1 << order

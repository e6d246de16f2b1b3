"""tcmalloc's back end: the hugepage-aware page heap, spans, and the page map.

    new_span(pages) ── fewer than a hugepage has ──> filler: partly used hugepages; the one whose longest free range is the shortest
                    │                                that is long enough, of those the one with most allocations
                    └─ more ──> whole hugepages; what is left of the last one goes to the filler

An unused hugepage goes to the cache of hugepages, which keeps CACHE_LIMIT of them backed and gives the others back (MADV_DONTNEED); their
addresses are reused before more is requested: a gibibyte is reserved, then mprotected hugepage by hugepage.
`release` is ReleaseMemoryToSystem: the cache, then the free pages of the filler's hugepages ("subrelease").

All of it is under one lock (the callers'). Simplified: one density of spans, no HugeRegion (spans of a little more than a hugepage get
whole ones), ranges of hugepages in an array instead of a tree, a constant limit of the cache.
Source: google/tcmalloc docs/design.md, docs/temeraire.md, huge_page_filler.h, huge_cache.h, pagemap.h.
"""

from hwmem import params as H
from hwmem._jit import cold, kernel
from goalloc.base.mem import PROT_RW, madvise, mmap, system_call
from goalloc.words import ONE, clz64, ctz64, get64, get_mask, low_bits, put8, put64, put_mask
from goalloc.baselines import tcmalloc_layout as L
from goalloc.baselines.system import ANONYMOUS, data, map_memory
import numpy as np


@cold
def take_meta(m, t, n):
    """`n` zeroed bytes for tcmalloc's own structures, at a multiple of 64; or 0."""
    n, d = n + 63 & ~63, data(m, t)
    here = get64(m, t, d + L.META)
    if here + n > get64(m, t, d + L.META_END):
        more = max(n, L.META_GROWTH) + 4095 & ~4095
        here = map_memory(m, t, more)
        if here == 0:
            return 0
        put64(m, t, d + L.META_END, here + more)
    put64(m, t, d + L.META, here + n)
    return here


@cold
def take_record(m, t, free, n):
    """A span or a tracker: one that is in the list of free ones at `free`, or a new one of `n` bytes; or 0."""
    record = get64(m, t, data(m, t) + free)
    if record == 0:
        return take_meta(m, t, n)
    put64(m, t, data(m, t) + free, get64(m, t, record))
    for offset in range(0, n, 8):
        put64(m, t, record + offset, 0)
    return record


@cold
def give_record(m, t, free, record):
    put64(m, t, record, get64(m, t, data(m, t) + free))
    put64(m, t, data(m, t) + free, record)


# The page map


@kernel
def leaf_of(m, t, page):
    """The leaf for a page, or 0."""
    node = 0
    if 0 <= page < 1 << 35:
        node = get64(m, t, data(m, t) + L.ROOT + 8 * (page >> L.LEAF_BITS + L.MIDDLE_BITS))
    return get64(m, t, node + 8 * (page >> L.LEAF_BITS & (1 << L.MIDDLE_BITS) - 1)) if node else 0


@cold
def need_leaf(m, t, page):
    """The same, made if it is not there; 0: there is no memory."""
    place = data(m, t) + L.ROOT + 8 * (page >> L.LEAF_BITS + L.MIDDLE_BITS)
    for n in (L.NODE_BYTES, L.LEAF_BYTES):
        below = get64(m, t, place)
        if below == 0:
            below = take_meta(m, t, n)
            put64(m, t, place, below)
        if below == 0 or n == L.LEAF_BYTES:
            return below
        place = below + 8 * (page >> L.LEAF_BITS & (1 << L.MIDDLE_BITS) - 1)
    return 0


@kernel
def span_place(m, t, page):
    return leaf_of(m, t, page) + L.L_SPAN + 8 * (page & (1 << L.LEAF_BITS) - 1)


@cold
def span_of(m, t, page):
    """The span that contains the page, or 0."""
    return get64(m, t, span_place(m, t, page)) if leaf_of(m, t, page) else 0


@cold
def note_class(m, t, page, c):
    put8(m, t, leaf_of(m, t, page) + L.L_CLASS + (page & (1 << L.LEAF_BITS) - 1), c)


@kernel
def tracker_place(m, t, page):
    return leaf_of(m, t, page) + L.L_HUGE + 8 * ((page & (1 << L.LEAF_BITS) - 1) >> 8)


# Spans


@cold
def new_span(m, t, pages):
    """A span of so many pages, in the page map by its first and last one; or 0."""
    span = take_record(m, t, L.FREE_SPANS, L.SPAN_BYTES)
    if span == 0:
        return 0
    first = take_pages(m, t, pages) if pages < L.HUGE_PAGES else take_hugepages(m, t, pages)
    if first == 0:
        give_record(m, t, L.FREE_SPANS, span)
        return 0
    put64(m, t, span + L.FIRST_PAGE, first)
    put64(m, t, span + L.NUM_PAGES, pages)
    for page in (first, first + pages - 1):
        put64(m, t, span_place(m, t, page), span)
    return span


@cold
def delete_span(m, t, span):
    first, pages = get64(m, t, span + L.FIRST_PAGE), get64(m, t, span + L.NUM_PAGES)
    for page in (first, first + pages - 1):
        put64(m, t, span_place(m, t, page), 0)
    give_record(m, t, L.FREE_SPANS, span)
    if pages < L.HUGE_PAGES:
        give_pages(m, t, first, pages)
        return
    whole = pages >> 8
    rest = pages & L.HUGE_PAGES - 1
    put_huge(m, t, first, whole)
    if rest:
        give_pages(m, t, first + (whole << 8), rest)


# The filler


@kernel
def list_for(longest, allocations):
    """The number of the list of hugepages with this longest free range."""
    chunk = max(clz64(np.uint64(max(allocations, 1))) - 56, 0)
    return longest * L.CHUNKS + min(chunk, L.CHUNKS - 1)


@cold
def link_tracker(m, t, tracker):
    """Into the list that fits, if anything of it is free."""
    longest = scan(m, t, tracker, 0) >> 16
    n = list_for(longest, get64(m, t, tracker + L.K_ALLOCATIONS))
    head = data(m, t) + L.FILLER + 8 * n
    first = get64(m, t, head)
    put64(m, t, tracker + L.K_LIST, n)
    put64(m, t, tracker + L.K_NEXT, first)
    put64(m, t, tracker + L.K_PREVIOUS, 0)
    if first:
        put64(m, t, first + L.K_PREVIOUS, tracker)
    put64(m, t, head, tracker)
    word = data(m, t) + L.FILLER_MAP + (n >> 6) * 8
    put_mask(m, t, word, get_mask(m, t, word) | ONE << np.uint64(n & 63))


@cold
def unlink_tracker(m, t, tracker):
    n, after, before = get64(m, t, tracker + L.K_LIST), get64(m, t, tracker + L.K_NEXT), get64(m, t, tracker + L.K_PREVIOUS)
    head = data(m, t) + L.FILLER + 8 * n
    put64(m, t, before + L.K_NEXT if before else head, after)
    if after:
        put64(m, t, after + L.K_PREVIOUS, before)
    elif before == 0:
        word = data(m, t) + L.FILLER_MAP + (n >> 6) * 8
        put_mask(m, t, word, get_mask(m, t, word) & ~(ONE << np.uint64(n & 63)))


@cold
def scan(m, t, tracker, n):
    """longest free range << 16 | where the shortest one of `n` pages or more begins."""
    longest, best, place, run = 0, L.HUGE_PAGES + 1, 0, 0
    for word in range(5):
        used = get_mask(m, t, tracker + L.K_MAP + 8 * word) if word < 4 else ONE
        for bit in range(64 if word < 4 else 1):
            if used >> np.uint64(bit) & ONE:
                longest = max(longest, run)
                if n <= run < best:
                    best, place = run, 64 * word + bit - run
                run = 0
            else:
                run += 1
    return longest << 16 | place


@cold
def mark_pages(m, t, place, first, n, on):
    """Set or clear the bits of `n` pages in the four words at `place`."""
    for word in range(4):
        low, high = max(first - 64 * word, 0), min(first + n - 64 * word, 64)
        if low < high:
            mask = low_bits(high) & ~low_bits(low)
            old = get_mask(m, t, place + 8 * word)
            put_mask(m, t, place + 8 * word, old | mask if on else old & ~mask)


@cold
def take_pages(m, t, n):
    """`n` pages of one hugepage: the first one's number, or 0."""
    tracker = find_tracker(m, t, n)
    if tracker:
        unlink_tracker(m, t, tracker)
    else:
        tracker = track(m, t, get_huge(m, t, 1))
        if tracker == 0:
            return 0
    first = scan(m, t, tracker, n) & 0xFFFF
    mark_pages(m, t, tracker + L.K_MAP, first, n, True)
    mark_pages(m, t, tracker + L.K_RELEASED, first, n, False)
    put64(m, t, tracker + L.K_ALLOCATIONS, get64(m, t, tracker + L.K_ALLOCATIONS) + 1)
    put64(m, t, tracker + L.K_USED, get64(m, t, tracker + L.K_USED) + n)
    link_tracker(m, t, tracker)
    return get64(m, t, tracker + L.K_PLACE) + first


@cold
def find_tracker(m, t, n):
    """The first of the first list that has one and whose hugepages have `n` free pages on end; or 0."""
    wanted = n * L.CHUNKS
    for word in range(wanted >> 6, 33):
        mask = get_mask(m, t, data(m, t) + L.FILLER_MAP + 8 * word)
        if word == wanted >> 6:
            mask &= ~low_bits(wanted & 63)
        if mask:
            return get64(m, t, data(m, t) + L.FILLER + 8 * (64 * word + ctz64(mask)))
    return 0


@cold
def track(m, t, page):
    """A tracker, in no list, for the hugepage at `page` (0: there is none); or 0."""
    if page == 0:
        return 0
    tracker = take_record(m, t, L.FREE_TRACKERS, L.K_BYTES)
    if tracker == 0:
        put_huge(m, t, page, 1)
        return 0
    put64(m, t, tracker + L.K_PLACE, page)
    put64(m, t, tracker_place(m, t, page), tracker)
    return tracker


@cold
def give_pages(m, t, first, n):
    """Pages of a hugepage that has a tracker are free again."""
    tracker = get64(m, t, tracker_place(m, t, first))
    unlink_tracker(m, t, tracker)
    mark_pages(m, t, tracker + L.K_MAP, first & L.HUGE_PAGES - 1, n, False)
    left = get64(m, t, tracker + L.K_ALLOCATIONS) - 1
    put64(m, t, tracker + L.K_ALLOCATIONS, left)
    put64(m, t, tracker + L.K_USED, get64(m, t, tracker + L.K_USED) - n)
    if left:
        link_tracker(m, t, tracker)
        return
    put64(m, t, tracker_place(m, t, first), 0)
    page = get64(m, t, tracker + L.K_PLACE)
    give_record(m, t, L.FREE_TRACKERS, tracker)
    put_huge(m, t, page, 1)


@cold
def take_hugepages(m, t, n):
    """`n` pages, at least a hugepage: the first one's number, or 0. What is left of the last hugepage goes to the filler."""
    whole = n + L.HUGE_PAGES - 1 >> 8
    first = get_huge(m, t, whole)
    rest = n & L.HUGE_PAGES - 1
    if first and rest:
        tracker = track(m, t, first + (whole - 1 << 8))
        if tracker == 0:
            put_huge(m, t, first, whole - 1)
            return 0
        mark_pages(m, t, tracker + L.K_MAP, 0, rest, True)
        put64(m, t, tracker + L.K_ALLOCATIONS, 1)
        put64(m, t, tracker + L.K_USED, rest)
        link_tracker(m, t, tracker)
    return first


# Ranges of free hugepages: (first page, hugepages, whether they are backed)


@kernel
def range_at(m, t, i):
    return data(m, t) + L.RANGE + 24 * i


@cold
def get_huge(m, t, n):
    """`n` hugepages on end: the first one's first page, or 0. Backed ones first, of those the shortest range that is long enough."""
    for backed in (1, 0):
        best, least = -1, 1 << 60
        for i in range(get64(m, t, data(m, t) + L.RANGES)):
            at = range_at(m, t, i)
            length = get64(m, t, at + 8)
            if get64(m, t, at + 16) == backed and n <= length < least:
                best, least = i, length
        if best >= 0:
            at = range_at(m, t, best)
            page = get64(m, t, at)
            put64(m, t, at, page + (n << 8))
            put64(m, t, at + 8, least - n)
            if least == n:
                drop_range(m, t, best)
            if backed:
                put64(m, t, data(m, t) + L.CACHED, get64(m, t, data(m, t) + L.CACHED) - n)
            return page
    return grow(m, t, n)


@cold
def drop_range(m, t, i):
    """The last one takes its place."""
    last = get64(m, t, data(m, t) + L.RANGES) - 1
    for field in (0, 8, 16):
        put64(m, t, range_at(m, t, i) + field, get64(m, t, range_at(m, t, last) + field))
    put64(m, t, data(m, t) + L.RANGES, last)


@cold
def put_huge(m, t, page, n):
    """`n` hugepages are free: cached, or, beyond the limit, given back."""
    cached = get64(m, t, data(m, t) + L.CACHED)
    backed = cached + n <= L.CACHE_LIMIT
    if backed:
        put64(m, t, data(m, t) + L.CACHED, cached + n)
    else:
        madvise(m, t, page << L.PAGE_SHIFT, n << L.HUGE_SHIFT, H.MADV_DONTNEED)
    add_range(m, t, page, n, backed)


@cold
def add_range(m, t, page, n, backed):
    """Joined with ranges of its kind before and behind it."""
    i = 0
    while i < get64(m, t, data(m, t) + L.RANGES):
        at = range_at(m, t, i)
        start, length = get64(m, t, at), get64(m, t, at + 8)
        if get64(m, t, at + 16) == backed and (start + (length << 8) == page or page + (n << 8) == start):
            page, n = min(page, start), n + length
            drop_range(m, t, i)
            i = 0
        else:
            i += 1
    count = get64(m, t, data(m, t) + L.RANGES)
    if count < L.MOST_RANGES:  # else the addresses are lost
        put64(m, t, range_at(m, t, count), page)
        put64(m, t, range_at(m, t, count) + 8, n)
        put64(m, t, range_at(m, t, count) + 16, backed)
        put64(m, t, data(m, t) + L.RANGES, count + 1)


@cold
def grow(m, t, n):
    """`n` hugepages that never were anybody's."""
    d, size = data(m, t), n << L.HUGE_SHIFT
    here = get64(m, t, d + L.GROWN)
    if here + size > get64(m, t, d + L.GROWN_END):
        area = max(size, L.RESERVED) + L.HUGE
        here = mmap(m, t, 0, area, H.PROT_NONE, ANONYMOUS) + L.HUGE - 1 & -L.HUGE
        if here == 0:
            return 0
        put64(m, t, d + L.GROWN_END, here + area - L.HUGE)
    if system_call(m, t, H.SYS_MPROTECT, here, size, PROT_RW) < 0:
        return 0
    for k in range(n):
        if need_leaf(m, t, (here >> L.PAGE_SHIFT) + (k << 8)) == 0:
            return 0
    put64(m, t, d + L.GROWN, here + size)
    return here >> L.PAGE_SHIFT


@cold
def release(m, t):
    """All that is free goes back to the kernel: the cache's hugepages, then the filler's pages."""
    for i in range(get64(m, t, data(m, t) + L.RANGES)):
        at = range_at(m, t, i)
        if get64(m, t, at + 16):
            madvise(m, t, get64(m, t, at) << L.PAGE_SHIFT, get64(m, t, at + 8) << L.HUGE_SHIFT, H.MADV_DONTNEED)
            put64(m, t, at + 16, 0)
    put64(m, t, data(m, t) + L.CACHED, 0)
    for n in range(L.CHUNKS, (L.HUGE_PAGES + 1) * L.CHUNKS):
        tracker = get64(m, t, data(m, t) + L.FILLER + 8 * n)
        while tracker:
            subrelease(m, t, tracker)
            tracker = get64(m, t, tracker + L.K_NEXT)


@cold
def subrelease(m, t, tracker):
    """The free pages of a hugepage that were not given back before."""
    page, run = get64(m, t, tracker + L.K_PLACE), 0
    for i in range(L.HUGE_PAGES + 1):
        kept = ONE
        if i < L.HUGE_PAGES:
            word, bit = 8 * (i >> 6), np.uint64(i & 63)
            kept = (get_mask(m, t, tracker + L.K_MAP + word) | get_mask(m, t, tracker + L.K_RELEASED + word)) >> bit & ONE
        if kept == 0:
            run += 1
        elif run:
            madvise(m, t, page + i - run << L.PAGE_SHIFT, run << L.PAGE_SHIFT, H.MADV_DONTNEED)
            mark_pages(m, t, tracker + L.K_RELEASED, i - run, run, True)
            run = 0

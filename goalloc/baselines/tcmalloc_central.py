"""tcmalloc's middle end: a transfer cache and a central free list for each size class, each under its own lock.

    front end ── a batch of objects ──> transfer cache: an array of pointers
                                        └─ empty, or full ──> central free list: spans that have free objects ──> page heap

Batches are pointers in the thread's `BATCH` (the real library's are on the stack). Spans with free objects are in eight lists by how many
of their objects are allocated; objects come from the fullest. A span's free objects are recorded as

    below 128 bytes           four indexes in the span, then objects that hold others' indexes, two bytes each: an unrolled list
    128 bytes and more        a bit each in the span

Simplified: a transfer cache's capacity stays at its initial 16 batches; it is not divided among cache domains.
Source: google/tcmalloc transfer_cache_internals.h, central_freelist.h, span.h.
"""

import numpy as np

from hwmem._jit import cold, kernel
from goalloc.base.lock import lock, unlock
from goalloc.words import ONE, clz64, ctz64, get8, get16, get32, get64, get_mask, low_bits, put8, put16, put32, put64, put_mask
from goalloc.baselines import tcmalloc_layout as L
from goalloc.baselines.system import bad_free, data, local
from goalloc.baselines.tcmalloc_pages import delete_span, new_span, note_class, span_of, span_place, take_meta


@kernel
def batch_at(m, t, i):
    return local(m, t) + L.BATCH + 8 * i


@kernel
def class_bytes(m, t, c):
    return get32(m, t, data(m, t) + L.CLASS_BYTES + 4 * c)


@kernel
def class_pages(m, t, c):
    return get8(m, t, data(m, t) + L.CLASS_PAGES + c)


@kernel
def batch_size(m, t, c):
    return get8(m, t, data(m, t) + L.CLASS_BATCH + c)


# Transfer caches


@kernel
def transfer_at(m, t, c):
    return data(m, t) + L.TRANSFER + L.TRANSFER_BYTES * c


@cold
def remove_range(m, t, c, n):
    """Up to `n` objects of class `c` into the batch; how many."""
    cache = transfer_at(m, t, c)
    if get32(m, t, cache + L.T_USED):
        lock(m, t, cache)
        used = get32(m, t, cache + L.T_USED)
        got = min(n, used)
        put32(m, t, cache + L.T_USED, used - got)
        slots = get64(m, t, cache + L.T_SLOTS)
        for i in range(got):
            put64(m, t, batch_at(m, t, i), get64(m, t, slots + 8 * (used - got + i)))
        if used - got < get32(m, t, cache + L.T_LOW):
            put32(m, t, cache + L.T_LOW, used - got)
        unlock(m, t, cache)
        if got:
            return got
    return from_spans(m, t, c, n)


@cold
def insert_range(m, t, c, n):
    """The `n` objects of the batch go to the transfer cache, what it has no room for to their spans."""
    cache, got = transfer_at(m, t, c), 0
    if get32(m, t, cache + L.T_CAPACITY) > get32(m, t, cache + L.T_USED) and need_slots(m, t, c):
        lock(m, t, cache)
        used = get32(m, t, cache + L.T_USED)
        got = min(n, get32(m, t, cache + L.T_CAPACITY) - used)
        put32(m, t, cache + L.T_USED, used + got)
        slots = get64(m, t, cache + L.T_SLOTS)
        for i in range(got):
            put64(m, t, slots + 8 * (used + i), get64(m, t, batch_at(m, t, i)))
        unlock(m, t, cache)
    if got < n:
        to_spans(m, t, c, got, n)


@cold
def need_slots(m, t, c):
    """Whether the cache has its array."""
    place = transfer_at(m, t, c) + L.T_SLOTS
    if get64(m, t, place) == 0:
        lock(m, t, data(m, t) + L.PAGE_LOCK)
        put64(m, t, place, take_meta(m, t, 8 * get64(m, t, transfer_at(m, t, c) + L.T_MOST)))
        unlock(m, t, data(m, t) + L.PAGE_LOCK)
    return get64(m, t, place) != 0


@cold
def plunder(m, t, c):
    """What the cache did not need since the last time goes to the spans."""
    cache = transfer_at(m, t, c)
    spare = get32(m, t, cache + L.T_LOW)
    put32(m, t, cache + L.T_LOW, get32(m, t, cache + L.T_USED))
    while spare > 0:
        n = min(min(spare, get32(m, t, cache + L.T_USED)), batch_size(m, t, c))
        if n == 0:
            return
        lock(m, t, cache)
        used = get32(m, t, cache + L.T_USED) - n
        for i in range(n):
            put64(m, t, batch_at(m, t, i), get64(m, t, get64(m, t, cache + L.T_SLOTS) + 8 * (used + i)))
        put32(m, t, cache + L.T_USED, used)
        put32(m, t, cache + L.T_LOW, used)
        unlock(m, t, cache)
        to_spans(m, t, c, 0, n)
        spare -= n


# Central free lists


@kernel
def central_at(m, t, c):
    return data(m, t) + L.CENTRAL + L.CENTRAL_BYTES * c


@cold
def from_spans(m, t, c, n):
    """Up to `n` objects into the batch, from the spans with fewest free ones, or from one new span; how many."""
    central, got, size = central_at(m, t, c), 0, class_bytes(m, t, c)
    per_span = class_pages(m, t, c) * L.PAGE // size
    if per_span == 1:
        span = class_span(m, t, c)
        if span:
            put64(m, t, batch_at(m, t, 0), get64(m, t, span + L.FIRST_PAGE) << L.PAGE_SHIFT)
            put16(m, t, span + L.ALLOCATED, 1)
        return 1 if span else 0
    lock(m, t, central)
    while got < n:
        span = fullest(m, t, central)
        if span:
            unlink_span(m, t, central, span)
        else:
            unlock(m, t, central)
            span = class_span(m, t, c)
            if span:
                fill_span(m, t, span, size, per_span)
            lock(m, t, central)
            if span == 0:
                break
        while got < n and get16(m, t, span + L.ALLOCATED) < per_span:
            put64(m, t, batch_at(m, t, got), pop(m, t, span, size))
            got += 1
        if get16(m, t, span + L.ALLOCATED) < per_span:
            link_span(m, t, central, span, per_span)
    unlock(m, t, central)
    return got


@cold
def to_spans(m, t, c, i, n):
    """The objects i to n of the batch are free in their spans; a span that is wholly free goes to the page heap."""
    central, size = central_at(m, t, c), class_bytes(m, t, c)
    per_span = class_pages(m, t, c) * L.PAGE // size
    lock(m, t, central)
    for k in range(i, n):
        x = get64(m, t, batch_at(m, t, k))
        span = span_of(m, t, x >> L.PAGE_SHIFT)
        allocated = get16(m, t, span + L.ALLOCATED)
        if allocated < per_span:
            unlink_span(m, t, central, span)
        if allocated > 1:
            push(m, t, span, x, size)
            link_span(m, t, central, span, per_span)
        else:
            unlock(m, t, central)
            free_span(m, t, span)
            lock(m, t, central)
    unlock(m, t, central)


@cold
def class_span(m, t, c):
    """A new span for objects of class `c`, every page of it in the page map; or 0."""
    lock(m, t, data(m, t) + L.PAGE_LOCK)
    span = new_span(m, t, class_pages(m, t, c))
    unlock(m, t, data(m, t) + L.PAGE_LOCK)
    if span:
        put64(m, t, span + L.CLASS, c)
        first = get64(m, t, span + L.FIRST_PAGE)
        for page in range(first, first + get64(m, t, span + L.NUM_PAGES)):
            put64(m, t, span_place(m, t, page), span)
            note_class(m, t, page, c)
    return span


@cold
def free_span(m, t, span):
    first = get64(m, t, span + L.FIRST_PAGE)
    for page in range(first, first + get64(m, t, span + L.NUM_PAGES)):
        note_class(m, t, page, 0)
    lock(m, t, data(m, t) + L.PAGE_LOCK)
    delete_span(m, t, span)
    unlock(m, t, data(m, t) + L.PAGE_LOCK)


@kernel
def list_of(allocated, per_span):
    if per_span <= 2 * L.NUM_LISTS:
        return max(L.NUM_LISTS - allocated, 0)
    return L.NUM_LISTS - min(64 - clz64(np.uint64(allocated)), L.NUM_LISTS)


@cold
def fullest(m, t, central):
    """A span with free objects, of those with most allocated ones; or 0."""
    for i in range(L.NUM_LISTS):
        span = get64(m, t, central + L.C_LISTS + 8 * i)
        if span:
            return span
    return 0


@cold
def link_span(m, t, central, span, per_span):
    i = list_of(get16(m, t, span + L.ALLOCATED), per_span)
    head = central + L.C_LISTS + 8 * i
    first = get64(m, t, head)
    put8(m, t, span + L.LIST, i)
    put64(m, t, span + L.NEXT, first)
    put64(m, t, span + L.PREVIOUS, 0)
    if first:
        put64(m, t, first + L.PREVIOUS, span)
    put64(m, t, head, span)


@cold
def unlink_span(m, t, central, span):
    after, before = get64(m, t, span + L.NEXT), get64(m, t, span + L.PREVIOUS)
    put64(m, t, before + L.NEXT if before else central + L.C_LISTS + 8 * get8(m, t, span + L.LIST), after)
    if after:
        put64(m, t, after + L.PREVIOUS, before)


# A span's free objects


@cold
def fill_span(m, t, span, size, per_span):
    """All objects of a new span are free."""
    start = get64(m, t, span + L.FIRST_PAGE) << L.PAGE_SHIFT
    if size >= L.BITMAP_FROM:
        put_mask(m, t, span + L.BITMAP, low_bits(per_span))
        return
    put16(m, t, span + L.FREELIST, L.LIST_END)
    put16(m, t, span + L.ALLOCATED, per_span)
    for i in range(per_span - 1, -1, -1):
        push(m, t, span, start + i * size, size)


@cold
def push(m, t, span, x, size):
    start = get64(m, t, span + L.FIRST_PAGE) << L.PAGE_SHIFT
    put16(m, t, span + L.ALLOCATED, get16(m, t, span + L.ALLOCATED) - 1)
    if size >= L.BITMAP_FROM:
        put_mask(m, t, span + L.BITMAP, get_mask(m, t, span + L.BITMAP) | ONE << np.uint64((x - start) // size))
        return
    index, cached, first = x - start >> 3, get8(m, t, span + L.CACHED_INDEXES), get16(m, t, span + L.FREELIST)
    if cached < L.CACHE_SIZE:
        put16(m, t, span + L.CACHE + 2 * cached, index)
        put8(m, t, span + L.CACHED_INDEXES, cached + 1)
        return
    embedded = get16(m, t, span + L.EMBEDDED)
    if first != L.LIST_END and embedded < size // 2 - 1:
        put16(m, t, span + L.EMBEDDED, embedded + 1)
        put16(m, t, start + 8 * first + 2 * (embedded + 1), index)
        return
    put16(m, t, x, first)
    put16(m, t, span + L.FREELIST, index)
    put16(m, t, span + L.EMBEDDED, 0)


@cold
def pop(m, t, span, size):
    """An object of a span that has a free one."""
    start = get64(m, t, span + L.FIRST_PAGE) << L.PAGE_SHIFT
    put16(m, t, span + L.ALLOCATED, get16(m, t, span + L.ALLOCATED) + 1)
    if size >= L.BITMAP_FROM:
        mask = get_mask(m, t, span + L.BITMAP)
        put_mask(m, t, span + L.BITMAP, mask & ~(ONE << np.uint64(ctz64(mask))))
        return start + size * ctz64(mask)
    cached = get8(m, t, span + L.CACHED_INDEXES)
    if cached:
        put8(m, t, span + L.CACHED_INDEXES, cached - 1)
        return start + 8 * get16(m, t, span + L.CACHE + 2 * (cached - 1))
    first, embedded = get16(m, t, span + L.FREELIST), get16(m, t, span + L.EMBEDDED)
    if embedded:
        put16(m, t, span + L.EMBEDDED, embedded - 1)
        return start + 8 * get16(m, t, start + 8 * first + 2 * embedded)
    put16(m, t, span + L.FREELIST, get16(m, t, start + 8 * first))
    put16(m, t, span + L.EMBEDDED, size // 2 - 1)  # whoever is next is full
    return start + 8 * first


@cold
def large_span(m, t, x):
    """The span of a block that has no class, or 0 after the program's end."""
    span = span_of(m, t, x >> L.PAGE_SHIFT)
    if span == 0 or get64(m, t, span + L.FIRST_PAGE) << L.PAGE_SHIFT != x:
        bad_free(m, t)
        return 0
    return span

"""Specials: records about single objects (a finalizer, a profile's sample), in a list of the object's span, sorted by offset.

    mspan.specials ─> | next | offset, kind | ... | ─> ...         heapArena.pageSpecials: a bit for a span that has any

`p` is an object's address, `s` a special's. They come from fixed-size allocators, under mheap.speciallock; the list has the
span's. Without a collector every span is swept. Go: mheap.go addspecial, removespecial, setprofilebucket, freeSpecial.
"""

from hwmem._jit import cold, kernel
from goalloc import errors as E, params as P
from goalloc.errors import throw
from goalloc.heap.mheap_grow import H, arena_of
from goalloc.layout import heapArena, mheap, mspan, special
from goalloc.base.lock import lock, unlock
from goalloc.base.mfixalloc import fixalloc_alloc, fixalloc_free
from goalloc.words import clear_bit8, get8, get16, get64, put8, put16, put64, set_bit8

SPECIAL_LOCK = H + mheap.speciallock


@kernel
def spanOf(m, t, va):
    """The span that contains an address of the heap; 0 if there is none."""
    arena = arena_of(m, t, va)
    return get64(m, t, arena + heapArena.spans + (va >> P.pageShift & P.pagesPerArena - 1) * 8) if arena else 0


@cold
def new_special(m, t, allocator, kind):
    """A special from the fixed-size allocator at `allocator` in mheap; its address."""
    lock(m, t, SPECIAL_LOCK)
    s, _ = fixalloc_alloc(m, t, H + allocator)
    unlock(m, t, SPECIAL_LOCK)
    put8(m, t, s + special.kind, kind)
    return s


@cold
def free_special(m, t, allocator, s):
    lock(m, t, SPECIAL_LOCK)
    fixalloc_free(m, t, H + allocator, s)
    unlock(m, t, SPECIAL_LOCK)


@kernel
def specialFindSplicePoint(m, t, span, offset, kind):
    """(address of the link where such a special is or belongs, whether it is there)."""
    link = span + mspan.specials
    s = get64(m, t, link)
    while s:
        at, of = get16(m, t, s + special.offset), get8(m, t, s + special.kind)
        if at == offset and of == kind:
            return link, True
        if offset < at or (offset == at and kind < of):
            break
        link = s + special.next
        s = get64(m, t, link)
    return link, False


@cold
def addspecial(m, t, p, s):
    """Put the special at `s` on record for the object at `p`; False if it has one of the kind."""
    span = spanOf(m, t, p)
    if span == 0 or get8(m, t, span + mspan.state) != P.mSpanInUse:
        throw(m, t, E.ADD_SPECIAL, 0, 0)
        return False
    base = get64(m, t, span + mspan.startAddr)
    lock(m, t, span + mspan.speciallock)
    link, exists = specialFindSplicePoint(m, t, span, p - base, get8(m, t, s + special.kind))
    if not exists:
        put16(m, t, s + special.offset, p - base)
        put64(m, t, s + special.next, get64(m, t, link))
        if get64(m, t, span + mspan.specials) == 0:
            set_bit8(m, t, *page_bit(m, t, base))
        put64(m, t, link, s)
    unlock(m, t, span + mspan.speciallock)
    return not exists


@cold
def removespecial(m, t, p, kind):
    """Take the object's special of a kind off its list; its address, or 0."""
    span = spanOf(m, t, p)
    if span == 0 or get8(m, t, span + mspan.state) != P.mSpanInUse:
        throw(m, t, E.REMOVE_SPECIAL, 0, 0)
        return 0
    base = get64(m, t, span + mspan.startAddr)
    lock(m, t, span + mspan.speciallock)
    link, exists = specialFindSplicePoint(m, t, span, p - base, kind)
    s = get64(m, t, link) if exists else 0
    if exists:
        put64(m, t, link, get64(m, t, s + special.next))
        if get64(m, t, span + mspan.specials) == 0:
            clear_bit8(m, t, *page_bit(m, t, base))
    unlock(m, t, span + mspan.speciallock)
    return s


@kernel
def page_bit(m, t, base):
    """(address of the byte, number of the bit) of pageSpecials for a span."""
    page = base >> P.pageShift & P.pagesPerArena - 1
    return arena_of(m, t, base) + heapArena.pageSpecials + (page >> 3), page & 7

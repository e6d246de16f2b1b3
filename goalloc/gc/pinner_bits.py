"""Pinned objects: two bits an object: pinned, and pinned more than once; a special then has the count.

Pinning promises foreign code that an object does not move; the Pinner keeps it alive. Go: pinner.go.
"""

from hwmem._jit import cold, kernel
from goalloc import constants as C, errors as E
from goalloc.base.lock import lock, unlock
from goalloc.errors import throw
from goalloc.heap.mheap_gcbits import newMarkBits
from goalloc.heap.mheap_special import free_special, new_special, page_bit, specialFindSplicePoint
from goalloc.layout import mheap, mspan, special, specialPinCounter
from goalloc.words import NONE, clear_bit8, get8, get64, get_mask, put16, put64, set_bit8


@cold
def refreshPinnerBits(m, t, s):
    """A swept span's bits: copied to the arena of the new mark bits, for the old one will be freed."""
    old, n, any_set = get64(m, t, s + mspan.pinnerBits), (get64(m, t, s + mspan.nelems) * 2 + 63) // 64, False
    for i in range(n):
        any_set = any_set or get_mask(m, t, old + 8 * i) != NONE
    bits = newMarkBits(m, t, get64(m, t, s + mspan.nelems) * 2) if any_set else 0
    for i in range(n if any_set else 0):
        put64(m, t, bits + 8 * i, get64(m, t, old + 8 * i))
    put64(m, t, s + mspan.pinnerBits, bits)


@cold
def setPinned(m, t, s, i, pin):
    """Pin, or unpin, object `i` of a swept span; False after a fatal error."""
    lock(m, t, s + mspan.speciallock)
    bits = get64(m, t, s + mspan.pinnerBits)
    if bits == 0:
        bits = newMarkBits(m, t, get64(m, t, s + mspan.nelems) * 2)
        put64(m, t, s + mspan.pinnerBits, bits)
    place, bit = bits + (2 * i >> 3), 2 * i & 7
    state, offset = get8(m, t, place) >> bit & 3, i * get64(m, t, s + mspan.elemsize)
    if pin and state & 1:
        incPinCounter(m, t, s, offset)
        if state & 2 == 0:
            set_bit8(m, t, place, bit + 1)
    elif pin:
        set_bit8(m, t, place, bit)
    elif state & 2:
        if not decPinCounter(m, t, s, offset):
            clear_bit8(m, t, place, bit + 1)
    elif state & 1:
        clear_bit8(m, t, place, bit)
    else:
        throw(m, t, E.UNPINNED, 0, 0)
    unlock(m, t, s + mspan.speciallock)
    return pin != 0 or state != 0


@kernel
def incPinCounter(m, t, s, offset):
    """One more pin than the first."""
    link, exists = specialFindSplicePoint(m, t, s, offset, C.KindSpecialPinCounter)
    record = get64(m, t, link)
    if not exists:
        record = new_special(m, t, mheap.specialPinCounterAlloc, C.KindSpecialPinCounter)
        put16(m, t, record + special.offset, offset)
        put64(m, t, record + special.next, get64(m, t, link))
        if get64(m, t, s + mspan.specials) == 0:
            set_bit8(m, t, *page_bit(m, t, get64(m, t, s + mspan.startAddr)))
        put64(m, t, link, record)
    put64(m, t, record + specialPinCounter.counter, get64(m, t, record + specialPinCounter.counter) + 1)


@kernel
def decPinCounter(m, t, s, offset):
    """Whether there is still more than one pin."""
    link, exists = specialFindSplicePoint(m, t, s, offset, C.KindSpecialPinCounter)
    if not exists:
        throw(m, t, E.PIN_COUNTER, 0, 0)
        return False
    record = get64(m, t, link)
    count = get64(m, t, record + specialPinCounter.counter) - 1
    put64(m, t, record + specialPinCounter.counter, count)
    if count:
        return True
    put64(m, t, link, get64(m, t, record + special.next))
    if get64(m, t, s + mspan.specials) == 0:
        clear_bit8(m, t, *page_bit(m, t, get64(m, t, s + mspan.startAddr)))
    free_special(m, t, mheap.specialPinCounterAlloc, record)
    return False

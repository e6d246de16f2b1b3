"""Bits about objects: which are free (allocBits, 64 of them cached in the span), and which words hold pointers.

    span:   allocCache, the complement of allocBits from freeindex on, so that ctz finds the next free object
    arena:  bitmap, a bit a word, 1 is a pointer; noMorePtrs, a bit a bitmap word: no pointers in the rest of the object

A writer of pointer bits is (addr, mask, valid, low): `mask` holds `valid` bits for the words from `addr` on, of which the
`low` first belong to another object. The bits of a value of up to 64 words are (mask, ptrs, words): its last pointer is word `ptrs` - 1. Go 1.21: mbitmap.go nextFreeIndex, initHeapBits, writeHeapBits, heapBitsSetType.
"""

from hwmem._jit import DOORS, call_door, cold, kernel
from goalloc import params as P
from goalloc.heap.mheap_grow import arena_of
from goalloc.layout import heapArena, mspan, type_
from goalloc.words import ALL, NONE, ctz64, get8, get64, get_mask, low_bits, put8, put64, put_mask, shl, shr

WORD_SPAN = 64 * 8  # bytes of heap that a word of the bitmap describes


# Free objects


@kernel
def refillAllocCache(m, t, s, index):
    """Cache the 64 allocation bits from object `index`, a multiple of 64, on; the complement of the bits."""
    cache = ~get_mask(m, t, get64(m, t, s + mspan.allocBits) + index // 8)
    put_mask(m, t, s + mspan.allocCache, cache)
    return cache


@cold
def nextFreeIndex(m, t, s):
    """Index of the next free object at or after freeindex, now taken; nelems if there is none."""
    index, nelems = get64(m, t, s + mspan.freeindex), get64(m, t, s + mspan.nelems)
    if index == nelems:
        return index
    cache = get_mask(m, t, s + mspan.allocCache)
    while cache == NONE:
        index = (index + 64) & ~63
        if index >= nelems:
            put64(m, t, s + mspan.freeindex, nelems)
            return nelems
        cache = refillAllocCache(m, t, s, index)
    result = index + ctz64(cache)
    if result >= nelems:
        put64(m, t, s + mspan.freeindex, nelems)
        return nelems
    put_mask(m, t, s + mspan.allocCache, shr(cache, ctz64(cache) + 1))
    index = result + 1
    if index % 64 == 0 and index != nelems:
        refillAllocCache(m, t, s, index)
    put64(m, t, s + mspan.freeindex, index)
    return result


# Pointers


@kernel
def bitmap_place(m, t, va):
    """(the arena, the number of its bitmap's word) for the heap word at `va`."""
    return arena_of(m, t, va), va // WORD_SPAN & P.heapArenaBitmapWords - 1


@kernel
def set_no_more(m, t, arena, i, value):
    """Set or clear the noMorePtrs bit of bitmap word `i`."""
    place, bit = arena + heapArena.noMorePtrs + i // 8, 1 << i % 8
    old = get8(m, t, place)
    put8(m, t, place, old | bit if value else old & ~bit)


@kernel
def writer_at(va):
    """A writer whose first bit is the word at `va`."""
    low = va // 8 % 64
    return va - low * 8, NONE, low, low


@cold
def write_bits(m, t, writer, bits, n):
    """Append the `n` lowest bits of `bits`; the writer."""
    va, mask, valid, low = writer
    if valid + n <= 64:
        return va, mask | shl(bits, valid), valid + n, low
    arena, i = bitmap_place(m, t, va)
    place = arena + heapArena.bitmap + i * 8
    put_mask(m, t, place, (get_mask(m, t, place) & low_bits(low)) | mask | shl(bits, valid))
    set_no_more(m, t, arena, i, False)
    return va + WORD_SPAN, shr(bits, 64 - valid), valid + n - 64, 0


@kernel
def pad_bits(m, t, writer, nbytes):
    """Append zeros for `nbytes` bytes."""
    words = nbytes // 8
    while words > 64:
        writer = write_bits(m, t, writer, NONE, 64)
        words -= 64
    return write_bits(m, t, writer, NONE, words) if words else writer


@cold
def flush_bits(m, t, writer, va, size):
    """Write what is pending, and zeros to the end of the object [va, va + size)."""
    at, mask, valid, low = writer
    zeros = (va + size - at) // 8 - valid
    z = min(64 - valid, zeros)
    valid += z
    zeros -= z
    arena, i = bitmap_place(m, t, at)
    if valid != low:
        place = arena + heapArena.bitmap + i * 8
        keep = low_bits(low) | ~low_bits(valid)
        put_mask(m, t, place, (get_mask(m, t, place) & keep) | mask)
    if zeros == 0:
        return
    set_no_more(m, t, arena, i, True)
    while zeros > 0:
        at += WORD_SPAN
        arena, i = bitmap_place(m, t, at)
        place = arena + heapArena.bitmap + i * 8
        put_mask(m, t, place, get_mask(m, t, place) & ~low_bits(zeros) if zeros < 64 else NONE)
        if zeros > 64:
            set_no_more(m, t, arena, i, True)
        zeros -= 64


@cold
def initHeapBits(m, t, s):
    """A new span's pointer bits: none in one without pointers, all in one of single pointers; else objects write them."""
    base, size = get64(m, t, s + mspan.startAddr), get64(m, t, s + mspan.npages) * P.pageSize
    if get8(m, t, s + mspan.spanclass) & 1:
        flush_bits(m, t, writer_at(base), base, size)
    elif get64(m, t, s + mspan.elemsize) == 8:
        writer = writer_at(base)
        for _ in range(size // WORD_SPAN):
            writer = write_bits(m, t, writer, ALL, 64)
        flush_bits(m, t, writer, base, size)


@kernel
def heapBitsSetType(m, t, x, size, dataSize, typ):
    """Record the pointers of [x, x + size), of which the first `dataSize` bytes are values of type `typ`."""
    if size == 8:
        return  # its span is all pointers
    m.thread[t].guest[P.SIZE] = size
    call_door(m, P.DOOR_HEAP_BITS, t, x, dataSize, typ)


@DOORS.door(P.DOOR_HEAP_BITS)
def set_type(m, t, x, dataSize, typ):
    size = m.thread[t].guest[P.SIZE]
    element, ptrs, data = get64(m, t, typ + type_.Size_), get64(m, t, typ + type_.PtrBytes) // 8, get64(m, t, typ + type_.GCData)
    writer = writer_at(x)
    if element == dataSize:
        writer = write_element(m, t, writer, data, ptrs)
    elif element // 8 <= 64:
        value = get_mask(m, t, data) & low_bits(ptrs), ptrs, element // 8
        writer = repeat_small(m, t, writer, value, dataSize // element)
    else:
        for i in range(dataSize // element):
            if i:
                writer = pad_bits(m, t, writer, element - ptrs * 8)
            writer = write_element(m, t, writer, data, ptrs)
    flush_bits(m, t, writer, x, size)
    return 0


@cold
def write_element(m, t, writer, data, ptrs):
    """One value's bits, from the mask at `data`."""
    while ptrs > 64:
        writer = write_bits(m, t, writer, get_mask(m, t, data), 64)
        data += 8
        ptrs -= 64
    return write_bits(m, t, writer, get_mask(m, t, data) & low_bits(ptrs), ptrs)


@kernel
def repeat_small(m, t, writer, value, n):
    """The bits of `n` equal values, doubled up while two fit a word."""
    mask, ptrs, words = value
    while words <= 32 and n > 1:
        if n & 1:
            writer = write_bits(m, t, writer, mask, words)
        n //= 2
        mask |= shl(mask, words)
        ptrs += words
        words *= 2
    for _ in range(n - 1):
        writer = write_bits(m, t, writer, mask, words)
    return write_bits(m, t, writer, mask, ptrs)

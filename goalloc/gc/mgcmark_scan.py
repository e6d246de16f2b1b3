"""Scanning: from words that are pointers to the objects they point to, which become grey.

    scanobject   a grey object's pointer words (the arena's bitmap); more than 128 KiB in oblets
    scanblock    a piece of memory with a pointer mask        scan_pointers  one of pointers alone        scanConservative  words that may be anything
    greyobject   mark bit set ── without pointers: black ── else: grey, into the P's work

An object is white while its mark bit is clear, grey while it waits in a buffer, then black. `w` is the address of the P's gcWork.
Go: mgcmark.go scanobject, scanblock, scanConservative, greyobject; mbitmap.go findObject, heapBitsForAddr.
"""

import numpy as np

from hwmem._jit import apart, cold, hot, kernel
from hwmem.sched.thread import compute
from goalloc import constants as C, errors as E, params as P
from goalloc.errors import throw
from goalloc.gc.inline import get8, get32, get64, put64, set_bit8
from goalloc.gc.mgcwork import put
from goalloc.heap.mheap_grow import H, arenaIndex
from goalloc.layout import gcWork, heapArena, mheap, mspan
from goalloc.words import NONE, ONE, ctz64, low_bits, shl, shr

SPAN_WORDS = 64 * 8
WORD_CYCLES = 6  # a pointer word's instructions: heapBits.nextFast, the tests. With its load 3 ns, as on the recorded machine
GROUP_BYTES, GROUP_CYCLES = 64, 2  # of eight words: what the loop over the mask's bytes adds to its load
CLOBBERED = C.clobberdeadPtr - (1 << 64)


@hot
def arena_at(m, t, va):
    """Address of the heapArena of any word, 0 if it is no address of the heap."""
    i = arenaIndex(va)
    if i < 0 or i >= P.arenaL2Entries:
        return 0
    l2 = get64(m, t, H + mheap.arenas)
    return get64(m, t, l2 + i * 8) if l2 else 0


@hot
def spanOf(m, t, va):
    """The span of any word, 0 if it is no address of the heap."""
    arena = arena_at(m, t, va)
    return get64(m, t, arena + heapArena.spans + (va >> P.pageShift & P.pagesPerArena - 1) * 8) if arena else 0


@hot
def objIndex(m, t, s, va):
    return (va - get64(m, t, s + mspan.startAddr)) * get32(m, t, s + mspan.divMul) >> 32


@hot
def findObject(m, t, va, base, offset):
    """(the object that `va` points into or 0, its span, its index). A pointer to a span that is none is a fatal error, which tells that it
    was found in the object at `base`, if that is not 0, at `offset`."""
    s = spanOf(m, t, va)
    if s == 0:
        if va == CLOBBERED:
            bad_pointer(m, t, va, 0)
        return 0, 0, 0
    state = get8(m, t, s + mspan.state)
    first = get64(m, t, s + mspan.startAddr)
    if state != P.mSpanInUse or va < first or va >= get64(m, t, s + mspan.limit):
        if state != P.mSpanManual:
            bad_pointer(m, t, va, s)
        return 0, 0, 0
    i = (va - first) * get32(m, t, s + mspan.divMul) >> 32
    return first + i * get64(m, t, s + mspan.elemsize), s, i


@cold
def bad_pointer(m, t, va, s):
    code = E.BAD_POINTER
    if s:
        code = E.BAD_POINTER_UNALLOCATED if get8(m, t, s + mspan.state) != P.mSpanInUse else E.BAD_POINTER_UNUSED
    throw(m, t, code, va, get64(m, t, s + mspan.startAddr) if s else 0)


@kernel
def isFree(m, t, s, i):
    """Whether object `i` of the span is not allocated, as far as the collector may know."""
    if i < get64(m, t, s + mspan.freeIndexForScan):
        return False
    return get8(m, t, get64(m, t, s + mspan.allocBits) + (i >> 3)) >> (i & 7) & 1 == 0


@kernel
def is_marked(m, t, s, i):
    return get8(m, t, get64(m, t, s + mspan.gcmarkBits) + (i >> 3)) >> (i & 7) & 1 != 0


@hot
def set_marked(m, t, s, i):
    """Object `i` of the span is marked from now on; False if it was already."""
    place = get64(m, t, s + mspan.gcmarkBits) + (i >> 3)
    if get8(m, t, place) >> (i & 7) & 1:
        return False
    set_bit8(m, t, place, i & 7)
    return True


@hot
def mark_page(m, t, s):
    """Something lives in the span: reclaim need not look at it."""
    base = get64(m, t, s + mspan.startAddr)
    page = base >> P.pageShift & P.pagesPerArena - 1
    place = arena_at(m, t, base) + heapArena.pageMarks + (page >> 3)
    if get8(m, t, place) >> (page & 7) & 1 == 0:
        set_bit8(m, t, place, page & 7)


@hot
def is_noscan(m, t, s):
    return get8(m, t, s + mspan.spanclass) & 1 != 0


@hot
def count_marked(m, t, w, n):
    put64(m, t, w + gcWork.bytesMarked, get64(m, t, w + gcWork.bytesMarked) + n)


@hot
def greyobject(m, t, obj, s, w, i):
    """Object `i` of span `s` has been found; it is grey if it was white."""
    if obj & 7:
        throw(m, t, E.GREY_UNALIGNED, 0, 0)
        return
    if not mark(m, t, s, i):
        return
    if is_noscan(m, t, s):
        count_marked(m, t, w, get64(m, t, s + mspan.elemsize))
    else:
        put(m, t, w, obj)


@hot
def mark(m, t, s, i):
    """Object `i` of the span is marked from now on; False if it was already."""
    if not set_marked(m, t, s, i):
        return False
    mark_page(m, t, s)
    m.process[m.thread[t].process].guest[P.OBJECTS_MARKED] += 1
    return True


@hot
def grey_target(m, t, va, base, offset, w):
    """What a pointer found at base + offset points to becomes grey."""
    obj, s, i = findObject(m, t, va, base, offset)
    if obj:
        greyobject(m, t, obj, s, w, i)


@apart
def grey_pointer(m, t, va, base, offset, w):
    """grey_target, as a call."""
    grey_target(m, t, va, base, offset, w)


@hot
def heap_bits(m, t, va, n):
    """(pointer bits of the words from `va` on, how many words they are for, whether there are no pointers beyond): of `n` bytes of an
    object, as many as are in one word of the bitmap."""
    arena, word = arena_at(m, t, va), va // SPAN_WORDS & P.heapArenaBitmapWords - 1
    first = va // 8 % 64
    bits = np.uint64(np.int64(get64(m, t, arena + heapArena.bitmap + word * 8)))
    mask, valid, words = shr(bits, first), 64 - first, n // 8
    if words <= valid:
        return mask & low_bits(words), words, True
    return mask, valid, get8(m, t, arena + heapArena.noMorePtrs + word // 8) >> word % 8 & 1 != 0


@apart
def scanobject(m, t, b, w):
    """A grey object, or an oblet of one, becomes black; returns the scan work that the P has not reported yet."""
    s = spanOf(m, t, b)
    n = get64(m, t, s + mspan.elemsize)
    if n == 0 or is_noscan(m, t, s):
        throw(m, t, E.SCAN_NOSCAN if n else E.SCAN_ZERO, 0, 0)
        return 0
    if n > C.maxObletBytes:
        n = cut_oblets(m, t, b, s, n, w)
    at, left, last, words = b, n, False, 0
    end = b
    while left > 0 and not last:
        mask, valid, last = heap_bits(m, t, at, left)
        while mask != NONE:
            i = ctz64(mask)
            mask ^= shl(ONE, i)
            slot = at + 8 * i
            end = slot + 8
            words += 1
            va = get64(m, t, slot)
            if va != 0 and (va < b or va >= b + n):
                grey_target(m, t, va, b, slot - b, w)
        at += 8 * valid
        left -= 8 * valid
    compute(m, t, WORD_CYCLES * words)
    count_marked(m, t, w, n)
    done = get64(m, t, w + gcWork.heapScanWork) + end - b
    put64(m, t, w + gcWork.heapScanWork, done)
    return done


@cold
def cut_oblets(m, t, b, s, size, w):
    """The first piece of a large object makes the others grey; the bytes of this one."""
    base = get64(m, t, s + mspan.startAddr)
    if b == base:
        for oblet in range(b + C.maxObletBytes, base + size, C.maxObletBytes):
            put(m, t, w, oblet)
    return min(base + size - b, C.maxObletBytes)


@apart
def scan_pointers(m, t, base, n, w):
    """`n` bytes that are all pointers."""
    compute(m, t, WORD_CYCLES * n // 8)
    for slot in range(base, base + n, 8):
        va = get64(m, t, slot)
        if va:
            grey_pointer(m, t, va, base, slot - base, w)


@apart
def scanblock(m, t, base, n, ptrmask, w):
    """`n` bytes of which a mask says which words are pointers: a bit a word, a byte for eight of them. Where it is 0, all eight are passed over."""
    words = 0
    for group in range(0, n, GROUP_BYTES):
        bits = get8(m, t, ptrmask + group // GROUP_BYTES)
        for i in range(8 if bits else 0):
            offset = group + 8 * i
            if bits >> i & 1 and offset < n:
                words += 1
                va = get64(m, t, base + offset)
                if va:
                    grey_pointer(m, t, va, base, offset, w)
    compute(m, t, WORD_CYCLES * words + GROUP_CYCLES * (n // GROUP_BYTES))


@apart
def scan_word(m, t, va, w):
    """A word that may be a pointer to an object, or not."""
    s = spanOf(m, t, va)
    if s == 0 or get8(m, t, s + mspan.state) != P.mSpanInUse:
        return
    base = get64(m, t, s + mspan.startAddr)
    if va < base or va >= get64(m, t, s + mspan.limit):
        return
    i = objIndex(m, t, s, va)
    if not isFree(m, t, s, i):
        greyobject(m, t, base + i * get64(m, t, s + mspan.elemsize), s, w, i)


@cold
def scanConservative(m, t, base, n, w):
    compute(m, t, WORD_CYCLES * n // 8)
    for slot in range(base, base + n, 8):
        scan_word(m, t, get64(m, t, slot), w)


@kernel
def shade(m, t, va, w):
    """What a pointer points to becomes grey."""
    if va >= C.minLegalPointer:
        grey_pointer(m, t, va, 0, 0, w)


@cold
def gcmarknewobject(m, t, s, obj, size, w):
    """An object that is allocated while marking is black from the beginning."""
    mark(m, t, s, objIndex(m, t, s, obj))
    count_marked(m, t, w, size)

"""Sets of spans that all Ps push to and pop from: a growing array of blocks of 512, and one word that is head and tail.

    index: head 32 | tail 32        spine ─> block 0 ─> 512 spans
                                        ├──> block 1 ...         [head, tail) are the spans in the set

Pushing takes a place by adding to the tail, popping by swapping the head; the spine grows under spineLock. A block whose
512 spans have been popped goes to the pool of blocks. `b` is the address of a spanSet. Go: mspanset.go.
"""

from hwmem._jit import cold, kernel
from goalloc import errors as E, params as P
from goalloc.errors import throw
from goalloc.layout import mstats, spanSet, spanSetBlock, variables as V
from goalloc.heap.lfstack import lfstack_pop, lfstack_push
from goalloc.base.lock import lock, unlock
from goalloc.pages.mranges import move_words
from goalloc.base.malloc_persistent import persistentalloc
from goalloc.words import add64, cas64, check_nil, get64, put64, swap64

GC_MISC = V.memstats + mstats.gcMiscSys
LOW = 0xFFFF_FFFF


@cold
def spanSet_push(m, t, b, s):
    cursor = add64(m, t, b + spanSet.index, 1) & LOW
    top, bottom = cursor // P.spanSetBlockEntries, cursor % P.spanSetBlockEntries
    if top >= get64(m, t, b + spanSet.spineLen):
        add_block(m, t, b, top)
    block = get64(m, t, get64(m, t, b + spanSet.spine) + top * 8)
    check_nil(m, t, block)
    put64(m, t, block + spanSetBlock.spans + bottom * 8, s)


@kernel
def add_block(m, t, b, top):
    """Block number `top` of the spine."""
    lock(m, t, b + spanSet.spineLock)
    spine, capacity = get64(m, t, b + spanSet.spine), get64(m, t, b + spanSet.spineCap)
    if top == capacity:
        larger = 2 * capacity if capacity else P.spanSetInitSpineCap
        into = persistentalloc(m, t, larger * 8, P.cacheLineSize, GC_MISC)
        move_words(m, t, into, spine, capacity * 8)
        spine = into
        put64(m, t, b + spanSet.spine, spine)
        put64(m, t, b + spanSet.spineCap, larger)
    block = lfstack_pop(m, t, V.spanSetBlockPool)
    if block == 0:
        block = persistentalloc(m, t, spanSetBlock.sizeof, P.cacheLineSize, GC_MISC)
    put64(m, t, spine + top * 8, block)
    put64(m, t, b + spanSet.spineLen, top + 1)
    unlock(m, t, b + spanSet.spineLock)


@kernel
def spanSet_reset(m, t, b):
    """Make an empty set as new."""
    index = get64(m, t, b + spanSet.index)
    head = index >> 32
    if head < index & LOW:
        throw(m, t, E.SPANSET_RESET, head, index & LOW)
        return
    top = head // P.spanSetBlockEntries
    if top < get64(m, t, b + spanSet.spineLen):
        place = get64(m, t, b + spanSet.spine) + top * 8
        block = get64(m, t, place)
        if block:
            put64(m, t, place, 0)
            put64(m, t, block + spanSetBlock.popped, 0)
            lfstack_push(m, t, V.spanSetBlockPool, block)
    swap64(m, t, b + spanSet.index, 0)  # two atomic stores, also of a set that was never used: for all classes most of a short pause
    swap64(m, t, b + spanSet.spineLen, 0)


@cold
def spanSet_pop(m, t, b):
    """A span, first in first out, or 0."""
    index = get64(m, t, b + spanSet.index)
    head = index >> 32
    top, bottom = head // P.spanSetBlockEntries, head % P.spanSetBlockEntries
    if head >= index & LOW or get64(m, t, b + spanSet.spineLen) <= top:
        return 0
    cas64(m, t, b + spanSet.index, index, index + (1 << 32))
    place = get64(m, t, b + spanSet.spine) + top * 8
    block = get64(m, t, place)
    s = get64(m, t, block + spanSetBlock.spans + bottom * 8)
    put64(m, t, block + spanSetBlock.spans + bottom * 8, 0)
    if add64(m, t, block + spanSetBlock.popped, 1) + 1 == P.spanSetBlockEntries:
        put64(m, t, place, 0)
        put64(m, t, block + spanSetBlock.popped, 0)
        lfstack_push(m, t, V.spanSetBlockPool, block)
    return s

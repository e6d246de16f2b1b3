"""Summaries of the page allocator: a word that says how many free pages lie at a range's start, in its longest run, at its end.

    | all 1 | 0 | end 21 | max 21 | start 21 |       bit 63 alone: all three are 2^21, which 21 bits do not hold
       63        62    42 41    21 20      0

Level 4 has a word a chunk of 4 MiB, a word of the level above covers 8 of those, and so on up to level 0, whose 2^14 words of
16 GiB cover the 48-bit space. The arrays are reserved whole and mapped where the heap is (mpagealloc_grow.py). `p` is the address of
a pageAlloc, whose chunks' bitmaps are at chunks[l1][l2]. Go: mpagealloc.go pallocSum, update; mpagealloc_64bit.go.
"""

from hwmem._jit import cold, kernel
from goalloc import params as P
from goalloc.layout import pageAlloc, pallocData, slice_
from goalloc.pages.mgcscavenge import chunkIndex, linear
from goalloc.pages.mpallocbits import clearRange, setRange, summarize
from goalloc.words import get64, put64

LAST_LEVEL = P.summaryLevels - 1
FIELD = P.maxPackedValue - 1
WHOLE = -1 << 63  # the word of a range of 2^21 free pages
ALLOCATED, FREED, MIXED = range(3)  # what the pages of a range have become: all of them in use, all free, or some of each


@kernel
def pack(start, most, end):
    if most == P.maxPackedValue:
        return WHOLE
    return start & FIELD | (most & FIELD) << 21 | (end & FIELD) << 42


@kernel
def start_of(word):
    return P.maxPackedValue if word < 0 else word & FIELD


@kernel
def max_of(word):
    return P.maxPackedValue if word < 0 else word >> 21 & FIELD


@kernel
def end_of(word):
    return P.maxPackedValue if word < 0 else word >> 42 & FIELD


@kernel
def summary_place(m, t, p, level, i):
    """Address of summary `i` of a level of the page allocator at `p`."""
    return get64(m, t, p + level * slice_.sizeof) + i * 8


@cold
def merge(m, t, place, log_pages):
    """The summary of the 8 at `place`, each of 2^log_pages pages."""
    whole = 1 << log_pages
    word = get64(m, t, place)
    start, most, end = start_of(word), max_of(word), end_of(word)
    for i in range(1, 8):
        word = get64(m, t, place + i * 8)
        first, last = start_of(word), end_of(word)
        if start == i << log_pages:
            start += first
        most = max(most, end + first, max_of(word))
        end = end + whole if last == whole else last
    return pack(start, most, end)


# Places


@kernel
def chunkOf(m, t, p, ci):
    """Address of a chunk's pallocData."""
    l2 = get64(m, t, p + pageAlloc.chunks + (ci >> P.pallocChunksL2Bits) * 8)
    return l2 + (ci & (1 << P.pallocChunksL2Bits) - 1) * pallocData.sizeof


@kernel
def chunkPageIndex(va):
    return (va & P.pallocChunkBytes - 1) >> P.pageShift


@kernel
def levelIndex(level, va):
    return linear(va) >> P.levelShift[level]


@kernel
def levelAddress(level, i):
    return (i << P.levelShift[level]) + P.arenaBaseOffset


# Keeping them


@cold
def update(m, t, p, base, npages, become):
    """The bits of [base, base + npages) have changed. Go asks with contig and alloc; alloc counts only if contig."""
    limit = base + npages * P.pageSize - 1
    sc, ec = chunkIndex(base), chunkIndex(limit)
    changed = False
    for ci in range(sc, ec + 1):
        place = summary_place(m, t, p, LAST_LEVEL, ci)
        if become != MIXED and sc < ci < ec:
            put64(m, t, place, 0 if become == ALLOCATED else P.freeChunkSum)
            changed = True
        else:
            changed = set_summary(m, t, place, summarize_chunk(m, t, p, ci)) or changed or sc < ec
    level = LAST_LEVEL - 1
    while level >= 0 and changed:
        changed = False
        for i in range(levelIndex(level, base), levelIndex(level, limit) + 1):
            below = summary_place(m, t, p, level + 1, i << 3)
            word = merge(m, t, below, P.levelLogPages[level + 1])
            changed = set_summary(m, t, summary_place(m, t, p, level, i), word) or changed
        level -= 1


@kernel
def set_summary(m, t, place, word):
    """Store a summary; whether it is another than before."""
    if get64(m, t, place) == word:
        return False
    put64(m, t, place, word)
    return True


@kernel
def summarize_chunk(m, t, p, ci):
    start, most, end = summarize(m, t, chunkOf(m, t, p, ci))
    return pack(start, most, end)


@kernel
def alloc_in_chunk(m, t, chunk, i, n):
    """Pages in use are not scavenged."""
    setRange(m, t, chunk, i, n)
    clearRange(m, t, chunk + pallocData.scavenged, i, n)


@kernel
def lower_search(m, t, p, va):
    if va < get64(m, t, p + pageAlloc.searchAddr):
        put64(m, t, p + pageAlloc.searchAddr, va)

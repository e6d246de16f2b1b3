"""Summaries of the page allocator: a word that says how many free pages lie at a range's start, in its longest run, at its end.

    | all 1 | 0 | end 21 | max 21 | start 21 |       bit 63 alone: all three are 2^21, which 21 bits do not hold
       63        62    42 41    21 20      0

Level 4 has a word a chunk of 4 MiB, a word of the level above covers 8 of those, and so on up to level 0, whose 2^14 words of
16 GiB cover the 48-bit space. The arrays are reserved whole and mapped where the heap is (mpagealloc.py). Go: mpagealloc.go
pallocSum.
"""
from hwmem._jit import cold, kernel
from goalloc import params as P
from goalloc.layout import slice_
from goalloc.words import get64

FIELD = P.maxPackedValue - 1
WHOLE = -1 << 63                        # the word of a range of 2^21 free pages


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

"""One chunk's pages as bits: 512 pages of 8 KiB, eight words; 1 is allocated. And where runs of zeros are.

    pallocData:  pallocBits [8]uint64 | scavenged [8]uint64          the second: 1 is scavenged

`b` is the address of eight words. Indexes and counts are pages. A summary is (start, max, end): free pages at the chunk's
beginning, in its longest run, and at its end; packed (mpagealloc.py) it is one word. -1 stands for "none", Go's ^uint(0).
Go: mpallocbits.go.
"""

import numpy as np

from hwmem._jit import cold, kernel
from goalloc import params as P
from goalloc.words import ALL, NONE, check_nil, clz64, ctz64, get_mask, low_bits, popcount64, put_mask, shl, shr

WORDS = P.pallocChunkPages // 64


@kernel
def range_mask(k, i, n):
    """Which bits of word `k` lie in [i, i + n)."""
    low, high = max(i, k * 64) - k * 64, min(i + n, k * 64 + 64) - k * 64
    return shl(low_bits(high - low), low)


@cold
def setRange(m, t, b, i, n):
    check_nil(m, t, b)
    for k in range(i >> 6, (i + n - 1 >> 6) + 1):
        mask = range_mask(k, i, n)
        put_mask(m, t, b + k * 8, ALL if mask == ALL else get_mask(m, t, b + k * 8) | mask)


@cold
def clearRange(m, t, b, i, n):
    check_nil(m, t, b)
    for k in range(i >> 6, (i + n - 1 >> 6) + 1):
        mask = range_mask(k, i, n)
        put_mask(m, t, b + k * 8, NONE if mask == ALL else get_mask(m, t, b + k * 8) & ~mask)


@cold
def popcntRange(m, t, b, i, n):
    count = 0
    for k in range(i >> 6, (i + n - 1 >> 6) + 1):
        count += popcount64(get_mask(m, t, b + k * 8) & range_mask(k, i, n))
    return count


@kernel
def findBitRange64(c, n):
    """Lowest bit at which `n` ones in a row begin in `c`, or 64. Shrinks every run by n - 1, by doubling steps."""
    p, k = n - 1, 1
    while p > 0:
        if p <= k:
            return ctz64(c & shr(c, p))
        c &= shr(c, k)
        if c == NONE:
            return 64
        p -= k
        k *= 2
    return ctz64(c)


@cold
def find(m, t, b, npages, searchIdx):
    """(first page of the first run of `npages` free ones, the first free page), looking from the word of `searchIdx`."""
    if npages == 1:
        i = find1(m, t, b, searchIdx)
        return i, i
    if npages <= 64:
        return findSmallN(m, t, b, npages, searchIdx)
    return findLargeN(m, t, b, npages, searchIdx)


@kernel
def find1(m, t, b, searchIdx):
    for i in range(searchIdx >> 6, WORDS):
        free = ~get_mask(m, t, b + i * 8)
        if free != NONE:
            return i * 64 + ctz64(free)
    return -1


@kernel
def findSmallN(m, t, b, npages, searchIdx):
    """Up to 64 pages: a run lies within a word, or spans the end of one and the beginning of the next."""
    end, first = 0, -1
    for i in range(searchIdx >> 6, WORDS):
        x = get_mask(m, t, b + i * 8)
        if x == ALL:
            end = 0
            continue
        if first < 0:
            first = i * 64 + ctz64(~x)
        if end + ctz64(x) >= npages:
            return i * 64 - end, first
        j = findBitRange64(~x, npages)
        if j < 64:
            return i * 64 + j, first
        end = clz64(x)
    return -1, first


@kernel
def findLargeN(m, t, b, npages, searchIdx):
    """More than 64 pages: a run spans at least one word's end, so only words' ends matter."""
    start, size, first = -1, 0, -1
    for i in range(searchIdx >> 6, WORDS):
        x = get_mask(m, t, b + i * 8)
        if x == ALL:
            size = 0
            continue
        if first < 0:
            first = i * 64 + ctz64(~x)
        s = ctz64(x)
        if size > 0 and s + size >= npages:
            return start, first
        if size > 0 and s == 64:
            size += 64
        else:
            size = clz64(x)
            start = i * 64 + 64 - size
    return (start if size >= npages else -1), first


@cold
def summarize(m, t, b):
    """(start, max, end) of the chunk."""
    start, most, run = -1, 0, 0
    for i in range(WORDS):
        x = get_mask(m, t, b + i * 8)
        if x == NONE:
            run += 64
            continue
        run += ctz64(x)
        if start < 0:
            start = run
        most = max(most, run)
        run = clz64(x)
    if start < 0:
        return P.pallocChunkPages, P.pallocChunkPages, P.pallocChunkPages
    most = max(most, run)
    if most < 62:  # a longer run may lie inside a word, between two ones
        for i in range(WORDS):
            most = max(most, longest_inside(get_mask(m, t, b + i * 8), most))
    return start, most, run


@kernel
def longest_inside(x, known):
    """Length of the longest run of zeros between two ones of `x`, if it is longer than `known`; else `known`."""
    x = shr(x, ctz64(x))
    holes = ~x & low_bits(64 - clz64(x))  # the zeros that have a one on either side
    n = known
    while findBitRange64(holes, n + 1) < 64:
        n += 1
    return n


@kernel
def fillAligned(x, group):
    """Every aligned group of `group` bits (a power of two) becomes all ones if it has a one."""
    k = 1
    while k < group:  # fold each group into its lowest bit ...
        x |= shr(x, k)
        k *= 2
    if group == 1:
        return x
    if group == 64:
        return ALL if x & np.uint64(1) != NONE else NONE
    ones = ALL // low_bits(group)  # one bit a group
    return (x & ones) * low_bits(group)  # ... and spread it


@kernel
def unavailable(m, t, chunk, i, group):
    """Word `i` of the pages that are scavenged or allocated, in aligned groups."""
    return fillAligned(get_mask(m, t, chunk + i * 8) | get_mask(m, t, chunk + 64 + i * 8), group)


@cold
def findScavengeCandidate(m, t, chunk, searchIdx, least, most):
    """(start, n): the highest run at or below the word of `searchIdx` of free pages that are not scavenged; n = 0: none.

    n is at most `most` (rounded up to `least`), unless that would split a huge page that is free and unscavenged.
    """
    most = least if most == 0 else (most + least - 1) & -least
    i, x = searchIdx >> 6, ALL
    while i >= 0:
        x = unavailable(m, t, chunk, i, least)
        if x != ALL:
            break
        i -= 1
    if i < 0:
        return 0, 0
    top = clz64(~x)
    end = i * 64 + 64 - top
    rest = shl(x, top)
    run = clz64(rest) if rest != NONE else 64 - top
    while rest == NONE and i > 0:  # the run goes on in the word below
        i -= 1
        rest = unavailable(m, t, chunk, i, least)
        run += clz64(rest)
    size = min(run, most)
    start = end - size
    above = (start + P.pagesPerHugePage - 1) & -P.pagesPerHugePage
    below = start & -P.pagesPerHugePage
    if above <= end and below >= end - run:
        size += start - below
        start = below
    return start, size

"""The search of the page allocator: the first run of free pages that is long enough, from the root of the summaries down.

A run may end in one range and begin in others to its left: `size` pages from `base` on are free up to where the search stands.
`first_free`, (base, bound), narrows down where the first free page of all is; no page below it is free. Go: mpagealloc.go find.
"""

from hwmem._jit import cold, kernel
from goalloc import errors as E, params as P
from goalloc.errors import throw
from goalloc.layout import mheap, pageAlloc, variables as V
from goalloc.pages.mgcscavenge import chunkBase, linear
from goalloc.pages.mpallocbits import find as find_in_chunk
from goalloc.pages.mranges import find_address_at_or_above
from goalloc.pages.mpagealloc_summary import chunkOf, end_of, levelAddress, levelIndex, max_of, start_of, summary_place
from goalloc.words import get8, get64


@cold
def find(m, t, p, npages):
    """(address of the first run of `npages` free pages or 0, a bound below which no page is free): from the root down."""
    search = get64(m, t, p + pageAlloc.searchAddr)
    i, first_free = 0, (P.minOffAddr, P.maxOffAddr)
    for level in range(P.summaryLevels):
        i <<= P.levelBits[level]
        entries = 1 << P.levelBits[level]
        j = levelIndex(level, search) - i
        j = j if 0 <= j < entries else 0
        whole, size, base, down = 1 << P.levelLogPages[level], 0, 0, -1
        while j < entries and size < npages and down < 0:
            word = get64(m, t, summary_place(m, t, p, level, i + j))
            if word == 0:
                size = 0
            else:
                first_free = found_free(first_free, levelAddress(level, i + j), whole * P.pageSize)
                start = start_of(word)
                if size + start >= npages:  # a run that begins further left ends here
                    base = base if size else j * whole
                    size += start
                elif max_of(word) >= npages:
                    down = i + j
                elif size == 0 or start < whole:
                    size = end_of(word)
                    base = (j + 1) * whole - size
                else:
                    size += whole
            j += 1
        if down < 0:
            if size >= npages:
                return levelAddress(level, i) + base * P.pageSize, findMappedAddr(m, t, p, first_free[0])
            if level > 0:
                throw(m, t, E.BAD_SUMMARY, 0, 0)
            return 0, P.maxOffAddr
        i = down
    return find_below(m, t, p, npages, i, first_free)


@kernel
def found_free(first_free, va, nbytes):
    """`first_free`, narrowed down to [va, va + nbytes) if that lies in it: some of its pages are free. Go: foundFree."""
    base, bound = first_free
    return (va, va + nbytes - 1) if base <= va and va + nbytes - 1 <= bound else first_free


@kernel
def find_below(m, t, p, npages, ci, first_free):
    """The end of `find`: the run lies inside chunk `ci`."""
    j, first = find_in_chunk(m, t, chunkOf(m, t, p, ci), npages, 0)
    if j < 0:
        throw(m, t, E.BAD_SUMMARY, 0, 0)
        return 0, P.maxOffAddr
    va = chunkBase(ci) + first * P.pageSize
    first_free = found_free(first_free, va, chunkBase(ci + 1) - va)
    return chunkBase(ci) + j * P.pageSize, findMappedAddr(m, t, p, first_free[0])


@kernel
def findMappedAddr(m, t, p, va):
    """The least address >= `va` that the heap has."""
    if get8(m, t, p + pageAlloc.test) == 0:
        l2 = get64(m, t, V.mheap_ + mheap.arenas)
        if l2 and get64(m, t, l2 + (linear(va) // P.heapArenaBytes) * 8):
            return va
    return find_address_at_or_above(m, t, p + pageAlloc.inUse, va)

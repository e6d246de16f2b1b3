"""The scavenge index: which chunks of 4 MiB have free pages to give back to the kernel; and giving back one run.

    chunk's word:  inUse 16 | lastInUse 10 | flags 6 | gen 32          pages in use now, and at the end of the last generation

The background scavenger spares a chunk that was dense (496 of 512 pages in use) in this generation or the last; a forced
one does not. The search addresses only fall, except for what is freed above them, which is stored negative ("marked")
until the next search has seen it. `s` is the address of a scavengeIndex. Go: mgcscavenge.go.
"""

from hwmem._jit import cold, kernel
from goalloc import errors as E, params as P
from goalloc.errors import throw
from goalloc.layout import scavengeIndex
from goalloc.base.mem import sysMap, sysReserve, sysUsed
from goalloc.words import align_down, align_up, get32, get64, put32, put64

ENTRY = 8
ENTRIES_PER_PAGE = P.physPageSize // ENTRY


@kernel
def linear(va):
    """An address in the linear 48-bit space."""
    return va - P.arenaBaseOffset


@kernel
def chunkIndex(va):
    return linear(va) >> P.logPallocChunkBytes


@kernel
def chunkBase(ci):
    return (ci << P.logPallocChunkBytes) + P.arenaBaseOffset


@kernel
def index_init(m, t, s):
    put64(m, t, s + scavengeIndex.searchAddrBg, 0)
    put64(m, t, s + scavengeIndex.searchAddrForce, 0)
    put64(m, t, s + scavengeIndex.freeHWM, P.minOffAddr)
    n = 1 << P.heapAddrBits - P.logPallocChunkBytes
    put64(m, t, s + scavengeIndex.chunks, sysReserve(m, t, 0, n * ENTRY))
    put64(m, t, s + scavengeIndex.chunks + 8, n)
    put64(m, t, s + scavengeIndex.chunks + 16, n)


@cold
def index_grow(m, t, s, base, limit, stat):
    """Map the index for the chunks of [base, limit); the bytes that took."""
    first = get64(m, t, s + scavengeIndex.minHeapIdx)
    if first == 0 or chunkIndex(base) < first:
        put64(m, t, s + scavengeIndex.minHeapIdx, chunkIndex(base))
    have_min, have_max = get64(m, t, s + scavengeIndex.min), get64(m, t, s + scavengeIndex.max)
    need_min, need_max = align_down(chunkIndex(base), ENTRIES_PER_PAGE), align_up(chunkIndex(limit), ENTRIES_PER_PAGE)
    need_max = max(need_max, have_min)
    if have_max != 0 and need_min > have_max:
        need_min = have_max
    low, high = subtract(m, t, need_min, need_max, have_min, have_max)
    if low >= high:
        return 0
    chunks = get64(m, t, s + scavengeIndex.chunks)
    sysMap(m, t, chunks + low * ENTRY, (high - low) * ENTRY, stat)
    sysUsed(m, t, chunks + low * ENTRY, (high - low) * ENTRY, (high - low) * ENTRY)
    if have_min == 0 or need_min < have_min:
        put64(m, t, s + scavengeIndex.min, need_min)
    if have_max == 0 or need_max > have_max:
        put64(m, t, s + scavengeIndex.max, need_max)
    return (high - low) * ENTRY


@kernel
def subtract(m, t, low, high, other_low, other_high):
    """[low, high) without [other_low, other_high), which does not lie strictly inside. Go: addrRange.subtract."""
    if other_low <= low and high <= other_high:
        return 0, 0
    if low < other_low and other_high < high:
        throw(m, t, E.BAD_PRUNE, 0, 0)
    elif other_high < high and low < other_high:
        low = other_high
    elif low < other_low and other_low < high:
        high = other_low
    return low, high


@kernel
def pack(in_use, last, flags, gen):
    return in_use | last << 16 | flags << 26 | gen << 32


@kernel
def chunk_word(m, t, s, ci):
    """Address of a chunk's word."""
    return get64(m, t, s + scavengeIndex.chunks) + ci * ENTRY


@cold
def index_change(m, t, s, ci, npages):
    """`npages` of a chunk were allocated, or freed if negative. Go: scavengeIndex.alloc, free."""
    word = get64(m, t, chunk_word(m, t, s, ci))
    in_use, last, flags, gen = word & 0xFFFF, word >> 16 & P.scavChunkInUseMask, word >> 26 & P.scavChunkFlagsMask, word >> 32 & 0xFFFF_FFFF
    now = get32(m, t, s + scavengeIndex.gen)
    if gen != now:
        last, gen = in_use, now
    in_use += npages
    if in_use > P.pallocChunkPages or in_use < 0:
        throw(m, t, E.TOO_MANY_PAGES if npages > 0 else E.BELOW_ZERO, 0, 0)
        return
    if npages < 0:
        flags |= P.scavChunkHasFree
    elif in_use == P.pallocChunkPages:
        flags &= ~P.scavChunkHasFree
    if npages > 0 and in_use > P.scavChunkHiOccPages:
        flags &= ~P.scavChunkNoHugePage
    put64(m, t, chunk_word(m, t, s, ci), pack(in_use, last, flags, gen))


@cold
def index_free(m, t, s, ci, page, npages):
    index_change(m, t, s, ci, -npages)
    va = chunkBase(ci) + (page + npages - 1) * P.pageSize
    if get64(m, t, s + scavengeIndex.freeHWM) < va:
        put64(m, t, s + scavengeIndex.freeHWM, va)
    if abs(get64(m, t, s + scavengeIndex.searchAddrForce)) < linear(va):
        put64(m, t, s + scavengeIndex.searchAddrForce, -linear(va))


@kernel
def set_flags(m, t, s, ci, flags, keep):
    """Keep the flags in `keep`, add `flags`."""
    word = get64(m, t, chunk_word(m, t, s, ci))
    old = word >> 26 & P.scavChunkFlagsMask
    put64(m, t, chunk_word(m, t, s, ci), (word & ~(P.scavChunkFlagsMask << 26)) | (old & keep | flags) << 26)


@kernel
def shouldScavenge(word, now, force):
    in_use, last, gen = word & 0xFFFF, word >> 16 & P.scavChunkInUseMask, word >> 32 & 0xFFFF_FFFF
    if not word >> 26 & P.scavChunkHasFree:
        return False
    if force:
        return True
    return in_use < P.scavChunkHiOccPages and (gen != now or last < P.scavChunkHiOccPages)


@cold
def index_nextGen(m, t, s):
    """A collection is over: chunks that were dense before it may be looked at, and the search begins from the highest page freed since."""
    put32(m, t, s + scavengeIndex.gen, get32(m, t, s + scavengeIndex.gen) + 1)
    high = linear(get64(m, t, s + scavengeIndex.freeHWM))
    if abs(get64(m, t, s + scavengeIndex.searchAddrBg)) < high:
        put64(m, t, s + scavengeIndex.searchAddrBg, -high)
    put64(m, t, s + scavengeIndex.freeHWM, P.minOffAddr)


@cold
def index_find(m, t, s, force):
    """(the highest chunk that may have pages to scavenge or 0, the page to search from, downwards)."""
    cursor = s + (scavengeIndex.searchAddrForce if force else scavengeIndex.searchAddrBg)
    stored = get64(m, t, cursor)
    if stored == 0:
        return 0, 0
    start, now = abs(stored) >> P.logPallocChunkBytes, get32(m, t, s + scavengeIndex.gen)
    for ci in range(start, get64(m, t, s + scavengeIndex.minHeapIdx) - 1, -1):
        if shouldScavenge(get64(m, t, chunk_word(m, t, s, ci)), now, force):
            if ci == start:
                return ci, (abs(stored) & P.pallocChunkBytes - 1) >> P.pageShift
            put64(m, t, cursor, linear(chunkBase(ci)) + P.pallocChunkBytes - P.pageSize)
            return ci, P.pallocChunkPages - 1
    if stored > 0:  # a marked one stays, until a search has begun from it
        put64(m, t, cursor, 0)
    return 0, 0

"""The heap's invariants, checked from outside: pages, bitmaps, summaries, caches, counts and statistics agree.

    every page is in exactly one span, in a page cache, or free          spans of a page <-> mspan <-> allspans
    allocBits and freeindex agree with allocCount                        cached bits with the bitmap
    free objects of a span that needs no zeroing are zero                a span's pages have been counted as used (zeroedBase)
    spans without pointers have no pointer bits                          limits and divisors are those of the size
    summaries agree with the bitmaps                                     at all five levels
    HeapSys = HeapInuse + HeapIdle, and what else ties the statistics
    lists, what can be reached, colours                                 check_marks.py, once the collector has been asked for

Raises FatalError. Reads as a debugger does; the cost is Python's and grows with the heap.
"""

from goalloc.errors import FatalError
from goalloc.layout import heapArena, mcache, mheap, p_, pageAlloc, pageCache, pallocData, scavengeIndex, slice_, variables as V
from goalloc.params import (
    arenaBaseOffset,
    heapArenaBytes,
    levelLogPages,
    maxTinySize,
    mSpanDead,
    mSpanInUse,
    mSpanManual,
    numSpanClasses,
    pageSize,
    pagesPerArena,
    pallocChunkBytes,
    pallocChunkPages,
    summaryLevels,
    tinySpanClass,
)
from goalloc.observe.check_marks import check_collector
from goalloc.observe.inspect import Inspector
from goalloc.sizeclasses import class_to_allocnpages, class_to_divmagic, class_to_size
from goalloc.observe.memstats import controller, heap_stats, read_memstats, read_span

UNUSED = 1  # span class of a user arena's chunk that was freed
PAGES = V.mheap_ + mheap.pages
ALL64 = (1 << 64) - 1


def need(condition, text, *values):
    if not condition:
        raise FatalError("fatal error: " + text.format(*values))


def linear(va):
    return va - arenaBaseOffset


def arenas(look):
    """(base address, address of its heapArena) of every arena."""
    array, n = look.word(V.mheap_ + mheap.allArenas), look.word(V.mheap_ + mheap.allArenas + slice_.len)
    l2 = look.word(V.mheap_ + mheap.arenas)
    return [(i * heapArenaBytes + arenaBaseOffset, look.word(l2 + 8 * i)) for i in look.words(array, n)]


def user_arenas(look, spans):
    """The same of the arenas that user arenas' chunks lie in, which allArenas does not have."""
    l2 = look.word(V.mheap_ + mheap.arenas)
    numbers = sorted({linear(span["base"]) // heapArenaBytes for span in spans.values() if span["isUserArenaChunk"]})
    return [(i * heapArenaBytes + arenaBaseOffset, look.word(l2 + 8 * i)) for i in numbers]


def span_at(look, va):
    """Address of the mspan of the page that holds `va`, or 0."""
    l2 = look.word(V.mheap_ + mheap.arenas)
    i = linear(va) // heapArenaBytes
    if not l2 or not 0 <= i < 1 << 22:
        return 0
    arena = look.word(l2 + 8 * i)
    return look.word(arena + heapArena.spans + va // pageSize % pagesPerArena * 8) if arena else 0


def all_spans(look):
    """Fields of every span that is not dead, by base address."""
    array, n = look.word(V.mheap_ + mheap.allspans), look.word(V.mheap_ + mheap.allspans + slice_.len)
    spans = {}
    for s in look.words(array, n):
        fields = read_span(look, s)
        if fields["state"] != mSpanDead:
            need(fields["base"] not in spans, "two spans begin at {:#x}", fields["base"])
            spans[fields["base"]] = fields
    return spans


def check_heap(rt):
    look = Inspector(rt.process)
    spans = all_spans(look)
    taken = pages_of_spans(look, spans)
    for span in spans.values():
        if span["state"] == mSpanInUse:
            check_objects(look, span)
            check_contents(look, span)
    check_zeroed(look, spans)
    caches = page_caches(look, rt.ps, taken)
    chunks = check_bitmaps(look, taken, caches)
    check_summaries(look, chunks)
    check_mcaches(look, rt.ps)
    check_statistics(look, spans, chunks, caches)
    check_collector(rt, spans, {base for base, _ in arenas(look)})


def pages_of_spans(look, spans):
    """{page address: span}; no page is in two, every one points to its span, and pageInUse has the first of those in use."""
    taken = {}
    for span in spans.values():
        need(span["base"] % pageSize == 0 and span["npages"] > 0, "span at {:#x} has {} pages", span["base"], span["npages"])
        for va in range(span["base"], span["base"] + span["npages"] * pageSize, pageSize):
            need(va not in taken, "page {:#x} is in two spans", va)
            taken[va] = span
    for base, arena in arenas(look) + user_arenas(look, spans):
        pointers = look.words(arena + heapArena.spans, pagesPerArena)
        in_use = int.from_bytes(look.read(arena + heapArena.pageInUse, pagesPerArena // 8), "little")
        for i, s in enumerate(pointers):
            span = taken.get(base + i * pageSize)
            need(span is None or span["address"] == s, "page {:#x} does not point to its span", base + i * pageSize)
            first = span is not None and span["state"] == mSpanInUse and span["base"] == base + i * pageSize
            need(first == bool(in_use >> i & 1), "pageInUse of {:#x} is {}", base + i * pageSize, in_use >> i & 1)
    return taken


def check_objects(look, span):
    """Sizes, counts and allocation bits of a span in use."""
    spanclass, nelems = span["spanclass"], span["nelems"]
    need(spanclass < numSpanClasses, "span at {:#x} has class {}", span["base"], spanclass)
    sizeclass, nbytes = spanclass >> 1, span["npages"] * pageSize
    if sizeclass:
        need(
            span["elemsize"] == class_to_size[sizeclass] and span["npages"] == class_to_allocnpages[sizeclass],
            "span at {:#x} is not of class {}",
            span["base"],
            sizeclass,
        )
        need(span["divMul"] == class_to_divmagic[sizeclass], "span at {:#x} divides by {}", span["base"], span["divMul"])
        need(span["limit"] == span["base"] + nelems * span["elemsize"], "span at {:#x} ends at {:#x}", span["base"], span["limit"])
    need(nbytes - pageSize < span["limit"] - span["base"] <= nbytes, "span at {:#x} ends at {:#x}", span["base"], span["limit"])
    need(nelems == (nbytes // span["elemsize"]), "span at {:#x} has {} objects", span["base"], nelems)
    need(
        span["freeindex"] <= nelems and span["allocCount"] <= nelems and span["freeIndexForScan"] <= span["freeindex"],
        "span at {:#x}: freeindex {}, allocCount {} of {}",
        span["base"],
        span["freeindex"],
        span["allocCount"],
        nelems,
    )
    need(span["allocBits"] % 8 == 0 == span["gcmarkBits"] % 8, "span at {:#x}: bits at {:#x}", span["base"], span["allocBits"])
    bits = int.from_bytes(look.read(span["allocBits"], -(-nelems // 64) * 8), "little") & (1 << nelems) - 1
    free = ~bits & (1 << nelems) - 1 & -1 << span["freeindex"]
    need(
        nelems - free.bit_count() == span["allocCount"],
        "span at {:#x}: allocCount {}, bits say {}",
        span["base"],
        span["allocCount"],
        nelems - free.bit_count(),
    )
    cached = 64 - span["freeindex"] % 64
    if sizeclass and span["freeindex"] < nelems:
        want = ~bits >> span["freeindex"] & (1 << min(cached, nelems - span["freeindex"])) - 1
        have = span["allocCache"] & (1 << min(cached, nelems - span["freeindex"])) - 1
        need(want == have or span["allocCache"] == ALL64, "span at {:#x}: allocCache {:#x}", span["base"], span["allocCache"])


def check_contents(look, span):
    """Free objects are zero where they are handed out as they are, and pointer bits are none where there are no pointers."""
    if span["isUserArenaChunk"]:
        return
    base, size, nelems = span["base"], span["elemsize"], span["nelems"]
    first = span["freeindex"]
    if not span["needzero"] and first < nelems:
        data = look.read(base + first * size, (nelems - first) * size)
        taken = int.from_bytes(look.read(span["allocBits"], -(-nelems // 64) * 8), "little") >> first
        for i in range(nelems - first) if any(data) else ():
            need(taken >> i & 1 or not any(data[i * size : (i + 1) * size]), "free object {:#x} is not zero", base + (first + i) * size)
    if span["spanclass"] & 1:
        arena = look.word(look.word(V.mheap_ + mheap.arenas) + linear(base) // heapArenaBytes * 8)
        nbytes = min(span["npages"] * pageSize, heapArenaBytes - linear(base) % heapArenaBytes)
        bits = look.read(arena + heapArena.bitmap + base % heapArenaBytes // 64, nbytes // 64)
        need(not any(bits), "span at {:#x} has pointer bits and no pointers", base)


def check_zeroed(look, spans):
    """What lies in an arena from its zeroedBase on has never been in a span."""
    zeroed = {base: look.word(arena + heapArena.zeroedBase) for base, arena in arenas(look)}
    for span in spans.values():
        end = span["base"] + span["npages"] * pageSize
        for base in range(span["base"] & -heapArenaBytes, end, heapArenaBytes):
            used = min(end - base, heapArenaBytes)
            need(zeroed.get(base, used) >= used, "the arena at {:#x} is said to be new from {:#x} on", base, zeroed.get(base))


def page_caches(look, ps, taken):
    """{page: whether it is scavenged} of the Ps' page caches; no page of them is in a span or in two caches."""
    owned = {}
    for pp in ps:
        base, free, scav = look.words(pp + p_.pcache + pageCache.base, 3)
        for i in range(64):
            if free >> i & 1:
                va = base + i * pageSize
                need(va not in taken and va not in owned, "page {:#x} of a page cache belongs to another", va)
                owned[va] = scav >> i & 1
        need(free or not scav, "an empty page cache has scavenged pages {:#x}", scav)
    return owned


def check_bitmaps(look, taken, caches):
    """{chunk: (bits, scavenged bits)}; a page is allocated exactly if a span or a cache has it, and then not scavenged."""
    chunks = {}
    for ci in chunks_in_use(look):
        l2 = look.word(PAGES + pageAlloc.chunks + (ci >> 13) * 8)
        data = look.read(l2 + (ci & 8191) * pallocData.sizeof, pallocData.sizeof) if l2 else bytes(128)
        bits, scavenged = int.from_bytes(data[:64], "little"), int.from_bytes(data[64:], "little")
        base = ci * pallocChunkBytes + arenaBaseOffset
        for i in range(pallocChunkPages):
            va = base + i * pageSize
            need(bool(bits >> i & 1) == (va in taken or va in caches), "page {:#x}: its bit is {}", va, bits >> i & 1)
        need(bits & scavenged == 0, "chunk at {:#x} has scavenged pages in use", base)
        search = look.word(PAGES + pageAlloc.searchAddr)
        below = ~bits & (1 << max(0, min(512, (search - base) // pageSize))) - 1
        need(below == 0, "a page below the search address {:#x} is free in the chunk at {:#x}", search, base)
        in_use = look.word(look.word(PAGES + pageAlloc.scav + scavengeIndex.chunks) + ci * 8) & 0xFFFF
        need(in_use == bits.bit_count(), "the scavenge index counts {} pages at {:#x}, not {}", in_use, base, bits.bit_count())
        chunks[ci] = (bits, scavenged)
    return chunks


def chunks_in_use(look):
    """Numbers of the chunks that the page allocator has been given, in order; they lie between its start and end."""
    ranges, n = look.word(PAGES + pageAlloc.inUse), look.word(PAGES + pageAlloc.inUse + slice_.len)
    start, end = look.word(PAGES + pageAlloc.start), look.word(PAGES + pageAlloc.end)
    for k in range(n):
        base, limit = look.words(ranges + 16 * k, 2)
        numbers = range(linear(base) // pallocChunkBytes, linear(limit) // pallocChunkBytes)
        need(start <= numbers[0] and numbers[-1] < end, "the range {:#x} is not between start and end", base)
        yield from numbers


def summary_of(bits, n):
    """(start, max, end) of `n` pages."""
    text = bin(bits | 1 << n)[3:][::-1]
    runs = text.split("1")
    return len(runs[0]), max(map(len, runs)), len(runs[-1])


def check_summaries(look, chunks):
    """Every level's words say what the bitmaps say."""
    known = {ci: summary_of(bits, pallocChunkPages) for ci, (bits, _) in chunks.items()}
    for level in range(summaryLevels - 1, -1, -1):
        array = look.word(PAGES + pageAlloc.summary + level * slice_.sizeof)
        for i, want in known.items():
            word = look.word(array + 8 * i)
            have = (1 << 21,) * 3 if word >> 63 else tuple(word >> 21 * k & (1 << 21) - 1 for k in range(3))
            need(have == want, "summary {} of level {} is {}, not {}", i, level, have, want)
        if level:
            known = {
                i: merged([known.get(i * 8 + k, (0, 0, 0)) for k in range(8)], 1 << levelLogPages[level]) for i in {i >> 3 for i in known}
            }


def merged(sums, whole):
    """The summary of neighbours of `whole` pages each."""
    start, most, end = sums[0]
    for i, (s, longest, e) in enumerate(sums[1:], 1):
        start += s if start == i * whole else 0
        most = max(most, end + s, longest)
        end = end + whole if e == whole else e
    return start, most, end


def check_mcaches(look, ps):
    """A P's spans are of its classes, in its hands, and in no other P's."""
    sweepgen, held = look.word(V.mheap_ + mheap.sweepgen, 4), set()
    for pp in ps:
        c = look.word(pp + p_.mcache)
        block, offset = look.words(c + mcache.tiny, 2)
        s = span_at(look, block) if block else 0
        whole = s and block % maxTinySize == 0 and read_span(look, s)["spanclass"] == tinySpanClass and offset <= maxTinySize
        need(whole or block == offset == 0, "tiny block {:#x}, {} bytes used", block, offset)
        for spanclass, s in enumerate(look.words(c + mcache.alloc, numSpanClasses)):
            if s != V.emptymspan:
                span = read_span(look, s)
                need(s not in held, "span at {:#x} is in two mcaches", span["base"])
                need(
                    span["spanclass"] == spanclass and span["sweepgen"] == sweepgen + 3 and span["state"] == mSpanInUse,
                    "span at {:#x} in an mcache: class {}, sweepgen {}",
                    span["base"],
                    span["spanclass"],
                    span["sweepgen"],
                )
                held.add(s)


def check_statistics(look, spans, chunks, caches):
    """What the counters say is what there is. Go: the checks of readmemstats_m."""
    c, s = controller(look), heap_stats(look)
    nbytes = {
        state: sum(span["npages"] for span in spans.values() if span["state"] == state) * pageSize for state in (mSpanInUse, mSpanManual)
    }
    freed = sum(span["npages"] for span in spans.values() if span["isUserArenaChunk"] and span["spanclass"] == UNUSED) * pageSize
    chunk_bytes = sum(span["npages"] for span in spans.values() if span["isUserArenaChunk"]) * pageSize - freed
    pages_in_use = nbytes[mSpanInUse]
    nbytes[mSpanInUse] -= freed  # in quarantine: spans without memory
    released = (sum(scavenged.bit_count() for _, scavenged in chunks.values()) + sum(caches.values())) * pageSize
    total = len(chunks) * pallocChunkBytes + chunk_bytes
    need(c["heapInUse"] == nbytes[mSpanInUse] == s["inHeap"], "heapInUse {} of spans {}", c["heapInUse"], nbytes[mSpanInUse])
    need(s["inStacks"] + s["inWorkBufs"] + s["inPtrScalarBits"] == nbytes[mSpanManual], "manual spans {}", nbytes[mSpanManual])
    need(c["heapReleased"] == released == s["released"], "heapReleased {} of pages {}", c["heapReleased"], released)
    need(c["heapInUse"] + c["heapFree"] + c["heapReleased"] + nbytes[mSpanManual] == total, "HeapSys is not {}", total)
    need(c["heapInUse"] + c["heapFree"] + nbytes[mSpanManual] == s["committed"], "committed {}", s["committed"])
    need(look.word(V.mheap_ + mheap.pagesInUse) * pageSize == pages_in_use, "pagesInUse")
    small_bytes = lambda counts: sum(n * size for n, size in zip(counts, class_to_size))  # noqa: E731
    need(c["totalAlloc"] == s["largeAlloc"] + small_bytes(s["smallAllocCount"]), "totalAlloc {}", c["totalAlloc"])
    need(c["totalFree"] == s["largeFree"] + small_bytes(s["smallFreeCount"]), "totalFree {}", c["totalFree"])
    stats = read_memstats(look)
    need(c["mappedReady"] == stats["Sys"] - s["released"], "mappedReady {} of {} mapped", c["mappedReady"], stats["Sys"])

"""The heap's arenas, 8 KiB page by page: what each page is used for. Read as a debugger reads.

    arena      ┌ runs of pages of one kind ────────────────────────────────────────────────┐
               small objects | ... with pointers | large objects | stacks | free | returned     up to the last page that was ever used

The bitmaps of the page allocator and of the Ps' page caches tell free pages from returned ones (scavenged: their memory has gone back to the kernel)
(Go: mpallocbits.go pallocData).
"""

from goalloc.layout import mheap, pageAlloc, pallocData, variables as V
from goalloc.observe.check import all_spans, arenas, chunks_in_use, linear, page_caches
from goalloc.params import heapArenaBytes, mSpanInUse, pageSize, pallocChunkPages

KINDS = ("small objects", "small objects with pointers", "large objects", "stacks and the runtime's", "free", "returned to the kernel")
SMALL, POINTERS, LARGE, MANUAL, UNUSED, RETURNED = range(len(KINDS))
FREE_KINDS = (UNUSED, RETURNED)
PAGES = V.mheap_ + mheap.pages


def page_map(look, ps):
    """A dict an arena: "base", "runs" [[pages, kind], ...] from its first page to the last that the page allocator was given.
    `ps`: addresses of the Ps, whose page caches have free pages too."""
    kinds = {}
    for ci in chunks_in_use(look):
        l2 = look.word(PAGES + pageAlloc.chunks + (ci >> 13) * 8)
        scavenged = int.from_bytes(look.read(l2 + (ci & 8191) * pallocData.sizeof + 64, 64), "little") if l2 else 0
        first = ci * pallocChunkPages
        kinds |= {first + i: RETURNED if scavenged >> i & 1 else UNUSED for i in range(pallocChunkPages)}
    kinds |= {linear(va) // pageSize: RETURNED if scav else UNUSED for va, scav in page_caches(look, ps, ()).items()}
    for base, span in all_spans(look).items():
        first = linear(base) // pageSize
        kinds |= dict.fromkeys(range(first, first + span["npages"]), kind_of(span))
    found = []
    for base, _ in arenas(look):
        first = linear(base) // pageSize
        pages = [kinds[n] for n in range(first, first + heapArenaBytes // pageSize) if n in kinds]
        if pages:
            found.append({"base": base, "runs": runs(pages)})
    return found


def kind_of(span):
    if span["state"] != mSpanInUse:
        return MANUAL
    if span["spanclass"] < 2:  # size class 0
        return LARGE
    return SMALL if span["spanclass"] & 1 else POINTERS


def runs(pages):
    found = []
    for kind in pages:
        if found and found[-1][1] == kind:
            found[-1][0] += 1
        else:
            found.append([1, kind])
    return found

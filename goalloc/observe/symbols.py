"""Names for the runtime's memory, so that reports on contended lines say which structure and field is shared.

    mheap_.lock, mheap_.central[5].partial[0].index, memstats.heapStats[0].smallAllocCount[2], gcController.heapLive,
    p1.statsSeq, p1.runq[17], m1.fastrand, sched.lock, g7.atomicstatus, mcache1.alloc[5], mspan(0xc000012000).allocCount, ...

A program names what it has itself: hchan.qcount and mutex.state of a channel or lock are named by channel() and by structure().
"""

import functools

from goalloc.observe.check import all_spans, arenas
from goalloc.observe.inspect import Inspector
from goalloc.layout import (
    CENTRAL_STRIDE,
    STACKPOOL_STRIDE,
    SYMBOLS,
    consistentHeapStats,
    g_,
    gcCPULimiterState,
    gcControllerState,
    gcWork,
    hchan,
    heapArena,
    heapStatsDelta,
    m_,
    mSpanList,
    mcache,
    mcentral,
    mheap,
    mspan,
    mstats,
    p_,
    pageAlloc,
    pallocData,
    schedt,
    semaRoot,
    slice_,
    spanSet,
    spanSetBlock,
    sudog,
    sweepdata,
    wbBuf,
    workType,
    variables as V,
)
from goalloc.constants import WorkbufSize, workbufAlloc
from goalloc.params import gcBitsChunkBytes, numSpanClasses, numStackOrders, summaryLevels
from goalloc.sched.sema import ROOT_STRIDE, ROOTS

ARRAYS = ("smallAllocCount", "smallFreeCount", "alloc", "spans", "bitmap", "runq", "buf")  # of words, named one by one
BY_FIELD = {
    "gcController": gcControllerState,
    "gcCPULimiter": gcCPULimiterState,
    "work": workType,
    "sweep": sweepdata,
    "sched": schedt,
    "m0": m_,
    "g0": g_,
}
INSIDE = {"gcw": gcWork, "wbBuf": wbBuf}  # structures in a P that are named by field
WHOLE = ("mheap_", "memstats", "stackpool", "semtable", *BY_FIELD)  # named in parts


@functools.cache
def fields(space):
    """(field, offset, size, element's size) of a structure, and of those inside it, in order; a field reaches to the next one."""
    places = sorted((at, name) for name, at in vars(space).items() if isinstance(at, int) and name != "sizeof")
    ends, found = [at for at, _ in places[1:]] + [space.sizeof], []
    for (at, name), end in zip(places, ends):
        if name in INSIDE:
            found += [(f"{name}.{inner}", at + offset, *sizes) for inner, offset, *sizes in fields(INSIDE[name])]
        elif end > at:
            found.append((name, at, end - at, 8 if name in ARRAYS else end - at))
    return found


def structure(prefix, start, space):
    return [(f"{prefix}.{name}", start + at, size, element) for name, at, size, element in fields(space)]


@functools.cache
def variables():
    """The runtime's global variables, which lie at the same addresses in every program."""
    found = [(name, start, size, size) for name, start, size in SYMBOLS if name not in WHOLE]
    found += [s for s in structure("mheap_", V.mheap_, mheap) if s[0] != "mheap_.central"]
    for spanclass in range(numSpanClasses):
        for name, at in (("partial", mcentral.partial), ("full", mcentral.full)):
            for k in range(2):
                start = V.mheap_ + mheap.central + spanclass * CENTRAL_STRIDE + at + k * spanSet.sizeof
                found += structure(f"mheap_.central[{spanclass}].{name}[{k}]", start, spanSet)
    for k in range(3):
        found += structure(f"memstats.heapStats[{k}]", V.memstats + k * heapStatsDelta.sizeof, heapStatsDelta)
    found += [s for s in structure("memstats.heapStats", V.memstats, consistentHeapStats) if s[0] != "memstats.heapStats.stats"]
    found += [s for s in structure("memstats", V.memstats, mstats) if s[0] != "memstats.heapStats"]
    for name, space in BY_FIELD.items():
        found += structure(name, getattr(V, name), space)
    for k in range(ROOTS):
        found += structure(f"semtable[{k}]", V.semtable + k * ROOT_STRIDE, semaRoot)
    found += [(f"stackpool[{k}]", V.stackpool + k * STACKPOOL_STRIDE, STACKPOOL_STRIDE, STACKPOOL_STRIDE) for k in range(numStackOrders)]
    return tuple(found)


def set_blocks(look):
    """The spines and blocks of the central lists' span sets."""
    for spanclass in range(numSpanClasses):
        for name, at in (("partial", mcentral.partial), ("full", mcentral.full)):
            for k in range(2):
                central = V.mheap_ + mheap.central + spanclass * CENTRAL_STRIDE
                spine, length, capacity = look.words(central + at + k * spanSet.sizeof + spanSet.spine, 3)
                if spine:
                    label = f"central[{spanclass}].{name}[{k}]"
                    yield f"{label}.spine", spine, 8 * capacity, 8
                    for i, block in enumerate(look.words(spine, length)):
                        if block:
                            yield f"{label}.block{i}", block, spanSetBlock.sizeof, spanSetBlock.sizeof


def page_structures(look):
    """What the page allocator keeps outside mheap_."""
    pages = V.mheap_ + mheap.pages
    for level in range(summaryLevels):
        array, _, entries = look.words(pages + pageAlloc.summary + level * slice_.sizeof, 3)
        yield f"summary{level}", array, 8 * entries, 8
    yield "scavengeIndex", look.word(pages + pageAlloc.scav), 8 << 26, 8
    first = look.word(pages + pageAlloc.chunks + (look.word(pages + pageAlloc.start) >> 13) * 8)
    yield "pallocData", first, pallocData.sizeof << 13, pallocData.sizeof
    array, _, capacity = look.words(V.mheap_ + mheap.allspans, 3)
    yield "allspans", array, 8 * capacity, 8
    yield "arenas", look.word(V.mheap_ + mheap.arenas), 8 << 22, 8


def goroutines(look):
    """The gs that there are, by number, and the sudogs with which they wait."""
    for g in look.words(look.word(V.allgs), look.word(V.allgs + slice_.len)):
        goid = look.word(g + g_.goid)
        yield from structure(f"g{goid}", g, g_)
        s = look.word(g + g_.waiting)
        if s:
            yield from structure(f"g{goid}.waiting", s, sudog)


def work_buffers(look):
    """The spans of grey objects' buffers, and each span's mark and allocation bits."""
    for name, at in (("free", 8), ("busy", 8 + mSpanList.sizeof)):
        s = look.word(V.work + workType.wbufSpans + at)
        while s:
            base = look.word(s + mspan.startAddr)
            yield f"workbufs({base:#x})", base, workbufAlloc, WorkbufSize
            s = look.word(s + mspan.next)


def bits(base, span):
    size = -(-span["nelems"] // 64) * 8
    return [(f"mspan({base:#x}).{name}[]", span[name], size, 1) for name in ("gcmarkBits", "allocBits") if span[name]]


def channel(name, look, c):
    """A channel, and its ring of elements."""
    size, n = look.word(c + hchan.elemsize, 2), look.word(c + hchan.dataqsiz)
    return structure(name, c, hchan) + ([(f"{name}.buf", look.word(c + hchan.buf), size * n, size)] if size * n else [])


def symbols(rt):
    """(name, start, size, element) of all that the runtime has: its variables, and what exists now on the heap's side."""
    look, found = Inspector(rt.process), [*variables()]
    for i, pp in enumerate(rt.ps):
        found += structure(f"p{i}", pp, p_) + structure(f"mcache{i}", look.word(pp + p_.mcache), mcache)
        if i:
            mp = look.word(pp + p_.m)
            found += structure(f"m{i}", mp, m_) + structure(f"m{i}.g0", look.word(mp + m_.g0), g_)
    for i, (_, arena) in enumerate(arenas(look)):
        found += structure(f"heapArena{i}", arena, heapArena)
    for base, span in all_spans(look).items():
        found += structure(f"mspan({base:#x})", span["address"], mspan) + bits(base, span)
    found += [*goroutines(look), *set_blocks(look), *page_structures(look), *work_buffers(look)]
    chunk = look.word(V.gcBitsArenas + 16)
    return found + ([("gcBits", chunk, gcBitsChunkBytes, 8)] if chunk else [])

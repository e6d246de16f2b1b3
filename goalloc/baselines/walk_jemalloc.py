"""What jemalloc holds, and whether it is consistent: extents lie side by side and the radix tree knows them all; each free one is in the heap
and the list of its state, once; slabs' bits agree with their counts, cached blocks are taken regions. Read without an access."""

import numpy as np

from goalloc.baselines import jemalloc_layout as L
from goalloc.baselines.jemalloc_extents import quantized
from goalloc.baselines.system import LOCAL, LOCAL_BYTES
from goalloc.baselines.walking import data_of, holds, totals
from goalloc.observe.inspect import Inspector


class Extent:
    def __init__(self, look, e):
        self.e, self.address, self.size = e, look.word(e + L.E_ADDRESS), look.word(e + L.E_SIZE)
        self.arena, self.state = look.word(e + L.E_ARENA, 2), look.word(e + L.E_STATE, 1)
        self.slab, self.c, self.free = look.word(e + L.E_SLAB, 1), look.word(e + L.E_CLASS, 1), look.word(e + L.E_FREE, 2)
        self.order = look.word(e + L.E_SERIAL), self.address


def words(look, start, n):
    return np.frombuffer(look.read(start, 8 * n), np.int64)


def find_extents(look, data):
    """{edata: Extent}, from the radix tree, which must be right about each page that it knows."""
    found, pages = {}, {}
    root = words(look, look.word(data + L.ROOT), 1 << L.TREE_BITS)
    for i in np.flatnonzero(root).tolist():
        leaf = words(look, int(root[i]), 1 << L.TREE_BITS)
        for j in np.flatnonzero(leaf).tolist():
            pages[(i << L.TREE_BITS | j) << L.PAGE_SHIFT] = int(leaf[j])
    for page, word in pages.items():
        e = word & L.EDATA_MASK
        x = found.setdefault(e, None) or Extent(look, e)
        found[e] = x
        holds(word >> 2 & 7 == x.state and word & 1 == x.slab and word >> 48 == x.c, "jemalloc: the tree's word for", page, "is", word)
        inside = x.address <= page < x.address + x.size
        holds(
            inside and (x.slab or page in (x.address, x.address + x.size - L.PAGE)),
            "jemalloc: the tree gives",
            page,
            "to extent",
            x.address,
        )
    for x in found.values():
        for page in range(x.address, x.address + x.size - L.PAGE + 1, L.PAGE if x.slab else max(x.size - L.PAGE, 1)):
            holds(pages.get(page, 0) & L.EDATA_MASK == x.e, "jemalloc: the tree does not know page", page)
    ordered = sorted(found.values(), key=lambda x: x.address)
    holds(all(a.address + a.size <= b.address for a, b in zip(ordered, ordered[1:])), "jemalloc: extents overlap")
    return found


def cached_blocks(look, allocator, data):
    """(class, address) of all blocks in tcaches."""
    for t in range(allocator.machine.state.threads):
        mine = data + LOCAL + t * LOCAL_BYTES
        if not look.word(mine + L.READY, 1):
            continue
        for c in range(L.CACHED_BINS):
            place = mine + L.BINS + L.BIN_BYTES * c
            head, low, full, empty = (
                look.word(place),
                look.word(place + L.LOW, 2),
                look.word(place + L.FULL, 2),
                look.word(place + L.EMPTY, 2),
            )
            n = (empty - head & 0xFFFF) >> 3
            holds(n <= (empty - full & 0xFFFF) >> 3 == L.CACHED_MAX[c], "jemalloc: a bin of class", c, "holds", n)
            holds((empty - low & 0xFFFF) >> 3 <= n, "jemalloc: the low-water mark of class", c)
            for x in look.words(head, n):
                yield c, x


def jemalloc(allocator):
    look, data = Inspector(allocator.process), data_of(allocator)
    extents = find_extents(look, data)
    arenas = [a for a in look.words(data + L.ARENAS, look.word(data + L.NUM_ARENAS)) if a]
    for arena in arenas:
        check_caches(look, arena, {e: x for e, x in extents.items() if x.arena == look.word(arena + L.A_NUMBER)})
    regions, blocks, used, free = {}, 0, 0, 0
    for x in extents.values():
        if x.state != L.ACTIVE:
            free += x.size
        elif x.slab:
            n = int(L.REGIONS[x.c])
            bits = int.from_bytes(look.read(x.e + L.E_MAP, 8 * (n + 63 >> 6)), "little")
            holds(
                bits < 1 << n and bits.bit_count() == x.free < n and x.size == L.SLAB_PAGES[x.c] * L.PAGE,
                "jemalloc: the slab at",
                x.address,
            )
            size = L.SIZES[x.c]
            regions |= {x.address + i * size: x.c for i in range(n) if not bits >> i & 1}
            free += x.free * size
        else:
            regions[x.address] = x.c
    blocks, used = len(regions), sum(L.SIZES[c] for c in regions.values())
    seen = set()
    for c, x in cached_blocks(look, allocator, data):
        start = x if c < L.NUM_BINS else x & -L.PAGE
        holds(regions.get(start) == c and start not in seen, "jemalloc: the cached block", x, "of class", c)
        seen.add(start)
        blocks, used, free = blocks - 1, used - L.SIZES[c], free + L.SIZES[c]
    return totals(sum(x.size for x in extents.values()), blocks, used, free)


def check_caches(look, arena, extents):
    for state in (L.DIRTY, L.MUZZY_PAGES, L.RETAINED):
        cache = arena + L.A_CACHE + L.CACHE_BYTES * (state - 1)
        wanted = {e for e, x in extents.items() if x.state == state}
        listed, e, before = [], look.word(cache + L.X_LRU), 0
        while e:
            holds(e in wanted and look.word(e + L.E_LRU_PREVIOUS) == before, "jemalloc: the list of state", state)
            listed.append(e)
            e, before = look.word(e + L.E_LRU_NEXT), e
        holds(set(listed) == wanted and len(listed) == len(wanted), "jemalloc: extents of state", state, "and their list differ")
        pages = sum(extents[e].size for e in wanted) >> L.PAGE_SHIFT
        holds(pages == look.word(cache + L.X_PAGES), "jemalloc: the pages of state", state)
        heaped = set()
        for i in range(L.NUM_PSZ):
            root, bit = look.word(cache + L.X_HEAPS + 8 * i), look.word(cache + L.X_BITS + 8 * (i >> 6)) >> (i & 63) & 1
            holds(bool(root) == bool(bit), "jemalloc: the bit of heap", i)
            for e in heap(look, root, extents):
                holds(int(quantized(extents[e].size, False)) == i, "jemalloc: extent", extents[e].address, "is in the wrong heap")
                heaped.add(e)
        holds(heaped == wanted, "jemalloc: extents of state", state, "and their heaps differ")
    for c in range(L.NUM_BINS):
        place = arena + L.A_BINS + L.ABIN_BYTES * c
        current, listed = look.word(place + L.B_CURRENT), set(heap(look, look.word(place + L.B_NONFULL), extents))
        partly = {e for e, x in extents.items() if x.slab and x.c == c and x.free and e != current}
        holds(listed == partly, "jemalloc: slabs of class", c, "with free regions")


def heap(look, root, extents):
    """What is in a pairing heap; none comes before what it is below."""
    todo = [(root, 0)] if root else []
    while todo:
        e, above = todo.pop()
        holds(not above or extents[above].order <= extents[e].order, "jemalloc: the order of a heap")
        yield e
        child = look.word(e + L.E_CHILD)
        while child:
            todo.append((child, e))
            child = look.word(child + L.E_NEXT)

"""What tcmalloc holds, and whether it is consistent: every cached object lies in a span of its class, once; spans and the page map agree;
the filler's bits are the spans' pages. Read without an access."""

from goalloc import params as P
from goalloc.baselines import tcmalloc_layout as L
from goalloc.baselines.walking import data_of, holds, totals
from goalloc.observe.inspect import Inspector


class Look:
    def __init__(self, allocator):
        self.inspector, self.data = Inspector(allocator.process), data_of(allocator)
        self.word = self.inspector.word
        self.policy = int(allocator.process.record.guest[P.POLICY])
        self.cores = allocator.machine.config.cores
        self.leaves = dict(self.find_leaves())
        self.spans = {}  # first page: (span, pages, class)

    def find_leaves(self):
        """(the first page that a leaf is for, its address)."""
        for i, node in enumerate(self.inspector.words(self.data + L.ROOT, 1 << 35 - L.LEAF_BITS - L.MIDDLE_BITS)):
            for j, leaf in enumerate(self.inspector.words(node, 1 << L.MIDDLE_BITS) if node else ()):
                if leaf:
                    yield (i << L.MIDDLE_BITS | j) << L.LEAF_BITS, leaf

    def class_of(self, page):
        return self.word(self.leaves[page & -(1 << L.LEAF_BITS)] + (page & (1 << L.LEAF_BITS) - 1), 1)

    def span_at(self, page):
        return self.word(self.leaves[page & -(1 << L.LEAF_BITS)] + L.L_SPAN + 8 * (page & (1 << L.LEAF_BITS) - 1))

    def find_spans(self):
        """Spans from the page map: every span in use that its first page refers to."""
        for base, leaf in self.leaves.items():
            for k, span in enumerate(self.inspector.words(leaf + L.L_SPAN, 1 << L.LEAF_BITS)):
                page = base + k
                if span and self.word(span + L.FIRST_PAGE) == page and page not in self.spans:
                    pages, c = self.word(span + L.NUM_PAGES), self.class_of(page)
                    holds(self.span_at(page + pages - 1) == span, "tcmalloc: the page map at the end of span", span)
                    holds(all(self.class_of(q) == c for q in range(page, page + pages)) if c else True, "tcmalloc: classes of span", span)
                    self.spans[page] = span, pages, c


def cached_objects(look):
    """(class, address) of every object in a CPU's, a thread's or a transfer cache."""
    for c in range(1, L.NUM_CLASSES):
        cache = look.data + L.TRANSFER + L.TRANSFER_BYTES * c
        used, capacity = look.word(cache + L.T_USED, 4), look.word(cache + L.T_CAPACITY, 4)
        holds(used <= capacity, "tcmalloc: the transfer cache of class", c, "holds", used)
        for x in look.inspector.words(look.word(cache + L.T_SLOTS), used) if used else ():
            yield c, x
        if look.policy == L.PER_CPU:
            yield from in_slabs(look, c)
    if look.policy == L.PER_THREAD:
        for mine in look.inspector.words(look.data + L.THREAD_NUMBERS, look.word(look.data + L.THREADS)):
            yield from in_lists(look, mine)


def in_slabs(look, c):
    for core in range(look.cores):
        slab = look.word(look.data + L.SLABS) + (core << L.SLAB_SHIFT)
        current, end, begin = (look.word(slab + 8 * c + offset, 2) for offset in (0, 2, 4))
        holds(begin in (0, L.BEGINS[c]) and begin <= current <= end <= begin + L.LIMITS[c], "tcmalloc: the slab's header of class", c)
        for x in look.inspector.words(slab + 8 * begin, current - begin):
            yield c, x


def in_lists(look, mine):
    size = 0
    for c in range(1, L.NUM_CLASSES):
        place = mine + L.LISTS + L.LIST_BYTES * c
        x, n = look.word(place + L.HEAD), 0
        while x:
            yield c, x
            x, n = look.word(x), n + 1
        holds(n == look.word(place + L.STATE) & L.FIELD, "tcmalloc: the length of a thread's list of class", c)
        size += n * L.CLASSES[c][0]
    holds(size == look.word(mine + L.SIZE), "tcmalloc: the size of a thread's cache")


def tcmalloc(allocator):
    look = Look(allocator)
    look.find_spans()
    owner = {page: first for first, (_, pages, _) in look.spans.items() for page in range(first, first + pages)}
    cached, seen = {}, set()
    for c, x in cached_objects(look):
        first = owner.get(x >> L.PAGE_SHIFT)
        holds(first is not None and look.spans[first][2] == c, "tcmalloc: an object of class", c, "at", x, "lies in no span of it")
        holds((x - (first << L.PAGE_SHIFT)) % L.CLASSES[c][0] == 0 and x not in seen, "tcmalloc: the cached object", x)
        seen.add(x)
        cached[first] = cached.get(first, 0) + 1
    blocks = used = free = 0
    for first, (span, pages, c) in look.spans.items():
        if c == 0:
            blocks, used = blocks + 1, used + (pages << L.PAGE_SHIFT)
            continue
        size, allocated = L.CLASSES[c][0], look.word(span + L.ALLOCATED, 2)
        objects = (pages << L.PAGE_SHIFT) // size
        live = allocated - cached.get(first, 0)
        holds(0 < allocated <= objects and live >= 0, "tcmalloc: span", span, "has allocated", allocated)
        blocks, used, free = blocks + live, used + live * size, free + (objects - live) * size
    check_lists(look)
    mapped, idle = check_filler(look)
    return totals(mapped, blocks, used, free + idle)


def check_lists(look):
    """Central lists hold the spans that have free objects, each where it belongs."""
    listed = set()
    for c in range(1, L.NUM_CLASSES):
        for i in range(L.NUM_LISTS):
            span, before = look.word(look.data + L.CENTRAL + L.CENTRAL_BYTES * c + L.C_LISTS + 8 * i), 0
            while span:
                holds(look.word(span + L.PREVIOUS) == before and look.word(span + L.LIST, 1) == i, "tcmalloc: the links of span", span)
                listed.add(span)
                span, before = look.word(span + L.NEXT), span
    partly = set()
    for span, pages, c in look.spans.values():
        if c and look.word(span + L.ALLOCATED, 2) < (pages << L.PAGE_SHIFT) // L.CLASSES[c][0]:
            partly.add(span)
    holds(listed == partly, "tcmalloc: spans with free objects and the central lists differ")


def check_filler(look):
    """(bytes that the kernel has given, bytes of free pages)."""
    wanted = {}  # hugepage: bits of its pages that belong to spans
    for first, (_, pages, _) in look.spans.items():
        for page in range(first, first + pages):
            wanted[page >> 8] = wanted.get(page >> 8, 0) | 1 << (page & 255)
    tracked, listed = {}, set()
    for base, leaf in look.leaves.items():
        for k, tracker in enumerate(look.inspector.words(leaf + L.L_HUGE, 1 << L.LEAF_BITS >> 8)):
            if tracker:
                tracked[(base >> 8) + k] = tracker
    for huge, tracker in tracked.items():
        bits = int.from_bytes(look.inspector.read(tracker + L.K_MAP, 32), "little")
        holds(look.word(tracker + L.K_PLACE) == huge << 8, "tcmalloc: the tracker of hugepage", huge)
        holds(bits == wanted.get(huge, 0), "tcmalloc: pages of hugepage", huge, "are", bits)
        holds(look.word(tracker + L.K_USED) == bits.bit_count(), "tcmalloc: the count of used pages of hugepage", huge)
    holds(all(h in tracked or bits == (1 << 256) - 1 for h, bits in wanted.items()), "tcmalloc: a hugepage has no tracker")
    for n in range((L.HUGE_PAGES + 1) * L.CHUNKS):
        tracker = look.word(look.data + L.FILLER + 8 * n)
        bit = look.word(look.data + L.FILLER_MAP + 8 * (n >> 6)) >> (n & 63) & 1
        holds(bool(bit) == bool(tracker), "tcmalloc: the filler's bit of list", n)
        while tracker:
            holds(
                look.word(tracker + L.K_LIST) == n and longest_free(look, tracker) == n // L.CHUNKS,
                "tcmalloc: the list of tracker",
                tracker,
            )
            listed.add(tracker)
            tracker = look.word(tracker + L.K_NEXT)
    holds(listed == set(tracked.values()), "tcmalloc: trackers and the filler's lists differ")
    backed = 0
    for i in range(look.word(look.data + L.RANGES)):
        start, n, is_backed = look.inspector.words(look.data + L.RANGE + 24 * i, 3)
        holds(not any((start >> 8) + k in wanted for k in range(n)), "tcmalloc: the free hugepages at", start, "are used")
        backed += n * is_backed
    holds(backed == look.word(look.data + L.CACHED), "tcmalloc: the count of cached hugepages")
    whole = set(wanted) | set(tracked)
    idle = backed * L.HUGE + sum(L.HUGE - (wanted.get(h, 0).bit_count() << L.PAGE_SHIFT) for h in whole)
    return (len(whole) + backed) * L.HUGE, idle


def longest_free(look, tracker):
    bits = int.from_bytes(look.inspector.read(tracker + L.K_MAP, 32), "little")
    return max(map(len, f"{bits:0256b}".split("1")))

"""The collector's invariants, checked from outside.

    every span in use is in one mcache or in one list of its class       what is in an unswept list and has been swept does not count
    nothing that can be reached has been freed                            at any time: roots, and from object to object
    tricolour, while a collection marks                                   a black object points to a white one only if that can be reached from
                                                                          a grey one through white ones; what a write barrier has put
                                                                          aside, and roots that are not scanned, count as grey

Raises FatalError. Reads as a debugger does; the cost is Python's and grows with the heap.
"""

from goalloc import constants as C
from goalloc.errors import FatalError
from goalloc.gc.mgcmark_roots import DATA_ROOTS
from goalloc.heap.mcentral import SWEEPGEN
from goalloc.heap.stack import HI, SP
from goalloc.layout import (
    CENTRAL_STRIDE,
    GLOBALS,
    finalizer,
    finblock,
    g_,
    gcWork,
    heapArena,
    m_,
    mcache,
    mcentral,
    mheap,
    mspan,
    p_,
    slice_,
    spanSet,
    spanSetBlock,
    special,
    wbBuf,
    workType,
    workbuf,
    variables as V,
)
from goalloc.observe.inspect import Inspector
from goalloc.params import (
    COLLECTOR,
    GLOBALS_END,
    MARKING,
    Gdead,
    READY,
    arenaBaseOffset,
    heapArenaBytes,
    mSpanInUse,
    numSpanClasses,
    pageSize,
    spanSetBlockEntries,
)

WORKBUF_NOBJ, WORKBUF_OBJ = workbuf.sizeof - 8 * C.workbufObjects - 8, workbuf.sizeof - 8 * C.workbufObjects


def check_collector(rt, spans, arenas):
    """`spans`: fields of all spans by base address; `arenas`: base addresses of the heap's (check.py)."""
    guest = rt.machine.state.process[rt.process.number].guest
    if not guest[COLLECTOR] & READY:
        return
    heap = Heap(rt, spans, arenas)
    heap.check_lists()
    heap.check_reachable()
    if guest[COLLECTOR] & MARKING:
        heap.check_colours()


class Heap:
    """Spans by page, and queries on objects: an object is (span, index)."""

    def __init__(self, rt, spans, arenas):
        self.rt, self.look = rt, Inspector(rt.process)
        self.sweepgen = self.look.word(SWEEPGEN, 4)
        self.in_use = [span for span in spans.values() if span["state"] == mSpanInUse]
        self.of_page = {
            page: span for span in self.in_use for page in range(span["base"] // pageSize, span["base"] // pageSize + span["npages"])
        }
        self.manual = {
            page
            for span in spans.values()
            if span["state"] != mSpanInUse
            for page in range(span["base"] // pageSize, span["base"] // pageSize + span["npages"])
        }
        self.arenas = arenas
        self.l2, self.bits = self.look.word(V.mheap_ + mheap.arenas), {}

    def object(self, word):
        """The object that a word points into, or None."""
        span = self.of_page.get(word // pageSize)
        if span is None or not span["base"] <= word < span["limit"]:
            return None
        return span["base"], (word - span["base"]) // span["elemsize"]

    def target(self, word):
        """The object that a pointer points to, or None outside the heap. Raises FatalError where its span has been freed."""
        thing = self.object(word)
        if thing is None and word // pageSize not in self.manual and word & -heapArenaBytes in self.arenas:
            raise FatalError(f"fatal error: object {word:#x} can be reached and has been freed, with its span")
        return thing

    def flag(self, span, name, i):
        key = span["base"], name
        if key not in self.bits:
            self.bits[key] = int.from_bytes(self.look.read(span[name], -(-span["nelems"] // 64) * 8), "little")
        return self.bits[key] >> i & 1

    def span(self, thing):
        return self.of_page[thing[0] // pageSize]

    def is_marked(self, thing):
        return self.flag(self.span(thing), "gcmarkBits", thing[1])

    def is_allocated(self, thing):
        span = self.span(thing)
        if (span["sweepgen"] - self.sweepgen) % (1 << 32) in ((1 << 32) - 2, 1):  # to be swept: what is marked stays
            return self.is_marked(thing)
        return thing[1] < span["freeindex"] or self.flag(span, "allocBits", thing[1])

    def pointers(self, thing):
        """The objects that an object's pointer words point to."""
        span = self.span(thing)
        if span["spanclass"] & 1:
            return
        base = span["base"] + thing[1] * span["elemsize"]
        words = self.look.words(base, span["elemsize"] // 8)
        for k, word in enumerate(words):
            if word and self.is_pointer_word(base + 8 * k, base + span["elemsize"]):
                other = self.target(word)
                if other is not None:
                    yield other

    def is_pointer_word(self, va, end):
        arena = self.look.word(self.l2 + 8 * ((va - arenaBaseOffset) // heapArenaBytes))
        i = va // 512 % (heapArenaBytes // 512)
        return self.look.word(arena + heapArena.bitmap + 8 * i) >> va // 8 % 64 & 1

    # Lists

    def check_lists(self):
        places = {}
        for spanclass in range(numSpanClasses):
            for part in (mcentral.partial, mcentral.full):
                for which in range(2):
                    swept = which == self.sweepgen // 2 % 2
                    central = V.mheap_ + mheap.central + spanclass * CENTRAL_STRIDE
                    for s in self.members(central + part + which * spanSet.sizeof):
                        if swept or self.look.word(s + mspan.sweepgen, 4) == (self.sweepgen - 2) % (1 << 32):
                            places.setdefault(s, []).append(f"a list of class {spanclass}")
        for pp in self.rt.ps:
            for s in self.look.words(self.look.word(pp + p_.mcache) + mcache.alloc, numSpanClasses):
                if s != V.emptymspan:
                    places.setdefault(s, []).append("an mcache")
        for span in self.in_use:
            if len(places.get(span["address"], ())) != 1 and not span["isUserArenaChunk"]:
                raise FatalError(f"fatal error: the span at {span['base']:#x} is in {places.get(span['address'], 'no list or mcache')}")

    def members(self, b):
        index, spine = self.look.word(b + spanSet.index), self.look.word(b + spanSet.spine)
        for k in range(index >> 32, index & 0xFFFF_FFFF):
            block = self.look.word(spine + 8 * (k // spanSetBlockEntries))
            yield self.look.word(block + spanSetBlock.spans + 8 * (k % spanSetBlockEntries))

    # What can be reached

    def roots(self):
        """(words of variables and of what the runtime knows, words of stacks and registers)."""
        look, rt = self.look, self.rt
        end = int(rt.machine.state.process[rt.process.number].guest[GLOBALS_END])
        words = list(look.words(GLOBALS, (end - GLOBALS) // 8)) if end else []
        words += [look.word(at) for at in DATA_ROOTS]
        for pp in rt.ps:
            mp = look.word(pp + p_.m)
            words += [mp, look.word(mp + m_.g0)]
            words += [look.word(look.word(pp + p_.mcache) + mcache.tiny)] if self.marking() else []
        fb = look.word(V.allfin)
        while fb:
            for i in range(look.word(fb + finblock.cnt, 4)):
                words += look.words(fb + finblock.fin + i * finalizer.sizeof, finalizer.sizeof // 8)
            fb = look.word(fb + finblock.alllink)
        stacks = []
        for gp in look.words(look.word(V.allgs), look.word(V.allgs + slice_.len)):
            if look.word(gp + g_.atomicstatus, 4) != Gdead and look.word(gp + HI):
                stacks += look.words(look.word(gp + SP), (look.word(gp + HI) - look.word(gp + SP)) // 8)
        return words, stacks

    def marking(self):
        return self.rt.machine.state.process[self.rt.process.number].guest[COLLECTOR] & MARKING

    def with_finalizers(self):
        """Objects that have a finalizer: what they point to lives."""
        for span in self.in_use:
            sp = self.look.word(span["address"] + mspan.specials)
            while sp:
                if self.look.word(sp + special.kind, 1) == C.KindSpecialFinalizer:
                    yield span["base"], self.look.word(sp + special.offset, 2) // span["elemsize"]
                sp = self.look.word(sp + special.next)

    def check_reachable(self):
        variables, stacks = self.roots()
        start = [thing for word in variables if (thing := self.target(word))]
        start += [thing for word in stacks if (thing := self.object(word)) and self.is_allocated(thing)]  # words that may be anything
        start += [other for thing in self.with_finalizers() for other in self.pointers(thing)]
        seen, todo = set(start), list(start)
        while todo:
            thing = todo.pop()
            if not self.is_allocated(thing):
                raise FatalError(f"fatal error: object {self.address(thing):#x} can be reached and has been freed")
            for other in self.pointers(thing):
                if other not in seen:
                    seen.add(other)
                    todo.append(other)
        return seen

    def address(self, thing):
        return thing[0] + thing[1] * self.span(thing)["elemsize"]

    # Colours

    def grey(self):
        """Objects in buffers, in barriers' buffers, and those that roots name which are not scanned yet."""
        look, buffers, words = self.look, [], []
        head = look.word(V.work + workType.full)
        while head:
            signed = head - (1 << 64) if head >> 63 else head
            buffers.append(signed >> 19 << 3)
            head = look.word(buffers[-1])
        for pp in self.rt.ps:
            buffers += filter(None, look.words(pp + p_.gcw + gcWork.wbuf1, 2))
            first = pp + p_.wbBuf + wbBuf.buf
            words += look.words(first, max(look.word(pp + p_.wbBuf + wbBuf.next) - first, 0) // 8)
        for b in buffers:
            words += look.words(b + WORKBUF_OBJ, look.word(b + WORKBUF_NOBJ))
        if look.word(V.work + workType.markrootNext, 4) < look.word(V.work + workType.markrootJobs, 4):
            variables, stacks = self.roots()
            words += variables + stacks
            words += [self.address(other) for thing in self.with_finalizers() for other in self.pointers(thing)]
        return {thing for word in words if (thing := self.object(word))}

    def check_colours(self):
        grey = self.grey()
        protected, todo = set(grey), list(grey)
        while todo:
            for other in self.pointers(todo.pop()):
                if other not in protected and not self.is_marked(other):
                    protected.add(other)
                    todo.append(other)
        for span in self.in_use:
            for i in range(span["nelems"]):
                thing = span["base"], i
                if self.flag(span, "gcmarkBits", i) and thing not in grey:
                    for other in self.pointers(thing):
                        if not self.is_marked(other) and other not in protected:
                            raise FatalError(
                                f"fatal error: black object {self.address(thing):#x} points to white object "
                                f"{self.address(other):#x}, which nothing grey leads to"
                            )

"""The heap as a graph: objects, the pointers between them, and the roots; read as a debugger reads.

    Snapshot ── spans      those in use, by address: objects `first[i]` to `first[i + 1]` are span i's slots
             ├─ edges      source, target, offset: of every pointer word of every slot of spans with pointers (the heap's bitmap says which)
             └─ roots      [Root]: what markers begin with (gc/mgcmark_roots.py), and where each leads

Registers count for nothing, as for rt.gc(). Words of stacks may be anything: those that point to a free slot are left out.
"""

from typing import NamedTuple

import numpy as np

from goalloc import constants as C, params as P
from goalloc.gc.mgcmark_roots import DATA_ROOTS
from goalloc.heap.mcentral import SWEEPGEN
from goalloc.heap.stack import HI, SP
from goalloc.layout import GLOBALS, bucket, finalizer, finblock, g_, heapArena, m_, mheap, mspan, p_, slice_, special, specialprofile
from goalloc.layout import variables as V
from goalloc.observe.check import all_spans
from goalloc.observe.inspect import Inspector

DATA_ROOT_NAMES = ("allp", "allgs", "sched.sudogcache", "userArenaState.reuse", "userArenaState.fault")
DATA_ROOT_TYPES = ("[]*p", "[]*g", "*sudog", None, None)
WORD_BYTES_OF_BITMAP = 64  # bytes of the heap that a byte of its bitmap tells of


class Root(NamedTuple):
    """`kind`: "global", "stack", "special" or "runtime"; `word`: what it holds, for "special" the object with the finalizer; `of`: what the
    word points to, as Go writes the variable's type, where the runtime's declarations say it."""

    kind: str
    name: str
    word: int
    of: str | None = None


class Snapshot:
    """The heap of a Runtime at one moment. Objects are numbers."""

    def __init__(self, rt):
        self.rt, self.look = rt, Inspector(rt.process)
        self.spans = [span for _, span in sorted(all_spans(self.look).items()) if span["state"] == P.mSpanInUse]
        self.base = np.array([span["base"] for span in self.spans], np.int64)
        self.limit = np.array([span["limit"] for span in self.spans], np.int64)
        self.elemsize = np.array([span["elemsize"] for span in self.spans], np.int64)
        self.first = np.concatenate([[0], np.cumsum([span["nelems"] for span in self.spans])]).astype(np.int64)
        self.n = int(self.first[-1])
        self.sweepgen = self.look.word(SWEEPGEN, 4)
        self.allocated = np.concatenate([self.allocated_of(span) for span in self.spans]) if self.spans else np.zeros(0, bool)
        self.source, self.target, self.offset = self.edges()
        self.starts = np.searchsorted(self.source, np.arange(self.n + 1))
        self.specials = {x: s for span in self.spans for x, s in self.specials_of(span)}
        self.roots = [*self.globals(), *self.stacks(), *self.finalizers(), *self.runtime()]

    # Objects

    def objects(self, words):
        """The objects that words point into, -1 for none; an array."""
        words = np.asarray(words, np.int64)
        i = np.searchsorted(self.base, words, "right") - 1
        inside = (i >= 0) & (words < self.limit[i]) if len(self.base) else np.zeros(len(words), bool)
        return np.where(inside, self.first[i] + (words - self.base[i]) // np.maximum(self.elemsize[i], 1), -1) if len(self.base) else i

    def object(self, word):
        return int(self.objects([word])[0]) if 0 <= word < 1 << 63 else -1

    def span_index(self, x):
        return int(np.searchsorted(self.first, x, "right")) - 1

    def address(self, x):
        i = self.span_index(x)
        return int(self.base[i] + (x - self.first[i]) * self.elemsize[i])

    def size(self, x):
        return int(self.elemsize[self.span_index(x)])

    def sizes(self):
        return np.repeat(self.elemsize, np.diff(self.first))

    def allocated_of(self, span):
        """Which slots are allocated: by their bits, or, where the span is to be swept, by their marks."""
        unswept = (span["sweepgen"] - self.sweepgen) % (1 << 32) in ((1 << 32) - 2, 1)
        bits = np.frombuffer(self.look.read(span["gcmarkBits" if unswept else "allocBits"], -(-span["nelems"] // 8)), np.uint8)
        flags = np.unpackbits(bits, bitorder="little")[: span["nelems"]].astype(bool)
        return flags if unswept else flags | (np.arange(span["nelems"]) < span["freeindex"])

    def site(self, x):
        """(type's address, 0 for none; call site's number) that the heap's profile has of an object; None if it was not sampled."""
        s = self.specials.get((self.address(x), C.KindSpecialProfile))
        return None if s is None else self.look.words(self.look.word(s + specialprofile.b) + bucket.sizeof, 2)

    # Pointers

    def edges(self):
        found = [self.edges_of(i, span) for i, span in enumerate(self.spans) if not span["spanclass"] & 1]
        source, target, offset = (np.concatenate(column) for column in zip(*found)) if found else (np.zeros(0, np.int64),) * 3
        return source, target, offset

    def edges_of(self, i, span):
        nbytes = span["limit"] - span["base"]
        words = np.frombuffer(self.look.read(span["base"], nbytes), np.int64)
        at = np.flatnonzero(self.bitmap(span["base"], nbytes) & (words > 0))
        target = self.objects(words[at])
        at, target = at[target >= 0], target[target >= 0]
        return self.first[i] + 8 * at // span["elemsize"], target, 8 * at % span["elemsize"]

    def bitmap(self, va, nbytes):
        """Which words from `va` on, the beginning of a page, are pointers."""
        l2, pieces = self.look.word(V.mheap_ + mheap.arenas), []
        while nbytes > 0:
            arena, inside = divmod(va - P.arenaBaseOffset, P.heapArenaBytes)
            n = min(P.heapArenaBytes - inside, nbytes)
            bitmap = self.look.word(l2 + 8 * arena) + heapArena.bitmap
            data = self.look.read(bitmap + inside // WORD_BYTES_OF_BITMAP, -(-n // WORD_BYTES_OF_BITMAP))
            pieces.append(np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")[: n // 8])
            va, nbytes = va + n, nbytes - n
        return np.concatenate(pieces).astype(bool)

    def pointers(self, x):
        """(target, offset) of an object's pointers."""
        a, b = self.starts[x], self.starts[x + 1]
        return zip(self.target[a:b].tolist(), self.offset[a:b].tolist())

    # Roots

    def globals(self):
        end = int(self.rt.machine.state.process[self.rt.process.number].guest[P.GLOBALS_END])
        words = self.look.words(GLOBALS, (end - GLOBALS) // 8) if end else ()
        for i, word in enumerate(words):
            if word:
                yield Root("global", self.rt.global_name(GLOBALS + 8 * i), word)

    def stacks(self):
        look = self.look
        for gp in look.words(look.word(V.allgs), look.word(V.allgs + slice_.len)):
            if look.word(gp + g_.atomicstatus, 4) == P.Gdead or not look.word(gp + HI):
                continue
            sp, name = look.word(gp + SP), f"goroutine {look.word(gp + g_.goid)}"
            words = look.words(sp, (look.word(gp + HI) - sp) // 8)
            for i, x in enumerate(self.objects(np.array(words, np.uint64).astype(np.int64)).tolist()):
                if x >= 0 and self.allocated[x]:
                    yield Root("stack", f"{name}, stack+{8 * i}", words[i])

    def finalizers(self):
        """What an object with a finalizer points to lives, though it need not live itself."""
        for address, kind in self.specials:
            if kind == C.KindSpecialFinalizer:
                yield Root("special", f"finalizer of {address:#x}", address)

    def runtime(self):
        look = self.look
        for at, name, of in zip(DATA_ROOTS, DATA_ROOT_NAMES, DATA_ROOT_TYPES):
            yield Root("runtime", name, look.word(at), of)
        for i, pp in enumerate(self.rt.ps):
            mp = look.word(pp + p_.m)
            yield Root("runtime", f"m{i}", mp, "*m")
            yield Root("runtime", f"m{i}.g0", look.word(mp + m_.g0), "*g")
        fb = look.word(V.allfin)
        while fb:
            for i in range(look.word(fb + finblock.cnt, 4)):
                yield Root("runtime", f"finalizer queue [{i}]", look.word(fb + finblock.fin + i * finalizer.sizeof + finalizer.arg))
            fb = look.word(fb + finblock.alllink)

    def specials_of(self, span):
        """((the object's address, kind), address of the special) of a span."""
        s, look = self.look.word(span["address"] + mspan.specials), self.look
        while s:
            inside = look.word(s + special.offset, 2)
            yield (span["base"] + inside // span["elemsize"] * span["elemsize"], look.word(s + special.kind, 1)), s
            s = look.word(s + special.next)

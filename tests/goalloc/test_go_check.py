"""Whatever is broken in a heap by hand, its check tells."""

import numpy as np
import pytest

from goalloc.errors import FatalError
from goalloc.layout import gcControllerState, heapArena, mcache, mheap, mspan, p_, pageAlloc, variables as V
from goalloc.params import arenaBaseOffset, heapArenaBytes, pallocChunkBytes

FIRST_ARENA = 0xC0_0000_0000
LEAVES = V.mheap_ + mheap.pages + pageAlloc.summary + 4 * 24  # the lowest level of summaries


def arena_field(name):
    """Where the first arena has a field."""

    def of(rt, span):
        l2 = rt.process.load(V.mheap_ + mheap.arenas)
        return rt.process.load(l2 + 8 * ((FIRST_ARENA - arenaBaseOffset) // heapArenaBytes)) + getattr(heapArena, name)

    return of


def span_field(name):
    return lambda rt, span: span["address"] + getattr(mspan, name)


def mcache_field(name):
    return lambda rt, span: rt.process.load(rt.ps[0] + p_.mcache) + getattr(mcache, name)


BROKEN = [
    (span_field(name), size)
    for name, size in (
        ("startAddr", 8),
        ("npages", 8),
        ("elemsize", 8),
        ("nelems", 8),
        ("freeindex", 8),
        ("allocCount", 2),
        ("spanclass", 1),
        ("state", 1),
        ("sweepgen", 4),
        ("allocCache", 8),
        ("limit", 8),
        ("divMul", 4),
        ("allocBits", 8),
        ("gcmarkBits", 8),
        ("freeIndexForScan", 8),
    )
] + [
    (mcache_field("tiny"), 8),
    (mcache_field("tinyoffset"), 8),
    (arena_field("spans"), 8),
    (arena_field("pageInUse"), 1),
    (lambda rt, span: arena_field("bitmap")(rt, span) + span["base"] % heapArenaBytes // 64, 8),
    (lambda rt, span: span["base"] + (span["nelems"] - 1) * span["elemsize"], 8),
    (lambda rt, span: rt.process.load(LEAVES) + 8 * ((FIRST_ARENA - arenaBaseOffset) // pallocChunkBytes), 8),
    (lambda rt, span: V.mheap_ + mheap.pagesInUse, 8),
    (lambda rt, span: V.gcController + gcControllerState.heapFree, 8),
]


@pytest.mark.parametrize("place, size", BROKEN)
def test_a_word_that_is_wrong_is_told(runtime, place, size):
    rt = runtime(gomaxprocs=1)
    rt.malloc_many(np.r_[np.full(700, 48), np.full(30, 5000), np.full(5, 100_000)])
    span = rt.span_of(rt.mallocgc(48))
    rt.check()
    at = place(rt, span)
    right = rt.process.load(at, size=size)
    rt.process.store(at, right + 1, size=size)
    with pytest.raises(FatalError, match="fatal error: "):
        rt.check()
    rt.process.store(at, right, size=size)
    rt.check()


def test_an_arena_that_seems_new_is_told(runtime):
    rt = runtime(gomaxprocs=1)
    rt.process.store(arena_field("zeroedBase")(rt, None), 0)
    with pytest.raises(FatalError, match="is said to be new"):
        rt.check()

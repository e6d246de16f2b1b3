"""User arenas: objects with pointers from the front of a chunk, others from its back; what is freed faults; the counters follow."""

import pytest
from hypothesis import given, settings, strategies as st

from goalloc import constants as C
from goalloc.errors import FatalError
from goalloc.layout import variables as V
from goalloc.runtime.runtime import Runtime
from goalloc.types import array, int32, int64, pointer, struct, uint8
from hwmem.errors import SegmentationFault
from recorded import pointer_bits

FIRST, CHUNK = 0x40C0_0000_0000, C.userArenaChunkBytes
Node = struct("Node", left=pointer, right=pointer, key=int64)
SHAPES = (
    uint8,
    int32,
    int64,
    pointer,
    Node,
    array(uint8, 5),
    array(pointer, 1000),
    struct("S", a=int32, b=pointer, c=uint8),
    array(int64, 100_000),
    array(pointer, 70_000),
)


def test_pointers_grow_from_the_front_and_the_rest_from_the_back(runtime):
    rt = runtime(gomaxprocs=1)
    a = rt.arena()
    assert a.chunks == [FIRST] and a.room == (FIRST, FIRST + CHUNK)
    assert [a.new(Node), a.new(Node), a.slice(pointer, 3).array] == [FIRST, FIRST + 24, FIRST + 48]
    assert [a.new(uint8), a.new(int64), a.new(array(uint8, 3))] == [FIRST + CHUNK - 1, FIRST + CHUNK - 16, FIRST + CHUNK - 19]
    assert a.room == (FIRST + 72, FIRST + CHUNK - 19)
    assert a.slice(Node, 0).array == V.zerobase
    span = rt.span_of(FIRST)
    assert (span["spanclass"], span["npages"], span["state"], span["isUserArenaChunk"]) == (0, 1024, "in use", 1)
    rt.check()


def test_random_arenas_are_zero_disjoint_and_have_their_types_pointer_bits(machine):
    steps = st.lists(st.tuples(st.integers(0, 2), st.sampled_from(SHAPES), st.integers(-1, 40)), min_size=1, max_size=60)

    @settings(max_examples=5, deadline=None)
    @given(steps)
    def holds(wanted):
        rt = Runtime(machine=machine, gomaxprocs=1)
        try:
            arenas, taken, objects = [rt.arena() for _ in range(3)], [], []
            for which, of, n in wanted:
                n = n if of.size < 10_000 else min(n, 2)
                x = arenas[which].new(of) if n < 0 else arenas[which].slice(of, n).array
                count = 1 if n < 0 else n
                if count and x != V.zerobase and x >= FIRST:
                    assert not any(rt.process.read(x, min(count * of.size, 64))) and x % of.align == 0
                    rt.process.write(x, b"\xff" * min(count * of.size, 64))
                    taken.append((x, x + count * of.size))
                    objects.append((x, of, count))
            taken.sort()
            assert all(end <= start for (_, end), (start, _) in zip(taken, taken[1:]))
            for x, of, count in objects:
                if of.pointers:
                    assert pointer_bits(rt, x, count * of.size) == [i * of.size + p for i in range(count) for p in of.pointers]
            rt.check()
            for a in arenas:
                a.free()
            rt.check()
        finally:
            rt.process.exit()

    holds()


def test_what_is_used_after_its_arena_was_freed_faults(runtime):
    rt = runtime(gomaxprocs=1)
    a = rt.arena()
    full, last = [a.slice(int64, 250_000).array for _ in range(5)], a.chunks[-1]
    assert a.chunks == [FIRST, FIRST + CHUNK] and full[-1] >= last
    before = rt.memstats()
    a.free()
    with pytest.raises(SegmentationFault) as fault:
        rt.process.load(full[0])
    assert (fault.value.address, fault.value.code) == (full[0], "SEGV_ACCERR")
    assert rt.process.load(full[-1]) == 0  # in the chunk that was in use: kept for the next arena
    after = rt.memstats()
    assert before["HeapInuse"] - after["HeapInuse"] == before["HeapSys"] - after["HeapSys"] == CHUNK
    assert (after["Frees"] - before["Frees"], after["TotalAlloc"] - before["TotalAlloc"]) == (1, 16)  # reuse, with room for one
    assert before["HeapAlloc"] - after["HeapAlloc"] == CHUNK - 16
    rt.check()
    b = rt.arena()
    assert b.chunks == [last] and b.new(int64) == full[-1] - 8
    with pytest.raises(FatalError, match="panic: arena double free"):
        a.free()
    rt.check()


def test_a_fresh_chunk_comes_from_the_same_64_mib_until_they_are_used_up(runtime):
    rt = runtime(gomaxprocs=1)
    a = rt.arena()
    a.slice(uint8, 1 << 20)
    for _ in range(4 * 9):
        a.slice(uint8, 2 << 20)
    assert a.chunks == [FIRST + k * CHUNK for k in range(10)]
    rt.check()


def test_large_objects_lie_in_the_heap_and_clones_too(runtime):
    rt = runtime(gomaxprocs=1)
    a = rt.arena()
    assert a.slice(int64, (2 << 20) // 8).array >= FIRST and a.slice(int64, (2 << 20) // 8 + 1).array < FIRST
    x = a.new(Node)
    rt.process.store(x + 16, 77)
    y = a.clone(x, Node)
    assert y < FIRST and rt.process.load(y + 16) == 77 and a.clone(y, Node) == y
    rt.check()


def test_wrong_counts_are_told(runtime):
    a = runtime(gomaxprocs=1).arena()
    with pytest.raises(ValueError, match="n: takes a count"):
        a.slice(int64, 5, 3)
    with pytest.raises(TypeError):
        a.new(3)

"""What must be true of a heap whatever a program allocates: no two objects overlap, new memory is zero, everything agrees."""

from struct import pack as struct_pack

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from recorded import pointer_bits

from goalloc.errors import FatalError
from goalloc.runtime.runtime import Runtime
from goalloc.sizeclasses import class_to_size
from goalloc.types import array, float32, float64, int32, int64, pointer, string, struct, uint8
from goalloc.layout import p_, variables as V
from goalloc.params import pageSize

SIZES = st.one_of(st.integers(1, 64), st.integers(1, 4096), st.sampled_from(class_to_size[1:]), st.integers(1, 200_000))


def test_objects_do_not_overlap_and_are_zero(machine):
    @settings(max_examples=25)
    @given(st.lists(st.tuples(SIZES, st.booleans()), min_size=1, max_size=300), st.integers(1, 4))
    def holds(wanted, ps):
        rt = Runtime(machine=machine, gomaxprocs=ps)
        try:
            intervals = []
            for i, (size, noscan) in enumerate(wanted):
                size = size if noscan else -(-size // 8) * 8
                a = rt.mallocgc(size, noscan=noscan, core=i % ps)
                assert not any(rt.process.read(a, min(size, 64))), "memory that is not zero"
                rt.process.write(a, b"\xff" * min(size, 64))
                intervals.append((a, a + size))
            intervals.sort()
            assert all(end <= start for (_, end), (start, _) in zip(intervals, intervals[1:]))
            for a, end in intervals:
                span = rt.span_of(a)
                assert span["base"] <= a and end <= span["limit"] and span["state"] == "in use"
            rt.check()
            rt.memstats()
            rt.check()
        finally:
            rt.process.exit()

    holds()


def test_random_sizes_in_one_loop_do_not_overlap(runtime, seed):
    rt = runtime(gomaxprocs=4)
    rng = np.random.default_rng(seed)
    addresses, sizes = [], []
    for core in (0, 1, 2, 3, 0, 2):
        wanted = np.maximum(1, rng.lognormal(4, 2, 20_000).astype(np.int64))
        noscan = rng.random(20_000) < 0.5
        wanted = np.where(noscan, wanted, (wanted + 7) // 8 * 8)
        addresses.append(rt.malloc_many(wanted, noscan=noscan, core=core))
        sizes.append(wanted)
    a, n = np.concatenate(addresses), np.concatenate(sizes)
    order = np.argsort(a)
    assert np.all(a[order][:-1] + n[order][:-1] <= a[order][1:])
    rt.check()
    stats = rt.memstats()
    assert stats["HeapSys"] == stats["HeapIdle"] + stats["HeapInuse"] and stats["HeapReleased"] <= stats["HeapIdle"]
    assert stats["HeapObjects"] == stats["Mallocs"] - stats["Frees"]
    assert stats["Sys"] == sum(stats[k] for k in ("HeapSys", "StackSys", "MSpanSys", "MCacheSys", "BuckHashSys", "GCSys", "OtherSys"))
    assert stats["HeapAlloc"] <= stats["HeapInuse"]


def test_the_bitmap_has_the_types_pointers(machine):
    field = st.sampled_from([pointer, int64, int32, uint8])
    shapes = st.lists(st.one_of(field, st.tuples(field, st.integers(1, 90)).map(lambda t: array(*t))), min_size=1, max_size=12)

    @settings(max_examples=40)
    @given(st.lists(st.tuples(shapes, st.integers(1, 40)), min_size=1, max_size=12))
    def holds(wanted):
        rt = Runtime(machine=machine, gomaxprocs=1)
        try:
            for fields, n in wanted:
                of = struct("T", **{f"f{i}": t for i, t in enumerate(fields)})
                s = rt.make_slice(of, n)
                size = rt.span_of(s.array)["elemsize"] if n * of.size >= 16 or of.pointers else n * of.size
                want = [i * of.size + offset for i in range(n) for offset in of.pointers]
                assert pointer_bits(rt, s.array, size) == want
        finally:
            rt.process.exit()

    holds()


def test_an_append_keeps_the_elements(runtime):
    rt = runtime(gomaxprocs=1)
    s = rt.make_slice(int64, 0)
    for i in range(2000):
        s = rt.append(s, i)
    assert np.frombuffer(rt.process.read(s.array, 16000), np.int64).tolist() == list(range(2000))
    nodes = rt.make_slice(struct("N", p=pointer, x=int64), 3, 3)
    nodes = rt.append(nodes, n=1)
    assert (nodes.len, nodes.cap) == (4, 6)


def test_an_append_takes_values_of_every_type(runtime):
    rt = runtime(gomaxprocs=1)
    cases = [
        (uint8, (1, 300, -1), b"\1\x2c\xff"),
        (array(uint8, 3), (0x010203, b"abc"), b"\3\2\1abc"),
        (float64, (1.5, -2.0), struct_pack("<2d", 1.5, -2)),
        (float32, (0.5,), struct_pack("<f", 0.5)),
        (string, ((4096, 7),), struct_pack("<2q", 4096, 7)),
        (struct("N", p=pointer, q=pointer, k=int64), ((1, 2, -3), 5), struct_pack("<6q", 1, 2, -3, 5, 0, 0)),
        (struct("none"), (0, 0), b""),
    ]
    for of, values, want in cases:
        s = rt.append(rt.make_slice(of, 0), *values)
        assert (s.len, rt.process.read(s.array, len(want))) == (len(values), want), of.name
    with pytest.raises(TypeError, match="value"):
        rt.append(rt.make_slice(int64, 0), "text")


def test_elements_appended_without_values_are_zero_whatever_lay_there(runtime):
    rt = runtime(gomaxprocs=1)
    s = rt.append(rt.make_slice(int64, 0, 8), *range(1, 9))
    s = rt.append(s._replace(len=2), -1, n=4)
    assert (s.len, np.frombuffer(rt.process.read(s.array, 64), np.int64).tolist()) == (6, [1, 2, -1, 0, 0, 0, 7, 8])


def test_pointers_and_globals_are_the_programs_memory(runtime):
    rt = runtime(gomaxprocs=1)
    slots = rt.globals(1000)
    node = rt.new(struct("Node", left=pointer, right=pointer, key=int64))
    rt.write_pointer(slots + 8 * 999, node)
    assert rt.read_pointer(slots + 8 * 999) == node and rt.globals(1) == slots + 8000
    rt.write_pointer(node + 8, node)
    assert rt.process.load(node + 8) == node


def test_a_p_has_its_own_spans_and_they_never_mix(runtime):
    rt = runtime(gomaxprocs=4)
    bases = [{rt.span_of(a)["base"] for a in rt.malloc_many(np.full(600, 64), core=core)[::50]} for core in range(4)]
    assert all(a.isdisjoint(b) for i, a in enumerate(bases) for b in bases[:i])


def test_the_memory_limit_makes_free_pages_go_back(runtime):
    rt = runtime(gomaxprocs=1, memory_limit="24MiB")
    rt.malloc_many(np.full(200, 65536))
    rt.check()
    assert rt.memstats()["HeapInuse"] >= 200 * 65536


def test_the_cycles_of_allocating_are_those_of_every_call(runtime):
    rt = runtime(gomaxprocs=2)
    assert rt.cycles_of("mallocgc") == {"count": 0, "cycles": 0, "each": 0.0}
    before = rt.machine.cycles(1)
    rt.mallocgc(40_000, core=1)
    rt.new(int64, core=1)
    rt.make_slice(pointer, 5, core=1)
    rt.malloc_many([16] * 7, core=1)
    told = rt.cycles_of("mallocgc")
    assert told["count"] == 10 and 0 < told["cycles"] <= rt.machine.cycles(1) - before
    with pytest.raises(FatalError):
        rt.malloc_many([16, 1 << 50, 16])
    assert rt.cycles_of("mallocgc")["count"] == 11


@pytest.mark.parametrize(
    "call, word",
    [
        (lambda rt: rt.mallocgc(-1), "n:"),
        (lambda rt: rt.mallocgc(1 << 63), "n:"),
        (lambda rt: rt.box(-1), "value:"),
        (lambda rt: rt.mallocgc("8"), "n:"),
        (lambda rt: rt.malloc_many([-1]), "sizes"),
        (lambda rt: rt.malloc_many([8, 8], noscan=[True] * 3), "noscan"),
        (lambda rt: rt.mallocgc(8, core=2), "core"),
        (lambda rt: rt.globals(0), "n:"),
        (lambda rt: rt.cycles_of("x"), "operation"),
        (lambda rt: Runtime(machine=rt.machine, gomaxprocs=99), "gomaxprocs"),
        (lambda rt: Runtime(machine=rt.machine, gogc=1.5), "gogc"),
        (lambda rt: Runtime(machine=rt.machine, godebug="gctrace=1"), "godebug"),
        (lambda rt: Runtime(machine=rt.machine, memory_limit="lots"), "memory_limit"),
        (lambda rt: Runtime(machine=rt.machine, memory_limit=1 << 63), "memory_limit"),
        (lambda rt: Runtime(machine=rt.machine, seed=-1), "seed"),
        (lambda rt: Runtime(machine=rt.machine, gomaxprocs=True), "gomaxprocs"),
        (lambda rt: Runtime(machine=rt.machine, start={}), "start"),
        (lambda rt: rt.append(rt.make_slice(int64, 2), n=-1), "n:"),
        (lambda rt: rt.append(rt.make_slice(int64, 0), 1, 2, n=1), "n:"),
        (lambda rt: rt.to_bytes((0, -1)), "s:"),
        (lambda rt: rt.concat((0, 0), (0, -1)), "b:"),
    ],
)
def test_wrong_arguments_are_told_and_change_nothing(runtime, call, word):
    rt = runtime(gomaxprocs=2)
    with pytest.raises(ValueError, match=word):
        call(rt)
    rt.check()


@pytest.mark.parametrize(
    "call, word",
    [
        (lambda rt: rt.mallocgc(8, type=5), "type"),
        (lambda rt: rt.mallocgc(8, core="0"), "core"),
        (lambda rt: rt.span_of("x"), "address"),
        (lambda rt: rt.malloc_many([1.5]), "sizes"),
        (lambda rt: rt.malloc_many(["a"]), "sizes"),
        (lambda rt: rt.append(5, 1), "s:"),
        (lambda rt: rt.write_pointer(0, "x"), "value"),
        (lambda rt: rt.read_pointer(None), "slot"),
        (lambda rt: rt.concat(5, 6), "a:"),
        (lambda rt: rt.to_string("x"), "b:"),
        (lambda rt: Runtime(machine=rt.machine, start=5), "start"),
        (lambda rt: Runtime(machine=rt.machine, godebug=5), "godebug"),
        (lambda rt: Runtime(machine=rt.machine, seed="a"), "seed"),
        (lambda rt: Runtime(machine=5), "machine"),
        (lambda rt: Runtime(config="generic"), "config"),
        (lambda rt: Runtime(process=5), "process"),
    ],
)
def test_arguments_of_a_wrong_kind_are_told_and_change_nothing(runtime, call, word):
    rt = runtime(gomaxprocs=2)
    with pytest.raises(TypeError, match=word):
        call(rt)
    rt.check()


def test_a_type_that_is_none_is_told(runtime):
    with pytest.raises(TypeError, match="type"):
        runtime(gomaxprocs=1).new(int)


@pytest.mark.parametrize("gogc, goal", [(100, 4 << 20), (50, 2 << 20), (400, 16 << 20)])
def test_the_first_goal_is_four_mib_times_gogc(runtime, gogc, goal):
    assert runtime(gomaxprocs=1, gogc=gogc).memstats()["NextGC"] == goal


def test_a_broken_heap_is_noticed(runtime):
    rt = runtime(gomaxprocs=1)
    a = rt.mallocgc(64)
    span = rt.span_of(a)
    rt.process.store(span["address"] + 104, 5, size=2)  # allocCount
    with pytest.raises(FatalError, match="allocCount 5, bits say 1"):
        rt.check()
    rt.process.store(span["address"] + 104, 1, size=2)
    rt.check()
    rt.process.store(rt.ps[0] + p_.pcache, span["base"] // (64 * pageSize) * 64 * pageSize)
    rt.process.store(rt.ps[0] + p_.pcache + 8, -1)
    with pytest.raises(FatalError, match="page cache"):
        rt.check()


def test_strings_and_bytes_are_copied_and_single_bytes_are_not(runtime):
    rt = runtime(gomaxprocs=1)
    text = bytes(range(1, 100))
    at = rt.process.mmap(0, 4096)
    rt.process.write(at, text)
    b = rt.to_bytes((at, 99))
    assert (b.len, b.cap) == (99, 112) and rt.process.read(b.array, 112) == text + bytes(13)
    rt.process.store(b.array, ord("x"), size=1)
    s = rt.to_string(b)
    assert s.str != b.array and rt.process.read(*s) == b"x" + text[1:]
    assert rt.to_string(b._replace(len=1)).str == V.staticuint64s + 8 * ord("x") and rt.to_string(b._replace(len=0)) == (0, 0)
    assert rt.process.read(rt.to_string(b._replace(len=1)).str, 1) == b"x"


def test_boxed_values_lie_where_go_puts_them(runtime):
    rt = runtime(gomaxprocs=1)
    assert [rt.box(v, size) for v, size in ((0, 8), (255, 2), (255, 4))] == [V.staticuint64s + 8 * v for v in (0, 255, 255)]
    boxes = [rt.box(1000, 2), rt.box(1001, 4), rt.box(1002, 8)]  # pieces of one tiny block: 2, then 4, then 8 aligned
    assert [b - boxes[0] for b in boxes] == [0, 4, 8]
    assert [rt.process.load(b, size=size) for b, size in zip(boxes, (2, 4, 8))] == [1000, 1001, 1002]
    assert rt.box((0, 0)) == V.zeroVal
    word = rt.box((boxes[0], 5))
    assert (rt.process.load(word), rt.process.load(word + 8)) == (boxes[0], 5) and rt.span_of(word)["spanclass"] == 2 << 1
    assert pointer_bits(rt, word, 16) == [0]


@pytest.mark.parametrize("n, cap, words", [(1 << 60, None, "len"), (0, 1 << 50, "cap"), (5, 3, "cap"), (-1, None, "len"), (-1, 3, "len")])
def test_a_slice_too_long_panics(runtime, n, cap, words):
    rt = runtime(gomaxprocs=1)
    with pytest.raises(FatalError, match=f"panic: runtime error: makeslice: {words} out of range"):
        rt.make_slice(int64, n, cap)
    with pytest.raises(FatalError, match="panic: runtime error: growslice: len out of range"):
        rt.append(rt.make_slice(int64, 1), n=1 << 60)
    rt.check()

"""Stacks have the sizes and come from the pages that were recorded; growing and shrinking keep what is on them."""

import pytest
from hypothesis import example, given, settings, strategies as st
from recorded import oracle

from goalloc import params as P
from goalloc.observe.check import span_at
from goalloc.errors import FatalError
from goalloc.observe.inspect import Inspector
from goalloc.layout import variables as V
from goalloc.runtime.runtime import Runtime
from goalloc.heap.stack import STACKFREE
from goalloc.types import int64

RUN = oracle("stacks")["P1_fifo"]["run"]
KIB = 1024


def size(g):
    lo, hi = g.stack
    return hi - lo


@pytest.mark.oracle
def test_a_goroutine_starts_with_two_kib(runtime):
    rt = runtime(gomaxprocs=1)
    g = rt.go()
    assert size(g) == RUN["startingStackSize"] == 2048 and rt.span_of(g.stack[0])["state"] == "manual"
    assert rt.span_of(g.address)["elemsize"] == 416


@pytest.mark.oracle
def test_recursion_grows_the_stack_at_the_recorded_depths(runtime):
    """The recording program's frames: 312 bytes before it, then 320 a level, each calling a small function."""
    rt = runtime(gomaxprocs=1)
    g = rt.go()
    g.call(312 - 40 - 8)
    seen = [dict(RUN["growth_by_recursion"][0])]
    for depth in range(1, 3274):
        before = size(g)
        g.call(320 - 8)
        g.call(0)
        g.ret()
        if size(g) != before:
            lo, hi = g.stack
            seen.append({"depth": depth, "size": hi - lo, "hi_minus_sp": hi - g.sp, "span_pages": rt.span_of(lo)["npages"]})
    want = [{k: v for k, v in row.items() if k != "lo_minus_first_lo"} for row in RUN["growth_by_recursion"]]
    assert seen[1:] == want[1:]
    rt.check()


@pytest.mark.oracle
def test_large_stacks_lie_one_after_another(runtime):
    """Each is longer than what the last two left free: as recorded, page after page."""
    rt = runtime(gomaxprocs=1)
    g, lows = rt.go(), []
    while size(g) < 2 << 20:
        g.call(512)
        if not lows or g.stack[0] != lows[-1]:
            lows.append(g.stack[0])
    recorded = [row["lo_minus_first_lo"] for row in RUN["growth_by_recursion"]]
    assert [b - a for a, b in zip(lows[-5:], lows[-4:])] == [b - a for a, b in zip(recorded[-5:], recorded[-4:])]


@pytest.mark.oracle
@pytest.mark.parametrize("frame, key", [(3000, "first_call_frame_3000B_size"), (100 * KIB, "first_call_frame_100KiB_size")])
def test_a_first_call_with_a_large_frame_grows_at_once_to_what_it_needs(runtime, frame, key):
    g = runtime(gomaxprocs=1).go()
    g.call(frame)
    assert size(g) == RUN[key]


@pytest.mark.oracle
def test_shrinking_halves_down_to_the_recorded_sizes(runtime):
    rt = runtime(gomaxprocs=1)
    g = rt.go()
    for _ in range(3273 + 3):
        g.call(312)
    for _ in range(3273 + 1):
        g.ret()
    sizes = [size(g)]
    for _ in range(10):
        g.shrink()
        sizes.append(size(g))
    recorded = RUN["shrink_one_goroutine_size_before_and_after_each_GC"]
    assert sizes == recorded
    rt.check()


@pytest.mark.oracle
def test_an_endless_recursion_ends_the_program_as_go_ends_it(runtime):
    rt = runtime(gomaxprocs=1)
    g, sizes = rt.go(), []
    with pytest.raises(FatalError) as error:
        while True:
            g.call(max(2048, size(g) // 4 // 8 * 8) - 512)
            if not sizes or sizes[-1] != size(g):
                sizes.append(size(g))
            if sizes[-1] > 16 << 20:  # the rest would take the machine's memory: one call for all of it
                g.call((1 << 30) - 8)
    overflow = oracle("stacks")["overflow"]
    assert str(error.value).splitlines() == overflow["messages"]
    assert [n for n in sizes if n in overflow["sizes"]] == sizes


def test_a_thousand_goroutines_take_sixteen_to_a_span(runtime):
    rt = runtime(gomaxprocs=1)
    goroutines = [rt.go() for _ in range(1000)]
    stats = rt.memstats()
    assert stats["StackInuse"] == 63 * 32 * KIB == stats["StackSys"]
    assert len({g.stack[0] for g in goroutines}) == 1000
    rt.check()
    for g in goroutines:
        g.exit()
    again = [rt.go() for _ in range(1000)]
    assert {g.address for g in again} == {g.address for g in goroutines}
    assert rt.memstats()["StackInuse"] == 63 * 32 * KIB


def test_reused_goroutines_get_the_adaptive_starting_size(runtime):
    rt = runtime(gomaxprocs=1)
    old = [rt.go() for _ in range(10)]
    for g in old:
        g.exit()
    rt.process.store(V.startingStackSize, 8192, size=4)
    assert [size(rt.go()) for _ in range(12)] == [8192] * 10 + [2048] * 2


def test_freeing_a_span_whose_stacks_are_in_use_ends_the_program_as_go_ends_it(runtime):
    rt = runtime(gomaxprocs=1)
    g = rt.go()
    s = span_at(Inspector(rt.process), g.stack[0])
    with pytest.raises(FatalError, match="fatal error: mheap.freeSpanLocked - invalid stack free"):
        rt.call(0, P.DOOR_ALLOC_SPAN, 0, P.spanAllocStack, s)
    g.push(7)
    assert g.pop() == 7
    rt.check()


def test_freeing_what_is_no_stack_ends_the_program_as_go_ends_it(runtime):
    rt = runtime(gomaxprocs=1)
    x = rt.mallocgc(32768)
    with pytest.raises(FatalError, match="fatal error: freeing stack not in a stack span"):
        rt.call(0, P.DOOR_STACK, STACKFREE, x, 32768)
    assert rt.mallocgc(32768) != x
    rt.check()


def test_pages_of_freed_stacks_are_zero_when_they_are_objects(runtime):
    """A stack's span is freed dirty: the spans that take its pages need zeroing, those of fresh pages do not."""
    rt = runtime(gomaxprocs=1)
    g = rt.go()
    g.call(100 * KIB)
    lo, hi = g.stack
    rt.process.write(lo, b"x" * (hi - lo - 64 * KIB))
    fresh = rt.span_of(rt.mallocgc(200 * KIB))
    assert fresh["needzero"] == 0
    g.exit()  # a stack that has grown is freed
    rt.flush(rt.ps[0])
    objects = [rt.mallocgc(128 * KIB) for _ in range(40)]  # 16 pages: not from the page cache
    reused = [x for x in objects if lo <= x < hi]
    assert reused and all(rt.span_of(x)["needzero"] == 1 for x in reused)
    assert all(rt.process.read(x, 128 * KIB) == bytes(128 * KIB) for x in objects)
    rt.check()


def test_what_is_on_a_stack_survives_its_moves(machine):
    @settings(max_examples=15)
    @example([64, 3001, None, 64, 800, 3001, None, None, None, 64, None])
    @given(st.lists(st.one_of(st.integers(0, 1 << 62), st.none(), st.sampled_from([64, 800, 3000])), max_size=120))
    def holds(program):
        """Numbers are pushed, None pushes the address of an earlier slot, and frames of some sizes are called."""
        rt = Runtime(machine=machine, gomaxprocs=1)
        try:
            g, words = rt.go(), []
            base = g.sp
            for item in program:
                if item is None or (isinstance(item, int) and item > 3000):
                    slot = g.push(item or 0)  # may move the stack, and with it the slot before
                    hi, value = g.stack[1], item
                    if item is None:
                        value = slot + 8
                        rt.process.store(slot, value)
                    words.append((g.stack[1] - slot, None if item is not None else hi - value, item))
                elif item in (64, 800, 3000):
                    g.call(item)
            lo, hi = g.stack
            for offset, target, value in words:
                have = rt.process.load(hi - offset)
                assert have == (hi - target if target is not None else value) or lo <= (value or 0) < hi
            assert base
            rt.check()
        finally:
            rt.process.exit()

    holds()


@pytest.mark.parametrize("frame", [1 << 30, 1 << 40, 1 << 62, (1 << 63) - 8])
def test_a_frame_that_no_stack_holds_overflows_it(runtime, frame):
    """Words: Go's runtime/stack.go, newstack."""
    rt = runtime(gomaxprocs=1)
    g = rt.go()
    with pytest.raises(FatalError) as error:
        g.call(frame)
    assert str(error.value) == "runtime: goroutine stack exceeds 1000000000-byte limit\nfatal error: stack overflow"


@pytest.mark.parametrize("frame", [1 << 63, -8, 4, True])
def test_a_frame_is_a_number_of_words(runtime, frame):
    with pytest.raises(ValueError, match=r"frame: takes a multiple of 8 bytes below 2\^63"):
        runtime(gomaxprocs=1).go().call(frame)


@pytest.mark.parametrize("change", [{"len": -1}, {"len": 5, "cap": 4}, {"cap": 1 << 63}, {"array": 1 << 64}, {"array": "a"}, {"type": int}])
def test_a_slice_made_by_hand_is_checked(runtime, change):
    rt = runtime(gomaxprocs=1)
    s = rt.make_slice(int64, 2, 4)._replace(**change)
    with pytest.raises((TypeError, ValueError), match=r"^s\.|^s:|^type:"):
        rt.append(s, 1)

"""The collector: what it frees and keeps, barriers, finalizers and pinning, on one P and several, while the program goes on."""

import pytest
from cycles import ORDERINGS, episode
from mutator import NODE, Mutator

import goalloc
from goalloc import params as P
from goalloc.layout import p_, variables as V
from goalloc.runtime.runtime import Runtime
from goalloc.sched.proc import NEWTIMER, RESETTIMER, STOPTIMER
from hwmem import MachineConfig


def runtime(cores=1, gogc="off", ordering="tso", **settings):
    """One that has nothing but what the test gives it."""
    return Runtime(config=MachineConfig().replace(cores=cores, ordering=ordering), gomaxprocs=cores, gogc=gogc, collects=True, **settings)


@pytest.fixture(scope="module")
def rt():
    return runtime()


def test_a_collection_frees_what_nothing_points_to(rt):
    root = rt.globals(1)
    kept, lost = rt.new(NODE), rt.new(NODE)
    rt.write_pointer(root, kept)
    before = rt.memstats()
    rt.gc()
    after = rt.memstats()
    assert rt.is_live(kept) and not rt.is_live(lost)
    assert after["NumGC"] == before["NumGC"] + 1 and after["NumForcedGC"] == before["NumForcedGC"] + 1
    assert after["Frees"] > before["Frees"] and after["PauseTotalNs"] > before["PauseTotalNs"]
    rt.check()


def test_what_lives_is_what_roots_lead_to(rt):
    root, chain = rt.globals(1), [rt.new(NODE) for _ in range(50)]
    for a, b in zip(chain, chain[1:]):
        rt.write_pointer(a + 8, b)
    rt.write_pointer(root, chain[0])
    interior, table = rt.globals(1), rt.mallocgc(4000, noscan=False)
    rt.write_pointer(interior, table + 1234)  # a pointer into an object keeps it
    rt.gc()
    assert all(map(rt.is_live, chain)) and rt.is_live(table)
    rt.write_pointer(chain[9] + 8, 0)
    rt.gc()
    assert list(map(rt.is_live, chain)) == [True] * 10 + [False] * 40
    rt.check()


def test_a_large_object_is_scanned_in_oblets(rt):
    root, n = rt.globals(1), 100_000  # 800 kB: seven pieces
    table = rt.mallocgc(8 * n, noscan=False)
    rt.write_pointer(root, table)
    held = {i: rt.new(NODE) for i in (0, 16_383, 16_384, 50_000, n - 1)}
    for i, x in held.items():
        rt.write_pointer(table + 8 * i, x)
    rt.gc()
    assert all(map(rt.is_live, held.values()))
    rt.write_pointer(root, 0)
    rt.gc()
    assert not any(map(rt.is_live, (table, *held.values())))
    rt.check()


def test_a_goroutines_stack_keeps_objects_and_is_halved(rt):
    g = rt.go()
    for _ in range(40):
        g.call(200)
    x = rt.new(NODE)
    g.push(x)
    large = g.stack[1] - g.stack[0]
    rt.gc()
    assert rt.is_live(x)
    g.pop()
    for _ in range(40):
        g.ret()
    rt.gc()
    assert not rt.is_live(x) and g.stack[1] - g.stack[0] < large
    rt.check()


def test_free_objects_are_used_again_before_new_spans(rt):
    roots, xs = rt.globals(32), [rt.mallocgc(1024) for _ in range(64)]
    spans = {rt.span_of(x)["base"] for x in xs}
    for i, x in enumerate(xs[::2]):
        rt.write_pointer(roots + 8 * i, x)
    rt.gc()
    assert [rt.is_live(x) for x in xs] == [True, False] * 32
    assert {rt.span_of(rt.mallocgc(1024))["base"] for _ in range(28)} <= spans


def test_a_finalizer_runs_once_and_its_object_is_freed_by_the_next_collection(rt):
    ran, x = [], rt.new(NODE)
    inner = rt.new(NODE)
    rt.write_pointer(x, inner)
    rt.set_finalizer(x, ran.append)
    rt.gc()
    assert ran == [x] and rt.is_live(x) and rt.is_live(inner)
    rt.gc()
    assert ran == [x] and not rt.is_live(x)
    rt.check()


def test_a_finalizer_may_bring_its_object_back(rt):
    root, x = rt.globals(1), rt.new(NODE)
    rt.set_finalizer(x, lambda address: rt.write_pointer(root, address))
    rt.gc()
    rt.gc()
    assert rt.is_live(x)
    rt.write_pointer(root, 0)
    rt.gc()
    assert not rt.is_live(x)


def test_a_ring_with_finalizers_is_never_finalized(rt):
    a, b, ran = rt.new(NODE), rt.new(NODE), []
    rt.write_pointer(a, b)
    rt.write_pointer(b, a)
    rt.set_finalizer(a, ran.append)
    rt.set_finalizer(b, ran.append)
    rt.gc()
    rt.gc()
    assert ran == [] and rt.is_live(a) and rt.is_live(b)


@pytest.mark.parametrize(
    "how, words",
    [
        (lambda rt, x: rt.set_finalizer(x + 8, print), "runtime.SetFinalizer: pointer not at beginning of allocated block"),
        (lambda rt, x: rt.set_finalizer(0x7000, print), "runtime.SetFinalizer: pointer not in allocated block"),
        (lambda rt, x: (rt.set_finalizer(x, print), rt.set_finalizer(x, print)), "runtime.SetFinalizer: finalizer already set"),
        (lambda rt, x: rt.unpin(x), "runtime.Pinner: object already unpinned"),
    ],
    ids=["inside", "elsewhere", "twice", "unpinned"],
)
def test_bad_use_ends_in_gos_words(how, words):
    rt = runtime()
    with pytest.raises(goalloc.FatalError, match=words):
        how(rt, rt.new(NODE))
    rt.check()


def test_pinners_that_are_dropped_leave_no_variables(rt):
    def pin_and_drop():
        pinner = rt.pinner()
        pinner.pin(rt.mallocgc(64))
        pinner.unpin()
        pinner.drop()
        return rt.metrics()["/gc/scan/globals:bytes"]

    first = pin_and_drop()
    assert {pin_and_drop() for _ in range(5)} == {first}


def test_a_pinned_object_lives_until_it_is_unpinned_as_often(rt):
    x = rt.new(NODE)
    rt.pin(x)
    rt.pin(x)
    rt.gc()
    rt.unpin(x)
    rt.gc()
    assert rt.is_live(x)
    rt.unpin(x)
    rt.gc()
    assert not rt.is_live(x)
    rt.check()


def test_free_os_memory_gives_every_free_page_back(rt):
    big = rt.mallocgc(8 << 20)
    before = rt.memstats()
    rt.free_os_memory()
    after = rt.memstats()
    assert not rt.is_live(big) and after["HeapReleased"] >= before["HeapReleased"] + (8 << 20)
    rt.check()


def test_a_pointer_to_what_is_no_object_is_found():
    rt = runtime()
    root = rt.globals(1)
    big = rt.mallocgc(1 << 20)
    rt.gc()  # its span is free again
    rt.write_pointer(root, big)
    with pytest.raises(
        goalloc.FatalError, match="to (unallocated span|unused region of span).*\nfatal error: found bad pointer in Go heap"
    ):
        rt.gc()


def test_gogc_begins_collections_and_the_goal_bounds_the_heap():
    rt = runtime(gogc=100)
    rt.malloc_many([4096] * 5000)
    stats = rt.memstats()
    assert stats["NumGC"] >= 3 and stats["HeapInuse"] < 12 << 20
    off = runtime(gogc="off")
    off.malloc_many([4096] * 2500)
    assert off.memstats()["NumGC"] == 0


def test_two_minutes_without_a_collection_force_one_but_not_before_the_first():
    rt = runtime(gogc=100)
    minutes = round(rt.machine.config.frequency_ghz * 60e9)
    core = rt.machine.state.core[0]

    def pass_and_allocate():
        core.cycles += 2 * minutes + minutes // 60
        rt.malloc_many([8192] * 20)
        return rt.memstats()["NumGC"]

    assert pass_and_allocate() == 0, "a process that has never collected is left alone"
    rt.gc()
    assert pass_and_allocate() == 2
    assert rt.memstats()["NumForcedGC"] == 1, "MemStats counts those that runtime.GC() asked for"
    assert "GC forced" in rt.trace_lines()
    rt.set_gc_percent(-1)
    assert pass_and_allocate() == 2, "none while GOGC is off"
    rt.set_gc_percent(100)
    rt.malloc_many([8192] * 20)
    assert rt.memstats()["NumGC"] == 3, "but the time has gone on"


def test_runtime_gc_brings_the_heaps_profile_up_to_date():
    rt = runtime(godebug="memprofilerate=1")
    kept = rt.globals(10)
    for i, x in enumerate(rt.malloc_many([208] * 100).tolist()[:10]):
        rt.write_pointer(kept + 8 * i, x)
    rt.gc()
    counts = [(r["AllocObjects"], r["FreeObjects"]) for r in rt.mem_profile() if r["size"] == 208]
    assert counts == [(100, 90)]
    rt.check()


def test_a_freed_arenas_chunk_is_used_again_after_a_collection():
    rt = runtime()
    a = rt.arena()
    for _ in range(9):
        a.slice(goalloc.uint8, 1 << 20)
    first, last = a.chunks
    a.free()
    rt.gc()
    b = rt.arena()
    for _ in range(9):
        b.slice(goalloc.uint8, 1 << 20)
    assert b.chunks == [last, first], "the one in use last at once, the other from the list of those that nothing points to"
    rt.check()


def assert_beside(seed, *of, cycles, check_every):
    """Episodes until the program has made a step while a cycle marked: a free P may have marked all before."""
    for i in range(20):
        told = episode(seed + i, *of, cycles=cycles, check_every=check_every)
        assert told.cycles >= cycles
        if told.beside > 0:
            return
    raise AssertionError("no step beside marking")


@pytest.mark.parametrize("gomaxprocs, ordering", [(1, "sc"), (1, "relaxed"), (2, "tso"), (3, "relaxed"), (4, "sc"), (8, "tso")])
def test_nothing_reachable_is_freed_and_garbage_is_while_the_program_goes_on(gomaxprocs, ordering, seed):
    """A few cycles of what `python -m tests.goalloc.cycles` does for long."""
    assert_beside(seed, gomaxprocs, ordering, cycles=3, check_every=40)


@pytest.mark.parametrize("ordering", ORDERINGS)
def test_no_black_object_points_to_a_lost_one_after_any_step(ordering, seed):
    """The tricolour invariant, lists and what can be reached, looked at after every step of a small heap."""
    assert_beside(seed, 2, ordering, cycles=2, check_every=1)


def test_goroutines_that_are_made_when_a_collection_begins_are_all_in_the_list_of_all():
    rt = runtime(2, gogc=1)
    made = []
    for i in range(300):
        made.append(rt.go(core=i % 2).address)
        rt.malloc_many([4096] * 3)
    array, n = rt.process.load(V.allgs), rt.process.load(V.allglen)
    listed = [rt.process.load(array + 8 * i) for i in range(n)]
    assert rt.memstats()["NumGC"] > 0 and set(made) <= set(listed) and len(listed) == len(set(listed))
    rt.check()


def test_colours_can_be_seen_while_a_collection_marks():
    rt = runtime(1, gogc=1)
    mutator, seen = Mutator(rt, 7), set()
    for _ in range(300):
        mutator.step()
        rt.malloc_many([8192] * 8)
        if mutator.marking():
            seen |= {rt.color(x) for x in mutator.reachable()}
    assert "black" in seen and seen <= {"white", "grey", "black"}
    with pytest.raises(ValueError, match="points into no object"):
        rt.color(0x1234)


def keys_until_overflow(m):
    """Assigns 0, 1, ... until a bucket overflows; the key that did it."""
    for key in range(1000):
        m[key] = key
        if m.field("noverflow", 2):
            return key
    raise AssertionError("no bucket has overflowed")


def test_what_a_global_variable_had_is_garbage_once_it_is_dropped():
    """Whatever its size: until then a register kept what a call had given, and a heap that had been large stayed so."""
    rt = runtime(gogc=100)
    root, before = rt.globals(1), rt.memstats()["HeapAlloc"]
    rt.write_pointer(root, rt.mallocgc(64 << 20))
    in_register = rt.mallocgc(1 << 20)
    rt.write_pointer(root, 0)
    for _ in range(3):
        rt.malloc_many([1024] * (64 << 10))
    assert rt.memstats()["HeapAlloc"] - before < 8 << 20 and rt.is_live(in_register)
    rt.check()


def test_what_only_a_call_of_the_runtimes_knows_lives_through_a_whole_collection():
    """A map's new overflow bucket is known to nobody but the call while it allocates the slice that is to keep it: the first of its two
    allocations begins a collection, the second pays for it and ends it. Go's runtime has the bucket on its stack."""
    last = keys_until_overflow(runtime(seed=3).make_map())
    rt = runtime(seed=3)
    m, root = rt.make_map(), rt.globals(1)
    rt.write_pointer(root, m.address)
    m.assign(range(last), range(last))
    word = goalloc.array(goalloc.pointer, 3)
    while (s := rt.span_of(rt.new(word)))["allocCount"] < s["nelems"]:
        pass  # the next object of a mapextra's class takes a new span, which looks whether a collection is due
    rt.set_gc_percent(1)
    before = len(rt.gc_cycles())
    m[last] = last
    assert len(rt.gc_cycles()) > before, "no collection has passed within the call"
    rt.gc(), rt.check()
    assert sorted(m.items()) == [(key, key) for key in range(last + 1)]
    extra = m.field("extra")
    kept = rt.process.load(extra)  # *[]*bmap
    assert all(rt.is_live(x) for x in (extra, kept, rt.process.load(rt.process.load(kept))))


def test_a_timer_that_is_set_again_beside_marking_is_not_lost():
    """The P's list of timers grows, so that it is black, and gets one that only a stack knew which the collector has not seen yet."""
    rt = runtime()
    timer = lambda cycles: rt.call(0, P.DOOR_PROC, NEWTIMER, cycles, 0)  # noqa: E731
    x, g, timers = timer(1 << 40), rt.go(), rt.ps[0] + p_.timers
    g.push(x)
    rt.call(0, P.DOOR_PROC, STOPTIMER, x, 0)
    timer(1 << 41)  # the stopped one is taken out
    while rt.process.load(timers + 8) < rt.process.load(timers + 16):
        timer(1 << 41)
    rt.turns = False
    rt.call(0, P.DOOR_CYCLE, P.GC_CALL, 1, 0)  # begins
    assert rt.color(x) == "white"
    rt.call(0, P.DOOR_PROC, RESETTIMER, x, 1 << 40)
    g.pop()
    rt.turns = True
    rt.gc(), rt.check()
    assert rt.is_live(x)

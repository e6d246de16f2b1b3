"""The collectors beside Go's: what lives stays as it is, wherever it goes; what does not is gone; each costs what the books say."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from goalloc.collectors.heap import Heap
from goalloc.collectors.kinds import COLLECTORS
from goalloc.collectors.script import CLEAR, COLLECT, LOAD, NEW, POP, SET, STORE, script
from goalloc.errors import FatalError
from shadow import hold, random_script

MOVING = [name for name, kind in COLLECTORS.items() if kind.moves]
KEEPING_ORDER = ("lisp2", "threaded")
TRACING = [name for name, kind in COLLECTORS.items() if kind.cycles]
STAYING = [name for name, kind in COLLECTORS.items() if not kind.moves]


@pytest.fixture
def heap(machine):
    """Heaps, each in a process of its own, which end with the test."""
    processes = []

    def make(collector, size="16KiB", **arguments):
        processes.append(machine.spawn())
        return Heap(processes[-1], collector, size, **arguments)

    yield make
    for process in processes:
        process.exit()


def chain(n, data=1, refs=1):
    """A list of `n` objects, the last made at its head, which is on the stack."""
    rows = [(NEW, refs, data, 1)]
    for i in range(2, n + 1):
        rows += [(NEW, refs, data, i), (STORE, 1, 0, 0), (SET, 0, 1), (POP, 1)]
    return rows


def garbage(n, data=6):
    return [row for i in range(n) for row in ((NEW, 0, data, i), (POP, 1))]


def cycles_of_collection(heap):
    before = heap.statistics()["collector cycles"]
    heap.run(script([(COLLECT,)]))
    return heap.statistics()["collector cycles"] - before


@pytest.mark.parametrize("collector", COLLECTORS)
def test_what_lives_stays_and_what_does_not_is_gone_at_every_collection(heap, collector):
    for seed in range(3):
        assert hold(heap(collector), random_script(np.random.default_rng(seed), 1000)) > 1


@pytest.mark.parametrize("collector", COLLECTORS)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 1 << 32), size=st.integers(12, 64), collects=st.sampled_from([0.0, 0.02, 0.3]))
def test_so_it_is_in_heaps_of_all_sizes(machine, collector, seed, size, collects):
    process = machine.spawn()
    hold(Heap(process, collector, size << 10), random_script(np.random.default_rng(seed), 300, collects))
    process.exit()


@pytest.mark.parametrize("collector", MOVING)
def test_what_moves_is_at_another_address_with_the_same_contents(heap, collector):
    h = heap(collector)
    h.run(script([*garbage(3), *chain(3, data=4)]))
    before, head = h.objects(), h.stack()[0]
    h.run(script([(COLLECT,)]))
    after, new_head = h.objects(), h.stack()[0]
    assert new_head != head
    while head:
        assert after[new_head][1] == before[head][1]
        head, new_head = before[head][0][0], after[new_head][0][0]
    assert new_head == 0


@pytest.mark.parametrize("collector", STAYING)
def test_what_does_not_move_is_where_it_was(heap, collector):
    h = heap(collector)
    h.run(script([*garbage(3), *chain(3)]))
    before = h.stack()
    h.run(script([(COLLECT,)]))
    assert h.stack() == before


@pytest.mark.parametrize("collector", KEEPING_ORDER)
def test_sliding_keeps_the_order_of_addresses(heap, collector):
    h = heap(collector)
    rows = [row for i in range(1, 9) for row in ((NEW, 1, 1, i), *garbage(1))]
    h.run(script([*rows, (STORE, 0, 0, 5), (STORE, 6, 0, 2), (COLLECT,)]))
    assert [data[0] for _, data in h.objects().values()] == list(range(1, 9))


def test_copying_goes_breadth_first_and_so_does_not_keep_it(heap):
    h = heap("semispace")
    h.run(script([*chain(4), (COLLECT,)]))
    assert [data[0] for _, data in h.objects().values()] == [4, 3, 2, 1]


@pytest.mark.parametrize("collector", COLLECTORS)
def test_a_cycle_that_nothing_reaches_is_freed_but_by_counting_alone(heap, collector):
    h = heap(collector)
    h.run(script([(NEW, 1, 1, 1), (NEW, 1, 1, 2), (STORE, 0, 0, 1), (STORE, 1, 0, 0), (POP, 2), (COLLECT,)]))
    assert len(h.objects()) == (0 if collector in TRACING else 2)


@pytest.mark.parametrize("collector", [name for name in COLLECTORS if name not in TRACING])
def test_cycles_alone_exhaust_a_heap_whose_references_are_only_counted(heap, collector):
    cycle = [(NEW, 1, 6, 1), (STORE, 0, 0, 0), (POP, 1)]
    heap(collector.removesuffix("-atomic") + "-traced", 4096).run(script(cycle * 200))
    with pytest.raises(FatalError, match="heap exhausted"):
        heap(collector, 4096).run(script(cycle * 200))


def test_counting_frees_at_once_and_deferred_counting_at_a_collection(heap):
    for collector, left in (("counts", 0), ("counts-atomic", 0), ("deferred", 10)):
        h = heap(collector)
        h.run(script([*chain(10), (POP, 1)]))
        assert len(h.objects()) == left
        h.run(script([(COLLECT,)]))
        assert h.objects() == {}


def test_a_pause_of_counting_is_as_long_as_what_one_store_frees(heap):
    h = heap("counts", "64KiB")
    h.run(script([*garbage(50), *chain(500), (POP, 1)]))
    lengths = sorted((h.pauses()[:, 1] - h.pauses()[:, 0]).tolist())
    assert lengths[-1] > 100 * lengths[len(lengths) // 2]
    traced = heap("mark-sweep", "64KiB")
    traced.run(script([*chain(500), (COLLECT,)]))
    assert lengths[len(lengths) // 2] < 0.05 * (traced.pauses()[0, 1] - traced.pauses()[0, 0])


@pytest.mark.parametrize("collector", ["generational", "card-marking"])
def test_a_minor_collection_finds_what_only_old_objects_refer_to(heap, collector):
    h = heap(collector, "64KiB", nursery="2KiB")
    h.run(script([(NEW, 4, 1, 1), *garbage(40), (NEW, 1, 1, 2), (STORE, 0, 3, 1), (POP, 1), *garbage(40)]))
    head = h.stack()[0]
    assert h.statistics()["collections"] >= 2 and h.objects()[h.objects()[head][0][3]][1] == [2]


def test_a_nursery_makes_young_garbage_cheap(heap):
    """Copying a nursery costs what survives of it; marking the whole heap again and again costs what is old, too."""

    def cost(collector):
        h = heap(collector, "128KiB", nursery="8KiB")
        h.run(script([*chain(1500, data=3), *garbage(3000)]))
        return h.statistics()["collector cycles"]

    for collector in ("generational", "card-marking"):
        assert cost(collector) < 0.7 * cost("semispace")


@pytest.mark.parametrize("collector", COLLECTORS)
def test_a_heap_without_room_ends_the_program_with_one_clear_error(heap, collector):
    h = heap(collector, 4096)
    with pytest.raises(FatalError, match="^fatal error: heap exhausted: no [0-9]+ bytes free in a heap of 4096 after a collection$"):
        h.run(script(chain(600)))
    h.run(
        script([(SET, 0, 1), (CLEAR, 0, 0), (POP, len(h.stack()) - 1), (COLLECT,)])
        if len(h.stack()) > 1
        else script([(CLEAR, 0, 0), (COLLECT,)])
    )
    assert len(h.objects()) == 1  # and can be used again


def most_nodes(heap, collector, size=16 << 10):
    """How many objects of 32 bytes a heap keeps alive."""
    h = heap(collector, size)
    with pytest.raises(FatalError):
        h.run(script(chain(1000, data=2)))
    return h.statistics()["objects"]


def test_a_copying_heap_holds_half_and_a_forwarding_word_costs_a_fifth(heap):
    n = {name: most_nodes(heap, name) for name in COLLECTORS}
    assert n.pop("semispace") == 256 and n.pop("lisp2") == 16384 // 40
    for name in ("generational", "card-marking"):  # a nursery of one object more than one waits for its copies
        assert 500 <= n.pop(name) <= 512
    assert set(n.values()) == {512}


def test_copying_costs_what_lives_and_sweeping_what_there_is(heap):
    def cost(collector, size):
        h = heap(collector, size)
        h.run(script([*garbage(100), *chain(200)]))
        h.run(script([(COLLECT,)]))
        h.run(script(garbage(size // 2 // 64)))
        return cycles_of_collection(h)

    assert cost("semispace", 512 << 10) < 1.5 * cost("semispace", 32 << 10)
    assert cost("mark-sweep", 512 << 10) > 8 * cost("mark-sweep", 32 << 10)


def test_copying_costs_more_where_more_lives(heap):
    def cost(n):
        h = heap("semispace", "256KiB")
        h.run(script([*chain(n), (COLLECT,)]))
        return cycles_of_collection(h)

    assert cost(1000) > 5 * cost(100)


@pytest.mark.parametrize("collector", MOVING)
def test_an_address_that_a_variable_has_kept_is_no_longer_the_objects(heap, collector):
    """What C and cgo do with pointers forbids moving."""
    h = heap(collector, 4096)
    h.run(script([*garbage(3), (NEW, 0, 1, 7)]))
    raw = h.stack()[0]
    h.run(script([(COLLECT,), *garbage(40)]))
    assert h.process.load(h.stack()[0] + 8) == 7 and h.process.load(raw + 8) != 7


@pytest.mark.parametrize(
    "arguments, says",
    [(("x", 4096), "collector: takes one of mark-sweep"), (("lisp2", 8), "size: takes 512 bytes to 1 GiB"), (("lisp2", "4KB?"), "size")],
)
def test_what_a_heap_does_not_take_is_one_line(machine, arguments, says):
    process = machine.spawn()
    with pytest.raises(ValueError, match=says):
        Heap(process, *arguments)
    process.exit()


@pytest.mark.parametrize("refs, data", [(4096, 1), (-1, 1), (0, 1 << 16), (0, 0)])
def test_an_object_of_an_impossible_size_ends_the_program(heap, refs, data):
    with pytest.raises(FatalError, match="an object takes 0 to 4095 references"):
        heap("lisp2").run(script([(NEW, refs, data, 1)]))


def test_a_stack_without_end_ends_the_program(heap):
    with pytest.raises(FatalError, match="shadow stack exhausted: it holds 8192 references"):
        heap("semispace", "1MiB").run(script([(NEW, 1, 1, 1), *[(LOAD, 0, 0)] * 8200]))

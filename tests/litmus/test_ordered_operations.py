"""What acquire, release, non-temporal stores and fences forbid, from all interleavings."""

import pytest

from hwmem import litmus
from hwmem.config.machine import MachineConfig
from hwmem.kernels import load_acquire64, sfence, store64, store_release64, store_stream64
from hwmem.machine.machine import Machine
from hwmem.machine.enter import place_thread
from invariants import assert_consistent

ORDERINGS = ("sc", "tso", "relaxed")


def message_passing(*writer, reader="load_acquire"):
    """The writer's operations; the reader looks at y, then at x. Whether it can see the flag y without the data x."""
    test = {"threads": [list(map(list, writer)), [[reader, "y", "r0"], ["load", "x", "r1"]]], "obs": ["1:r0", "1:r1"]}
    return [(1, 0) in litmus.run(test, ordering).allowed for ordering in ORDERINGS]


@pytest.mark.parametrize(
    "middle, last, broken",
    [
        ((), ("store", "y", 1), [False, False, True]),
        ((), ("store_release", "y", 1), [False, False, False]),
        ((("sfence",),), ("store", "y", 1), [False, False, False]),
        ((("mfence",),), ("store", "y", 1), [False, False, False]),
        ((("add", "z", 1),), ("store", "y", 1), [False, False, False]),
        ((("lfence",),), ("store", "y", 1), [False, False, True]),
        ((), ("store_nt", "y", 1), [False, True, True]),
        ((("sfence",),), ("store_nt", "y", 1), [False, False, False]),
    ],
)
def test_data_comes_before_its_flag_where_something_orders_the_stores(middle, last, broken):
    assert message_passing(("store", "x", 1), *middle, last) == broken
    assert message_passing(("store", "x", 1), *middle, last, reader="load") == [*broken[:2], True], "relaxed: loads are not in order either"


@pytest.mark.parametrize(
    "middle, broken", [((), [False, True, True]), ((("sfence",),), [False, False, False]), ((("mfence",),), [False, False, False])]
)
def test_a_plain_store_passes_a_non_temporal_one_until_a_fence(middle, broken):
    assert message_passing(("store_nt", "x", 1), *middle, ("store", "y", 1)) == broken


@pytest.mark.parametrize("ordering", ORDERINGS)
@pytest.mark.parametrize("first, second", [("store", "store_nt"), ("store_nt", "store"), ("store_nt", "store_nt"), ("store", "store")])
def test_stores_of_a_thread_to_one_word_are_seen_in_their_order(ordering, first, second):
    test = {
        "threads": [[[first, "x", 1], [second, "x", 2], ["load", "x", "r0"]], [["load", "x", "r0"], ["load", "x", "r1"]]],
        "obs": ["0:r0", "1:r0", "1:r1", "x"],
    }
    for own, one, two, last in litmus.run(test, ordering).allowed:
        assert (own, last) == (2, 2) and one <= two


@pytest.mark.parametrize("last", ["store", "store_release", "store_nt"])
def test_what_a_later_store_does_not_wait_for_is_still_a_store_buffer(last):
    """x = 1; r = y against y = 1; r = x: a release store orders what came before it, not the load after it."""
    test = {"threads": [[[last, "x", 1], ["load", "y", "r0"]], [[last, "y", 1], ["load", "x", "r0"]]], "obs": ["0:r0", "1:r0"]}
    assert [(0, 0) in litmus.run(test, ordering).allowed for ordering in ORDERINGS] == [False, True, True]


def one_core(ordering, **settings):
    m = Machine(MachineConfig().replace(**{"cores": 2, "ordering": ordering, "mmu": False, "memory": "1MiB", **settings}))
    t = m.spawn().thread_on(0)
    place_thread(m.state, t, 0)
    return m, t


@pytest.mark.parametrize("ordering", ORDERINGS)
@pytest.mark.parametrize("sockets, inclusion", [(1, "inclusive"), (1, "nine"), (2, "inclusive"), (2, "nine")])
def test_a_non_temporal_store_leaves_no_copy_and_one_write_to_memory_a_line(ordering, sockets, inclusion):
    m, t = one_core(ordering, sockets=sockets, inclusion=inclusion)
    p = m.processes[0]
    for core in (0, 1):
        p.load(0x1000, core=core)
    p.store(0x2000, 5, core=1)
    before = m.counters()
    for k in range(8):
        store_stream64(m.state, t, 0x1000 + 8 * k, k + 1)
        store_stream64(m.state, t, 0x2000 + 8 * k, k + 11)
    p.fence("mfence")
    after = m.counters()
    assert m.line(0x1000)["state"] == {} and m.line(0x2000)["state"] == {}
    writes = after["dram"]["writes"] - before["dram"]["writes"]
    assert writes == (16 if ordering == "sc" else 2)
    assert after["dram"]["reads"] == before["dram"]["reads"]
    assert_consistent(m)
    assert [p.load(0x1000 + 8 * k, core=1) for k in range(8)] == list(range(1, 9))
    assert [p.load(0x2000 + 8 * k, core=0) for k in range(8)] == list(range(11, 19))
    assert_consistent(m)


@pytest.mark.parametrize("operation", [store_release64, store64])
def test_under_relaxed_a_store_waits_for_its_line_while_others_pass(operation):
    """Two lines of another core's, then one of the core's own: the last becomes visible first, unless it is a release."""
    m, t = one_core("relaxed", store_buffer={"entries": 8, "drain": 4})
    p = m.processes[0]
    p.store(0x1000, 9, core=1)
    p.store(0x2000, 9, core=0)
    m.state.store_buffer_always = 1
    store64(m.state, t, 0x1000, 1)
    operation(m.state, t, 0x2000, 1)
    m.state.core[0].cycles += 10  # less than the line of 0x1000 takes to come
    load_acquire64(m.state, t, 0x8000)
    assert p.load(0x2000, core=1) == (9 if operation is store_release64 else 1)
    m.state.core[0].cycles += 10_000
    load_acquire64(m.state, t, 0x8000)
    assert (p.load(0x1000, core=1), p.load(0x2000, core=1)) == (1, 1)
    assert_consistent(m)
    assert m.counters()["cores"][0]["store_buffer.fetches"] >= 1


def test_the_fence_of_stores_counts_and_orders_only_later_ones():
    m, t = one_core("relaxed")
    sfence(m.state, t)
    assert m.counters()["cores"][0]["fences"] == 1 and m.state.core[0].sb_group == 0

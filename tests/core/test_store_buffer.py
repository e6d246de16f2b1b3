"""The store buffer: a core sees its own stores at once, others see them later and in order; fences and atomics wait."""

import itertools

import numpy as np
import pytest

from hwmem.config.machine import CacheConfig, MachineConfig
from hwmem.machine.machine import Machine
from invariants import assert_consistent
from kernels_under_test import ADD, COMPARE_EXCHANGE, EXCHANGE, FENCE, LOAD, STORE, script_results
from models import FlatMemory

X, Y, SCRATCH = 0x1000, 0x1040, 0x1080


def machine(ordering="tso", cores=4, entries=8, drain=50, always=1, **settings):
    m = Machine(
        MachineConfig().replace(
            **{
                "cores": cores,
                "ordering": ordering,
                "mmu": False,
                "memory": "1MiB",
                "store_buffer": dict(entries=entries, drain=drain),
                **settings,
            }
        )
    )
    m.state.store_buffer_always = always  # also stores that the L1 could take at once
    return m


@pytest.mark.parametrize("entries, drain", [(1, 0), (2, 10), (5, 100), (56, 1000), (64, 3)])
@pytest.mark.parametrize("ordering, mmu", [("tso", True), ("tso", False), ("relaxed", True), ("relaxed", False)])
def test_a_core_sees_its_own_stores_of_any_width_and_overlap(seed, entries, drain, ordering, mmu):
    rng = np.random.default_rng(seed)
    m = machine(ordering, entries=entries, drain=drain, cores=1, mmu=mmu, l1d=CacheConfig(256, 2, 4), l2=None)
    p = m.spawn()
    base, memory, rows, expected = p.mmap(0, 8192), FlatMemory(), [], []
    for _ in range(3000):
        kind = int(rng.choice([LOAD, LOAD, STORE, STORE, STORE, ADD, FENCE], p=[0.25, 0.2, 0.2, 0.15, 0.15, 0.03, 0.02]))
        size = 8 if kind == ADD else int(rng.choice([1, 2, 4, 8]))
        address, value = base + int(rng.choice([0, 64, 4000, 4090])) + int(rng.integers(0, 20)), int(rng.integers(-(1 << 62), 1 << 62))
        if kind == ADD:
            address &= ~7
        rows.append((0, kind, address, size, value, 0))
        expected.append(memory.load(address, size) if kind in (LOAD, ADD) else 0)
        if kind == STORE:
            memory.store(address, size, value)
        elif kind == ADD:
            memory.store(address, 8, memory.load(address, 8) + value)
    np.testing.assert_array_equal(script_results(p, rows), expected)
    assert_consistent(m)
    assert p.read(base, 8192) == bytes(memory.bytes.get(base + k, 0) for k in range(8192))
    c = m.counters()["cores"][0]
    assert c["store_buffer.stores"] == c["store_buffer.drains"] > 400
    assert c["store_buffer.forwards"] > 0


def test_others_see_stores_in_the_order_in_which_they_were_made(seed):
    """Whatever another core reads is what memory held after some number of the writer's stores."""
    rng = np.random.default_rng(seed)
    m = machine(entries=12, drain=40)
    p = m.spawn()
    words = [0x1000 + 64 * k for k in range(5)]
    rows, writes, state = [], [], dict.fromkeys(words, 0)
    history = [tuple(state.values())]
    for i in range(1, 1200):
        word = int(rng.choice(words))
        rows.append((0, STORE, word, 8, i, 0))
        state[word] = i
        history.append(tuple(state.values()))
        if rng.random() < 0.3:
            rows += [(1, LOAD, w, 8, 0, 0) for w in words]
            writes.append(i)
    results = script_results(p, rows)
    seen = results[[k for k, row in enumerate(rows) if row[0] == 1]].reshape(-1, len(words)).tolist()
    position, behind = 0, 0
    for view, done in zip(seen, writes, strict=True):
        at = history.index(tuple(view))  # ValueError: no such moment, the order was broken
        assert position <= at <= done
        position, behind = at, behind + (at < done)
    assert behind > len(seen) // 4, "most of the time some store still waits"


MIDDLES = {
    "nothing": None,
    "mfence": (FENCE, 0, 0),
    "exchange": (EXCHANGE, SCRATCH, 1),
    "failing compare-exchange": (COMPARE_EXCHANGE, SCRATCH, 7),
}


@pytest.mark.parametrize("ordering, middle", list(itertools.product(["sc", "tso"], MIDDLES)))
def test_store_buffering_is_seen_under_tso_and_never_under_sc_or_with_a_full_fence_between(ordering, middle):
    """x = 1; r = y  against  y = 1; r = x, in every interleaving of whole operations."""

    def program(core, mine, other):
        between = [] if MIDDLES[middle] is None else [(core, MIDDLES[middle][0], MIDDLES[middle][1] + 64 * core, 8, MIDDLES[middle][2], 99)]
        return [(core, STORE, mine, 8, 1, 0), *between, (core, LOAD, other, 8, 0, 0)]

    outcomes = set()
    for drain in (0, 1000):
        m = machine(ordering, drain=drain)
        p = m.spawn()
        programs = program(0, X, Y), program(1, Y, X)
        for order in set(itertools.permutations([0] * len(programs[0]) + [1] * len(programs[1]))):
            for word in (X, Y):
                p.store(word, 0, core=2)
            following = [iter(one) for one in programs]
            rows = [next(following[core]) for core in order]
            results = script_results(p, rows)
            outcomes.add(tuple(int(results[rows.index(one[-1])]) for one in programs))
            p.fence("mfence", core=0)
            p.fence("mfence", core=1)
    assert ((0, 0) in outcomes) == (ordering == "tso" and middle == "nothing")
    assert outcomes >= {(0, 1), (1, 0)}


@pytest.mark.parametrize("wait", ["mfence", "fetch_add", "exchange", "compare_exchange"])
def test_what_waits_for_the_buffer_leaves_it_empty_and_takes_as_long_as_its_stores(wait):
    """Ten lines must come from another core, one after the other."""
    m = machine(entries=16, drain=10_000)
    p = m.spawn()
    for k in range(10):
        p.store(X + 64 * k, 99, core=1)
    m.state.core[0].cycles = before = 50_000
    script_results(p, [(0, STORE, X + 64 * k, 8, k + 1, 0) for k in range(10)])
    assert m.state.core[0].sb_count == 10 and m.cycles(0) == before + 10
    {
        "mfence": lambda: p.fence("mfence"),
        "fetch_add": lambda: p.fetch_add(0x8000, 1),
        "exchange": lambda: p.exchange(0x8000, 1),
        "compare_exchange": lambda: p.compare_exchange(0x8000, 5, 1),
    }[wait]()
    assert m.state.core[0].sb_count == 0
    assert m.cycles(0) >= before + 10_000 + 10 * m.config.interconnect.forward
    assert [p.load(X + 64 * k, core=1) for k in range(10)] == list(range(1, 11))


def test_a_load_that_overlaps_a_waiting_store_partly_gets_both_parts():
    m = machine(drain=10_000)
    p = m.spawn()
    script_results(p, [(0, STORE, X, 8, 0x1111_1111_1111_1111, 0), (0, FENCE, 0, 8, 0, 0)])
    loads = [(0, LOAD, X, 8, 0, 0), (0, LOAD, X + 1, 2, 0, 0), (0, LOAD, X + 2, 4, 0, 0), (0, LOAD, X + 3, 1, 0, 0)]
    results = script_results(p, [(0, STORE, X + 3, 1, 0x22, 0), *loads])
    assert results.tolist()[1:] == [0x1111_1111_2211_1111, 0x1111, 0x1111_2211, 0x22]

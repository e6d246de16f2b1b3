"""An invalidated way is empty and is filled first; every use of a line, an upgrade too, makes it the most recent of its set."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hierarchy import Hierarchy
from hwmem.config.machine import CacheConfig, MachineConfig
from hwmem.machine.machine import Machine

PROTOCOLS = ("msi", "mesi", "moesi", "mesif")
LATENCY = {"l1d": 4, "l2": 14, "llc": 42}
A, B, C, D = range(4)
LOAD, STORE = False, True


def machine_of(cores, shapes, protocol, inclusive, **settings):
    levels = {
        name: CacheConfig(shape[0] * shape[1] * 64, shape[1], LATENCY[name], shape[2]) if shape else None for name, shape in shapes.items()
    }
    return Machine(
        MachineConfig().replace(
            cores=cores, mmu=False, ordering="sc", protocol=protocol, inclusion="inclusive" if inclusive else "nine", **levels, **settings
        )
    )


def one_set(protocol, llc, policy, **settings):
    """Two cores, each with one set of two ways."""
    shapes = {"l1d": (1, 2, policy), "l2": None, "llc": (64, 16, "lru") if llc else None}
    return machine_of(2, shapes, protocol, llc == "inclusive", **settings)


def story(machine, accesses):
    """h or m for each (core, store, line), as the core's L1 answers; and what core 0 evicted."""
    told = ""
    for core, store, line in accesses:
        before = machine.counters()["cores"][core]["l1d.hits"]
        machine.replay(([line * 64], [store], [8]), core=core)
        told += "mh"[machine.counters()["cores"][core]["l1d.hits"] - before]
    machine.check()
    return told, machine.counters()["cores"][0]["l1d.replacements"]


# What is told, as a processor's LRU does it (Hennessy and Patterson, B.1: a block is placed in an invalid way if there is one),
# and as gem5's MESI_Two_Level does
EMPTY_WAY_FIRST = [(0, LOAD, A), (0, LOAD, B), (1, STORE, B), (0, LOAD, C), (0, LOAD, A)]
REFILL_IS_A_USE = [(0, LOAD, A), (0, LOAD, B), (1, STORE, A), (0, LOAD, A), (0, LOAD, C), (0, LOAD, A)]
UPGRADE_IS_A_USE = [(0, LOAD, A), (1, LOAD, A), (0, LOAD, B), (0, STORE, A), (0, LOAD, C), (0, LOAD, A)]
STORIES = {
    "an empty way first": (EMPTY_WAY_FIRST, ("mmmmh", 0), ("mmmmm", 2)),
    "a refill is a use": (REFILL_IS_A_USE, ("mmmmmh", 1), ("mmmmmm", 2)),
    "an upgrade is a use": (UPGRADE_IS_A_USE, ("mmmmmh", 1), ("mmmmmm", 2)),
}


@pytest.mark.parametrize("llc", ["inclusive", "nine", None])
@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", STORIES)
def test_two_ways_and_two_cores_tell_the_rules_apart(name, protocol, llc):
    accesses, processor, gem5 = STORIES[name]
    assert story(one_set(protocol, llc, "lru"), accesses) == processor
    assert story(one_set(protocol, llc, "lru", recency="gem5"), accesses) == gem5


@pytest.mark.parametrize("policy", ["tree-plru", "nru", "random", "fifo"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_empty_way_is_filled_first_under_every_policy(protocol, policy):
    for llc in ("inclusive", "nine", None):
        assert story(one_set(protocol, llc, policy), EMPTY_WAY_FIRST) == ("mmmmh", 0)


def test_a_recalled_lines_way_is_empty_too():
    """One core: the inclusive LLC's eviction of A recalls it, and D takes its way though Y is older."""
    machine = machine_of(1, {"l1d": (1, 3, "lru"), "l2": None, "llc": (1, 4, "lru")}, "mesi", True)
    number = {name: k for k, name in enumerate("AXYZDE")}
    assert story(machine, [(0, LOAD, number[name]) for name in "AXYAZADEZ"])[0] == "mmmhmhmmh"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_line_in_an_empty_way_leaves_the_modified_one_where_it_is(protocol):
    """A public four-core course trace: core 0 writes A and B, core 1 writes B, core 0 reads C, core 1 reads A."""
    machine = one_set(protocol, "nine", "lru")
    story(machine, [(0, STORE, A), (0, STORE, B), (1, STORE, B), (0, LOAD, C), (1, LOAD, A)])
    assert set(machine.line(A * 64)["state"]) == {0, 1}
    assert machine.counters()["cores"][1]["interventions_hit_modified"] == 2


@pytest.mark.parametrize("recency, left", [("processor", {A, C}), ("gem5", {C})])
def test_another_sockets_llc_gives_up_the_way(recency, left):
    """Socket 0's LLC of two ways has A and B, socket 1 takes B: C has an empty way, or evicts A, the oldest."""
    shapes = {"l1d": (1, 1, "lru"), "l2": None, "llc": (1, 2, "lru")}
    machine = machine_of(2, shapes, "mesi", False, sockets=2, recency=recency, interconnect={"remote_forward": 200, "remote_llc": 100})
    story(machine, [(0, LOAD, A), (0, LOAD, B), (1, STORE, B), (0, LOAD, C)])
    entries = {line: machine.line(line * 64)["socket"].get(0, {"directory": "GONE"}) for line in (A, B, C)}
    assert {line for line, entry in entries.items() if entry["directory"] != "GONE"} == left


shape = st.tuples(st.sampled_from([1, 2, 3]), st.sampled_from([1, 2, 4]), st.sampled_from(["lru", "lru", "tree-plru"]))
wide = st.tuples(st.sampled_from([1, 2, 4]), st.sampled_from([2, 8, 17]), st.just("lru"))


@settings(max_examples=150)
@given(
    cores=st.integers(1, 4),
    l1d=shape,
    l2=st.none() | shape,
    llc=st.none() | shape | wide,
    protocol=st.sampled_from(PROTOCOLS),
    inclusive=st.booleans(),
    lines=st.integers(2, 40),
    stores=st.sampled_from([0.1, 0.5]),
    number=st.integers(0, 1 << 32),
)
def test_every_level_counts_and_keeps_what_a_plain_model_does(cores, l1d, l2, llc, protocol, inclusive, lines, stores, number):
    shapes = {"l1d": l1d, "l2": l2, "llc": llc}
    rng = np.random.default_rng(number)
    core, line, store = rng.integers(0, cores, 400), rng.integers(0, lines, 400), rng.random(400) < stores
    machine, model = machine_of(cores, shapes, protocol, inclusive), Hierarchy(cores, shapes, protocol, inclusive)
    for one in zip(core.tolist(), line.tolist(), store.tolist(), strict=True):
        model.access(*one)
    counters = machine.replay((line * 64, store), core=core)
    machine.check()
    for c in range(cores):
        for level, cache in (("l1d", model.l1[c]), ("l2", model.l2[c])):
            if cache:
                names = ("hits", "misses", "replacements", "dirty_evictions")
                assert {n: counters["cores"][c][f"{level}.{n}"] for n in names} == {n: cache.counts[n] for n in names}, (c, level)
                assert {x for x in range(lines) if c in machine.line(x * 64)[level]} == cache.lines()
    if llc:
        assert [counters["llc"][n] for n in ("hits", "misses", "replacements")] == [
            model.counts["llc_hits"],
            model.counts["llc_misses"],
            model.llc.counts["replacements"],
        ]
        assert {x for x in range(lines) if machine.line(x * 64)["socket"]} == model.llc.lines()

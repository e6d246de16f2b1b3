"""Replacement policies against plain models, by the hits and evictions of one cache without others behind it."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwmem.config.machine import CacheConfig, MachineConfig
from hwmem.machine.machine import Machine
from models import LINE, SetAssociative, entries


def one_cache(sets, ways, policy, seed=0, ordering="sc"):
    cache = CacheConfig(size=sets * ways * LINE, ways=ways, latency=4, replacement=policy)
    return Machine(MachineConfig().replace(cores=1, mmu=False, ordering=ordering, l1d=cache, l2=None, llc=None), seed=seed)


def counts(machine, lines, stores):
    core = machine.replay((np.array(lines, np.int64) * LINE, np.array(stores, bool)))["cores"][0]
    return {name: core[f"l1d.{name}"] for name in ("hits", "misses", "replacements", "dirty_evictions")}


def resident(machine):
    """Line -> dirty, of the L1D."""
    return {line: flags & 7 == 5 for _, _, line, flags, _ in entries(machine, machine.state.core[0].l1d)}


def model_counts(model, lines, stores):
    found = dict.fromkeys(("hits", "misses", "replacements", "dirty_evictions"), 0)
    dirty = set()
    for line, store in zip(lines, stores, strict=True):
        hit, evicted = model.access(line)
        found["hits" if hit else "misses"] += 1
        if evicted is not None:
            found["replacements"] += 1
            found["dirty_evictions"] += evicted in dirty
            dirty.discard(evicted)
        if store:
            dirty.add(line)
    return found, dirty


def random_lines(rng, n, sets, ways):
    """Lines of which a set sees about twice its ways, some of them often; so hits and evictions are both common."""
    wide = rng.integers(0, 2 * sets * ways + 1, n)
    narrow = rng.integers(0, max(1, sets * ways // 2), n)
    return np.where(rng.random(n) < 0.5, wide, narrow).tolist()


SHAPES = [("lru", sets, ways) for sets in (1, 3, 8) for ways in (1, 2, 3, 7, 8, 15, 16, 17, 24, 32)]
SHAPES += [("tree-plru", sets, ways) for sets in (1, 5, 8) for ways in (1, 2, 4, 8, 16, 32)]
SHAPES += [("nru", sets, ways) for sets in (1, 5, 8) for ways in (1, 2, 3, 8, 16, 31, 32)]


@pytest.mark.parametrize("policy, sets, ways", SHAPES)
def test_a_policy_evicts_what_its_definition_says(seed, policy, sets, ways):
    rng = np.random.default_rng(seed)
    lines, stores = random_lines(rng, 4000, sets, ways), rng.random(4000) < 0.3
    machine, model = one_cache(sets, ways, policy), SetAssociative(sets, ways, policy)
    expected, dirty = model_counts(model, lines, stores)
    assert counts(machine, lines, stores) == expected
    left = {line for one in model.sets for line in one.keys if line is not None}
    assert resident(machine) == {line: line in dirty for line in left}
    machine.check()


@settings(max_examples=60)
@given(
    st.sampled_from(["lru", "tree-plru", "nru"]),
    st.sampled_from([1, 2, 4, 16]),
    st.sampled_from([1, 2, 3]),
    st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=80),
)
def test_a_policy_evicts_what_its_definition_says_on_short_streams_too(policy, ways, sets, accesses):
    lines, stores = [a[0] for a in accesses], [a[1] for a in accesses]
    expected, _ = model_counts(SetAssociative(sets, ways, policy), lines, stores)
    assert counts(one_cache(sets, ways, policy), lines, stores) == expected


@pytest.mark.parametrize("policy", ["lru", "tree-plru", "nru", "random"])
@pytest.mark.parametrize("ways", [1, 4, 16, 32])
def test_free_ways_are_taken_first(seed, policy, ways):
    sets = 16
    lines = np.random.default_rng(seed).permutation(sets * ways)
    machine = one_cache(sets, ways, policy, seed)
    assert counts(machine, lines, np.zeros(len(lines), bool)) == {"hits": 0, "misses": len(lines), "replacements": 0, "dirty_evictions": 0}
    assert set(resident(machine)) == set(range(sets * ways))


@pytest.mark.parametrize("ways", [2, 3, 8, 20])
def test_random_replacement_gives_every_way_the_same_chance(seed, ways):
    """After k further misses a line is still there with probability (1 - 1/ways)^k, whichever of the set's lines it is."""
    sets, k = 512, ways
    machine = one_cache(sets, ways, "random", seed)
    lines = (np.arange(ways + k)[:, None] * sets + np.arange(sets)).reshape(-1)  # round by round over the sets
    assert counts(machine, lines, np.zeros(len(lines), bool))["replacements"] == k * sets
    survived = np.zeros(ways)
    for line in resident(machine):
        if line // sets < ways:
            survived[line // sets] += 1
    p = (1 - 1 / ways) ** k
    deviation = math.sqrt(sets * p * (1 - p))
    assert np.all(np.abs(survived - sets * p) < 6 * deviation), (survived, sets * p, deviation)


def test_random_replacement_follows_the_seed(seed):
    rng = np.random.default_rng(seed)
    lines = rng.integers(0, 200, 3000)
    stores = np.zeros(3000, bool)
    machines = [one_cache(4, 8, "random", s) for s in (7, 7, 8)]
    for machine in machines:
        counts(machine, lines, stores)
    left = [set(resident(machine)) for machine in machines]
    assert left[0] == left[1] != left[2]


@pytest.mark.parametrize("policy", ["lru", "tree-plru", "nru"])
def test_the_second_and_last_levels_keep_to_their_policy_too(seed, policy):
    """With a first level of one line that always misses, the levels behind it see the whole stream."""
    rng = np.random.default_rng(seed)
    sets, ways = 4, 8
    lines = random_lines(rng, 3000, sets, ways)
    lines = [line for line, before in zip(lines, [None, *lines]) if line != before]  # the one line never hits
    expected, _ = model_counts(SetAssociative(sets, ways, policy), lines, [False] * len(lines))
    tiny, cache = CacheConfig(size=64, ways=1, latency=1), CacheConfig(size=sets * ways * LINE, ways=ways, latency=9, replacement=policy)
    for level in ("l2", "llc"):
        config = MachineConfig().replace(
            cores=1, mmu=False, ordering="sc", inclusion="nine", **{"l1d": tiny, "l2": None, "llc": None, level: cache}
        )
        counters = Machine(config).replay((np.array(lines) * LINE, False))
        found = counters["llc"] if level == "llc" else {f: counters["cores"][0][f"l2.{f}"] for f in expected}
        assert {f: found[f] for f in expected} == expected

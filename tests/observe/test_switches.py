"""Observing changes nothing that is observed."""

import numpy as np
import pytest
from kernels_under_test import LOAD, STORE, script_results
from observed import BASE, SMALL, machine, random_trace, replay

import hwmem
from hwmem.observe import c2c, events, switches
from hwmem.observe.counters import MISS_CAUSES


def without_causes(counters):
    return {**counters, "cores": [{k: v for k, v in core.items() if k not in MISS_CAUSES} for core in counters["cores"]]}


@pytest.mark.parametrize("config", [{}, {"l2": None}, {"inclusion": "nine"}, {"protocol": "mesif"}])
@pytest.mark.parametrize("lines", [5, 30, 200])
def test_clocks_counts_and_caches_are_the_same_with_and_without_observers(lines, config, seed):
    trace = random_trace(np.random.default_rng(seed), 600, lines)
    seen, unseen = machine(**{**SMALL, **config}), machine(**{**SMALL, **config})
    switches.start(seen, classify=True, c2c=True, events=50)
    for m in (seen, unseen):
        replay(m, trace)
    assert without_causes(seen.counters()) == without_causes(unseen.counters())
    assert [seen.cycles(c) for c in range(4)] == [unseen.cycles(c) for c in range(4)]
    assert np.array_equal(seen.state.tag[:1000], unseen.state.tag[:1000])
    seen.check()


def test_values_and_costs_of_a_process_are_the_same_with_and_without_observers():
    results = []
    for observed in (False, True):
        m = machine(mmu=True, ordering="tso")
        p = m.spawn()
        a = p.mmap(0, 1 << 16)
        switches.start(m, classify=observed, c2c=observed)
        for n in range(200):
            p.fetch_add(a + n % 5 * 8, n, core=n % 4)
            p.store(a + 4096 * (n % 3) + n % 61, n % 256, size=1, core=n % 3)
        m.check()
        results.append((p.read(a, 3 * 4096, core=3), without_causes(m.counters()), [m.cycles(c) for c in range(4)]))
    assert results[0] == results[1]


@pytest.mark.parametrize("ordering", ["tso", "relaxed", "sc"])
def test_loads_meet_stores_in_flight_at_the_same_cost_with_and_without_observers(ordering, seed):
    """Stores and loads whose addresses share their low 12 bits, many of them misses."""
    rng = np.random.default_rng(seed)
    pages, places, sizes = 40, rng.integers(0, 64, 5) * 64, [1, 2, 4, 8]
    steps = [
        (
            int(rng.integers(pages)) * 4096 + int(rng.choice(places)) + int(rng.integers(57)),
            int(rng.choice(sizes)),
            bool(rng.random() < 0.4),
        )
        for _ in range(1500)
    ]
    results = []
    for observed in (False, True):
        m = hwmem.Machine(hwmem.MachineConfig().replace(ordering=ordering))
        p = m.spawn()
        a = p.mmap(0, pages * 4096)
        switches.start(m, classify=observed, c2c=observed)
        loaded = script_results(p, [(0, STORE if store else LOAD, a + at, size, n, 0) for n, (at, size, store) in enumerate(steps)])
        m.check()
        results.append((list(loaded), without_causes(m.counters()), m.cycles(0)))
    assert results[0] == results[1]


def test_observing_can_begin_and_end_in_the_middle_of_hot_work():
    m = machine()
    turns = [(c, BASE + 8 * c, 8, True) for _ in range(10) for c in range(2)] + [(0, BASE, 8, False)] * 10
    replay(m, turns)
    switches.start(m, classify=True, c2c=True)
    m.check()
    replay(m, turns)
    switches.stop(m)
    counted = m.counters()["cores"][0]
    cells = c2c.snapshot(m)
    replay(m, turns)
    m.check()
    assert m.counters()["cores"][0]["miss.false_sharing"] == counted["miss.false_sharing"] == 10
    assert np.array_equal(c2c.snapshot(m), cells) and cells["served"].sum() > 0
    assert len(events.events(m)[0]) == 0


CONTENDED = {
    "ping-pong": {"rounds": 200},
    "spin-lock": {"iterations": 60},
    "producer-consumer": {"items": 400},
    "true-sharing": {"iterations": 400},
    "reader-writer": {"iterations": 60},
    "treiber-stack": {"iterations": 60},
    "message-passing": {"rounds": 100},
    "double-checked-locking": {"rounds": 60},
    "mutual-exclusion": {"iterations": 60},
}


@pytest.mark.parametrize("ordering", ["tso", "relaxed", "sc"])
@pytest.mark.parametrize("name", CONTENDED)
def test_programs_take_the_same_cycles_with_and_without_observers(name, ordering, seed):
    config = hwmem.MachineConfig().replace(ordering=ordering)
    for s in (2, 3, seed):
        runs = [
            hwmem.run(name, config, seed=s, **CONTENDED[name], c2c=watched, classify=watched, events=100 * watched, races=watched)
            for watched in (False, True)
        ]
        unseen, seen = ((r.cycles, without_causes(r.counters)) for r in runs)
        assert unseen == seen

"""Miss causes against Dubois' definition, written down a second time over a list of accesses; and known patterns."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from observed import BASE, ENDLESS, SMALL, accesses, machine, random_trace, replay

import hwmem
from hwmem.observe import switches
from hwmem.observe.counters import MISS_CAUSES

CAUSES = [name.removeprefix("miss.") for name in MISS_CAUSES]


def lifetimes(trace, core, line):
    """Lists of the times at which `core` accesses `line`; another core's write ends a list (caches never run full)."""
    found, alive = [], False
    for when, (c, address, _, write) in enumerate(trace):
        if address >> 6 != line:
            continue
        if c == core:
            if not alive:
                found.append([])
            found[-1].append(when)
            alive = True
        elif write:
            alive = False
    return found


def bytes_of(access):
    return set(range(access[1], access[1] + access[2]))


def dubois(trace, core):
    """Cause -> number of misses of `core` in endless caches, from the definitions, one lifetime after another."""
    count = dict.fromkeys(CAUSES, 0)
    for line in {address >> 6 for _, address, _, _ in trace}:
        last_essential = None
        for life in lifetimes(trace, core, line):
            if last_essential is None:
                cause = "cold"
            else:
                news = set().union(*(bytes_of(a) for a in trace[last_essential : life[0]] if a[0] != core and a[3]))
                touched = set().union(*(bytes_of(trace[when]) for when in life))
                cause = "true_sharing" if news & touched else "false_sharing"
            count[cause] += 1
            if cause != "false_sharing":
                last_essential = life[0]
    return count


def causes(machine, core):
    counts = machine.counters()["cores"][core]
    return {cause: counts[f"miss.{cause}"] for cause in CAUSES}


def classified(trace, **config):
    m = machine(**config)
    switches.start(m, classify=True)
    replay(m, trace)
    return m


def turns(cores, rounds, stride, size=8, write=True):
    """Every core touches its own piece of memory, in turn, again and again."""
    return [(c, BASE + c * stride, size, write) for _, c in product(range(rounds), range(cores))]


@settings(max_examples=150)
@given(accesses(cores=4, lines=3))
def test_in_endless_caches_every_miss_has_the_cause_of_the_definition(trace):
    m = classified(trace, **ENDLESS)
    for core in range(4):
        assert causes(m, core) == dubois(trace, core)


@pytest.mark.parametrize("lines", [5, 24, 200])
def test_in_small_caches_every_miss_of_every_core_has_one_cause(lines, seed):
    trace = random_trace(np.random.default_rng(seed), 1000, lines)
    for inclusion, l2 in (("inclusive", SMALL["l2"]), ("nine", SMALL["l2"]), ("nine", None)):
        m = classified(trace, **{**SMALL, "l2": l2}, inclusion=inclusion)
        for counts in m.counters()["cores"]:
            assert sum(counts[cause] for cause in MISS_CAUSES) + counts["upgrades"] == counts["l1d.misses"]
            assert counts["miss.cold"] <= lines + 1


@pytest.mark.parametrize("size", [1, 4, 8])
def test_neighbours_in_a_line_share_it_falsely_after_the_cold_misses(size):
    m = classified(turns(4, 50, stride=size, size=size))
    for core in range(4):
        assert causes(m, core) == {"cold": 1, "capacity": 0, "true_sharing": 0, "false_sharing": 49}


def test_neighbours_a_line_apart_only_miss_once():
    m = classified(turns(4, 50, stride=64))
    for core in range(4):
        assert causes(m, core) == {"cold": 1, "capacity": 0, "true_sharing": 0, "false_sharing": 0}


def test_one_word_for_all_is_true_sharing():
    m = classified(turns(4, 50, stride=0))
    for core in range(4):
        assert causes(m, core) == {"cold": 1, "capacity": 0, "true_sharing": 49, "false_sharing": 0}


def test_an_essential_miss_late_in_the_lifetime_makes_the_miss_true_sharing():
    begin = [(0, BASE, 8, True), (1, BASE + 8, 8, True)]
    m = classified([*begin, (0, BASE, 8, False), (0, BASE + 16, 8, False)])
    assert causes(m, 0)["false_sharing"] == 1
    m = classified([*begin, (0, BASE, 8, False), (0, BASE + 8, 8, False)])
    assert causes(m, 0)["true_sharing"] == 1


def test_values_seen_by_an_essential_miss_are_old_news():
    """The second miss of core 0 fetches core 1's word; the third would only fetch it again."""
    see, touch_own, write_other = (0, BASE + 8, 8, False), (0, BASE, 8, False), (1, BASE + 16, 8, True)
    m = classified([touch_own, (1, BASE + 8, 8, True), see, write_other, see])
    assert causes(m, 0) == {"cold": 1, "capacity": 0, "true_sharing": 1, "false_sharing": 1}


def test_news_that_a_useless_miss_brought_still_counts_when_it_is_used_later():
    m = classified([(0, BASE, 8, False), (1, BASE + 8, 8, True), (0, BASE, 8, False), (1, BASE + 16, 8, True), (0, BASE + 8, 8, False)])
    assert causes(m, 0) == {"cold": 1, "capacity": 0, "true_sharing": 1, "false_sharing": 1}


def test_a_lone_core_that_streams_misses_cold_then_for_capacity():
    lines = 64  # more than L1D and L2 hold together
    trace = [(0, BASE + 64 * i, 8, i % 3 == 0) for _ in range(3) for i in range(lines)]
    m = classified(trace, **SMALL)
    assert causes(m, 0) == {"cold": lines, "capacity": 2 * lines, "true_sharing": 0, "false_sharing": 0}


def test_a_line_recalled_for_room_in_the_llc_is_a_capacity_miss():
    """Core 1 streams through the LLC; core 0's line is recalled each time, though nobody touches it."""
    stream = [(1, BASE + 4096 + 64 * i, 8, False) for i in range(200)]
    m = classified(
        [(0, BASE, 8, True), *stream, (0, BASE, 8, True), *stream, (0, BASE, 8, True)],
        **{**SMALL, "l1d": {"size": "4KiB", "ways": 4}, "l2": None},
    )
    assert m.counters()["cores"][0]["invalidations_received"] == 2
    assert causes(m, 0) == {"cold": 1, "capacity": 2, "true_sharing": 0, "false_sharing": 0}


def test_an_open_lifetime_counts_as_false_sharing_until_a_touch_shows_better():
    m = classified([(0, BASE, 8, True), (1, BASE + 8, 8, True), (0, BASE, 8, True)])
    assert causes(m, 0)["false_sharing"] == 1
    replay(m, [(0, BASE + 8, 8, False)])
    assert causes(m, 0) == {"cold": 1, "capacity": 0, "true_sharing": 1, "false_sharing": 0}


def test_a_stop_settles_what_is_open_and_a_start_begins_afresh():
    m = classified([(0, BASE, 8, True), (1, BASE + 8, 8, True), (0, BASE, 8, True)])
    switches.stop(m)
    replay(m, [(0, BASE + 8, 8, False), (1, BASE + 8, 8, True)])
    assert causes(m, 0) == {"cold": 1, "capacity": 0, "true_sharing": 0, "false_sharing": 1}
    m.reset_counters()
    switches.start(m, classify=True)
    replay(m, [(0, BASE, 8, True), (1, BASE + 8, 8, True)])
    assert [causes(m, c)["cold"] for c in (0, 1)] == [1, 0]  # core 1 had the line before it began


def test_stores_that_waited_in_a_buffer_and_the_kernels_accesses_have_causes_too():
    m = machine(mmu=True, ordering="tso")
    switches.start(m, classify=True)
    p = m.spawn()
    a = p.mmap(0, 1 << 16)
    for n in range(40):
        p.write(a + 8 * (n % 4), bytes(8), core=n % 4)
        p.fetch_add(a + 64, 1, core=n % 3)
        p.load(a + 4096 * (n % 16), core=n % 4)
    counts = m.counters()["cores"]
    for c in counts:
        assert c["store_buffer.drains"] > 0 and c["kernel_accesses"] + c["walk_accesses"] > 0
        assert sum(c[cause] for cause in MISS_CAUSES) + c["upgrades"] == c["l1d.misses"]
    assert counts[0]["miss.true_sharing"] >= 10  # the counter, at the very least
    assert counts[3]["miss.false_sharing"] >= 8  # its own 8 bytes of the first line


@pytest.mark.parametrize("ordering", ["sc", "tso", "relaxed"])
@pytest.mark.parametrize(
    "name, settings",
    [("false-sharing", {"iterations": 200}), ("true-sharing", {"iterations": 200, "atomic": False}), ("spin-lock", {"iterations": 50})],
)
def test_in_a_programs_run_every_miss_has_one_cause_and_every_hit_in_a_modified_line_is_in_the_table(name, settings, ordering):
    r = hwmem.run(name, hwmem.MachineConfig().replace(ordering=ordering, mmu=False), seed=1, classify=True, **settings)
    for c in r.counters["cores"]:
        assert sum(c[cause] for cause in MISS_CAUSES) + c["upgrades"] == c["l1d.misses"]
    assert sum(row["hitm"] for row in r.c2c()) == sum(c["interventions_hit_modified"] for c in r.counters["cores"]) > 0


def test_more_lines_than_the_table_holds_are_counted_as_dropped_and_nothing_is_lost():
    addresses = np.array([(k << 20 | k) << 6 for k in range(100)] * 2)  # lines that want the same slot
    m = machine()
    switches.start(m, classify=True)
    m.replay((addresses, True))
    counts, dropped = m.counters()["cores"][0], int(m.state.observe.sharing_dropped)
    assert dropped > 0
    assert sum(counts[cause] for cause in MISS_CAUSES) + counts["upgrades"] + dropped == counts["l1d.misses"]

"""Programs whose answer depends on the order in which stores become visible: broken where it may be, mended by what mends it."""

import pytest

import hwmem


def run(name, ordering="tso", seed=0, preset="generic", **parameters):
    return hwmem.run(name, hwmem.MachineConfig.preset(preset).replace(ordering=ordering), seed=seed, c2c=False, **parameters).values


@pytest.mark.parametrize("algorithm", ["peterson", "dekker"])
@pytest.mark.parametrize("ordering", ["sc", "tso", "relaxed"])
def test_two_threads_keep_each_other_out_with_a_fence_and_under_sc_without_one(algorithm, ordering, seed):
    fenced = run("mutual-exclusion", ordering, seed, algorithm=algorithm)
    assert (fenced["together"], fenced["counter"]) == (0, fenced["expected"])
    bare = run("mutual-exclusion", ordering, algorithm=algorithm, fence=False)
    if ordering == "sc":
        assert (bare["together"], bare["counter"]) == (0, bare["expected"])
    else:
        assert bare["together"] > 0 and bare["counter"] < bare["expected"]


@pytest.mark.parametrize("name, wrong", [("message-passing", "stale"), ("double-checked-locking", "unmade")])
def test_what_is_published_by_a_plain_store_is_seen_unmade_where_stores_pass_each_other(name, wrong, seed):
    for ordering in ("sc", "tso", "relaxed"):
        assert run(name, ordering, seed, rounds=1000)[wrong] == 0
        assert (run(name, ordering, rounds=1000, release=False)[wrong] > 50) == (ordering == "relaxed")
    assert run("message-passing", "relaxed", rounds=100)["messages"] == 100
    assert run("double-checked-locking", "relaxed", rounds=100)["made"] == 100


@pytest.mark.parametrize("name, wrong", [("message-passing", "stale"), ("double-checked-locking", "unmade")])
def test_what_is_looked_for_by_a_plain_load_is_seen_unmade_where_loads_are_early(name, wrong, seed):
    """In memory that the reader has read before, so that its lines can wait in the reader's invalidation queue."""
    for ordering in ("sc", "tso", "relaxed"):
        assert run(name, ordering, seed, rounds=1000, memory="4KiB")[wrong] == 0
        assert (run(name, ordering, rounds=2000, memory="4KiB", acquire=False)[wrong] > 0) == (ordering == "relaxed")
    config = hwmem.MachineConfig().replace(ordering="relaxed", invalidation_queue={"delay": 0})
    assert hwmem.run(name, config, rounds=2000, memory="4KiB", acquire=False, c2c=False).values[wrong] == 0


@pytest.mark.parametrize("ordering", ["sc", "tso", "relaxed"])
def test_nodes_that_come_back_are_stolen_from_a_stack_without_a_guard(ordering, seed):
    guarded = run("treiber-stack", ordering, seed, iterations=800)
    assert (guarded["stolen"], guarded["left"]) == (0, 8)
    bare = run("treiber-stack", ordering, iterations=800, guard="none")
    assert bare["stolen"] > 0 and bare["left"] < 8


@pytest.mark.parametrize("ordering", ["sc", "tso", "relaxed"])
def test_a_queue_and_a_seqlock_hold_under_every_ordering(ordering, seed):
    queue = run("producer-consumer", ordering, seed, items=3000, capacity=4)
    assert (queue["taken"], queue["sum"], queue["out_of_order"]) == (3000, 3000 * 2999 // 2, 0)
    pair = run("reader-writer", ordering, seed, kind="seqlock", iterations=800)
    assert pair["torn"] == 0 and list(pair["data"]) == [pair["written"]] * 2


def test_a_fence_costs_what_waits_in_the_store_buffer():
    config = hwmem.MachineConfig()
    values = run("fence-costs")
    cost = {name: dict(zip(values["grid"]["columns"], row)) for name, row in zip(values["grid"]["rows"], values["grid"]["cells"])}
    full, hit, forward = 2 * config.store_buffer.entries, config.l1d.latency, config.interconnect.forward
    assert cost["mfence"][0] == config.costs.mfence and cost["locked add"][0] == cost["exchange"][0] == hit + config.costs.atomic
    assert [cost[name][0] for name in ("load", "store", "sfence", "lfence")] == [hit, 1, 1, 1]
    assert cost["mfence"][1] >= config.costs.mfence + forward and cost["locked add"][1] >= config.costs.atomic + forward
    for name in ("mfence", "locked add", "exchange"):
        assert config.store_buffer.entries * forward <= cost[name][full] <= (config.store_buffer.entries + 3) * forward
    assert cost["store"][1] == 1 and cost["store"][full] == cost["release store"][full] == forward
    assert cost["load"][full] == hit + config.store_buffer.alias and cost["sfence"][full] == 1  # the stores lie 4 KiB apart
    relaxed = run("fence-costs", "relaxed")["grid"]
    assert relaxed["cells"][5][2] < cost["mfence"][full] / 5, "stores bring their lines at the same time"

"""false-sharing and true-sharing: what they add up to, and what the lines they use must cost."""

import pytest

import hwmem

FORWARD = hwmem.MachineConfig().interconnect.forward
L1 = hwmem.MachineConfig().l1d.latency
INCREMENT = hwmem.MachineConfig().store_buffer.forward + 1  # a load that its own last store forwards, and a store


def hitm(result):
    return sum(core["interventions_hit_modified"] for core in result.counters["cores"])


@pytest.mark.parametrize("atomic", [False, True])
@pytest.mark.parametrize("threads, stride", [(1, 8), (2, 8), (3, 24), (4, 64), (7, 8)])
def test_every_counter_holds_its_threads_increments(threads, stride, atomic):
    config = hwmem.MachineConfig().replace(kernel={"time_slice": 5000})
    r = hwmem.run("false-sharing", config, threads=threads, stride=stride, iterations=500, atomic=atomic)
    assert r.values["counters"] == [500] * threads


@pytest.mark.parametrize("stride", [64, 128, 192])
def test_counters_on_lines_of_their_own_cost_a_forwarded_load_and_a_cycle_for_the_store(stride):
    r = hwmem.run("false-sharing", stride=stride, iterations=10_000)
    assert INCREMENT <= r.cost < INCREMENT + 0.1
    assert hitm(r) <= 4 * 4  # what setup left in the first core: a counter, page-table entries


def test_one_thread_alone_is_not_slowed_down_by_adjacent_counters():
    assert hwmem.run("false-sharing", threads=1, stride=8, iterations=1000).cost == pytest.approx(INCREMENT, abs=0.01)


@pytest.mark.parametrize("threads", [2, 4])
def test_adjacent_atomic_counters_move_the_line_for_every_increment(threads):
    r = hwmem.run("false-sharing", threads=threads, stride=8, iterations=2000, atomic=True)
    assert hitm(r) >= 0.9 * threads * 2000
    assert r.cost >= 0.9 * threads * FORWARD  # the line goes round


def test_the_report_names_the_line_the_counters_and_the_bytes_of_each_thread():
    r = hwmem.run("false-sharing", threads=4, stride=8, iterations=2000)
    row = r.c2c()[0]
    assert row["sharing"] == "false" and row["threads"] == [0, 1, 2, 3]
    assert [o["symbol"] for o in row["offsets"]] == [f"counters[{i}]" for i in range(4)]
    assert row["bytes"] == [i // 8 for i in range(32)] + [None] * 32
    assert row["hitm"] == pytest.approx(hitm(r), abs=8)  # the others' page walks, and the first touch of setup's line


def test_atomic_increments_of_one_counter_are_never_lost():
    assert hwmem.run("true-sharing", iterations=1000).values == {"counter": 4000, "lost": 0, "operations": 4000}


def test_plain_increments_of_one_counter_are_lost_when_threads_meet():
    assert hwmem.run("true-sharing", threads=1, iterations=1000, atomic=False).values["lost"] == 0
    r = hwmem.run("true-sharing", threads=4, iterations=1000, atomic=False)
    assert 0 < r.values["lost"] < 4000 and r.values["counter"] >= 1000


def test_sharing_one_counter_is_true_sharing():
    assert [row["sharing"] for row in hwmem.run("true-sharing", iterations=1000).c2c()] == ["true"]

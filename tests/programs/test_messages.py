"""ping-pong and producer-consumer: order, completeness, and the latency between two cores."""

import pytest

import hwmem


@pytest.mark.parametrize("atomic", [True, False])
def test_every_turn_is_taken_once(atomic):
    assert hwmem.run("ping-pong", rounds=500, atomic=atomic).values["turns"] == 1000


def test_a_turn_takes_about_the_latency_of_a_modified_line():
    config = hwmem.MachineConfig()
    r = hwmem.run("ping-pong", config, rounds=2000)
    assert config.interconnect.forward <= r.cycles / r.values["turns"] <= 2 * (config.interconnect.forward + config.costs.atomic)


def test_a_turn_between_sockets_takes_longer_than_within_one():
    config = hwmem.MachineConfig.preset("skylake-sp")
    near, far = (hwmem.run("ping-pong", config, cores=cores, rounds=500) for cores in ([0, 1], [0, 28]))
    assert far.cost > 1.5 * near.cost
    assert far.cores == [0, 28]


@pytest.mark.parametrize("wait", ["spin", "futex"])
@pytest.mark.parametrize("capacity", [1, 2, 64])
@pytest.mark.parametrize("ordering", ["tso", "sc"])
def test_everything_arrives_once_and_in_order(wait, capacity, ordering):
    config = hwmem.MachineConfig().replace(ordering=ordering)
    values = hwmem.run("producer-consumer", config, items=700, capacity=capacity, wait=wait).values
    assert (values["taken"], values["sum"], values["out_of_order"]) == (700, 700 * 699 // 2, 0)


@pytest.mark.parametrize("wait", ["spin", "futex"])
def test_two_threads_on_one_core_hand_over_too(wait):
    config = hwmem.MachineConfig().replace(kernel={"time_slice": 5000, "context_switch": 100})
    assert hwmem.run("producer-consumer", config, cores=[2], items=300, capacity=8, wait=wait).values["taken"] == 300


def test_indices_on_one_line_cost_more_than_apart():
    near, apart = (hwmem.run("producer-consumer", items=3000, spacing=spacing) for spacing in (8, 64))
    assert near.cost > apart.cost
    assert near.c2c()[0]["offsets"][0]["symbol"] == "head"

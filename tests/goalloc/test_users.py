"""What users of GOGC, memory limits, finalizers, MemStats and FreeOSMemory try gives what the real Go 1.21.13 gave (users.py says where each
scenario comes from; live/users/main.go recorded it)."""

import pytest
import users

RECORDED = users.recorded()


def test_every_scenario_is_recorded_and_has_a_source():
    assert set(users.SCENARIOS) == set(RECORDED) == set(users.SOURCES) and len(RECORDED) >= 80


@pytest.mark.oracle
@pytest.mark.parametrize("name", users.SCENARIOS)
def test_a_scenario_ends_as_on_the_real_runtime(name):
    ours = users.ours(name)
    assert users.is_within(name, ours, RECORDED[name]), (ours, RECORDED[name], users.SOURCES[name])

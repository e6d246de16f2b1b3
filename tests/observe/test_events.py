"""The event log against the counters and against what a small story must say."""

import numpy as np
import pytest
from observed import BASE, SMALL, machine, random_trace, replay

from hwmem.cache.protocol import GETS, GETX, PUTX, UPGRADE
from hwmem.layout import EVENT_SLOTS
from hwmem.observe import events, switches
from hwmem.params import E, F, I, M, O, S


def logged(trace, limit=1000, **config):
    m = machine(**config)
    switches.start(m, events=limit)
    replay(m, trace)
    return m


def test_a_line_that_two_cores_write_tells_its_story():
    log, dropped = events.events(logged([(0, BASE, 8, False), (1, BASE, 8, False), (1, BASE, 8, True), (0, BASE, 8, True)]))
    story = [(e["core"], e["request"], e["before"], e["after"], e["responder"]) for e in log]
    assert story == [(0, GETS, I, E, -1), (1, GETS, I, S, 0), (1, UPGRADE, S, M, -1), (0, GETX, I, M, 1)]
    assert dropped == 0 and set(log["line"]) == {BASE >> 6}


@pytest.mark.parametrize("lines", [5, 30, 200])
def test_every_request_that_is_counted_is_logged_once(lines, seed):
    trace = random_trace(np.random.default_rng(seed), 500, lines)
    for config in ({}, {"l2": None}, {"protocol": "moesi"}, {"inclusion": "nine"}):
        m = logged(trace, limit=10_000, **{**SMALL, **config})
        log, counts = events.events(m)[0], m.counters()["directory"]
        assert [np.sum(log["request"] == r) for r in (GETS, GETX, UPGRADE, PUTX)] == [
            counts[name] for name in ("gets", "getx", "upgrades", "putx")
        ]
        assert np.sum(log["responder"] >= 0) == counts["fwd_gets"] + counts["fwd_getx"]


@pytest.mark.parametrize("lines", [5, 30, 200])
def test_states_fit_the_requests_and_a_cores_clock_does_not_run_back(lines, seed):
    log, _ = events.events(logged(random_trace(np.random.default_rng(seed), 500, lines, cores=3), **SMALL, cores=3))
    allowed = {GETS: ({I}, {S, E}), GETX: ({I}, {M}), UPGRADE: ({S}, {M}), PUTX: ({E, M}, {I})}
    for e in log:
        before, after = allowed[e["request"]]
        assert e["before"] in before and e["after"] in after and e["responder"] != e["core"]
        assert e["latency"] > 0 or e["request"] == PUTX
    for core in range(3):
        own = log[log["core"] == core]
        assert np.all(np.diff(own["cycle"]) >= 0)


def test_the_log_keeps_the_first_requests_and_counts_the_rest():
    trace = [(c, BASE, 8, True) for _ in range(20) for c in range(2)]
    whole, none_dropped = events.events(logged(trace))
    first, dropped = events.events(logged(trace, limit=10))
    assert (len(whole), none_dropped, len(first), dropped) == (40, 0, 10, 30)
    assert np.array_equal(first, whole[:10])
    assert "and 30 more" in events.text(first, dropped)


def test_the_text_names_requests_states_and_cores():
    lines = events.text(events.events(logged([(0, BASE, 8, True), (1, BASE, 8, False)]))[0]).splitlines()
    assert lines[0].split() == ["cycle", "core", "thread", "request", "line", "state", "from", "latency"]
    assert lines[2].split()[1:8] == ["1", "-", "GETS", f"{BASE:#x}", "I->S", "core", "0"]


def test_a_start_empties_the_log_and_more_than_it_holds_is_refused():
    m = logged([(0, BASE, 8, True)])
    switches.start(m, events=5)
    assert len(events.events(m)[0]) == 0
    with pytest.raises(ValueError, match="events"):
        switches.start(m, events=EVENT_SLOTS + 1)
    assert {F, O}.isdisjoint(events.events(m)[0]["after"])

"""Timers run when their time has come, stopped and reset ones as Go's documentation says, and idle Ps run those of busy ones."""

import random

import pytest
from one_p import OneP

import goalloc
from goalloc import params as P
from goalloc.sched.chan import CHANRECV, DEFAULT, DONE, SELECTNBRECV
from goalloc.observe.inspect import Inspector
from goalloc.layout import p_, timer
from goalloc.sched.proc import GOSCHED, NEWPROC, NEWTIMER, PC, RESETTIMER, SCHEDULE, SLEEP, STOPTIMER
from goalloc.sched.time import C
from goalloc.sched.time_heap import Waiting

HOUR, MAIN = 1 << 40, 7  # cycles: much longer than all that the test computes


class Clock:
    """One P whose main starts timers; its clock stands between two hours, and timers run on the hour."""

    def __init__(self, one):
        self.one, self.hour = one, 0
        one.go(MAIN)
        assert one.next() == MAIN
        self.core = one.rt.machine.state.core[0]
        self.start = int(self.core.cycles)
        self.move(0)

    def move(self, hours):
        """It is so many hours later, and the P has scheduled."""
        self.hour += hours
        self.core.cycles = self.start + self.hour * HOUR + HOUR // 2
        self.one.proc(GOSCHED)
        assert self.one.next() == MAIN

    def new(self, hours, period=0):
        return self.one.proc(NEWTIMER, hours * HOUR - HOUR // 2, period * HOUR)

    def reset(self, x, hours):
        return self.one.proc(RESETTIMER, x, hours * HOUR - HOUR // 2)

    def fired(self, x):
        """Whether its channel has a time, which is taken."""
        c = self.one.rt.process.load(x + C)
        status = self.one.chan(SELECTNBRECV, c, self.one.memory)
        assert status in (DONE, DEFAULT)
        return status == DONE

    def check_heap(self):
        """No timer is earlier than its parent; the counts agree."""
        look, pp = Inspector(self.one.rt.process), self.one.rt.ps[0]
        array, n = look.words(pp + p_.timers, 2)
        timers = look.words(array, n) if n else ()
        when = [look.word(tm + timer.when) for tm in timers]
        assert all(when[(i - 1) // 4] <= when[i] for i in range(1, n)) and all(look.word(tm + timer.pp) == pp for tm in timers)
        assert look.word(pp + p_.numTimers, 4) == n and look.word(pp + p_.timer0When) == (when[0] if n else 0)
        deleted = sum(look.word(tm + timer.status, 4) == 3 for tm in timers)
        assert look.word(pp + p_.deletedTimers, 4) == deleted
        return n


@pytest.fixture
def clock(runtime):
    one = OneP(runtime(gomaxprocs=1))
    one.schedtick(1)
    return Clock(one)


def test_timers_that_start_stop_and_are_reset_run_as_a_plain_model_says(clock, seed):
    rng, due, all_timers = random.Random(seed), {}, []
    for _ in range(400):
        kind = rng.random()
        if kind < 0.35 or not all_timers:
            hours = rng.randrange(1, 40)
            x = clock.new(hours)
            all_timers.append(x)
            due[x] = clock.hour + hours
        elif kind < 0.55:
            x = rng.choice(all_timers)
            assert clock.one.proc(STOPTIMER, x) == (due.pop(x, None) is not None)
        elif kind < 0.8:
            x, hours = rng.choice(all_timers), rng.randrange(1, 40)
            assert clock.reset(x, hours) == (x in due)
            due[x] = clock.hour + hours
        else:
            clock.move(rng.randrange(1, 8))
            now = {x for x, hour in due.items() if hour <= clock.hour}
            assert {x for x in all_timers if clock.fired(x)} == now
            due = {x: hour for x, hour in due.items() if x not in now}
        assert clock.check_heap() >= len(due)
    assert len(all_timers) > 100


def test_stopped_timers_leave_the_heap_when_they_are_more_than_a_quarter(clock):
    timers = [clock.new(100 + i) for i in range(40)]
    for x in timers[5:14]:
        clock.one.proc(STOPTIMER, x)
    clock.move(1)
    assert clock.check_heap() == 40  # nine of forty wait to be met
    for x in timers[14:17]:
        clock.one.proc(STOPTIMER, x)
    clock.move(1)
    assert clock.check_heap() == 28


def test_a_ticker_keeps_its_beat_and_drops_what_nobody_takes(clock):
    x = clock.new(3, period=3)
    beats = []
    for _ in range(20):
        clock.move(1)
        if clock.fired(x):
            beats.append(clock.hour)
    assert beats == [3, 6, 9, 12, 15, 18]
    clock.move(10)  # three beats at once: one is there, and the next is at 33
    assert clock.fired(x) and not clock.fired(x)
    clock.move(2)
    assert not clock.fired(x)
    clock.move(1)
    assert clock.fired(x)


def test_a_goroutine_gets_what_a_timer_sends(clock):
    x, one = clock.new(2), clock.one
    one.go(1)
    one.proc(GOSCHED)
    c = one.rt.process.load(x + C)
    assert one.next() == 1 and one.chan(CHANRECV, c, one.memory) == 0
    assert one.next() == MAIN
    clock.core.cycles = clock.start + 3 * HOUR
    one.proc(GOSCHED)
    assert one.next() == 1 and one.chan(CHANRECV, c, one.memory) == DONE
    assert clock.start + 2 * HOUR <= one.rt.process.load(one.memory) < clock.start + 4 * HOUR


def test_sleeping_for_no_time_is_no_sleep(clock):
    gp = clock.one.current()
    clock.one.proc(SLEEP, 0)
    clock.one.proc(SLEEP, -5)
    assert clock.one.current() == gp


def test_a_p_without_work_runs_the_timers_of_a_busy_one(runtime):
    rt = runtime(gomaxprocs=2)
    rt.call(0, P.DOOR_PROC, NEWPROC, 5, 0)
    g = rt.call(0, P.DOOR_PROC, SCHEDULE, 0, 0)
    rt.call(0, P.DOOR_PROC, SLEEP, HOUR, 0)  # its timer is in P 0's heap
    rt.call(0, P.DOOR_PROC, NEWPROC, 6, 0)
    busy = rt.call(0, P.DOOR_PROC, SCHEDULE, 0, 0)
    assert rt.process.load(busy + PC) == 6
    assert rt.process.load(rt.process.load(g + 352) + timer.status, size=4) == Waiting
    rt.machine.state.core[1].cycles = rt.machine.state.core[0].cycles + 2 * HOUR
    assert rt.call(1, P.DOOR_PROC, SCHEDULE, 0, 0) == g


@pytest.mark.parametrize(
    "parameters",
    [
        {"gomaxprocs": 1},
        {"gomaxprocs": 4},
        {"gomaxprocs": 4, "goroutines": 3, "rounds": 40},
        {"gomaxprocs": 3, "goroutines": 200, "rounds": 5, "cycles": 5_000},
    ],
)
def test_sleepers_on_several_ps_wake_in_time(parameters):
    """Nobody is forgotten, and with Ps that have nothing else to do nobody is late by as much as it slept."""
    r = goalloc.run("sleepers", **parameters)
    assert r.values["operations"] == r.parameters["goroutines"] * r.parameters["rounds"]
    if r.parameters["goroutines"] < 100:
        assert 0 <= r.values["late"] < r.parameters["cycles"]

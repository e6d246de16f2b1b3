"""What the collector does by itself while the program's goroutines wait, or are busy without asking it for anything: the cycle that two minutes
force, finalizers, and what programs see of them. A goroutine of the collector's is never taken for one of the program's."""

import pytest

import goalloc
from goalloc import params as P
from goalloc.gc.door import SET_FINALIZER
from goalloc.kernels import DONE, mallocgc, sleep
from goalloc.programs.collected import finalized, place
from goalloc.programs.goroutines import MAIN, go_on, main_returns, next_goroutine, where
from goalloc.programs.process import BACKGROUND, OVERLAPPED
from goalloc.programs.start import GOMAXPROCS, outcome
from hwmem._jit import call_door
from hwmem.kernels import compute

COLLECT, LONG, ENDED = 1, 2, 3
SECOND_NS = 1_000_000_000


def start(w, space):
    w.size, w.steps, w.left = 24, 0, w.seconds
    place(w, space)


def seen(w, space):
    return outcome(w, space, w.steps) | {"finalized": finalized(space), "metrics": space.runtime.metrics()}


@goalloc.workload(
    "left-alone",
    "main drops an object with a finalizer, sleeps, collects, and sleeps or computes for long",
    setup=start,
    values=seen,
    machine=OVERLAPPED,
    gomaxprocs=GOMAXPROCS,
    background=BACKGROUND,
    seconds=goalloc.parameter(0, "of sleeping at once, or of computing second by second", 0),
    busy=goalloc.parameter(False, "computes"),
)
def left_alone(m, w):
    while True:
        t, gp = next_goroutine(m, w)
        if t < 0:
            return
        step, ms = where(m, t, gp), m.process[m.thread[t].process].guest[P.MILLISECOND]
        w.steps += 1
        if step == MAIN:
            x = mallocgc(m, t, 24, 0)
            m.thread[t].guest[P.SIZE] = 0
            call_door(m, P.DOOR_FINALIZER, t, SET_FINALIZER, x, 1)
            go_on(m, t, gp, COLLECT)
            sleep(m, t, ms)
        elif step == COLLECT:
            if call_door(m, P.DOOR_CYCLE, t, P.GC_CALL, 1, 0) == DONE:
                go_on(m, t, gp, LONG)
                sleep(m, t, ms)
        elif step == LONG and w.left > 0 and w.busy:
            w.left -= 1
            compute(m, t, 1000 * ms)
        elif step == LONG and w.left > 0:
            go_on(m, t, gp, ENDED)
            sleep(m, t, w.left * 1000 * ms)
        else:
            main_returns(m, t)


@pytest.mark.parametrize("gomaxprocs", [1, 2])
def test_a_finalizer_runs_while_the_goroutine_that_set_it_sleeps(gomaxprocs):
    """The finalizers' goroutine is made by SetFinalizer and begins when main first waits."""
    r = goalloc.run("left-alone", gomaxprocs=gomaxprocs)
    assert r.values["finalized"] == 1
    assert r.cycles == pytest.approx(2 * r.config.frequency_ghz * 1e6, rel=0.25), "main slept for two milliseconds"


@pytest.mark.parametrize("gomaxprocs", [1, 2, 4])
def test_the_cycle_that_two_minutes_force_is_marked_at_once_while_all_sleep(gomaxprocs):
    r = goalloc.run("left-alone", gomaxprocs=gomaxprocs, seconds=150)
    asked, forced = r.gc
    began, _, _, ended = forced["at_ns"]
    assert r.values["trace"].count("GC forced") == 1 and not forced["forced"]
    assert 0 < began - asked["at_ns"][3] - 120 * SECOND_NS < 100_000
    assert ended - began < 1_000_000
    idle, total = (r.values["metrics"][f"/cpu/classes/{name}:cpu-seconds"] for name in ("idle", "total"))
    assert total == pytest.approx(120 * gomaxprocs, rel=1e-3) and idle == pytest.approx(total, rel=1e-4), "all Ps were idle"
    assert forced["assist_ns"] == 0 and forced["idle_ns"] + forced["dedicated_ns"] + forced["fractional_ns"] > 0
    assert r.cycles == pytest.approx(150.002 * r.config.frequency_ghz * 1e9, rel=1e-5), "and nobody woke main"


def test_while_all_ps_are_idle_sysmon_sleeps_too_and_wakes_the_scavenger_when_a_timer_is_due():
    """strace saw the first madvise of such a program at one P 0.2 ms after main's sleep of 4 s, and none before."""
    r = goalloc.run("idle-after-spike", gomaxprocs=1, slots=1_000, size=4_096, samples=2, interval=4_000)
    asleep, awake, later = (released for _, released, _ in r.values["samples"])
    assert awake - asleep < 128 << 10 and later - awake > 1_000 * 4_096 // 2


def test_two_minutes_force_a_cycle_beside_a_goroutine_that_only_computes():
    r = goalloc.run("left-alone", gomaxprocs=1, seconds=125, busy=True)
    asked, forced = r.gc
    assert 0 < forced["at_ns"][0] - asked["at_ns"][3] - 120 * SECOND_NS <= SECOND_NS


def test_without_sysmon_nothing_is_forced_beside_a_goroutine_that_computes():
    assert len(goalloc.run("left-alone", gomaxprocs=1, seconds=125, busy=True, background="off").gc) == 1

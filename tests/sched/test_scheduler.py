"""Who runs next, on small programs of instructions: against a plain simulation, and by what must hold of every log."""

import numpy as np
import pytest

from hwmem import params as P
from hwmem.config.machine import MachineConfig
from hwmem.machine.machine import Machine
from kernels_under_test import COMPUTE, INCREMENT, READ, RELEASE, SLEEP, WAIT, WAKE, run_threads

THREAD, CORE, BEFORE, AFTER, RESULT = range(5)
SWITCH = 1_000


def machine(cores=4, time_slice=10**9, context_switch=0, **settings):
    return Machine(
        MachineConfig().replace(
            cores=cores,
            mmu=False,
            memory="1MiB",
            ordering="sc",
            kernel=dict(time_slice=time_slice, context_switch=context_switch),
            **settings,
        )
    )


def random_programs(rng, n, length):
    return [[(COMPUTE, int(rng.integers(0, 50)), 0) for _ in range(int(rng.integers(1, length)))] for _ in range(n)]


@pytest.mark.parametrize("cores", [1, 2, 7, 64])
def test_the_core_with_the_smallest_clock_goes_next_ties_to_the_lowest_number(seed, cores):
    """As many threads as cores: the order is that of a list of clocks."""
    rng = np.random.default_rng(seed)
    programs = random_programs(rng, cores, 60)
    m = machine(cores)
    log = run_threads(m, m.spawn(), programs)
    clock = {c: next(row[BEFORE] for row in log if row[CORE] == c) for c in range(cores)}
    place, expected = dict.fromkeys(range(cores), 0), []
    while place:
        c = min(place, key=lambda c: (clock[c], c))
        expected.append([c, c, clock[c]])
        if place[c] == len(programs[c]):
            del place[c]
        else:
            clock[c] += programs[c][place[c]][1]
            place[c] += 1
    assert [row[:3] for row in log] == expected


def per_core(log, cores):
    return [[row for row in log if row[CORE] == c] for c in range(cores)]


def switches(rows):
    return 1 + sum(a[THREAD] != b[THREAD] for a, b in zip(rows, rows[1:])) if rows else 0


@pytest.mark.parametrize("threads_a_core", [2, 3, 5])
def test_threads_of_one_core_take_turns_of_a_time_slice(seed, threads_a_core):
    rng = np.random.default_rng(seed)
    cores, slice_, longest = 2, 2_000, 50
    n = cores * threads_a_core
    programs = [[(COMPUTE, int(rng.integers(1, longest)), 0) for _ in range(600)] for _ in range(n)]
    m = machine(cores, slice_, SWITCH)
    log = run_threads(m, m.spawn(), programs)
    assert sorted(row[THREAD] for row in log) == sorted(k for k in range(n) for _ in range(601))
    for c, rows in enumerate(per_core(log, cores)):
        assert all(a[AFTER] <= b[BEFORE] for a, b in zip(rows, rows[1:]))
        assert m.counters()["cores"][c]["context_switches"] == switches(rows)
        runs, alive = [], {row[THREAD] for row in rows}
        for row in rows:
            if not runs or runs[-1][0] != row[THREAD]:
                runs.append([row[THREAD], row[BEFORE], 0, len(alive)])
            runs[-1][2] = row[AFTER]
            if sum(r[THREAD] == row[THREAD] for r in rows[: rows.index(row) + 1]) == 601:
                alive.discard(row[THREAD])
        first_round = [r[0] for r in runs[:threads_a_core]]
        for k, (thread, begin, end, others) in enumerate(runs[: -2 * threads_a_core]):
            assert thread == first_round[k % threads_a_core], "round robin"
            assert slice_ <= end - begin < slice_ + longest + SWITCH, "one slice, to the end of the step that crosses it"
        used = sum(row[AFTER] - row[BEFORE] for row in rows)
        assert m.cycles(c) == rows[0][BEFORE] + used + (switches(rows) - 1) * SWITCH, "work and switches are all there is"


def test_a_thread_alone_on_its_core_is_never_switched():
    m = machine(2, 100, SWITCH)
    log = run_threads(m, m.spawn(), [[(COMPUTE, 10, 0)] * 500, [(COMPUTE, 10, 0)] * 500])
    assert [m.cycles(c) - rows[0][BEFORE] for c, rows in enumerate(per_core(log, 2))] == [5000, 5000]


def test_a_sleeper_runs_when_its_time_has_come_and_the_core_is_idle_until_then():
    m = machine(2)
    log = run_threads(m, m.spawn(), [[(COMPUTE, 7, 0), (SLEEP, 5_000, 0), (COMPUTE, 3, 0)], [(COMPUTE, 10, 0)] * 30])
    rows = per_core(log, 2)[0]
    start = rows[0][BEFORE]
    assert [row[BEFORE] - start for row in rows] == [0, 7, 5_007, 5_010]
    assert m.counters()["cores"][0]["idle_cycles"] == 5_000
    assert m.counters()["cores"][1]["idle_cycles"] == 0


def test_a_sleeper_that_is_interrupted_for_a_shootdown_sleeps_on_until_its_time(seed):
    m = Machine(MachineConfig().replace(cores=2, memory="64MiB"))
    p = m.spawn()
    pages = [p.mmap(0, 4096) for _ in range(20)]
    nap, between = 1_000_000, 10_000 + seed % 1_000
    unmapping = [row for a in pages for row in ((COMPUTE, between, 0), (READ, a, 0), (RELEASE, a, 4096))]
    log = run_threads(m, p, [[(SLEEP, nap, 0), (COMPUTE, 1, 0)], unmapping])
    asleep, woken = [row for row in log if row[THREAD] == 0][:2]
    assert woken[BEFORE] >= asleep[BEFORE] + nap and log.index(woken) > len(unmapping)
    assert m.counters()["cores"][0]["shootdowns.received"] > 0


def test_while_one_sleeps_the_other_of_its_core_runs(seed):
    m = machine(1)
    log = run_threads(m, m.spawn(), [[(SLEEP, 1_000, 0), (COMPUTE, 1, 0)], [(COMPUTE, 100, 0)] * 50], cores=[0, 0])
    start = log[0][BEFORE]
    woken = next(row for row in log if row[THREAD] == 0 and row[BEFORE] > start)
    assert start + 1_000 <= woken[BEFORE] < start + 1_100 + 100, "at the end of the step during which it woke"
    assert m.counters()["cores"][0]["idle_cycles"] == 0


@pytest.mark.parametrize("cycles", [0, -5, 1])
def test_a_sleep_that_is_over_at_once_changes_nothing(cycles):
    m = machine(1, 10_000)
    log = run_threads(m, m.spawn(), [[(COMPUTE, 5, 0), (SLEEP, cycles, 0), (COMPUTE, 5, 0), (SLEEP, cycles, 0)]], steps=100)
    assert [row[THREAD] for row in log] == [0] * 5


def test_sleepers_wake_in_the_order_of_their_times(seed):
    rng = np.random.default_rng(seed)
    naps = rng.permutation(20) * 1_000 + 500
    m = machine(4)
    log = run_threads(m, m.spawn(), [[(SLEEP, int(nap), 0), (COMPUTE, 1, 0)] for nap in naps])
    woken = [row[THREAD] for row in log if row[AFTER] - row[BEFORE] == 1]
    assert woken == np.argsort(naps).tolist()


def test_a_waiter_is_woken_not_before_the_wake(seed):
    m = machine(2)
    p = m.spawn()
    word = 0x8000
    log = run_threads(
        m, p, [[(WAIT, word, 0), (COMPUTE, 1, 0)], [(COMPUTE, 9_999, 0), (INCREMENT, word, 1), (WAKE, word, 1), (COMPUTE, 1, 0)]]
    )
    waited, waking = [row for row in log if row[THREAD] == 0], [row for row in log if row[THREAD] == 1]
    assert waited[0][RESULT] == 0
    assert waking[2][RESULT] == 1, "one was woken"
    assert waited[1][BEFORE] >= waking[2][BEFORE] > 9_999
    assert m.counters()["cores"][0]["idle_cycles"] == waited[1][BEFORE] - waited[0][AFTER]


@pytest.mark.parametrize("sleeper, wake_call, wake_idle", [(1, 700, 6_000), (1, 0, 6_000), (1, 0, 0), (0, 700, 6_000)])
def test_a_wake_takes_its_waker_time_and_an_idle_core_comes_out_of_its_sleep_first(sleeper, wake_call, wake_idle):
    """FUTEX_WAKE that wakes one: its call, the work inside, and an interrupt if the core is idle; its thread runs `wake_idle` later. A core that
    runs threads has neither: the woken one waits for its turn."""
    m = machine(2)
    costs = dict(syscall=100, futex=500, wake_call=wake_call, wake_idle=wake_idle, context_switch=2_000)
    m = Machine(m.config.replace(kernel=costs))
    word = 0x8000
    log = run_threads(m, m.spawn(), [[(WAIT, word, 0), (COMPUTE, 1, 0)], [(COMPUTE, 50_000, 0), (WAKE, word, 1)]], cores=[sleeper, 0])
    waking = next(row for row in log if row[THREAD] == 1 and row[RESULT] == 1)
    resumed = next(row for row in log if row[THREAD] == 0 and row[BEFORE] > waking[BEFORE])
    if sleeper == waking[CORE]:
        assert waking[AFTER] - waking[BEFORE] == 100 + 500
        assert resumed[BEFORE] == waking[AFTER] + 2_000, "it is switched to when the waker has ended"
    else:
        assert waking[AFTER] - waking[BEFORE] == 100 + 500 + wake_call
        assert resumed[BEFORE] == waking[AFTER] + wake_idle + 2_000


def test_a_wake_that_finds_nobody_is_but_a_call():
    m = Machine(machine(2).config.replace(kernel=dict(syscall=100, futex=500, wake_call=700, wake_idle=6_000)))
    log = run_threads(m, m.spawn(), [[(WAKE, 0x8000, 1)]])
    assert log[0][RESULT] == 0 and log[0][AFTER] - log[0][BEFORE] == 100


def test_waiting_for_a_value_that_is_gone_fails_with_eagain_at_once():
    m = machine(1)
    p = m.spawn()
    p.store(0x8000, 7)
    log = run_threads(m, p, [[(WAIT, 0x8000, 8), (WAIT, 0x8000, 7 + (1 << 32)), (COMPUTE, 1, 0)]], cores=[0])
    assert log[0][RESULT] == -11
    assert len(log) == 2 and log[1][RESULT] == 0 and m.state.deadlocked == 1, "futexes are 32 bits wide"


def test_a_wake_wakes_as_many_as_asked_those_that_wait_there_the_longest_waiting_first():
    m = machine(5)
    p = m.spawn()
    here, there = 0x8000, 0x8040
    waiters = [[(COMPUTE, delay, 0), (WAIT, here, 0), (COMPUTE, 1, 0)] for delay in (500, 100, 300)]
    other = [(WAIT, there, 0), (COMPUTE, 1, 0)]
    waker = [(COMPUTE, 50_000, 0), (WAKE, here, 1), (COMPUTE, 50_000, 0), (WAKE, here, 10), (WAKE, here, 1), (WAKE, there, 1)]
    log = run_threads(m, p, [*waiters, other, waker])
    assert [row[RESULT] for row in log if row[THREAD] == 4] == [0, 1, 0, 2, 0, 1, 0]
    resumed = sorted(
        (row[BEFORE], row[THREAD]) for row in log if row[BEFORE] > 40_000 and row[THREAD] < 3 and row[AFTER] - row[BEFORE] == 1
    )
    assert resumed[0][1] == 1, "thread 1 waited first"
    assert {thread for _, thread in resumed} == {0, 1, 2}


def test_a_deadlock_ends_the_run_and_is_counted():
    m = machine(3)
    p = m.spawn()
    log = run_threads(m, p, [[(WAIT, 0x8000, 0)], [(WAIT, 0x8040, 0)], [(COMPUTE, 5, 0)]])
    assert m.state.deadlocked == 2
    assert [row[THREAD] for row in log].count(2) == 2
    m = machine(3)
    run_threads(m, m.spawn(), [[(COMPUTE, 5, 0)]])
    assert m.state.deadlocked == 0


@pytest.mark.parametrize("cores, threads", [(1, 4), (3, 3), (3, 10), (8, 30)])
def test_any_mixture_loses_no_thread_and_no_cycle(seed, cores, threads):
    """Sleeps, locks by futex and work: every thread comes to its end, every cycle of a core is work, a switch or idle."""
    rng = np.random.default_rng(seed)
    m = machine(cores, 5_000, SWITCH)
    p = m.spawn()
    programs = []
    for k in range(threads):
        program = []
        for _ in range(60):
            kind = rng.random()
            program.append(
                (COMPUTE, int(rng.integers(300)), 0)
                if kind < 0.6
                else (SLEEP, int(rng.integers(-10, 3_000)), 0)
                if kind < 0.8
                else (INCREMENT, 0x8000 + 64 * int(rng.integers(4)), 1)
                if kind < 0.9
                else (WAKE, 0x9000, int(rng.integers(3)))
            )
        programs.append(program)
    log = run_threads(m, p, programs)
    assert sorted(row[THREAD] for row in log) == sorted(k for k in range(threads) for _ in range(61))
    for k in range(threads):
        own = [row for row in log if row[THREAD] == k]
        assert all(a[AFTER] <= b[BEFORE] for a, b in zip(own, own[1:]))
    counters = m.counters()["cores"]
    for c, rows in enumerate(per_core(log, cores)):
        if rows:
            work = sum(row[AFTER] - row[BEFORE] for row in rows)
            charged = (switches(rows) - 1) * SWITCH
            idle = counters[c]["idle_cycles"]
            assert m.cycles(c) - rows[0][BEFORE] >= work + idle - 1
            assert counters[c]["context_switches"] >= switches(rows)
            extra = counters[c]["context_switches"] - switches(rows)  # the same thread again after it had left the core
            assert m.cycles(c) - rows[0][BEFORE] == work + idle + charged + extra * SWITCH
    increments = sum(op == INCREMENT for program in programs for op, *_ in program)
    assert sum(p.load(0x8000 + 64 * k) for k in range(4)) == increments
    m.check()


def test_a_thread_that_is_killed_runs_no_more_and_the_others_do():
    m = machine(2)
    p = m.spawn()
    from hwmem.errors import SegmentationFault

    with pytest.raises(SegmentationFault):
        run_threads(m, p, [[(COMPUTE, 1, 0), (INCREMENT, 1 << 40, 1), (COMPUTE, 1, 0)], [(COMPUTE, 10, 0)] * 20], cores=[0, 0])
    assert m.state.thread[m.state.threads - 1].state == P.DONE
    assert m.state.thread[m.state.threads - 2].state in (P.KILLED, P.FREE)
    m.check()

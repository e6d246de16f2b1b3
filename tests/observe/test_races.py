"""The race detector against happens-before worked out from the log of every access, and on programs whose races are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hwmem
from hwmem import params as P
from hwmem._jit import kernel
from hwmem.config.machine import MachineConfig
from hwmem.kernels import (
    compare_exchange64,
    exchange64,
    fetch_add64,
    finish,
    futex_wait,
    futex_wake,
    happens_after,
    happens_before,
    joined,
    load,
    load_acquire,
    next_thread,
    sleep_until,
    store,
    store_release,
    store_stream,
)
from hwmem.machine.machine import Machine
from hwmem.observe import race_report, switches
from hwmem.sched.block import enqueue

READ, WRITE, ACQUIRE, RELEASE, ADD, STREAM, LOCK, UNLOCK, WAIT, WAKE, JOIN, SEND, RECEIVE, SLEEP, END, SPIN, TRY = range(17)
DATA, SYNC = 0x1000, 0x2000
ORDERINGS = ("sc", "tso", "relaxed")


@kernel
def run_steps(m, threads, program, start, log):
    """Thread k makes the steps program[start[k]:], (operation, address, size), to END; log[i]: thread, step, of the i-th made."""
    for k in range(len(threads)):
        m.thread[threads[k]].state = P.RUNNABLE
        m.thread[threads[k]].local[0], m.thread[threads[k]].local[1] = start[k], k
        enqueue(m, threads[k])
    n = 0
    while n < len(log):
        t = next_thread(m)
        if t < 0:
            return n
        pc = m.thread[t].local[0]
        if make(m, t, threads, program[pc, 0], program[pc, 1], program[pc, 2]):
            m.thread[t].local[0] = pc + 1
            log[n, 0], log[n, 1] = m.thread[t].local[1], pc
            n += 1
    return n


@kernel
def make(m, t, threads, operation, a, b):
    """One attempt at a step; False: it must be made again."""
    if operation == READ:
        load(m, t, a, b)
    elif operation == WRITE:
        store(m, t, a, b, 1)
    elif operation == ACQUIRE:
        load_acquire(m, t, a, b)
    elif operation == RELEASE:
        store_release(m, t, a, b, 1)
    elif operation == ADD:
        fetch_add64(m, t, a, 1)
    elif operation == STREAM:
        store_stream(m, t, a, b, 1)
    elif operation == TRY:
        compare_exchange64(m, t, a, b, 7)
    elif operation == LOCK:
        return exchange64(m, t, a, 1) == 0
    elif operation == UNLOCK:
        store_release(m, t, a, 8, 0)
    elif operation == SLEEP:
        sleep_until(m, t, m.core[m.thread[t].core].cycles + a)
    elif operation == END:
        finish(m, t)
    else:
        return meet(m, t, threads, operation, a, b)
    return True


@kernel
def meet(m, t, threads, operation, a, b):
    if operation == WAIT:
        if load_acquire(m, t, a, 4) == b:
            return True
        futex_wait(m, t, a, 0)
        return False
    if operation == WAKE:
        store_release(m, t, a, 4, b)
        fetch_add64(m, t, a + 64, 1)
        futex_wake(m, t, a, 64)
    elif operation == SPIN:
        return load_acquire(m, t, a, 4) == b
    elif operation == JOIN:
        return joined(m, t, threads[a])
    elif operation == SEND:
        happens_before(m, t, a)
    else:
        happens_after(m, t, a)
    return True


def run(programs, ordering="tso", cores=None):
    """Run lists of steps; the rows of the race table, and the steps in the order made as (thread, operation, a, b)."""
    m = Machine(MachineConfig().replace(cores=4, mmu=False, memory="1MiB", ordering=ordering, store_buffer={"entries": 8, "drain": 40}))
    p = m.spawn()
    threads = np.array([m.new_thread(p.number, (cores or range(4))[k % 4]) for k in range(len(programs))], np.int64)
    switches.start(m, races=True)
    rows = np.array([step for program in programs for step in [*program, (END, 0, 0)]], np.int64)
    log = np.zeros((len(rows), 2), np.int64)
    n = run_steps(m.state, threads, rows, np.cumsum([0, *(len(p) + 1 for p in programs)])[:-1], log)
    switches.stop(m)
    assert n == len(log), "the programs did not end"
    number = {int(t): k for k, t in enumerate(threads)}
    return race_report.table(m, number.get), [(int(k), *map(int, rows[i])) for k, i in log]


def racy_words(made, threads):
    """Words of which two accesses, not both ordered, one of them a write, are unordered, from all pairs."""
    clocks = [[int(u == t) for u in range(threads)] for t in range(threads)]
    known, accesses, racy = {}, [], set()
    for t, operation, a, size in made:
        ordered, write = operation in (ACQUIRE, RELEASE, ADD), operation in (WRITE, RELEASE, ADD, STREAM)
        if operation in (ACQUIRE, ADD):
            clocks[t] = list(map(max, clocks[t], known.get(a, clocks[t])))
        if operation <= STREAM:
            touched = set(range(a, a + (8 if operation == ADD else size)))
            for u, clock, bytes_, other_ordered, other_write in accesses:
                if u != t and (write or other_write) and not (ordered and other_ordered) and clock > clocks[t][u]:
                    racy |= {byte // 8 * 8 for byte in bytes_ & touched}
            accesses.append((t, clocks[t][t], touched, ordered, write))
        if operation in (RELEASE, ADD):
            known[a] = list(map(max, clocks[t], known.get(a, clocks[t])))
            clocks[t][t] += 1
    return racy


place = st.tuples(st.sampled_from((DATA, DATA + 8, DATA + 64)), st.sampled_from((1, 2, 4, 8)), st.integers(0, 7)).map(
    lambda p: (p[0] + p[2] // p[1] * p[1], p[1])
)
plain = st.tuples(st.sampled_from((READ, WRITE, WRITE, STREAM)), place).map(lambda s: (s[0], *s[1]))
ordered = st.tuples(st.sampled_from((ACQUIRE, RELEASE, ADD)), st.sampled_from((SYNC, SYNC + 64, DATA + 8))).map(lambda s: (*s, 8))
pause = st.integers(1, 900).map(lambda n: (SLEEP, n, 0))
steps = st.lists(st.one_of(plain, plain, ordered, ordered, pause), max_size=12)


@settings(max_examples=150)
@given(st.lists(steps, min_size=2, max_size=4), st.sampled_from(ORDERINGS))
def test_words_are_reported_that_have_a_race_and_no_others(programs, ordering):
    races, made = run(programs, ordering)
    reported = {race["now"]["address"] // 8 * 8 for race in races}
    assert reported == racy_words([s for s in made if s[1] <= STREAM], len(programs))


def locked(variable, inside):
    lock = SYNC + 64 * variable
    return [(LOCK, lock, 8), *((what, DATA + 64 * variable + 8 * place, 8) for what, place in inside), (UNLOCK, lock, 8)]


section = st.tuples(st.integers(0, 2), st.lists(st.tuples(st.sampled_from((READ, WRITE)), st.integers(0, 7)), min_size=1, max_size=4))
own = st.lists(st.sampled_from((READ, WRITE)), min_size=1, max_size=3)


def synchronised(k, parts):
    """Steps of thread k: critical sections of one lock a variable, and accesses of its own."""
    steps = []
    for part in parts:
        steps += locked(*part) if isinstance(part, tuple) else [(what, 0x4000 + 64 * k, 8) for what in part]
    return steps


programs_of_sections = st.lists(st.lists(st.one_of(section, own), min_size=1, max_size=6), min_size=2, max_size=6)


@settings(max_examples=60)
@given(programs_of_sections, st.sampled_from(ORDERINGS))
def test_programs_that_lock_what_they_share_have_no_race(parts, ordering):
    assert run([synchronised(k, p) for k, p in enumerate(parts)], ordering)[0] == []


@settings(max_examples=60)
@given(programs_of_sections, st.sampled_from(ORDERINGS), st.data())
def test_one_access_outside_its_lock_is_reported(parts, ordering, data):
    """Threads without a common lock before the seeded accesses: nothing can order those."""
    programs = [synchronised(k, [p for p in part if not isinstance(p, tuple)]) for k, part in enumerate(parts)]
    a, b = data.draw(st.lists(st.integers(0, len(parts) - 1), min_size=2, max_size=2, unique=True))
    kinds = data.draw(st.sampled_from(((READ, WRITE), (WRITE, READ), (WRITE, WRITE), (STREAM, READ), (WRITE, ACQUIRE), (RELEASE, READ))))
    for k, kind in zip((a, b), kinds):
        at = data.draw(st.integers(0, len(programs[k])))
        programs[k] = [*programs[k][:at], (kind, 0x5000, 8), *programs[k][at:]]
    for k, part in enumerate(parts):  # and afterwards they may lock as they like
        programs[k] += synchronised(k, part)
    races = run(programs, ordering)[0]
    assert [race["now"]["address"] for race in races] == [0x5000]
    assert {races[0]["now"]["thread"], races[0]["before"]["thread"]} == {a, b}


HAND_OVERS = {
    "release and acquire": ([(RELEASE, SYNC, 4)], [(SPIN, SYNC, 1)]),
    "futex": ([(SLEEP, 3000, 0), (WAKE, SYNC, 1)], [(WAIT, SYNC, 1)]),
    "join": ([], [(JOIN, 0, 0)]),
    "channel": ([(SEND, 7, 0), (RELEASE, SYNC + 128, 4)], [(SPIN, SYNC + 128, 1), (RECEIVE, 7, 0)]),
}


@pytest.mark.parametrize("ordering", ORDERINGS)
@pytest.mark.parametrize("how", HAND_OVERS)
def test_what_is_handed_over_may_be_touched(how, ordering):
    send, receive = HAND_OVERS[how]
    giver, taker = [(WRITE, DATA, 8), *send], [*receive, (READ, DATA, 8), (WRITE, DATA, 8)]
    assert run([giver, taker], ordering)[0] == []
    races = run([giver, [(SLEEP, 20_000, 0), *taker[len(receive) :]]], ordering)[0]
    assert [race["now"]["write"] for race in races] == [False, True]


def test_a_wake_orders_even_when_the_word_does_not():
    """The woken thread does not look at the word again."""
    giver = [(WRITE, DATA, 8), (SLEEP, 3000, 0), (WAKE, SYNC, 1)]
    assert run([giver, [(WAIT, SYNC, 1), (WRITE, DATA, 8)]])[0] == []


def test_neighbouring_bytes_do_not_race_and_overlapping_ones_do():
    assert run([[(WRITE, DATA, 4)], [(WRITE, DATA + 4, 4)], [(WRITE, DATA + 8, 1)]])[0] == []
    races = run([[(WRITE, DATA, 8)], [(SLEEP, 9000, 0), (WRITE, DATA + 7, 1)], [(SLEEP, 99_000, 0), (READ, DATA, 1)]])[0]
    assert {(race["now"]["address"], race["before"]["address"]) for race in races} == {(DATA + 7, DATA), (DATA, DATA)}


@pytest.mark.parametrize("ordering", ORDERINGS)
def test_a_compare_and_swap_that_fails_takes_over_what_is_known_and_hands_on_nothing(ordering):
    late = [(SLEEP, 20_000, 0)]
    for expected, fails in ((0, False), (5, True)):
        giver, taker = [(WRITE, DATA, 8), (TRY, SYNC, expected)], [*late, (ACQUIRE, SYNC, 8), (READ, DATA, 8)]
        assert bool(run([giver, taker], ordering)[0]) == fails
        assert run([[(WRITE, DATA, 8), (RELEASE, SYNC, 8)], [*late, (TRY, SYNC, expected), (READ, DATA, 8)]], ordering)[0] == []


def test_an_access_across_a_line_is_watched_on_both_sides():
    for other in (DATA + 60, DATA + 64):
        assert len(run([[(WRITE, DATA + 60, 8)], [(WRITE, other, 4)]])[0]) == 1


@pytest.mark.parametrize(
    "name, settings",
    [("spin-lock", {"lock": lock}) for lock in ("test-and-set", "ttas", "ticket", "mcs")]
    + [
        ("producer-consumer", {"wait": "spin"}),
        ("producer-consumer", {"wait": "futex", "capacity": 2}),
        ("ping-pong", {"atomic": False}),
        ("reader-writer", {"kind": "rwlock"}),
        ("false-sharing", {}),
        ("true-sharing", {"atomic": True}),
    ],
)
@pytest.mark.parametrize("ordering", ["tso", "relaxed"])
def test_programs_that_ship_have_no_race_where_they_mean_none(name, settings, ordering):
    size = {"items" if name == "producer-consumer" else "rounds" if name == "ping-pong" else "iterations": 200}
    r = hwmem.run(name, MachineConfig().replace(ordering=ordering), races=True, **settings, **size)
    assert r.races == []


def test_the_report_has_the_shape_of_gos(capsys, tmp_path):
    r = hwmem.run("true-sharing", races=True, threads=2, iterations=50, atomic=False)
    text = race_report.text(r.races, r.symbol)
    lines = text.splitlines()
    assert lines[:2] == ["==================", "WARNING: DATA RACE"] and lines[-1] == f"Found {len(r.races)} data race(s)"
    assert lines[2].startswith(("Write at 0x7fff", "Read at 0x7fff"))
    assert " by thread " in lines[2] and lines[3].startswith("  counter  8 bytes, core ") and lines[5].startswith("Previous ")
    assert text in str(r)
    r.save(tmp_path / "r.hwm")
    assert hwmem.load_result(tmp_path / "r.hwm").races == r.races


def test_looking_for_races_changes_no_count_and_no_clock():
    """But for what the hit filter answers, which is one look-up of the L1D less to count by hand."""
    for name in ("spin-lock", "producer-consumer"):
        plain, watched = (
            hwmem.run(name, races=races, **({"iterations": 300} if name == "spin-lock" else {"items": 300})) for races in (False, True)
        )
        assert plain.counters == watched.counters and plain.cycles == watched.cycles


def test_a_second_observation_knows_nothing_of_the_first():
    m = Machine(MachineConfig().replace(mmu=False, memory="1MiB"))
    p = m.spawn()
    for _ in range(2):
        switches.start(m, races=True)
        p.store(0x1000, 1, core=0)
        assert race_report.table(m) == []
        p.store(0x1000, 1, core=1)
        assert len(race_report.table(m)) == 1
    switches.stop(m)
    p.store(0x1000, 1, core=2)
    assert len(race_report.table(m)) == 1 and race_report.dropped(m) == (0, 0)


@pytest.mark.parametrize("mapped_again", [False, True])
def test_memory_mapped_where_other_memory_was_has_no_history(mapped_again):
    m = Machine(MachineConfig().replace(cores=2, memory="16MiB"))
    switches.start(m, races=True)
    p = m.spawn()
    a = p.mmap(0, 8192)
    p.store(a + 4096, 1, core=0)
    if mapped_again:
        p.munmap(a, 8192)
        assert p.mmap(a, 8192, flags=P.MAP_PRIVATE | P.MAP_ANONYMOUS | P.MAP_FIXED) == a
    p.store(a + 4096, 1, core=1)
    assert int(m.state.observe.race_count) == (0 if mapped_again else 1)

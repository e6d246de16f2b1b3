"""Goroutines run in Go's order, channels keep theirs, locks exclude, and misuse ends as in Go. Driven through the runtime's doors."""

from collections import deque

import pytest
from hypothesis import given, settings, strategies as st
from one_p import OneP
from recorded import oracle

import goalloc
from goalloc import params as P
from goalloc.sched.chan import CHANRECV, CHANSEND, CLOSECHAN, CLOSED, DONE, PARKED, YIELDED
from goalloc.errors import FatalError
from goalloc.layout import g_, hchan, p_, schedt, variables as V
from goalloc.sched.proc import GOSCHED, PC, SLEEP
from goalloc.runtime.runtime import Runtime
from goalloc.heap.stack import CALL, HI
from goalloc.sched.sync import ADD, LOCK_SLOW, UNLOCK, WAIT


@pytest.fixture
def one(runtime):
    one = OneP(runtime(gomaxprocs=1))
    one.schedtick(1)  # 60 choices more before one begins with the global queue
    return one


def run_to_end(one):
    """The places in the order in which goroutines run that end at once."""
    order = []
    while True:
        try:
            order.append(one.next())
        except FatalError as error:
            assert "all goroutines are asleep - deadlock!" in str(error)
            return order
        one.end()


def test_the_last_goroutine_started_runs_first_and_the_others_in_their_order(one):
    for place in range(1, 6):
        one.go(place)
    assert run_to_end(one) == [5, 1, 2, 3, 4]


def test_more_than_the_ring_holds_goes_to_the_global_queue_and_all_run_once(one):
    for place in range(1, 1001):
        one.go(place)
    assert one.rt.process.load(V.sched + schedt.runqsize, size=4) == 129 * 6  # from the 257th on, half the ring and one, every 129th
    assert sorted(run_to_end(one)) == list(range(1, 1001))
    assert one.rt.process.load(V.sched + schedt.runqsize, size=4) == 0
    one.rt.check()


def test_gosched_lets_all_others_run_first(one):
    one.go(1)
    one.go(2)
    assert one.next() == 2
    one.proc(GOSCHED)
    assert one.next() == 1
    one.end()
    assert one.next() == 2


def test_goroutines_have_numbers_and_are_used_again(one):
    first = one.go(1)
    assert one.rt.process.load(first + g_.goid) == 1
    assert one.next() == 1
    one.end()
    again = one.go(1)
    assert again == first and one.rt.process.load(again + g_.goid) == 2


def test_an_unbuffered_send_waits_for_its_receiver(one):
    c, got = one.makechan(0), one.memory + 800
    for place in (1, 2):
        one.go(place)
    assert one.next() == 2 and one.send(c, 42) == PARKED
    assert one.next() == 1 and one.chan(CHANRECV, c, got) == DONE and one.rt.process.load(got) == 42
    one.end()
    assert one.next() == 2 and one.send(c, 42) == DONE


def test_close_releases_receivers_with_zero_and_senders_panic(one):
    c, got = one.makechan(0), one.memory + 800
    for place in (1, 2):
        one.go(place)
    one.rt.process.store(got, 7)
    assert one.next() == 2 and one.chan(CHANRECV, c, got) == PARKED
    assert one.next() == 1
    one.chan(CLOSECHAN, c)
    assert one.chan(CHANRECV, c, got) == CLOSED
    with pytest.raises(FatalError, match="panic: send on closed channel"):
        one.send(c, 1)
    with pytest.raises(FatalError, match="panic: close of closed channel"):
        one.chan(CLOSECHAN, c)
    with pytest.raises(FatalError, match="panic: close of nil channel"):
        one.chan(CLOSECHAN, 0)
    one.end()
    assert one.next() == 2 and one.chan(CHANRECV, c, got) == CLOSED and one.rt.process.load(got) == 0


def test_a_stack_that_moves_takes_along_where_its_goroutine_receives(one):
    c, p = one.makechan(0), one.rt.process
    for place in (1, 2):
        one.go(place)
    assert one.next() == 2
    gp = one.current()
    depth = 16  # below the end of the stack: a variable
    old = p.load(gp + HI)
    assert one.chan(CHANRECV, c, old - depth) == PARKED
    assert one.next() == 1
    one.rt.call(0, P.DOOR_STACK, CALL, gp, 3000)  # moves it, as a collection that shrinks it would
    assert p.load(gp + HI) != old
    assert one.send(c, 99) == DONE
    assert p.load(p.load(gp + HI) - depth) == 99


def test_a_channel_larger_than_memory_panics(one):
    with pytest.raises(FatalError, match="panic: makechan: size out of range"):
        one.makechan(1 << 60)


def test_channels_keep_the_order_of_what_was_sent(machine):
    @settings(max_examples=40)
    @given(st.integers(0, 5), st.lists(st.booleans(), max_size=150))
    def holds(size, program):
        """Goroutine i sends i or receives, as program[i] says; a plain model tells who is done at once and gets what."""
        rt = Runtime(machine=machine, gomaxprocs=1)
        try:
            one = OneP(rt)
            c, ring, senders, receivers, received = one.makechan(size), deque(), deque(), deque(), {}
            for i, sends in enumerate(program):
                one.go(i + 1)
                while one.next() != i + 1:  # one that had waited: its call ends, and so does it
                    j = rt.process.load(one.current() + PC) - 1
                    place = one.memory + 8 * j
                    assert one.chan(CHANSEND if program[j] else CHANRECV, c, place) == DONE
                    if not program[j]:
                        assert rt.process.load(place) == received[j]
                    one.end()
                if sends:
                    done = one.send(c, i, i)
                    if receivers:
                        received[receivers.popleft()] = i
                    elif len(ring) < size:
                        ring.append(i)
                    else:
                        senders.append(i)
                        assert done == PARKED
                        continue
                else:
                    done = one.chan(CHANRECV, c, one.memory + 8 * i)
                    if not ring and not senders:
                        receivers.append(i)
                        assert done == PARKED
                        continue
                    ring.extend([senders.popleft()] if senders else [])
                    assert rt.process.load(one.memory + 8 * i) == ring.popleft()
                assert done == DONE
                one.end()
                assert rt.process.load(c + hchan.qcount) == len(ring)
            rt.check()
        finally:
            rt.process.exit()

    holds()


def test_a_mutex_excludes_and_its_waiters_get_it_in_their_order(one):
    mu = one.memory + 1600
    for place in (1, 2, 3):
        one.go(place)
    assert one.next() == 3 and one.sync(LOCK_SLOW, mu) == DONE
    one.proc(GOSCHED)
    for place in (1, 2):
        assert one.next() == place and one.sync(LOCK_SLOW, mu) == PARKED
    assert one.next() == 3
    one.sync(UNLOCK, mu)
    one.end()
    assert one.next() == 1 and one.sync(LOCK_SLOW, mu) == DONE
    one.sync(UNLOCK, mu)
    one.end()
    assert one.next() == 2 and one.sync(LOCK_SLOW, mu) == DONE
    one.sync(UNLOCK, mu)
    assert one.rt.process.load(mu) == 0
    with pytest.raises(FatalError, match="fatal error: sync: unlock of unlocked mutex"):
        one.sync(UNLOCK, mu)


def test_who_waited_a_millisecond_is_handed_the_mutex(one):
    mu = one.memory + 1600
    for place in (1, 2):
        one.go(place)
    assert one.next() == 2 and one.sync(LOCK_SLOW, mu) == DONE
    one.proc(GOSCHED)
    assert one.next() == 1 and one.sync(LOCK_SLOW, mu) == PARKED
    assert one.next() == 2
    one.rt.machine.state.core[0].cycles += 10_000_000
    one.sync(UNLOCK, mu)
    assert one.sync(LOCK_SLOW, mu) == DONE  # normal mode: faster than the one that was woken
    one.proc(GOSCHED)
    assert one.next() == 1 and one.sync(LOCK_SLOW, mu) == PARKED
    assert one.rt.process.load(mu, size=4) == 8 | 4 | 1  # a waiter, starving, locked
    assert one.next() == 2 and one.sync(UNLOCK, mu) == YIELDED
    assert one.next() == 1 and one.sync(LOCK_SLOW, mu) == DONE
    one.proc(GOSCHED)
    assert one.next() == 2 and one.sync(LOCK_SLOW, mu) == PARKED


def test_a_waitgroup_waits_for_all(one):
    wg = one.memory + 1600
    for place in (1, 2, 3):
        one.go(place)
    assert one.next() == 3
    one.sync(ADD, wg, 2)
    assert one.sync(WAIT, wg) == PARKED
    for place in (1, 2):
        assert one.next() == place
        one.sync(ADD, wg, -1)
        one.end()
    assert one.next() == 3 and one.sync(WAIT, wg) == DONE
    with pytest.raises(FatalError, match="panic: sync: negative WaitGroup counter"):
        one.sync(ADD, wg, -1)


def test_sleepers_wake_in_the_order_of_their_times(one):
    times = [50_000, 10_000, 90_000, 30_000, 70_000, 20_000, 60_000]
    for place in range(1, len(times) + 1):
        one.go(place)
    for _ in times:
        one.proc(SLEEP, 1_000_000 + times[one.next() - 1])
    one.rt.machine.state.core[0].cycles += 2_000_000
    woken = run_to_end(one)
    assert woken[0] == 3 and woken[1:] == [2, 6, 4, 1, 7, 5]  # all at once: the last made ready runs first


@pytest.mark.parametrize(
    "parameters",
    [
        {"gomaxprocs": 1, "buffer": 0},
        {"gomaxprocs": 4, "buffer": 0},
        {"gomaxprocs": 4, "buffer": 7},
        {"gomaxprocs": 3, "producers": 1, "consumers": 9},
        {"gomaxprocs": 4, "producers": 300, "objects": 3},
    ],
)
def test_what_goroutines_on_several_ps_send_arrives_once(parameters):
    parameters = {"objects": 200, "producers": 4} | parameters
    r = goalloc.run("channel", **parameters)
    n, each = parameters["producers"], parameters["objects"]
    assert r.values["received"] == n * each and r.values["sum"] == n * each * (each - 1) // 2
    assert (r.values["from_other_p"] > 0) == (parameters["gomaxprocs"] > 1)


def test_a_ps_ring_is_at_its_place():
    assert p_.runq == p_.runqhead + 8 and p_.runqtail == p_.runqhead + 4


ORDER = oracle("goroutine_order")


@pytest.mark.oracle
@pytest.mark.parametrize("n", ORDER["starts"])
def test_goroutines_run_in_the_order_of_the_real_ones(one, n):
    """Every 61st look is at the global queue first; where the count stood when the real program began is not recorded."""
    real = ORDER["starts"][n]
    from_global = real.index(1) if int(n) > 256 else 1  # the head of the global queue, out of turn; the first one inherits
    for place in range(1, int(n) + 1):
        one.go(place)
    one.schedtick((1 - from_global) % 61)
    assert run_to_end(one) == real


@pytest.mark.oracle
@pytest.mark.parametrize("size", ORDER["channels"])
def test_sends_and_receives_come_in_the_order_of_the_real_ones(one, size):
    """Four producers send 100p + k, four consumers note -(1000q + value); main starts them and waits."""
    main, wg = 8, one.memory + 1600
    one.go(main)
    assert one.next() == main
    c, noted, count = one.makechan(int(size)), [], [0] * main
    one.sync(ADD, wg, main)
    for i in range(main):
        one.go(i)
    assert one.sync(WAIT, wg) == PARKED
    while (i := one.next()) != main:
        while count[i] < 10:
            value, slot = i * 100 + count[i], one.memory + 8 * i
            if (one.send(c, value, i) if i < 4 else one.chan(CHANRECV, c, slot)) == PARKED:
                break
            noted.append(value if i < 4 else -((i - 4) * 1000 + one.rt.process.load(slot)))
            count[i] += 1
        else:
            one.sync(ADD, wg, -1)
            one.end()
    assert one.sync(WAIT, wg) == DONE
    assert noted == ORDER["channels"][size]

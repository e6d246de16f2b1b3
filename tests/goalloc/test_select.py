"""select from a kernel: any case that can happen does so, each as often as the others; what it waits for is left when it is over."""

import numpy as np
import pytest
from one_p import OneP

from goalloc.sched.chan import CLOSECHAN, CLOSED, DEFAULT, DONE, PARKED
from goalloc.kernels import selectgo, selectnb
from goalloc.layout import hchan, scase
from hwmem._jit import kernel
from hwmem.core.service import drain_all
from hwmem.machine.enter import place_thread

CASES, ORDER, VALUES = 512, 1024, 1536  # in the page of variables
SENDER = 5


@kernel
def choose(m, t, cases, order, nsends, nrecvs, out):
    """Row by row (status, case) of a select that does not wait."""
    for i in range(len(out)):
        out[i, 0], out[i, 1] = selectnb(m, t, cases, order, nsends, nrecvs)
    drain_all(m, m.thread[t].core)


@kernel
def choose_one(m, t, cases, order, nsends, nrecvs):
    """A select that waits."""
    status, case = selectgo(m, t, cases, order, nsends, nrecvs)
    drain_all(m, m.thread[t].core)
    return status, case


@pytest.fixture
def one(runtime):
    one = OneP(runtime(gomaxprocs=1, seed=3))
    one.schedtick(1)
    one.go(SENDER)
    assert one.next() == SENDER
    return one


def set_cases(one, channels):
    for i, c in enumerate(channels):
        one.rt.process.store(one.memory + CASES + i * scase.sizeof + scase.c, c)
        one.rt.process.store(one.memory + CASES + i * scase.sizeof + scase.elem, one.memory + VALUES + 8 * i)
    t = one.rt.process.thread_on(0)
    place_thread(one.rt.machine.state, t, 0)
    return one.rt.machine.state, t, one.memory + CASES, one.memory + ORDER


def run(one, channels, nsends, n=1):
    out = np.zeros((n, 2), np.int64)
    choose(*set_cases(one, channels), nsends, len(channels) - nsends, out)
    return out


def queues(one, c):
    return [one.rt.process.load(c + at) for at in (hchan.recvq, hchan.recvq + 8, hchan.sendq, hchan.sendq + 8)]


def test_every_case_that_can_happen_is_chosen_as_often_as_the_others(one):
    channels = [one.makechan(2000) for _ in range(4)]
    for c in channels[2:]:
        for value in range(1000):
            one.send(c, value)
    rows = run(one, [channels[0], channels[1], 0, channels[2], 0, channels[3]], 2, n=1200)  # nil ones never
    assert set(rows[:, 0]) == {DONE}
    counts = np.bincount(rows[:, 1], minlength=6)
    assert counts[2] == counts[4] == 0 and all(abs(counts[i] - 300) < 75 for i in (0, 1, 3, 5))  # five standard deviations
    assert [one.rt.process.load(c + hchan.qcount) for c in channels] == [counts[0], counts[1], 1000 - counts[3], 1000 - counts[5]]


def test_with_nothing_to_do_it_is_default_and_a_closed_channel_is_something(one):
    empty, full = one.makechan(0), one.makechan(1)
    one.send(full, 1)
    assert (run(one, [full, empty, 0], 1, n=3)[:, 0] == DEFAULT).all()
    one.chan(CLOSECHAN, empty)
    assert run(one, [full, empty, 0], 1).tolist() == [[CLOSED, 1]]


def test_a_goroutine_that_waited_on_many_channels_waits_on_none_afterwards(one):
    channels = [one.makechan(0) for _ in range(5)]
    status, _ = choose_one(*set_cases(one, channels), 2, 3)
    assert status == PARKED and all(sum(map(bool, queues(one, c))) == 2 for c in channels)
    one.go(2)
    assert one.next() == 2 and one.send(channels[3], 77) == DONE
    one.end()
    assert one.next() == SENDER
    assert choose_one(*set_cases(one, channels), 2, 3) == (DONE, 3)
    assert one.rt.process.load(one.memory + VALUES + 24) == 77 and not any(any(queues(one, c)) for c in channels)

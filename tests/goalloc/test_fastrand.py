"""The runtime's random numbers are wyrand's: compared with the same in Python's whole numbers."""

import numpy as np

from goalloc import params as P
from goalloc.base.fastrand import fastrand, fastrandn
from goalloc.layout import m_, variables as V
from goalloc.sched.proc import NEWG
from hwmem._jit import kernel
from hwmem.machine.enter import place_thread

WORD = 1 << 64


def wyrand(state):
    """(the next state, a word)."""
    state = (state + 0xA0761D6478BD642F) % WORD
    product = state * (state ^ 0xE7037ED1A0B428DB)
    return state, product % WORD ^ product // WORD


@kernel
def draw(m, t, drawn, below):
    for i in range(len(drawn)):
        drawn[i] = fastrandn(m, t, below) if below else fastrand(m, t)


def test_an_ms_random_numbers_are_wyrands(runtime):
    rt = runtime(gomaxprocs=1, seed=5)
    t, state = rt.process.thread_on(0), rt.process.load(V.m0 + m_.fastrand)
    place_thread(rt.machine.state, t, 0)
    for below in (0, 1, 7, 1 << 26):
        drawn = np.zeros(200, np.int64)
        draw(rt.machine.state, t, drawn, below)
        for have in drawn.tolist():
            state, word = wyrand(state)
            assert have == (word % (1 << 32) * below >> 32 if below else word % (1 << 32))


def test_a_new_goroutine_draws_one_number(runtime):
    rt = runtime(gomaxprocs=1)
    before = rt.process.load(V.m0 + m_.fastrand)
    rt.call(0, P.DOOR_PROC, NEWG, 0, 0)
    assert rt.process.load(V.m0 + m_.fastrand) % WORD == wyrand(before)[0]


def test_a_runtimes_seed_repeats_its_random_numbers(runtime):
    states = [runtime(gomaxprocs=2, seed=seed).process.load(V.m0 + m_.fastrand) for seed in (1, 1, 2)]
    assert states[0] == states[1] != states[2]

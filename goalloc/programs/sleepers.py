"""sleepers: goroutines that sleep for random times, again and again, on whichever P they are.

A goroutine's timer lies with the P on which it went to sleep; a P without work sleeps until the first timer of all. How late
a goroutine goes on after its time has come is the cost of waking and scheduling.
"""

from hwmem.kernels import is_over, kernel, load64, store64
from hwmem.programs.registry import parameter
from goalloc.kernels import DONE, go, goexit, sleep, waitgroup_add, waitgroup_wait
from goalloc.programs.goroutines import MAIN, go_on, main_returns, next_goroutine, place_waitgroup, start_main, variable, where
from goalloc.programs.start import GOMAXPROCS, outcome
from goalloc.programs.registry import workload

SLEEP, WAIT = 1, 2
NUMBER, COUNT, UNTIL = range(3)  # a goroutine's variables
DRAWS = 1 << 12


def place(w, space):
    start_main(w, space)
    w.done, w.late = place_waitgroup(space, "WaitGroup"), 0
    w.draws = space.random.integers(1, 2 * w.cycles, DRAWS)


def read(w, space):
    n = w.goroutines * w.rounds
    return outcome(w, space, n) | {"late": round(w.late / n)}


@workload(
    "sleepers",
    "goroutines sleep for random times, again and again",
    setup=place,
    values=read,
    operation="sleep",
    scale="gomaxprocs",
    gomaxprocs=GOMAXPROCS,
    goroutines=parameter(50, "goroutines", 1, 100_000),
    rounds=parameter(20, "times each sleeps"),
    cycles=parameter(100_000, "cycles that it sleeps, on average", 1, 1 << 40),
)
def sleepers(m, w):
    while True:
        t, gp = next_goroutine(m, w)
        if t < 0:
            return
        at = where(m, t, gp)
        if at == SLEEP:
            sleep_again(m, t, w, gp)
        elif at == MAIN:
            waitgroup_add(m, t, w.done, w.goroutines)
            for i in range(w.goroutines):
                if is_over(m, t):
                    break
                go(m, t, SLEEP, i)
            go_on(m, t, gp, WAIT)
        elif waitgroup_wait(m, t, w.done) == DONE:
            main_returns(m, t)


@kernel
def sleep_again(m, t, w, gp):
    count, now = load64(m, t, variable(m, t, gp, COUNT)), m.core[m.thread[t].core].cycles
    if count:
        w.late += now - load64(m, t, variable(m, t, gp, UNTIL))
    if count == w.rounds:
        waitgroup_add(m, t, w.done, -1)
        goexit(m, t, gp)
        return
    cycles = w.draws[(load64(m, t, variable(m, t, gp, NUMBER)) * 31 + count) % DRAWS]
    store64(m, t, variable(m, t, gp, COUNT), count + 1)
    store64(m, t, variable(m, t, gp, UNTIL), now + cycles)
    sleep(m, t, cycles)

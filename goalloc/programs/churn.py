"""goroutine-churn: every P starts goroutines that call a few functions deep and end.

A goroutine needs a g and a stack of 2 KiB; deep calls make the stack grow, and a stack that has grown is freed at the end. A
step is one goroutine started, one call, or one end.
"""

from hwmem._jit import call_door
from hwmem.programs.registry import parameter
from goalloc import params as P
from goalloc.sched.proc import GOEXIT, NEWG
from goalloc.programs.start import GOMAXPROCS, count_step, next_m, outcome, start
from goalloc.heap.stack import CALL
from goalloc.programs.registry import workload

CURRENT, DEPTH = 2, 3  # a thread's registers


def place(w, space):
    start(w, space)


def read(w, space):
    return outcome(w, space, w.gomaxprocs * w.goroutines)


@workload(
    "goroutine-churn",
    "every P starts goroutines that call a few functions deep and end",
    setup=place,
    values=read,
    operation="goroutine",
    scale="gomaxprocs",
    gomaxprocs=GOMAXPROCS,
    goroutines=parameter(1_000, "goroutines that each P starts"),
    depth=parameter(8, "calls of each, one inside the other", 0),
    frame=parameter(312, "bytes of a function's frame", 0, 1 << 20),
)
def goroutine_churn(m, w):
    while True:
        t = next_m(m, w)
        if t < 0:
            return
        r = m.thread[t].local
        if r[CURRENT] == 0:
            r[CURRENT] = call_door(m, P.DOOR_PROC, t, NEWG, 0, 0)
        elif r[DEPTH] < w.depth:
            call_door(m, P.DOOR_STACK, t, CALL, r[CURRENT], w.frame)
            r[DEPTH] += 1
        else:
            call_door(m, P.DOOR_PROC, t, GOEXIT, r[CURRENT], 0)
            r[CURRENT] = r[DEPTH] = 0
            count_step(m, t, w.goroutines)

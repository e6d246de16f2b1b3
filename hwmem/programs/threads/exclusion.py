"""Mutual exclusion by loads and stores alone, which works only if a store becomes visible before the following load.

    peterson    flag[i] = 1; turn = other; FENCE; while flag[other] and turn == other: wait; ...; flag[i] = 0
    dekker      flag[i] = 1; FENCE; while flag[other]: if turn is other's: flag[i] = 0, wait for it, flag[i] = 1, FENCE

Without the fence both threads' flags may still be in their store buffers when each looks at the other's: both go in.
They meet before each try and set out at nearly the same moment, a few cycles this way or that, for that is when it
matters. Inside they add to a counter by a load and, a step later, a store, so that additions are lost; `together` counts how often
a thread went in while the other was inside (noted outside the emulated machine).

Sources: Dijkstra, "Cooperating sequential processes", 1965; Peterson, "Myths about the mutual exclusion problem", 1981.
"""

from hwmem.kernels import compute, fetch_add64, finish, kernel, load64, load_acquire64, mfence, next_thread, store64, store_release64
from hwmem.programs.registry import parameter, workload

ALGORITHMS = ("peterson", "dekker")
PETERSON, DEKKER = range(2)
RANK, COUNT, STATE, VALUE, CHANCE = range(5)  # a thread's registers
MEET, SET_OUT, RAISE, GIVE_WAY, FENCE, LOOK, LOOK_AT_TURN, AWAIT_TURN, READ, WRITE, PASS_TURN, LOWER = range(12)  # its states
SPACING = 64  # bytes between the flags
SPREAD = 300  # cycles between their setting out, at most
INSIDE = 100  # cycles from the load of the counter to the store


def place(w, space):
    w.threads = 2
    w.flags = space.map("flags", 2 * SPACING, element=SPACING)
    w.turn = space.map("turn", 8)
    w.counter = space.map("counter", 8)
    w.met = space.map("met", 8)
    w.inside = w.together = 0


def read(w, space):
    return {"counter": space.load(w.counter), "expected": 2 * w.iterations, "together": w.together, "operations": 2 * w.iterations}


@workload(
    "mutual-exclusion",
    "two threads keep each other out by loads and stores: Peterson's algorithm, or Dekker's",
    setup=place,
    values=read,
    operation="critical section",
    against=("fence", (True, False)),
    algorithm=parameter("peterson", "the algorithm", choices=ALGORITHMS),
    fence=parameter(True, "an mfence after raising the flag"),
    iterations=parameter(2_000, "critical sections of a thread"),
)
def mutual_exclusion(m, w):
    while True:
        t = next_thread(m)
        if t < 0:
            return
        r = m.thread[t].local
        if r[STATE] < RAISE:
            r[STATE] = meet(m, t, w, r)
        elif r[STATE] < READ:
            r[STATE] = enter(m, t, w, r)
            w.together += r[STATE] == READ and w.inside > 0
            w.inside += r[STATE] == READ
        else:
            r[STATE] = go_on(m, t, w, r)
        if r[COUNT] == w.iterations:
            finish(m, t)


@kernel
def meet(m, t, w, r):
    """One step of waiting for the other thread; the next state. The last wait is random (Numerical Recipes, 7.1)."""
    if r[STATE] == MEET:
        fetch_add64(m, t, w.met, 1)
        return SET_OUT
    if load_acquire64(m, t, w.met) < 2 * (r[COUNT] + 1):
        return SET_OUT
    load64(m, t, w.flags + SPACING * (1 - r[RANK]))  # down; but to raise it takes its line from us again
    r[CHANCE] = (r[CHANCE] * 1664525 + 1013904223 + r[RANK]) & 0xFFFF_FFFF
    compute(m, t, (r[CHANCE] >> 16) % SPREAD)
    return RAISE


@kernel
def enter(m, t, w, r):
    """One step on the way in; the next state."""
    state, other = r[STATE], 1 - r[RANK]
    if state == RAISE:
        store64(m, t, w.flags + SPACING * r[RANK], 1)
        return GIVE_WAY if w.algorithm == PETERSON else FENCE
    if state == GIVE_WAY:
        store64(m, t, w.turn, other)
        return FENCE
    if state == FENCE:
        if w.fence:
            mfence(m, t)
        return LOOK
    if state == LOOK:
        return LOOK_AT_TURN if load_acquire64(m, t, w.flags + SPACING * other) else READ
    mine = load_acquire64(m, t, w.turn) == r[RANK]
    if w.algorithm == PETERSON:
        return READ if mine else LOOK
    if state == AWAIT_TURN:
        return RAISE if mine else AWAIT_TURN
    if mine:
        return LOOK
    store64(m, t, w.flags + SPACING * r[RANK], 0)
    return AWAIT_TURN


@kernel
def go_on(m, t, w, r):
    """One step of the critical section, or out of it; the next state."""
    state = r[STATE]
    if state == READ:
        r[VALUE] = load64(m, t, w.counter)
        compute(m, t, INSIDE)
        return WRITE
    if state == WRITE:
        store64(m, t, w.counter, r[VALUE] + 1)
        return PASS_TURN if w.algorithm == DEKKER else LOWER
    if state == PASS_TURN:
        store_release64(m, t, w.turn, 1 - r[RANK])
        return LOWER
    store_release64(m, t, w.flags + SPACING * r[RANK], 0)
    w.inside -= 1
    r[COUNT] += 1
    return MEET

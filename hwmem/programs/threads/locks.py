"""Spin locks: four of them around the same critical section.

    test-and-set   exchange the word with 1 until it was 0: every try takes the line
    ttas           look first, and try when it is 0: waiters share the line until it is let go, then all try
    ticket         draw a number, wait until it is served: one atomic, in order of arrival, all wait at one word
    mcs            a queue of waiters, each waiting at a word of its own: a hand-over moves one line

    lock:  word                           test-and-set, ttas
           next ticket, now serving       ticket, two words of one line
           tail of the queue              mcs; a thread's node, next and waits, has a line of its own

A step is one or two accesses: an attempt, a look, or one of the critical section's. The section adds to a counter by a
load and, a step later, a store; were two threads inside at once, additions would be lost.

Sources: Anderson, "The performance of spin lock alternatives", 1990; Mellor-Crummey and Scott, "Algorithms for
scalable synchronization on shared-memory multiprocessors", 1991.

Waiting is by acquire loads and letting go by release stores, as real locks need where stores may pass each other.
"""

from hwmem.kernels import (
    compare_exchange64,
    compute,
    exchange64,
    fetch_add64,
    finish,
    kernel,
    load64,
    load_acquire64,
    next_thread,
    store64,
    store_release64,
)
from hwmem.programs.meter import next_random
from hwmem.programs.registry import parameter, workload

LOCKS = ("test-and-set", "ttas", "ticket", "mcs")
TEST_AND_SET, TTAS, TICKET, MCS = range(4)
RANK, COUNT, STATE, VALUE, DONE_INSIDE, MY_TICKET, RANDOM = range(7)  # a thread's registers
ENTER, WAIT, READ, WRITE, LEAVE, HAND_OVER = range(6)  # its states
NODE_BYTES = 64  # of mcs: next at 0, waits at 8


def place_lock(w, space):
    w.word = space.map("lock", 16)
    w.nodes = space.map("nodes", w.threads * NODE_BYTES, element=NODE_BYTES)
    w.counter = space.map("counter", 8)
    w.last, w.hand_overs, w.random = -1, 0, int(space.random.integers(1 << 31))


def read_lock(w, space):
    expected = w.threads * w.iterations * w.additions
    return {"counter": space.load(w.counter), "expected": expected, "hand_overs": w.hand_overs, "operations": w.threads * w.iterations}


@workload(
    "spin-lock",
    "threads add to a counter under a spin lock: test-and-set, ttas, ticket or mcs",
    setup=place_lock,
    values=read_lock,
    operation="critical section",
    against=("lock", LOCKS),
    scale="threads",
    threads=parameter(4, "threads; thread i runs on core i, modulo the cores", 1, 64),
    lock=parameter("test-and-set", "which lock", choices=LOCKS),
    iterations=parameter(5_000, "critical sections of a thread"),
    additions=parameter(1, "additions to the counter in one critical section"),
    outside=parameter(100, "cycles of other work between critical sections, on average", 0),
    jitter=parameter(50, "percent by which these differ at most, drawn by the seed; 0: threads may go in lock-step", 0, 100),
)
def spin_lock(m, w):
    while True:
        t = next_thread(m)
        if t < 0:
            return
        r = m.thread[t].local
        state = r[STATE]
        if state == ENTER:
            r[STATE] = enter(m, t, w, r)
        elif state == WAIT:
            r[STATE] = wait(m, t, w, r)
        elif state == READ:
            r[VALUE] = load64(m, t, w.counter)
            r[STATE] = WRITE
        elif state == WRITE:
            store64(m, t, w.counter, r[VALUE] + 1)
            r[DONE_INSIDE] += 1
            r[STATE] = LEAVE if r[DONE_INSIDE] == w.additions else READ
        elif leave(m, t, w, r):
            r[STATE], r[DONE_INSIDE] = ENTER, 0
            note_hand_over(w, r)
            compute(m, t, work_outside(w, r))
            r[COUNT] += 1
            if r[COUNT] == w.iterations:
                finish(m, t)


@kernel
def note_hand_over(w, r):
    """Count, outside the emulated machine, how often the lock went to another thread than before."""
    if w.last != r[RANK]:
        w.hand_overs += 1
        w.last = r[RANK]


@kernel
def work_outside(w, r):
    """Cycles until the thread wants the lock again. On a processor no two rounds take the same; without that, rounds that
    fit the time of a hand-over would keep the lock with one thread, or pass it round, for ever."""
    span = w.outside * w.jitter // 100
    r[RANDOM] = next_random(r[RANDOM] if r[COUNT] > 0 else w.random + 7919 * r[RANK])
    return w.outside - span + (r[RANDOM] >> 8) % (2 * span + 1)


@kernel
def enter(m, t, w, r):
    """The first thing a thread does for the lock; its next state."""
    if w.lock == TEST_AND_SET:
        return ENTER if exchange64(m, t, w.word, 1) else READ
    if w.lock == TTAS:
        return WAIT if exchange64(m, t, w.word, 1) else READ
    if w.lock == TICKET:
        r[MY_TICKET] = fetch_add64(m, t, w.word, 1)
        return WAIT
    node = w.nodes + r[RANK] * NODE_BYTES
    store64(m, t, node, 0)
    store64(m, t, node + 8, 1)
    before = exchange64(m, t, w.word, node)
    if before == 0:
        return READ
    store_release64(m, t, before, node)
    return WAIT


@kernel
def wait(m, t, w, r):
    """One look at what the thread waits for; its next state."""
    if w.lock == TTAS:
        return WAIT if load_acquire64(m, t, w.word) else ENTER
    if w.lock == TICKET:
        return READ if load_acquire64(m, t, w.word + 8) == r[MY_TICKET] else WAIT
    return WAIT if load_acquire64(m, t, w.nodes + r[RANK] * NODE_BYTES + 8) else READ


@kernel
def leave(m, t, w, r):
    """Let the lock go; False if that takes another step (mcs, while a newcomer has not linked itself in)."""
    if w.lock == TICKET:
        store_release64(m, t, w.word + 8, r[MY_TICKET] + 1)
        return True
    if w.lock != MCS:
        store_release64(m, t, w.word, 0)
        return True
    node = w.nodes + r[RANK] * NODE_BYTES
    after = load_acquire64(m, t, node)
    if after == 0 and r[STATE] == LEAVE and compare_exchange64(m, t, w.word, node, 0) == node:
        return True
    r[STATE] = HAND_OVER
    if after == 0:
        return False
    store_release64(m, t, after + 8, 0)
    return True

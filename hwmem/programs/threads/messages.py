"""Two threads that hand data to each other: ping-pong over one word, and a ring of slots.

ping-pong: both wait at one word until it is their turn, then make it the other's. Half a round is what
"core-to-core latency" means; with `atomic` the turn is taken by compare-and-swap, over and over, as the benchmark
of that name does (nviennot, core-to-core-latency), else the waiting is by loads.

producer-consumer: Lamport's ring, one producer and one consumer, with no lock: `tail` counts what was put in, `head`
what was taken out. Each thread writes one of them and reads both, so where they lie is what `spacing` asks. They are written by
release stores, so that a slot is filled (emptied) before the count says so, under any ordering.

    head     tail              slot 0  1  2  ...
    | 17 |...| 20 |            |  |17|18|19|  |

With wait="futex" a thread that finds the ring empty or full blocks. The other one wakes it after the step that ends
that state; between its store and its look at the other index stands an mfence, without which both may miss each other.
Sources: Lamport, "Specifying concurrent program modules", 1983.
"""

from hwmem.kernels import (
    compare_exchange64,
    finish,
    futex_wait,
    futex_wake,
    kernel,
    load64,
    load_acquire64,
    mfence,
    next_thread,
    store64,
    store_release64,
)
from hwmem.programs.registry import parameter, workload

RANK, COUNT, SUM, DISORDER = range(4)  # a thread's registers
SPIN, FUTEX = range(2)
WAITS = ("spin", "futex")
PRODUCER = 0


def place_turn(w, space):
    w.threads = 2
    w.turn = space.map("turn", 8)


def read_turn(w, space):
    return {"turns": space.load(w.turn), "operations": 2 * w.rounds}


@workload(
    "ping-pong",
    "two threads take turns at one word: core-to-core latency",
    setup=place_turn,
    values=read_turn,
    operation="turn",
    against=("atomic", (True, False)),
    rounds=parameter(20_000, "turns each thread takes"),
    atomic=parameter(True, "wait by compare-and-swap, else by loads"),
)
def ping_pong(m, w):
    while True:
        t = next_thread(m)
        if t < 0:
            return
        r = m.thread[t].local
        mine = 2 * r[COUNT] + r[RANK]
        if w.atomic:
            if compare_exchange64(m, t, w.turn, mine, mine + 1) != mine:
                continue
        elif load_acquire64(m, t, w.turn) != mine:
            continue
        else:
            store_release64(m, t, w.turn, mine + 1)
        r[COUNT] += 1
        if r[COUNT] == w.rounds:
            finish(m, t)


def place_ring(w, space):
    w.threads = 2
    w.head = space.map(None, w.spacing + 8)
    w.tail = w.head + w.spacing
    space.symbol("head", w.head, 8)
    space.symbol("tail", w.tail, 8)
    w.slots = space.map("slots", 8 * w.capacity)
    w.result = space.map("result", 16)


def read_ring(w, space):
    total, disorder = space.read(w.result, 2)
    return {"taken": space.load(w.head), "sum": total, "out_of_order": disorder, "operations": 2 * w.items}


@workload(
    "producer-consumer",
    "one thread fills a ring of slots, another empties it",
    setup=place_ring,
    values=read_ring,
    operation="transfer",
    against=("spacing", (64,)),
    items=parameter(50_000, "values handed over"),
    capacity=parameter(64, "slots of 8 bytes", 1, 1 << 20),
    spacing=parameter(8, "bytes from head to tail", 8, 4096),
    wait=parameter("spin", "how a thread waits", choices=WAITS),
)
def producer_consumer(m, w):
    while True:
        t = next_thread(m)
        if t < 0:
            return
        r = m.thread[t].local
        if r[RANK] == PRODUCER:
            done = put(m, t, w, r)
        else:
            done = take(m, t, w, r)
        if done:
            finish(m, t)


@kernel
def put(m, t, w, r):
    """One attempt to put the next value, its number, into the ring; True when all are in."""
    head, tail = load_acquire64(m, t, w.head), r[COUNT]
    if tail - head == w.capacity:
        if w.wait == FUTEX:
            futex_wait(m, t, w.head, head)
        return False
    store64(m, t, w.slots + tail % w.capacity * 8, tail)
    store_release64(m, t, w.tail, tail + 1)
    r[COUNT] += 1
    if w.wait == FUTEX:
        mfence(m, t)
        if load_acquire64(m, t, w.head) == tail:
            futex_wake(m, t, w.tail, 1)
    return r[COUNT] == w.items


@kernel
def take(m, t, w, r):
    """One attempt to take the next value; True when all are out, and what came is written to `result`."""
    head, tail = r[COUNT], load_acquire64(m, t, w.tail)
    if head == tail:
        if w.wait == FUTEX:
            futex_wait(m, t, w.tail, tail)
        return False
    value = load64(m, t, w.slots + head % w.capacity * 8)
    store_release64(m, t, w.head, head + 1)
    r[SUM] += value
    r[DISORDER] += value != head
    r[COUNT] += 1
    if w.wait == FUTEX:
        mfence(m, t)
        if load_acquire64(m, t, w.tail) - head == w.capacity:
            futex_wake(m, t, w.head, 1)
    if r[COUNT] < w.items:
        return False
    store64(m, t, w.result, r[SUM])
    store64(m, t, w.result + 8, r[DISORDER])
    return True

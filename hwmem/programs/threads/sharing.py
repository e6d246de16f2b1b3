"""Counters, apart and shared: what false sharing and true sharing cost.

    stride 8, one line:       | 0 | 1 | 2 | 3 |   |   |   |   |      every increment takes the line from another core
    stride 64, a line each:   | 0 |   ...     | 1 |   ...            every increment hits

In false-sharing the threads never touch each other's data: only their counters' places make the line travel. In
true-sharing they add to one word, and no placement helps. There a plain increment is two steps, a load and a
store, so that another thread's may come between them and be lost, as on hardware.

Sources: Linux perf-c2c(1); LMAX Disruptor technical paper, 2011, table 1 (a contended counter).
"""

from hwmem.kernels import fetch_add64, finish, load64, next_thread, store64
from hwmem.programs.registry import parameter, workload

RANK, COUNT, VALUE, HAS_LOADED = range(4)  # a thread's registers
THREADS = parameter(4, "threads; thread i runs on core i, modulo the cores", 1, 64)
ITERATIONS = parameter(100_000, "increments a thread makes")


def place_counters(w, space):
    w.counters = space.map("counters", w.threads * w.stride, element=w.stride)


def read_counters(w, space):
    counters = [space.load(w.counters + i * w.stride) for i in range(w.threads)]
    return {"counters": counters, "operations": sum(counters)}


@workload(
    "false-sharing",
    "threads increment counters of their own, side by side or padded apart",
    setup=place_counters,
    values=read_counters,
    operation="increment",
    against=("stride", (64,)),
    scale="threads",
    threads=THREADS,
    stride=parameter(8, "bytes from one counter to the next", 8, 4096),
    iterations=ITERATIONS,
    atomic=parameter(False, "a locked increment, else a load and a store"),
)
def false_sharing(m, w):
    while True:
        t = next_thread(m)
        if t < 0:
            return
        r = m.thread[t].local
        counter = w.counters + r[RANK] * w.stride
        if w.atomic:
            fetch_add64(m, t, counter, 1)
        else:
            store64(m, t, counter, load64(m, t, counter) + 1)
        r[COUNT] += 1
        if r[COUNT] == w.iterations:
            finish(m, t)


def place_counter(w, space):
    w.counter = space.map("counter", 8)


def read_counter(w, space):
    counter, made = space.load(w.counter), w.threads * w.iterations
    return {"counter": counter, "lost": made - counter, "operations": made}


@workload(
    "true-sharing",
    "threads increment one counter, atomically or losing updates",
    setup=place_counter,
    values=read_counter,
    operation="increment",
    against=("atomic", (True, False)),
    scale="threads",
    threads=THREADS,
    iterations=ITERATIONS,
    atomic=parameter(True, "a locked increment, else a load and, a step later, a store"),
)
def true_sharing(m, w):
    while True:
        t = next_thread(m)
        if t < 0:
            return
        r = m.thread[t].local
        if w.atomic:
            fetch_add64(m, t, w.counter, 1)
            r[COUNT] += 1
        elif r[HAS_LOADED]:
            store64(m, t, w.counter, r[VALUE] + 1)
            r[HAS_LOADED] = 0
            r[COUNT] += 1
        else:
            r[VALUE] = load64(m, t, w.counter)
            r[HAS_LOADED] = 1
        if r[COUNT] == w.iterations:
            finish(m, t)

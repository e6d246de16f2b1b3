"""The allocator benchmarks of Hoard's authors as goroutines, one a P at a time.

    threadtest    each allocates a batch of objects and drops it, again and again
    larson        a server: each replaces random objects of an array, and after some rounds hands the array to a new goroutine

A dropped object is garbage that nothing collects: what is compared is allocation and its contention. A step is one object.
Sources: Berger, McKinley, Blumofe, Wilson, 2000 (threadtest); Larson, Krishnan, 1998 (larson 10 7 8 1000 10000 1 P).
"""

from hwmem.kernels import is_over, kernel, load64, store64
from hwmem.programs.registry import parameter
from goalloc.kernels import DONE, go, goexit, mallocgc, waitgroup_add, waitgroup_wait
from goalloc.programs.goroutines import MAIN, go_on, main_returns, next_goroutine, place_waitgroup, start_main, variable, where
from goalloc.programs.start import GOMAXPROCS, outcome
from goalloc.types import pointer
from goalloc.programs.registry import workload

WAIT, WORK = 1, 2
BATCH, COUNT, GENERATION, DRAWN = range(4)  # a goroutine's variables; BATCH: the address of its array, larson's argument
DRAWS = 1 << 16


def place_goroutines(w, space):
    w.typ = start_main(w, space).type_address(pointer)
    w.done = place_waitgroup(space, "WaitGroup")


def read_threadtest(w, space):
    return outcome(w, space, w.goroutines * w.rounds * (w.objects // w.goroutines))


@workload(
    "threadtest",
    "goroutines allocate batches of objects and drop them",
    setup=place_goroutines,
    values=read_threadtest,
    operation="object",
    scale="gomaxprocs",
    gomaxprocs=GOMAXPROCS,
    goroutines=parameter(4, "goroutines", 1, 10_000),
    rounds=parameter(10, "batches of each"),
    objects=parameter(8_000, "objects of a round, over all goroutines"),
    size=parameter(8, "bytes of an object", 8, 1 << 20),
)
def threadtest(m, w):
    while True:
        t, gp = next_goroutine(m, w)
        if t < 0:
            return
        place = where(m, t, gp)
        if place == WORK:
            fill(m, t, w, gp)
        elif place == MAIN:
            waitgroup_add(m, t, w.done, w.goroutines)
            for _ in range(w.goroutines):
                if is_over(m, t):
                    break
                go(m, t, WORK, 0)
            go_on(m, t, gp, WAIT)
        elif waitgroup_wait(m, t, w.done) == DONE:
            main_returns(m, t)


@kernel
def fill(m, t, w, gp):
    """One object of the batch, or a new batch."""
    n, batch, count = w.objects // w.goroutines, variable(m, t, gp, BATCH), variable(m, t, gp, COUNT)
    done = load64(m, t, count)
    if done == n * w.rounds:
        waitgroup_add(m, t, w.done, -1)
        goexit(m, t, gp)
        return
    if done % n == 0:
        store64(m, t, batch, mallocgc(m, t, 8 * n, w.typ))
    x = mallocgc(m, t, w.size, 0)
    if x == 0:
        return
    store64(m, t, x, done)
    store64(m, t, load64(m, t, batch) + done % n * 8, x)
    store64(m, t, count, done + 1)


def place_larson(w, space):
    if w.largest < w.smallest:
        raise ValueError(f"larson.largest: smaller than larson.smallest, {w.smallest}")
    place_goroutines(w, space)
    w.draws = space.random.integers(0, 1 << 30, DRAWS)


def read_larson(w, space):
    return outcome(w, space, w.gomaxprocs * (w.chunks + w.rounds * w.generations))


@workload(
    "larson",
    "a server: goroutines replace random objects of an array and hand it to a new goroutine",
    setup=place_larson,
    values=read_larson,
    operation="object",
    scale="gomaxprocs",
    gomaxprocs=GOMAXPROCS,
    generations=parameter(5, "goroutines, one after another, that an array passes through"),
    smallest=parameter(7, "bytes of the smallest object", 1, 1 << 20),
    largest=parameter(8, "bytes of the largest", 1, 1 << 20),
    chunks=parameter(1_000, "objects of an array"),
    rounds=parameter(1_000, "objects that each goroutine replaces"),
)
def larson(m, w):
    while True:
        t, gp = next_goroutine(m, w)
        if t < 0:
            return
        place = where(m, t, gp)
        if place == WORK:
            replace(m, t, w, gp)
        elif place == MAIN:
            waitgroup_add(m, t, w.done, w.gomaxprocs)
            for i in range(w.gomaxprocs):
                hand_on(m, t, go(m, t, WORK, mallocgc(m, t, 8 * w.chunks, w.typ)), i * 9973)
            go_on(m, t, gp, WAIT)
        elif waitgroup_wait(m, t, w.done) == DONE:
            main_returns(m, t)


@kernel
def hand_on(m, t, gp, drawn):
    """How many random numbers the array's goroutines have drawn, for the next of them."""
    store64(m, t, variable(m, t, gp, DRAWN), drawn)


@kernel
def replace(m, t, w, gp):
    """A new object in place of a random one; the first generation fills the array before."""
    array, count = load64(m, t, variable(m, t, gp, BATCH)), load64(m, t, variable(m, t, gp, COUNT))
    generation, drawn = load64(m, t, variable(m, t, gp, GENERATION)), load64(m, t, variable(m, t, gp, DRAWN))
    first = w.chunks if generation == 0 else 0
    if count == first + w.rounds:
        end_generation(m, t, w, gp, array, generation)
        return
    draw = w.draws[drawn % DRAWS]
    slot = count if count < first else draw % w.chunks
    x = mallocgc(m, t, w.smallest + (draw >> 14) % (w.largest - w.smallest + 1), 0)
    if x:
        store64(m, t, array + 8 * slot, x)
        store64(m, t, variable(m, t, gp, COUNT), count + 1)
        store64(m, t, variable(m, t, gp, DRAWN), drawn + 1)


@kernel
def end_generation(m, t, w, gp, array, generation):
    if generation + 1 == w.generations:
        waitgroup_add(m, t, w.done, -1)
    else:
        heir = go(m, t, WORK, array)
        store64(m, t, variable(m, t, heir, GENERATION), generation + 1)
        hand_on(m, t, heir, load64(m, t, variable(m, t, gp, DRAWN)))
    goexit(m, t, gp)

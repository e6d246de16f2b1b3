"""Programs with much concurrent work during collections, or much time between them.

    parallel-marking    runtime.GC() again and again on a table of small objects, while all Ps are free to mark
    many-goroutines     goroutines that each allocate, keep some of it and give their P to the next
    idle-after-spike    a heap that was large once: main drops it, collects, and sleeps; what goes back to the kernel meanwhile

They begin as a small Go process does (process.py). A step is one allocation, one call, or one turn of a call that waits.
"""

import numpy as np

from hwmem.kernels import is_over, kernel, load64, store64
from hwmem.programs.registry import parameter
from goalloc import params as P
from goalloc.kernels import DONE, gc, go, goexit, gosched, mallocgc, sleep, waitgroup_add, waitgroup_wait, write_pointer
from goalloc.layout import gcControllerState, variables as V
from goalloc.programs.collected import CHURN, COLLECT, ENDED, FILL, WAIT, end_main, fill_slot, make_slots, place, read_steady
from goalloc.programs.goroutines import MAIN, go_on, next_goroutine, place_waitgroup, variable, where
from goalloc.programs.process import BACKGROUND, OVERLAPPED
from goalloc.programs.registry import workload
from goalloc.programs.start import GOMAXPROCS, outcome
from goalloc.types import Type, array, pointer

WORKING = 9  # a place in a program, beside those of collected.py
LEFT, OLDEST = 1, 2  # a goroutine's variables
TREE_SIZE, PAGE = 16, 4096


# parallel-marking


def place_marking(w, space):
    w.size, w.noscan = TREE_SIZE, False
    place(w, space)
    w.typ, w.forced = space.runtime.type_address(array(pointer, 2)), 0


@workload(
    "parallel-marking",
    "main fills a table with objects of 16 bytes and calls runtime.GC() again and again",
    setup=place_marking,
    values=read_steady,
    operation="object",
    machine=OVERLAPPED,
    gomaxprocs=GOMAXPROCS,
    objects=parameter(20_000, "objects that live, two pointers each"),
    cycles=parameter(4, "calls of runtime.GC()"),
    background=BACKGROUND,
)
def parallel_marking(m, w):
    while True:
        t, gp = next_goroutine(m, w)
        if t < 0:
            return
        step = where(m, t, gp)
        if step == MAIN:
            make_slots(m, t, w, w.objects)
            go_on(m, t, gp, FILL)
        elif w.done < w.objects:
            fill_slot(m, t, w, w.done)
        elif w.forced == w.cycles:
            end_main(m, t, w)
        elif gc(m, t) == DONE:
            w.forced += 1


# many-goroutines


def place_goroutines(w, space):
    place(w, space)
    w.typ = space.runtime.type_address(Type("object", w.size, 8, (0,)))
    w.ended = place_waitgroup(space, "ended")


@workload(
    "many-goroutines",
    "goroutines allocate objects, keep the last two of them, and yield after each",
    setup=place_goroutines,
    values=read_steady,
    operation="object",
    machine=OVERLAPPED,
    gomaxprocs=GOMAXPROCS,
    goroutines=parameter(200, "goroutines", 1, 1 << 20),
    objects=parameter(200, "objects of each"),
    size=parameter(256, "bytes of an object", 8, 1 << 30),
    background=BACKGROUND,
)
def many_goroutines(m, w):
    while True:
        t, gp = next_goroutine(m, w)
        if t < 0:
            return
        step = where(m, t, gp)
        if step == MAIN:
            waitgroup_add(m, t, w.ended, w.goroutines)
            for _ in range(w.goroutines):
                if is_over(m, t):
                    break
                go(m, t, WORKING, 0)
            go_on(m, t, gp, WAIT)
        elif step == WORKING:
            work(m, t, w, gp)
        elif step == WAIT:
            if waitgroup_wait(m, t, w.ended) == DONE:
                go_on(m, t, gp, ENDED)
        else:
            end_main(m, t, w)


@kernel
def work(m, t, w, gp):
    """A goroutine's object, which points to the one before and is in its variable; its variables are on its stack."""
    count, newest = variable(m, t, gp, LEFT), variable(m, t, gp, OLDEST)
    n = load64(m, t, count)
    if n == w.objects:
        waitgroup_add(m, t, w.ended, -1)
        goexit(m, t, gp)
        return
    x, before = mallocgc(m, t, w.size, w.typ), load64(m, t, newest)
    if x == 0:
        return
    if before:
        write_pointer(m, t, before, 0)
    write_pointer(m, t, x, before)
    store64(m, t, newest, x)
    store64(m, t, count, n + 1)
    w.done += 1
    gosched(m, t)


# idle-after-spike


def place_spike(w, space):
    w.noscan = True
    place(w, space)
    w.sampled, w.forced = 0, 0
    w.released, w.resident, w.at = (np.zeros(w.samples + 1, np.int64) for _ in range(3))


def read_spike(w, space):
    """`samples`: after the collections, and then after each interval, (ms, bytes that went back, resident bytes)."""
    ms = w.at * 1000 / (space.process.machine.config.frequency_ghz * 1e9)
    rows = list(zip((ms - ms[0]).round(1).tolist(), w.released.tolist(), (w.resident * PAGE).tolist()))
    return outcome(w, space, w.done) | {"samples": rows[: w.sampled]}


@kernel
def sample(m, t, w):
    """What has gone back, and what the process has of the machine's memory."""
    w.at[w.sampled] = m.core[m.thread[t].core].cycles
    w.released[w.sampled] = load64(m, t, V.gcController + gcControllerState.heapReleased)
    p = m.process[m.thread[t].process]
    w.resident[w.sampled] = p.anon + p.file + p.shared
    w.sampled += 1


@workload(
    "idle-after-spike",
    "main fills a heap, drops it, collects, and sleeps while the scavenger gives memory back",
    setup=place_spike,
    values=read_spike,
    operation="object",
    machine=OVERLAPPED,
    gomaxprocs=GOMAXPROCS,
    slots=parameter(4_096, "objects of the spike"),
    size=parameter(4_096, "bytes of each, every page written", 8, 1 << 30),
    collections=parameter(2, "calls of runtime.GC() after it"),
    samples=parameter(40, "looks at what has gone back", 1, 10_000),
    interval=parameter(500, "milliseconds between two", 1, 1 << 30),
    background=BACKGROUND,
)
def idle_after_spike(m, w):
    while True:
        t, gp = next_goroutine(m, w)
        if t < 0:
            return
        step = where(m, t, gp)
        if step == MAIN:
            make_slots(m, t, w, w.slots)
            go_on(m, t, gp, FILL)
        elif step == FILL:
            if w.done == w.slots:
                write_pointer(m, t, w.root, 0)
                go_on(m, t, gp, COLLECT)
            else:
                fill_and_touch(m, t, w)
        elif step == COLLECT:
            if gc(m, t) == DONE:
                w.forced += 1
                if w.forced == w.collections:
                    go_on(m, t, gp, CHURN)
        elif w.sampled <= w.samples:
            sample(m, t, w)
            sleep(m, t, w.interval * m.process[m.thread[t].process].guest[P.MILLISECOND])
        else:
            end_main(m, t, w)


@kernel
def fill_and_touch(m, t, w):
    """An object of the spike, whose pages are written."""
    i = w.done
    fill_slot(m, t, w, i)
    if w.done > i:
        x = load64(m, t, load64(m, t, w.root) + 8 * i)
        for va in range(x, x + w.size, PAGE):
            store64(m, t, va, 1)

"""Garbage-collected programs: main allocates, the collector runs concurrently.

    steady        replaces random slots of a slice, so that about as much lives as before
    growth        keeps every object                            garbage        drops every object at once
    explicit-gc   calls runtime.GC()                            finalizers     sleeps until objects have been finalized
    goroutine-stacks    goroutines wait, deep in calls, while main makes garbage

They begin as a small Go process does (process.py). A step is one allocation, one call, or one turn of a call that waits.
"""

from hwmem._jit import call_door
from hwmem.kernels import is_over, kernel, load64
from hwmem.programs.registry import parameter
from goalloc import params as P
from goalloc.base.nanotime import nanotime
from goalloc.gc.door import SET_FINALIZER
from goalloc.heap.stack import CALL
from goalloc.kernels import DONE, chanrecv, gc, go, gosched, makechan, mallocgc, sleep, write_pointer
from goalloc.sched.proc import ENTRY_BYTES
from goalloc.programs.goroutines import MAIN, go_on, main_returns, next_goroutine, variable, where
from goalloc.programs.process import BACKGROUND, OVERLAPPED, start_collected_main
from goalloc.programs.registry import workload
from goalloc.programs.start import GOMAXPROCS, outcome
from goalloc.layout import p_
from goalloc.types import Type, int64, pointer

FILL, CHURN, COLLECT, WAIT, DEEPER, ASLEEP, ENDED = range(1, 8)  # places in a program
GARBAGE_SIZE, FINALIZED_SIZE, CLOSURE_SIZE = 1024, 128, 16
# Frames of a goroutine that waits: of what gopark returns to, without the variables above (256 bytes in all); of a function with 128 bytes
# of variables: the caller's frame pointer, room for its arguments. Measured on the real stacks, as the collector scans them
WAITING_FRAME, FRAME = 256 - ENTRY_BYTES - 8, 128 + 8 + 24
STEADY_FRAME = 56  # of the function that replaces an object, with its return address
SIZE = parameter(128, "bytes of an object", 8, 1 << 30)
NOSCAN = parameter(False, "objects have no pointers (else a nil one, at their beginning)")
XORSHIFT = 88172645463325252
OUTPUT_NS = 1_000_000
ROUND_MS = 20  # that main sleeps after a collection until its finalizers have run, as the recorded program did
CLOSURE, CHANNEL = 1, 2  # a waiting goroutine's variables


def place(w, space):
    """The program's root, one global pointer, and the type of its objects."""
    rt = start_collected_main(w, space)
    w.root, w.pointer, w.word = rt.globals(1), rt.type_address(pointer), rt.type_address(int64)
    w.typ = 0
    if not getattr(w, "noscan", True):
        w.typ = rt.type_address(Type("object", w.size, 8, (0,)))
    w.done, w.ending, w.random = 0, 0, XORSHIFT + space.process.machine.seed
    space.symbol("root", w.root, 8)


@kernel
def make_slots(m, t, w, n):
    """The program's slice, of n pointers."""
    x = mallocgc(m, t, 8 * n, w.pointer)
    write_pointer(m, t, w.root, x)


@kernel
def fill_slot(m, t, w, i):
    """A new object in slot i."""
    x = mallocgc(m, t, w.size, w.typ)
    if x:
        write_pointer(m, t, load64(m, t, w.root) + 8 * i, x)
        w.done += 1


@kernel
def draw(w):
    """A pseudorandom number. xorshift64 (Marsaglia, 2003)."""
    x = w.random
    x ^= x << 13
    x ^= x >> 7 & (1 << 57) - 1
    x ^= x << 17
    w.random = x
    return x & (1 << 62) - 1


@kernel
def end_main(m, t, w):
    """main returns; before, while a real program writes its output, a cycle that marks may come to its end."""
    now = nanotime(m, t)
    if w.ending == 0:
        w.ending = now
    if m.process[m.thread[t].process].guest[P.COLLECTOR] & P.MARKING and now - w.ending < OUTPUT_NS:
        gosched(m, t)
    else:
        main_returns(m, t)


def read_steady(w, space):
    return outcome(w, space, w.done)


def fill_and_replace(m, w):
    while True:
        t, gp = next_goroutine(m, w)
        if t < 0:
            return
        if where(m, t, gp) == MAIN:
            make_slots(m, t, w, w.slots)
            go_on(m, t, gp, CHURN)
        elif w.done < w.filled:
            fill_slot(m, t, w, w.done)
        elif w.done < w.filled + w.churn:
            fill_slot(m, t, w, draw(w) % w.slots)
        else:
            end_main(m, t, w)


def place_steady(w, space):
    place(w, space)
    rt = space.runtime
    rt.call(0, P.DOOR_STACK, CALL, rt.process.load(rt.ps[0] + p_.runnext), STEADY_FRAME - 8)
    w.filled = w.slots if w.fill else 0


steady = workload(
    "steady",
    "main replaces random objects of a slice of pointers",
    setup=place_steady,
    values=read_steady,
    operation="object",
    machine=OVERLAPPED,
    gomaxprocs=GOMAXPROCS,
    slots=parameter(65_536, "pointers of the slice"),
    size=SIZE,
    noscan=NOSCAN,
    fill=parameter(True, "every slot is filled first"),
    churn=parameter(200_000, "objects that each replace a random one", 0),
    background=BACKGROUND,
)(fill_and_replace)


def place_growth(w, space):
    place(w, space)
    w.slots = w.filled = w.count
    w.churn = 0


growth = workload(
    "growth",
    "main allocates objects and keeps them all in a slice",
    setup=place_growth,
    values=read_steady,
    operation="object",
    machine=OVERLAPPED,
    gomaxprocs=GOMAXPROCS,
    count=parameter(200_000, "objects"),
    size=SIZE,
    noscan=NOSCAN,
    background=BACKGROUND,
)(fill_and_replace)


@workload(
    "garbage",
    "main allocates objects and drops each at once",
    setup=place,
    values=read_steady,
    operation="object",
    machine=OVERLAPPED,
    gomaxprocs=GOMAXPROCS,
    count=parameter(200_000, "objects"),
    size=SIZE,
    noscan=NOSCAN,
    background=BACKGROUND,
)
def garbage(m, w):
    while True:
        t, gp = next_goroutine(m, w)
        if t < 0:
            return
        if w.done < w.count:
            x = mallocgc(m, t, w.size, w.typ)
            write_pointer(m, t, w.root, x)  # and the one before is garbage
            w.done += 1
        else:
            end_main(m, t, w)


@workload(
    "explicit-gc",
    "main keeps objects without pointers and calls runtime.GC() again and again",
    setup=place,
    values=read_steady,
    operation="collection",
    machine=OVERLAPPED,
    gomaxprocs=GOMAXPROCS,
    objects=parameter(1_024, "objects that live"),
    size=parameter(1_024, "bytes of each", 8, 1 << 30),
    cycles=parameter(20, "calls of runtime.GC()"),
    background=BACKGROUND,
)
def explicit_gc(m, w):
    while True:
        t, gp = next_goroutine(m, w)
        if t < 0:
            return
        place = where(m, t, gp)
        if place == MAIN:
            make_slots(m, t, w, w.objects)
            go_on(m, t, gp, FILL)
        elif place == FILL:
            fill_slot(m, t, w, w.done)
            if w.done == w.objects:
                w.done = 0
                go_on(m, t, gp, COLLECT)
        elif w.done == w.cycles:
            end_main(m, t, w)
        elif gc(m, t) == DONE:
            w.done += 1


# goroutine-stacks


def place_stacks(w, space):
    place(w, space)
    w.size, w.asleep, w.closure = GARBAGE_SIZE, 0, space.runtime.type_address(Type("closure", CLOSURE_SIZE, 8, (0,)))


@workload(
    "goroutine-stacks",
    "goroutines wait deep in calls, main makes garbage",
    setup=place_stacks,
    values=read_steady,
    operation="object",
    machine=OVERLAPPED,
    gomaxprocs=GOMAXPROCS,
    goroutines=parameter(1_000, "goroutines that wait", 1, 1 << 20),
    depth=parameter(20, "calls of each, with frames of 128 bytes", 0, 1 << 16),
    garbage=parameter(50_000, "objects of 1 KiB that main then drops", 0),
    background=BACKGROUND,
)
def goroutine_stacks(m, w):
    while True:
        t, gp = next_goroutine(m, w)
        if t < 0:
            return
        place = where(m, t, gp)
        if place == MAIN:
            go_on(m, t, gp, WAIT)
            for _ in range(w.goroutines):
                if is_over(m, t):
                    break
                go(m, t, DEEPER, 0)
        elif place == DEEPER:
            go_deep(m, t, w, gp)
            go_on(m, t, gp, ASLEEP)
        elif place == ASLEEP:
            chanrecv(m, t, load64(m, t, variable(m, t, gp, CHANNEL)), variable(m, t, gp, 0))
        elif w.asleep < w.goroutines:
            gosched(m, t)
        elif w.done < w.garbage:
            mallocgc(m, t, w.size, 0)
            w.done += 1
        else:
            end_main(m, t, w)


@kernel
def go_deep(m, t, w, gp):
    """The goroutine's closure and the channel that it will wait for, known to no other goroutine; its calls."""
    write_pointer(m, t, variable(m, t, gp, CLOSURE), mallocgc(m, t, CLOSURE_SIZE, w.closure))
    write_pointer(m, t, variable(m, t, gp, CHANNEL), makechan(m, t, w.word, 0))
    for _ in range(w.depth + 1):
        if is_over(m, t):
            return
        call_door(m, P.DOOR_STACK, t, CALL, gp, FRAME)
    call_door(m, P.DOOR_STACK, t, CALL, gp, WAITING_FRAME)
    w.asleep += 1


# finalizers


def place_finalizers(w, space):
    place(w, space)
    w.typ, w.round = space.runtime.type_address(Type("object", FINALIZED_SIZE, 8, (0,))), 0


def read_finalizers(w, space):
    return outcome(w, space, w.done) | {"finalized": finalized(space)}


def finalized(space):
    return int(space.process.machine.state.process[space.process.number].guest[P.FINALIZED])


@workload(
    "finalizers",
    "main drops objects that have finalizers, collects, and sleeps until all have run",
    setup=place_finalizers,
    values=read_finalizers,
    operation="object",
    machine=OVERLAPPED,
    gomaxprocs=GOMAXPROCS,
    rounds=parameter(10, "collections"),
    objects=parameter(1_000, "objects a round"),
    background=BACKGROUND,
)
def finalizers(m, w):
    while True:
        t, gp = next_goroutine(m, w)
        if t < 0:
            return
        place = where(m, t, gp)
        if place == ENDED:
            end_main(m, t, w)
        elif place == MAIN:
            if w.done == w.objects * (w.round + 1):
                go_on(m, t, gp, COLLECT)
            else:
                drop_finalized(m, t, w)
        elif place == COLLECT:
            if gc(m, t) == DONE:
                go_on(m, t, gp, WAIT)
                sleep(m, t, ROUND_MS * m.process[m.thread[t].process].guest[P.MILLISECOND])
        elif m.process[m.thread[t].process].guest[P.FINALIZED] < w.done:
            gosched(m, t)
        else:
            w.round += 1
            go_on(m, t, gp, MAIN if w.round < w.rounds else ENDED)


@kernel
def drop_finalized(m, t, w):
    x = mallocgc(m, t, FINALIZED_SIZE, w.typ)
    if x:
        m.thread[t].guest[P.SIZE] = 0
        call_door(m, P.DOOR_FINALIZER, t, SET_FINALIZER, x, 1)
        w.done += 1

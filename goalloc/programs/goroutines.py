"""Programs whose Ps run goroutines: what their loops call, and channel: producers and consumers.

    t, gp = next_goroutine(m, w)        the thread and the goroutine whose step it is; -1, 0 at the end
    where(m, t, gp)             its place in the program, a number; go_on(m, t, gp, place) changes it
    variable(m, t, gp, i)       address of its variable 0 to 3, on its stack; `go`'s argument is in the first

A goroutine is a state machine: every step does what its place says. A call that returns PARKED is made again.
"""

from hwmem._jit import call_door
from hwmem.kernels import finish, is_over, kernel, load64, store64
from hwmem.programs.registry import parameter
from goalloc import params as P
from goalloc.kernels import CLOSED, DONE, chanrecv, chansend, closechan, go, goexit, makechan, mallocgc, waitgroup_add, waitgroup_wait
from goalloc.observe.inspect import Inspector
from goalloc.layout import WaitGroup, g_, m_
from goalloc.sched.proc import EXIT, NEWPROC, PC, SCHEDULE, VARIABLES_BYTES
from goalloc.programs.start import GOMAXPROCS, RANK, next_of_m, outcome, start
from goalloc.sched.proc_park import sysmon_when_due
from goalloc.heap.stack import HI
from goalloc.observe.symbols import channel, structure
from goalloc.types import int64, pointer
from goalloc.programs.registry import workload

MAIN = 0  # where the first goroutine begins


@kernel
def next_goroutine(m, w):
    """(the thread to run, its goroutine); (-1, 0) when the program has ended."""
    gp = 0
    while gp == 0:
        t = next_of_m(m, w)
        if t < 0:
            return -1, 0
        if m.process[m.thread[t].process].guest[P.EXITED]:
            finish(m, t)
        else:
            gp = load64(m, t, load64(m, t, m.thread[t].guest[P.G] + g_.m) + m_.curg)
            if gp == 0:
                gp = scheduled(m, t)
            else:
                sysmon_when_due(m, t)
                if m.process[m.thread[t].process].guest[P.COLLECTOR] & (P.MARKING | P.SYSTEM):
                    gp = 0 if call_door(m, P.DOOR_CYCLE, t, P.TURN_OF_THREAD, gp, 0) else gp
    return t, gp


@kernel
def scheduled(m, t):
    """The goroutine that the scheduler says, if it is the program's; else 0. One of the collector's comes also where nothing was due before:
    a cycle that two minutes force begins in the scheduler, and the finalizers' goroutine is made by the program."""
    gp = call_door(m, P.DOOR_PROC, t, SCHEDULE, 0, 0)
    guest = m.process[m.thread[t].process].guest
    if gp == 0 or guest[P.COLLECTOR] & (P.MARKING | P.SYSTEM | P.READY) == 0 or where(m, t, gp) >= 0:
        return gp
    if guest[P.COLLECTOR] & P.MARKING == 0:
        guest[P.COLLECTOR] |= P.SYSTEM
    return 0


@kernel
def where(m, t, gp):
    return load64(m, t, gp + PC)


@kernel
def go_on(m, t, gp, place):
    store64(m, t, gp + PC, place)


@kernel
def variable(m, t, gp, i):
    return load64(m, t, gp + HI) - VARIABLES_BYTES + 8 * i


@kernel
def main_returns(m, t):
    call_door(m, P.DOOR_PROC, t, EXIT, 0, 0)


def start_main(w, space, collects=False):
    """Start a program: its first goroutine, at MAIN, waits to run on P 0."""
    rt = start(w, space, collects)
    rt.call(0, P.DOOR_PROC, NEWPROC, MAIN, 0)
    return rt


# channel

PRODUCE, SEND, CONSUME, PRODUCED, CLOSE = range(1, 6)
ITEM, COUNT = 0, 1  # a goroutine's variables


def place_channel(w, space):
    rt = start_main(w, space)
    w.typ, w.word = rt.type_address(pointer), rt.type_address(int64)
    w.channel, w.done, w.produced = 0, place_waitgroup(space, "consumers"), place_waitgroup(space, "producers")
    w.received = w.sum = w.moved = 0


def place_waitgroup(space, name):
    """Address of a WaitGroup on a page of its own; reports name its fields."""
    wg = space.map(None, WaitGroup.sizeof)
    for symbol in structure(name, wg, WaitGroup):
        space.symbol(*symbol)
    return wg


def read_channel(w, space):
    for symbol in channel("channel", Inspector(space.process), w.channel):
        space.symbol(*symbol)
    return outcome(w, space, w.received) | {"received": w.received, "sum": w.sum, "from_other_p": w.moved}


@workload(
    "channel",
    "goroutines allocate objects and send them through a channel to others, on whichever P those run",
    setup=place_channel,
    values=read_channel,
    operation="object",
    scale="gomaxprocs",
    gomaxprocs=GOMAXPROCS,
    producers=parameter(4, "goroutines that allocate and send"),
    consumers=parameter(4, "goroutines that receive"),
    objects=parameter(2_000, "objects each producer sends"),
    buffer=parameter(64, "room in the channel", 0, 1 << 20),
    size=parameter(64, "bytes of an object", 16, 1 << 20),
)
def producer_consumer(m, w):
    while True:
        t, gp = next_goroutine(m, w)
        if t < 0:
            return
        place = where(m, t, gp)
        if place == PRODUCE or place == SEND:
            produce(m, t, w, gp, place)
        elif place == CONSUME:
            consume(m, t, w, gp)
        else:
            main_of_channel(m, t, w, gp, place)


@kernel
def main_of_channel(m, t, w, gp, place):
    """Starts them all, closes the channel when all is sent, and returns when all is received."""
    if place == MAIN:
        w.channel = makechan(m, t, w.typ, w.buffer)
        waitgroup_add(m, t, w.produced, w.producers)
        waitgroup_add(m, t, w.done, w.consumers)
        for i in range(w.producers + w.consumers):
            if is_over(m, t):
                return
            go(m, t, PRODUCE if i < w.producers else CONSUME, 0)
        go_on(m, t, gp, PRODUCED)
    elif place == PRODUCED and waitgroup_wait(m, t, w.produced) == DONE:
        closechan(m, t, w.channel)
        go_on(m, t, gp, CLOSE)
    elif place == CLOSE and waitgroup_wait(m, t, w.done) == DONE:
        main_returns(m, t)


@kernel
def produce(m, t, w, gp, place):
    item, count = variable(m, t, gp, ITEM), variable(m, t, gp, COUNT)
    n = load64(m, t, count)
    if n == w.objects:
        waitgroup_add(m, t, w.produced, -1)
        goexit(m, t, gp)
        return
    if place == PRODUCE:
        x = mallocgc(m, t, w.size, 0)
        if x == 0:
            return
        store64(m, t, x, n)
        store64(m, t, x + 8, m.thread[t].local[RANK])
        store64(m, t, item, x)
        go_on(m, t, gp, SEND)
    if chansend(m, t, w.channel, item) == DONE:
        store64(m, t, count, n + 1)
        go_on(m, t, gp, PRODUCE)


@kernel
def consume(m, t, w, gp):
    item = variable(m, t, gp, ITEM)
    result = chanrecv(m, t, w.channel, item)
    if result == CLOSED:
        waitgroup_add(m, t, w.done, -1)
        goexit(m, t, gp)
    elif result == DONE:
        x = load64(m, t, item)
        w.sum += load64(m, t, x)
        w.received += 1
        w.moved += load64(m, t, x + 8) != m.thread[t].local[RANK]

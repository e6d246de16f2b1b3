"""time.Sleep: a timer a goroutine, in its P's heap of timers; the earliest is the root.

A heap of four children a node, as Go's. The P looks at it whenever it schedules, and an idle one's M sleeps until the root's time.
Times are cycles of the machine, Go's are nanoseconds. Timers are not stolen. Go: time.go timeSleep, siftupTimer, siftdownTimer,
runtimer.
"""
from hwmem import params as H
from hwmem._jit import cold, kernel
from goalloc import params as P
from goalloc.layout import g_, p_, timer, variables as V
from goalloc.malloc import mallocgc
from goalloc.park import goready, gopark
from goalloc.persistentalloc import current_p
from goalloc.slice import append_word
from goalloc.words import get32, get64, put32, put64

TIMERS, LENGTH = p_.timers, p_.timers + 8
TYPE_TIMER, TYPE_POINTER = V.typelinks + 24, V.typelinks + 32            # runtime.py puts them there


@cold
def time_sleep(m, t, cycles):
    """The running goroutine waits for `cycles`."""
    gp, pp = m.thread[t].guest[P.G], current_p(m, t)
    tm = get64(m, t, gp + g_.timer)
    if tm == 0:
        tm = mallocgc(m, t, timer.sizeof, get64(m, t, TYPE_TIMER))
        put64(m, t, gp + g_.timer, tm)
    put64(m, t, tm + timer.when, m.core[m.thread[t].core].cycles + cycles)
    put64(m, t, tm + timer.arg + 8, gp)
    n = get64(m, t, pp + LENGTH)
    if not append_word(m, t, pp + TIMERS, tm, get64(m, t, TYPE_POINTER)):
        return
    put32(m, t, pp + p_.numTimers, n + 1)
    siftup(m, t, get64(m, t, pp + TIMERS), n, tm)
    gopark(m, t, P.waitReasonSleep)


@kernel
def when(m, t, timers, i):
    return get64(m, t, get64(m, t, timers + 8 * i) + timer.when)


@kernel
def siftup(m, t, timers, i, tm):
    """`tm` goes from place `i` towards the root."""
    while i > 0 and get64(m, t, tm + timer.when) < when(m, t, timers, (i - 1) // 4):
        put64(m, t, timers + 8 * i, get64(m, t, timers + 8 * ((i - 1) // 4)))
        i = (i - 1) // 4
    put64(m, t, timers + 8 * i, tm)


@kernel
def siftdown(m, t, timers, n, tm):
    """`tm` goes from the root of `n` timers towards the leaves."""
    i = 0
    while 4 * i + 1 < n:
        child = 4 * i + 1
        for other in range(child + 1, min(child + 4, n)):
            if when(m, t, timers, other) < when(m, t, timers, child):
                child = other
        if when(m, t, timers, child) >= get64(m, t, tm + timer.when):
            break
        put64(m, t, timers + 8 * i, get64(m, t, timers + 8 * child))
        i = child
    put64(m, t, timers + 8 * i, tm)


@kernel
def next_timer(m, t, pp):
    """The cycle of the P's first timer, or NEVER."""
    return when(m, t, get64(m, t, pp + TIMERS), 0) if get32(m, t, pp + p_.numTimers) else H.NEVER


@cold
def check_timers(m, t, pp):
    """Goroutines whose time has come are ready."""
    while next_timer(m, t, pp) <= m.core[m.thread[t].core].cycles:
        timers, n = get64(m, t, pp + TIMERS), get64(m, t, pp + LENGTH) - 1
        gp, last = get64(m, t, get64(m, t, timers) + timer.arg + 8), get64(m, t, timers + 8 * n)
        put64(m, t, timers + 8 * n, 0)
        put64(m, t, pp + LENGTH, n)
        put32(m, t, pp + p_.numTimers, n)
        if n:
            siftdown(m, t, timers, n, last)
        goready(m, t, gp)

"""time.Sleep, and time.Timers and Tickers, whose channel gets the time: what programs do with timers (time_timers.py).

    Timer, Ticker:  C, a channel with room for one time | the timer                        80 bytes

Reached through DOOR_PROC. An M that sleeps until the first timer learns of an earlier one (wake_poller). Go: time.go timeSleep,
time/sleep.go, time/tick.go, netpoll.go.
"""

from hwmem._jit import cold, kernel
from goalloc import params as P
from goalloc.sched.chan import makechan
from goalloc.layout import g_, timer, variables as V
from goalloc.heap.malloc import mallocgc
from goalloc.sched.proc_park import gopark, wake_poller
from goalloc.sched.time_timers import ARG, GOROUTINE_READY, SEND_TIME, addtimer, deltimer, modtimer
from goalloc.words import get64, put64

TYPE_TIMER, TYPE_TIME, TYPE_TIMER_OBJECT = V.typelinks + 24, V.typelinks + 40, V.typelinks + 48  # runtime.py puts them there
C, R, TIMER_SIZE = 0, 8, 80


@kernel
def now(m, t):
    return m.core[m.thread[t].core].cycles


@cold
def time_sleep(m, t, cycles):
    """The running goroutine waits for `cycles`; not at all if there are none."""
    if cycles <= 0:
        return
    gp = m.thread[t].guest[P.G]
    tm = get64(m, t, gp + g_.timer)
    if tm == 0:
        tm = mallocgc(m, t, timer.sizeof, get64(m, t, TYPE_TIMER))
        put64(m, t, gp + g_.timer, tm)
    put64(m, t, tm + timer.f, GOROUTINE_READY)
    put64(m, t, tm + ARG, gp)
    when = now(m, t) + cycles
    modtimer(m, t, tm, when)
    wake_poller(m, t, when)
    gopark(m, t, P.waitReasonSleep)


@cold
def new_timer(m, t, cycles, period):
    """time.NewTimer(cycles), or with a period NewTicker: its address; 0 after a fatal error."""
    c = makechan(m, t, get64(m, t, TYPE_TIME), 1)
    x = mallocgc(m, t, TIMER_SIZE, get64(m, t, TYPE_TIMER_OBJECT))
    if x == 0:
        return 0
    when = now(m, t) + max(cycles, 0)
    put64(m, t, x + C, c)
    put64(m, t, x + R + timer.when, when)
    put64(m, t, x + R + timer.period, period)
    put64(m, t, x + R + timer.f, SEND_TIME)
    put64(m, t, x + R + ARG, c)
    m.thread[t].guest[P.HELD] = x
    addtimer(m, t, x + R)
    m.thread[t].guest[P.HELD] = 0
    wake_poller(m, t, when)
    return x


@cold
def stop_timer(m, t, x):
    """x.Stop(): whether it would still have run."""
    return deltimer(m, t, x + R)


@cold
def reset_timer(m, t, x, cycles):
    """x.Reset(cycles): whether it would still have run."""
    when = now(m, t) + max(cycles, 0)
    pending = modtimer(m, t, x + R, when)
    wake_poller(m, t, when)
    return pending

"""The background scavenger's goroutine, step by step, and what wakes it: the end of sweeping, or its timer.

Its variables, on its stack: | where it is | work done, ns | bytes released | asleep since |. A step gives 64 KiB back. Go: mgcscavenge.go bgscavenge,
scavengerState.run, sleep, ready, wake, printScavTrace.
"""

from hwmem._jit import call_door, cold, kernel
from goalloc import params as P
from goalloc.base.float64 import get_float, put_float
from goalloc.base.malloc_persistent import persistentalloc
from goalloc.base.nanotime import cycles_of, nanotime
from goalloc.gc.mgcscavenge_background import (
    LEAST_WORK,
    PARKED,
    PRINT_RESET,
    QUANTUM,
    RELEASED_BG,
    RELEASED_EAGER,
    S,
    scavenge_quantum,
    scavenger_init,
    should_stop,
    sleep_time,
    slept,
)
from goalloc.gc.mgcscavenge_periodic import PERIOD_NS, look
from goalloc.gc.trace import log_scavenged
from goalloc.heap.stack import HI
from goalloc.layout import g_, mstats, scavengerState, timer, variables as V
from goalloc.sched.proc import NEWG, VARIABLES_BYTES
from goalloc.sched.proc_park import goready, gopark, wake_poller
from goalloc.sched.time import now
from goalloc.sched.time_timers import ARG, GOROUTINE_READY, deltimer, modtimer
from goalloc.words import add64, get8, get32, get64, put8, put64, swap64

SCAVENGER = -5  # where it is in its program
PLACE, WORKED, RELEASED, SINCE = range(0, 32, 8)
RUNS, SLEEPS = 0, 1
G, TIMER = S + scavengerState.g, S + scavengerState.timer
WAIT_REASON_SCAVENGE, WAIT_REASON_SLEEP = 20, P.waitReasonSleep


@cold
def sweeping_is_over(m, t):
    """All is swept: scavtrace has a line, and the scavenger has something to look for."""
    log_scavenged(m, t, swap64(m, t, RELEASED_BG, 0), swap64(m, t, RELEASED_EAGER, 0), False, get8(m, t, PRINT_RESET))
    put8(m, t, PRINT_RESET, 0)
    gp, tm = get64(m, t, G), get64(m, t, TIMER)
    if gp and get8(m, t, PARKED) and get32(m, t, gp + g_.atomicstatus) == P.Gwaiting:
        if tm:
            deltimer(m, t, tm)
        goready(m, t, gp)


@cold
def start_scavenger(m, t):
    """Its goroutine, before the first cycle: what ends sweeping may be in the middle of an allocation, and allocate nothing. Go: gcenable."""
    if get64(m, t, G) or m.process[m.thread[t].process].guest[P.COLLECTOR] & P.ALONE:
        return
    scavenger_init(m, t)
    put64(m, t, G, call_door(m, P.DOOR_PROC, t, NEWG, SCAVENGER, 0))
    put8(m, t, PARKED, 1)


@cold
def run_scavenger(m, t, gp):
    """A step of the scavenger."""
    at = get64(m, t, gp + HI) - VARIABLES_BYTES
    put8(m, t, PARKED, 0)
    if m.process[m.thread[t].process].guest[P.COLLECTOR] & P.PERIODIC:
        add64(m, t, RELEASED_BG, look(m, t, at))
        sleep(m, t, gp, at, PERIOD_NS)
        return
    if get64(m, t, at + PLACE) == SLEEPS:
        slept(m, t, get_float(m, t, at + WORKED), nanotime(m, t) - get64(m, t, at + SINCE))
        for place in (PLACE, WORKED, RELEASED):
            put64(m, t, at + place, 0)
    worked, released = get_float(m, t, at + WORKED), get64(m, t, at + RELEASED)
    if worked < LEAST_WORK and not should_stop(m, t):
        given, duration = scavenge_quantum(m, t)
        worked, released = worked + duration, released + given
        put_float(m, t, at + WORKED, worked)
        put64(m, t, at + RELEASED, released)
        if given >= QUANTUM:
            return  # and again
    put8(m, t, PARKED, 1)
    if released == 0:
        gopark(m, t, WAIT_REASON_SCAVENGE)
    else:
        add64(m, t, RELEASED_BG, released)
        put64(m, t, at + PLACE, SLEEPS)
        sleep(m, t, gp, at, sleep_time(m, t, worked))


@kernel
def sleep(m, t, gp, at, ns):
    tm = get64(m, t, TIMER)
    if tm == 0:
        tm = persistentalloc(m, t, timer.sizeof, 8, V.memstats + mstats.other_sys)  # Go's is an object in the heap
        put64(m, t, TIMER, tm)
        put64(m, t, tm + timer.f, GOROUTINE_READY)
        put64(m, t, tm + ARG, gp)
    put64(m, t, at + SINCE, nanotime(m, t))
    when = now(m, t) + cycles_of(m, t, ns)
    modtimer(m, t, tm, when)
    wake_poller(m, t, when)
    gopark(m, t, WAIT_REASON_SLEEP)

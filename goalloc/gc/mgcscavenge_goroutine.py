"""The background scavenger's goroutine, step by step, and what wakes it.

    its timer, and the next cycle's begin      wake      at once, behind the goroutines that can run
    the end of sweeping                        ready     sysmon wakes it, when it next looks

Its variables, on its stack: | where it is | work done, ns | bytes released | asleep since |. A step gives 64 KiB back. Go: mgcscavenge.go bgscavenge,
scavengerState.run, sleep, ready, wake, printScavTrace; proc.go sysmon.
"""

from hwmem._jit import call_door, cold, kernel
from goalloc import params as P
from goalloc.base.float64 import get_float, put_float
from goalloc.base.lock import lock, unlock
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
from goalloc.gc.mgc_ready import ready
from goalloc.gc.mgcscavenge_periodic import PERIOD_NS, look
from goalloc.gc.trace import log_scavenged
from goalloc.heap.stack import HI
from goalloc.layout import mstats, scavengerState, timer, variables as V
from goalloc.sched.proc import NEWG, VARIABLES_BYTES
from goalloc.sched.proc_park import gopark, wake_poller
from goalloc.sched.time import now
from goalloc.sched.time_timers import WAKE_SCAVENGER, deltimer, modtimer
from goalloc.words import add64, get8, get32, get64, put8, put32, put64, swap64

SCAVENGER = -5  # where it is in its program
PLACE, WORKED, RELEASED, SINCE = range(0, 32, 8)
RUNS, SLEEPS = 0, 1
G, TIMER, SYSMON_WAKE = S + scavengerState.g, S + scavengerState.timer, S + scavengerState.sysmonWake
OFTEN_NS, LEAST_NAP_NS, MOST_NAP_NS = 1_020_000, 20_000, 10_000_000  # sysmon: for so long it sleeps so long, at least; at most
WAIT_REASON_SCAVENGE, WAIT_REASON_SLEEP = 20, P.waitReasonSleep


@cold
def sweeping_is_over(m, t):
    """All is swept: scavtrace has a line, and the scavenger has something to look for."""
    log_scavenged(m, t, swap64(m, t, RELEASED_BG, 0), swap64(m, t, RELEASED_EAGER, 0), False, get8(m, t, PRINT_RESET))
    put8(m, t, PRINT_RESET, 0)
    put32(m, t, SYSMON_WAKE, 1)
    ask_sysmon(m, t)


@kernel
def ask_sysmon(m, t):
    m.process[m.thread[t].process].guest[P.WAKE_AT] = cycles_of(m, t, next_look(nanotime(m, t)))


@kernel
def next_look(now):
    """When sysmon looks next, nanoseconds: every 20 us at first, then after twice as long each time, from then on every 10 ms. (It would begin
    again where it takes a P from a goroutine in a system call; there are none here that last.)"""
    if now < OFTEN_NS:
        return (now // LEAST_NAP_NS + 1) * LEAST_NAP_NS
    at, nap = OFTEN_NS, 2 * LEAST_NAP_NS
    while at <= now and nap < MOST_NAP_NS:
        at, nap = at + nap, 2 * nap
    return at if at > now else at + ((now - at) // MOST_NAP_NS + 1) * MOST_NAP_NS


@cold
def sysmon_wakes(m, t):
    """sysmon looks, and has been asked to wake the scavenger; where that one is awake it looks again."""
    m.process[m.thread[t].process].guest[P.WAKE_AT] = 0
    wake_early(m, t)
    if get32(m, t, SYSMON_WAKE):
        ask_sysmon(m, t)


@cold
def wake_early(m, t):
    """Before its timer does. Go 1.12's had its own times."""
    if m.process[m.thread[t].process].guest[P.COLLECTOR] & P.PERIODIC and get64(m, t, TIMER):
        put32(m, t, SYSMON_WAKE, 0)
    else:
        wake(m, t)


@cold
def wake(m, t):
    """The scavenger can run, if it is parked or asleep."""
    lock(m, t, S)
    if get8(m, t, PARKED):
        put32(m, t, SYSMON_WAKE, 0)
        put8(m, t, PARKED, 0)
        guest = m.process[m.thread[t].process].guest
        guest[P.WAKE_AT] = 0
        guest[P.COLLECTOR] |= P.SYSTEM
        ready(m, t, get64(m, t, G), False)
    unlock(m, t, S)


@cold
def start_scavenger(m, t):
    """Its goroutine, before the first cycle: what ends sweeping may be in the middle of an allocation, and allocate nothing. A process that is
    alone on a processor has it, but nobody wakes it. Go: gcenable."""
    if get64(m, t, G):
        return
    scavenger_init(m, t)
    put64(m, t, G, call_door(m, P.DOOR_PROC, t, NEWG, SCAVENGER, 0))
    put8(m, t, PARKED, 0 if m.process[m.thread[t].process].guest[P.COLLECTOR] & P.ALONE else 1)


@cold
def run_scavenger(m, t, gp):
    """A step of the scavenger."""
    at = get64(m, t, gp + HI) - VARIABLES_BYTES
    if m.process[m.thread[t].process].guest[P.COLLECTOR] & P.PERIODIC:
        add64(m, t, RELEASED_BG, look(m, t, at))
        sleep(m, t, at, PERIOD_NS)
        return
    if get64(m, t, at + PLACE) == SLEEPS:
        asleep = nanotime(m, t) - get64(m, t, at + SINCE)
        lock(m, t, S)
        deltimer(m, t, get64(m, t, TIMER))
        unlock(m, t, S)
        slept(m, t, get_float(m, t, at + WORKED), asleep)
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
    if released == 0:
        lock(m, t, S)
        put8(m, t, PARKED, 1)
        gopark(m, t, WAIT_REASON_SCAVENGE)
        unlock(m, t, S)
    else:
        add64(m, t, RELEASED_BG, released)
        put64(m, t, at + PLACE, SLEEPS)
        sleep(m, t, at, sleep_time(m, t, worked))


@kernel
def sleep(m, t, at, ns):
    lock(m, t, S)
    tm = get64(m, t, TIMER)
    if tm == 0:
        tm = persistentalloc(m, t, timer.sizeof, 8, V.memstats + mstats.other_sys)  # Go's is an object in the heap
        put64(m, t, TIMER, tm)
        put64(m, t, tm + timer.f, WAKE_SCAVENGER)
    put64(m, t, at + SINCE, nanotime(m, t))
    when = now(m, t) + cycles_of(m, t, ns)
    modtimer(m, t, tm, when)
    wake_poller(m, t, when)
    put8(m, t, PARKED, 1)
    gopark(m, t, WAIT_REASON_SLEEP)
    unlock(m, t, S)

"""Waiting: goroutines that are parked and made ready, Ps without work, and their Ms that sleep.

    gopark   running -> waiting; the M is free for another                  goready   waiting -> runnable, next on this P
    goyield  running -> runnable, last on this P                            poll_until  one M sleeps until the first timer of all
    pidle    the list of idle Ps (sched.pidle), under sched.lock            wakep     an idle P looks for work, if none does yet
    sysmon_when_due  a collection after two minutes; and sysmon_in_time: what it was asked to do, when it looks

An M stays with its P here (a P is not handed over while its M is in a system call), so an idle P is one whose M sleeps on its
note, m.park: a futex, or until the first timer. Go: proc.go gopark, ready, wakep, startm, pidleput, pidleget;
lock_futex.go notesleep, notewakeup.
"""

from hwmem import params as H
from hwmem._jit import call_door, cold, kernel
from hwmem.sched.block import wake_other
from hwmem.sched.scheduler import sleep_until
from goalloc import constants as K, params as P
from goalloc.heap.malloc import FORCE, is_due
from goalloc.layout import g_, m_, p_, schedt, variables as V
from goalloc.base.lock import lock, unlock
from goalloc.base.mem import system_call
from goalloc.base.malloc_persistent import current_p
from goalloc.base.mgclimit_event import limiter_event_start, limiter_event_stop
from goalloc.base.nanotime import nanotime
from goalloc.sched.proc_runq import SCHED_LOCK, runqput
from goalloc.words import add32_high, add64, get8, get32, get64, put8, put32, put64, swap64

PIDLE, NPIDLE, NMSPINNING = V.sched + schedt.pidle, V.sched + schedt.npidle, V.sched + schedt.nmspinning
WAKE, SYSMON_LOOKS = 7, 8  # DOOR_GC: the scavenger, when its timer says so; when sysmon does
LASTPOLL, POLL_UNTIL, POLLER = V.sched + schedt.lastpoll, V.sched + schedt.pollUntil, V.sched + schedt.midle  # lastpoll 0: an M polls


@kernel
def current_m(m, t):
    """getg().m."""
    return get64(m, t, m.thread[t].guest[P.G] + g_.m)


@cold
def gopark(m, t, reason):
    """The running goroutine waits; its M is on g0 again. Its step ends, and its next begins when goready has named it."""
    gp, mp = m.thread[t].guest[P.G], current_m(m, t)
    put8(m, t, gp + g_.waitreason, reason)
    put32(m, t, gp + g_.atomicstatus, P.Gwaiting)
    dropg(m, t, gp, mp)


@cold
def goyield(m, t):
    """The running goroutine goes to the end of its P's ring."""
    gp = m.thread[t].guest[P.G]
    put32(m, t, gp + g_.atomicstatus, P.Grunnable)
    dropg(m, t, gp, current_m(m, t))
    runqput(m, t, current_p(m, t), gp, False)


@kernel
def dropg(m, t, gp, mp):
    put64(m, t, gp + g_.m, 0)
    put64(m, t, mp + m_.curg, 0)
    m.thread[t].guest[P.G] = get64(m, t, mp + m_.g0)


@cold
def goready(m, t, gp):
    """A waiting goroutine runs next on the caller's P, or on one that is idle."""
    put32(m, t, gp + g_.atomicstatus, P.Grunnable)
    runqput(m, t, current_p(m, t), gp, True)
    wakep(m, t)


@cold
def wakep(m, t):
    """There is work: an idle P's M wakes and looks for it, unless one looks already."""
    if get32(m, t, NMSPINNING) or get32(m, t, NPIDLE) == 0:
        return
    lock(m, t, SCHED_LOCK)
    pp = get64(m, t, PIDLE)
    if pp:
        pidle_remove(m, t, pp)
        add32_high(m, t, NMSPINNING, 1)
    unlock(m, t, SCHED_LOCK)
    if pp:
        mp = get64(m, t, pp + p_.m)
        put8(m, t, mp + m_.spinning, 1)
        notewakeup(m, t, mp)


@kernel
def sysmon_when_due(m, t):
    """Two minutes after the last collection the next one begins, also where the program neither allocates nor waits; and the scavenger is woken,
    if somebody has asked for it. Go: sysmon."""
    if is_due(m, t) and m.process[m.thread[t].process].guest[P.COLLECTOR] & (P.ENABLED | P.ALONE) == P.ENABLED:
        call_door(m, P.DOOR_GC, t, FORCE, 0, 0)
    sysmon_in_time(m, t)


@kernel
def sysmon_in_time(m, t):
    """sysmon looks, if it has been asked to wake the scavenger and it is time."""
    guest = m.process[m.thread[t].process].guest
    if guest[P.COLLECTOR] & P.READY and 0 < guest[P.WAKE_AT] <= m.core[m.thread[t].core].cycles:
        call_door(m, P.DOOR_GC, t, SYSMON_LOOKS, 0, 0)


@kernel
def pidleput(m, t, pp):
    put64(m, t, pp + p_.link, get64(m, t, PIDLE))
    put64(m, t, PIDLE, pp)
    put32(m, t, pp + p_.status, P.Pidle)
    add64(m, t, NPIDLE, 1)
    limiter_event_start(m, t, pp, K.limiterEventIdle, nanotime(m, t))


@cold
def pidle_remove(m, t, pp):
    """Take a P from the idle ones; the lock is held."""
    place = PIDLE
    while get64(m, t, place) != pp:
        place = get64(m, t, place) + p_.link
    put64(m, t, place, get64(m, t, pp + p_.link))
    put32(m, t, pp + p_.status, P.Prunning)
    add64(m, t, NPIDLE, -1)
    limiter_event_stop(m, t, pp, K.limiterEventIdle, nanotime(m, t))


@cold
def wake_poller(m, t, when):
    """A timer runs at `when`: the M that sleeps until a later one learns of it; without one, an M without work takes its place."""
    if get64(m, t, LASTPOLL):
        wakep(m, t)
    elif get64(m, t, POLL_UNTIL) > when:
        notewakeup(m, t, get64(m, t, POLLER))


@cold
def poll_until(m, t, mp, until):
    """The M sleeps until the cycle `until`, if no other does so until an earlier one: until then or NEVER. Go: netpoll's place."""
    if until == H.NEVER or get64(m, t, LASTPOLL) == 0 and get64(m, t, POLL_UNTIL) <= until:
        return H.NEVER
    put64(m, t, LASTPOLL, 0)
    put64(m, t, POLLER, mp)
    put64(m, t, POLL_UNTIL, until)
    put8(m, t, mp + m_.blocked, 1)
    return until


@cold
def end_poll(m, t, mp):
    """The M is awake; if it was the one that slept until a timer's time, none is now."""
    if get8(m, t, mp + m_.blocked):
        put8(m, t, mp + m_.blocked, 0)
        put64(m, t, LASTPOLL, 1)
        put64(m, t, POLL_UNTIL, 0)


@cold
def notesleep(m, t, mp, until):
    """The M sleeps until notewakeup, or the cycle `until` (NEVER: none). Ends the step."""
    put64(m, t, mp + m_.procid, t)
    swap64(m, t, mp + m_.park, 0)
    if until == H.NEVER:
        system_call(m, t, H.SYS_FUTEX, mp + m_.park, H.FUTEX_WAIT, 0)
    else:
        sleep_until(m, t, until)


@cold
def notewakeup(m, t, mp):
    swap64(m, t, mp + m_.park, 1)
    sleeper = get64(m, t, mp + m_.procid)
    if m.thread[sleeper].state != H.SLEEPING:
        system_call(m, t, H.SYS_FUTEX, mp + m_.park, H.FUTEX_WAKE, 1)
    elif m.core[m.thread[sleeper].core].current == sleeper + 1:
        m.thread[sleeper].state = H.RUNNABLE  # it has not left its core yet
    else:  # in a futex with a time limit
        wake_other(m, t, sleeper)

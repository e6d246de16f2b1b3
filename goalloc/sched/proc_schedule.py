"""The scheduler: which goroutine an M runs next.

    schedule ── findRunnable: timers, the global queue every 61st time, own queue, global queue, other Ps' queues ── execute
             └─ nothing: the P goes to the idle ones and the M sleeps (proc_park.py); 0 for this step

A step is never interrupted, so Go's second look at all queues before sleeping has nothing to find. A program whose goroutines
all wait ends as in Go. Go: proc.go schedule, findRunnable, stealWork, resetspinning, execute, checkdead.
"""

from hwmem import params as H
from hwmem._jit import call_door, cold, kernel
from hwmem.sched.scheduler import finish
from goalloc import errors as E, params as P
from goalloc.errors import throw
from goalloc.base.fastrand import fastrand
from goalloc.layout import g_, m_, p_, variables as V
from goalloc.base.lock import lock, unlock
from goalloc.base.nanotime import cycles_of
from goalloc.sched.proc_park import (
    NMSPINNING,
    NPIDLE,
    current_m,
    end_poll,
    goready,
    notesleep,
    pidle_remove,
    pidleput,
    poll_until,
    sysmon_when_due,
    wakep,
)
from goalloc.base.malloc_persistent import current_p
from goalloc.sched.proc_runq import SCHED_LOCK, SIZE, globrunqget, runqget, runqsteal
from goalloc.sched.time_heap import LENGTH
from goalloc.sched.time_timers import check_timers, wake_time
from goalloc.words import add32_high, get8, get32, get64, put8, put32, put64

STEAL_TRIES, FAIRNESS = 4, 61
FIND_WORKER, FIND_IDLE_WORKER, WAKE_FINALIZERS = 3, 4, 5  # DOOR_GC: a goroutine of the collector's, or 0


@cold
def schedule(m, t):
    """The goroutine that the M of thread `t` runs from now on; 0 if there is none, and the step ends."""
    if m.process[m.thread[t].process].guest[P.EXITED]:
        finish(m, t)
        return 0
    mp, pp = current_m(m, t), current_p(m, t)
    end_poll(m, t, mp)
    if get32(m, t, pp + p_.status) == P.Pidle:  # its own timer woke it
        lock(m, t, SCHED_LOCK)
        pidle_remove(m, t, pp)
        unlock(m, t, SCHED_LOCK)
    sysmon_when_due(m, t)
    gp, inheritTime = findRunnable(m, t, mp, pp)
    if gp == 0:
        stop(m, t, mp, pp)
        return 0
    if get8(m, t, mp + m_.spinning):
        resetspinning(m, t, mp)
        wakep(m, t)
    execute(m, t, mp, gp)
    if not inheritTime:
        put32(m, t, pp + p_.schedtick, get32(m, t, pp + p_.schedtick) + 1)
    return gp


@cold
def findRunnable(m, t, mp, pp):
    """(a goroutine or 0, whether it inherits the time slice)."""
    check_timers(m, t, pp)
    collector = m.process[m.thread[t].process].guest[P.COLLECTOR]
    if collector & P.MARKING:
        gp = call_door(m, P.DOOR_GC, t, FIND_WORKER, pp, 0)
        if gp:
            return gp, False
    if get32(m, t, pp + p_.schedtick) % FAIRNESS == 0 and get32(m, t, SIZE):
        return from_global(m, t, pp, 1), False
    if collector & P.SYSTEM:
        gp = call_door(m, P.DOOR_GC, t, WAKE_FINALIZERS, 0, 0)
        if gp:
            goready(m, t, gp)
    gp, inheritTime = runqget(m, t, pp)
    if gp == 0 and get32(m, t, SIZE):
        gp = from_global(m, t, pp, 0)
    if gp:
        return gp, inheritTime
    spinning, busy = get32(m, t, NMSPINNING), get32(m, t, V.gomaxprocs) - get32(m, t, NPIDLE)
    if get8(m, t, mp + m_.spinning) == 0:
        if 2 * spinning >= busy:
            return idle_worker(m, t, pp, collector), False
        put8(m, t, mp + m_.spinning, 1)
        add32_high(m, t, NMSPINNING, 1)
    gp, inheritTime = stealWork(m, t, pp)
    return (gp, inheritTime) if gp else (idle_worker(m, t, pp, collector), False)


@kernel
def idle_worker(m, t, pp, collector):
    """While a collection marks, a worker for a P that has nothing else; else 0."""
    return call_door(m, P.DOOR_GC, t, FIND_IDLE_WORKER, pp, 0) if collector & P.MARKING else 0


@kernel
def from_global(m, t, pp, most):
    lock(m, t, SCHED_LOCK)
    gp = globrunqget(m, t, pp, most)
    unlock(m, t, SCHED_LOCK)
    return gp


@cold
def stealWork(m, t, pp):
    """(a goroutine or 0, whether it inherits the time slice): of another P, with the others of half its queue, or whose timer ran,
    which is looked at the last time. Four times through the Ps, in an order that a random number and a stride without a divisor in
    common with their number give."""
    n = get32(m, t, V.gomaxprocs)
    for i in range(STEAL_TRIES):
        drawn = fastrand(m, t)
        position, stride = drawn % n, coprime(n, drawn // n)
        for _ in range(n):
            victim = get64(m, t, get64(m, t, V.allp) + position * 8)
            if victim != pp and i == STEAL_TRIES - 1:
                check_timers(m, t, victim)
                gp, inheritTime = runqget(m, t, pp)
                if gp:
                    return gp, inheritTime
            if victim != pp:
                gp = runqsteal(m, t, pp, victim, i == STEAL_TRIES - 1)
                if gp:
                    return gp, False
            position = (position + stride) % n
    return 0, False


@kernel
def gcd(a, b):
    while b:
        a, b = b, a % b
    return a


@kernel
def coprime(n, k):
    """Number `k`, counted around, of those from 1 to n that have no divisor in common with n. Go: proc.go randomOrder."""
    count = 0
    for i in range(1, n + 1):
        count += gcd(i, n) == 1
    k %= count
    i = 0
    while k >= 0:
        i += 1
        k -= gcd(i, n) == 1
    return i


@kernel
def resetspinning(m, t, mp):
    put8(m, t, mp + m_.spinning, 0)
    add32_high(m, t, NMSPINNING, -1)


@cold
def execute(m, t, mp, gp):
    put64(m, t, mp + m_.curg, gp)
    put64(m, t, gp + g_.m, mp)
    put32(m, t, gp + g_.atomicstatus, P.Grunning)
    m.thread[t].guest[P.G] = gp


@cold
def stop(m, t, mp, pp):
    """The P has nothing to do."""
    if get8(m, t, mp + m_.spinning):
        resetspinning(m, t, mp)
    lock(m, t, SCHED_LOCK)
    pidleput(m, t, pp)
    unlock(m, t, SCHED_LOCK)
    if checkdead(m, t):
        throw(m, t, E.DEADLOCK, 0, 0)
    else:
        notesleep(m, t, mp, poll_until(m, t, mp, min(first_timer(m, t), force_time(m, t), sysmon_time(m, t))))


@kernel
def force_time(m, t):
    """The cycle at which sysmon forces a collection, or NEVER."""
    guest = m.process[m.thread[t].process].guest
    return guest[P.FORCE_AT] if guest[P.FORCE_AT] and guest[P.COLLECTOR] & (P.ENABLED | P.ALONE) == P.ENABLED else H.NEVER


@kernel
def sysmon_time(m, t):
    """The cycle at which sysmon wakes the scavenger where all Ps are idle and no timer is due before, or NEVER: when it looks it goes to sleep for
    a minute more."""
    at = m.process[m.thread[t].process].guest[P.WAKE_AT]
    return at + cycles_of(m, t, P.FORCE_PERIOD_NS // 2) if at else H.NEVER


@cold
def checkdead(m, t):
    """Whether all Ps are idle and no timer will change that."""
    n = get32(m, t, V.gomaxprocs)
    if get32(m, t, NPIDLE) < n:
        return False
    for i in range(n):
        if get64(m, t, get64(m, t, get64(m, t, V.allp) + 8 * i) + LENGTH):
            return False
    return True


@kernel
def first_timer(m, t):
    """When the first timer of all Ps may have something to do, or NEVER. Go: checkTimersNoP."""
    first = H.NEVER
    for i in range(get32(m, t, V.gomaxprocs)):
        first = min(first, wake_time(m, t, get64(m, t, get64(m, t, V.allp) + 8 * i)))
    return first

"""sync.Mutex and sync.WaitGroup, on semaphores (sema.py).

    Mutex       state: waiters << 3 | starving 4 | woken 2 | locked 1;  sema             8 bytes
    WaitGroup   state: counter << 32 | waiters;  sema                                   12 bytes

Normal mode: unlocking wakes the goroutine that waited longest, which competes with newcomers. One that has waited a
millisecond makes the mutex starving: it is handed over, and newcomers queue at the end. Goroutines do not spin before they wait,
as Go's do on several Ps. Calls end with PARKED or DONE, as channels' do, through DOOR_SYNC; an unlock that hands the mutex over
ends with YIELDED: it is done, and the goroutine runs again after the others of its P. Go: sync/mutex.go, sync/waitgroup.go.
"""

from hwmem._jit import DOORS, call_door, cold, kernel
from goalloc import errors as E, params as P
from goalloc.sched.chan import DONE, PARKED, YIELDED
from goalloc.errors import throw
from goalloc.layout import Mutex, WaitGroup, g_
from goalloc.sched.proc_park import gopark
from goalloc.sched.sema import semacquire, semacquired, semrelease
from goalloc.words import add64, cas64, get32, get64, put64

LOCK_SLOW, UNLOCK, ADD, WAIT = range(4)
LOCKED, WOKEN, STARVING, WAITER = 1, 2, 4, 8


@kernel
def mutex_lock(m, t, mu):
    """mu.Lock(): DONE or PARKED."""
    if cas64(m, t, mu, 0, LOCKED) == 0:
        return DONE
    return call_door(m, P.DOOR_SYNC, t, LOCK_SLOW, mu, 0)


@kernel
def mutex_unlock(m, t, mu):
    """mu.Unlock(): DONE or YIELDED."""
    return call_door(m, P.DOOR_SYNC, t, UNLOCK, mu, 0)


@kernel
def waitgroup_add(m, t, wg, delta):
    """wg.Add(delta); wg.Done() with -1."""
    return call_door(m, P.DOOR_SYNC, t, ADD, wg, delta)


@kernel
def waitgroup_wait(m, t, wg):
    """wg.Wait(): DONE or PARKED."""
    return call_door(m, P.DOOR_SYNC, t, WAIT, wg, 0)


@DOORS.door(P.DOOR_SYNC)
def syncs(m, t, operation, a, b):
    gp = m.thread[t].guest[P.G]
    if operation == LOCK_SLOW:
        return lock_slow(m, t, gp, a)
    if operation == WAIT:
        return wait(m, t, gp, a)
    if operation == UNLOCK:
        return unlock_mutex(m, t, a)
    add(m, t, a, b)
    return DONE


@kernel
def park(m, t, reason):
    gopark(m, t, reason)
    return PARKED


# Mutex


@cold
def lock_slow(m, t, gp, mu):
    since = 0  # when the goroutine began to wait
    if get64(m, t, gp + g_.waiting):
        since = semacquired(m, t, gp, mu + Mutex.sema)
        if since == 0:
            return park(m, t, P.waitReasonSyncMutexLock)
    while True:
        starving = since and m.core[m.thread[t].core].cycles - since > m.process[m.thread[t].process].guest[P.MILLISECOND]
        old = get32(m, t, mu)
        if since and old & STARVING:  # handed over
            last = old >> 3 == 1 or not starving
            add64(m, t, mu, LOCKED - WAITER - (STARVING if last else 0))
            return DONE
        if claim(m, t, mu, since != 0, starving):
            return DONE
        waited = since != 0
        since = since if waited else m.core[m.thread[t].core].cycles
        if not semacquire(m, t, gp, mu + Mutex.sema, waited, since):
            return park(m, t, P.waitReasonSyncMutexLock)


@kernel
def claim(m, t, mu, awoke, starving):
    """Take the mutex if it is free, or count as waiting; whether it is taken."""
    word = get64(m, t, mu)
    new = word if word & STARVING else word | LOCKED
    if word & (LOCKED | STARVING):
        new += WAITER
    if starving and word & LOCKED:
        new |= STARVING
    if awoke:
        new &= ~WOKEN
    cas64(m, t, mu, word, new)
    return word & (LOCKED | STARVING) == 0


@cold
def unlock_mutex(m, t, mu):
    if get32(m, t, mu) & LOCKED == 0:
        throw(m, t, E.UNLOCKED, 0, 0)
        return DONE
    state = (add64(m, t, mu, -LOCKED) & 0xFFFF_FFFF) - LOCKED
    if state & STARVING:
        return YIELDED if semrelease(m, t, mu + Mutex.sema, True) else DONE
    if state >> 3 and state & (LOCKED | WOKEN) == 0:
        add64(m, t, mu, WOKEN - WAITER)
        semrelease(m, t, mu + Mutex.sema, False)
    return DONE


# WaitGroup


@cold
def add(m, t, wg, delta):
    old = add64(m, t, wg, delta << 32)
    counter, waiters = (old >> 32) + delta, old & 0xFFFF_FFFF
    if counter < 0:
        throw(m, t, E.NEGATIVE_COUNTER, 0, 0)
    elif counter == 0 and waiters:
        put64(m, t, wg, 0)
        for _ in range(waiters):
            semrelease(m, t, wg + WaitGroup.sema, False)


@cold
def wait(m, t, gp, wg):
    if get64(m, t, gp + g_.waiting):
        return DONE if semacquired(m, t, gp, wg + WaitGroup.sema) else park(m, t, P.waitReasonSemacquire)
    if get64(m, t, wg) >> 32 == 0:
        return DONE
    add64(m, t, wg, 1)
    since = m.core[m.thread[t].core].cycles
    return DONE if semacquire(m, t, gp, wg + WaitGroup.sema, False, since) else park(m, t, P.waitReasonSemacquire)

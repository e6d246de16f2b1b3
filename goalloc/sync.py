"""sync.Mutex and sync.WaitGroup, and the semaphores on which goroutines wait for them.

    Mutex       state: waiters << 3 | starving 4 | woken 2 | locked 1;  sema             8 bytes
    WaitGroup   state: counter << 32 | waiters;  sema                                   12 bytes

Normal mode: who unlocks wakes the goroutine that waited longest, which competes with those that come. One that has waited a
millisecond makes the mutex starving: it is handed over, and who comes queues at the end. Semaphores are hashed by address into
251 roots; a root is a list here, where Go has a treap. Goroutines do not spin before they wait, as Go's do on several Ps.
Calls end with PARKED or DONE, as channels' do, through DOOR_SYNC. Go: sync/mutex.go, sync/waitgroup.go, runtime/sema.go.
"""
from hwmem._jit import DOORS, call_door, cold, kernel
from goalloc import errors as E, params as P
from goalloc.chan import DONE, PARKED
from goalloc.errors import throw
from goalloc.layout import g_, semaRoot, sudog, variables as V
from goalloc.lock import lock, unlock
from goalloc.park import goready, gopark
from goalloc.sudog import acquireSudog, releaseSudog
from goalloc.words import add32_high, add64, cas64, get32, get64, put32, put64

LOCK_SLOW, UNLOCK, ADD, WAIT = range(4)
LOCKED, WOKEN, STARVING, WAITER = 1, 2, 4, 8
ROOTS, ROOT_STRIDE = 251, 64


@kernel
def mutex_lock(m, t, mu):
    """mu.Lock(): DONE or PARKED."""
    if cas64(m, t, mu, 0, LOCKED) == 0:
        return DONE
    return call_door(m, P.DOOR_SYNC, t, LOCK_SLOW, mu, 0)


@kernel
def mutex_unlock(m, t, mu):
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
        unlock_mutex(m, t, a)
    else:
        add(m, t, a, b)
    return DONE


@kernel
def park(m, t, reason):
    gopark(m, t, reason)
    return PARKED


# Mutex


@cold
def lock_slow(m, t, gp, mu):
    since = 0                                           # when the goroutine began to wait
    if get64(m, t, gp + g_.waiting):
        since = semacquired(m, t, gp, mu + 4)
        if since == 0:
            return park(m, t, P.waitReasonSyncMutexLock)
    while True:
        starving = since and m.core[m.thread[t].core].cycles - since > m.process[m.thread[t].process].guest[P.MILLISECOND]
        old = get32(m, t, mu)
        if since and old & STARVING:                    # handed over
            last = old >> 3 == 1 or not starving
            add64(m, t, mu, LOCKED - WAITER - (STARVING if last else 0))
            return DONE
        if claim(m, t, mu, since != 0, starving):
            return DONE
        waited = since != 0
        since = since if waited else m.core[m.thread[t].core].cycles
        if not semacquire(m, t, gp, mu + 4, waited, since):
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
        return
    state = (add64(m, t, mu, -LOCKED) & 0xFFFF_FFFF) - LOCKED
    if state & STARVING:
        semrelease(m, t, mu + 4, True)
    elif state >> 3 and state & (LOCKED | WOKEN) == 0:
        add64(m, t, mu, WOKEN - WAITER)
        semrelease(m, t, mu + 4, False)


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
            semrelease(m, t, wg + 8, False)


@cold
def wait(m, t, gp, wg):
    if get64(m, t, gp + g_.waiting):
        return DONE if semacquired(m, t, gp, wg + 8) else park(m, t, P.waitReasonSemacquire)
    if get64(m, t, wg) >> 32 == 0:
        return DONE
    add64(m, t, wg, 1)
    since = m.core[m.thread[t].core].cycles
    return DONE if semacquire(m, t, gp, wg + 8, False, since) else park(m, t, P.waitReasonSemacquire)


# Semaphores


@kernel
def root_of(va):
    return V.semtable + (va >> 3) % ROOTS * ROOT_STRIDE


@kernel
def add32(m, t, va, delta):
    if va & 4:
        add32_high(m, t, va, delta)
    else:
        add64(m, t, va, delta)


@kernel
def cansemacquire(m, t, va):
    if get32(m, t, va) == 0:
        return False
    add32(m, t, va, -1)
    return True


@cold
def semacquire(m, t, gp, va, lifo, since):
    """Whether the semaphore was free; if not, the goroutine is in line for it, as the first if `lifo`, and has to park."""
    if cansemacquire(m, t, va):
        return True
    s = acquireSudog(m, t)
    if s:
        put64(m, t, s + sudog.g, gp)
        put64(m, t, s + sudog.elem, va)
        put64(m, t, s + sudog.acquiretime, since)
        put64(m, t, gp + g_.waiting, s)
        queue(m, t, s, va, lifo)
    return False


@cold
def semacquired(m, t, gp, va):
    """A goroutine that waited goes on: since when it waited, or 0 if another was faster and it is first in line again."""
    s = get64(m, t, gp + g_.waiting)
    if get32(m, t, s + sudog.ticket) == 0 and not cansemacquire(m, t, va):
        queue(m, t, s, va, True)
        return 0
    since = get64(m, t, s + sudog.acquiretime)
    put64(m, t, gp + g_.waiting, 0)
    releaseSudog(m, t, s)
    return since


@cold
def semrelease(m, t, va, handoff):
    """The semaphore is free, or with `handoff` the first waiter's; a waiter is ready."""
    add32(m, t, va, 1)
    root = root_of(va)
    if get32(m, t, root + semaRoot.nwait) == 0:
        return
    lock(m, t, root)
    s = dequeue(m, t, root, va)
    unlock(m, t, root)
    if s:
        if handoff and cansemacquire(m, t, va):
            put32(m, t, s + sudog.ticket, 1)
        goready(m, t, get64(m, t, s + sudog.g))


@cold
def queue(m, t, s, va, lifo):
    """Put a sudog into its root's list, whose first has the last in `waittail`."""
    root = root_of(va)
    lock(m, t, root)
    add64(m, t, root + semaRoot.nwait, 1)
    head = get64(m, t, root + semaRoot.treap)
    last = get64(m, t, head + sudog.waittail) if head else s
    if head == 0 or lifo:
        put64(m, t, s + sudog.next, head)
        put64(m, t, s + sudog.waittail, last)
        put64(m, t, root + semaRoot.treap, s)
    else:
        put64(m, t, last + sudog.next, s)
        put64(m, t, head + sudog.waittail, s)
    unlock(m, t, root)


@cold
def dequeue(m, t, root, va):
    """The first sudog of the list that waits for `va`, or 0."""
    head, before = get64(m, t, root + semaRoot.treap), 0
    s = head
    while s and get64(m, t, s + sudog.elem) != va:
        before, s = s, get64(m, t, s + sudog.next)
    if s == 0:
        return 0
    following = get64(m, t, s + sudog.next)
    if before:
        put64(m, t, before + sudog.next, following)
    else:
        put64(m, t, root + semaRoot.treap, following)
    first = get64(m, t, root + semaRoot.treap)
    if first and (before == 0 or following == 0):
        put64(m, t, first + sudog.waittail, before if following == 0 else get64(m, t, s + sudog.waittail))
    put64(m, t, s + sudog.next, 0)
    add64(m, t, root + semaRoot.nwait, -1)
    return s

"""The heap of a P's timers: four children a node, the earliest at the root. Who calls holds the P's timersLock.

                  0                 when of a parent <= when of a child; numTimers, timer0When and timerModifiedEarliest of the P
         1      2      3      4     say how many there are, when the root's time comes, and whether an earlier one is noted
      5 6 7 8  ...

A change to a timer (Deleted, ModifiedEarlier, ModifiedLater) is only noted; it is carried out when the timer comes to the root
(cleantimers), or for all (time_timers.py). `tm` is the address of a timer. Go: time.go doaddtimer, dodeltimer, cleantimers, siftupTimer, siftdownTimer.
"""

from hwmem._jit import cold, kernel
from goalloc.layout import p_, slice_, timer, variables as V
from goalloc.values.slice import append_word
from goalloc.words import get32, get64, put32, put64

TIMERS, LENGTH = p_.timers, p_.timers + slice_.len
NoStatus, Waiting, Deleted, Removed, ModifiedEarlier, ModifiedLater = 0, 1, 3, 5, 7, 8
TYPE_POINTER = V.typelinks + 32  # runtime.py puts it there


@kernel
def at(m, t, pp, i):
    return get64(m, t, get64(m, t, pp + TIMERS) + 8 * i)


@kernel
def put_at(m, t, pp, i, tm):
    put64(m, t, get64(m, t, pp + TIMERS) + 8 * i, tm)


@kernel
def status_of(m, t, tm):
    return get32(m, t, tm + timer.status)


@kernel
def count(m, t, place, delta):
    put32(m, t, place, get32(m, t, place) + delta)


@kernel
def doaddtimer(m, t, pp, tm):
    n = get64(m, t, pp + LENGTH)
    if not append_word(m, t, pp + TIMERS, tm, get64(m, t, TYPE_POINTER)):
        return
    put64(m, t, tm + timer.pp, pp)
    put32(m, t, tm + timer.status, Waiting)
    siftup(m, t, pp, n)
    if at(m, t, pp, 0) == tm:
        put64(m, t, pp + p_.timer0When, get64(m, t, tm + timer.when))
    count(m, t, pp + p_.numTimers, 1)


@cold
def dodeltimer(m, t, pp, i):
    """Take timer `i` out; the first place that another has got by that."""
    last = get64(m, t, pp + LENGTH) - 1
    put64(m, t, at(m, t, pp, i) + timer.pp, 0)
    put_at(m, t, pp, i, at(m, t, pp, last))
    put_at(m, t, pp, last, 0)
    put64(m, t, pp + LENGTH, last)
    changed = i
    if i != last:
        changed = siftup(m, t, pp, i)
        siftdown(m, t, pp, i)
    if i == 0:
        update_timer0When(m, t, pp)
    count(m, t, pp + p_.numTimers, -1)
    if last == 0:
        put64(m, t, pp + p_.timerModifiedEarliest, 0)
    return changed


@kernel
def update_timer0When(m, t, pp):
    put64(m, t, pp + p_.timer0When, get64(m, t, at(m, t, pp, 0) + timer.when) if get64(m, t, pp + LENGTH) else 0)


@cold
def siftup(m, t, pp, i):
    """Timer `i` goes towards the root; its place."""
    tm = at(m, t, pp, i)
    when = get64(m, t, tm + timer.when)
    while i > 0 and when < get64(m, t, at(m, t, pp, (i - 1) // 4) + timer.when):
        put_at(m, t, pp, i, at(m, t, pp, (i - 1) // 4))
        i = (i - 1) // 4
    put_at(m, t, pp, i, tm)
    return i


@cold
def siftdown(m, t, pp, i):
    """Timer `i` goes towards the leaves."""
    tm, n = at(m, t, pp, i), get64(m, t, pp + LENGTH)
    when = get64(m, t, tm + timer.when)
    while 4 * i + 1 < n:
        child, earliest = 4 * i + 1, get64(m, t, at(m, t, pp, 4 * i + 1) + timer.when)
        for other in range(child + 1, min(4 * i + 5, n)):
            its = get64(m, t, at(m, t, pp, other) + timer.when)
            if its < earliest:
                child, earliest = other, its
        if earliest >= when:
            break
        put_at(m, t, pp, i, at(m, t, pp, child))
        i = child
    put_at(m, t, pp, i, tm)


@kernel
def take_note(m, t, pp, tm, i):
    """Take timer `i`, which is `tm` and of which something has been noted, out of the heap: Removed, or with its new time, to be put
    in again. What dodeltimer returns."""
    if status_of(m, t, tm) == Deleted:
        put32(m, t, tm + timer.status, Removed)
        count(m, t, pp + p_.deletedTimers, -1)
    else:
        put64(m, t, tm + timer.when, get64(m, t, tm + timer.nextwhen))
    return dodeltimer(m, t, pp, i)


@cold
def cleantimers(m, t, pp):
    """Carry out pending changes of the timer at the root, until the root has none."""
    while get64(m, t, pp + LENGTH):
        tm = at(m, t, pp, 0)
        if status_of(m, t, tm) == Waiting:
            return
        take_note(m, t, pp, tm, 0)
        if status_of(m, t, tm) != Removed:
            doaddtimer(m, t, pp, tm)

"""A P's timers, in a heap (time_heap.py): changes from elsewhere are noted and made later.

    addtimer   into the heap of the current P             deltimer   Deleted: it leaves the heap when someone comes across it
    modtimer   a new time (nextwhen): ModifiedEarlier or Later, moved when someone comes across it; back into a heap if it was out
    check_timers   a P that schedules, or an idle one that looks at others', runs the timers that are due

From `timer0When` and `timerModifiedEarliest` one sees, without the lock, when there may be something to do. Times are cycles of the machine,
Go's are nanoseconds. A step is never interrupted, so the states in between (Running, Removing, Modifying, Moving) are not seen, and
what adjusttimers moves is linked by nextwhen, where Go makes a slice. `tm` is the address of a timer. Go: time.go.
"""

from hwmem import params as H
from hwmem._jit import call_door, cold, kernel
from goalloc import params as P
from goalloc.sched.chan import selectnbsend
from goalloc.layout import p_, timer
from goalloc.base.lock import lock, unlock
from goalloc.sched.proc_park import WAKE, goready
from goalloc.base.malloc_persistent import current_p
from goalloc.sched.time_heap import (
    LENGTH,
    Deleted,
    ModifiedEarlier,
    ModifiedLater,
    NoStatus,
    Removed,
    Waiting,
    at,
    cleantimers,
    count,
    doaddtimer,
    dodeltimer,
    put_at,
    siftdown,
    siftup,
    status_of,
    take_note,
    update_timer0When,
)
from goalloc.words import get32, get64, put32, put64

GOROUTINE_READY, SEND_TIME, WAKE_SCAVENGER = 1, 2, 3  # a timer's `f`: what happens with its `arg`, a g or a channel or nothing
ARG = timer.arg + 8  # the data word of the interface


@kernel
def is_modified(status):
    return status == ModifiedEarlier or status == ModifiedLater


# What programs do


@cold
def addtimer(m, t, tm):
    """Start the timer at `tm`; its fields are set."""
    pp = current_p(m, t)
    lock(m, t, pp + p_.timersLock)
    cleantimers(m, t, pp)
    doaddtimer(m, t, pp, tm)
    unlock(m, t, pp + p_.timersLock)


@cold
def deltimer(m, t, tm):
    """Stop: whether it would still have run."""
    status = status_of(m, t, tm)
    if status != Waiting and not is_modified(status):
        return False
    put32(m, t, tm + timer.status, Deleted)
    count(m, t, get64(m, t, tm + timer.pp) + p_.deletedTimers, 1)
    return True


@cold
def modtimer(m, t, tm, when):
    """Reset: it runs at `when`; whether it would still have run."""
    status, pp = status_of(m, t, tm), get64(m, t, tm + timer.pp)
    if status == NoStatus or status == Removed:
        put64(m, t, tm + timer.when, when)
        pp = current_p(m, t)
        lock(m, t, pp + p_.timersLock)
        doaddtimer(m, t, pp, tm)
        unlock(m, t, pp + p_.timersLock)
        return False
    if status == Deleted:
        count(m, t, pp + p_.deletedTimers, -1)
    put64(m, t, tm + timer.nextwhen, when)
    earlier = when < get64(m, t, tm + timer.when)
    if earlier:
        first = get64(m, t, pp + p_.timerModifiedEarliest)
        if first == 0 or first >= when:
            put64(m, t, pp + p_.timerModifiedEarliest, when)
    put32(m, t, tm + timer.status, ModifiedEarlier if earlier else ModifiedLater)
    return status != Deleted


@cold
def adjusttimers(m, t, pp, now):
    """If a timer was moved to an earlier time, and that has come, carry out all pending changes."""
    first = get64(m, t, pp + p_.timerModifiedEarliest)
    if first == 0 or first > now:
        return
    put64(m, t, pp + p_.timerModifiedEarliest, 0)
    i = moved = last = 0
    while i < get64(m, t, pp + LENGTH):
        tm = at(m, t, pp, i)
        if status_of(m, t, tm) == Waiting:
            i += 1
            continue
        i = take_note(m, t, pp, tm, i)
        if status_of(m, t, tm) != Removed:
            put64(m, t, tm + timer.nextwhen, 0)
            if last:
                put64(m, t, last + timer.nextwhen, tm)
            moved, last = moved if moved else tm, tm
    while moved:
        tm, moved = moved, get64(m, t, moved + timer.nextwhen)
        doaddtimer(m, t, pp, tm)


@cold
def clear_deleted(m, t, pp):
    """Deleted timers leave the heap, and modified ones take their new place."""
    put64(m, t, pp + p_.timerModifiedEarliest, 0)
    n, to, changed = get64(m, t, pp + LENGTH), 0, False
    for i in range(n):
        tm = at(m, t, pp, i)
        status = status_of(m, t, tm)
        if status == Deleted:
            put64(m, t, tm + timer.pp, 0)
            put32(m, t, tm + timer.status, Removed)
            changed = True
            continue
        if is_modified(status):
            put64(m, t, tm + timer.when, get64(m, t, tm + timer.nextwhen))
            put32(m, t, tm + timer.status, Waiting)
            changed = True
        if changed:
            put_at(m, t, pp, to, tm)
            siftup(m, t, pp, to)
        to += 1
    for i in range(to, n):
        put_at(m, t, pp, i, 0)
    count(m, t, pp + p_.deletedTimers, to - n)
    count(m, t, pp + p_.numTimers, to - n)
    put64(m, t, pp + LENGTH, to)
    update_timer0When(m, t, pp)


# What the scheduler does


@kernel
def wake_time(m, t, pp):
    """When the P's timers may have something to do; NEVER if there are none. Go: nobarrierWakeTime."""
    first, earlier = get64(m, t, pp + p_.timer0When), get64(m, t, pp + p_.timerModifiedEarliest)
    if earlier and (first == 0 or earlier < first):
        return earlier
    return first if first else H.NEVER


@cold
def check_timers(m, t, pp):
    """Run the due timers of a P, the current one or another."""
    now, own = m.core[m.thread[t].core].cycles, pp == current_p(m, t)
    if wake_time(m, t, pp) > now and not (own and get32(m, t, pp + p_.deletedTimers) > get32(m, t, pp + p_.numTimers) // 4):
        return
    lock(m, t, pp + p_.timersLock)
    if get64(m, t, pp + LENGTH):
        adjusttimers(m, t, pp, now)
        while runtimer(m, t, pp, now):
            pass
    if own and get32(m, t, pp + p_.deletedTimers) > get64(m, t, pp + LENGTH) // 4:
        clear_deleted(m, t, pp)
    unlock(m, t, pp + p_.timersLock)


@kernel
def runtimer(m, t, pp, now):
    """Whether the first timer's time had come; then it has run."""
    cleantimers(m, t, pp)
    if get64(m, t, pp + LENGTH) == 0:
        return False
    tm = at(m, t, pp, 0)
    when, period = get64(m, t, tm + timer.when), get64(m, t, tm + timer.period)
    if when > now:
        return False
    if period:
        put64(m, t, tm + timer.when, when + period * (1 + (now - when) // period))
        siftdown(m, t, pp, 0)
        update_timer0When(m, t, pp)
    else:
        dodeltimer(m, t, pp, 0)
        put32(m, t, tm + timer.status, NoStatus)
    unlock(m, t, pp + p_.timersLock)
    if get64(m, t, tm + timer.f) == GOROUTINE_READY:
        goready(m, t, get64(m, t, tm + ARG))
    elif get64(m, t, tm + timer.f) == WAKE_SCAVENGER:
        call_door(m, P.DOOR_GC, t, WAKE, 0, 0)
    else:  # the time, one word here, passes through nextwhen
        put64(m, t, tm + timer.nextwhen, now)
        selectnbsend(m, t, get64(m, t, tm + ARG), tm + timer.nextwhen)
    lock(m, t, pp + p_.timersLock)
    return True

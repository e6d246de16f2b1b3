"""select: one of several sends and receives, the first that can be in a random order; or none (default); or wait for all.

    cases   scase[n]   { c *hchan, elem }: the sends, then the receives; a case whose channel is nil never happens
    order   uint16[2n] poll order: a random permutation | lock order: by the channels' addresses, so that two selects never
                       wait for each other

    1  in poll order: is anybody waiting on the other side, is there room or an element, is the channel closed?
    2  else a sudog on every channel, in lock order, linked by waitlink from g.waiting; the goroutine parks
    3  who wakes it has named its sudog in g.param, having won g.selectDone against the other channels; the others are taken off

A call that returns PARKED is made again when the goroutine runs again, as channels' are. Reached through DOOR_SELECT.
Go: select.go selectgo.
"""

from hwmem._jit import DOORS, call_door, cold, kernel
from goalloc import errors as E, params as P
from goalloc.sched.chan import CLOSED, DEFAULT, PARKED, how_it_ended, receive_now, send_now
from goalloc.errors import throw
from goalloc.base.fastrand import fastrandn
from goalloc.layout import g_, hchan, scase, sudog
from goalloc.base.lock import lock, unlock
from goalloc.sched.proc_park import gopark
from goalloc.sched.proc_sudog import acquireSudog, releaseSudog
from goalloc.sched.chan_waitq import enqueue, remove
from goalloc.base.memclr import put_pointer
from goalloc.words import get16, get64, put8, put16, put32, put64

NRECVS, BLOCK = 16, 32  # places in the door's third argument, above the number of sends


@kernel
def selectgo(m, t, cases, order, nsends, nrecvs):
    """A select without default: (DONE, CLOSED or PARKED; number of the case that happened)."""
    status = call_door(m, P.DOOR_SELECT, t, cases, order, nsends | nrecvs << NRECVS | 1 << BLOCK)
    return status, m.thread[t].guest[P.SECOND]


@kernel
def selectnb(m, t, cases, order, nsends, nrecvs):
    """A select with a default, Go's selectgo that does not block: (DONE, CLOSED or DEFAULT; number of the case that happened)."""
    status = call_door(m, P.DOOR_SELECT, t, cases, order, nsends | nrecvs << NRECVS)
    return status, m.thread[t].guest[P.SECOND]


@DOORS.door(P.DOOR_SELECT)
def select_door(m, t, cases, order, counts):
    gp, nsends, n = m.thread[t].guest[P.G], counts & 0xFFFF, (counts & 0xFFFF) + (counts >> NRECVS & 0xFFFF)
    if get64(m, t, gp + g_.waiting):
        status = resumed(m, t, gp, cases, order + 2 * n, nsends)
    else:
        status = begin(m, t, gp, cases, order, (n, nsends, counts >> BLOCK))
    if status == CLOSED and m.thread[t].guest[P.SECOND] < nsends:
        throw(m, t, E.SEND_CLOSED, 0, 0)
    return status


@kernel
def begin(m, t, gp, cases, order, counts):
    """`counts`: (cases, how many of them send, whether to wait)."""
    n, nsends, block = counts
    locks, count = order + 2 * n, poll_order(m, t, cases, order, n)
    lock_order(m, t, cases, order, locks, count)
    lock_all(m, t, cases, locks, count)
    status = poll(m, t, cases, order, count, nsends)
    if status == PARKED and block:
        wait(m, t, gp, cases, locks, (count, nsends))
    unlock_all(m, t, cases, locks, count)
    return DEFAULT if status == PARKED and not block else status


@kernel
def case_at(m, t, order, i):
    return get16(m, t, order + 2 * i)


@kernel
def chan_of(m, t, cases, i):
    return get64(m, t, cases + i * scase.sizeof + scase.c)


@kernel
def chan_at(m, t, cases, order, i):
    return chan_of(m, t, cases, case_at(m, t, order, i))


@kernel
def poll_order(m, t, cases, order, n):
    """A random permutation of the cases that have a channel; how many."""
    count = 0
    for i in range(n):
        if chan_of(m, t, cases, i):
            j = fastrandn(m, t, count + 1)
            put16(m, t, order + 2 * count, case_at(m, t, order, j))
            put16(m, t, order + 2 * j, i)
            count += 1
    return count


@kernel
def lock_order(m, t, cases, order, locks, count):
    """The same cases by address of their channel: a heap sort, which needs no memory."""
    for i in range(count):
        case, j = case_at(m, t, order, i), i
        c = chan_of(m, t, cases, case)
        while j > 0 and chan_at(m, t, cases, locks, (j - 1) // 2) < c:
            put16(m, t, locks + 2 * j, case_at(m, t, locks, (j - 1) // 2))
            j = (j - 1) // 2
        put16(m, t, locks + 2 * j, case)
    for i in range(count - 1, -1, -1):
        case = case_at(m, t, locks, i)
        put16(m, t, locks + 2 * i, case_at(m, t, locks, 0))
        put16(m, t, locks + 2 * sift(m, t, cases, locks, i, chan_of(m, t, cases, case)), case)


@kernel
def sift(m, t, cases, locks, n, c):
    """The place, from the root of `n` downwards, where channel `c` belongs; larger ones rise."""
    j = 0
    while 2 * j + 1 < n:
        k = 2 * j + 1
        if k + 1 < n and chan_at(m, t, cases, locks, k) < chan_at(m, t, cases, locks, k + 1):
            k += 1
        if c >= chan_at(m, t, cases, locks, k):
            break
        put16(m, t, locks + 2 * j, case_at(m, t, locks, k))
        j = k
    return j


@kernel
def lock_all(m, t, cases, locks, count):
    before = 0
    for i in range(count):
        c = chan_at(m, t, cases, locks, i)
        if c != before:
            lock(m, t, c + hchan.lock)
        before = c


@kernel
def unlock_all(m, t, cases, locks, count):
    for i in range(count - 1, -1, -1):
        c = chan_at(m, t, cases, locks, i)
        if i == 0 or c != chan_at(m, t, cases, locks, i - 1):
            unlock(m, t, c + hchan.lock)


@kernel
def poll(m, t, cases, order, count, nsends):
    """Do the first case in poll order that can be done: what chansend or chanrecv return, PARKED if there is none."""
    for i in range(count):
        case = case_at(m, t, order, i)
        c, ep = chan_of(m, t, cases, case), get64(m, t, cases + case * scase.sizeof + scase.elem)
        status = send_now(m, t, c, ep) if case < nsends else receive_now(m, t, c, ep)
        if status != PARKED:
            m.thread[t].guest[P.SECOND] = case
            return status
    return PARKED


@cold
def wait(m, t, gp, cases, locks, counts):
    """A sudog on every channel; `counts`: (cases, how many of them send)."""
    count, nsends = counts
    place = gp + g_.waiting
    for i in range(count):
        case, s = case_at(m, t, locks, i), acquireSudog(m, t)
        if s == 0:
            return
        c = chan_of(m, t, cases, case)
        put8(m, t, s + sudog.isSelect, 1)
        put64(m, t, s + sudog.elem, get64(m, t, cases + case * scase.sizeof + scase.elem))
        enqueue(m, t, gp, c, c + (hchan.sendq if case < nsends else hchan.recvq), s)
        put_pointer(m, t, place, s)
        place = s + sudog.waitlink
    put64(m, t, gp + g_.param, 0)
    gopark(m, t, P.waitReasonSelect if count else P.waitReasonSelectNoCases)


@cold
def resumed(m, t, gp, cases, locks, nsends):
    """The end of a call that had parked: which case it was; the goroutine waits on no channel any more."""
    s, chosen, status, count = get64(m, t, gp + g_.waiting), get64(m, t, gp + g_.param), PARKED, 0
    following = s
    while following:
        following = get64(m, t, following + sudog.waitlink)
        count += 1
    lock_all(m, t, cases, locks, count)
    put32(m, t, gp + g_.selectDone, 0)
    put64(m, t, gp + g_.param, 0)
    put64(m, t, gp + g_.waiting, 0)
    for i in range(count):
        case, following = case_at(m, t, locks, i), get64(m, t, s + sudog.waitlink)
        if s == chosen:
            m.thread[t].guest[P.SECOND] = case
            status = how_it_ended(m, t, s)
        else:
            remove(m, t, get64(m, t, s + sudog.c) + (hchan.sendq if case < nsends else hchan.recvq), s)
        releaseSudog(m, t, s)
        s = following
    unlock_all(m, t, cases, locks, count)
    return status

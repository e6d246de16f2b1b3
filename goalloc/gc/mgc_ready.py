"""Goroutines that wait for the collector: in queues, from which it makes them ready.

A list is linked by g.schedlink. Programs that have no goroutines run on the g0 of their Ms; such a g0 waits where it is and is in no
run queue. Fields of its M that are otherwise unused hold its state. Go: proc.go ready, injectglist, gQueue.
"""

from hwmem._jit import cold, kernel
from goalloc import params as P
from goalloc.base.malloc_persistent import current_p
from goalloc.layout import g_, m_
from goalloc.sched.proc_park import goready, gopark, wakep
from goalloc.sched.proc_runq import runqput
from goalloc.words import get64, put8, put32, put64

SWEEPER, WORKER = -1, -3  # where goroutines of the collector's are in their programs (gc/system.py)
NODE = 0  # a worker's variable: its node of the pool
WAITS = m_.incgo  # the program on the M's g0 is parked
DUE = m_.isextra  # it goes before the goroutines in the queues
HOME = m_.newSigstack  # there is one
STOPPED = m_.isExtraInC  # what it ran was taken from it when the world stopped


@kernel
def m_of_g0(m, t, gp):
    """The M whose g0 `gp` is, or 0."""
    mp = get64(m, t, gp + g_.m)
    return mp if mp and get64(m, t, mp + m_.g0) == gp else 0


@cold
def park(m, t, reason):
    """The running goroutine, or program on a g0, waits until it is made ready."""
    mp = m_of_g0(m, t, m.thread[t].guest[P.G])
    if mp:
        put8(m, t, mp + WAITS, 1)
    else:
        gopark(m, t, reason)


@cold
def ready(m, t, gp, next):
    """A goroutine that waits can run: as the next on this P, or last."""
    mp = m_of_g0(m, t, gp)
    if mp:
        put8(m, t, mp + WAITS, 0)
    elif next:
        goready(m, t, gp)
    else:
        put32(m, t, gp + g_.atomicstatus, P.Grunnable)
        runqput(m, t, current_p(m, t), gp, False)
        wakep(m, t)


@cold
def injectglist(m, t, head):
    """All goroutines of the list whose first one is at `head` can run; the list is empty."""
    gp = get64(m, t, head)
    put64(m, t, head, 0)
    while gp:
        following = get64(m, t, gp + g_.schedlink)
        put64(m, t, gp + g_.schedlink, 0)
        ready(m, t, gp, False)
        gp = following


@kernel
def queue_push(m, t, queue, gp):
    """`gp` at the end of the queue (first, last) at `queue`."""
    put64(m, t, gp + g_.schedlink, 0)
    last = get64(m, t, queue + 8)
    put64(m, t, last + g_.schedlink if last else queue, gp)
    put64(m, t, queue + 8, gp)


@kernel
def queue_pop(m, t, queue):
    """The first of the queue, or 0."""
    gp = get64(m, t, queue)
    if gp:
        following = get64(m, t, gp + g_.schedlink)
        put64(m, t, queue, following)
        if following == 0:
            put64(m, t, queue + 8, 0)
    return gp

"""Queues of goroutines that wait on a channel: to receive or to send, in the order in which they came.

    waitq    first -> sudog <-> sudog <-> sudog <- last         by next and prev

A goroutine in a select waits in many; who takes it from one must be the first (g.selectDone), and it leaves the others itself
(remove). The channel's lock is held. Go: chan.go enqueue, dequeue, select.go dequeueSudoG.
"""

from hwmem._jit import cold
from goalloc.layout import g_, sudog, waitq
from goalloc.words import add64, get8, get32, get64, put8, put64


@cold
def woken(m, t, sg, success):
    """The goroutine of `sg`, with the outcome of its wait noted."""
    gp = get64(m, t, sg + sudog.g)
    put64(m, t, sg + sudog.elem, 0)
    put64(m, t, gp + g_.param, sg)
    put8(m, t, sg + sudog.success, success)
    return gp


@cold
def enqueue(m, t, gp, c, queue, sg):
    """Goroutine `gp` at the end of a queue of channel `c`, as `sg`."""
    put64(m, t, sg + sudog.g, gp)
    put64(m, t, sg + sudog.c, c)
    last = get64(m, t, queue + waitq.last)
    put64(m, t, sg + sudog.prev, last)
    put64(m, t, last + sudog.next if last else queue, sg)
    put64(m, t, queue + waitq.last, sg)


@cold
def dequeue(m, t, queue):
    """The goroutine that has waited longest, or 0; one in a select only if no other channel has been faster."""
    while True:
        sg = get64(m, t, queue)
        if sg == 0:
            return 0
        following = get64(m, t, sg + sudog.next)
        put64(m, t, queue, following)
        put64(m, t, following + sudog.prev if following else queue + waitq.last, 0)
        put64(m, t, sg + sudog.next, 0)
        if get8(m, t, sg + sudog.isSelect) == 0:
            return sg
        done = get64(m, t, sg + sudog.g) + g_.selectDone
        if get32(m, t, done) == 0:
            add64(m, t, done, 1)  # a compare-and-swap in Go
            return sg


@cold
def remove(m, t, queue, sg):
    """Take `sg` off a queue, wherever it stands, or has stood."""
    before, after = get64(m, t, sg + sudog.prev), get64(m, t, sg + sudog.next)
    if before == 0 and get64(m, t, queue) != sg:
        return  # dequeue has taken it
    put64(m, t, before + sudog.next if before else queue, after)
    put64(m, t, after + sudog.prev if after else queue + waitq.last, before)

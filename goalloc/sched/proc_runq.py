"""Queues of goroutines that can run: a ring of 256 a P with one place in front of it, and one list for all.

    runnext     what the P runs next: the goroutine that was made ready last
    runq        runqhead -> ... -> runqtail; the P puts in and takes out, others steal from the head
    sched.runq  linked by schedlink, under sched.lock: what did not fit, half a ring at a time

Go: proc.go runqput, runqputslow, runqget, runqgrab, runqsteal, globrunqput, globrunqget.
"""

from hwmem._jit import cold, kernel
from goalloc.layout import g_, p_, schedt, variables as V
from goalloc.base.lock import lock, unlock
from goalloc.words import add32_high, cas64, get32, get64, put32, put64, swap64

RING = 256
SCHED_LOCK, HEAD, TAIL, SIZE = V.sched + schedt.lock, V.sched + schedt.runq, V.sched + schedt.runq + 8, V.sched + schedt.runqsize


@kernel
def runq_length(m, t, pp):
    return get32(m, t, pp + p_.runqtail) - get32(m, t, pp + p_.runqhead) & 0xFFFF_FFFF


@kernel
def slot(index):
    return p_.runq + (index & RING - 1) * 8


@cold
def runqput(m, t, pp, gp, next):
    """Put `gp` into the P's ring, or with `next` in front of it, from where the one before goes into the ring."""
    if next:
        gp = swap64(m, t, pp + p_.runnext, gp)
        if gp == 0:
            return
    if runq_length(m, t, pp) == RING:
        runqputslow(m, t, pp, gp)
        return
    put64(m, t, pp + slot(get32(m, t, pp + p_.runqtail)), gp)
    add32_high(m, t, pp + p_.runqtail, 1)  # an atomic store on amd64: whoever looks for work sees it


@cold
def runqputslow(m, t, pp, gp):
    """Half of the full ring, and `gp`, go to the end of the global queue."""
    head = get32(m, t, pp + p_.runqhead)
    lock(m, t, SCHED_LOCK)
    for i in range(RING // 2):
        globrunqput(m, t, get64(m, t, pp + slot(head + i)))
    globrunqput(m, t, gp)
    unlock(m, t, SCHED_LOCK)
    take(m, t, pp, RING // 2)


@kernel
def take(m, t, pp, n):
    """The head of the P's ring moves on by `n`: a compare-and-swap, which nothing can disturb within a step."""
    word = get64(m, t, pp + p_.runqhead)
    cas64(m, t, pp + p_.runqhead, word, word & ~0xFFFF_FFFF | (word + n & 0xFFFF_FFFF))


@cold
def runqget(m, t, pp):
    """(the P's next goroutine or 0, whether it inherits the time slice of the one that made it ready)."""
    gp = get64(m, t, pp + p_.runnext)
    if gp:
        cas64(m, t, pp + p_.runnext, gp, 0)
        return gp, True
    if runq_length(m, t, pp) == 0:
        return 0, False
    gp = get64(m, t, pp + slot(get32(m, t, pp + p_.runqhead)))
    take(m, t, pp, 1)
    return gp, False


@cold
def runqsteal(m, t, pp, victim, steal_runnext):
    """Half of another P's ring, rounded up, into the empty one of `pp`; one of them is returned, or 0. An empty ring's
    runnext is taken only if `steal_runnext`."""
    n = runq_length(m, t, victim)
    n -= n // 2
    if n == 0:
        gp = get64(m, t, victim + p_.runnext) if steal_runnext else 0
        if gp:
            cas64(m, t, victim + p_.runnext, gp, 0)
        return gp
    head, tail = get32(m, t, victim + p_.runqhead), get32(m, t, pp + p_.runqtail)
    for i in range(n):
        put64(m, t, pp + slot(tail + i), get64(m, t, victim + slot(head + i)))
    take(m, t, victim, n)
    if n > 1:
        add32_high(m, t, pp + p_.runqtail, n - 1)
    return get64(m, t, pp + slot(tail + n - 1))


@cold
def globrunqput(m, t, gp):
    """`gp` at the end of the global queue, whose lock is held."""
    put64(m, t, gp + g_.schedlink, 0)
    last = get64(m, t, TAIL)
    put64(m, t, last + g_.schedlink if last else HEAD, gp)
    put64(m, t, TAIL, gp)
    put32(m, t, SIZE, get32(m, t, SIZE) + 1)


@cold
def globrunqget(m, t, pp, most):
    """A P's share of the global queue, whose lock is held: one to run, or 0; the others go into its ring. `most`: 0 for a share."""
    size = get32(m, t, SIZE)
    n = min(size, size // get32(m, t, V.gomaxprocs) + 1, RING // 2)
    if most:
        n = min(n, most)
    first = globrunqpop(m, t) if n else 0
    for _ in range(1, n):
        runqput(m, t, pp, globrunqpop(m, t), False)
    return first


@kernel
def globrunqpop(m, t):
    gp = get64(m, t, HEAD)
    following = get64(m, t, gp + g_.schedlink)
    put64(m, t, HEAD, following)
    if following == 0:
        put64(m, t, TAIL, 0)
    put32(m, t, SIZE, get32(m, t, SIZE) - 1)
    return gp

"""Semaphores: what goroutines wait on for a sync.Mutex or a sync.WaitGroup.

    semtable[va >> 3 % 251]    a root: lock, treap, how many wait
        treap   a sudog an address, ordered by address (prev < next), and by random tickets from the root down
        list    behind each, by waitlink, the others that wait for the same address; the first knows the last (waittail)

Releasing a semaphore makes its first waiter ready, which takes it unless another goroutine was faster; then it queues again as it did
at first. With `handoff` the waiter has it already, and the releaser yields. What semacquire1 has in local variables
while it waits lies in fields that only profiles use. Go: sema.go.
"""

from hwmem._jit import cold, kernel
from goalloc.base.fastrand import fastrand
from goalloc.layout import g_, semaRoot, sudog, variables as V
from goalloc.base.lock import lock, unlock
from goalloc.sched.proc_park import goready, goyield
from goalloc.sched.proc_sudog import acquireSudog, releaseSudog
from goalloc.base.memclr import put_pointer
from goalloc.words import add32_high, add64, get32, get64, put32, put64

ROOTS, ROOT_STRIDE = 251, 64
SINCE, LIFO = sudog.acquiretime, sudog.releasetime


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
        put64(m, t, s + SINCE, since)
        put64(m, t, s + LIFO, lifo)
        put_pointer(m, t, gp + g_.waiting, s)
        wait_in_line(m, t, s, va)
    return False


@cold
def semacquired(m, t, gp, va):
    """A goroutine that waited goes on: since when it waited, or 0 if another was faster and it is in line again."""
    s = get64(m, t, gp + g_.waiting)
    if get32(m, t, s + sudog.ticket) == 0 and not cansemacquire(m, t, va):
        wait_in_line(m, t, s, va)
        return 0
    since = get64(m, t, s + SINCE)
    put64(m, t, gp + g_.waiting, 0)
    releaseSudog(m, t, s)
    return since


@cold
def semrelease(m, t, va, handoff):
    """The semaphore is free, or with `handoff` the first waiter's; a waiter is ready. Whether the caller has yielded to it."""
    add32(m, t, va, 1)
    root = root_of(va)
    if get32(m, t, root + semaRoot.nwait) == 0:
        return False
    lock(m, t, root)
    s = dequeue(m, t, root, va)
    if s:
        add64(m, t, root + semaRoot.nwait, -1)
    unlock(m, t, root)
    if s == 0:
        return False
    handed = handoff and cansemacquire(m, t, va)
    if handed:
        put32(m, t, s + sudog.ticket, 1)
    goready(m, t, get64(m, t, s + sudog.g))
    if handed:
        goyield(m, t)
    return handed


@kernel
def wait_in_line(m, t, s, va):
    root = root_of(va)
    lock(m, t, root)
    add64(m, t, root + semaRoot.nwait, 1)
    queue(m, t, root, s, va)
    unlock(m, t, root)


# A root's treap


@kernel
def find(m, t, root, va):
    """(place of the pointer to the sudog of `va`, or to where it would be; the sudog above or 0)."""
    place, above = root + semaRoot.treap, 0
    s = get64(m, t, place)
    while s and get64(m, t, s + sudog.elem) != va:
        above, place = s, s + (sudog.prev if va < get64(m, t, s + sudog.elem) else sudog.next)
        s = get64(m, t, place)
    return place, above


@kernel
def stand_in(m, t, place, old, s):
    """`s` takes the place of `old` in the treap."""
    put64(m, t, place, s)
    put32(m, t, s + sudog.ticket, get32(m, t, old + sudog.ticket))
    put64(m, t, s + sudog.parent, get64(m, t, old + sudog.parent))
    for side in (sudog.prev, sudog.next):
        child = get64(m, t, old + side)
        put64(m, t, s + side, child)
        if child:
            put64(m, t, child + sudog.parent, s)


@cold
def queue(m, t, root, s, va):
    """`s` waits for `va`: as the first or last of a list, or as a new leaf, which its ticket makes rise."""
    place, above = find(m, t, root, va)
    first = get64(m, t, place)
    put64(m, t, s + sudog.elem, va)
    if first == 0:
        put32(m, t, s + sudog.ticket, fastrand(m, t) | 1)
        put64(m, t, s + sudog.parent, above)
        put64(m, t, place, s)
        while above and get32(m, t, above + sudog.ticket) > get32(m, t, s + sudog.ticket):
            rotate(m, t, root, above, sudog.prev if get64(m, t, above + sudog.prev) == s else sudog.next)
            above = get64(m, t, s + sudog.parent)
        return
    last = get64(m, t, first + sudog.waittail)
    if get64(m, t, s + LIFO):
        stand_in(m, t, place, first, s)
        put64(m, t, s + sudog.waitlink, first)
        put64(m, t, s + sudog.waittail, last if last else first)
        for at in (sudog.parent, sudog.prev, sudog.next, sudog.waittail):
            put64(m, t, first + at, 0)
    else:
        put64(m, t, (last if last else first) + sudog.waitlink, s)
        put64(m, t, first + sudog.waittail, s)
        put64(m, t, s + sudog.waitlink, 0)


@cold
def dequeue(m, t, root, va):
    """The sudog that is the first to wait for `va`, or 0."""
    place, _ = find(m, t, root, va)
    s = get64(m, t, place)
    if s == 0:
        return 0
    following = get64(m, t, s + sudog.waitlink)
    if following:
        stand_in(m, t, place, s, following)
        more = get64(m, t, following + sudog.waitlink)
        put64(m, t, following + sudog.waittail, get64(m, t, s + sudog.waittail) if more else 0)
    else:
        cut_out(m, t, root, s)
    for at in (sudog.parent, sudog.elem, sudog.next, sudog.prev, sudog.waitlink, sudog.waittail):
        put64(m, t, s + at, 0)
    put32(m, t, s + sudog.ticket, 0)
    return s


@kernel
def cut_out(m, t, root, s):
    """Rotate `s` down until it is a leaf, and take it off."""
    while True:
        before, after = get64(m, t, s + sudog.prev), get64(m, t, s + sudog.next)
        if before == 0 and after == 0:
            break
        right = after == 0 or before != 0 and get32(m, t, before + sudog.ticket) < get32(m, t, after + sudog.ticket)
        rotate(m, t, root, s, sudog.prev if right else sudog.next)
    replace(m, t, root, get64(m, t, s + sudog.parent), s, 0)


@kernel
def rotate(m, t, root, x, side):
    """The child `y` of `x` on a side rises into its place, and x becomes y's child on the other one."""
    other = sudog.prev + sudog.next - side
    above, y = get64(m, t, x + sudog.parent), get64(m, t, x + side)
    between = get64(m, t, y + other)
    put64(m, t, y + other, x)
    put64(m, t, x + sudog.parent, y)
    put64(m, t, x + side, between)
    if between:
        put64(m, t, between + sudog.parent, x)
    put64(m, t, y + sudog.parent, above)
    replace(m, t, root, above, x, y)


@kernel
def replace(m, t, root, above, x, y):
    """What points to `x`, a side of `above` or the root, points to `y`."""
    if above == 0:
        put64(m, t, root + semaRoot.treap, y)
    else:
        put64(m, t, above + (sudog.prev if get64(m, t, above + sudog.prev) == x else sudog.next), y)

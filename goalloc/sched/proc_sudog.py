"""sudogs: who waits for what. A P keeps up to 128 for reuse and exchanges half of them with the others at a time.

A goroutine that waits has its sudogs in g.waiting. Go: proc.go acquireSudog, releaseSudog.
"""

from hwmem._jit import cold
from goalloc.layout import p_, schedt, sudog, variables as V
from goalloc.base.lock import lock, unlock
from goalloc.heap.malloc import mallocgc
from goalloc.base.malloc_persistent import current_p
from goalloc.base.memclr import put_pointer
from goalloc.words import get64, put64

CACHED, BUFFER, CAPACITY = p_.sudogcache + 8, p_.sudogbuf, 128
SHARED_LOCK, SHARED = V.sched + schedt.sudoglock, V.sched + schedt.sudogcache


@cold
def acquireSudog(m, t):
    """A sudog, all zero; 0 after a fatal error."""
    pp = current_p(m, t)
    n = get64(m, t, pp + CACHED)
    if n == 0 and get64(m, t, SHARED):
        n = take_shared(m, t, pp)
    if n == 0:
        return mallocgc(m, t, sudog.sizeof, get64(m, t, V.typelinks + 8))
    put64(m, t, pp + CACHED, n - 1)
    return get64(m, t, pp + BUFFER + 8 * (n - 1))


@cold
def take_shared(m, t, pp):
    n = 0
    lock(m, t, SHARED_LOCK)
    while n < CAPACITY // 2 and get64(m, t, SHARED):
        s = get64(m, t, SHARED)
        put_pointer(m, t, SHARED, get64(m, t, s + sudog.next))
        put_pointer(m, t, s + sudog.next, 0)
        put_pointer(m, t, pp + BUFFER + 8 * n, s)
        n += 1
    unlock(m, t, SHARED_LOCK)
    return n


@cold
def releaseSudog(m, t, s):
    pp = current_p(m, t)
    n = get64(m, t, pp + CACHED)
    if n == CAPACITY:
        lock(m, t, SHARED_LOCK)
        while n > CAPACITY // 2:
            n -= 1
            other = get64(m, t, pp + BUFFER + 8 * n)
            put_pointer(m, t, other + sudog.next, get64(m, t, SHARED))
            put_pointer(m, t, SHARED, other)
        unlock(m, t, SHARED_LOCK)
    for at in range(0, sudog.sizeof, 8):
        put64(m, t, s + at, 0)
    put_pointer(m, t, pp + BUFFER + 8 * n, s)
    put64(m, t, pp + CACHED, n + 1)

"""Dead goroutines, kept with their stacks to be used again: a list a P, and one for all where a P has 64.

A stack is kept if it has the starting size. If no g is left, a new one is made and listed with all others in allgs. Go: proc.go
gfput, gfget, malg, allgadd.
"""

from hwmem._jit import cold, kernel
from goalloc import params as P
from goalloc.layout import g_, p_, schedt, slice_, variables as V
from goalloc.base.lock import lock, unlock
from goalloc.heap.malloc import mallocgc
from goalloc.values.slice import append_word
from goalloc.heap.stack import HI, LO, STACK_GUARD, STACKALLOC, STACKFREE, stack_door
from goalloc.words import get32, get64, put32, put64

FREE_LIST, FREE_COUNT = p_.gFree, p_.gFree + 8
MOST, KEPT = 64, 32
TYPE_G, TYPE_POINTER = V.typelinks, V.typelinks + 32  # runtime.py puts them there
SHARED_LOCK, WITH_STACK, WITHOUT_STACK, SHARED_COUNT = (V.sched + schedt.gFree + at for at in (0, 8, 16, 24))


@kernel
def set_stack(m, t, gp, n):
    """Give the g a stack; False after a fatal error."""
    lo = stack_door(m, t, STACKALLOC, n, 0)
    put64(m, t, gp + LO, lo)
    put64(m, t, gp + HI, lo + n)
    put64(m, t, gp + g_.stackguard0, lo + STACK_GUARD)
    return lo != 0


@cold
def malg(m, t):
    """A new g with a stack of 2 KiB, in the list of all; 0 after a fatal error."""
    gp = mallocgc(m, t, g_.sizeof, get64(m, t, TYPE_G))
    if gp == 0 or not set_stack(m, t, gp, P.fixedStack):
        return 0
    lock(m, t, V.allglock)
    append_word(m, t, V.allgs, gp, get64(m, t, TYPE_POINTER))
    put64(m, t, V.allglen, get64(m, t, V.allgs + slice_.len))
    unlock(m, t, V.allglock)
    return gp


@kernel
def free_stack(m, t, gp):
    lo = get64(m, t, gp + LO)
    stack_door(m, t, STACKFREE, lo, get64(m, t, gp + HI) - lo)
    put64(m, t, gp + LO, 0)
    put64(m, t, gp + HI, 0)
    put64(m, t, gp + g_.stackguard0, 0)


@kernel
def push(m, t, place, gp):
    put64(m, t, gp + g_.schedlink, get64(m, t, place))
    put64(m, t, place, gp)


@kernel
def pop(m, t, place):
    gp = get64(m, t, place)
    put64(m, t, place, get64(m, t, gp + g_.schedlink))
    return gp


@cold
def gfput(m, t, pp, gp):
    """A dead g goes to the P's list; of 64, all but 31 go to the shared one."""
    if get64(m, t, gp + HI) - get64(m, t, gp + LO) != get32(m, t, V.startingStackSize):
        free_stack(m, t, gp)
    push(m, t, pp + FREE_LIST, gp)
    n = get32(m, t, pp + FREE_COUNT) + 1
    if n >= MOST:
        lock(m, t, SHARED_LOCK)
        while n >= KEPT:
            gp = pop(m, t, pp + FREE_LIST)
            push(m, t, WITH_STACK if get64(m, t, gp + LO) else WITHOUT_STACK, gp)
            put32(m, t, SHARED_COUNT, get32(m, t, SHARED_COUNT) + 1)
            n -= 1
        unlock(m, t, SHARED_LOCK)
    put32(m, t, pp + FREE_COUNT, n)


@cold
def gfget(m, t, pp):
    """A dead g, with a stack of the starting size; 0 if there is none."""
    if get64(m, t, pp + FREE_LIST) == 0 and get32(m, t, SHARED_COUNT):
        take_shared(m, t, pp)
    if get64(m, t, pp + FREE_LIST) == 0:
        return 0
    gp = pop(m, t, pp + FREE_LIST)
    put32(m, t, pp + FREE_COUNT, get32(m, t, pp + FREE_COUNT) - 1)
    n, starting = get64(m, t, gp + HI) - get64(m, t, gp + LO), get32(m, t, V.startingStackSize)
    if n and n != starting:
        free_stack(m, t, gp)
    if get64(m, t, gp + LO) == 0 and not set_stack(m, t, gp, starting):
        return 0
    return gp


@kernel
def take_shared(m, t, pp):
    """Up to 32 of the shared list, those with stacks first."""
    lock(m, t, SHARED_LOCK)
    n, shared = get32(m, t, pp + FREE_COUNT), get32(m, t, SHARED_COUNT)
    while n < KEPT and shared:
        push(m, t, pp + FREE_LIST, pop(m, t, WITH_STACK if get64(m, t, WITH_STACK) else WITHOUT_STACK))
        n += 1
        shared -= 1
    put32(m, t, SHARED_COUNT, shared)
    put32(m, t, pp + FREE_COUNT, n)
    unlock(m, t, SHARED_LOCK)

"""Goroutines: a g from the heap with a stack from stack.py; dead ones are kept by their P and used again.

Reached through DOOR_PROC: NEWPROC makes a goroutine that has been started and waits, GOEXIT ends one. A dead g keeps its stack
if that has the starting size. Go: proc.go newproc1, malg, gfget, gfput (a P's list; the shared one comes with the scheduler).
"""
from hwmem._jit import DOORS, kernel
from goalloc import params as P
from goalloc.layout import g_, p_, variables as V
from goalloc.malloc import mallocgc
from goalloc.persistentalloc import current_p
from goalloc.stack import HI, LO, SP, STACK_GUARD, STACKALLOC, STACKFREE, stack_door
from goalloc.words import get32, get64, put32, put64

NEWPROC, GOEXIT = range(2)
G_WAITING, G_DEAD = 4, 6
ENTRY_BYTES = 40                        # above the first frame: room for arguments, and goexit's address
FREE_LIST, FREE_COUNT = p_.gFree, p_.gFree + 8


@DOORS.door(P.DOOR_PROC)
def procs(m, t, operation, a, b):
    if operation == NEWPROC:
        return newproc(m, t, a, b)
    goexit(m, t, a)
    return 0


@kernel
def newproc(m, t, typ, goid):
    """Address of a goroutine that waits, its stack empty; `typ`: of a g. 0 after a fatal error."""
    pp = current_p(m, t)
    gp = gfget(m, t, pp)
    if gp == 0:
        gp = mallocgc(m, t, g_.sizeof, typ)
        if gp == 0 or not set_stack(m, t, gp, P.fixedStack):
            return 0
    put64(m, t, gp + SP, get64(m, t, gp + HI) - ENTRY_BYTES)
    put64(m, t, get64(m, t, gp + SP), 0)
    put64(m, t, gp + g_.goid, goid)
    put32(m, t, gp + g_.atomicstatus, G_WAITING)
    return gp


@kernel
def set_stack(m, t, gp, n):
    lo = stack_door(m, t, STACKALLOC, n, 0)
    put64(m, t, gp + LO, lo)
    put64(m, t, gp + HI, lo + n)
    put64(m, t, gp + g_.stackguard0, lo + STACK_GUARD)
    return lo != 0


@kernel
def free_stack(m, t, gp):
    lo = get64(m, t, gp + LO)
    stack_door(m, t, STACKFREE, lo, get64(m, t, gp + HI) - lo)
    put64(m, t, gp + LO, 0)
    put64(m, t, gp + HI, 0)
    put64(m, t, gp + g_.stackguard0, 0)


@kernel
def gfget(m, t, pp):
    """A dead g of the P's, with a stack of the starting size; 0 if there is none."""
    gp = get64(m, t, pp + FREE_LIST)
    if gp == 0:
        return 0
    put64(m, t, pp + FREE_LIST, get64(m, t, gp + g_.schedlink))
    put32(m, t, pp + FREE_COUNT, get32(m, t, pp + FREE_COUNT) - 1)
    n, starting = get64(m, t, gp + HI) - get64(m, t, gp + LO), get32(m, t, V.startingStackSize)
    if n and n != starting:
        free_stack(m, t, gp)
    if get64(m, t, gp + LO) == 0 and not set_stack(m, t, gp, starting):
        return 0
    return gp


@kernel
def goexit(m, t, gp):
    """The goroutine ends; its P keeps the g."""
    pp = current_p(m, t)
    put32(m, t, gp + g_.atomicstatus, G_DEAD)
    if get64(m, t, gp + HI) - get64(m, t, gp + LO) != get32(m, t, V.startingStackSize):
        free_stack(m, t, gp)
    put64(m, t, gp + g_.schedlink, get64(m, t, pp + FREE_LIST))
    put64(m, t, pp + FREE_LIST, gp)
    put32(m, t, pp + FREE_COUNT, get32(m, t, pp + FREE_COUNT) + 1)

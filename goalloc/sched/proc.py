"""Goroutines: a g from the heap with a stack from stack.py, made, started, ended; and how an M comes to its next one.

Reached through DOOR_PROC:

    NEWG      a goroutine that waits: Python drives it (goroutine.py)
    NEWPROC   go f(x): one that can run, next on this P; `a` is where it begins, `b` its argument
    GOSCHED   the running one goes to the end of the global queue
    GOEXIT    one ends; its g is used again                           Go: proc.go newproc, newproc1, Gosched, goexit0
    SCHEDULE  the next one to run (proc_schedule.py)
    SLEEP     the running one waits for `a` cycles (time.py); NEWTIMER, STOPTIMER, RESETTIMER
    EXIT      main returns: the program ends

                    hi
     lo ... sp -> | goexit | four variables |           a new goroutine's stack; where it is in its program is in g.sched.pc
"""

from hwmem._jit import DOORS, kernel
from goalloc import params as P
from goalloc.base.fastrand import fastrand
from goalloc.sched.proc_gfree import gfget, gfput, malg
from goalloc.layout import g_, gobuf, p_, schedt, variables as V
from goalloc.base.lock import lock, unlock
from goalloc.sched.proc_park import PIDLE, current_m, dropg, notewakeup, wakep
from goalloc.base.malloc_persistent import current_p
from goalloc.base.mstats import addScannableStack
from goalloc.sched.proc_runq import SCHED_LOCK, globrunqput, runqput
from goalloc.sched.proc_schedule import schedule
from goalloc.heap.stack import HI, LO, SP
from goalloc.sched.time import new_timer, reset_timer, stop_timer, time_sleep
from goalloc.words import add64, get64, put8, put32, put64

NEWG, NEWPROC, GOSCHED, GOEXIT, SCHEDULE, SLEEP, EXIT, NEWTIMER, STOPTIMER, RESETTIMER = range(10)
VARIABLES_BYTES, ENTRY_BYTES = 32, 40  # above the first frame: variables (arguments), and goexit's address
PC = g_.sched + gobuf.pc
GOID_BATCH = 16
ON_G0 = 1 << 8  # of what the collector is about (P.COLLECTOR): the M is in the middle of making a goroutine


@DOORS.door(P.DOOR_PROC)
def procs(m, t, operation, a, b):
    if operation == SCHEDULE:
        return schedule(m, t)
    if operation == NEWG or operation == NEWPROC:
        return on_g0(m, t, operation == NEWPROC, a, b)
    if operation == NEWTIMER:
        return new_timer(m, t, a, b)
    if operation == STOPTIMER:
        return stop_timer(m, t, a)
    if operation == RESETTIMER:
        return reset_timer(m, t, a, b)
    if operation == GOSCHED:
        gosched(m, t)
    elif operation == GOEXIT:
        goexit(m, t, a)
    elif operation == SLEEP:
        time_sleep(m, t, a)
    else:
        exit_program(m, t)
    return 0


@kernel
def on_g0(m, t, start, pc, argument):
    """newproc, on the M's g0: what it allocates begins no collection and assists none, for a collection's begin makes goroutines too, and both
    append to allgs."""
    guest = m.process[m.thread[t].process].guest
    before = guest[P.COLLECTOR] & ON_G0
    guest[P.COLLECTOR] |= ON_G0
    gp = newproc(m, t, start, pc, argument)
    guest[P.COLLECTOR] = guest[P.COLLECTOR] & ~ON_G0 | before
    return gp


@kernel
def newproc(m, t, start, pc, argument):
    """Address of a new goroutine that can run (`start`) or waits; 0 after a fatal error."""
    pp = current_p(m, t)
    gp = newproc1(m, t, pp, pc)
    if gp == 0:
        return 0
    put64(m, t, get64(m, t, gp + HI) - VARIABLES_BYTES, argument)
    put32(m, t, gp + g_.atomicstatus, P.Grunnable if start else P.Gwaiting)
    if start:
        runqput(m, t, pp, gp, True)
        wakep(m, t)
    return gp


@kernel
def newproc1(m, t, pp, pc):
    gp = gfget(m, t, pp)
    if gp == 0:
        gp = malg(m, t)
        if gp == 0:
            return 0
    sp = get64(m, t, gp + HI) - ENTRY_BYTES
    put64(m, t, gp + SP, sp)
    for place in range(sp, sp + ENTRY_BYTES, 8):
        put64(m, t, place, 0)
    put64(m, t, gp + PC, pc)
    addScannableStack(m, t, pp, get64(m, t, gp + HI) - get64(m, t, gp + LO))
    put8(m, t, gp + g_.trackingSeq, fastrand(m, t) & 0xFF)
    put64(m, t, gp + g_.goid, next_goid(m, t, pp))
    return gp


@kernel
def next_goid(m, t, pp):
    """A number that no goroutine had; a P takes 16 at a time."""
    goid = get64(m, t, pp + p_.goidcache)
    if goid == get64(m, t, pp + p_.goidcacheend):
        goid = add64(m, t, V.sched + schedt.goidgen, GOID_BATCH) + 1
        put64(m, t, pp + p_.goidcacheend, goid + GOID_BATCH)
    put64(m, t, pp + p_.goidcache, goid + 1)
    return goid


@kernel
def gosched(m, t):
    gp = m.thread[t].guest[P.G]
    put32(m, t, gp + g_.atomicstatus, P.Grunnable)
    dropg(m, t, gp, current_m(m, t))
    lock(m, t, SCHED_LOCK)
    globrunqput(m, t, gp)
    unlock(m, t, SCHED_LOCK)


@kernel
def goexit(m, t, gp):
    """The goroutine, the running one or one that waits, ends; its P keeps the g."""
    if m.thread[t].guest[P.G] == gp:
        dropg(m, t, gp, current_m(m, t))
    put32(m, t, gp + g_.atomicstatus, P.Gdead)
    addScannableStack(m, t, current_p(m, t), get64(m, t, gp + LO) - get64(m, t, gp + HI))
    put64(m, t, gp + g_.param, 0)
    put64(m, t, gp + g_.timer, 0)
    gfput(m, t, current_p(m, t), gp)


@kernel
def exit_program(m, t):
    """The program ends: Ms that sleep wake, and every M finishes when it asks for its next goroutine."""
    m.process[m.thread[t].process].guest[P.EXITED] = 1
    goexit(m, t, m.thread[t].guest[P.G])
    pp = get64(m, t, PIDLE)
    while pp:
        notewakeup(m, t, get64(m, t, pp + p_.m))
        pp = get64(m, t, pp + p_.link)

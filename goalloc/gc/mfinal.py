"""Finalizers: what runs when an object is not reached any more, once, with the object as its argument.

    SetFinalizer ── a special of the object's span          swept and not marked ── queued (mfinal_queue.py)
    the finalizers' goroutine takes all that are queued, the newest block first, each from its end; one a step

The function is a number that the program knows, `fn`; `ot`, if not 0, is the address of a variable that the finalizer stores the object in
(resurrection). Go: mfinal.go SetFinalizer, runfinq; mheap.go addfinalizer.
"""

from hwmem._jit import call_door, cold, kernel
from goalloc import constants as C, errors as E, params as P
from goalloc.base.lock import lock, unlock
from goalloc.base.malloc_persistent import current_p
from goalloc.errors import throw
from goalloc.gc.mbarrier import write_barrier
from goalloc.gc.mfinal_queue import or_status
from goalloc.gc.mgcmark_scan import findObject, is_noscan, scan_pointers, scanobject
from goalloc.gc.mgcsweep import ensureSwept
from goalloc.gc.pinner_bits import setPinned
from goalloc.heap.mheap_special import addspecial, free_special, new_special, removespecial
from goalloc.heap.stack import HI
from goalloc.layout import DATA, DATA_END, GLOBALS, finalizer, finblock, mheap, mspan, p_, specialfinalizer, variables as V
from goalloc.sched.proc import NEWPROC, VARIABLES_BYTES
from goalloc.sched.proc_park import gopark
from goalloc.words import add64, get8, get32, get64, put32, put64

FINALIZERS = -4  # where the goroutine is in its program (gc/system.py)
WAIT_REASON_FINALIZER = 17
BLOCK = 0  # its variable: the block whose finalizers it runs


@kernel
def is_static(m, t, va):
    """Whether the address is of a global variable, or of what has no size."""
    end = max(m.process[m.thread[t].process].guest[P.GLOBALS_END], GLOBALS)
    return va == V.zerobase or DATA <= va < DATA_END or GLOBALS <= va < end


@cold
def object_for(m, t, va, tiny):
    """(the span of the swept object that begins at `va`, its index); (0, 0): a global variable, or a fatal error. `tiny`: its type has no
    pointers and less than 16 bytes, so that it may lie in a block."""
    base, s, i = findObject(m, t, va, 0, 0)
    if base == 0:
        if not is_static(m, t, va):
            throw(m, t, E.FINALIZER_NOT_ALLOCATED, 0, 0)
        return 0, 0
    if get8(m, t, s + mspan.isUserArenaChunk):
        throw(m, t, E.FINALIZER_ARENA, 0, 0)
        return 0, 0
    if base != va and not tiny:
        throw(m, t, E.FINALIZER_NOT_BEGINNING, 0, 0)
        return 0, 0
    ensureSwept(m, t, s)
    return s, i


@cold
def set_finalizer(m, t, x, fn, ot):
    """runtime.SetFinalizer(x, fn); the lowest bit of `ot`: it may be a tiny object."""
    s, i = object_for(m, t, x, ot & 1)
    if s == 0:
        return
    createfing(m, t)
    sp = new_special(m, t, mheap.specialfinalizeralloc, C.KindSpecialFinalizer)
    put64(m, t, sp + specialfinalizer.fn, fn)
    put64(m, t, sp + specialfinalizer.ot, ot & ~7)
    if not addspecial(m, t, x, sp):
        free_special(m, t, mheap.specialfinalizeralloc, sp)
        throw(m, t, E.FINALIZER_SET, 0, 0)
        return
    if get32(m, t, V.gcphase) != C.GCoff:  # its span may have been a root already
        w = current_p(m, t) + p_.gcw
        if not is_noscan(m, t, s):
            scanobject(m, t, get64(m, t, s + mspan.startAddr) + i * get64(m, t, s + mspan.elemsize), w)
        scan_pointers(m, t, sp + specialfinalizer.fn, 8, w)


@cold
def remove_finalizer(m, t, x):
    """runtime.SetFinalizer(x, nil)."""
    s, _ = object_for(m, t, x, True)
    if s:
        sp = removespecial(m, t, x, C.KindSpecialFinalizer)
        if sp:
            free_special(m, t, mheap.specialfinalizeralloc, sp)


@cold
def pin(m, t, x, pinned):
    """Pinner.Pin or Unpin of the object at `x`."""
    base, s, i = findObject(m, t, x, 0, 0)
    if base == 0:
        if not is_static(m, t, x):
            throw(m, t, E.PIN_NOT_GO, 0, 0)
        return
    if get8(m, t, s + mspan.isUserArenaChunk):
        throw(m, t, E.PIN_ARENA, 0, 0)
        return
    ensureSwept(m, t, s)
    setPinned(m, t, s, i, pinned)


@kernel
def createfing(m, t):
    if get32(m, t, V.fingStatus) == C.fingUninitialized:
        or_status(m, t, C.fingCreated)
        put64(m, t, V.fing, call_door(m, P.DOOR_PROC, t, NEWPROC, FINALIZERS, 0))


@cold
def wakefing(m, t):
    """The finalizers' goroutine, if it waits and there is something for it; else 0."""
    status = get32(m, t, V.fingStatus)
    if status & (C.fingWait | C.fingWake) != C.fingWait | C.fingWake:
        return 0
    add64(m, t, V.fingStatus, C.fingCreated - status)
    return get64(m, t, V.fing)


@cold
def run_finalizer(m, t, gp):
    """A step: the function of one finalizer, which is also in the register CALLBACK, its object in SECOND; 0 if there was none, and the
    goroutine waits."""
    place = get64(m, t, gp + HI) - VARIABLES_BYTES + BLOCK
    fb = get64(m, t, place)
    if fb == 0:
        lock(m, t, V.finlock)
        fb = get64(m, t, V.finq)
        put64(m, t, V.finq, 0)
        if fb == 0:
            gopark(m, t, WAIT_REASON_FINALIZER)
            or_status(m, t, C.fingWait)
        unlock(m, t, V.finlock)
        put64(m, t, place, fb)
        if fb == 0:
            return 0
    n = get32(m, t, fb + finblock.cnt)
    f = fb + finblock.fin + (n - 1) * finalizer.sizeof
    fn, x, ot = get64(m, t, f + finalizer.fn), get64(m, t, f + finalizer.arg), get64(m, t, f + finalizer.ot)
    if ot:
        if get32(m, t, V.gcphase) != C.GCoff:
            write_barrier(m, t, ot, x)
        put64(m, t, ot, x)
    for at in (finalizer.fn, finalizer.arg, finalizer.ot):
        put64(m, t, f + at, 0)
    put32(m, t, fb + finblock.cnt, n - 1)
    if n == 1:
        following = get64(m, t, fb + finblock.next)
        lock(m, t, V.finlock)
        put64(m, t, fb + finblock.next, get64(m, t, V.finc))
        put64(m, t, V.finc, fb)
        unlock(m, t, V.finlock)
        put64(m, t, place, following)
    guest = m.thread[t].guest
    guest[P.SECOND], guest[P.CALLBACK] = x, fn
    m.process[m.thread[t].process].guest[P.FINALIZED] += 1
    return fn

"""The goroutines that mark in the background: a P has one, which runs when the pacer wants a worker there, or the P has nothing else.

    gcBgMarkWorkerPool ── popped by the scheduler ──> runs in steps (gcDrain) ── nothing left: the last one ends marking ──> pool
                                                              └─ its turn is over ──> pool

A worker's stack: | node | whether it has begun | scan work until it checks whether to stop | whether the limiter knows |. The node is an object, which
that variable keeps. Go: mgc.go gcBgMarkWorker, mgcpacer.go findRunnableGCWorker.
"""

from hwmem._jit import call_door, cold, kernel
from goalloc import constants as C, params as P
from goalloc.base.malloc_persistent import current_p
from goalloc.base.nanotime import nanotime
from goalloc.gc.mgc_phases import gcMarkDone
from goalloc.gc.mgc_ready import NODE, SWEEPER, WORKER
from goalloc.gc.mgclimit import need_update, update as update_limiter
from goalloc.base.mgclimit_event import limiter_event_start, limiter_event_stop
from goalloc.gc.mgcmark import DRAINED, MORE, gcDrain
from goalloc.gc.mgcpacer_workers import addIdleMarkWorker, markWorkerStop, removeIdleMarkWorker, worker_mode
from goalloc.gc.mgcwork import gcMarkWorkAvailable
from goalloc.gc.trace import log_turn
from goalloc.heap.lfstack import lfstack_pop, lfstack_push
from goalloc.heap.malloc import mallocgc
from goalloc.heap.stack import HI
from goalloc.layout import g_, gcBgMarkWorkerNode, p_, sweepdata, workType, variables as V
from goalloc.sched.proc import NEWG, VARIABLES_BYTES
from goalloc.sched.proc_park import gopark
from goalloc.words import add64, get32, get64, put8, put32, put64

BEGUN, CHECK, TRACKED = range(8, 32, 8)
NWAIT, NPROC = V.work + workType.nwait, V.work + workType.nproc
WAIT_REASON_IDLE_WORKER = 23


@kernel
def variables_of(m, t, gp):
    return get64(m, t, gp + HI) - VARIABLES_BYTES


@kernel
def add_nwait(m, t, delta):
    """work.nwait += delta; the new value."""
    word = add64(m, t, NWAIT & ~7, delta << 32 if NWAIT & 4 else delta)
    return (word >> 32 if NWAIT & 4 else word) + delta & 0xFFFF_FFFF


@cold
def start_sweeper(m, t):
    """The sweeper's goroutine, which waits for the first cycle's end. Go: gcenable."""
    if get64(m, t, V.sweep + sweepdata.g) == 0:
        put64(m, t, V.sweep + sweepdata.g, call_door(m, P.DOOR_PROC, t, NEWG, SWEEPER, 0))
        put8(m, t, V.sweep + sweepdata.parked, 1)


@cold
def gcBgMarkStartWorkers(m, t):
    """As many workers as Ps, which wait in the pool."""
    while get32(m, t, V.gcBgMarkWorkerCount) < get32(m, t, V.gomaxprocs):
        gp = call_door(m, P.DOOR_PROC, t, NEWG, WORKER, 0)
        node = mallocgc(m, t, gcBgMarkWorkerNode.sizeof, 0)
        if gp == 0 or node == 0:
            return
        put64(m, t, node + gcBgMarkWorkerNode.gp, gp)
        put64(m, t, variables_of(m, t, gp) + NODE, node)
        lfstack_push(m, t, V.gcBgMarkWorkerPool, node)
        put32(m, t, V.gcBgMarkWorkerCount, get32(m, t, V.gcBgMarkWorkerCount) + 1)


@cold
def findRunnableGCWorker(m, t, pp):
    """A worker that is to run on the P now, or 0."""
    now = nanotime(m, t)
    if need_update(m, t, now):
        update_limiter(m, t, now)
    if not gcMarkWorkAvailable(m, t, pp + p_.gcw):
        return 0
    node = lfstack_pop(m, t, V.gcBgMarkWorkerPool)
    if node == 0:
        return 0
    mode = worker_mode(m, t, pp, now)
    if mode == C.gcMarkWorkerNotWorker:
        lfstack_push(m, t, V.gcBgMarkWorkerPool, node)
        return 0
    return start_worker(m, t, pp, node, mode)


@cold
def find_idle_worker(m, t, pp):
    """A worker for a P that has nothing else to do, or 0. Go: in findRunnable."""
    if not gcMarkWorkAvailable(m, t, pp + p_.gcw) or not addIdleMarkWorker(m, t):
        return 0
    node = lfstack_pop(m, t, V.gcBgMarkWorkerPool)
    if node == 0:
        removeIdleMarkWorker(m, t)
        return 0
    return start_worker(m, t, pp, node, C.gcMarkWorkerIdleMode)


@kernel
def start_worker(m, t, pp, node, mode):
    put64(m, t, pp + p_.gcMarkWorkerMode, mode)
    gp = get64(m, t, node + gcBgMarkWorkerNode.gp)
    put64(m, t, variables_of(m, t, gp) + BEGUN, 0)
    return gp


@cold
def run_worker(m, t, gp):
    """A step of the worker."""
    pp, at = current_p(m, t), variables_of(m, t, gp)
    mode = get64(m, t, pp + p_.gcMarkWorkerMode)
    if get64(m, t, at + BEGUN) == 0:
        begin(m, t, pp, at, mode)
    status, check = gcDrain(m, t, pp, gp, get64(m, t, at + CHECK))
    m.thread[t].guest[P.DRAINS] = m.core[m.thread[t].core].cycles if status == MORE else 0
    put64(m, t, at + CHECK, check)
    if status == MORE:
        return
    put8(m, t, gp + g_.preempt, 0)
    if status != DRAINED and mode == C.gcMarkWorkerDedicatedMode:
        return  # asked to leave, it stays
    end(m, t, pp, at, mode)
    gopark(m, t, WAIT_REASON_IDLE_WORKER)
    lfstack_push(m, t, V.gcBgMarkWorkerPool, get64(m, t, at + NODE))


@kernel
def begin(m, t, pp, at, mode):
    now = nanotime(m, t)
    put64(m, t, at + BEGUN, 1)
    put64(m, t, at + CHECK, C.drainCheckThreshold)
    put64(m, t, pp + p_.gcMarkWorkerStartTime, now)
    tracked = mode == C.gcMarkWorkerIdleMode and limiter_event_start(m, t, pp, C.limiterEventIdleMarkWork, now)
    put64(m, t, at + TRACKED, 1 if tracked else 0)
    add_nwait(m, t, -1)


@kernel
def end(m, t, pp, at, mode):
    """The worker's turn is over; the last one, if there is nothing left, ends marking."""
    now = nanotime(m, t)
    duration = now - get64(m, t, pp + p_.gcMarkWorkerStartTime)
    markWorkerStop(m, t, mode, duration)
    log_turn(m, t, mode - C.gcMarkWorkerDedicatedMode, now - duration)
    if get64(m, t, at + TRACKED):
        limiter_event_stop(m, t, pp, C.limiterEventIdleMarkWork, now)
    if mode == C.gcMarkWorkerFractionalMode:
        add64(m, t, pp + p_.gcFractionalMarkTime, duration)
    waiting = add_nwait(m, t, 1)
    put64(m, t, pp + p_.gcMarkWorkerMode, C.gcMarkWorkerNotWorker)
    put64(m, t, at + BEGUN, 0)
    if waiting == get32(m, t, NPROC) and not gcMarkWorkAvailable(m, t, 0):
        gcMarkDone(m, t)

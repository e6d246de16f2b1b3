"""The doors of the collector, by which the allocator, the scheduler and Python reach it.

DOOR_GC        for allocations and the scheduler       DOOR_CYCLE   a cycle's begin, runtime.GC(), FreeOSMemory, turns
DOOR_MARK      marking                                 DOOR_SWEEP   sweeping (heap/mcentral.py has its operations)
DOOR_BARRIER   the write barrier                       DOOR_FINALIZER   finalizers, pinning
"""

from hwmem._jit import DOORS, kernel
from goalloc import constants as C, params as P
from goalloc.base.malloc_persistent import current_p
from goalloc.base.nanotime import nanotime
from goalloc.gc.mbarrier import FLUSH, typeBitsBulkBarrier, write_barrier
from goalloc.gc.mfinal import pin, remove_finalizer, set_finalizer, wakefing
from goalloc.gc.mgc import gcStart, gc_call, gcenable, wait_call
from goalloc.gc.mgc_trigger import gcinit, test_trigger
from goalloc.gc.mgc_workers import findRunnableGCWorker, find_idle_worker
from goalloc.gc.mgcmark_assist import gcAssistAlloc
from goalloc.gc.mgcmark_scan import gcmarknewobject
from goalloc.gc.mgcpacer import revise
from goalloc.gc.mgcscavenge_goroutine import sysmon_wakes, wake
from goalloc.gc.mgcsweep import deductSweepCredit, span_to_allocate, sweepone
from goalloc.gc.mgcsweep_reclaim import reclaim
from goalloc.gc.mgcsweep_span import sweep_span
from goalloc.gc.mgcwork import freeSomeWbufs
from goalloc.gc.mwbbuf import wbBufFlush1
from goalloc.gc.trace import SWEEP, log_forced, log_scavenged, log_turn
from goalloc.gc.system import run_system, turn, turn_of_thread
from goalloc.heap.malloc import ASSIST, FORCE, MARK_NEW, TRIGGER
from goalloc.heap.mcentral import SOME_WBUFS, SWEEP_CREDIT, SWEEP_FOR_CLASS, SWEEP_ONE
from goalloc.heap.mheap import SWEEP_RECLAIM
from goalloc.heap.mheap_scavenge import scavengeAll
from goalloc.layout import g_, mspan, p_
from goalloc.sched.proc import ON_G0
from goalloc.sched.proc_park import SYSMON_LOOKS, WAKE
from goalloc.sched.proc_schedule import FIND_IDLE_WORKER, FIND_WORKER, WAKE_FINALIZERS
from goalloc.words import get64, put64

SET_FINALIZER, REMOVE_FINALIZER, PIN, UNPIN = range(4)


@DOORS.door(P.DOOR_GC)
def gc_door(m, t, operation, a, b):
    """FIND_WORKER, FIND_IDLE_WORKER (P), WAKE_FINALIZERS: a goroutine or 0. MARK_NEW (object, its span), TRIGGER."""
    if operation == FIND_WORKER:
        return findRunnableGCWorker(m, t, a)
    if operation == FIND_IDLE_WORKER:
        return find_idle_worker(m, t, a)
    if operation == WAKE_FINALIZERS:
        return wakefing(m, t)
    if operation == MARK_NEW:
        size, gp = get64(m, t, b + mspan.elemsize), m.thread[t].guest[P.G]
        gcmarknewobject(m, t, b, a, size, current_p(m, t) + p_.gcw)
        put64(m, t, gp + g_.gcAssistBytes, get64(m, t, gp + g_.gcAssistBytes) + m.thread[t].guest[P.SIZE] - size)
    elif operation == WAKE:
        wake(m, t)
    elif operation == SYSMON_LOOKS:
        sysmon_wakes(m, t)
    elif m.process[m.thread[t].process].guest[P.COLLECTOR] & ON_G0:
        if operation == ASSIST:
            gp = m.thread[t].guest[P.G]
            put64(m, t, gp + g_.gcAssistBytes, get64(m, t, gp + g_.gcAssistBytes) - a)
    elif operation == FORCE:
        now = nanotime(m, t)
        m.process[m.thread[t].process].guest[P.FORCE_AT] = 0
        if test_trigger(m, t, C.gcTriggerTime, now):
            log_forced(m, t)
            gcStart(m, t, C.gcTriggerTime, now)
    elif operation == TRIGGER:
        if test_trigger(m, t, C.gcTriggerHeap, 0):
            gcStart(m, t, C.gcTriggerHeap, 0)
    elif operation == ASSIST:
        gp = m.thread[t].guest[P.G]
        credit = get64(m, t, gp + g_.gcAssistBytes) - a
        put64(m, t, gp + g_.gcAssistBytes, credit)
        if credit < 0:
            gcAssistAlloc(m, t, gp, a)
    return 0


@DOORS.door(P.DOOR_CYCLE)
def cycle_door(m, t, operation, a, b):
    if operation == P.GC_CALL:
        return gc_call(m, t, a)
    if operation == P.TURN:
        return turn(m, t, a != 0)
    if operation == P.TURN_OF_THREAD:
        return turn_of_thread(m, t, a)
    if operation == P.RUN_SYSTEM:
        return run_system(m, t, a)
    if operation == P.SCAVENGE_ALL:
        released = scavengeAll(m, t)
        log_scavenged(m, t, 0, released, True, False)
        return released
    if operation == P.WAIT_MARK:
        return wait_call(m, t)
    if operation == P.GC_ENABLE:
        gcenable(m, t)
    else:
        revise(m, t)
    return 0


@DOORS.door(P.DOOR_MARK)
def mark_door(m, t, operation, a, b):
    if operation == FLUSH:
        wbBufFlush1(m, t, a)
    return 0


@DOORS.door(P.DOOR_SWEEP)
def sweep_door(m, t, operation, a, b):
    if operation == SOME_WBUFS:
        return freeSomeWbufs(m, t)
    began, swept = nanotime(m, t), m.process[m.thread[t].process].guest[P.SPANS_SWEPT]
    answer = sweep(m, t, operation, a, b)
    if m.process[m.thread[t].process].guest[P.SPANS_SWEPT] != swept:
        log_turn(m, t, SWEEP, began)
    return answer


@kernel
def sweep(m, t, operation, a, b):
    if operation == SWEEP_ONE:
        return sweepone(m, t)
    if operation == SWEEP_FOR_CLASS:
        return span_to_allocate(m, t, a)
    if operation == SWEEP_CREDIT:
        deductSweepCredit(m, t, a, b)
    elif operation == SWEEP_RECLAIM:
        reclaim(m, t, a)
    else:
        sweep_span(m, t, a, False)
    return 0


@DOORS.door(P.DOOR_FINALIZER)
def finalizer_door(m, t, operation, a, b):
    gcinit(m, t)
    if operation == SET_FINALIZER:
        set_finalizer(m, t, a, b, m.thread[t].guest[P.SIZE])
    elif operation == REMOVE_FINALIZER:
        remove_finalizer(m, t, a)
    else:
        pin(m, t, a, operation == PIN)
    return 0


@DOORS.door(P.DOOR_BARRIER)
def barrier_door(m, t, a, b, n):
    """Before *a = b, or with `n` before n bytes of a type, whose address is in the register SIZE, are copied from b to a."""
    if n:
        typeBitsBulkBarrier(m, t, a, b, n)
    else:
        write_barrier(m, t, a, b)
    return 0

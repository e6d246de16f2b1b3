"""Draining: roots first, then grey objects, until there are none or another goroutine is due.

    gcDrain     a worker, a piece at a time: a step of the machine ends after STEP bytes of scan work
    gcDrainN    an assist, as much as it owes

What was scanned becomes credit (mgcmark_credit.py) 2,000 bytes at a time. Go: mgcmark.go gcDrain, gcDrainN.
"""

from hwmem._jit import cold, hot, kernel
from hwmem.core.ahead import expect
from goalloc import constants as C
from goalloc.base.nanotime import nanotime
from goalloc.gc.mgc_ready import HOME, WAITS
from goalloc.gc.mgclimit import limiting
from goalloc.gc.mgcmark_credit import gcFlushBgCredit
from goalloc.gc.mgcmark_roots import markroot, next_job
from goalloc.gc.mgcmark_scan import scanobject
from goalloc.gc.mgcpacer_workers import pollFractionalWorkerExit
from goalloc.gc.mgcwork import FULL, balance, tryGet
from goalloc.gc.mwbbuf import wbBufFlush1
from goalloc.gc.retake import is_preempted
from goalloc.layout import g_, gcControllerState, gcWork, p_, variables as V
from goalloc.sched.proc_park import current_m
from goalloc.sched.proc_runq import SIZE, runq_length
from goalloc.gc.inline import get8, get64, put64
from goalloc.words import add64, get32

HEAP_SCAN_WORK = V.gcController + gcControllerState.heapScanWork
# Bytes of scan work after which a worker's step ends, a sixteenth if there are other Ps; for every object or job as much more
STEP, EACH = 4096, 64
MORE, DRAINED, PREEMPTED = range(3)  # how a piece of draining ended


@hot
def next_grey(m, t, pp):
    """A grey object for the P, or 0; what it shares with others if they have none."""
    w = pp + p_.gcw
    if get64(m, t, FULL) == 0:
        balance(m, t, w)
    b = tryGet(m, t, w)
    if b == 0:
        wbBufFlush1(m, t, pp)
        b = tryGet(m, t, w)
    if b:
        expect(m, t, b)
    return b


@kernel
def flush_work(m, t, w):
    """Move the P's scan work to all's; how much it was."""
    done = get64(m, t, w + gcWork.heapScanWork)
    if done:
        add64(m, t, HEAP_SCAN_WORK, done)
        put64(m, t, w + gcWork.heapScanWork, 0)
    return done


@kernel
def has_other_work(m, t, pp):
    """Go: pollWork."""
    mp = current_m(m, t)
    if get8(m, t, mp + HOME) and get8(m, t, mp + WAITS) == 0:
        return True
    return get32(m, t, SIZE) != 0 or runq_length(m, t, pp) != 0 or get64(m, t, pp + p_.runnext) != 0


@cold
def should_stop(m, t, pp, mode):
    """Whether a worker that does not have the P to itself has to leave it."""
    if mode == C.gcMarkWorkerIdleMode:
        return has_other_work(m, t, pp)
    if mode == C.gcMarkWorkerFractionalMode:
        return pollFractionalWorkerExit(m, t, pp, nanotime(m, t))
    return False


@cold
def gcDrain(m, t, pp, gp, checkWork):
    """(how a piece of a worker's draining ended, scan work until it looks again whether it should stop)."""
    w, mode, roots, alone = pp + p_.gcw, get64(m, t, pp + p_.gcMarkWorkerMode), True, get32(m, t, V.gomaxprocs) == 1
    step, before = 0 if alone else STEP - STEP // 16, get64(m, t, w + gcWork.heapScanWork)
    while step < STEP:
        if get8(m, t, gp + g_.preempt):
            flush_credit(m, t, w)
            return PREEMPTED, checkWork
        job = next_job(m, t) if roots else -1
        if job >= 0:
            step += markroot(m, t, w, job, True) + EACH
            before = get64(m, t, w + gcWork.heapScanWork)
            if should_stop(m, t, pp, mode):
                flush_credit(m, t, w)
                return PREEMPTED, checkWork
            continue
        roots = False
        b = next_grey(m, t, pp)
        if b == 0:
            flush_credit(m, t, w)
            return DRAINED, checkWork
        done = scanobject(m, t, b, w)
        step += done - before + EACH
        before = done
        if done >= C.gcCreditSlack:
            gcFlushBgCredit(m, t, flush_work(m, t, w))
            before = 0
            checkWork -= done
            if checkWork <= 0:
                checkWork += C.drainCheckThreshold
                if should_stop(m, t, pp, mode):
                    return PREEMPTED, checkWork
    return MORE, checkWork


@kernel
def flush_credit(m, t, w):
    done = flush_work(m, t, w)
    if done:
        gcFlushBgCredit(m, t, done)


@cold
def gcDrainN(m, t, pp, scanWork, leaves):
    """Mark until `scanWork` is done, or there is nothing left, or the goroutine, if it `leaves` at all, has to leave its P; the scan work that it was.
    The P's own `heapScanWork` counts too."""
    w = pp + p_.gcw
    flushed = -get64(m, t, w + gcWork.heapScanWork)
    while not (leaves and is_preempted(m, t, pp)) and not limiting(m, t) and flushed + get64(m, t, w + gcWork.heapScanWork) < scanWork:
        b = next_grey(m, t, pp)
        if b == 0:
            job = next_job(m, t)
            if job < 0:
                break
            flushed += markroot(m, t, w, job, False)
            continue
        if scanobject(m, t, b, w) >= C.gcCreditSlack:
            flushed += flush_work(m, t, w)
    return flushed + get64(m, t, w + gcWork.heapScanWork)

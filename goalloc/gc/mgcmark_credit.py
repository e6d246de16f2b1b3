"""Credit: scan work that workers have done in advance, for allocations to come; and the goroutines that wait for it.

    worker ── gcFlushBgCredit ──> goroutines in work.assistQueue, oldest first, until their debt is paid
                               └─> the rest: bgScanCredit, which assists take from before they work themselves

Go: mgcmark.go gcFlushBgCredit, gcParkAssist, gcWakeAllAssists.
"""

from hwmem._jit import cold, kernel
from goalloc.base.float64 import get_float
from goalloc.base.lock import lock, unlock
from goalloc.gc.mgc_ready import injectglist, park, queue_pop, queue_push, ready
from goalloc.layout import g_, gcControllerState, workType, variables as V
from goalloc.words import add64, get32, get64, put64

BG_CREDIT = V.gcController + gcControllerState.bgScanCredit
QUEUE_LOCK, QUEUE = V.work + workType.assistQueue, V.work + workType.assistQueue + 8
WORK_PER_BYTE, BYTES_PER_WORK = V.gcController + gcControllerState.assistWorkPerByte, V.gcController + gcControllerState.assistBytesPerWork
WAIT_REASON_ASSIST = 2


@kernel
def work_to_bytes(m, t, work):
    return int(get_float(m, t, BYTES_PER_WORK) * work)


@cold
def gcFlushBgCredit(m, t, scanWork):
    """A worker has done so much."""
    if get64(m, t, QUEUE) == 0:
        add64(m, t, BG_CREDIT, scanWork)
        return
    scanBytes = work_to_bytes(m, t, scanWork)
    lock(m, t, QUEUE_LOCK)
    while scanBytes > 0:
        gp = queue_pop(m, t, QUEUE)
        if gp == 0:
            break
        debt = get64(m, t, gp + g_.gcAssistBytes)
        if scanBytes + debt < 0:
            put64(m, t, gp + g_.gcAssistBytes, debt + scanBytes)
            scanBytes = 0
            queue_push(m, t, QUEUE, gp)
        else:
            scanBytes += debt
            put64(m, t, gp + g_.gcAssistBytes, 0)
            ready(m, t, gp, False)
    if scanBytes > 0:
        add64(m, t, BG_CREDIT, int(get_float(m, t, WORK_PER_BYTE) * scanBytes))
    unlock(m, t, QUEUE_LOCK)


@cold
def gcParkAssist(m, t, gp):
    """The running `gp` waits for credit; False if there is some by now, or the cycle is over."""
    lock(m, t, QUEUE_LOCK)
    waits = get32(m, t, V.gcBlackenEnabled) != 0 and get64(m, t, BG_CREDIT) <= 0
    if waits:
        queue_push(m, t, QUEUE, gp)
        park(m, t, WAIT_REASON_ASSIST)
    unlock(m, t, QUEUE_LOCK)
    return waits


@cold
def gcWakeAllAssists(m, t):
    """The cycle is over."""
    lock(m, t, QUEUE_LOCK)
    injectglist(m, t, QUEUE)
    put64(m, t, QUEUE + 8, 0)
    unlock(m, t, QUEUE_LOCK)

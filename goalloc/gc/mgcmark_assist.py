"""Assists: a goroutine that allocates while a cycle marks owes scan work, so that marking ends before the heap reaches its goal.

    mallocgc ── gcAssistBytes -= size ── below 0: steal credit ── not enough: mark (gcDrainN) ── nothing to mark: wait (mgcmark_wait.py)

Go: mgcmark.go gcAssistAlloc, gcAssistAlloc1.
"""

from hwmem._jit import cold, kernel
from goalloc import constants as C
from goalloc.base.float64 import get_float
from goalloc.base.malloc_persistent import current_p
from goalloc.base.mgclimit_event import limiter_event_start, limiter_event_stop
from goalloc.base.nanotime import nanotime
from goalloc.gc.mgc_phases import gcMarkDone
from goalloc.gc.mgc_workers import NPROC, add_nwait
from goalloc.gc.mgclimit import limiting, update as update_limiter
from goalloc.gc.mgcmark import gcDrainN
from goalloc.gc.mgcmark_credit import BG_CREDIT, BYTES_PER_WORK, WORK_PER_BYTE, work_to_bytes
from goalloc.gc.mgcmark_wait import wait_for_marking
from goalloc.gc.mgcwork import gcMarkWorkAvailable
from goalloc.gc.retake import has_to_leave, may_leave
from goalloc.gc.trace import ASSIST, log_turn
from goalloc.layout import g_, gcControllerState, p_, variables as V
from goalloc.words import add64, get32, get64, put64

ASSIST_TIME = V.gcController + gcControllerState.assistTime


@cold
def gcAssistAlloc(m, t, gp, size):
    """Pay the debt of `gp`, the running goroutine, as far as possible, before it allocates `size` bytes (0: none)."""
    leaves = may_leave(m, t, gp, size)
    pay(m, t, gp, leaves)
    while owes(m, t, gp, leaves) and wait_for_marking(m, t, gp):
        pay(m, t, gp, leaves)


@kernel
def owes(m, t, gp, leaves):
    """Whether the goroutine has to wait for credit. One that has been asked to leave its P comes back to its debt later (system.py)."""
    if get64(m, t, gp + g_.gcAssistBytes) >= 0 or has_to_leave(m, t, current_p(m, t), leaves):
        return False
    return not limiting(m, t) and get32(m, t, V.gcBlackenEnabled) != 0


@kernel
def pay(m, t, gp, leaves):
    if limiting(m, t):
        return
    debt = -get64(m, t, gp + g_.gcAssistBytes)
    work = int(get_float(m, t, WORK_PER_BYTE) * debt)
    if work < C.gcOverAssistWork:
        work = C.gcOverAssistWork
        debt = int(get_float(m, t, BYTES_PER_WORK) * work)
    work -= steal(m, t, gp, work, debt)
    if work > 0 and get32(m, t, V.gcBlackenEnabled):
        gcAssistAlloc1(m, t, gp, work, leaves)


@kernel
def steal(m, t, gp, work, debt):
    """Credit that background workers have earned; how much."""
    credit = get64(m, t, BG_CREDIT)
    if credit <= 0:
        return 0
    stolen = min(credit, work)
    paid = debt if stolen == work else 1 + work_to_bytes(m, t, stolen)
    put64(m, t, gp + g_.gcAssistBytes, get64(m, t, gp + g_.gcAssistBytes) + paid)
    add64(m, t, BG_CREDIT, -stolen)
    return stolen


@cold
def gcAssistAlloc1(m, t, gp, work, leaves):
    """Mark; the last one, if there is nothing left, ends marking."""
    start, pp = nanotime(m, t), current_p(m, t)
    tracked = limiter_event_start(m, t, pp, C.limiterEventMarkAssist, start)
    add_nwait(m, t, -1)
    done = gcDrainN(m, t, pp, work, leaves)
    put64(m, t, gp + g_.gcAssistBytes, get64(m, t, gp + g_.gcAssistBytes) + 1 + work_to_bytes(m, t, done))
    completed = add_nwait(m, t, 1) == get32(m, t, NPROC) and not gcMarkWorkAvailable(m, t, 0)
    log_turn(m, t, ASSIST, start)
    now = nanotime(m, t)
    spent = get64(m, t, pp + p_.gcAssistTime) + now - start
    if tracked:
        limiter_event_stop(m, t, pp, C.limiterEventMarkAssist, now)
    if spent > C.gcAssistTimeSlack:
        add64(m, t, ASSIST_TIME, spent)
        update_limiter(m, t, now)
        spent = 0
    put64(m, t, pp + p_.gcAssistTime, spent)
    if completed:
        gcMarkDone(m, t)

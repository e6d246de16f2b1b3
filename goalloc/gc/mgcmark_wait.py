"""An assist that finds nothing to mark waits in the middle of its allocation, while other Ps mark on.

    P 0   mallocgc ── assist: no work, no credit ── waits ░░░░░░░░░░░ credit, or marking is over ── assist again ── the object
    P 1   ......step.............step of its worker ── step ── step ┘

A step is never interrupted, so the others' steps are made within this one, as their own threads, on their cores, by their clocks, until there is
credit. As in Go the goroutine is parked, and its P may run a worker of its own, or is idle. Where it has other goroutines to run, the goroutine
waits after its step (gc/system.py). Go: mgcmark.go gcAssistAlloc, gcParkAssist.
"""

from hwmem._jit import cold, kernel
from hwmem.core.service import clock_moved
from goalloc import params as P
from goalloc.base.malloc_persistent import current_p
from goalloc.gc.mgc_ready import WORKER, m_of_g0
from goalloc.gc.mgc_workers import findRunnableGCWorker, find_idle_worker, run_worker
from goalloc.gc.mgc_world import NOBODY, p_at, sleep_until_called, thread_of, wait_for_core
from goalloc.gc.mgcmark import has_other_work
from goalloc.gc.mgcmark_credit import BG_CREDIT, WAIT_REASON_ASSIST
from goalloc.gc.mgcwork import gcMarkWorkAvailable
from goalloc.layout import p_, variables as V
from goalloc.sched.proc import PC
from goalloc.sched.proc_park import current_m, gopark
from goalloc.sched.proc_runq import SIZE, runq_length
from goalloc.sched.proc_schedule import execute
from goalloc.words import get32, get64, put32


@cold
def wait_for_marking(m, t, gp):
    """The running goroutine (or program on a g0) waits until there is credit, or marking is over: whether there is a reason to try again."""
    if m.process[m.thread[t].process].guest[P.COLLECTOR] & P.ALONE or not has_nothing_else(m, t, current_p(m, t)):
        return False
    own, mp, parks = m.thread[t].core, current_m(m, t), m_of_g0(m, t, gp) == 0
    last, marks = NOBODY, False
    if parks:
        gopark(m, t, WAIT_REASON_ASSIST)
    while must_wait(m, t) or is_worker(m, t):
        i = who_marks(m, t, own if parks else NOBODY)
        if i != NOBODY and mark_on(m, thread_of(m, t, i), p_at(m, t, i)):
            if i != own:
                clock_moved(m, i)
                last = i
            else:
                marks = True
        elif not is_worker(m, t) or not mark_on(m, t, p_at(m, t, own)):
            break
    if parks:
        execute(m, t, mp, gp)
    if last != NOBODY and marks:
        wait_for_core(m, t, last)
    else:  # its M has slept
        sleep_until_called(m, t, last)
    return not must_wait(m, t)


@kernel
def must_wait(m, t):
    return get32(m, t, V.gcBlackenEnabled) != 0 and get64(m, t, BG_CREDIT) <= 0


@kernel
def is_worker(m, t):
    """Whether the thread runs a worker."""
    gp = m.thread[t].guest[P.G]
    return m_of_g0(m, t, gp) == 0 and get64(m, t, gp + PC) == WORKER


@kernel
def has_nothing_else(m, t, pp):
    return get32(m, t, SIZE) == 0 and get64(m, t, pp + p_.runnext) == 0 and runq_length(m, t, pp) == 0


@kernel
def who_marks(m, t, own):
    """The P furthest behind of those that mark, or would now; NOBODY. `own`: the caller's, if that may."""
    found = NOBODY
    for i in range(get32(m, t, V.gomaxprocs)):
        other = thread_of(m, t, i)
        if other < 0 or (other == t and i != own) or (found != NOBODY and m.core[i].cycles >= m.core[found].cycles):
            continue
        pp, free = p_at(m, t, i), m_of_g0(m, t, m.thread[other].guest[P.G]) != 0
        if is_worker(m, other) or (free and not has_other_work(m, other, pp) and gcMarkWorkAvailable(m, t, pp + p_.gcw)):
            found = i
    return found


@kernel
def mark_on(m, t, pp):
    """A step of the P's worker; if it has none, one begins. False if there is none to begin."""
    if is_worker(m, t):
        run_worker(m, t, m.thread[t].guest[P.G])
        return m.thread[t].fault_code == 0
    gp = findRunnableGCWorker(m, t, pp)
    if gp == 0:
        gp = find_idle_worker(m, t, pp)
    if gp == 0:
        return False
    execute(m, t, get64(m, t, pp + p_.m), gp)
    put32(m, t, pp + p_.schedtick, get32(m, t, pp + p_.schedtick) + 1)
    return True

"""Stopping the world: every P gets a request and a signal, and stops at its next step.

      P 0   ...step ─┤ asked, sleeps ░░░ woken: stopped ██████████ restarted, wakes one P ├─ step...
      P 1   ......step......┤ stops, sleeps                                               ░░░├─ step...      its goroutine waits in the global queue
      P 2   ...........step.............┤ stops, wakes who asked, sleeps                         ░░░├─ step...   the next is woken by who finds work
                     └ pauseStart                                  pauseNS ┘

A step is never interrupted, so between steps the others have stopped already; what their stopping costs (the signal, the flag's line, sched.lock)
is charged to their Ms, on their cores, and the stopper's clock moves to the end of the others' last step and, since its M sleeps on sched.stopnote,
until the last of them has woken it. A stopped P whose goroutine was taken is idle after the restart and its M sleeps, as in Go: one is woken, and
who finds work wakes the next. One that is in the middle of its scheduler, or runs a program on its M's g0, has work: it is woken within the pause.
Idle Ps are on no list until the restart, so that nobody wakes them.
A P that only has to do something on behalf of the collector (forEachP) does it the same way. Go: proc.go stopTheWorldWithSema,
startTheWorldWithSema, gcstopm, forEachP.
"""

from hwmem._jit import cold, kernel
from hwmem.params import NEVER
from hwmem.core.service import clock_moved
from goalloc import constants as C, params as P
from goalloc.base.lock import lock, unlock
from goalloc.base.malloc_persistent import current_p
from goalloc.base.nanotime import nanotime
from goalloc.gc.mgc_ready import HOME, NODE, STOPPED, WORKER, m_of_g0
from goalloc.gc.mgcpacer_workers import DEDICATED_NEEDED, removeIdleMarkWorker
from goalloc.heap.lfstack import lfstack_push
from goalloc.heap.stack import HI
from goalloc.layout import g_, p_, schedt, variables as V
from goalloc.sched.proc import PC, VARIABLES_BYTES
from goalloc.sched.proc_park import current_m, dropg, notesleep, pidle_remove, pidleput, wakep
from goalloc.sched.proc_runq import SCHED_LOCK, globrunqput, runq_length
from goalloc.words import add64, get8, get32, get64, put8, put32, put64

NOBODY = -1
GCWAITING, STOPWAIT = V.sched + schedt.gcwaiting, V.sched + schedt.stopwait


@kernel
def p_at(m, t, i):
    return get64(m, t, get64(m, t, V.allp) + 8 * i)


@kernel
def thread_of(m, t, i):
    """The thread that runs P `i` between two of its steps: it is its core's; -1 where there is none, as when Python makes the steps."""
    current = m.core[i].current
    if current == 0 or m.thread[current - 1].process != m.thread[t].process or m.thread[current - 1].guest[P.G] == 0:
        return -1
    return current - 1


@kernel
def wait_for_core(m, t, i):
    """The caller goes on when core `i` has come to the end of its step."""
    core = m.core[m.thread[t].core]
    core.cycles = max(core.cycles, m.core[i].cycles)
    if i != m.thread[t].core:
        clock_moved(m, i)


@cold
def stopTheWorld(m, t):
    """From now on only the caller runs."""
    own = current_p(m, t)
    lock(m, t, SCHED_LOCK)
    put32(m, t, STOPWAIT, get32(m, t, V.gomaxprocs) - 1)
    put8(m, t, GCWAITING, 1)
    put32(m, t, own + p_.status, C.Pgcstop)
    for i in range(get32(m, t, V.gomaxprocs)):
        pp = p_at(m, t, i)
        if pp != own and get32(m, t, pp + p_.status) == P.Prunning:
            put8(m, t, pp + p_.preempt, 1)
        elif pp != own:
            pidle_remove(m, t, pp)
            put32(m, t, pp + p_.status, P.Pidle)
    unlock(m, t, SCHED_LOCK)
    last = NOBODY
    for i in range(get32(m, t, V.gomaxprocs)):
        pp = p_at(m, t, i)
        if pp != own and get32(m, t, pp + p_.status) == P.Prunning:
            other = thread_of(m, t, i)
            preempt(m, t, other)
            gcstopm(m, other if other >= 0 else t, pp, other >= 0)
            last = later(m, t, last, i)
    sleep_until_called(m, t, last)


@kernel
def preempt(m, t, other):
    """A signal interrupts the other P's M, if it runs a goroutine (or a program on its g0). An interrupt costs what one of a TLB shootdown does.
    Go: preemptone, preemptM."""
    if other < 0 or m.thread[other].core == m.thread[t].core:
        return
    mp = current_m(m, other)
    if m_of_g0(m, other, m.thread[other].guest[P.G]) and get8(m, other, mp + HOME) == 0:
        return
    core, interrupted = m.core[m.thread[t].core], m.core[m.thread[other].core]
    core.cycles += m.cost.syscall + m.cost.shootdown
    interrupted.cycles = max(interrupted.cycles, core.cycles) + m.cost.shootdown_remote + m.cost.syscall


@kernel
def later(m, t, last, i):
    """Of cores `last` (NOBODY: none yet) and `i`, whose step the caller waits for, the one whose ends later."""
    wait_for_core(m, t, i)
    if i == m.thread[t].core or (last != NOBODY and m.core[i].cycles < m.core[last].cycles):
        return last
    return i


@kernel
def sleep_until_called(m, t, last):
    """The M has slept on a note since it asked, and its core was idle, until core `last`, the last that had to do something, woke it. Go:
    notetsleep of sched.stopnote, sched.safePointNote."""
    if last == NOBODY:
        return
    core, waker = m.core[m.thread[t].core], m.core[last]
    waker.cycles += wake_up(m)
    clock_moved(m, last)
    core.cycles = max(core.cycles + m.cost.syscall + m.cost.futex, waker.cycles) + m.cost.wake_idle + m.cost.context_switch


@kernel
def wake_up(m):
    """What waking a sleeping M costs the waker."""
    return m.cost.syscall + m.cost.futex + m.cost.wake_call


@cold
def gcstopm(m, t, pp, is_own):
    """The P stops, as thread `t`; `is_own`: that of its M, which leaves its goroutine to the first P that runs again."""
    if get8(m, t, GCWAITING) == 0:
        return
    lock(m, t, SCHED_LOCK)
    if is_own and (put_worker_back(m, t, pp) or preempt_to_global(m, t)):
        put8(m, t, pp + p_.preempt, 0)  # else a program on the g0 comes by the scheduler when it goes on
        put8(m, t, current_m(m, t) + STOPPED, 1)
    put32(m, t, pp + p_.status, C.Pgcstop)
    put32(m, t, STOPWAIT, get32(m, t, STOPWAIT) - 1)
    unlock(m, t, SCHED_LOCK)


@kernel
def put_worker_back(m, t, pp):
    """Whether the P was about to run a mark worker. It waits again: it may be in no run queue, for which P runs it as what is its P's mode.
    One that has begun is not stopped, since marking only ends when none is left. Go: mgc.go gcBgMarkWorker."""
    gp, mode = m.thread[t].guest[P.G], get64(m, t, pp + p_.gcMarkWorkerMode)
    if m_of_g0(m, t, gp) or get64(m, t, gp + PC) != WORKER:
        return False
    if mode == C.gcMarkWorkerDedicatedMode:
        add64(m, t, DEDICATED_NEEDED, 1)
    elif mode == C.gcMarkWorkerIdleMode:
        removeIdleMarkWorker(m, t)
    put64(m, t, pp + p_.gcMarkWorkerMode, C.gcMarkWorkerNotWorker)
    put32(m, t, gp + g_.atomicstatus, P.Gwaiting)
    dropg(m, t, gp, current_m(m, t))
    lfstack_push(m, t, V.gcBgMarkWorkerPool, get64(m, t, get64(m, t, gp + HI) - VARIABLES_BYTES + NODE))
    return True


@kernel
def preempt_to_global(m, t):
    """The running goroutine goes to the end of the global queue, whose lock is held; False if it is a program on a g0."""
    gp = m.thread[t].guest[P.G]
    if m_of_g0(m, t, gp):
        return False
    put32(m, t, gp + g_.atomicstatus, P.Grunnable)
    dropg(m, t, gp, current_m(m, t))
    globrunqput(m, t, gp)
    return True


@cold
def startTheWorld(m, t):
    """All Ps go on that have something to do, and one more; when the pause was over, in nanoseconds."""
    lock(m, t, SCHED_LOCK)
    for i in range(get32(m, t, V.gomaxprocs) - 1, -1, -1):
        pp = p_at(m, t, i)
        if get32(m, t, pp + p_.status) == C.Pgcstop:
            restart(m, t, pp, i)
        elif get32(m, t, pp + p_.status) == P.Pidle:
            pidleput(m, t, pp)
    put8(m, t, GCWAITING, 0)
    unlock(m, t, SCHED_LOCK)
    now = nanotime(m, t)
    wakep(m, t)
    return now


@kernel
def restart(m, t, pp, i):
    """The P of core `i` was stopped: it is idle now and its M asleep, or both go on."""
    mp, core = get64(m, t, pp + p_.m), m.core[m.thread[t].core]
    other = thread_of(m, t, i)
    stopped = get8(m, t, mp + STOPPED)
    put8(m, t, mp + STOPPED, 0)
    if stopped and runq_length(m, t, pp) == 0 and get64(m, t, pp + p_.runnext) == 0:
        pidleput(m, t, pp)
        notesleep(m, other, mp, NEVER)
        return
    put32(m, t, pp + p_.status, P.Prunning)
    if i != core.id:
        if other >= 0:
            core.cycles += wake_up(m)
        m.core[i].cycles = max(m.core[i].cycles, core.cycles + (m.cost.wake_idle if other >= 0 else 0))
        clock_moved(m, i)

"""The collector's own goroutines, step by step: the sweeper, a P's mark worker, the finalizers'. And when they get a turn on a P.

A goroutine's place in its program is a number; theirs are negative. Programs that run goroutines come to them by the scheduler.
Programs on the g0s of their Ms ask before each of their steps (turn), while there may be something to do: a worker that the pacer wants,
a goroutine in a queue when the program has had its 10 ms (sysmon's retake) or waits. A goroutine that yields gives the program its turn. Go: mgcsweep.go bgsweep, proc.go schedule, retake.
"""

from hwmem._jit import call_door, cold, kernel
from hwmem.sched.scheduler import sleep_until
from goalloc import constants as C, params as P
from goalloc.base.lock import lock, unlock
from goalloc.base.malloc_persistent import current_p
from goalloc.base.nanotime import cycles_of, nanotime
from goalloc.gc.mfinal import FINALIZERS, run_finalizer, wakefing
from goalloc.gc.mgc_ready import DUE, HOME, WAITS, m_of_g0
from goalloc.gc.mgc_workers import SWEEPER, WORKER, findRunnableGCWorker, find_idle_worker, run_worker
from goalloc.gc.mgc_world import preempt_to_global
from goalloc.gc.mgcmark_assist import gcAssistAlloc
from goalloc.gc.mgcmark_credit import gcParkAssist
from goalloc.gc.mgcscavenge_goroutine import G as SCAVENGER_G, SCAVENGER, TIMER, run_scavenger
from goalloc.gc.mgcpacer_commit import isSweepDone
from goalloc.gc.mgcsweep import NBGSWEEP, NOTHING, sweepone
from goalloc.gc.mgcwork import freeSomeWbufs
from goalloc.gc.retake import has_to_leave, looked_at, may_leave, retake
from goalloc.gc.trace import SWEEP, log_turn
from goalloc.heap.stack import HI
from goalloc.layout import g_, p_, sweepdata, timer, variables as V
from goalloc.sched.proc import GOSCHED, PC, VARIABLES_BYTES
from goalloc.sched.proc_park import NPIDLE, current_m, goready, gopark, sysmon_in_time
from goalloc.sched.proc_runq import SCHED_LOCK, SIZE, globrunqget, runqget
from goalloc.sched.proc_schedule import execute
from goalloc.sched.time_timers import check_timers
from goalloc.words import get8, get32, get64, put8, put32, put64

FREEING = 0  # the sweeper's variable: whether it gives work buffers back
BATCH = 10
WAIT_REASON_SWEEP = 22
NAP_NS = 20_000  # of an M that waits, between two looks for work (osyield, usleep)
RAN, WAITED, IDLE = range(3)


@cold
def run_system(m, t, gp):
    """A step of a goroutine of the collector's. A finalizer's function, if one is to be called, else 0."""
    place = get64(m, t, gp + PC)
    if place == FINALIZERS:
        fn = run_finalizer(m, t, gp)
        if fn == 0:
            rest(m, t)
        return fn
    if place == WORKER:
        run_worker(m, t, gp)
    elif place == SWEEPER:
        run_sweeper(m, t, gp)
    elif place == SCAVENGER:
        run_scavenger(m, t, gp)
        rest(m, t)
    return 0


@kernel
def rest(m, t):
    """If the sweeper is parked, no finalizer waits and the scavenger neither runs nor sleeps, nobody need ask for the collector's
    goroutines."""
    scavenger, tm = get64(m, t, SCAVENGER_G), get64(m, t, TIMER)
    if scavenger and (get32(m, t, scavenger + g_.atomicstatus) != P.Gwaiting or (tm and get32(m, t, tm + timer.status))):
        return
    if get8(m, t, V.sweep + sweepdata.parked) and get64(m, t, V.finq) == 0 and get32(m, t, V.fingStatus) & C.fingWake == 0:
        m.process[m.thread[t].process].guest[P.COLLECTOR] &= ~P.SYSTEM


@kernel
def goschedIfBusy(m, t, gp):
    """Whether the goroutine has left its P to another."""
    if get8(m, t, gp + g_.preempt) == 0 and get32(m, t, NPIDLE) > 0:
        return False
    put8(m, t, gp + g_.preempt, 0)
    put8(m, t, current_m(m, t) + DUE, 1)
    call_door(m, P.DOOR_PROC, t, GOSCHED, 0, 0)
    return True


@cold
def run_sweeper(m, t, gp):
    freeing = get64(m, t, gp + HI) - VARIABLES_BYTES + FREEING
    if get64(m, t, freeing) == 0:
        began = nanotime(m, t)
        for _ in range(BATCH):
            if sweepone(m, t) == NOTHING:
                put64(m, t, freeing, 1)
                break
            put32(m, t, NBGSWEEP, get32(m, t, NBGSWEEP) + 1)
        log_turn(m, t, SWEEP, began)
        if get64(m, t, freeing) == 0:
            goschedIfBusy(m, t, gp)
            return
    while freeSomeWbufs(m, t):
        if goschedIfBusy(m, t, gp):
            return
    put64(m, t, freeing, 0)
    lock(m, t, V.sweep + sweepdata.lock)
    if isSweepDone(m, t):
        put8(m, t, V.sweep + sweepdata.parked, 1)
        gopark(m, t, WAIT_REASON_SWEEP)
        rest(m, t)
    unlock(m, t, V.sweep + sweepdata.lock)


# Turns


@kernel
def new_tick(m, t, pp):
    put32(m, t, pp + p_.schedtick, get32(m, t, pp + p_.schedtick) + 1)


@cold
def turn(m, t, idle):
    """What thread `t` does before a step of the program: RAN, a step of the collector's instead; WAITED, the program waits and there is
    nothing else; IDLE: nothing, the program goes on. `idle`: there is no program on the P."""
    gp = m.thread[t].guest[P.G]
    sysmon_in_time(m, t)
    if m_of_g0(m, t, gp) == 0:
        return turn_of_goroutine(m, t, gp)
    return turn_of_g0(m, t, current_p(m, t), gp, idle)


@kernel
def pays_debt(m, t, gp):
    """What the program owes the collector: IDLE, it has paid; WAITED, it waits; RAN, it has to leave its P before it has paid."""
    if m.process[m.thread[t].process].guest[P.COLLECTOR] & P.MARKING == 0 or get64(m, t, gp + g_.gcAssistBytes) >= 0:
        return IDLE
    if get32(m, t, V.gcBlackenEnabled) == 0:
        return IDLE
    gcAssistAlloc(m, t, gp, 0)
    if get64(m, t, gp + g_.gcAssistBytes) >= 0:
        return IDLE
    if has_to_leave(m, t, current_p(m, t), may_leave(m, t, gp, 0)):
        return RAN
    return WAITED if gcParkAssist(m, t, gp) else IDLE


@kernel
def turn_of_goroutine(m, t, gp):
    """`turn` of a goroutine, the program's or the collector's. What stops the world takes it from its P itself (gcstopm)."""
    taken = looked_at(m, t)
    if get64(m, t, gp + PC) < 0:
        if taken:
            put8(m, t, gp + g_.preempt, 1)
        run_system(m, t, gp)
        return RAN
    if taken:
        lock(m, t, SCHED_LOCK)
        preempt_to_global(m, t)
        unlock(m, t, SCHED_LOCK)
        return RAN
    return IDLE if pays_debt(m, t, gp) == IDLE else RAN


@kernel
def turn_of_g0(m, t, pp, g0, idle):
    """The M runs the program, or is between two goroutines."""
    mp = current_m(m, t)
    if not idle and get8(m, t, mp + HOME) == 0:
        put8(m, t, mp + HOME, 1)
    if retake(m, t, pp, nanotime(m, t)):
        put8(m, t, mp + DUE, 0)
    waits = idle or get8(m, t, mp + WAITS) != 0
    if not waits and m.process[m.thread[t].process].guest[P.COLLECTOR] & P.ALONE:
        return pays_debt(m, t, g0)
    gp = find_system(m, t, pp) if waits or get8(m, t, mp + DUE) == 0 else 0
    if gp == 0 and waits and get32(m, t, V.gcBlackenEnabled):
        gp = find_idle_worker(m, t, pp)
    if gp:
        execute(m, t, mp, gp)
        new_tick(m, t, pp)
        run_system(m, t, gp)
        return RAN
    if waits:
        return WAITED
    if get8(m, t, mp + DUE) == 0:
        put8(m, t, mp + DUE, 1)
        new_tick(m, t, pp)
    return pays_debt(m, t, g0)


@kernel
def find_system(m, t, pp):
    """A goroutine of the collector's for the P, or 0."""
    check_timers(m, t, pp)
    if get32(m, t, V.gcBlackenEnabled):
        gp = findRunnableGCWorker(m, t, pp)
        if gp:
            return gp
    fing = wakefing(m, t)
    if fing:
        goready(m, t, fing)
    gp, _ = runqget(m, t, pp)
    if gp == 0 and get32(m, t, SIZE):
        lock(m, t, SCHED_LOCK)
        gp = globrunqget(m, t, pp, 1)
        unlock(m, t, SCHED_LOCK)
    return gp


@cold
def turn_of_thread(m, t, gp):
    """`turn` of a thread of the machine's, which runs goroutine `gp`, 0 if it is between two: whether the step is over. One that has nothing to
    do sleeps for a while."""
    done = turn_of_goroutine(m, t, gp) if gp else turn(m, t, False)
    if done == WAITED:
        core = m.core[m.thread[t].core]
        sleep_until(m, t, core.cycles + max(cycles_of(m, t, NAP_NS), 1))
    return done != IDLE

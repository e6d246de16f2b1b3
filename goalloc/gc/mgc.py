"""The collector: concurrent mark-and-sweep cycles that move nothing.

        off ── gcStart ──────────────> mark ───────────── gcMarkDone ──> mark termination ──> off: the heap is swept meanwhile
               what was left is swept   workers, assists, barriers          world stopped
               world stopped            new objects are black

               P 0  ─program──█████──program─────────assist──program──█████──program──sweep──program
               P 1  ─program──█████──worker──worker──worker──worker───█████──program──program──sweep

Invariant (tricolour, with the hybrid barrier): no black object points to a white one that nothing grey leads to.

gcStart is called by allocations that pass the trigger, by GC(), and after two minutes. GC() takes several steps of the goroutine
that calls it (gc_call). Times are nanoseconds of the core's clock. Go: mgc.go.
"""

from hwmem._jit import call_door, cold, kernel
from hwmem.core.fence import mfence
from hwmem.sched.thread import compute
from goalloc import constants as C, errors as E, params as P
from goalloc.base.lock import lock, unlock
from goalloc.base.nanotime import cycles_of, nanotime
from goalloc.errors import throw
from goalloc.gc.mgc_phases import PAUSE_NS, PAUSE_START, WORLD_SEMA, acquire, gcResetMarkState, release, setGCPhase
from goalloc.gc.mgc_ready import DUE, m_of_g0, park
from goalloc.gc.mgc_stats import pause_cpu
from goalloc.gc.mgc_trigger import CYCLES, gcinit, test_trigger
from goalloc.gc.mgc_workers import gcBgMarkStartWorkers, start_sweeper
from goalloc.gc.mgc_world import p_at, startTheWorld, stopTheWorld, thread_of
from goalloc.gc.mgclimit import finishGCTransition, startGCTransition
from goalloc.gc.mgcmark_roots import gcMarkRootPrepare
from goalloc.gc.mgcmark_scan import grey_pointer
from goalloc.gc.mgcpacer import startCycle
from goalloc.gc.mgcpacer_commit import isSweepDone
from goalloc.gc.mgcscavenge_goroutine import start_scavenger, wake_early
from goalloc.gc.mgcsweep import NBGSWEEP, NOTHING, NPAUSESWEEP, sweepone
from goalloc.gc.mwbbuf import reset
from goalloc.heap.malloc_sample import POST_SWEEP
from goalloc.heap.mcentral import SWEEPGEN, central_of, fullUnswept, partialUnswept
from goalloc.heap.mheap_gcbits import nextMarkBitArenaEpoch
from goalloc.heap.mspanset import spanSet_reset
from goalloc.layout import g_, gcControllerState, mcache, p_, schedt, sudog, workType, variables as V
from goalloc.sched.chan import DONE, PARKED, YIELDED
from goalloc.sched.proc import GOSCHED
from goalloc.sched.proc_park import current_m
from goalloc.words import add64, get32, get64, put8, put32, put64

WORK = V.work
START_SEMA, WAITERS_LOCK, WAITERS = WORK + workType.startSema, WORK + workType.sweepWaiters, WORK + workType.sweepWaiters + 8
WAIT_REASON_CYCLE = 27
STAGE, CYCLE = g_.sigcode0, g_.sigcode1  # of a goroutine: how far its call of GC() is, and which cycle it waits for
COLD_NS = 10_000  # the first pause is longer: its code is not in the caches (7 to 23 microseconds recorded, 3 to 5 later)
BEGIN, WAIT_BEFORE, START, WAIT, SWEEP, WAIT_SWEPT = range(6)


@cold
def gcStart(m, t, kind, n):
    """Begin a cycle, if the trigger (gcTrigger: kind, n) still says so."""
    gcinit(m, t)
    if get32(m, t, START_SEMA) == 0:
        return  # it is being started: this is an allocation of its own
    while test_trigger(m, t, kind, n) and sweepone(m, t) != NOTHING:
        put32(m, t, NBGSWEEP, get32(m, t, NBGSWEEP) + 1)
    acquire(m, t, START_SEMA)
    if test_trigger(m, t, kind, n):
        start_cycle(m, t, kind)
    release(m, t, START_SEMA)


@kernel
def start_cycle(m, t, kind):
    acquire(m, t, V.gcsema)
    acquire(m, t, WORLD_SEMA)
    put8(m, t, WORK + workType.userForced, 1 if kind == C.gcTriggerCycle else 0)
    if not check_flushed(m, t):
        return
    start_sweeper(m, t)
    start_scavenger(m, t)
    gcBgMarkStartWorkers(m, t)
    gcResetMarkState(m, t)
    procs, now = get32(m, t, V.gomaxprocs), nanotime(m, t)
    put32(m, t, WORK + workType.stwprocs, procs)
    put32(m, t, WORK + workType.maxprocs, procs)
    put64(m, t, WORK + workType.heap0, get64(m, t, V.gcController + gcControllerState.heapLive))
    put64(m, t, PAUSE_NS, 0)
    put64(m, t, WORK + workType.tSweepTerm, now)
    put64(m, t, PAUSE_START, now)
    stopTheWorld(m, t)
    if get32(m, t, CYCLES) == 0:
        compute(m, t, cycles_of(m, t, COLD_NS))
    finishsweep(m, t)
    clearpools(m, t)
    add64(m, t, CYCLES & ~7, 1 << 32 if CYCLES & 4 else 1)
    startCycle(m, t, now, procs, kind)
    begin_count(m, t)
    startGCTransition(m, t, True, now)
    setGCPhase(m, t, C.GCmark)
    put32(m, t, WORK + workType.nproc, 0xFFFF_FFFF)
    put32(m, t, WORK + workType.nwait, 0xFFFF_FFFF)
    gcMarkRootPrepare(m, t)
    gcMarkTinyAllocs(m, t)
    put32(m, t, V.gcBlackenEnabled, 1)
    put8(m, t, current_m(m, t) + DUE, 1)  # the caller goes on
    now = startTheWorld(m, t)
    put64(m, t, PAUSE_NS, get64(m, t, PAUSE_NS) + now - get64(m, t, PAUSE_START))
    put64(m, t, WORK + workType.tMark, now)
    pause_cpu(m, t, now - get64(m, t, WORK + workType.tSweepTerm))
    finishGCTransition(m, t, now)
    release(m, t, WORLD_SEMA)


@kernel
def begin_count(m, t):
    """A cycle's row in the log (trace.py)."""
    guest = m.process[m.thread[t].process].guest
    guest[P.TRIGGERED] = get64(m, t, V.gcController + gcControllerState.triggered)


@kernel
def check_flushed(m, t):
    """Every P's mcache is of this sweep generation, and its write barrier buffer can be used; else a fatal error and False."""
    for i in range(get32(m, t, V.gomaxprocs)):
        pp = p_at(m, t, i)
        if not is_flushed(m, t, i, get64(m, t, pp + p_.mcache) + mcache.flushGen):
            throw(m, t, E.NOT_FLUSHED, 0, 0)
            return False
        reset(m, t, pp)
    return True


@kernel
def is_flushed(m, t, i, generation):
    """Whether P `i` has flushed its mcache since the last cycle. Where cycles follow each other at once, what says so may still be in the store
    buffer of its core: Go stores it by an exchange, which would have waited."""
    if get32(m, t, generation) == get32(m, t, SWEEPGEN):
        return True
    other = thread_of(m, t, i)
    if other >= 0:
        mfence(m, other)
    return get32(m, t, generation) == get32(m, t, SWEEPGEN)


@kernel
def finishsweep(m, t):
    """What is not swept yet is swept now: mark bits of two cycles would mix. And there is something for the scavenger."""
    while sweepone(m, t) != NOTHING:
        put32(m, t, NPAUSESWEEP, get32(m, t, NPAUSESWEEP) + 1)
    sg = get32(m, t, SWEEPGEN)
    for spanclass in range(P.numSpanClasses):
        c = central_of(spanclass)
        spanSet_reset(m, t, partialUnswept(c, sg))
        spanSet_reset(m, t, fullUnswept(c, sg))
    wake_early(m, t)
    nextMarkBitArenaEpoch(m, t)


@kernel
def clearpools(m, t):
    """sudogs that all share are given up."""
    lock(m, t, V.sched + schedt.sudoglock)
    s = get64(m, t, V.sched + schedt.sudogcache)
    while s:
        following = get64(m, t, s + sudog.next)
        put64(m, t, s + sudog.next, 0)
        s = following
    put64(m, t, V.sched + schedt.sudogcache, 0)
    unlock(m, t, V.sched + schedt.sudoglock)


@kernel
def gcMarkTinyAllocs(m, t):
    """The blocks that Ps cut tiny objects from live: they are allocated from while marking goes on."""
    for i in range(get32(m, t, V.gomaxprocs)):
        pp = p_at(m, t, i)
        block = get64(m, t, get64(m, t, pp + p_.mcache) + mcache.tiny)
        if block:
            grey_pointer(m, t, block, 0, 0, pp + p_.gcw)


@cold
def gcWaitOnMark(m, t, n):
    """Whether marking of cycle `n` is over; if not, the caller is parked until it may be."""
    lock(m, t, WAITERS_LOCK)
    done = get32(m, t, CYCLES) + (get32(m, t, V.gcphase) != C.GCmark) > n
    if not done:
        gp = m.thread[t].guest[P.G]
        put64(m, t, gp + g_.schedlink, get64(m, t, WAITERS))
        put64(m, t, WAITERS, gp)
        park(m, t, WAIT_REASON_CYCLE)
    unlock(m, t, WAITERS_LOCK)
    return done


@cold
def wait_call(m, t):
    """The end of the marking that runs, if any, for SetGCPercent, which has turned collection off: DONE, or PARKED: to be called again."""
    return DONE if gcWaitOnMark(m, t, get32(m, t, CYCLES)) else PARKED


@cold
def gc_call(m, t, whole):
    """runtime.GC() of the running goroutine: DONE, or PARKED or YIELDED: to be called again when it runs again. Without `whole` only as far
    as marking's end, as gcStart and gcWaitOnMark alone."""
    gcinit(m, t)
    gp = m.thread[t].guest[P.G]
    stage, n = get64(m, t, gp + STAGE), get64(m, t, gp + CYCLE)
    if stage == BEGIN:
        n = get32(m, t, CYCLES)
        put64(m, t, gp + CYCLE, n)
        stage = WAIT_BEFORE
    if stage == WAIT_BEFORE:
        if not gcWaitOnMark(m, t, n):
            return pause(m, t, gp, stage, PARKED)
        stage = START
    if stage == START:
        gcStart(m, t, C.gcTriggerCycle, n + 1)
        stage = WAIT
    if stage == WAIT:
        if not gcWaitOnMark(m, t, n + 1):
            return pause(m, t, gp, stage, PARKED)
        stage = SWEEP if whole else WAIT_SWEPT
    if stage == SWEEP:
        if get32(m, t, CYCLES) == n + 1 and sweepone(m, t) != NOTHING:
            put32(m, t, NBGSWEEP, get32(m, t, NBGSWEEP) + 1)
            return yield_turn(m, t, gp, stage)
        stage = WAIT_SWEPT
    if whole and get32(m, t, CYCLES) == n + 1 and not isSweepDone(m, t):
        return yield_turn(m, t, gp, stage)
    if whole and get64(m, t, V.MemProfileRate) > 0 and get32(m, t, CYCLES) == n + 1:
        call_door(m, P.DOOR_PROFILE, t, POST_SWEEP, 0, 0)
    return pause(m, t, gp, BEGIN, DONE)


@kernel
def pause(m, t, gp, stage, status):
    put64(m, t, gp + STAGE, stage)
    return status


@kernel
def yield_turn(m, t, gp, stage):
    """Gosched in the middle of the call."""
    put64(m, t, gp + STAGE, stage)
    if m_of_g0(m, t, gp) == 0:
        call_door(m, P.DOOR_PROC, t, GOSCHED, 0, 0)
    return YIELDED

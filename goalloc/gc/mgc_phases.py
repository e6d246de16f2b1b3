"""From marking to sweeping: how a cycle ends.

    gcMarkDone ── all Ps flush their buffers (again, if work comes up) ── world stops ── gcMarkTermination
        marked bytes become the heap's; goal and trigger for the next cycle; sweepgen += 2, the sweeper is made ready
    world starts ── every P flushes its mcache, which sweeps what it held

Called by the worker or assist that finds nothing left to mark. Go: mgc.go gcMarkDone, gcMarkTermination, gcMark, gcSweep.
"""

from hwmem._jit import call_door, cold, kernel
from goalloc import constants as C, errors as E, params as P
from goalloc.base.lock import lock, unlock
from goalloc.base.nanotime import nanotime
from goalloc.errors import throw
from goalloc.gc.mgc_ready import injectglist, ready
from goalloc.gc.mgc_stats import accumulate_cpu, pause_cpu
from goalloc.gc.mgc_world import NOBODY, later, p_at, preempt, sleep_until_called, startTheWorld, stopTheWorld, thread_of
from goalloc.gc.mgclimit import finishGCTransition, startGCTransition
from goalloc.gc.mgcmark_credit import gcWakeAllAssists
from goalloc.gc.mgcpacer import endCycle, resetLive
from goalloc.gc.mgcpacer_commit import gcControllerCommit, set_force_time
from goalloc.gc.mgcpacer_goal import heapGoal
from goalloc.gc.mgcwork import FULL, dispose, gcMarkWorkAvailable, is_empty, prepareFreeWorkbufs
from goalloc.gc.mwbbuf import reset, wbBufFlush1
from goalloc.gc.trace import log_cycle
from goalloc.heap.malloc_sample import FLUSH, NEXT_CYCLE
from goalloc.heap.mcentral import SWEEPGEN
from goalloc.heap.mheap import LOCK, PAGES
from goalloc.heap.mheap_grow import H
from goalloc.heap.mheap_scavenge import enableMetadataHugePages
from goalloc.heap.malloc_init import PREPARE_FOR_SWEEP
from goalloc.values.arena import FAULT_CHUNKS
from goalloc.heap.stack import FREE_SPANS, STACK_GUARD, stack_door
from goalloc.layout import (
    g_,
    gcControllerState,
    gcWork,
    heapArena,
    m_,
    mcache,
    mheap,
    mstats,
    p_,
    pageAlloc,
    slice_,
    sweepdata,
    userArenaState,
    workType,
    variables as V,
)
from goalloc.pages.mgcscavenge import index_nextGen
from goalloc.pages.mpagealloc import CACHE_FLUSH, pages_door
from goalloc.words import add64, get8, get32, get64, put8, put32, put64

WORK = V.work
MARK_DONE_SEMA, WORLD_SEMA = WORK + workType.markDoneSema, V.worldsema
PAUSE_NS, PAUSE_START = WORK + workType.pauseNS, WORK + workType.pauseStart
PAUSES_KEPT = 256
MAX_STARTING_STACK = 1_000_000_000


@cold
def setGCPhase(m, t, phase):
    """The phase, and the write barrier's flag, which is on while marking."""
    put32(m, t, V.gcphase, phase)
    marking = 1 if phase != C.GCoff else 0
    put8(m, t, V.writeBarrier + 4, marking)
    put8(m, t, V.writeBarrier, marking)
    guest = m.process[m.thread[t].process].guest
    guest[P.COLLECTOR] = guest[P.COLLECTOR] & ~P.MARKING | (P.MARKING if marking else 0)


@kernel
def acquire(m, t, sema):
    """A semaphore that is free here, for who holds it does so within a step."""
    add64(m, t, sema & ~7, -1 << 32 if sema & 4 else -1)


@kernel
def release(m, t, sema):
    add64(m, t, sema & ~7, 1 << 32 if sema & 4 else 1)


@kernel
def marking_is_done(m, t):
    return (
        get32(m, t, V.gcphase) == C.GCmark
        and get32(m, t, WORK + workType.nwait) == get32(m, t, WORK + workType.nproc)
        and not gcMarkWorkAvailable(m, t, 0)
    )


@cold
def gcMarkDone(m, t):
    """If there is really nothing left to mark, the cycle's marking ends."""
    acquire(m, t, MARK_DONE_SEMA)
    while marking_is_done(m, t):
        acquire(m, t, WORLD_SEMA)
        if flush_all(m, t):
            release(m, t, WORLD_SEMA)
            continue
        now = nanotime(m, t)
        put64(m, t, WORK + workType.tMarkTerm, now)
        put64(m, t, PAUSE_START, now)
        stopTheWorld(m, t)
        if not any_left(m, t):
            mark_ends(m, t, now)
            return
        put64(m, t, PAUSE_NS, get64(m, t, PAUSE_NS) + startTheWorld(m, t) - get64(m, t, PAUSE_START))
        release(m, t, WORLD_SEMA)
    release(m, t, MARK_DONE_SEMA)


@kernel
def flush_all(m, t):
    """Every P gives its work to all, at its next step; whether there was any. Go: the ragged barrier."""
    flushed, last = 0, NOBODY
    for i in range(get32(m, t, V.gomaxprocs)):
        pp, other = p_at(m, t, i), thread_of(m, t, i)
        runs = other >= 0 and get32(m, t, pp + p_.status) == P.Prunning
        if runs:
            preempt(m, t, other)
        other = other if other >= 0 else t
        wbBufFlush1(m, other, pp)
        dispose(m, other, pp + p_.gcw)
        if get8(m, other, pp + p_.gcw + gcWork.flushedWork):
            flushed += 1
            put8(m, other, pp + p_.gcw + gcWork.flushedWork, 0)
        if runs:
            last = later(m, t, last, i)
    sleep_until_called(m, t, last)
    put32(m, t, V.gcMarkDoneFlushed, flushed)
    return flushed != 0


@kernel
def any_left(m, t):
    """Whether a write barrier has found something after all; the world is stopped."""
    for i in range(get32(m, t, V.gomaxprocs)):
        pp = p_at(m, t, i)
        wbBufFlush1(m, t, pp)
        if not is_empty(m, t, pp + p_.gcw):
            return True
    return False


@kernel
def mark_ends(m, t, now):
    gcComputeStartingStackSize(m, t)
    put32(m, t, V.gcBlackenEnabled, 0)
    startGCTransition(m, t, False, now)
    gcWakeAllAssists(m, t)
    release(m, t, MARK_DONE_SEMA)
    endCycle(m, t, now, get32(m, t, V.gomaxprocs))
    gcMarkTermination(m, t)


@kernel
def gcComputeStartingStackSize(m, t):
    """New goroutines begin with a stack of the size that those scanned needed on average."""
    size = stacks = 0
    for i in range(get32(m, t, V.gomaxprocs)):
        pp = p_at(m, t, i)
        size += get64(m, t, pp + p_.scannedStackSize)
        stacks += get64(m, t, pp + p_.scannedStacks)
        put64(m, t, pp + p_.scannedStackSize, 0)
        put64(m, t, pp + p_.scannedStacks, 0)
    average = min(max(size // stacks + STACK_GUARD if stacks else 0, P.fixedStack), MAX_STARTING_STACK)
    n = P.fixedStack
    while n < average:
        n *= 2
    put32(m, t, V.startingStackSize, n)


@cold
def gcMarkTermination(m, t):
    setGCPhase(m, t, C.GCmarktermination)
    put64(m, t, WORK + workType.heap1, get64(m, t, V.gcController + gcControllerState.heapLive))
    gcMark(m, t)
    put64(m, t, WORK + workType.heap2, get64(m, t, WORK + workType.bytesMarked))
    setGCPhase(m, t, C.GCoff)
    gcSweep(m, t)
    put64(m, t, V.memstats + mstats.lastHeapInUse, get64(m, t, V.gcController + gcControllerState.heapInUse))
    gcControllerCommit(m, t)
    now = nanotime(m, t)
    note_pauses(m, t, now)
    pause_cpu(m, t, now - get64(m, t, WORK + workType.tMarkTerm))
    accumulate_cpu(m, t, now)
    lock(m, t, WORK + workType.sweepWaiters)
    put32(m, t, V.memstats + mstats.numgc, get32(m, t, V.memstats + mstats.numgc) + 1)
    injectglist(m, t, WORK + workType.sweepWaiters + 8)
    unlock(m, t, WORK + workType.sweepWaiters)
    index_nextGen(m, t, PAGES + pageAlloc.scav)
    finishGCTransition(m, t, now)
    if get64(m, t, V.MemProfileRate) > 0:
        call_door(m, P.DOOR_PROFILE, t, NEXT_CYCLE, 0, 0)
    add64(m, t, V.sweep + sweepdata.active & ~7, 1 << 32 if V.sweep + sweepdata.active & 4 else 1)
    startTheWorld(m, t)
    if get64(m, t, V.MemProfileRate) > 0:
        call_door(m, P.DOOR_PROFILE, t, FLUSH, 0, 0)
    prepareFreeWorkbufs(m, t)
    stack_door(m, t, FREE_SPANS, 0, 0)
    prepare_all(m, t)
    add64(m, t, V.sweep + sweepdata.active & ~7, -1 << 32 if V.sweep + sweepdata.active & 4 else -1)
    log_cycle(m, t)
    fault_chunks(m, t)
    if heapGoal(m, t) > C.minHeapForMetadataHugePages:
        enableMetadataHugePages(m, t)
    release(m, t, WORLD_SEMA)
    release(m, t, V.gcsema)


@kernel
def gcMark(m, t):
    """What was marked is what the heap has; the world is stopped."""
    if get64(m, t, FULL) or get32(m, t, WORK + workType.markrootNext) < get32(m, t, WORK + workType.markrootJobs):
        throw(m, t, E.MARK_QUEUE, 0, 0)
        return
    put64(m, t, WORK + workType.stackRoots, 0)
    put64(m, t, WORK + workType.stackRoots + slice_.len, 0)
    for i in range(get32(m, t, V.gomaxprocs)):
        pp = p_at(m, t, i)
        reset(m, t, pp)
        if not is_empty(m, t, pp + p_.gcw):
            throw(m, t, E.CACHED_WORK, 0, 0)
        dispose(m, t, pp + p_.gcw)
        put64(m, t, get64(m, t, pp + p_.mcache) + mcache.scanAlloc, 0)
    resetLive(m, t, get64(m, t, WORK + workType.bytesMarked))


@kernel
def gcSweep(m, t):
    """Everything is to be swept, and the sweeper can run next here."""
    lock(m, t, LOCK)
    put32(m, t, SWEEPGEN, get32(m, t, SWEEPGEN) + 2)
    put32(m, t, V.sweep + sweepdata.active, 0)
    for at in (mheap.pagesSwept, mheap.reclaimIndex, mheap.reclaimCredit):
        put64(m, t, H + at, 0)
    for at in (slice_.array, slice_.len, slice_.cap):
        put64(m, t, H + mheap.sweepArenas + at, get64(m, t, H + mheap.allArenas + at))
    unlock(m, t, LOCK)
    put32(m, t, V.sweep + sweepdata.centralIndex, 0)
    guest = m.process[m.thread[t].process].guest
    guest[P.COLLECTOR] |= P.SWEEPING | P.SYSTEM
    lock(m, t, V.sweep + sweepdata.lock)
    if get8(m, t, V.sweep + sweepdata.parked):
        put8(m, t, V.sweep + sweepdata.parked, 0)
        ready(m, t, get64(m, t, V.sweep + sweepdata.g), True)
    unlock(m, t, V.sweep + sweepdata.lock)


@kernel
def note_pauses(m, t, now):
    pause = get64(m, t, PAUSE_NS) + now - get64(m, t, PAUSE_START)
    put64(m, t, PAUSE_NS, pause)
    put64(m, t, WORK + workType.tEnd, now)
    i = get32(m, t, V.memstats + mstats.numgc) % PAUSES_KEPT
    put64(m, t, V.memstats + mstats.last_gc_unix, P.UNIX_NS + now)
    put64(m, t, V.memstats + mstats.last_gc_nanotime, now)
    set_force_time(m, t, now)
    put64(m, t, V.memstats + mstats.pause_ns + 8 * i, pause)
    put64(m, t, V.memstats + mstats.pause_end + 8 * i, P.UNIX_NS + now)
    put64(m, t, V.memstats + mstats.pause_total_ns, get64(m, t, V.memstats + mstats.pause_total_ns) + pause)
    if get8(m, t, WORK + workType.userForced):
        put32(m, t, V.memstats + mstats.numforcedgc, get32(m, t, V.memstats + mstats.numforcedgc) + 1)
    put32(m, t, V.sweep + sweepdata.nbgsweep, 0)
    put32(m, t, V.sweep + sweepdata.npausesweep, 0)


@kernel
def prepare_all(m, t):
    """Every P flushes its mcache and forgets its pinner, at its next step; those of idle ones give their page cache back too."""
    last = NOBODY
    for i in range(get32(m, t, V.gomaxprocs)):
        pp, other = p_at(m, t, i), thread_of(m, t, i)
        idle = get32(m, t, pp + p_.status) == P.Pidle
        if not idle:
            preempt(m, t, other)
        call_door(m, P.DOOR_RUNTIME, t if other < 0 or idle else other, PREPARE_FOR_SWEEP, get64(m, t, pp + p_.mcache), 0)
        if idle:
            lock(m, t, LOCK)
            pages_door(m, t, PAGES, CACHE_FLUSH, pp + p_.pcache, 0)
            unlock(m, t, LOCK)
        put64(m, t if other < 0 else other, pp + p_.pinnerCache, 0)
        if not idle and other >= 0:
            last = later(m, t, last, i)
    sleep_until_called(m, t, last)


@kernel
def fault_chunks(m, t):
    """Chunks of user arenas that were freed while the cycle ran fault from now on."""
    waiting = V.userArenaState + userArenaState.fault
    if get64(m, t, waiting + slice_.len):
        call_door(m, P.DOOR_ARENA, t, FAULT_CHUNKS, 0, 0)


@kernel
def gcResetMarkState(m, t):
    """No goroutine has been scanned, and nothing is marked; the world is stopped or about to be."""
    array, n = get64(m, t, V.allgs), get64(m, t, V.allgs + slice_.len)
    for i in range(n):
        reset_g(m, t, get64(m, t, array + 8 * i))
    for i in range(get32(m, t, V.gomaxprocs)):
        reset_g(m, t, get64(m, t, get64(m, t, p_at(m, t, i) + p_.m) + m_.g0))
    for i in range(get64(m, t, H + mheap.allArenas + slice_.len)):
        ai = get64(m, t, get64(m, t, H + mheap.allArenas) + 8 * i)
        marks = get64(m, t, get64(m, t, H + mheap.arenas) + 8 * ai) + heapArena.pageMarks
        for at in range(0, P.pageBitsBytes, 8):
            if get64(m, t, marks + at):
                put64(m, t, marks + at, 0)
    put64(m, t, WORK + workType.bytesMarked, 0)
    put64(m, t, WORK + workType.initialHeapLive, get64(m, t, V.gcController + gcControllerState.heapLive))


@kernel
def reset_g(m, t, gp):
    put8(m, t, gp + g_.gcscandone, 0)
    put64(m, t, gp + g_.gcAssistBytes, 0)

"""The CPU limiter: no more than half of the CPU time for collecting, over windows of about a second.

        program's time, idle time left out ── drains ──┐
    bucket [ fill / one second a P ]  <── fills ── assists, the background workers' quarter, both pauses
        full: limiting; assists do nothing, so the heap exceeds its goal or limit, but the program does not stand still

Updated every 10 ms by a P that schedules or assists, and at the cycle's four transitions; a P that is busy in between has in its
limiterEvent since when (mgclimit_event.py). Times are nanoseconds. The lock is held within a step. Go: mgclimit.go.
"""

from hwmem._jit import cold, kernel
from goalloc import constants as K, errors as E, params as P
from goalloc.errors import throw
from goalloc.base.mgclimit_event import ASSIST_POOL, IDLE_POOL, consume
from goalloc.layout import gcCPULimiterState, mstats, schedt, variables as V
from goalloc.words import add64, cas64, get8, get32, get64, put8, put32, put64

L = V.gcCPULimiter
ENABLED, FILL, CAPACITY = L + gcCPULimiterState.enabled, L + gcCPULimiterState.bucket, L + gcCPULimiterState.bucket + 8
OVERFLOW, LAST_UPDATE, NPROCS = L + gcCPULimiterState.overflow, L + gcCPULimiterState.lastUpdate, L + gcCPULimiterState.nprocs
GC_ENABLED, TRANSITIONING = L + gcCPULimiterState.gcEnabled, L + gcCPULimiterState.transitioning
LAST_ENABLED_CYCLE = L + gcCPULimiterState.lastEnabledCycle
UPDATE_PERIOD, CAPACITY_PER_PROC = int(K.gcCPULimiterUpdatePeriod), int(K.capacityPerProc)


@kernel
def capacity_per_proc(m, t):
    return m.process[m.thread[t].process].guest[P.LIMITER_NS] or CAPACITY_PER_PROC


@kernel
def limiting(m, t):
    return get8(m, t, ENABLED) != 0


@kernel
def need_update(m, t, now):
    return now - get64(m, t, LAST_UPDATE) > UPDATE_PERIOD


@cold
def try_lock(m, t):
    """Whether the limiter was free; it is the caller's now."""
    if get32(m, t, L):
        return False
    word = get64(m, t, L)  # the lock, and `enabled` beside it
    return cas64(m, t, L, word, word | 1) == word


@cold
def unlock(m, t):
    if get32(m, t, L) != 1:
        throw(m, t, E.DOUBLE_UNLOCK, 0, 0)
        return
    put32(m, t, L, 0)


@cold
def startGCTransition(m, t, enable, now):
    """The cycle begins or ends marking: the world stands still until finishGCTransition, which counts as the collector's time."""
    if not try_lock(m, t):
        throw(m, t, E.TRANSITION_LOCK, 0, 0)
    elif (get8(m, t, GC_ENABLED) != 0) == enable:
        throw(m, t, E.SAME_TRANSITION, 0, 0)
    else:
        update_locked(m, t, now)
        put8(m, t, GC_ENABLED, enable)
        put8(m, t, TRANSITIONING, 1)


@cold
def finishGCTransition(m, t, now):
    if get8(m, t, TRANSITIONING) == 0:
        throw(m, t, E.NO_TRANSITION, 0, 0)
        return
    last = get64(m, t, LAST_UPDATE)
    if now >= last:
        accumulate(m, t, 0, (now - last) * get32(m, t, NPROCS))
    put64(m, t, LAST_UPDATE, now)
    put8(m, t, TRANSITIONING, 0)
    unlock(m, t)


@cold
def update(m, t, now):
    """Bring the bucket up to date, unless someone does."""
    if not try_lock(m, t):
        return
    if get8(m, t, TRANSITIONING):
        throw(m, t, E.UPDATE_IN_TRANSITION, 0, 0)
        return
    update_locked(m, t, now)
    unlock(m, t)


@cold
def update_locked(m, t, now):
    last = get64(m, t, LAST_UPDATE)
    if now < last:
        return
    window = (now - last) * get32(m, t, NPROCS)
    put64(m, t, LAST_UPDATE, now)
    assist, idle = take(m, t, ASSIST_POOL), take(m, t, IDLE_POOL)
    for i in range(get32(m, t, V.gomaxprocs)):
        typ, duration = consume(m, t, get64(m, t, get64(m, t, V.allp) + 8 * i), now)
        if typ == K.limiterEventIdle or typ == K.limiterEventIdleMarkWork:
            idle += duration
            add64(m, t, V.sched + schedt.idleTime, duration)
        elif typ != K.limiterEventNone:
            assist += duration
    collecting = assist
    if get8(m, t, GC_ENABLED):
        collecting += int(window * K.gcBackgroundUtilization)
    accumulate(m, t, window - idle - collecting, collecting)


@kernel
def take(m, t, pool):
    time = get64(m, t, pool)
    if time:
        add64(m, t, pool, -time)
    return time


@cold
def accumulate(m, t, mutator, collecting):
    """Fill the bucket by the collector's time less the program's."""
    fill, capacity = get64(m, t, FILL), get64(m, t, CAPACITY)
    enabled, change = fill == capacity, collecting - mutator
    if change > 0 and capacity - fill <= change:
        put64(m, t, OVERFLOW, get64(m, t, OVERFLOW) + change - (capacity - fill))
        put64(m, t, FILL, capacity)
        if not enabled:
            enable(m, t)
        return
    put64(m, t, FILL, max(fill + change, 0))
    if change != 0 and enabled:
        put8(m, t, ENABLED, 0)


@kernel
def enable(m, t):
    put8(m, t, ENABLED, 1)
    put32(m, t, LAST_ENABLED_CYCLE, get32(m, t, V.memstats + mstats.numgc) + 1)


@cold
def resetCapacity(m, t, now, procs):
    """The bucket is one for `procs` Ps."""
    if not try_lock(m, t):
        throw(m, t, E.RESET_LOCK, 0, 0)
        return
    update_locked(m, t, now)
    put32(m, t, NPROCS, procs)
    capacity, fill = procs * capacity_per_proc(m, t), get64(m, t, FILL)
    put64(m, t, CAPACITY, capacity)
    if fill > capacity:
        put64(m, t, FILL, capacity)
        enable(m, t)
    elif fill < capacity:
        put8(m, t, ENABLED, 0)
    unlock(m, t)

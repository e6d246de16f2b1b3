"""What a P does that the CPU limiter must know about before it ends: idling, an idle mark worker, an assist, a scavenge assist.

    p.limiterEvent     what 3 | since when, nanoseconds 61             0: nothing

The limiter counts the time so far whenever it is updated (consume), the P counts the rest at the end. Go: mgclimit.go limiterEvent.
"""

from hwmem._jit import cold, kernel
from goalloc import constants as K, errors as E
from goalloc.errors import throw
from goalloc.layout import gcCPULimiterState, p_, schedt, variables as V
from goalloc.words import add64, cas64, get64, put64

TIME_BITS = 64 - K.limiterEventBits
TIME_MASK = (1 << TIME_BITS) - 1
ASSIST_POOL, IDLE_POOL = V.gcCPULimiter + gcCPULimiterState.assistTimePool, V.gcCPULimiter + gcCPULimiterState.idleTimePool


@kernel
def type_of(stamp):
    return stamp >> TIME_BITS & (1 << K.limiterEventBits) - 1


@kernel
def stamp_of(typ, now):
    return (typ << TIME_BITS if typ < 4 else -(1 << 63)) | now & TIME_MASK


@kernel
def add_assist_time(m, t, duration):
    add64(m, t, ASSIST_POOL, duration)


@kernel
def add_idle_time(m, t, duration):
    add64(m, t, IDLE_POOL, duration)


@cold
def limiter_event_start(m, t, pp, typ, now):
    """The P begins an activity; False if another one is already in progress."""
    if type_of(get64(m, t, pp + p_.limiterEvent)) != K.limiterEventNone:
        return False
    put64(m, t, pp + p_.limiterEvent, stamp_of(typ, now))
    return True


@cold
def consume(m, t, pp, now):
    """(what the P does, how long since it was last asked)."""
    old = get64(m, t, pp + p_.limiterEvent)
    typ = type_of(old)
    duration = max(now - (old & TIME_MASK), 0)
    if typ == K.limiterEventNone or duration == 0:
        return K.limiterEventNone, 0
    cas64(m, t, pp + p_.limiterEvent, old, stamp_of(typ, now))
    return typ, duration


@cold
def limiter_event_stop(m, t, pp, typ, now):
    """The P has done it."""
    stamp = get64(m, t, pp + p_.limiterEvent)
    if type_of(stamp) != typ:
        throw(m, t, E.WRONG_LIMITER_EVENT, typ, type_of(stamp))
        return
    cas64(m, t, pp + p_.limiterEvent, stamp, 0)
    duration = max(now - (stamp & TIME_MASK), 0)
    if duration == 0:
        return
    if typ == K.limiterEventMarkAssist or typ == K.limiterEventScavengeAssist:
        add_assist_time(m, t, duration)
        return
    add_idle_time(m, t, duration)
    if typ == K.limiterEventIdle:
        add64(m, t, V.sched + schedt.idleTime, duration)

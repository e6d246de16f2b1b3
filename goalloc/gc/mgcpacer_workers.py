"""Who marks: how many workers of each kind a cycle wants, and has.

    dedicated    a quarter of the Ps, each whole                    dedicatedMarkWorkersNeeded: still to be started
    fractional   what is missing then, a part of every P's time     fractionalUtilizationGoal
    idle         Ps with nothing else to do                         idleMarkWorkers: running 32 | at most 32

The scheduler calls worker_mode while marking, once there is work and a worker to run it. Go: mgcpacer.go
findRunnableGCWorker, markWorkerStop, addIdleMarkWorker, enlistWorker.
"""

from hwmem._jit import cold, kernel
from goalloc import constants as K, errors as E
from goalloc.base.float64 import get_float
from goalloc.errors import throw
from goalloc.gc.mgcpacer_goal import C
from goalloc.layout import gcControllerState, p_
from goalloc.words import add64, cas64, get64

DEDICATED_NEEDED, FRACTIONAL_GOAL = C + gcControllerState.dedicatedMarkWorkersNeeded, C + gcControllerState.fractionalUtilizationGoal
IDLE_WORKERS, MARK_START = C + gcControllerState.idleMarkWorkers, C + gcControllerState.markStartTime
DEDICATED_TIME, FRACTIONAL_TIME = C + gcControllerState.dedicatedMarkTime, C + gcControllerState.fractionalMarkTime
IDLE_TIME = C + gcControllerState.idleMarkTime
POLL_SLACK = 1.2


@cold
def worker_mode(m, t, pp, now):
    """How a worker is to run on the P now, dedicated or fractional, counted as started; gcMarkWorkerNotWorker if none is wanted.
    Go: the second half of findRunnableGCWorker."""
    needed = get64(m, t, DEDICATED_NEEDED)
    if needed > 0:
        cas64(m, t, DEDICATED_NEEDED, needed, needed - 1)
        return K.gcMarkWorkerDedicatedMode
    goal, delta = get_float(m, t, FRACTIONAL_GOAL), now - get64(m, t, MARK_START)
    if goal == 0 or (delta > 0 and get64(m, t, pp + p_.gcFractionalMarkTime) / delta > goal):
        return K.gcMarkWorkerNotWorker
    return K.gcMarkWorkerFractionalMode


@cold
def pollFractionalWorkerExit(m, t, pp, now):
    """Whether the fractional worker on the P has had its part, and some more so as not to be behind again at once."""
    delta = now - get64(m, t, MARK_START)
    own = get64(m, t, pp + p_.gcFractionalMarkTime) + now - get64(m, t, pp + p_.gcMarkWorkerStartTime)
    return delta <= 0 or own / delta > POLL_SLACK * get_float(m, t, FRACTIONAL_GOAL)


@cold
def markWorkerStop(m, t, mode, duration):
    """A worker has run for `duration`."""
    if mode == K.gcMarkWorkerDedicatedMode:
        add64(m, t, DEDICATED_TIME, duration)
        add64(m, t, DEDICATED_NEEDED, 1)
    elif mode == K.gcMarkWorkerFractionalMode:
        add64(m, t, FRACTIONAL_TIME, duration)
    elif mode == K.gcMarkWorkerIdleMode:
        add64(m, t, IDLE_TIME, duration)
        removeIdleMarkWorker(m, t)
    else:
        throw(m, t, E.UNKNOWN_WORKER_MODE, 0, 0)


@kernel
def running_and_most(word):
    return word & 0xFFFF_FFFF, word >> 32


@cold
def addIdleMarkWorker(m, t):
    """Count an idle worker as running, if one more may; whether it may."""
    word = get64(m, t, IDLE_WORKERS)
    running, most = running_and_most(word)
    if running >= most:
        return False
    cas64(m, t, IDLE_WORKERS, word, word + 1)
    return True


@kernel
def needIdleMarkWorker(m, t):
    running, most = running_and_most(get64(m, t, IDLE_WORKERS))
    return running < most


@cold
def removeIdleMarkWorker(m, t):
    word = get64(m, t, IDLE_WORKERS)
    if word & 0xFFFF_FFFF == 0:
        throw(m, t, E.NEGATIVE_IDLE_WORKERS, 0, 0)
        return
    cas64(m, t, IDLE_WORKERS, word, word - 1)


@cold
def setMaxIdleMarkWorkers(m, t, most):
    word = get64(m, t, IDLE_WORKERS)
    cas64(m, t, IDLE_WORKERS, word, word & 0xFFFF_FFFF | most << 32)

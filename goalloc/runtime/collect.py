"""Collections as Python drives them: the collector started, runtime.GC(), finalizers, pinning.

Between two calls of a Runtime nothing runs. A call that waits for the collector lets the Ps run until it has what it waits for: each
time the P whose core has the smallest clock makes a step (gc/system.py, turn).
"""
from goalloc import constants as C, params as P
from goalloc.gc import door
from goalloc.gc.mgc_ready import WAITS
from goalloc.gc.system import RAN
from goalloc.layout import gcCPULimiterState, mstats, p_, workType, variables as V
from goalloc.sched.chan import DONE

SEMAPHORES = (V.worldsema, V.gcsema, V.work + workType.startSema, V.work + workType.markDoneSema)
BARRIERS = {"hybrid": 0, "dijkstra": 1, "yuasa": 2, "none": 3}


def gcenable(rt):
    """The runtime can collect from now on: its semaphores are free, there is a sweeper, the CPU limiter knows the Ps."""
    guest = rt.machine.state.process[rt.process.number].guest
    if guest[P.COLLECTOR]:
        return
    for sema in SEMAPHORES:
        rt.process.store(sema, 1, size=4)
    rt.process.store(V.memstats + mstats.enablegc, 1, size=1)
    rt.process.store(V.gcCPULimiter + gcCPULimiterState.nprocs, rt.gomaxprocs, size=4)
    rt.process.store(V.gcCPULimiter + gcCPULimiterState.bucket + 8, rt.gomaxprocs * int(C.capacityPerProc))
    rt.call(0, P.DOOR_CYCLE, door.START_SWEEPER, 0, 0)
    guest[P.COLLECTOR] |= P.ENABLED


def gc(rt, core=0, whole=True):
    """runtime.GC(), called on a core."""
    gcenable(rt)
    while rt.call(core, P.DOOR_CYCLE, door.GC_CALL, whole, 0) != DONE:
        run_until(rt, lambda: not rt.process.load(mp_of(rt, core) + WAITS, size=1))


def mp_of(rt, core):
    return rt.process.load(rt.ps[core] + p_.m)


def run_until(rt, done):
    """Let the Ps run, the one whose core is behind first, until `done()` or none has anything to do."""
    idle = set()
    while not done() and len(idle) < rt.gomaxprocs:
        core = min((i for i in range(rt.gomaxprocs) if i not in idle), key=rt.machine.cycles)
        if step(rt, core) == RAN:
            idle.clear()
        else:
            idle.add(core)


def step(rt, core):
    """A turn of the collector on a core; a finalizer's callback is made."""
    return rt.call(core, P.DOOR_CYCLE, door.TURN, 0, 0)

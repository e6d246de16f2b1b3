"""The background scavenger: a goroutine that gives the kernel what the heap has above its goals, at 1 % of one processor's time.

    parked <── nothing (more) to do ── run: 64 KiB at a time, until it has worked for 1 ms ──> sleeps
       └── sweeping is over ─────────────^                                                       │
                                         └──── worked / sleepRatio later, by its timer ──────────┘

A PI controller sets how long it sleeps from the share of time that it took; one that runs away (sleeps of hours) starts over and rests
for 5 s. Its goals are mgcpacer_commit.py's, its steps mgcscavenge_goroutine.py's. Go: mgcscavenge.go.
"""

import numpy as np

from hwmem._jit import cold, kernel
from goalloc import params as P
from goalloc.base.float64 import below, get_float, put_float, to_int64
from goalloc.base.mstats import heapRetained
from goalloc.base.nanotime import nanotime
from goalloc.gc.mgcpacer_commit import LIMIT_GOAL, PERCENT_GOAL
from goalloc.gc.mgcpacer_goal import MAPPED_READY
from goalloc.heap.mheap_scavenge import PAGES
from goalloc.layout import pageAlloc, pageAllocScav, piController, scavenge, scavengerState, variables as V
from goalloc.pages.mpagealloc import SCAVENGE, pages_door
from goalloc.words import add64, get32, get64, put8, put64

S = V.scavenger
CONTROLLER, SLEEP_RATIO, COOLDOWN = S + scavengerState.sleepController, S + scavengerState.sleepRatio, S + scavengerState.controllerCooldown
PARKED, PRINT_RESET = S + scavengerState.parked, S + scavengerState.printControllerReset
BACKGROUND_TIME = V.scavenge + scavenge.backgroundTime
RELEASED_BG, RELEASED_EAGER = PAGES + pageAlloc.scav + pageAllocScav.releasedBg, PAGES + pageAlloc.scav + pageAllocScav.releasedEager
QUANTUM, LEAST_WORK, SHARE, PAGE_NS = 64 << 10, 1e6, 0.01, 10e3
KP, TI, TT, LEAST, MOST, STARTING_RATIO = 0.3375, 3.2e6, 1e9, 0.001, 1000.0, 0.001
COOLDOWN_NS = 5_000_000_000


@cold
def scavenger_init(m, t):
    for at, value in (
        (piController.kp, KP),
        (piController.ti, TI),
        (piController.tt, TT),
        (piController.min, LEAST),
        (piController.max, MOST),
    ):
        put_float(m, t, CONTROLLER + at, value)
    put_float(m, t, SLEEP_RATIO, STARTING_RATIO)


@kernel
def should_stop(m, t):
    """Whether the heap is within both goals."""
    return not below(get64(m, t, PERCENT_GOAL), heapRetained(m, t)) and not below(get64(m, t, LIMIT_GOAL), get64(m, t, MAPPED_READY))


@cold
def scavenge_quantum(m, t):
    """Give 64 KiB back: (bytes, how long that took in nanoseconds, or about as long as it would have)."""
    start = nanotime(m, t)
    released = pages_door(m, t, PAGES, SCAVENGE, QUANTUM, 0)
    duration = nanotime(m, t) - start
    add64(m, t, BACKGROUND_TIME, duration)
    return released, float(duration) if duration > 0 else PAGE_NS * (released // P.physPageSize)


@cold
def sleep_time(m, t, worked):
    """For how long the scavenger sleeps after so much work, nanoseconds."""
    return to_int64(max(worked, LEAST_WORK) / get_float(m, t, SLEEP_RATIO))


@cold
def slept(m, t, worked, slept_ns):
    """The scavenger worked and slept: how it goes on."""
    worked = max(worked, LEAST_WORK)
    cooldown = get64(m, t, COOLDOWN)
    if cooldown > 0:
        put64(m, t, COOLDOWN, max(cooldown - slept_ns - to_int64(worked), 0))
        return
    share = worked / ((slept_ns + worked) * get32(m, t, V.gomaxprocs))
    ratio, good = controller_next(m, t, share, SHARE, slept_ns + worked)
    if not good:
        ratio = STARTING_RATIO
        put64(m, t, COOLDOWN, COOLDOWN_NS)
        put8(m, t, PRINT_RESET, 1)
    put_float(m, t, SLEEP_RATIO, ratio)


@cold
def controller_next(m, t, input, setpoint, period):
    """(the controller's output for an input after `period` nanoseconds, whether it is one). Go: piController.next."""
    least, integral = get_float(m, t, CONTROLLER + piController.min), get_float(m, t, CONTROLLER + piController.errIntegral)
    kp = get_float(m, t, CONTROLLER + piController.kp)
    raw = kp * (setpoint - input) + integral
    if not np.isfinite(raw):
        put_float(m, t, CONTROLLER + piController.errIntegral, 0.0)
        put8(m, t, CONTROLLER + piController.inputOverflow, 1)
        return least, False
    output = min(max(raw, least), get_float(m, t, CONTROLLER + piController.max))
    ti, tt = get_float(m, t, CONTROLLER + piController.ti), get_float(m, t, CONTROLLER + piController.tt)
    integral += kp * period / ti * (setpoint - input) + period / tt * (output - raw)
    if not np.isfinite(integral):
        put_float(m, t, CONTROLLER + piController.errIntegral, 0.0)
        put8(m, t, CONTROLLER + piController.errOverflow, 1)
        return least, False
    put_float(m, t, CONTROLLER + piController.errIntegral, integral)
    return output, True

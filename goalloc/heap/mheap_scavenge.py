"""When the heap itself gives pages back to the kernel, within an allocation or because the program asked for it.

    an allocation   takes the program over its memory limit: as much as that, from wherever it is free
                    made the heap grow above the scavenger's goal: as much as it grew, but only from chunks that are not dense
    FreeOSMemory    all that is free

The first two take the goroutine's time, which the CPU limiter counts as an assist; while it limits, the memory limit does not count and the
second stops after one run of pages. The scavenger that runs beside the program is gc/mgcscavenge_background.py. Go: mheap.go allocSpan,
scavengeAll, enableMetadataHugePages.
"""

from hwmem._jit import cold, kernel
from goalloc import constants as K, params as P
from goalloc.base.lock import lock, unlock
from goalloc.base.malloc_persistent import persistentalloc
from goalloc.base.mem import sysHugePage
from goalloc.base.mgclimit_event import limiter_event_start, limiter_event_stop
from goalloc.base.mstats import heapRetained
from goalloc.base.nanotime import nanotime
from goalloc.heap.mheap_grow import GC_MISC, H
from goalloc.layout import gcCPULimiterState, gcControllerState, mheap, pageAlloc, pageAllocScav, scavenge, slice_, variables as V
from goalloc.pages.mpagealloc import SCAVENGE, pages_door
from goalloc.pages.mgcscavenge_run import FORCE, UNLESS_LIMITING
from goalloc.words import add64, get8, get64, put8

PAGES = H + mheap.pages
LIMIT, MAPPED_READY = V.gcController + gcControllerState.memoryLimit, V.gcController + gcControllerState.mappedReady
PERCENT_GOAL, ASSIST_TIME = V.scavenge + scavenge.gcPercentGoal, V.scavenge + scavenge.assistTime
LIMITING = V.gcCPULimiter + gcCPULimiterState.enabled
RELEASED_EAGER = PAGES + pageAlloc.scav + pageAllocScav.releasedEager


@cold
def scavenge_to_allocate(m, t, pp, scav, growth):
    """A span with `scav` scavenged bytes is about to be used, after the heap grew by `growth` bytes; `pp`: the P, 0 for none."""
    nbytes, how = 0, UNLESS_LIMITING
    if get8(m, t, LIMITING) == 0:
        over = scav + get64(m, t, MAPPED_READY) - get64(m, t, LIMIT)
        if over > 0:
            nbytes, how = over, FORCE | UNLESS_LIMITING
    if growth > 0:
        goal = get64(m, t, PERCENT_GOAL)
        over = heapRetained(m, t) + growth - goal
        if goal >= 0 and over > 0:
            nbytes = max(nbytes, min(growth, over))
    if nbytes > 0 and pp:
        scavenge_as_assist(m, t, pp, nbytes, how)


@kernel
def scavenge_as_assist(m, t, pp, nbytes, how):
    start = nanotime(m, t)
    track = limiter_event_start(m, t, pp, K.limiterEventScavengeAssist, start)
    add64(m, t, RELEASED_EAGER, pages_door(m, t, PAGES, SCAVENGE, nbytes, how))
    now = nanotime(m, t)
    if track:
        limiter_event_stop(m, t, pp, K.limiterEventScavengeAssist, now)
    add64(m, t, ASSIST_TIME, now - start)


@cold
def scavengeAll(m, t):
    """Every free page goes back, but for those in Ps' page caches; the bytes that did."""
    return pages_door(m, t, PAGES, SCAVENGE, P.maxInt64, FORCE)


@cold
def enableMetadataHugePages(m, t):
    """The heap has become large: its arena map may lie on huge pages. (So may the page allocator's bitmaps, but their 1 MiB never holds
    one.)"""
    lock(m, t, H + mheap.lock)
    first = get8(m, t, PAGES + pageAlloc.chunkHugePages) == 0
    if first:
        put8(m, t, PAGES + pageAlloc.chunkHugePages, 1)
        put8(m, t, H + mheap.arenasHugePages, 1)
    unlock(m, t, H + mheap.lock)
    if first:
        persistentalloc(m, t, 16 * get64(m, t, PAGES + pageAlloc.inUse + slice_.cap), 8, GC_MISC)  # a copy of the ranges in use
        sysHugePage(m, t, get64(m, t, H + mheap.arenas), P.arenaL2Entries * 8)

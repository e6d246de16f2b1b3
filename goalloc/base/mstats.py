"""Counters of memory: where they lie and how allocation writes them; observe/memstats.py is what a program reads.

memstats.heapStats is three deltas; a P writes one of them (its number `gen` modulo 3) between acquire and release, which
bump the P's sequence number, so that a reader can rotate them without a lock. gcController has the totals that the pacer
needs at once, each updated atomically. Go: mstats.go consistentHeapStats, mgcpacer.go.
"""

from hwmem._jit import call_door, cold, kernel
from goalloc import params as P
from goalloc.constants import maxStackScanSlack
from goalloc.layout import consistentHeapStats, gcControllerState, heapStatsDelta, p_, variables as V
from goalloc.base.malloc_persistent import current_p
from goalloc.words import add32_high, add64, get32, get64, put64


@cold
def stats_acquire(m, t):
    """Address of the heapStatsDelta to write."""
    pp = current_p(m, t)
    if pp:
        add32_high(m, t, pp + p_.statsSeq, 1)
    gen = get32(m, t, V.memstats + consistentHeapStats.gen) % 3
    return V.memstats + gen * heapStatsDelta.sizeof


@cold
def stats_release(m, t):
    pp = current_p(m, t)
    if pp:
        add32_high(m, t, pp + p_.statsSeq, 1)


@kernel
def account_scavenged(m, t, nbytes):
    """Free pages of `nbytes` bytes have gone back to the kernel."""
    add64(m, t, V.gcController + gcControllerState.heapReleased, nbytes)
    add64(m, t, V.gcController + gcControllerState.heapFree, -nbytes)
    stats = stats_acquire(m, t)
    add64(m, t, stats + heapStatsDelta.committed, -nbytes)
    add64(m, t, stats + heapStatsDelta.released, nbytes)
    stats_release(m, t)


@kernel
def heapRetained(m, t):
    """What the heap has of the kernel's memory."""
    return get64(m, t, V.gcController + gcControllerState.heapInUse) + get64(m, t, V.gcController + gcControllerState.heapFree)


@kernel
def addScannableStack(m, t, pp, nbytes):
    """Stacks have grown by this much; a P reports it when the sum reaches 8 KiB. Go: mgcpacer.go."""
    if pp == 0:
        add64(m, t, V.gcController + gcControllerState.maxStackScan, nbytes)
        return
    delta = get64(m, t, pp + p_.maxStackScanDelta) + nbytes
    if abs(delta) >= maxStackScanSlack:
        add64(m, t, V.gcController + gcControllerState.maxStackScan, delta)
        delta = 0
    put64(m, t, pp + p_.maxStackScanDelta, delta)


@cold
def update_heap_live(m, t, live, scan):
    """Go: gcController.update."""
    if live:
        add64(m, t, V.gcController + gcControllerState.heapLive, live)
    if m.process[m.thread[t].process].guest[P.COLLECTOR] & P.MARKING:
        call_door(m, P.DOOR_CYCLE, t, P.REVISE, 0, 0)
    elif scan:
        add64(m, t, V.gcController + gcControllerState.heapScan, scan)

"""What goes back to the kernel, when: growth above the scavenger's goal, the memory limit, FreeOSMemory; the system calls that it takes."""

import numpy as np
import pytest
from recorded import oracle

from goalloc import params as P
from goalloc.base.mstats import heapRetained
from goalloc.gc.mgclimit import ENABLED
from goalloc.gc.mgcscavenge_background import COOLDOWN, PRINT_RESET, SLEEP_RATIO, controller_next, scavenger_init, sleep_time, slept
from goalloc.base.float64 import get_float
from goalloc.base.nanotime import cycles_of, nanotime
from goalloc.gc.mgcscavenge_background import PARKED
from goalloc.gc.mgcscavenge_goroutine import SYSMON_WAKE, next_look
from goalloc.heap.mheap_scavenge import ASSIST_TIME, PERCENT_GOAL, RELEASED_EAGER, enableMetadataHugePages, scavengeAll
from goalloc.layout import mheap, p_, pageAlloc, pageCache, variables as V
from goalloc.pages.mgcscavenge import index_nextGen

MIB = 1 << 20


def free_spans(rt, first, last, every=1):
    """Free the spans of large objects, as sweeping does; their addresses."""
    for a in first[:last:every]:
        span = rt.span_of(a)
        rt.process.store(span["address"] + 104, 0, size=2)  # mspan.allocCount
        rt.call(0, P.DOOR_ALLOC_SPAN, 0, P.spanAllocHeap, span["address"])
    return first[:last:every]


def next_generation(rt):
    """What the end of a collection does to the scavenger's index: before it, nothing that was freed is looked at."""
    rt._run(0, index_nextGen, V.mheap_ + mheap.pages + pageAlloc.scav)


def system_calls(rt):
    return int(rt.machine.state.process[rt.process.number].guest[P.SYS_CALLS])


def test_growth_above_the_goal_releases_as_much_as_the_heap_grew_by(runtime):
    rt = runtime(gomaxprocs=1)
    free_spans(rt, rt.malloc_many(np.full(64, 512 << 10)).tolist(), 32)  # of 32 MiB the lower half
    rt.process.store(PERCENT_GOAL, rt._run(0, heapRetained) - 3 * MIB)
    rt.mallocgc(17 * MIB)
    assert rt.process.load(RELEASED_EAGER) == 0 and rt.process.load(ASSIST_TIME) > 0
    next_generation(rt)
    rt.process.store(PERCENT_GOAL, rt._run(0, heapRetained) - 3 * MIB)
    rt.mallocgc(17 * MIB)  # it grows by 20 MiB; 16 are there to go
    assert rt.process.load(RELEASED_EAGER) == 16 * MIB - (64 << 10)  # but for those in a chunk with 504 of its 512 pages in use
    assert rt._run(0, scavengeAll) == 64 << 10
    rt.check()


def test_without_a_goal_growth_releases_nothing(runtime):
    rt = runtime(gomaxprocs=1)
    free_spans(rt, rt.malloc_many(np.full(64, 512 << 10)).tolist(), 32)
    next_generation(rt)
    rt.mallocgc(20 * MIB)
    assert rt.process.load(RELEASED_EAGER) == 0


def test_growth_to_just_above_the_goal_releases_a_huge_page_whole(runtime):
    """128 KiB would do, but a huge page that is free is not broken."""
    rt = runtime(gomaxprocs=1)
    free_spans(rt, rt.malloc_many(np.full(64, 512 << 10)).tolist(), 32)
    next_generation(rt)
    rt.process.store(PERCENT_GOAL, rt._run(0, heapRetained) + 20 * MIB - 128 * 1024)
    rt.mallocgc(20 * MIB)
    assert rt.process.load(RELEASED_EAGER) == 2 * MIB


def test_the_memory_limit_does_not_count_while_the_cpu_limiter_limits(runtime):
    rt = runtime(gomaxprocs=1, memory_limit="24MiB")
    free_spans(rt, rt.malloc_many(np.full(64, 512 << 10)).tolist(), 32)
    before = rt.process.load(RELEASED_EAGER)
    assert before == 0  # nothing was free when the limit was passed
    rt.process.store(ENABLED, 1, size=1)
    rt.mallocgc(20 * MIB)
    assert rt.process.load(RELEASED_EAGER) == 0
    rt.process.store(ENABLED, 0, size=1)
    rt.mallocgc(20 * MIB)
    assert rt.process.load(RELEASED_EAGER) == 16 * MIB


def test_free_os_memory_gives_all_back_a_run_of_pages_a_call(runtime):
    """At most a chunk of 4 MiB a call, from the top down; then HeapIdle is HeapReleased. A hole of one page takes one call."""
    rt = runtime(gomaxprocs=1)
    large = rt.malloc_many(np.full(32, 1 << 20)).tolist()
    small = rt.malloc_many(np.full(40, 8192)).tolist()
    free_spans(rt, large, 32)
    freed = free_spans(rt, small, 40, every=2)
    rt.memstats()
    stats, calls = rt.memstats(), system_calls(rt)
    free, scavenged = (rt.process.load(rt.ps[0] + p_.pcache + at) for at in (pageCache.cache, pageCache.scav))
    cached = bin(free & ~scavenged & (1 << 64) - 1).count("1") * 8192
    assert rt._run(0, scavengeAll) == stats["HeapIdle"] - stats["HeapReleased"] - cached
    assert len(freed) + 32 // 4 <= system_calls(rt) - calls <= len(freed) + 32 // 4 + 2
    rt.check()


def test_metadata_becomes_huge_once_and_only_the_arena_map_holds_a_huge_page(runtime):
    rt = runtime(gomaxprocs=1)
    rt.mallocgc(10)
    arenas = rt.process.load(V.mheap_ + mheap.arenas)
    flags = lambda: next(vma.vmflags.split() for vma in rt.process.maps() if vma.start <= arenas < vma.end)  # noqa: E731
    assert "nh" in flags()
    rt._call(0, enableMetadataHugePages)
    assert "hg" in flags() and "nh" not in flags()
    mapped = len(rt.process.maps())
    rt._call(0, enableMetadataHugePages)
    assert len(rt.process.maps()) == mapped and rt.process.load(V.mheap_ + mheap.arenasHugePages, size=1) == 1


def looks(last):
    """When sysmon has looked, up to `last`, nanoseconds: proc.go sysmon's loop, where it never takes a P from anybody."""
    at = idle = delay = 0
    while at <= last:
        if idle == 0:
            delay = 20
        elif idle > 50:
            delay *= 2
        delay = min(delay, 10_000)
        at += 1000 * delay
        idle += 1
        yield at


def test_sysmon_looks_when_its_loop_says():
    times = list(looks(95_000_000))
    for before, at in zip([0, *times], times):
        assert next_look.py_func(before) == next_look.py_func(at - 1) == at


def test_the_end_of_sweeping_asks_sysmon_to_wake_the_scavenger_and_the_next_cycle_wakes_it(runtime):
    """scavenger.ready sets sysmonWake, finishsweep_m calls scavenger.wake."""
    rt = runtime(gomaxprocs=1, collects=True)
    rt.gc()
    core = rt.machine.state.core[0]
    parked = lambda: rt.process.load(PARKED, size=1)  # noqa: E731
    asked = lambda: rt.process.load(SYSMON_WAKE, size=4)  # noqa: E731
    ns = int(rt._call(0, nanotime))
    assert (parked(), asked()) == (1, 1)
    core.cycles += int(rt._run(0, cycles_of, next(at for at in looks(ns) if at > ns) - ns - 1_000))
    rt.mallocgc(16)
    assert (parked(), asked()) == (1, 1), "a microsecond before sysmon looks"
    core.cycles += int(rt._run(0, cycles_of, 2_000))
    rt.mallocgc(16)
    assert asked() == 0
    rt.gc()
    assert (parked(), asked()) == (1, 1), "it has run, found nothing and parked; the sweep's end asks again"


@pytest.mark.parametrize("i", range(len(oracle("picontroller"))))
def test_the_scavengers_controller_answers_as_recorded(runtime, i):
    """Rows: input, period, output, whether it is one; the set point is 1 %. Recorded from the real runtime's piController."""
    rt = runtime(gomaxprocs=1)
    rt._call(0, scavenger_init)
    for input, period, output, good in oracle("picontroller")[i]:
        ours = rt._call(0, controller_next, input, 0.01, period)
        assert ours[0] == pytest.approx(output, rel=1e-9, abs=0) and bool(ours[1]) == good


def test_the_scavenger_begins_by_sleeping_a_thousand_times_as_long_as_it_works(runtime):
    """Work below a millisecond counts as one."""
    rt = runtime(gomaxprocs=1)
    rt._call(0, scavenger_init)
    assert rt._run(0, sleep_time, 2e6) == 2_000_000_000 and rt._run(0, sleep_time, 5.0) == 1_000_000_000


def test_a_controller_that_runs_away_begins_anew_and_rests(runtime):
    rt = runtime(gomaxprocs=1)
    rt._call(0, scavenger_init)
    rt._call(0, slept, 1e6, (1 << 63) - 1)
    for _ in range(10):
        if not rt.process.load(PRINT_RESET, size=1):
            rt._call(0, slept, 1e308, 1)
    assert rt._call(0, get_float, SLEEP_RATIO) == 0.001 and rt.process.load(PRINT_RESET, size=1) == 1
    left = rt.process.load(COOLDOWN)
    assert 0 < left <= 5_000_000_000
    rt._call(0, slept, 1e6, 6_000_000_000)
    assert rt.process.load(COOLDOWN) == 0

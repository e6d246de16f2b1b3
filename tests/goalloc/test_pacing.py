"""The pacer and the CPU limiter where no recorded case reaches: settings that change while a program runs, who marks, what a P does meanwhile."""

import numpy as np
import pytest

import goalloc
from hwmem import MachineConfig
from hwmem.kernels import kernel
from goalloc import constants as K, params as P
from goalloc.base.float64 import below, divide, get_float, put_float, to_int64, to_uint64
from goalloc.base.nanotime import MS
from goalloc.base.mgclimit_event import limiter_event_start, limiter_event_stop
from goalloc.errors import FatalError
from goalloc.gc.mgclimit import FILL, IDLE_POOL, need_update, resetCapacity, startGCTransition, finishGCTransition, update
from goalloc.gc.mgcpacer import DEDICATED_NEEDED, FRACTIONAL_GOAL, LAST_HEAP_GOAL, startCycle
from goalloc.gc.mgcpacer_goal import percent_of
from goalloc.gc.mgcpacer_commit import LIMIT_GOAL, PERCENT_GOAL, gcControllerCommit
from goalloc.gc.mgcpacer_workers import (
    MARK_START,
    addIdleMarkWorker,
    markWorkerStop,
    needIdleMarkWorker,
    pollFractionalWorkerExit,
    removeIdleMarkWorker,
    worker_mode,
)
from goalloc.gc.retake import is_preempted
from goalloc.layout import (
    gcControllerState,
    mcache,
    mheap,
    mstats,
    p_,
    schedt,
    sweepdata,
    workType,
    variables as V,
)
from goalloc.runtime.runtime import P_TYPE

MIB = 1 << 20
DEDICATED, FRACTIONAL, IDLE = K.gcMarkWorkerDedicatedMode, K.gcMarkWorkerFractionalMode, K.gcMarkWorkerIdleMode


def goal_under(limit, stats):
    """The goal that a memory limit alone gives, from runtime.MemStats (the formula of Go's guide to its collector, measured to hold to the byte)."""
    mapped, free = stats["Sys"] - stats["HeapReleased"], stats["HeapIdle"] - stats["HeapReleased"]
    room = limit - (mapped - free - stats["HeapAlloc"]) - max(mapped - limit, 0)
    return room - max(room // 100 * 3, MIB)


def test_setting_gogc_changes_the_goal_at_once_and_collects_nothing(runtime):
    rt = runtime(gomaxprocs=1)
    assert rt.set_gc_percent(50) == 100 and rt.memstats()["NextGC"] == 2 * MIB
    assert rt.set_gc_percent(400) == 50 and rt.memstats()["NextGC"] == 16 * MIB
    assert rt.set_gc_percent(-7) == 400 and rt.set_gc_percent("off") == -1
    stats = rt.memstats()
    assert stats["NextGC"] == goal_under((1 << 63) - 1, stats) and stats["NumGC"] == 0
    assert rt.set_gc_percent(100) == -1 and rt.memstats()["NextGC"] == 4 * MIB


def test_gogc_is_an_int32_as_gos_is(runtime):
    """NextGC, and what SetGCPercent returned, of the real runtime."""
    rt = runtime(gomaxprocs=1, gogc=2147483647)
    assert rt.memstats()["NextGC"] == 90071992505466
    assert [rt.set_gc_percent(n) for n in (1 << 31, (1 << 32) + 5, 0, 100)] == [2147483647, -1, 5, 0]
    for n in (1 << 31, "2147483648", -(1 << 31) - 1):
        with pytest.raises(ValueError, match="gogc: takes a percentage up to 2147483647"):
            runtime(gomaxprocs=1, gogc=n)


@pytest.mark.parametrize("nbytes", [0, 4 << 20, (5 << 30) + 7, 1 << 40, (1 << 47) - 1])
@pytest.mark.parametrize("percent", [0, 1, 99, 1_000_001, (1 << 31) - 1])
def test_a_part_of_a_large_heap_is_taken_modulo_two_to_the_64(nbytes, percent):
    assert percent_of(nbytes, percent) == nbytes * percent % (1 << 64) // 100


def test_who_turns_collection_off_waits_until_the_cycle_that_runs_has_marked():
    rt = goalloc.Runtime(config=MachineConfig().replace(cores=1), gomaxprocs=1, collects=True)
    table = rt.mallocgc(8 << 15, type=goalloc.array(goalloc.pointer, 1 << 15))
    rt.write_pointer(rt.globals(1), table)
    for i in range(1 << 15):
        rt.write_pointer(table + 8 * i, rt.mallocgc(64, noscan=False))
    while not rt.collector & P.MARKING:
        rt.mallocgc(1024)
    n = rt.memstats()["NumGC"]
    rt.set_gc_percent(50)
    assert rt.collector & P.MARKING, "any other value waits for nothing"
    rt.set_gc_percent(-1)
    assert not rt.collector & P.MARKING and rt.memstats()["NumGC"] == n + 1
    rt.check()


@pytest.mark.parametrize("gogc", [-1, -5, "off", "-1"])
def test_a_negative_gogc_is_off_from_the_start(runtime, gogc):
    rt = runtime(gomaxprocs=1, gogc=gogc, memory_limit=64 * MIB)
    rt.malloc_many(np.full(100, 50_000))
    stats = rt.memstats()
    assert stats["NextGC"] == goal_under(64 * MIB, stats)


def test_the_memory_limit_can_be_set_asked_and_taken_away(runtime):
    rt = runtime(gomaxprocs=1, gogc=1000)
    assert rt.set_memory_limit("32MiB") == (1 << 63) - 1 and rt.set_memory_limit(-1) == 32 * MIB
    for size in (100, 5_000, 70_000):
        rt.malloc_many(np.full(40, size))
        stats = rt.memstats()
        assert stats["NextGC"] == goal_under(32 * MIB, stats) < 40 * MIB
    assert rt.set_memory_limit(None) == 32 * MIB and rt.memstats()["NextGC"] == 40 * MIB
    assert rt.set_memory_limit(0) == (1 << 63) - 1 and rt.memstats()["NextGC"] == 0


def test_wrong_settings_are_told(runtime):
    rt = runtime(gomaxprocs=1)
    for call, error, word in (
        (lambda: rt.set_gc_percent(2.5), ValueError, "percent"),
        (lambda: rt.set_gc_percent("much"), ValueError, "percent"),
        (lambda: rt.set_memory_limit("lots"), ValueError, "limit"),
        (lambda: rt.set_memory_limit(1.5), TypeError, "limit"),
        (lambda: rt.set_memory_limit(1 << 63), ValueError, "limit"),
    ):
        with pytest.raises(error, match=word):
            call()
    assert rt.memstats()["NextGC"] == 4 * MIB


@pytest.mark.parametrize(
    "x, signed, unsigned",
    [  # what amd64 gave when the real compiler converted these
        (float((1 << 63) - 1) * 95.0, 1 << 63, 1 << 63),
        (float("inf"), 1 << 63, 1 << 63),
        (float("-inf"), 1 << 63, 1 << 63),
        (float("nan"), 1 << 63, 1 << 63),
        (-5.5, 0xFFFF_FFFF_FFFF_FFFB, 0xFFFF_FFFF_FFFF_FFFB),
        (1e19, 1 << 63, 0x8AC7_2304_89E8_0000),
        (9.3e18, 1 << 63, 0x8110_3CB9_FB22_0000),
        (2.5, 2, 2),
    ],
)
def test_floats_become_integers_as_on_amd64(x, signed, unsigned):
    assert to_int64(x) % (1 << 64) == signed and to_uint64(x) % (1 << 64) == unsigned


def test_words_are_compared_unsigned_and_floats_divided_by_zero():
    assert below(1, 2) and below(5, -1) and not below(-1, 5) and not below(-1, -1)
    assert divide(1.0, 0.0) == float("inf") and divide(-1.0, 0.0) == float("-inf") and divide(0.0, 0.0) != divide(0.0, 0.0)


def test_a_float_lies_in_memory_by_its_bits(runtime):
    rt = runtime(gomaxprocs=1)
    at = rt.globals(1)
    rt._call(0, put_float, at, -0.1)
    assert rt.process.read(at, 8) == np.float64(-0.1).tobytes() and rt._call(0, get_float, at) == -0.1


def test_a_quarter_of_the_ps_mark_and_fractions_where_rounding_misses(runtime):
    """Go's own words: fractional workers for GOMAXPROCS <= 3 and = 6."""
    rt = runtime(gomaxprocs=1)
    for procs in range(1, 65):
        rt._call(0, startCycle, 0, procs, K.gcTriggerHeap)
        dedicated, fraction = rt.process.load(DEDICATED_NEEDED), rt._call(0, get_float, FRACTIONAL_GOAL)
        assert (fraction > 0) == (procs <= 3 or procs == 6)
        assert abs(dedicated + fraction * procs - procs / 4) <= (0.5 if fraction == 0 else 1e-9)


def test_workers_are_handed_out_and_come_back(runtime):
    rt = runtime(gomaxprocs=4)
    run = lambda kernel, *arguments: rt._call(0, kernel, *arguments)  # noqa: E731
    run(startCycle, 1000, 4, K.gcTriggerHeap)
    p0, p1 = rt.ps[:2]
    assert run(worker_mode, p0, 2000) == DEDICATED and run(worker_mode, p1, 2000) == K.gcMarkWorkerNotWorker
    assert [bool(run(addIdleMarkWorker)) for _ in range(4)] == [True, True, True, False] and not run(needIdleMarkWorker)
    run(removeIdleMarkWorker)
    assert run(needIdleMarkWorker)
    run(markWorkerStop, IDLE, 70)
    run(markWorkerStop, DEDICATED, 500)
    assert run(worker_mode, p1, 2000) == DEDICATED
    field = lambda name: rt.process.load(V.gcController + getattr(gcControllerState, name))  # noqa: E731
    assert (field("idleMarkTime"), field("dedicatedMarkTime"), field("idleMarkWorkers")) == (70, 500, 3 << 32 | 1)
    run(startCycle, 1000, 4, K.gcTriggerTime)  # forced by time: no idle workers beside a dedicated one
    assert not run(needIdleMarkWorker)
    with pytest.raises(FatalError, match="unknown mark worker mode"):
        run(markWorkerStop, 0, 1)


def test_a_fractional_worker_has_a_quarter_of_its_p(runtime):
    rt = runtime(gomaxprocs=1)
    pp, run = rt.ps[0], lambda kernel, *arguments: rt._call(0, kernel, *arguments)
    run(startCycle, 0, 1, K.gcTriggerHeap)
    assert run(worker_mode, pp, 0) == run(worker_mode, pp, 1000) == FRACTIONAL
    rt.process.store(pp + p_.gcFractionalMarkTime, 251)
    assert run(worker_mode, pp, 1000) == K.gcMarkWorkerNotWorker and run(worker_mode, pp, 1004) == FRACTIONAL
    rt.process.store(pp + p_.gcMarkWorkerStartTime, 1000)
    assert not run(pollFractionalWorkerExit, pp, 1050)  # 301 of 1050: not yet a fifth more than a quarter
    assert run(pollFractionalWorkerExit, pp, 1080)  # 331 of 1080


@kernel
def preempted_at(m, t, pp, cycle):
    m.core[m.thread[t].core].cycles = cycle
    return is_preempted(m, t, pp)


def test_an_assist_is_interrupted_after_its_goroutine_has_had_its_ten_milliseconds(runtime):
    rt = runtime(gomaxprocs=1)
    pp, guest = rt.ps[0], rt.machine.state.process[rt.process.number].guest

    def looks(ms):
        return rt._call(0, preempted_at, pp, int(ms * guest[P.MILLISECOND]))

    rt.process.store(pp + p_.schedtick, 1)
    guest[P.COLLECTOR] |= P.MARKING
    rt.process.store(MARK_START, 24 * MS)
    assert not looks(25), "on its P since 0, 10 or 20 ms: nobody has looked before"
    assert [looks(ms) for ms in (26, 29.9)] == [False, False] and rt.process.load(pp + p_.preempt, 1) == 0
    assert looks(30) and rt.process.load(pp + p_.preempt, 1) == 1
    rt.process.store(pp + p_.preempt, 0, 1)
    guest[P.COLLECTOR] |= P.ALONE
    assert not looks(60), "without sysmon"


def test_what_a_p_does_meanwhile_fills_the_limiters_bucket_or_not(runtime):
    rt = runtime(gomaxprocs=2)
    p0, p1 = rt.ps
    run = lambda kernel, *arguments: rt._call(0, kernel, *arguments)  # noqa: E731
    run(resetCapacity, 0, 2)
    assert run(limiter_event_start, p0, K.limiterEventMarkAssist, 100) and not run(limiter_event_start, p0, K.limiterEventIdle, 100)
    run(limiter_event_start, p1, K.limiterEventIdle, 100)
    assert not run(need_update, 10_000_000) and run(need_update, 10_000_001)
    run(update, 1_100)  # of 2,200 ns one P assisted 1,000 and one was idle 1,000, the rest, 200, is the program's
    assert rt.process.load(FILL) == 800 and rt.process.load(V.sched + schedt.idleTime) == 1_000
    run(limiter_event_stop, p1, K.limiterEventIdle, 1_500)
    assert rt.process.load(IDLE_POOL) == 400 and rt.process.load(p1 + p_.limiterEvent) == 0
    run(startGCTransition, True, 2_000)
    run(finishGCTransition, 2_500)
    # 1,800 ns of two Ps: 900 assisted by P 0, 400 idle, 500 the program's; then 1,000 of standing still
    assert rt.process.load(FILL) == 800 + 400 + 1_000
    with pytest.raises(FatalError, match="wrong event"):
        run(limiter_event_stop, p1, K.limiterEventIdle, 3_000)


def test_the_limiters_misuse_is_fatal(runtime):
    for function, arguments, words in ((finishGCTransition, (5,), "without starting one"), (startGCTransition, (False, 5), "same state")):
        rt = runtime(gomaxprocs=1)
        with pytest.raises(FatalError, match=words):
            rt._call(0, function, *arguments)


def test_the_scavenger_retains_a_tenth_more_than_was_in_use(runtime):
    """196,608 bytes in use and an unchanged goal gave 217,088 on the real one; a heap below that gives no goal."""
    rt = runtime(gomaxprocs=1)
    store, load = rt.process.store, rt.process.load
    rt.malloc_many(np.full(40, 50_000))
    for at, value in ((V.memstats + mstats.lastHeapInUse, 196_608), (LAST_HEAP_GOAL, 4 * MIB)):
        store(at, value)
    rt._call(0, gcControllerCommit)
    assert load(PERCENT_GOAL) == 217_088 and load(LIMIT_GOAL) == -1
    store(V.memstats + mstats.lastHeapInUse, 4 * MIB)
    rt._call(0, gcControllerCommit)
    assert load(PERCENT_GOAL) == -1
    rt.set_memory_limit(1 * MIB)  # 95 MiB is what 1.21.13 makes of it: no reason to scavenge
    assert load(LIMIT_GOAL) == -1
    rt.set_memory_limit(10_000)
    assert load(LIMIT_GOAL) == 950_000


def test_sweeping_is_paced_to_be_over_at_the_trigger(runtime):
    rt = runtime(gomaxprocs=1)
    ratio = lambda: rt._call(0, get_float, V.mheap_ + mheap.sweepPagesPerByte)  # noqa: E731
    rt.process.store(V.sweep + sweepdata.active, K.sweepDrainedMask, size=4)
    rt.malloc_many(np.full(200, 8192))
    rt._call(0, gcControllerCommit)
    assert ratio() == 0
    rt.process.store(V.sweep + sweepdata.active, 0, size=4)
    rt._call(0, gcControllerCommit)
    controller = lambda name: rt.process.load(V.gcController + getattr(gcControllerState, name))  # noqa: E731
    trigger = (4 * MIB) // 64 * 61  # nothing is marked, nothing known of cons/mark: the latest there is
    left = trigger - controller("heapLive") - MIB
    assert ratio() == rt.process.load(V.mheap_ + mheap.pagesInUse) / left


def test_what_is_allocated_before_there_is_a_p_counts_as_scannable_too(runtime):
    """allp and each p are typed objects: mallocgc adds the size up to a type's last pointer to mcache.scanAlloc, and a refill that to heapScan."""
    rt = runtime(gomaxprocs=1)
    ld = rt.process.load
    counted = ld(V.gcController + gcControllerState.heapScan) + ld(ld(rt.ps[0] + p_.mcache) + mcache.scanAlloc)
    assert counted == 8 + P_TYPE.ptrdata


@pytest.mark.parametrize("words, jobs", [(0, (0, 1)), (100, (1, 1)), (16_400 // 8, (1, 1)), (30_000, (1, 1)), (40_000, (1, 2))])
def test_globals_are_root_jobs_of_the_data_and_of_the_bss_with_the_runtimes(runtime, words, jobs):
    """As in markrootPrepare: 256 KiB a job; the runtime's own variables are in the bss, not in a job of their own."""
    rt = runtime(gomaxprocs=1)
    if words:
        rt.globals(words)
    rt.gc()
    data, bss, spans = (rt.process.load(V.work + at, size=4) for at in (workType.baseData, workType.baseBSS, workType.baseSpans))
    assert (bss - data, spans - bss) == jobs
    assert rt.gc_cycles()[-1]["globals_scan"] == 8 * words + 40

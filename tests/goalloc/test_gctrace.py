"""The collector's log and what is made of it: traces in Go's format, cycles as dicts, runtime/metrics."""

import re

import numpy as np
import pytest
from recorded import oracle

from goalloc import constants as K, params as P
from goalloc.gc.mgc_stats import accumulate_cpu, pause_cpu
from goalloc.gc.mgcpacer import startCycle
from goalloc.gc.trace import COLUMNS, CYCLE, FORCED, NAMES, ROWS, SCAVENGED, log_cycle, log_forced, log_scavenged
from goalloc.layout import gcControllerState, mstats, schedt, scavenge, workType, variables as V
from goalloc.observe.gctrace import cycles, gctrace, lines, milliseconds
from goalloc.runtime.log import rows

GCTRACE = re.compile(
    r"gc (\d+) @(\d+\.\d{3})s (\d+)%: ([\d.]+)\+([\d.]+)\+([\d.]+) ms clock, ([\d.]+)\+([\d.]+)/([\d.]+)/([\d.]+)\+([\d.]+) ms cpu, "
    r"(\d+)->(\d+)->(\d+) MB, (\d+) MB goal, (\d+) MB stacks, (\d+) MB globals, (\d+) P( \(forced\))?"
)


def nanoseconds(text):
    return round(float(text) * 1e6)


def word(x):
    return int(np.float64(x).view(np.int64))


def as_fields(match):
    """The numbers of a line of the real trace, as the log would have them: times to the digits that it printed."""
    n, at, percent, *rest, forced = match.groups()
    first, marking, last, _, assist, workers, idle, _, start, end, marked, goal, stacks, globals_, ps = rest
    began = nanoseconds(float(at) * 1000)
    clock = list(map(nanoseconds, (first, marking, last)))
    fields = dict.fromkeys(NAMES, 0) | {
        "n": int(n),
        "cpu_fraction": word((int(percent) + 0.5) / 100),
        "began": began,
        "marking": began + clock[0],
        "terminating": began + sum(clock[:2]),
        "ended": began + sum(clock),
        "assist_ns": nanoseconds(assist),
        "dedicated_ns": nanoseconds(workers),
        "idle_ns": nanoseconds(idle),
        "procs": 1,
        "maxprocs": int(ps),
        "forced": forced is not None,
    }
    sizes = zip(
        ("heap_start", "heap_end", "heap_marked", "goal", "stack_scan", "globals_scan"), (start, end, marked, goal, stacks, globals_)
    )
    return fields | {name: int(mib) << 20 for name, mib in sizes}


@pytest.mark.oracle
def test_lines_of_the_real_trace_come_out_as_they_were():
    told = [line for line in oracle("gctrace_lines") if line.endswith(" 1 P") or " 1 P (" in line]
    assert len(told) > 200
    for line in told:
        match = GCTRACE.fullmatch(line)
        assert match, line
        assert gctrace(as_fields(match), 0) == line


@pytest.mark.parametrize(
    "ns, text",
    [
        (0, "0"),
        (999, "0"),
        (1000, "0.001"),
        (19_999, "0.019"),
        (99_999, "0.099"),
        (100_000, "0.10"),
        (129_000, "0.12"),
        (1_000_000, "1.0"),
        (9_999_999, "9.9"),
        (10_000_000, "10"),
        (239_500_000, "239"),
    ],
)
def test_milliseconds_have_two_digits_that_matter(ns, text):
    assert milliseconds(ns) == text


def put(rt, *fields):
    for at, value in fields:
        rt.process.store(at, value)


def test_a_cycle_in_the_log_has_what_the_runtime_knew(runtime):
    rt = runtime(gomaxprocs=2)
    rt.malloc_many(np.full(50, 10_000))
    live = rt.process.load(V.gcController + gcControllerState.heapLive)
    rt._call(0, startCycle, 500, 2, K.gcTriggerHeap)
    work = lambda name: V.work + getattr(workType, name)  # noqa: E731
    put(
        rt,
        (work("heap0"), 4 << 20),
        (work("heap1"), 5 << 20),
        (work("heap2"), 1 << 20),
        (work("tSweepTerm"), rt._began + 7_000_000),
        (work("tMark"), rt._began + 7_003_000),
        (work("tMarkTerm"), rt._began + 7_400_000),
        (work("tEnd"), rt._began + 7_401_500),
        (V.memstats + mstats.gc_cpu_fraction, word(0.0652)),
        (V.gcController + gcControllerState.assistTime, 44_000),
    )
    for at, value in ((V.memstats + mstats.numgc, 1), (work("stwprocs"), 2), (work("maxprocs"), 2)):
        rt.process.store(at, value, size=4)
    guest = rt.machine.state.process[rt.process.number].guest
    guest[P.OBJECTS_MARKED], guest[P.SPANS_SWEPT] = 90, 0
    rt._call(0, log_cycle)
    guest[P.SPANS_SWEPT] = 12
    rt._call(0, log_forced)
    rt._call(0, log_scavenged, 64 << 20, 4096, False, False)
    assert rt.trace_lines()[:2] == [
        "gc 1 @0.007s 6%: 0.003+0.39+0.001 ms clock, 0.006+0.044/0/0+0.003 ms cpu, 4->5->1 MB, 0 MB goal, 0 MB stacks, 0 MB globals, 2 P",
        "GC forced",
    ]
    stats = rt.memstats()
    assert rt.trace_lines(gctrace=False) == [
        f"scav 65536 KiB work (bg), 4 KiB work (eager), {stats['HeapReleased'] >> 10} KiB now, "
        f"{stats['HeapInuse'] * 100 // (stats['HeapSys'] - stats['HeapReleased'])}% util"
    ]
    (cycle,) = rt.gc_cycles()
    assert (cycle["n"], cycle["forced"], cycle["heap_trigger"], cycle["heap_start"]) == (1, False, live, 4 << 20)
    assert cycle["pauses_ns"] == [3_000, 1_500] and cycle["next_goal"] == 4 << 20 and cycle["cons_mark"] == 0.0
    assert (cycle["objects_marked"], cycle["spans_swept"], cycle["assist_ns"]) == (90, 12, 44_000)
    assert cycle["mapped_ready"] == stats["Sys"] - stats["HeapReleased"] and cycle["heap_released"] == stats["HeapReleased"]


def test_what_is_marked_and_swept_is_told_apart_by_cycle():
    log = np.zeros((3, COLUMNS), np.int64)
    log[:, 0] = CYCLE, SCAVENGED, CYCLE
    log[[0, 2], 1 + NAMES.index("objects")], log[[0, 2], 1 + NAMES.index("spans")] = (100, 170), (3, 60)
    found = cycles(log, 170, 75)
    assert [(c["objects_marked"], c["spans_swept"]) for c in found] == [(100, 57), (70, 15)]


def test_a_full_log_keeps_the_newest_rows(runtime):
    rt = runtime(gomaxprocs=1)
    guest = rt.machine.state.process[rt.process.number].guest
    guest[P.LOG_ROWS] = ROWS + 3
    rt._log[:, 0] = FORCED
    rt._log[2] = [CYCLE] * COLUMNS
    kept = rows(rt.process, rt._log)
    assert len(kept) == ROWS and kept[-1][0] == CYCLE and set(kept[:-1, 0]) == {FORCED}


def test_scavtrace_says_when_it_was_forced_or_began_anew():
    row = lambda *values: np.array([SCAVENGED, *values] + [0] * (COLUMNS - 1 - len(values)))  # noqa: E731
    assert lines([row(0, 131072 << 10, 132000 << 10, 196_608, 278_528, 1, 0), row(4096, 0, 0, 50, 100, 0, 1)], 0) == [
        "scav 0 KiB work (bg), 131072 KiB work (eager), 132000 KiB now, 70% util (forced)",
        "scav 4 KiB work (bg), 0 KiB work (eager), 0 KiB now, 50% util [controller reset]",
    ]


def test_the_collectors_share_of_the_processors_is_its_time_over_that_of_all_ps(runtime):
    """Total time is Ps times the time since they were made; idle marking costs nobody anything."""
    rt = runtime(gomaxprocs=2)
    field = lambda name: V.gcController + getattr(gcControllerState, name)  # noqa: E731
    rt.process.store(V.work + workType.stwprocs, 2, size=4)
    put(
        rt,
        (V.sched + schedt.procresizetime, 1_000),
        (field("assistTime"), 300),
        (field("dedicatedMarkTime"), 2_000),
        (field("idleMarkTime"), 900),
        (V.sched + schedt.idleTime, 700),
        (V.scavenge + scavenge.backgroundTime, 40),
    )
    rt._call(0, pause_cpu, 25)
    rt._call(0, accumulate_cpu, 11_000)
    cpu = {
        name.removeprefix("/cpu/classes/").removesuffix(":cpu-seconds"): round(value * 1e9)
        for name, value in rt.metrics().items()
        if name.startswith("/cpu/")
    }
    assert cpu == {
        "gc/mark/assist": 300,
        "gc/mark/dedicated": 2_000,
        "gc/mark/idle": 900,
        "gc/pause": 50,
        "gc/total": 3_250,
        "idle": 700,
        "scavenge/assist": 0,
        "scavenge/background": 40,
        "scavenge/total": 40,
        "total": 20_000,
        "user": 20_000 - 3_250 - 40 - 700,
    }
    assert rt.memstats()["GCCPUFraction"] == (3_250 - 900) / 20_000
    assert rt.process.load(V.scavenge + scavenge.backgroundTime) == rt.process.load(V.sched + schedt.idleTime) == 0


def test_metrics_agree_with_memstats(runtime):
    """As Go's documentation ties them to each other."""
    rt = runtime(gomaxprocs=2, memory_limit="1GiB")
    rt.malloc_many(np.full(300, 24), noscan=False)
    rt.malloc_many([5, 3, 2] * 20, core=1)
    rt.mallocgc(100_000)
    s, v = rt.memstats(), rt.metrics()
    assert (
        v["/memory/classes/total:bytes"]
        == s["Sys"]
        == sum(n for name, n in v.items() if name.startswith("/memory/classes/") and not name.startswith("/memory/classes/total"))
    )
    assert v["/gc/heap/allocs:bytes"] == s["TotalAlloc"] and v["/memory/classes/heap/objects:bytes"] == s["HeapAlloc"]
    assert v["/gc/heap/allocs:objects"] + v["/gc/heap/tiny/allocs:objects"] == s["Mallocs"]
    assert (
        v["/memory/classes/heap/free:bytes"] == s["HeapIdle"] - s["HeapReleased"]
        and v["/memory/classes/heap/released:bytes"] == s["HeapReleased"]
    )
    assert v["/memory/classes/heap/unused:bytes"] == s["HeapInuse"] - s["HeapAlloc"] and v["/gc/heap/goal:bytes"] == s["NextGC"] == 4 << 20
    assert v["/gc/gomemlimit:bytes"] == 1 << 30 and v["/gc/gogc:percent"] == 100 and v["/sched/gomaxprocs:threads"] == 2
    sizes = v["/gc/heap/allocs-by-size:bytes"]
    assert len(sizes["counts"]) == 68 and sizes["buckets"][:6] == [1, 9, 17, 25, 33, 49]  # as the real one has them
    assert sizes["buckets"][-3:] == [28673, 32769, float("inf")]
    assert (
        sizes["counts"][2] == s["BySize"][3]["Mallocs"]
        and sizes["counts"][-1] == 1
        and sum(sizes["counts"]) == v["/gc/heap/allocs:objects"]
    )
    rt.set_gc_percent("off")
    assert rt.metrics()["/gc/gogc:percent"] == (1 << 64) - 1

"""One program on every allocator, by 1 to 16 threads: `goalloc compare allocators`.

    requests.py (a stream a thread) ──> play.py, the same kernel for all ──> baselines, by the process's door ──> a row of figures

A row is a dict with the keys of FIGURES. "Operation": a call of malloc, free or realloc.
"""

from hwmem.config.machine import MachineConfig
from hwmem.programs.registry import Registry, parameter
from hwmem.runs.job import Job
from hwmem.runs.watch import UNWATCHED
from goalloc import params as P
from goalloc.baselines.api import NAMES, Allocator
from goalloc.programs.play import LIVE, RSS, place_requests, play
from goalloc.programs.requests import DROPPED, PROGRAMS, RESTED, TOP, TRIMMED
from goalloc.programs.trace import trace

CORES = 16
FIGURES = {  # key: what a column of the table is called
    "threads": "threads",
    "allocator": "allocator",
    "cycles": "cycles/op",  # of a call
    "lines": "lines/op",  # that came from another core's cache, where they had been written
    "active": "active",  # blocks given out on a line where another thread has one ...
    "passive": "passive",  # ... because the program had moved one there
    "lock_waits": "lock waits",
    "system_calls": "calls",
    "faults": "faults",
    "rss": "RSS KiB",  # the most there was
    "overhead": "RSS/live",  # when most was live
    "dropped": "dropped",  # of the RSS at the top: how much is still there when most has been freed,
    "rested": "rested",  # ... after a pause,
    "trimmed": "trimmed",  # ... and when the allocator was asked for all that can go back
}
COMPARED = Registry("goalloc compare allocators")


def place(w, space):
    recording = space.environment.get("recording")
    streams = trace(w.threads, recording) if recording and w.program == "trace" else PROGRAMS[w.program](w.threads, space.random, w.factor)
    space.allocator = Allocator(space.process, w.allocator)
    place_requests(w, space, streams)
    for at in range(P.LOCKS, P.SYS_CALLS + 1):
        space.process.record.guest[at] = 0
    space.minflt = int(space.process.record.minflt)


def read(w, space):
    record = space.process.record
    marks = w.marks
    top = marks[TOP, RSS]
    return {
        "operations": w.calls,
        "call_cycles": w.call_cycles,
        "failed": w.failed,
        "waited": w.waited,
        "active": w.active,
        "passive": w.passive,
        "unwatched": w.unwatched,
        "peak_live": w.peak_live,
        "rss_at_peak": w.rss_at_peak * 4096,
        "peak_rss": w.peak_rss * 4096,
        "lock_waits": int(record.guest[P.LOCK_WAITS]),
        "lock_wait_cycles": int(record.guest[P.LOCK_WAIT_CYCLES]),
        "system_calls": int(record.guest[P.SYS_CALLS]),
        "faults": int(record.minflt) - space.minflt,
        "left": {name: marks[row, RSS] / top for name, row in (("dropped", DROPPED), ("rested", RESTED), ("trimmed", TRIMMED))}
        if top
        else {},
        "kept_live": int(marks[DROPPED, LIVE]),
        "statistics": space.allocator.check(),
    }


COMPARED.workload(
    "requests",
    "a program of mallocs and frees on one of the allocators",
    setup=place,
    values=read,
    operation="call",
    needs_mmu=True,
    program=parameter("larson", "what is asked for", choices=tuple(PROGRAMS)),
    allocator=parameter("glibc", "of whom", choices=NAMES),
    threads=parameter(1, "threads; thread i runs on core i, modulo the cores", 1, 64),
    factor=parameter(1, "how much is done", 1, 1_000),
)(play)


def run(program, allocator, threads=1, factor=1, seed=0, config=None, recording=None):
    """The hwmem.Result of one program on one allocator. `recording`: of the program trace, what trace.recorded gave. Raises ValueError."""
    config = config or MachineConfig().replace(cores=CORES)
    given = {"program": program, "allocator": allocator, "threads": threads, "factor": factor}
    return Job(COMPARED.find("requests"), config, seed, None, given, {"recording": recording}).run(watch=UNWATCHED)


def row(result):
    """The figures of one run."""
    values, cores, parameters = result.values, result.counters["cores"], result.parameters
    calls = max(values["operations"], 1)
    return {
        "threads": parameters["threads"],
        "allocator": parameters["allocator"],
        "cycles": round(values["call_cycles"] / calls, 1),
        "lines": round(sum(core["interventions_hit_modified"] for core in cores) / calls, 2),
        "active": values["active"],
        "passive": values["passive"],
        "lock_waits": values["lock_waits"] + sum(core["lock_waits"] for core in cores),
        "system_calls": values["system_calls"],
        "faults": values["faults"],
        "rss": values["peak_rss"] >> 10,
        "overhead": round(values["rss_at_peak"] / max(values["peak_live"], 1), 2),
        **{name: round(values["left"][name], 2) if values["left"] else None for name in ("dropped", "rested", "trimmed")},
    }

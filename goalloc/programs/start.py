"""A Go program as a workload: its runtime is started by the workload's setup, thread i is the M of P i.

w.g[i]      the g of thread i, which its first step puts into the thread's register
w.threads   gomaxprocs

t = next_m(m, w)                    which thread's step is next, in the loop of every program: ... count_step(m, t, how many) ends a step
"""

import numpy as np

from hwmem._jit import call_door, kernel
from hwmem.kernels import finish, next_thread
from hwmem.params import MAX_CORES
from hwmem.programs.registry import parameter
from goalloc import params as P
from goalloc.layout import gcControllerState, variables as V
from goalloc.sched.proc_park import sysmon_when_due
from goalloc.runtime.arguments import check_godebug, check_gogc, check_limit
from goalloc.runtime.runtime import Runtime
from goalloc.observe.sizestats import size_stats
from goalloc.observe.memstats import read_memstats
from goalloc.observe.inspect import Inspector
from goalloc.observe.pagemap import page_map
from goalloc.observe.symbols import symbols

DEFAULT_PS = 4
GOMAXPROCS = parameter(DEFAULT_PS, "Ps; P i runs on core i", 1, 64)
ENVIRONMENT = {"GODEBUG": "", "GOGC": 100, "GOMEMLIMIT": "off"}  # of programs that are started without their own
PROBES = {  # what a result shows over time, beside what the kernel counts (Result.series)
    "heap_live": gcControllerState.heapLive,
    "heap_goal": gcControllerState.gcPercentHeapGoal,
    "heap_in_use": gcControllerState.heapInUse,
    "heap_free": gcControllerState.heapFree,
    "heap_released": gcControllerState.heapReleased,
}
MOST_TURNS = 10_000  # of the collector on the Ps, that a result keeps
RANK, COUNT = 0, 1  # a thread's first registers; how many steps it has done


def start(w, space, collects=False):
    """The runtime of a program with `w.gomaxprocs` Ps, in the workload's process."""
    variables = ENVIRONMENT | space.environment
    space.runtime = Runtime(
        process=space.process,
        gomaxprocs=w.gomaxprocs,
        gogc=variables["GOGC"],
        memory_limit=variables["GOMEMLIMIT"],
        godebug=variables["GODEBUG"],
        seed=space.process.machine.seed,
        collects=collects,
    )
    for name, field in PROBES.items():
        space.probe(name, V.gcController + field)
    w.threads = w.gomaxprocs
    w.g = np.zeros(MAX_CORES, np.int64)  # of one length for any number of Ps: another length is another type, and compiled anew
    w.g[: w.gomaxprocs] = space.runtime.gs
    return space.runtime


def environment(gogc=100, memory_limit=None, godebug=""):
    """What a program finds as its environment: GOGC, GOMEMLIMIT and GODEBUG. Raises TypeError or ValueError as Runtime does."""
    check_gogc(gogc), check_limit(memory_limit), check_godebug(godebug)
    return {"GOGC": gogc, "GOMEMLIMIT": memory_limit, "GODEBUG": godebug}


def fit(config, parameters):
    """`parameters` with no more Ps than the machine has cores. Raises ValueError for more, or for a machine without an MMU."""
    if not config.mmu:
        raise ValueError("mmu: a Go program needs an MMU")
    ps = parameters.get("gomaxprocs", min(DEFAULT_PS, config.cores))
    if isinstance(ps, int) and ps > config.cores:
        raise ValueError(f"gomaxprocs: takes 1 to {config.cores}, the machine's cores (--with cores=N), got {ps}")
    return parameters | {"gomaxprocs": ps}


def outcome(w, space, operations):
    """What every Go program reports at its end: MemStats, the size classes' spans, waits for locks. Names its memory, for the
    reports."""
    rt = space.runtime
    space.name_all(symbols(rt))
    for pp in rt.ps:
        rt.flush(pp)
    look = Inspector(space.process)
    stats, sizes = read_memstats(look), size_stats(look)
    counts = space.process.machine.state.process[space.process.number].guest
    kept = ("HeapSys", "HeapInuse", "HeapAlloc", "HeapObjects", "Mallocs", "StackInuse")
    return {
        "operations": operations,
        **{name: stats[name] for name in kept},
        "inside_objects": sum(row["inside"] for row in sizes),
        "span_ends": sum(row["tail"] for row in sizes),
        "lock_waits": int(counts[P.LOCK_WAITS]),
        "lock_wait_cycles": int(counts[P.LOCK_WAIT_CYCLES]),
        "memstats": stats,
        "sizes": sizes,
        "arenas": page_map(look, rt.ps),
        "environment": ENVIRONMENT | space.environment,
        **({"gc": rt.gc_cycles(), "turns": rt.gc_turns(MOST_TURNS), "trace": rt.trace_lines()} if stats["NumGC"] else {}),
    }


@kernel
def next_m(m, w):
    """The thread whose step it is, as the M of its P; -1 when all have finished. While a collection is about something, a P's next step may
    be the collector's."""
    t = next_of_m(m, w)
    if t >= 0:
        sysmon_when_due(m, t)
    while t >= 0 and m.process[m.thread[t].process].guest[P.COLLECTOR] & (P.MARKING | P.SYSTEM):
        if not call_door(m, P.DOOR_CYCLE, t, P.TURN_OF_THREAD, 0, 0):
            break
        t = next_of_m(m, w)
    return t


@kernel
def next_of_m(m, w):
    t = next_thread(m)
    if t >= 0 and m.thread[t].guest[P.G] == 0:  # its first step
        m.thread[t].guest[P.G] = w.g[m.thread[t].local[RANK]]
    return t


@kernel
def count_step(m, t, n):
    """One of the thread's `n` steps is done; after the last it finishes."""
    r = m.thread[t].local
    r[COUNT] += 1
    if r[COUNT] == n:
        finish(m, t)

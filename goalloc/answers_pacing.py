"""The pacer's and the CPU limiter's answers to recorded questions, one case at a time; answers.py has the others.

The kernels are the collector's own (gc/), on the variables of a process that runs nothing. Where the recorder's stand-in for a cycle
does something of its own (Go: export_test.go GCController), so does this.
"""

import numpy as np

from hwmem._jit import kernel
from goalloc import constants as K
from goalloc.base.float64 import get_float, to_int64
from goalloc.gc.mgclimit import FILL, OVERFLOW, finishGCTransition, limiting, resetCapacity, startGCTransition, update
from goalloc.base.mgclimit_event import add_assist_time
from goalloc.gc.mgcpacer import (
    ASSIST_TIME,
    ASSIST_WORK_PER_BYTE,
    GLOBALS_SCAN_WORK,
    HEAP_SCAN,
    HEAP_SCAN_WORK,
    MAX_STACK_SCAN,
    STACK_SCAN_WORK,
    endCycle,
    resetLive,
    revise,
    startCycle,
)
from goalloc.gc.mgcpacer_goal import GLOBALS_SCAN, HEAP_LIVE, HEAP_MARKED, TRIGGERED, commit, controller_init, heapGoal, trigger
from goalloc.layout import gcCPULimiterState, variables as V
from goalloc.words import add64, get64, put64

TRANSITION_NS = 1_000_000  # a recorded transition took less
WORDS = gcCPULimiterState.sizeof // 8


# The pacer


@kernel
def start_cycle(m, t, stack, globals_, fraction, procs):
    """A cycle begins at its trigger, with `fraction` of what was allocated to be scanned: (triggered, assist ratio)."""
    first, _ = trigger(m, t)
    marked = get64(m, t, HEAP_MARKED)
    live = max(first, marked)
    put64(m, t, MAX_STACK_SCAN, stack)
    put64(m, t, GLOBALS_SCAN, globals_)
    put64(m, t, HEAP_LIVE, live)
    add64(m, t, HEAP_SCAN, to_int64(float(live - marked) * fraction))
    startCycle(m, t, 0, procs, K.gcTriggerHeap)
    return get64(m, t, TRIGGERED), get_float(m, t, ASSIST_WORK_PER_BYTE)


@kernel
def go_on(m, t, deltas):
    """The cycle goes on by these: (assist ratio, goal)."""
    for i, at in enumerate((HEAP_LIVE, HEAP_SCAN, HEAP_SCAN_WORK, STACK_SCAN_WORK, GLOBALS_SCAN_WORK)):
        add64(m, t, at, deltas[i])
    revise(m, t)
    return get_float(m, t, ASSIST_WORK_PER_BYTE), heapGoal(m, t)


@kernel
def end_cycle(m, t, marked, assist, elapsed, procs):
    """(the next goal, what is marked, what is live)."""
    put64(m, t, ASSIST_TIME, assist)
    endCycle(m, t, elapsed, procs)
    resetLive(m, t, marked)
    commit(m, t, False)
    return heapGoal(m, t), get64(m, t, HEAP_MARKED), get64(m, t, HEAP_LIVE)


DELTAS = ("HeapLive", "HeapScan", "HeapScanWork", "StackScanWork", "GlobalsScanWork")


def pacer(bench, case):
    """Fill in the answers of `case`, of pacer.json.gz, on a bench of its own."""
    procs = case["gomaxprocs"]
    bench.run(controller_init, case["gc_percent"], case["memory_limit"])
    for cycle in case["cycles"]:
        cycle["goal_at_start"] = int(bench.run(heapGoal))
        triggered, ratio = bench.run(start_cycle, cycle["stack_size"], cycle["globals_size"], float(cycle["scannable_frac"]), procs)
        cycle["triggered_heap_live"], cycle["assist_work_per_byte_at_start"] = int(triggered), float(ratio)
        for step in cycle["revises"]:
            ratio, goal = bench.run(go_on, np.array([step[name] for name in DELTAS], np.int64))
            step["assist_work_per_byte"], step["goal"] = float(ratio), int(goal)
        ends = bench.run(end_cycle, cycle["bytes_marked"], cycle["assist_time"], cycle["elapsed"], procs)
        cycle["goal_after"], cycle["heap_marked_after"], cycle["heap_live_at_end"] = map(int, ends)


# The CPU limiter


@kernel
def transition(m, t, enable, began, now):
    startGCTransition(m, t, enable, began)
    finishGCTransition(m, t, now)
    return get64(m, t, FILL) + get64(m, t, OVERFLOW)


@kernel
def recorded_transition(m, t, enable, now, filled):
    """A transition that was over at `now`; when it began was not recorded, but what it brought: `filled`, the bucket's fill and
    overflow. The later it began the less, so the latest beginning that brings as much is looked for by halving."""
    before = np.zeros(WORDS, np.int64)
    for i in range(WORDS):
        before[i] = get64(m, t, V.gcCPULimiter + 8 * i)
    low, high = 0, TRANSITION_NS
    while low < high:
        middle = (low + high) // 2
        enough = transition(m, t, enable, now - middle, now) >= filled
        for i in range(WORDS):
            put64(m, t, V.gcCPULimiter + 8 * i, before[i])
        if enough:
            high = middle
        else:
            low = middle + 1
    transition(m, t, enable, now - low, now)


@kernel
def limiter_state(m, t):
    return get64(m, t, FILL), get64(m, t, FILL + 8), get64(m, t, OVERFLOW), limiting(m, t)


def cpulimiter(bench, case):
    """Fill in the answers of `case`, of cpulimiter.json.gz, on a bench of its own."""
    bench.run(resetCapacity, 0, case["gomaxprocs"])
    for op in case["ops"]:
        name, arg, now = op["op"], op["arg"], op["now"]
        if name == "transition":
            bench.run(recorded_transition, bool(arg), now, op["fill"] + op["overflow"])
        elif name == "assist":
            bench.run(add_assist_time, arg)
        elif name == "reset":
            bench.run(resetCapacity, now, arg)
        else:
            bench.run(update, now)
        fill, capacity, overflow, limited = bench.run(limiter_state)
        op |= {"fill": int(fill), "capacity": int(capacity), "overflow": int(overflow), "limiting": bool(limited)}

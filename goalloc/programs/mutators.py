"""Programs on any collector: how they begin, whose step is next, and how they end. `goalloc compare collectors` runs them.

    mutator_trees.py    binary-trees, gcbench         mutator_lists.py    lists, lru         mutator_graph.py    graph, shared

A program's kernel is compiled once: what depends on the collector lies behind its door (collectors/mutator.py). `w.drawn` is what the program does, a
number a step, of the same length for all: the same calls in the same order whatever the collector. At its end a program collects, then walks over what
lives, once; the walk's misses are counted apart (w.walk).
"""

from types import SimpleNamespace

import numpy as np

from hwmem.kernels import finish, kernel
from hwmem.programs.registry import Registry, parameter
from goalloc import params as P
from goalloc.collectors.go_heap import GoHeap
from goalloc.collectors.heap import Heap
from goalloc.collectors.kinds import KINDS
from goalloc.collectors.mutator import collect
from goalloc.programs.process import start_collected
from goalloc.programs.start import next_m

MUTATORS = Registry("goalloc compare collectors")
DRAWN, THREADS = 1 << 18, 16
RANK, STEP = 0, 1  # a thread's first registers
CYCLES, LOADS, L1D, L2, DTLB, WALKS = range(6)  # columns of w.walk
COMMON = {
    "collector": parameter("mark-sweep", "which", choices=tuple(KINDS)),
    "heap": parameter("1MiB", "bytes of the heap", 512, 1 << 30),
    "every": parameter(0, "also collect after so many steps; 0: only when memory is used up", 0),
}


def place(w, space, drawn, threads=1, shapes=()):
    """A heap, and what the program does. `shapes`: (references, words of data) of its objects, for Go. Raises ValueError where that is too much."""
    if len(drawn) > DRAWN:
        raise ValueError(f"{len(drawn):,} steps are more than {DRAWN:,}")
    name = w.collector if isinstance(w.collector, str) else tuple(KINDS)[w.collector]
    w.g = np.zeros(THREADS, np.int64)
    space.heap = go_heap(w, space, threads, shapes) if name == "go" else Heap(space.process, name, w.heap, threads)
    w.stacks, w.stack_bytes, w.threads = space.heap.stacks, space.heap.stack_bytes, threads
    w.drawn, w.steps = np.zeros(DRAWN, np.int64), len(drawn)
    w.drawn[: len(drawn)] = drawn
    w.lengths, w.walk = np.zeros(64, np.int64), np.zeros((2, 6), np.int64)
    w.sum = 0


def go_heap(w, space, threads, shapes):
    """A Go program of one P. Raises ValueError for several threads."""
    if threads > 1:
        raise ValueError("collector: go runs programs of one thread here")
    space.environment = {"GOGC": 1}
    frame = SimpleNamespace(gomaxprocs=1, background="go")
    runtime = start_collected(frame, space)
    w.g[0] = frame.g[0]
    return GoHeap(runtime, w.heap, shapes)


def read(w, space):
    """`sum`: what the walk has found, the same for every collector; `pauses`: (start, end) in cycles; `walk`: what it cost."""
    return {
        "operations": w.steps,
        "sum": w.sum,
        "pauses": space.heap.pauses(),
        "walk": dict(zip(("cycles", "loads", "l1d", "l2", "dtlb", "walks"), (w.walk[1] - w.walk[0]).tolist())),
        "rss": int(space.process.smaps_rollup()["Rss"]),
        "most_live": 0 if space.heap.kind is KINDS["go"] else int(space.process.record.guest[P.MOST_LIVE]),
        **{name.replace(" ", "_"): value for name, value in space.heap.statistics().items()},
    }


def mutator(name, description, setup, **parameters):
    """Decorator: a program under its name, with the parameters that all have."""
    return MUTATORS.workload(name, description, setup=setup, values=read, operation="step", needs_mmu=True, **COMMON, **parameters)


@kernel
def next_mutator(m, w):
    """The thread whose step it is, -1 at the end; its registers have its shadow stack."""
    t = next_m(m, w)
    if t >= 0 and m.thread[t].guest[P.STACK_END] == 0:
        registers = m.thread[t].guest
        registers[P.STACK_BASE] = registers[P.STACK_TOP] = w.stacks + m.thread[t].local[RANK] * w.stack_bytes
        registers[P.STACK_END] = registers[P.STACK_BASE] + w.stack_bytes
    return t


@kernel
def count_step(m, t, w, r):
    """A step is done; now and then it is followed by a collection, if that was asked for."""
    r[STEP] += 1
    if w.every and r[STEP] % w.every == 0:
        collect(m, t)


@kernel
def begin_walk(m, t, w):
    collect(m, t)
    note(m, t, w, 0)


@kernel
def end_walk(m, t, w, found):
    note(m, t, w, 1)
    w.sum += found
    finish(m, t)


@kernel
def note(m, t, w, row):
    core = m.core[m.thread[t].core]
    w.walk[row, CYCLES], w.walk[row, LOADS] = core.cycles, core.loads
    w.walk[row, L1D], w.walk[row, L2] = core.l1d.misses, core.l2.misses
    w.walk[row, DTLB], w.walk[row, WALKS] = core.dtlb.misses, core.walks

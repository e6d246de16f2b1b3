"""alloc-storm and mixed-sizes: every P allocates as fast as it can.

    caches=per-p    Go's: an mcache a P, so that most allocations touch nothing shared
    caches=shared   what it saves: all Ps allocate from one mcache, under one lock

A step is one allocation.
"""

import numpy as np

from hwmem.kernels import store64
from hwmem.programs.registry import parameter
from goalloc.kernels import mallocgc
from goalloc.layout import p_
from goalloc.base.lock import lock, unlock
from goalloc.programs.start import COUNT, GOMAXPROCS, RANK, count_step, next_m, outcome, start
from goalloc.types import pointer
from goalloc.programs.registry import workload

CACHES = ("per-p", "shared")
SHARED = 1
SIZES = 4096  # of mixed-sizes: as many are drawn and used in turn


def place_storm(w, space):
    rt = start(w, space)
    w.typ = 0 if w.noscan else rt.type_address(pointer)
    w.lock = space.map("heap lock", 64, element=64)
    if w.caches == "shared":
        for pp in rt.ps:
            space.process.store(pp + p_.mcache, space.process.load(rt.ps[0] + p_.mcache))


def read_storm(w, space):
    return outcome(w, space, w.gomaxprocs * w.allocations)


@workload(
    "alloc-storm",
    "every P allocates objects of one size: from its own cache, or all from one under a lock",
    setup=place_storm,
    values=read_storm,
    operation="allocation",
    against=("caches", CACHES),
    scale="gomaxprocs",
    gomaxprocs=GOMAXPROCS,
    allocations=parameter(20_000, "objects each P allocates"),
    size=parameter(16, "bytes of one", 1, 1 << 26),
    noscan=parameter(True, "whether objects are without pointers"),
    write=parameter(True, "whether the first word is written"),
    caches=parameter("per-p", "whose cache allocations come from", choices=CACHES),
)
def alloc_storm(m, w):
    while True:
        t = next_m(m, w)
        if t < 0:
            return
        if w.caches == SHARED:
            lock(m, t, w.lock)
        x = mallocgc(m, t, w.size, w.typ)
        if w.caches == SHARED:
            unlock(m, t, w.lock)
        if x and w.write and w.size >= 8:
            store64(m, t, x, m.thread[t].local[RANK])
        count_step(m, t, w.allocations)


def place_mixed(w, space):
    start(w, space)
    w.sizes = np.clip(space.random.lognormal(np.log(w.median), 1.5, SIZES), 1, w.largest).astype(np.int64)


def read_mixed(w, space):
    return outcome(w, space, w.gomaxprocs * w.allocations)


@workload(
    "mixed-sizes",
    "every P allocates objects of many sizes, log-normally distributed",
    setup=place_mixed,
    values=read_mixed,
    operation="allocation",
    scale="gomaxprocs",
    gomaxprocs=GOMAXPROCS,
    allocations=parameter(20_000, "objects each P allocates"),
    median=parameter(64, "bytes of the median object", 1, 1 << 20),
    largest=parameter(65536, "bytes of the largest", 1, 1 << 26),
)
def mixed_sizes(m, w):
    while True:
        t = next_m(m, w)
        if t < 0:
            return
        r = m.thread[t].local
        mallocgc(m, t, w.sizes[(r[COUNT] * 7 + r[RANK] * 1031) % SIZES], 0)
        count_step(m, t, w.allocations)

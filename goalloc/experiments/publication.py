"""What Go's own fences are for, on a machine with reordered stores and early loads: `goalloc experiment publication`.

    the publication barrier   P 0   clears a used slot | barrier | stores its address in a variable
                              P 1   loads the address, then a field that nobody has written: nil, or what was in the slot before

    the barrier's flag        P 0   begins a cycle: the flag is set while the world is stopped
                              P 1   goes on, looks at the flag, hides an object from the marker

mallocgc has the barrier (Go: malloc.go publicationBarrier); with COLLECTOR's bit UNPUBLISHED it is left out. A P that goes on after a stop has
taken a lock or has been woken, and so sees what was stored before; without that (`acquires`) it may see the flag as it was. P 1's two
loads are in order, as a processor keeps loads of which one needs the other.

The function of EXPERIMENTS returns (columns, rows).
"""

import re
from dataclasses import replace

import numpy as np

from hwmem._jit import kernel
from hwmem.config.machine import MachineConfig
from hwmem.core.access import load32, load64
from hwmem.core.fence import lfence
from hwmem.core.service import drain_all, drain_due
from goalloc import params as P
from goalloc.errors import FatalError
from goalloc.experiments.barriers import NODE, OBLET, OBLETS
from goalloc.heap.malloc import mallocgc
from goalloc.kernels import gc, write_pointer
from goalloc.layout import variables as V
from goalloc.runtime.runtime import Runtime
from goalloc.types import array, pointer

ORDERINGS = ("sc", "tso", "relaxed")
USED, OBJECTS = array(pointer, 8), 512  # a line each
TARGET_BYTES, FIELD, KEPT = 2048, 8, 8  # one object in so many is kept, so that its span stays
NODE_BYTES = NODE.size
MOST_DELAY, LONG_WAIT = 400, 100_000  # cycles


@kernel
def publish_all(m, threads, variable, typ, seen):
    """P 0 allocates len(seen) objects, one after another, and stores each in the variable; seen[i] is what P 1 then finds in a field of object
    i: 0, nil; -1: it did not see that object yet."""
    a, b = threads[0], threads[1]
    for i in range(len(seen)):
        write_pointer(m, a, variable, 0)
        drain_all(m, m.thread[a].core)
        x = mallocgc(m, a, 64, typ)
        write_pointer(m, a, variable, x)
        core = m.core[m.thread[a].core]
        drain_due(m, core.id, core.cycles + i * 7 % MOST_DELAY)  # P 1 looks so much later
        y = load64(m, b, variable)
        lfence(m, b)
        seen[i] = load64(m, b, y + FIELD) if y == x else -1
        drain_all(m, core.id)


def runtime(ordering, delay=None):
    config = MachineConfig().replace(cores=2, ordering=ordering)
    if delay:
        config = config.replace(invalidation_queue=replace(config.invalidation_queue, delay=delay))
    rt = Runtime(config=config, gomaxprocs=2, gogc="off")
    rt.turns = False
    return rt


def used_heap(ordering):
    """A runtime whose next objects of 64 bytes have the slots of old ones, in which are pointers to what is no more."""
    rt = runtime(ordering)
    keep = rt.globals(OBJECTS // KEPT)
    targets = rt.malloc_many([TARGET_BYTES] * OBJECTS, noscan=True)
    used = rt.malloc_many([USED.size] * OBJECTS, type=USED, core=1)
    for x, target in zip(used, targets, strict=True):
        rt.process.write(int(x), np.full(USED.size // 8, target).tobytes(), core=1)
    for i, x in enumerate(used[::KEPT]):
        rt.process.write(int(x), bytes(USED.size), core=1)
        rt.write_pointer(keep + 8 * i, int(x), core=1)
    rt.gc()
    return rt


def published(ordering, barrier):
    """(objects that P 1 has seen, those of which it saw what the slot had before, how the next collection ends once P 1 has kept such a
    pointer)."""
    rt = used_heap(ordering)
    m = rt.machine.state
    if not barrier:
        m.process[rt.process.number].guest[P.COLLECTOR] |= P.UNPUBLISHED
    variable, other = rt.globals(8), rt.globals(1)
    seen = np.zeros(OBJECTS // 2, np.int64)
    threads = np.array([rt.process.thread_on(core) for core in (0, 1)])
    publish_all(m, threads, variable, rt.type_address(USED), seen)
    old = seen[seen > 0]
    rt.write_pointer(variable, 0)
    if len(old):
        rt.write_pointer(other, int(old[0]), core=1)
    return int((seen >= 0).sum()), len(old), ending(rt)


def ending(rt):
    try:
        rt.gc()
        rt.check()
    except FatalError as error:
        return re.sub(r" (0x\w+|span\.base.*)", "", str(error).splitlines()[0])
    return "holds"


@kernel
def hide(m, threads, other, x, typ, acquires):
    """P 0 begins a cycle and allocates, which is black; P 1, whose only pointer to x is on its stack, puts it there. That object's address."""
    a, b = threads[0], threads[1]
    load32(m, b, V.writeBarrier)  # P 1 has the flag's line
    gc(m, a)
    black = mallocgc(m, a, NODE_BYTES, typ)
    write_pointer(m, a, other, black)
    drain_all(m, m.thread[a].core)
    if acquires:
        lfence(m, b)
    write_pointer(m, b, black, x)
    drain_all(m, m.thread[b].core)
    return black


def hidden(ordering, acquires):
    """Whether an object lives that P 1 hides in its first step after the stop."""
    rt = runtime(ordering, LONG_WAIT)
    root, other, g, x = rt.globals(1), rt.globals(1), rt.go(core=1), rt.new(NODE, core=1)
    rt.write_pointer(root, rt.mallocgc(OBLETS * OBLET, noscan=False))  # what keeps P 0 from the stack meanwhile
    g.push(x)
    hide(rt.machine.state, np.array([rt.process.thread_on(core) for core in (0, 1)]), other, x, rt.type_address(NODE), acquires)
    g.pop()
    rt.gc()
    return rt.is_live(x)


def publication(seed=0):
    """What holds with both orders, and what does not without one, by the machine's ordering."""
    rows = []
    for ordering in ORDERINGS:
        for barrier in (True, False):
            seen, old, end = published(ordering, barrier)
            rows.append([ordering, "publication barrier", "kept" if barrier else "left out", f"{old} of {seen} uncleared", end])
        for acquires in (True, False):
            lives = hidden(ordering, acquires)
            rows.append([ordering, "barrier's flag", "acquired" if acquires else "as it was", "kept" if lives else "lost", ""])
    return ["machine", "order", "is", "objects", "collector"], rows


EXPERIMENTS = {"publication": publication}

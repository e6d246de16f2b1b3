"""What each write barrier keeps, what is lost without its other half, and what it costs: `goalloc experiment lost-objects`, `barriers`.

Three ways to hide an object from the marker, which has scanned one place and not yet the other:

    moved     from a slot that is not scanned yet to one that is                           any barrier keeps it
    loaded    from a slot that is not scanned yet to a stack that is, the slot cleared     kept by barriers that shade what is overwritten
    hidden    from a stack that is not scanned yet into a black object                     kept by barriers that shade what is written

Each function of EXPERIMENTS returns (columns, rows).
"""

import numpy as np

from hwmem._jit import kernel
from hwmem.config.machine import MachineConfig
from hwmem.core.service import drain_all
from hwmem.kernels import store64
from goalloc import params as P
from goalloc.gc.mbarrier import DIJKSTRA, HYBRID, IMMEDIATE, NO_BARRIER, YUASA
from goalloc.kernels import write_pointer
from goalloc.runtime.runtime import Runtime
from goalloc.types import pointer, struct

NODE = struct("Node", left=pointer, right=pointer)
OBLET, OBLETS, STORES = 128 << 10, 7, 2_000
SETTINGS = {"hybrid": HYBRID, "hybrid, at once": HYBRID | IMMEDIATE, "dijkstra": DIJKSTRA, "yuasa": YUASA, "none": NO_BARRIER}


class Scene:
    """A table of seven oblets that a variable points to, a goroutine, and a cycle that makes a step on request."""

    def __init__(self, setting):
        self.rt = rt = Runtime(config=MachineConfig().replace(cores=1), gomaxprocs=1, gogc="off")
        rt.turns = False
        rt.machine.state.process[rt.process.number].guest[P.BARRIER] = SETTINGS[setting]
        self.root, self.other, self.table, self.g = rt.globals(1), rt.globals(1), rt.mallocgc(OBLETS * OBLET, noscan=False), rt.go()
        self.late = self.table + OBLET  # pieces are scanned in the order 0, 6, 5, ... 1
        rt.write_pointer(self.root, self.table)

    def begin(self):
        self.rt.call(0, P.DOOR_CYCLE, P.GC_CALL, 1, 0)

    def scan_first_piece(self):
        """Steps of the worker until all roots are scanned and the table's first piece, but no more."""
        while self.rt.color(self.table) != "black":
            self.rt.call(0, P.DOOR_CYCLE, P.TURN, 0, 0)


def moved(scene):
    rt, x = scene.rt, scene.rt.new(NODE)
    rt.write_pointer(scene.late, x)
    scene.begin()
    scene.scan_first_piece()
    rt.write_pointer(scene.table, x)
    rt.write_pointer(scene.late, 0)
    return x


def loaded(scene):
    rt, x = scene.rt, scene.rt.new(NODE)
    rt.write_pointer(scene.late, x)
    scene.begin()
    scene.scan_first_piece()
    scene.g.push(rt.read_pointer(scene.late))
    rt.write_pointer(scene.late, 0)
    return x


def hidden(scene):
    rt, x = scene.rt, scene.rt.new(NODE)
    scene.g.push(x)
    scene.begin()
    black = rt.new(NODE)  # allocated while marking
    rt.write_pointer(scene.other, black)
    rt.write_pointer(black, x)
    scene.g.pop()
    return x


WAYS = {way.__name__: way for way in (moved, loaded, hidden)}


def is_kept(way, setting):
    """(whether the object lives after the cycle, the scene)."""
    scene = Scene(setting)
    x = WAYS[way](scene)
    scene.rt.gc()
    return scene.rt.is_live(x), scene


def lost_objects(seed=0):
    """What of the three ways each barrier survives."""
    return ["the object is", *SETTINGS], [[way, *("kept" if is_kept(way, setting)[0] else "lost" for setting in SETTINGS)] for way in WAYS]


@kernel
def store_many(m, t, slots, values, barred):
    """*slots[i] = values[i]; how many cycles that took. `barred`: through the barrier, else as a compiler without barriers has it."""
    core = m.core[m.thread[t].core]
    start = core.cycles
    for i in range(len(slots)):
        if barred:
            write_pointer(m, t, slots[i], values[i])
        else:
            store64(m, t, slots[i], values[i])
    drain_all(m, core.id)
    return core.cycles - start


def store_cycles(setting, seed):
    """Cycles of STORES stores of pointers to lines that the core has, with no collection and while one marks."""
    scene, barred = Scene(setting), setting != "none"
    rt, random = scene.rt, np.random.default_rng(seed)
    values = rt.malloc_many([NODE.size] * STORES, type=NODE)
    slots = scene.table + 8 * random.integers(OBLET // 8, size=STORES)
    rt._run(0, store_many, slots, values, barred)
    off = rt._run(0, store_many, slots, values, barred)
    scene.begin()
    return off, rt._run(0, store_many, slots, random.permutation(values), barred)


def barriers(seed=0):
    """Cycles of a pointer's store, with no collection and while one marks, and how many objects the barriers made grey."""
    rows = []
    for setting in SETTINGS:
        off, on = store_cycles(setting, seed)
        rows.append([setting, round(off / STORES, 1), round(on / STORES, 1), round(on / off, 2)])
    return ["barrier", "cycles, off", "cycles, marking", "times"], rows


EXPERIMENTS = {"lost-objects": lost_objects, "barriers": barriers}

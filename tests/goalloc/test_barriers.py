"""What each write barrier keeps, and what is lost without its other half: three ways to hide an object from the marker.

    moved     from a slot that is not scanned yet to one that is                     any barrier keeps it
    loaded    from a slot that is not scanned yet to a stack that is, the slot cleared     kept by who shades what is overwritten
    hidden    from a stack that is not scanned yet into a black object               kept by who shades what is written
"""
import pytest

import goalloc
from goalloc import params as P
from goalloc.gc.mbarrier import DIJKSTRA, HYBRID, IMMEDIATE, NO_BARRIER, YUASA
from hwmem import MachineConfig

NODE = goalloc.struct("Node", left=goalloc.pointer, right=goalloc.pointer)
OBLET = 128 << 10
SETTINGS = {"hybrid": HYBRID, "hybrid at once": HYBRID | IMMEDIATE, "dijkstra": DIJKSTRA, "yuasa": YUASA, "none": NO_BARRIER}
LOST = {"moved": {"none"}, "loaded": {"none", "dijkstra"}, "hidden": {"none", "yuasa"}}


class Scene:
    """A table of seven oblets that a variable points to, a goroutine, and a cycle that makes a step when it is told to."""

    def __init__(self, setting):
        self.rt = rt = goalloc.Runtime(config=MachineConfig().replace(cores=1), gomaxprocs=1, gogc="off")
        rt.turns = False
        rt.machine.state.process[rt.process.number].guest[P.BARRIER] = SETTINGS[setting]
        self.root, self.other, self.table, self.g = rt.globals(1), rt.globals(1), rt.mallocgc(7 * OBLET, noscan=False), rt.go()
        rt.write_pointer(self.root, self.table)

    def begin(self):
        self.rt.call(0, P.DOOR_CYCLE, P.GC_CALL, 1, 0)

    def scan_first_piece(self):
        """Steps of the worker until all roots are scanned and the table's first piece, but no more."""
        while self.rt.color(self.table) != "black":
            self.rt.call(0, P.DOOR_CYCLE, P.TURN, 0, 0)


def moved(scene):
    rt, x = scene.rt, scene.rt.new(NODE)
    late = scene.table + OBLET                                  # oblets are scanned in the order 0, 6, 5, ... 1
    rt.write_pointer(late, x)
    scene.begin()
    scene.scan_first_piece()
    assert rt.color(x) == "white"
    rt.write_pointer(scene.table, x)
    rt.write_pointer(late, 0)
    return x


def loaded(scene):
    rt, x = scene.rt, scene.rt.new(NODE)
    late = scene.table + OBLET
    rt.write_pointer(late, x)
    scene.begin()
    scene.scan_first_piece()
    assert rt.color(x) == "white"
    scene.g.push(rt.read_pointer(late))
    rt.write_pointer(late, 0)
    return x


def hidden(scene):
    rt, x = scene.rt, scene.rt.new(NODE)
    scene.g.push(x)
    scene.begin()
    black = rt.new(NODE)                                        # allocated while marking
    rt.write_pointer(scene.other, black)
    rt.write_pointer(black, x)
    scene.g.pop()
    return x


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("way", [moved, loaded, hidden], ids=lambda way: way.__name__)
def test_an_object_is_lost_exactly_where_the_missing_half_would_have_kept_it(way, setting):
    scene = Scene(setting)
    x = way(scene)
    scene.rt.gc()
    lost = setting in LOST[way.__name__]
    assert scene.rt.is_live(x) == (not lost)
    if not lost:
        scene.rt.check()
    elif way is not loaded:                                     # words of a stack that are no objects are no fault
        with pytest.raises(goalloc.FatalError, match="can be reached and has been freed"):
            scene.rt.check()


def test_a_lost_object_is_found_by_the_collector_as_go_finds_it():
    """The lost object was alone in its span, which went back to the heap."""
    scene = Scene("none")
    moved(scene)
    scene.rt.gc()
    with pytest.raises(goalloc.FatalError, match="fatal error: found (bad pointer in Go heap|pointer to free object)"):
        scene.rt.gc()

"""A map of the emulated program as Python drives it: one entry at a time, or many in one jitted loop."""

import contextlib

import numpy as np

from hwmem._jit import kernel
from hwmem.machine.lock import one_at_a_time
from hwmem.machine.arguments import to_int64
from hwmem.core.access import load64, store64
from hwmem.core.service import drain_all
from goalloc import params as P
from goalloc.layout import hiter, hmap, sizes_of
from goalloc.values.map import CLEAR, ITER_INIT, ITER_NEXT, mapaccess, mapassign, mapdelete

FIELDS = tuple(sizes_of("hmap"))


@kernel
def assign_all(m, t, mt, h, keys, values):
    """Stops after the assignment that gave the map other buckets; how many were made."""
    buckets = load64(m, t, h + hmap.buckets)
    done = 0
    while done < len(keys) and load64(m, t, h + hmap.buckets) == buckets:
        place = mapassign(m, t, mt, h, keys[done])
        if place == 0:
            break
        store64(m, t, place, values[done])
        done += 1
    drain_all(m, m.thread[t].core)
    return done


@kernel
def access_one(m, t, mt, h, key):
    """(whether the key is there, its value)."""
    place = mapaccess(m, t, mt, h, key)
    return place != 0, load64(m, t, place) if place else 0


@kernel
def delete_one(m, t, mt, h, key):
    there = mapdelete(m, t, mt, h, key)
    drain_all(m, m.thread[t].core)
    return there


def whole_numbers(given, name):
    """An int64 array of integers; TypeError for others."""
    given = np.asarray(given)
    if given.size and given.dtype.kind not in "iu":
        raise TypeError(f"{name}: takes integers of 64 bits, not {given.dtype}")
    return np.ascontiguousarray(given, dtype=np.int64)


@one_at_a_time(lambda self: self.rt.machine)
class Map:
    """map[int64]int64. Made by Runtime.make_map. `.address`: of its hmap."""

    def __init__(self, rt, address, maptype, core):
        self.rt, self.address, self.maptype, self.core = rt, address, maptype, core

    def field(self, name, size=8):
        """A field of the hmap, such as "count", "B" (1 byte) or "noverflow" (2)."""
        if name not in FIELDS:
            raise ValueError(f"name: {name!r} is none of {', '.join(FIELDS)}")
        return self.rt.process.load(self.address + getattr(hmap, name), size=size, core=self.core)

    def __len__(self):
        return self.field("count")

    def __getitem__(self, key):
        found, value = self.rt._call(self.core, access_one, self.maptype, self.address, to_int64("key", key))
        if not found:
            raise KeyError(key)
        return int(value)

    def __setitem__(self, key, value):
        self.assign([to_int64("key", key)], [to_int64("value", value)])

    def __delitem__(self, key):
        """delete(m, key); KeyError, which Go does not have, if it is not there."""
        if not self.discard(key):
            raise KeyError(key)

    def discard(self, key):
        """delete(m, key); whether it was there."""
        return bool(self.rt._run(self.core, delete_one, self.maptype, self.address, to_int64("key", key)))

    def items(self):
        """for k, v := range m: (key, value) of its entries from a random one on. The map may change meanwhile."""
        rt, p, t = self.rt, self.rt.process, self.rt.process.thread_on(self.core)
        it = rt.free_iterators.pop() if rt.free_iterators else rt.globals(hiter.sizeof // 8)
        rt.machine.state.thread[t].guest[P.SIZE] = self.maptype
        rt.call(self.core, P.DOOR_MAP, self.address, it, ITER_INIT)
        with contextlib.suppress(GeneratorExit):  # the loop may be left
            while key := p.load(it + hiter.key, core=self.core):
                yield p.load(key, core=self.core), p.load(p.load(it + hiter.elem, core=self.core), core=self.core)
                rt.call(self.core, P.DOOR_MAP, it, 0, ITER_NEXT)
        p.write(it, bytes(hiter.sizeof), core=self.core)  # a frame's variable in Go: it holds the map no longer
        rt.free_iterators.append(it)

    def __iter__(self):
        return (key for key, _ in self.items())

    def clear(self):
        """clear(m)."""
        self.rt.call(self.core, P.DOOR_MAP, self.address, 0, CLEAR)

    def assign(self, keys, values):
        """m[keys[i]] = values[i] for all i."""
        for _ in self.assign_stepwise(keys, values):
            pass

    def assign_stepwise(self, keys, values):
        """The same; yields how many were made whenever the map has got other buckets, and at the end."""
        keys, values = whole_numbers(keys, "keys"), whole_numbers(values, "values")
        if keys.shape != values.shape or keys.ndim != 1:
            raise ValueError("values: takes as many as there are keys")
        done = 0
        while done < len(keys):
            done += self.rt._run(self.core, assign_all, self.maptype, self.address, keys[done:], values[done:])
            yield done

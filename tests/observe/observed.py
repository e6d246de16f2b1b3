"""Small machines and random accesses for the tests of the observers."""

import numpy as np
from hypothesis import strategies as st

from hwmem.config.machine import MachineConfig
from hwmem.machine.machine import Machine

SMALL = {"l1d": {"size": "512B", "ways": 2}, "l2": {"size": "1KiB", "ways": 4}, "llc": {"size": "4KiB", "ways": 4}}
ENDLESS = {"l1d": {"size": "64KiB", "ways": 16}, "l2": None, "llc": {"size": "1MiB", "ways": 16}}
BASE = 1 << 20


def machine(**settings):
    """A machine without an MMU unless `settings` say otherwise."""
    settings = {"cores": 4, "memory": "4MiB", "mmu": False, **settings}
    return Machine(MachineConfig().replace(**settings))


def accesses(cores, lines, most=120):
    """Lists of (core, address, size, write) on few lines, sizes as programs have them, none across a line."""
    size = st.sampled_from((1, 2, 4, 8, 16))
    place = st.tuples(st.integers(0, lines - 1), st.integers(0, 63), size)
    address = place.map(lambda p: (BASE + 64 * p[0] + p[1] // p[2] * p[2], p[2]))
    one = st.tuples(st.integers(0, cores - 1), address, st.booleans())
    return st.lists(one.map(lambda a: (a[0], *a[1], a[2])), min_size=1, max_size=most)


def random_trace(rng, n, lines, cores=4):
    """A longer list of accesses; some cross a line."""
    return [
        (int(rng.integers(cores)), BASE + 64 * int(rng.integers(lines)) + int(rng.integers(60)), 8, rng.random() < 0.4) for _ in range(n)
    ]


def replay(machine, trace):
    """Run a list of (core, address, size, write), always by the same thread of each core."""
    process = machine.processes[0] if machine.processes else machine.spawn()
    core, address, size, write = zip(*trace)
    return machine.replay((np.array(address), np.array(write), np.array(size)), core=np.array(core), process=process)

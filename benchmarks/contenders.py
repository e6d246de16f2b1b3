"""Who runs a stream in this process: hwmem's machine and pycachesim (the C loops: c_loop.py).

A contender's prepare(stream) gives it cold caches and returns the call to measure. hwmem's call is the public one,
Machine.replay, whole: from arrays to a dict of counters.
"""

import importlib.util

import numpy as np

from benchmarks.traffic import LINE, SHAPES, SPAN
from hwmem.config.machine import MachineConfig
from hwmem.machine.machine import Machine

CORES = 4
ACCESS_BYTES = 8


class Emulator:
    """hwmem: the preset generic, its first core at work."""

    def __init__(self, mmu):
        self.config = MachineConfig().replace(cores=CORES, mmu=mmu)

    def prepare(self, stream):
        machine = Machine(self.config)
        commit(machine)
        process, addresses = machine.spawn(), stream.addresses
        if self.config.mmu:
            base = process.mmap(0, SPAN)
            process.touch(base, int(addresses.max()) + LINE)
            addresses = addresses + base
        sizes = np.full(len(addresses), ACCESS_BYTES, np.uint16)
        return lambda: machine.replay((addresses, stream.is_store, sizes), process=process)


def commit(machine):
    """Write a new machine's cache tables over themselves: the host's pages are there before the clock runs."""
    m = machine.state
    last = m.llc[m.sockets - 1]  # the LLC's tables lie behind all others
    entries, sets = last.first + (last.sets << last.row_shift), last.order_base + last.sets
    for pool, used in ((m.tag, entries), (m.word, entries), (m.order, sets)):
        pool[:used] = pool[:used].copy()


class Pycachesim:
    """pycachesim: a list for `load`; (load, store) pairs for `loadstore` where there are stores. Nothing that it takes
    goes faster: a range, an array or numpy's addresses become Python's ints one by one.

    A store that hits does not refresh its line's recency there, so its counts are not quite the others'.
    """

    def prepare(self, stream):
        simulator, addresses = self.simulator(), stream.addresses.tolist()
        if not stream.is_store.any():
            return lambda: simulator.load(addresses)
        pairs = [(None, (a,)) if store else ((a,), None) for a, store in zip(addresses, stream.is_store.tolist())]
        return lambda: simulator.loadstore(pairs)

    def simulator(self):
        from cachesim import Cache, CacheSimulator, MainMemory

        memory, cache = MainMemory(), None
        for number, (sets, ways) in reversed(list(enumerate(SHAPES, 1))):
            cache = Cache(f"L{number}", sets, ways, LINE, "LRU", store_to=cache, load_from=cache)
            if number == len(SHAPES):
                memory.load_to(cache)
                memory.store_from(cache)
        return CacheSimulator(cache, memory)

    @staticmethod
    def missing():
        """Why it cannot run here; "" if it can."""
        return "" if importlib.util.find_spec("cachesim") else "not installed: pycachesim"

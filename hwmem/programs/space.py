"""The emulated memory a workload's setup puts its variables into, and reads the answers from.

    w.counters = space.map("counters", 256, element=64)     256 bytes of their own pages; reports say counters[3]
    space.symbol("args[0].SX", address, 8)                  a name for part of a mapping that has none
    space.write(address, array); space.read(address, 10)    int64 (or another type) in and out

What setup writes, the program's main thread writes: by stores on the first core, which leave their lines in its
caches and pages in its TLB. The run's clock and counters begin after that.
"""

from typing import NamedTuple

import numpy as np

from hwmem.layout import PROBES, SERIES_NAMES
from hwmem.params import PAGE


class Symbol(NamedTuple):
    """A named stretch of memory: `size` bytes from `start`; elements of `element` bytes count as name[i]."""

    name: str
    start: int
    size: int
    element: int


class Probe(NamedTuple):
    """A word of 8 bytes whose value is shown over time."""

    name: str
    address: int


def check_probe(name, address, probes):
    if len(probes) == PROBES:
        raise ValueError(f"probe: there are {PROBES} words at most, and {name!r:.60} is one more")
    if not isinstance(name, str) or not name or name in SERIES_NAMES or name in {probe.name for probe in probes}:
        raise ValueError(f"probe: {name!r:.60} is not a name, or is taken")
    if address % PAGE > PAGE - 8:
        raise ValueError(f"probe: the 8 bytes at {address:#x} lie in two pages")


class Space:
    """`process`: whose memory it is; `random`: numpy's generator, of the run's seed; `core`: where the main thread runs."""

    def __init__(self, process, random, core=0, environment=None):
        self.process, self.random, self.core, self.environment = process, random, core, dict(environment or {})
        self.symbols, self.probes = [], []

    def map(self, name, size, element=8, touch=True):
        """`size` bytes of zeros on pages of their own, under `name`; their address. Raises OSError when memory is full.

        `name`: None for memory whose parts get names of their own by `symbol`. `touch`: the main thread touches
        every page, so that the program meets no first-touch faults there.
        """
        address = self.process.mmap(0, size)
        if name:
            self.symbol(name, address, size, element)
        if touch:
            self.process.touch(address, size, core=self.core)
        return address

    def symbol(self, name, start, size, element=8):
        """Name [start, start + size), which has no name yet."""
        self.symbols.append(Symbol(name, int(start), int(size), int(element)))

    def name_all(self, rows):
        """Name what `rows` say, (name, start, size, element) each, as `symbol` does; of a large heap there are a million."""
        self.symbols += map(Symbol._make, rows)

    def probe(self, name, address):
        """Show the 8 bytes at `address` over time, under `name` (Result.series). Raises ValueError for one too many, for a name that
        is taken, for 8 bytes that lie in two pages."""
        check_probe(name, address, self.probes)
        self.probes.append(Probe(name, int(address)))

    def write(self, address, values):
        """Store an array, or an int as 8 bytes."""
        array = np.asarray(values)
        if array.ndim == 0:
            array = array.astype(np.int64)
        self.process.write(address, array.tobytes(), core=self.core)

    def read(self, address, count, dtype=np.int64):
        """`count` values of `dtype`, as an array."""
        n = count * np.dtype(dtype).itemsize
        return np.frombuffer(self.process.read(address, n, core=self.core), dtype)

    def load(self, address):
        """The signed 8 bytes at `address`."""
        return self.process.load(address, core=self.core)

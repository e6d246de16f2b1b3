"""Heap blocks by address: those that existed at any time, however many there are.

Blocks that lived at different times may overlap, so there is no one order to search in. They are sorted by address in classes of size, below
2, 4, 8, ... bytes: in the class below 2^k only those that begin in the 2^k bytes up to an address can have it.
"""

import numpy as np


class HeapBlocks:
    """`blocks`: trace.program.Block rows, in the order in which they were allocated."""

    def __init__(self, blocks):
        self.blocks, self.classes = blocks, []
        starts, sizes = (np.array([getattr(b, name) for b in blocks], np.int64) for name in ("address", "size"))
        bits = np.array([int(size).bit_length() for size in sizes], np.int64)
        for k in np.unique(bits).tolist():
            own = np.flatnonzero(bits == k)
            own = own[np.argsort(starts[own], kind="stable")]
            self.classes.append((1 << k, starts[own], starts[own] + sizes[own], own))

    def at(self, address):
        """The blocks that had the address, in their order."""
        found = []
        for most, starts, ends, own in self.classes:
            first, last = np.searchsorted(starts, (address - most, address), "right")
            found += own[first:last][ends[first:last] > address].tolist()
        return [self.blocks[n] for n in sorted(found)]

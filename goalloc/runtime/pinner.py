"""runtime.Pinner: objects that stay where they are and live, until all are unpinned. A part of Runtime (collecting.py).

    variable ──> pinner, 64 bytes: | refs: array, len, cap | refStore: five pointers |        refs has its place in refStore, then in slices
                                        └─> the objects that are pinned                       of its own that grow as append's do

A pinner has a finalizer, which ends the program if objects are still pinned; one that has unpinned all is kept by its P for the next Pinner, until the next
collection.
Go: pinner.go.
"""

from hwmem.machine.arguments import to_int64
from hwmem.machine.lock import one_at_a_time
from goalloc import params as P
from goalloc.errors import FatalError
from goalloc.gc import door
from goalloc.layout import p_
from goalloc.runtime.collect import hold, let_go
from goalloc.runtime.slice import Slice
from goalloc.types import array, int64, pointer, struct

STORED = 5
PINNER = struct("pinner", array=pointer, len=int64, cap=int64, store=array(pointer, STORED))
LEN, CAP, STORE = (PINNER.offsets[name] for name in ("len", "cap", "store"))
LEAK = "panic: runtime error: runtime.Pinner: found leaking pinned pointer; forgot to call Unpin()?"


@one_at_a_time(lambda self: self.rt.machine)
class Pinner:
    """Made by Runtime.pinner. `.address`: of its pinner, None while it has none."""

    def __init__(self, rt, core):
        self.rt, self.core, self.address, self.slot = rt, core, None, None

    def pin(self, address):
        """Pin(address): the object stays, and lives, until unpin()."""
        x = to_int64("address", address)
        if self.address is None:
            self._begin()
        self.rt.call(self.core, P.DOOR_FINALIZER, door.PIN, x, 0)
        self._refer(self.rt.append(self._refs(), x, core=self.core))

    def drop(self):
        """The program's variable is gone, and with it, at the next collection, what it points to: the end, if anything is pinned."""
        if self.address is not None:
            let_go(self.rt, self.slot, self.core)
            self.address = self.slot = None

    def unpin(self):
        """Unpin(): of all that were pinned, as often as each was."""
        if self.address is None:
            return
        self._unpin()
        cache = self.rt.ps[self.core] + p_.pinnerCache
        if self.rt.process.load(cache) == 0:
            self.rt.write_pointer(cache, self.address, self.core)
            self.drop()

    def _begin(self):
        rt, core = self.rt, self.core
        cache = rt.ps[core] + p_.pinnerCache
        self.address = rt.process.load(cache)
        if self.address:
            self.slot = hold(rt, self.address, core)
            rt.write_pointer(cache, 0, core)
            return
        self.address = rt.new(PINNER, core=core)
        self.slot = hold(rt, self.address, core)
        self._refer(self._empty())
        rt.set_finalizer(self.address, lambda address: end_leak(rt, core, address), core)

    def _unpin(self):
        refs = self._refs()
        for i in range(refs.len):
            self.rt.call(self.core, P.DOOR_FINALIZER, door.UNPIN, self.rt.process.load(refs.array + 8 * i), 0)
        for i in range(STORED):
            self.rt.write_pointer(self.address + STORE + 8 * i, 0, self.core)
        self._refer(self._empty())

    def _empty(self):
        return Slice(self.address + STORE, 0, STORED, pointer)

    def _refs(self):
        look = self.rt.process
        return Slice(look.load(self.address), look.load(self.address + LEN), look.load(self.address + CAP), pointer)

    def _refer(self, refs):
        self.rt.write_pointer(self.address, refs.array, self.core)
        self.rt.process.store(self.address + LEN, refs.len, core=self.core)
        self.rt.process.store(self.address + CAP, refs.cap, core=self.core)


def end_leak(rt, core, address):
    """The finalizer of a pinner."""
    pinner = Pinner(rt, core)
    pinner.address = address
    if pinner._refs().len:
        pinner._unpin()
        raise FatalError(LEAK)

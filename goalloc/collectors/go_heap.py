"""A Go program's heap in the form that the programs for any collector use (heap.py): a runtime of one P, with what else they need.

`size`, bytes, is what Go's heap has as its least goal in place of 4 MiB * GOGC / 100, and GOGC is as low as it may be, so that the heap is near it: cycles lie
1 MiB of allocation apart at least, whatever the goal is (mgcpacer.go), and so a small heap grows beyond `size`.
"""

import numpy as np

from hwmem.units import parse_size
from goalloc import params as P
from goalloc.collectors import model as M
from goalloc.collectors.go import SHAPE
from goalloc.collectors.kinds import KINDS
from goalloc.layout import gcControllerState, variables as V
from goalloc.types import Type

header_of = getattr(M.header_of, "py_func", M.header_of)  # too short to compile for Python
STACK_SLOTS = 1024  # references of the program's shadow stack


class GoHeap:
    """`runtime`: a Runtime of one P that collects; `shapes`: (references, words of data) of the objects with references that the program makes; what
    has another shape has no references for Go."""

    def __init__(self, runtime, size, shapes):
        self.runtime, self.process, self.kind = runtime, runtime.process, KINDS["go"]
        self.size = parse_size(size, "size")
        process, rt = self.process, runtime
        self.variables, self.table = process.mmap(0, M.VARIABLES), process.mmap(0, SHAPE * max(len(shapes), 1))
        self.globals = rt.globals(M.GLOBALS + STACK_SLOTS)
        self.stacks, self.stack_bytes = self.globals + M.WORD * M.GLOBALS, M.WORD * STACK_SLOTS
        for i, (refs, data) in enumerate(shapes):
            words = 1 + refs + data
            of = Type(f"object {refs} {data}", M.WORD * words, M.WORD, tuple(range(M.WORD, M.WORD * (1 + refs), M.WORD)))
            process.store(self.table + SHAPE * i, header_of(refs, words))
            process.store(self.table + SHAPE * i + M.WORD, rt.type_address(of))
        for at, value in (
            (M.TABLE, self.table),
            (M.TABLE_TOP, self.table + SHAPE * len(shapes)),
            (M.ROOTS, self.globals),
            (M.ROOTS_END, self.stacks),
        ):
            process.store(self.variables + at, value)
        guest = self.guest
        guest[P.HEAP : P.COLLECTIONS + 1] = guest[[P.COLLECTOR_CYCLES, P.BARRIERS]] = 0
        guest[P.HEAP], guest[P.HEAP_DOOR], guest[P.HEAP_BARRIERS] = self.variables, self.kind.door, self.kind.barriers
        process.store(V.gcController + gcControllerState.heapMinimum, self.size)
        process.store(V.gcController + gcControllerState.gcPercentHeapGoal, self.size)
        self.before = len(runtime.gc_cycles())  # collections of the beginning

    @property
    def guest(self):
        return self.process.machine.state.process[self.process.number].guest

    def statistics(self):
        """As Heap's; the collector's cycles are its pauses, its workers' and its assists'."""
        ghz, found = self.process.machine.config.frequency_ghz, self.runtime.gc_cycles()[self.before :]
        spent = sum(sum(c[kind] for kind in ("assist_ns", "dedicated_ns", "fractional_ns")) + sum(c["pauses_ns"]) for c in found)
        stats = self.runtime.memstats()
        return {
            "objects": int(self.guest[P.OBJECTS]),
            "bytes": int(self.guest[P.BYTES]),
            "freed": int(stats["Frees"]),
            "traced": sum(c["objects_marked"] for c in found),
            "collections": len(found),
            "collector cycles": round(spent * ghz),
            "barriers": int(self.guest[P.BARRIERS]),
        }

    def pauses(self):
        """An array of (start, end), cycles: the world stops twice in a collection."""
        ghz = self.process.machine.config.frequency_ghz
        moments = [pair for c in self.runtime.gc_cycles()[self.before :] for pair in (c["at_ns"][:2], c["at_ns"][2:])]
        return np.rint(np.array(moments, float).reshape(-1, 2) * ghz).astype(np.int64)

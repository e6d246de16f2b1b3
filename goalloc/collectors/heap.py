"""A heap of one of the collectors, in a process, as Python drives it.

    heap = Heap(process, "semispace", "64KiB")
    heap.run(script([(NEW, 1, 1, 7), ...]))     a script of the mutator (script.py)
    heap.objects(), heap.roots()                what lies there now
    heap.statistics(), heap.pauses()

The memory: the heap's variables; the roots and a shadow stack a thread; the heap itself, `size` bytes; and what the collector needs beside it
(a mark stack, tables), which is mapped, and takes memory only as far as it is used.
"""

import numpy as np

from hwmem.machine.arguments import to_int64
from hwmem.machine.enter import place_thread
from hwmem.machine.interrupt import run_interruptibly
from hwmem.memory.ranges import permit
from hwmem.units import parse_size
from goalloc import params as P
from goalloc.collectors import model as M
from goalloc.collectors.cards import CARD_SHIFT
from goalloc.collectors.kinds import BARRIERS, COLLECTORS
from goalloc.collectors.script import carry_out
from goalloc.errors import TEXTS, raise_fatal

SMALLEST, LARGEST = 512, 1 << 30
COUNTS = {
    "objects": P.OBJECTS,
    "bytes": P.BYTES,
    "freed": P.FREED,
    "traced": P.TRACED,
    "collections": P.COLLECTIONS,
    "collector cycles": P.COLLECTOR_CYCLES,
    "barriers": P.BARRIERS,
}


class Heap:
    """`collector`: a name of kinds.COLLECTORS, or of BARRIERS; `size`: bytes for objects, "64KiB"; `threads`: shadow stacks, thread i's is the i-th, and that of
    the prompt's thread of core i; `nursery`: bytes at most where there is one, a quarter of the heap if None. Raises ValueError for
    what it does not take."""

    def __init__(self, process, collector, size, threads=1, nursery=None):
        if collector not in COLLECTORS | BARRIERS:
            raise ValueError(f"collector: takes one of {', '.join(COLLECTORS)}, got {collector!r:.60}")
        self.kind, self.collector, self.process, self.machine = (COLLECTORS | BARRIERS)[collector], collector, process, process.machine
        self.size = parse_size(size, "size") & -16
        if not SMALLEST <= self.size <= LARGEST:
            raise ValueError(f"size: takes {SMALLEST} bytes to 1 GiB, got {size}")
        self.nursery = (self.size // 4 if nursery is None else parse_size(nursery, "nursery")) & -16
        self.threads = to_int64("threads", threads)
        self.machine.signals.update(TEXTS)
        self.variables = process.mmap(0, M.VARIABLES)
        self.globals = process.mmap(0, M.WORD * M.GLOBALS + threads * M.STACK_BYTES)
        self.stacks = self.globals + M.WORD * M.GLOBALS
        self.stack_bytes = M.STACK_BYTES
        self.start = process.mmap(0, self.size)
        self.marks = process.mmap(0, self.size // 2 + M.WORD)
        self.table = process.mmap(0, self.size // 2 + M.WORD)  # a word for each object, as the mark stack; or two tables of a byte a card
        self._start_registers()
        self._start_variables()

    def _start_registers(self):
        guest = self.machine.state.process[self.process.number].guest
        guest[P.HEAP : P.COLLECTIONS + 1] = guest[[P.COLLECTOR_CYCLES, P.BARRIERS, P.MOST_LIVE]] = 0
        guest[P.HEAP], guest[P.HEAP_DOOR], guest[P.HEAP_BARRIERS] = (
            self.variables,
            self.kind.door,
            self.kind.barriers | M.LOCKED * (self.threads > 1),
        )
        self._log = np.zeros((M.PAUSE_CAPACITY, 2), np.int64)
        permit(self._log, self._log.ctypes.data, self._log.nbytes)
        guest[P.PAUSES] = self._log.ctypes.data
        threads = self.machine.state.thread
        of_others = np.flatnonzero(threads["process"] == self.process.number)  # which had the process's number before
        threads["guest"][of_others, P.STACK_BASE : P.STACK_END + 1] = 0
        for core in range(min(self.threads, self.machine.config.cores)):
            guest = threads["guest"][self.process.thread_on(core)]
            guest[[P.STACK_BASE, P.STACK_TOP]] = self.stacks + core * M.STACK_BYTES
            guest[P.STACK_END] = guest[P.STACK_BASE] + M.STACK_BYTES

    def _start_variables(self):
        end = self.start + self.size
        middle = self.start + end >> 1 & -M.WORD
        self._set(M.START, self.start)
        self._set(M.END, end)
        self._set(M.TOP, self.start)
        self._set(M.LIMIT, middle if self.kind.halves else end)
        self._set(M.OTHER, middle)
        self._set(M.MARKS, self.marks)
        self._set(M.ROOTS, self.globals)
        self._set(M.ROOTS_END, self.stacks)
        self._set(M.PREFIX, self.kind.prefix)
        for at in (M.TABLE, M.TABLE_TOP, M.TABLE_END):
            self._set(at, self.table)
        if self.kind.barriers & M.DEFERRED:
            self._set(M.LARGEST, M.WORD * max(64, self.size >> 8))  # how far the zero-count table grows between collections
            self._set(M.TABLE_END, self.table + M.WORD * max(64, self.size >> 8))
        if self.kind.barriers & (M.SHADE_NEW | M.SHADE_OLD):
            self._set(M.LARGEST, 1)  # something marks
        if self.kind.nursery:
            self._start_nursery()
        if self.kind.free_lists:
            self.process.store(self.start, M.HEADER | M.FREE | self.size // M.WORD << M.WORDS_SHIFT)
            self._set(M.BINS + M.WORD * M.LONG, self.start)
            self._set(M.HAVE, -1 << M.LONG)

    def _start_nursery(self):
        end = self.start + self.size
        nbytes = min(self.nursery, self.size // 2 & -M.WORD)
        self._set(M.OTHER, self.start)
        self._set(M.LARGEST, self.nursery)
        self._set(M.HAVE, nbytes)
        self._set(M.NURSERY, end - nbytes)
        self._set(M.TOP, end - nbytes)
        self._set(M.MAP, self.table + (self.size >> CARD_SHIFT) + 16 & -16)

    def _set(self, offset, value):
        self.process.store(self.variables + offset, value)

    def _get(self, offset):
        return self.process.load(self.variables + offset)

    def run(self, rows, first=0, until_collection=False, core=0):
        """Carry out a script from row `first` on (until a collection, if asked for); the row to go on with. Raises FatalError when the heap
        is exhausted, SegmentationFault for a bad access; the machine goes on."""
        t, m = self.process.thread_on(core), self.machine.state
        place_thread(m, t, core)
        row = run_interruptibly(m, carry_out, m, t, rows, first, until_collection)
        raise_fatal(self.machine, t)
        self.machine.raise_fault(t)
        return int(row)

    def statistics(self):
        """Counts since the start: objects and bytes allocated, objects freed, marked or copied, collections, the collector's cycles, stores
        that went through its barrier."""
        guest = self.machine.state.process[self.process.number].guest
        return {name: int(guest[at]) for name, at in COUNTS.items()}

    def pauses(self):
        """An int64 array of (start, end), cycles, of the first 65536 pauses."""
        rows = int(self.machine.state.process[self.process.number].guest[P.PAUSE_ROWS])
        return self._log[: min(rows, M.PAUSE_CAPACITY)]

    def words(self):
        """The heap's words, an int64 array; word i lies at `self.start + 8 * i`."""
        return np.frombuffer(self.process.read(self.start, self.size), np.int64)

    def stack(self, core=0):
        """The addresses on the shadow stack of `core`, from its lower end."""
        thread = self.machine.state.thread[self.process.thread_on(core)]
        base, top = int(thread.guest[P.STACK_BASE]), int(thread.guest[P.STACK_TOP])
        return np.frombuffer(self.process.read(base, top - base), np.int64).tolist() if top > base else []

    def objects(self):
        """{address: (references, data)} of every object that the heap holds, dead or alive: two lists of ints each. Raises ValueError where it
        is no row of objects."""
        words, found = self.words(), {}
        for at, end in self._stretches():
            while at < end:
                at += self.kind.prefix
                header = int(words[at])
                length = header >> M.WORDS_SHIFT if header & M.FREE else header >> M.WORDS_SHIFT & 0xFFFF
                if not header & M.HEADER or length < 2 or at + length > end:
                    raise ValueError(f"no object at {self.start + 8 * at:#x}: {header:#x}")
                refs = header >> M.REFS_SHIFT & M.MAX_REFS
                if not header & M.FREE:
                    body = words[at + 1 : at + length].tolist()
                    found[self.start + 8 * at] = body[:refs], body[refs:]
                at += length
        return found

    def _stretches(self):
        """Where objects lie, as pairs of word numbers."""
        if self.kind.free_lists:
            return [(0, self.size // M.WORD)]
        if self.kind.nursery:
            ends = [self._get(at) - self.start >> 3 for at in (M.OTHER, M.NURSERY, M.TOP)]
            return [(0, ends[0]), (ends[1], ends[2])]
        top, limit = self._get(M.TOP), self._get(M.LIMIT)
        start = self.start if not self.kind.halves or limit < self.start + self.size else self.start + self.size // 2 & -M.WORD
        return [((start - self.start) // M.WORD, (top - self.start) // M.WORD)]

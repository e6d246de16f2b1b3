"""A recording of threads on a machine: strands, one per thread, merged by their clocks, and what Python must do in between.

    Recording ── Order ── strands ── weave (machine/weave.py) ── Program with lines, pages, stores
                             └─ records to read on, memory calls (image.py), faults: here

Each thread's records are read as it comes to them, so that memory is bounded however long the recording is.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from hwmem import params as P
from hwmem.errors import MachineError
from hwmem.machine.culprits import new_culprits
from hwmem.machine.records import ADDRESS_SHIFT, filter_of, hash_table
from hwmem.machine.weave import (
    ALL_OVER,
    CALLED,
    DRY,
    EMPTY,
    FAULTED,
    READY,
    STUCK,
    WAITS_MEMORY,
    WEAVE,
    begin,
    finish,
    let_go,
    weave,
)
from hwmem.runs.image import Image
from hwmem.trace.log import MEMORY
from hwmem.trace.order import CONFLICT, STOP
from hwmem.trace.program import Code, Line

BUFFERED = 1 << 20  # records of all threads in memory
MOST_BUFFERED, LEAST_BUFFERED = 1 << 16, 1 << 10
BUDGET = 1 << 20  # records until Ctrl-C is heard
STORES = 1 << 12
MOST_LINES, MOST_CODE = 1 << 16, 50


class Tables(NamedTuple):
    """Arrays that the kernels reach by address (machine/weave.py, ARRAYS), all of int64. `what`, `pcs`: buffers of all strands; `stops`, `skips`: theirs, one after
    another; `acts`: whether a call is carried out here; `owner`, `freed_at`: of free locks; `lines`: a hash table of shared lines; `granules`,
    `slots`: one of shared words; `state`: last stores to them; `stores`: (thread, address) of the requested stores."""

    what: np.ndarray
    pcs: np.ndarray
    stops: np.ndarray
    skips: np.ndarray
    acts: np.ndarray
    owner: np.ndarray
    freed_at: np.ndarray
    lines: np.ndarray
    granules: np.ndarray
    slots: np.ndarray
    state: np.ndarray
    stores: np.ndarray


class Replay:
    """A Recording on `machine`, in an Order of it. `places`: machine/where.py's table; `stores`: (start, end) of addresses whose stores are kept, or None;
    `apart`: an Apart, or None; `own_code`: where the program's instructions are, (0, 0): wherever; `stand_in`: in a process where all memory was there
    before, without memory calls. `run` once, then `program` is complete."""

    def __init__(self, machine, recording, order, places, stores=None, apart=None, own_code=(0, 0), stand_in=False):
        self.machine, self.recording, self.places, self.apart = machine, recording, places, apart
        self.order = order
        self.program = replace(recording.program, order=order.order, notes=list(recording.program.notes))
        self.image = Image(machine, recording) if machine.config.mmu and not stand_in else None
        self.process = self.image.process if self.image else machine.stand_in()
        self._pages, self._calls, self._peak, self._refused = [], [], 0, 0
        self._memory_calls = {}  # by strand
        for call in recording.calls:
            if call.number in MEMORY:
                self._memory_calls.setdefault(call.thread - 1, []).append(call)
        self._stores = None if stores is None else []
        self._lay_out(stores or (0, 0), own_code)

    def _lay_out(self, stores, own_code):
        recording, order, n = self.recording, self.order, len(self.recording.threads)
        self.room = max(LEAST_BUFFERED, min(MOST_BUFFERED, BUFFERED // n))
        slots = max(len(order.uses.granules), 1)
        lines = order.uses.lines
        if self.apart:
            lines = np.concatenate([lines, self.apart.lines])
            if self.image:
                self.image.add(*self.apart.pages)
        acts = np.zeros(len(recording.calls) + 1, np.int64)
        acts[[call.index for call in recording.calls if call.number in MEMORY and self.image]] = 1
        self.tables = Tables(
            np.zeros(n * self.room, np.int64),
            np.zeros(n * self.room, np.int64),
            np.concatenate([*order.stops[1:], np.zeros(1, STOP)]),
            np.concatenate([*order.skips[1:], np.zeros(1, np.int64)]),
            acts,
            np.zeros(slots, np.int64),
            np.zeros(slots, np.int64),
            hash_table(lines)[0],
            *hash_table(order.uses.granules),
            np.zeros(slots, np.int64),
            np.zeros((STORES, 2), np.int64),
        )
        self.w = np.zeros(1, WEAVE).view(np.recarray)[0]
        self.w.count, self.strands = n, self.w.strands[:n]
        for name, array in self.tables._asdict().items():
            self.w[name] = array.ctypes.data
        self.w.lines_size, self.w.granules_size, self.w.room = len(self.tables.lines), len(self.tables.granules), STORES
        self.w.bits[:] = filter_of(lines)
        self.w.store_start, self.w.store_end = stores
        self.w.checking = order.order == CONFLICT and not self.apart  # moved words are not among those that are checked
        stop = skip = 0
        self._streams = [recording.spill.stretches(t + 1, self.room) for t in range(n)]
        self._left = [None] * n
        for k in range(n):
            s = self.strands[k]
            s.core = k % self.machine.config.cores
            s.thread = self.machine.new_thread(self.process.number, int(s.core))
            s.state, s.halt, s.place = EMPTY, P.NEVER, k * self.room
            s.stop, s.skip = stop, skip
            stop, skip = stop + len(order.stops[k + 1]), skip + len(order.skips[k + 1])
            s.stops_end, s.skips_end = stop, skip
            s.check_from = 0 if k else order.first_position
        begin(self.machine.state, self.w)
        self.culprits = new_culprits(own_code if own_code[1] else program_range(self.program))

    @property
    def cores(self):
        """The core of each thread."""
        return self.strands["core"].tolist()

    @property
    def machine_threads(self):
        return self.strands["thread"].tolist()

    def run(self):
        """Replay all of it. Raises KeyboardInterrupt; the program is complete as far as it went."""
        m = self.machine.state
        m.mm.untold = 1
        try:
            for k in range(len(self.strands)):
                self._fill(k)
            while (why := self._go_on()) != ALL_OVER:
                k = int(self.w.strand)
                if why == DRY:
                    self._fill(k)
                elif why == CALLED:
                    self._call(k)
                elif why == FAULTED:
                    self._fault(k)
                elif why == STUCK:
                    self._force()
                self._fetch_stores()
            self._check()
        finally:
            m.mm.untold = 0
            for s in self.strands:
                m.core[s["core"]].current = 0
            self._fetch_stores()
            self._tell()

    def _go_on(self):
        self.w.budget = BUDGET
        return weave(self.machine.state, self.w, self.places, self.culprits)

    def _fill(self, k):
        """The next records of strand `k`, as many as there is room for."""
        s, filled = self.strands[k], 0
        first = None
        while filled < self.room:
            stretch = self._left[k] or next(self._streams[k], None)
            self._left[k] = None
            if stretch is None:
                break
            if filled and filled + len(stretch[1]) > self.room:
                self._left[k] = stretch
                break
            first = stretch[0] if first is None else first
            at = int(s.place) + filled
            for array, words in zip((self.tables.what, self.tables.pcs), stretch[1:]):
                array[at : at + len(words)] = words
            filled += len(stretch[1])
        if self.apart:
            self.apart.move(self.tables.what[int(s.place) : int(s.place) + filled])
        if first is None:
            finish(self.machine.state, self.w, k)
            return
        s.first, s.end, s.state = first, first + filled, READY

    def _call(self, k):
        """The memory call at which strand `k` stands."""
        s = self.strands[k]
        record = int(self.tables.what[int(s.at - s.first + s.place)])
        call = self.recording.calls[record >> ADDRESS_SHIFT]
        self._peak = max(self._peak, self.image.anonymous)
        result = self.image.carry_out(call, int(s.thread), int(s.core))
        carried = self.recording.memory_call(call, result)
        self._calls.append(carried)
        self._pages.append((carried.name, self.image.anonymous))
        self._after(k)
        now = int(self.machine.state.core[s.core].cycles)
        for other in self.strands:
            if other.state == WAITS_MEMORY:
                other.state, other.ready_at = READY, now

    def _after(self, k):
        """Strand `k` has done its record."""
        s = self.strands[k]
        s.at += 1
        s.state = READY if s.at < s.end else EMPTY
        let_go(self.machine.state, self.w, k)
        if s.state == EMPTY:
            self._fill(k)

    def _fault(self, k):
        """An access of strand `k` found no page, or no right: it waits for an earlier memory call of another thread; if there is none, the
        fault is the program's own."""
        s = self.strands[k]
        thread = self.machine.state.thread[s.thread]
        code, address = int(thread.fault_code), int(thread.fault_address)
        if code not in (P.SEGV_MAPERR, P.SEGV_ACCERR, P.BUS_ADRERR):
            self.machine.raise_fault(int(s.thread))
        thread.state, thread.fault_code = P.FREE, 0
        if self._calls_before(k):
            s.state = WAITS_MEMORY
        else:
            self._settle(k, code, address)

    def _settle(self, k, code, address):
        if code == P.SEGV_MAPERR and self.image:
            self.image.explain(address)
            self.strands[k].state = READY
        else:
            self._refused += 1
            self._after(k)

    def _calls_before(self, k):
        """Whether a memory call of another thread, earlier in the recording, is still to be carried out."""
        moment = self._moment(k)
        for j, s in enumerate(self.strands):
            if j != k:
                for call in self._memory_calls.get(j, ()):
                    if call.at >= int(s.at) and self.order.moment_of(call) < moment:
                        return True
        return False

    def _moment(self, k):
        """Where in the recording strand `k` stands."""
        return self.order.moment(k + 1, int(self.strands[k].at))

    def _force(self):
        """No strand can go on: the first in the recording does, in violation of what holds it."""
        held = [k for k, s in enumerate(self.strands) if s.state not in (READY, EMPTY)]
        waiting = [k for k in held if int(self.strands[k].at) < int(self.strands[k].end)]
        if not waiting:
            raise MachineError(f"threads of a recording cannot go on: {[(k + 1, int(self.strands[k].state)) for k in held]}")
        k = min(waiting, key=self._moment)
        s = self.strands[k]
        if s.state == WAITS_MEMORY:
            s.state = READY
            record = int(self.tables.what[int(s.at - s.first + s.place)])
            self._settle(k, P.SEGV_MAPERR, record >> ADDRESS_SHIFT)
            return
        self.program.forced_steps += 1
        s.passed, s.state = s.stop + 1, READY

    def _fetch_stores(self):
        n = int(self.w.stored)
        if n and self._stores is not None:
            self._stores.extend(map(tuple, self.tables.stores[:n].tolist()))
        self.w.stored = 0

    def _check(self):
        """Under `conflict`, every load of a shared word has read the store that it read in the recording."""
        if self.w.checking:
            recorded = self.order.digests()[1:]
            if not np.array_equal(recorded, self.strands["digest"]):
                threads = ", ".join(str(k + 1) for k in np.flatnonzero(recorded != self.strands["digest"]))
                raise MachineError(f"loads of threads {threads} read other stores than in the recording")

    # What came of it

    def _tell(self):
        program = self.program
        if self.image:
            end = self.image.anonymous
            program.anonymous_pages = {"peak": max(self._peak, end), "end": end, "after_calls": self._pages}
            program.memory_calls = self._calls
            program.notes += self.image.notes()
        program.stores = self._stores
        program.lines = self._lines()
        if self._refused:
            program.notes.append(f"{self._refused} accesses were refused by the emulated kernel, and left out.")
        if self.culprits.dropped:
            program.notes.append(f"{int(self.culprits.dropped)} misses of shared lines are missing from the tables of code.")
        if program.forced_steps:
            program.notes.append(f"{program.forced_steps} steps were made against the rules of order, because no thread could go on.")
        program.notes += never_together(self.order)
        if self.apart and self.apart.across:
            program.notes.append(f"{self.apart.across} references reach beyond a part that was moved, and stayed where they were.")

    def _lines(self):
        """The lines that threads share, the worst first."""
        rows = self.culprits.row[: int(self.culprits.rows)]
        by_line = {}
        for row in rows[np.lexsort((-rows["misses"], -rows["hitms"]))]:
            code = Code(*(int(row[name]) for name in ("instruction", "thread", "misses", "hitms", "caller", "touched")))
            by_line.setdefault(int(row["line"]) << P.LINE_SHIFT, []).append(code)
        found = []
        masks = self.order.uses.masks()
        for address, users in (self.apart.masks(masks) if self.apart else masks).items():
            code = by_line.get(address, [])
            written = {thread: mask for thread, (_, mask, *_) in users.items() if mask}
            read = {thread: mask for thread, (mask, *_) in users.items() if mask}
            symbol = self.apart.symbol(address) if self.apart else None
            hitm = sum(one.hitm for one in code)
            found.append(Line(address, sharing_of(written), hitm, tuple(users), written, read, tuple(code[:MOST_CODE]), symbol))
        found.sort(key=lambda line: (-line.hitm, -sum(code.misses for code in line.code), line.address))
        if len(found) > MOST_LINES:
            self.program.notes.append(f"{len(found) - MOST_LINES} more lines are shared, and left out.")
        return found[:MOST_LINES]


def sharing_of(written):
    """ "true" if two threads write one byte, "false" if several write, and no byte twice, "none" if one writes."""
    both, so_far = 0, 0
    for mask in written.values():
        both |= so_far & mask
        so_far |= mask
    return "none" if len(written) < 2 else "true" if both else "false"


def program_range(program):
    """(start, end) of the program's own instructions."""
    own = program.objects[0].mappings if program.objects else ()
    code = [mapping for mapping in own if mapping.prot & P.PROT_EXEC]
    return (min(m.start for m in code), max(m.end for m in code)) if code else (0, 0)


def never_together(order):
    """Threads, other than the first, that never ran at the same time in the recording: no replay can make them."""
    threads = [t for t in order.threads[1:] if t.ended is not None]
    if len(threads) < 2:
        return []
    apart = [t for t in threads if all(u is t or u.begun > t.ended or (u.ended or 1 << 62) < t.begun for u in order.threads[1:])]
    if len(apart) < 2:
        return []
    numbers = ", ".join(str(t.number) for t in apart[:20])
    return [f"Threads {numbers} never ran at the same time in the recording: give each more work, or a barrier at its start."]

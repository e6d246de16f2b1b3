"""A recorded trace: the data references of a program, in program order, in blocks.

`open_trace` looks at the first lines of the file and says which format it is; `Trace.blocks` reads it, a buffer of
text (stream.py) after another, through the format's grammar (parse.py), and yields arrays:

    file ──> stream.whole_lines ──> parse.parse ──> Block(addresses, is_store, sizes, thread, compute) ──> Machine.replay

Memory is one chunk of text and one block, however long the trace is. A trace may be read any number of times; every
pass opens the file anew. What a format cannot say is refused with "file:line: reason", after all whole blocks before
that line have been handed out.

A recording of threads (`hwmem record`) is another matter: `Trace.recording` reads it (recording.py), and `blocks` gives its references in the
recorded order, thread n + 1 of the recording as thread n.

Instruction fetches are counted and left out. A modify (lackey's M: one instruction loads and stores the same bytes)
is a load followed by a store. Where a format has no threads, all references are thread 0's.
"""

import os
import re
from typing import NamedTuple

import numpy as np

from hwmem.errors import TraceError
from hwmem.machine.records import ADDRESS_SHIFT, ATOMIC, CALL, KIND_BITS, KIND_MASK, SIZE_MASK
from hwmem.trace import champsim, parse
from hwmem.trace.recording import Recording
from hwmem.trace.stream import StreamError, whole_lines

BLOCK_RECORDS = 1 << 20
DEFAULT_SIZE = 8  # bytes, of an array trace without sizes
_PEEK_BYTES = 1 << 16
_LOWEST_CODE = 1 << 12  # nobody fetches instructions below: page 0 is never mapped
_EXCERPT_BYTES = 40


class Format(NamedTuple):
    grammar: int | None  # parse.py's number; None: recording.py reads it
    first_line: re.Pattern  # what tells it from the others


FORMATS = {
    "lackey": Format(parse.LACKEY, re.compile(rb"(I  | [LSM] )(0[xX])?[0-9a-fA-F]+,")),
    "din": Format(parse.DIN, re.compile(rb"[ \t]*[0-9][ \t]+(0[xX])?[0-9a-fA-F]+([ \t\r]|$)")),
    "xdin": Format(parse.XDIN, re.compile(rb"[ \t]*[rwimcvRWIMCV][ \t]+(0[xX])?[0-9a-fA-F]+[ \t]+(0[xX])?[0-9a-fA-F]")),
    "data": Format(parse.DATA, re.compile(rb"(?!)")),  # looks as din does: see _is_data
    "cores": Format(parse.CORES, re.compile(rb"[ \t]*[pP][0-9]+[ \t]+[rwRW][ \t]")),
    "rw": Format(parse.RW, re.compile(rb"[ \t]*[rwRW][ \t]+(0[xX])?[0-9a-fA-F]+[ \t\r]*$")),
    "memtrace": Format(parse.MEMTRACE, re.compile(rb"Format: <(data|instr) address>|0[xX][0-9a-fA-F]+(: *[0-9]+, |,[rw],[0-9]+,0[xX])")),
    "champsim": Format(None, re.compile(rb"(?!)")),  # no text: champsim.py
    "threads": Format(None, re.compile(rb"--[0-9]+--   SCHED\[|SYSCALL\[[0-9]+,| --> \[")),
}
_SKIPPED = re.compile(rb"(==|--|\*\*).*\1|[ \t\r]*$")  # valgrind's own words, an empty line
_CYCLES = re.compile(rb"[ \t]*2[ \t]+(?:0[xX])?([0-9a-fA-F]+)(?:[ \t\r]|$)")
_DATA_NAME = re.compile(r"\.data(\.gz|\.xz)?$")


class Block(NamedTuple):
    """Some references in program order; five arrays of one length."""

    addresses: np.ndarray  # int64: of the first byte
    is_store: np.ndarray  # bool
    sizes: np.ndarray  # int32: bytes, 1 to 4096
    thread: np.ndarray  # int32
    compute: np.ndarray  # int32: cycles that its thread computes before it


class TraceCounts(NamedTuple):
    """What a whole trace holds. One modify is one load and one store here; cachegrind counts it as a read only."""

    loads: int
    stores: int
    modifies: int
    instructions: int
    lines: int


class Trace:
    """References of a program. `.format`: a name in FORMATS, or "arrays"; `.path`: the file, or None."""

    def __init__(self, path, format, progress=False, whole=None):
        self.path, self.format, self.progress = path, format, progress
        self._whole, self._counts = whole, None
        self.trailing = 0  # cycles of compute after the last reference; known when a pass has ended

    @classmethod
    def from_arrays(cls, addresses, is_store, sizes=None, thread=None):
        """A trace from arrays of one length, which are copied where their type is not Block's.

        `addresses`: integers, 0 or more; `is_store`: true for stores; `sizes`: bytes, 1 to 4096 (8 if not given);
        `thread`: who does it (0 if not given). Raises ValueError or TypeError naming the argument.
        """
        addresses = _integers("addresses", addresses, np.int64, 0, parse.HIGHEST)
        n = len(addresses)
        sizes = np.full(n, DEFAULT_SIZE) if sizes is None else sizes
        thread = np.zeros(n, np.int32) if thread is None else thread
        sizes = _integers("sizes", sizes, np.int32, 1, parse.LARGEST_SIZE)
        thread = _integers("thread", thread, np.int32, 0, 2**31 - 1)
        block = Block(addresses, np.ascontiguousarray(is_store, np.bool_), sizes, thread, np.zeros(n, np.int32))
        for name, array in zip(Block._fields, block):
            if array.shape != (n,):
                raise ValueError(f"{name} takes one value a reference, {n}; its shape is {array.shape}")
        if n and np.any(addresses > parse.HIGHEST - sizes.astype(np.int64)):
            raise ValueError("addresses takes references that end below 2^63")
        return cls(None, "arrays", whole=block)

    def blocks(self, records=BLOCK_RECORDS):
        """Yield Blocks of at most `records` references (2 or more), none of them empty."""
        return (block for block, _ in self.located(records, False))

    def located(self, records=BLOCK_RECORDS, instructions=True, end=parse.HIGHEST):
        """`blocks`, each with an int64 array of the instructions' addresses, empty where the format has no fetches. A reference that does
        not end at `end` or before is refused."""
        if records < 2:
            raise ValueError(f"records takes 2 or more (a modify is two), not {records}")
        if self.format == "threads":
            return self._recorded(records)
        if self.format == "champsim":
            return self._champsim(records, instructions, end)
        if self._whole is None or (instructions and self.path is not None):
            return self._read(records, instructions and self.format in ("lackey", "din", "xdin", "memtrace"), end)
        return self._slices(records)

    def recording(self, folder=None):
        """The Recording of a trace with threads, read anew. `folder`: where its objects are looked for, if not where they were. Raises TraceError."""
        if self.format != "threads":
            raise ValueError(f"{self.path}: a trace of {self.format}, no recording of threads")
        return Recording(self.path, folder, self.progress)

    def _recorded(self, records):
        recording = self.recording()
        for number in range(len(recording.spill)):
            for start in range(0, recording.spill.count[number], max(records // 2, 1)):
                part = recording.spill.part(number, start, min(max(records // 2, 1), recording.spill.count[number] - start))
                if len((block := as_block(*part, recording.spill.thread[number] - 1))[0].addresses):
                    yield block
        counts = [sum(getattr(thread, name) for thread in recording.threads) for name in ("loads", "stores", "instructions")]
        self._counts = TraceCounts(*counts[:2], recording.modifies, counts[2], recording.lines)

    def _champsim(self, records, instructions, end):
        loads = stores = count = 0
        try:
            for addresses, is_store, pcs, number in champsim.chunks(self.path, end):
                count += number
                stores += int(np.count_nonzero(is_store))
                loads += len(is_store) - int(np.count_nonzero(is_store))
                for start in range(0, len(addresses), records):
                    part = slice(start, start + records)
                    n = len(addresses[part])
                    block = Block(addresses[part], is_store[part], np.ones(n, np.int32), np.zeros(n, np.int32), np.zeros(n, np.int32))
                    yield block, pcs[part] if instructions else np.zeros(0, np.int64)
        except StreamError as error:
            raise TraceError(f"{self.path}: {error}") from None
        if not loads + stores:
            raise TraceError(f"{self.path}: no data references in {count} instructions")
        self._counts = TraceCounts(loads, stores, 0, count, count)

    def _slices(self, records):
        for start in range(0, len(self._whole.addresses), records):
            yield Block(*(array[start : start + records] for array in self._whole)), np.zeros(0, np.int64)

    def _read(self, records, instructions, end):
        c, stores, loads = parse.new_cursor(end), 0, 0
        grammar = FORMATS[self.format].grammar
        arrays = _new_arrays(records, instructions)
        try:
            for text, end in whole_lines(self.path, progress=self.progress):
                c.position, c.end = 0, end
                while c.position < end:
                    parse.parse(c, grammar, text, arrays)
                    if c.error:
                        raise TraceError(self._malformed(c, text))
                    if c.records < records - 1:
                        break
                    block = _filled(arrays, c.records)
                    yield block
                    loads, stores = _tally(block[0], loads, stores)
                    arrays, c.records = _new_arrays(records, instructions), 0
        except StreamError as error:
            raise TraceError(f"{self.path}:{c.line + 1}: {error}") from None
        if c.records:
            block = _filled(arrays, c.records)
            yield block
            loads, stores = _tally(block[0], loads, stores)
        if not loads + stores:
            raise TraceError(f"{self.path}: no data references in {c.line} lines ({c.fetches} instruction fetches)")
        self.trailing = int(c.compute)
        self._counts = TraceCounts(loads, stores, int(c.modifies), int(c.fetches), int(c.line))

    def _malformed(self, c, text):
        start = int(c.position)
        line = bytes(text[start : min(start + _EXCERPT_BYTES, int(c.end))]).split(b"\n")[0]
        return f"{self.path}:{c.line + 1}: {parse.REASONS[int(c.error)].format(end=int(c.highest))} ({self.format}): {_shown(line)}"

    @property
    def counts(self):
        """TraceCounts; reads the trace through if no pass has ended yet."""
        if self._counts is None and self.path is None:
            stores = int(np.count_nonzero(self._whole.is_store))
            self._counts = TraceCounts(len(self._whole.is_store) - stores, stores, 0, 0, 0)
        if self._counts is None:
            for _ in self.blocks():
                pass
        return self._counts

    @property
    def instructions(self):
        """Instruction fetches, which are no part of the blocks."""
        return self.counts.instructions

    def read(self):
        """All references as one Block, kept in memory (21 bytes each): for traces that fit."""
        if self._whole is None:
            self._whole = Block(*map(np.concatenate, zip(*self.blocks())))
        return self._whole

    addresses = property(lambda self: self.read().addresses, doc="All addresses, int64.")
    is_store = property(lambda self: self.read().is_store, doc="True for stores.")
    sizes = property(lambda self: self.read().sizes, doc="All sizes in bytes, int32.")
    thread = property(lambda self: self.read().thread, doc="Who made each reference, int32.")
    compute = property(lambda self: self.read().compute, doc="Cycles computed before each reference, int32.")

    def __repr__(self):
        return f"<hwmem.Trace {self.format} {self.path or len(self._whole.addresses)}>"


def open_trace(path, format=None, progress=False):
    """A trace file as a Trace; plain, gzip or xz.

    `format`: a name in FORMATS; None looks at the first lines, and at the name for ".data". `progress`: show a bar on stderr while
    reading. Raises TraceError, one line, for a file that cannot be read or whose first lines are of no known format.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"path takes a string or a path, not {type(path).__name__}")
    if format is not None and format not in FORMATS:
        raise ValueError(f"format takes one of {', '.join(FORMATS)} or None, not {format!r}")
    path = os.fspath(path)
    try:
        if format == "champsim" or (format is None and champsim.looks_like(path)):
            return Trace(path, "champsim", progress)
        text, end = next(whole_lines(path, chunk_bytes=_PEEK_BYTES), (None, 0))
    except StreamError as error:
        raise TraceError(f"{path}: {error}") from None
    if not end:
        raise TraceError(f"{path}: empty file")
    return Trace(path, format or _format_of(path, bytes(text[:end]).split(b"\n")[:-1]), progress)


def _format_of(path, lines):
    """The format whose pattern fits the first line that says something."""
    for number, line in enumerate(lines, 1):
        for name, format in FORMATS.items():
            if format.first_line.match(line):
                return "data" if name == "din" and _is_data(path, lines) else name
        if not _SKIPPED.match(line):
            raise TraceError(f"{path}:{number}: neither {', '.join(FORMATS)}: {_shown(line[:_EXCERPT_BYTES])}")
    return "lackey" if any(map(bytes.strip, lines)) else "din"  # nobody but valgrind speaks in a trace; empty lines mean nothing in others


def _is_data(path, lines):
    """Whether labels and values are those of a course's simulator, 2 for cycles, and not Dinero's, 2 for a fetch: the name says
    so, or every 2 among the first lines has a value that no program has instructions at."""
    values = [int(found[1], 16) for line in lines if (found := _CYCLES.match(line))]
    return bool(_DATA_NAME.search(path)) or (bool(values) and max(values) < _LOWEST_CODE)


def as_block(what, pcs, thread):
    """(Block, instructions) of records (machine/records.py) of one thread; an atomic is a load and a store."""
    kind = what & KIND_MASK
    what, pcs, kind = what[kind != CALL], pcs[kind != CALL], kind[kind != CALL]
    twice = np.repeat(np.arange(len(what)), np.where(kind == ATOMIC, 2, 1))
    second = np.concatenate([[False], twice[1:] == twice[:-1]]) if len(twice) else np.zeros(0, np.bool_)
    what, pcs, kind = what[twice], pcs[twice], kind[twice]
    is_store = np.where(kind == ATOMIC, second, kind & 1 == 1)
    sizes = ((what >> KIND_BITS & SIZE_MASK) + 1).astype(np.int32)
    n = len(what)
    return Block(what >> ADDRESS_SHIFT, is_store, sizes, np.full(n, thread, np.int32), np.zeros(n, np.int32)), pcs


def _shown(line):
    return ascii(line.decode("latin-1"))


def _new_arrays(records, instructions):
    """What parse.parse fills; zeros cost nothing where it does not."""
    return (
        np.empty(records, np.int64),
        np.empty(records, np.bool_),
        np.empty(records, np.int32),
        np.zeros(records, np.int32),
        np.zeros(records, np.int32),
        np.empty(records if instructions else 0, np.int64),
    )


def _filled(arrays, n):
    return Block(*(array[:n] for array in arrays[:-1])), arrays[-1][:n]


def _tally(block, loads, stores):
    n = int(np.count_nonzero(block.is_store))
    return loads + len(block.is_store) - n, stores + n


def _integers(name, values, dtype, least, most):
    """`values` as a C-contiguous array of `dtype`, or an error that names the argument."""
    array = np.asarray(values)
    if array.ndim != 1:
        raise ValueError(f"{name} takes one dimension, not {array.ndim}")
    if array.dtype.kind not in "iu" and array.size:
        raise TypeError(f"{name} takes integers, not {array.dtype}")
    if array.size and (array.min() < least or array.max() > most):
        raise ValueError(f"{name} takes integers from {least} to {most}")
    return np.ascontiguousarray(array, dtype)

"""A recording of threads, read: what each thread did, in which order.

    file ── stream.whole_lines ── references.read ── records of the thread that runs ── Spill
                                    └─ another line ── log.Log ── threads, calls, objects

`Recording.read` makes one pass. It yields the records (spill.py), a CALL record where a system call was begun or a thread ended, so that
every call has a place among its thread's records; the calls with their results; and `program`, a Program without what only a replay knows.

Memory in use: a chunk of text, a filling of records, and an entry for each call and each instruction that modifies.
"""

import os
import re

import numpy as np

from hwmem.errors import TraceError
from hwmem.machine.records import ADDRESS_SHIFT, CALL, KIND_MASK
from hwmem.trace import parse, references
from hwmem.trace.elf import PLAIN, Elf, what_it_does, LONGEST_INSTRUCTION
from hwmem.trace.log import CLONE, CLONE_CHILD_CLEARTID, CLONE_VM, MEMORY, MMAP, Log, Refused
from hwmem.trace.program import Block, Mapping, MemoryCall, Object, Program, Thread
from hwmem.trace.references import LOCKED
from hwmem.trace.spill import Spill
from hwmem.trace.stream import StreamError, whole_lines

RECORDS = 1 << 18  # of one filling
EXCERPT_BYTES = 60
FIRST_ADDRESSES = 64  # of a thread, by which its clone is known
PAGE = 4096
STACK_BYTES = 8 << 20  # what a main thread's stack may grow to
STACK_END = 0x1FFF001000  # where Valgrind puts it
SMALL_STACK = 1 << 14  # of a thread whose stack lies in a larger mapping (Go's)
VALGRINDS_OWN = re.compile(r"/(lackey|memcheck|none)-amd64-linux$")


class Recording:
    """See the file's header. `path`; `spill`; `calls`; `program`; `images`: the ELF file of each of its objects, or None; `clones`: {thread: the
    Call that made it}; `fetches`, `lines`, `modifies`: counts."""

    def __init__(self, path, folder=None, progress=False):
        self.path, self.folder = path, folder
        self.spill, self.log = Spill(), Log()
        self.images, self._places = [], []
        self._known = np.zeros((1 << 12, 2), np.int64)
        self._known_count = 0
        self._locked = {}
        self._read(progress)
        self._finish()

    @property
    def calls(self):
        return self.log.calls

    @property
    def threads(self):
        return self.log.threads

    # The pass

    def _read(self, progress):
        c = references.new_cursor()
        self._what, self._pcs = np.empty(RECORDS, np.int64), np.empty(RECORDS, np.int64)
        self._done = 0  # data references and calls before those in the arrays
        try:
            for text, end in whole_lines(self.path, progress=progress):
                c.position, c.end = 0, end
                while c.position < end:
                    why = references.read(c, text, self._what, self._pcs, self._known)
                    if c.records and not self.log.current:
                        self._first_records(c)
                    if why == references.FULL:
                        self._flush(c)
                    elif why == references.UNKNOWN_MODIFY:
                        self._know(int(c.instruction), int(c.length))
                    elif why == references.OTHER_LINE:
                        self._other_line(c, text)
        except StreamError as error:
            raise TraceError(f"{self.path}:{c.line + 1}: {error}") from None
        self._credit(c)
        self._flush(c)
        self.lines, self.modifies = int(c.line), int(c.modifies)

    def _first_records(self, c):
        """References while no thread runs."""
        if self.threads:
            raise TraceError(f"{self.path}:{c.line + 1}: references of no thread: no thread has the lock (recording)")
        self.log.begins_in_mid_thread()

    def _other_line(self, c, text):
        position, end = int(c.position), int(c.end)
        newline = position + bytes(text[position : min(position + 4096, end)]).find(b"\n")
        if newline < position:
            newline = position + bytes(text[position:end]).index(b"\n")
        raw = bytes(text[position:newline])
        if raw[:2] in (b"I ", b" L", b" S", b" M"):
            raise TraceError(self._malformed(c, raw, reason_of(raw)))
        self._credit(c)
        before = self.log.current
        line = raw.decode("latin-1")
        try:
            begun = self.log.line(line.removesuffix("\r"), self._done + int(c.records))
        except Refused as refusal:
            raise TraceError(self._malformed(c, raw, str(refusal))) from None
        for call in begun:
            if self.log.current != before and call.thread != before:
                raise TraceError(self._malformed(c, raw, "a system call of a thread that does not run"))
            self._place(c, call)
        if self.log.current != before:
            self._flush(c, before)
        if len(self.log.objects) > len(self.images):
            self._new_object()
        c.position = newline + 1
        c.line += 1
        c.before = 0

    def _place(self, c, call):
        """A CALL record for a call of the thread that runs, or has just ended."""
        if int(c.records) > RECORDS - 2:
            self._flush(c, call.thread)
        n = int(c.records)
        self._what[n], self._pcs[n] = call.index << ADDRESS_SHIFT | CALL, c.instruction
        call.at = self.spill.length.get(call.thread, 0) + n
        c.records = n + 1

    def _flush(self, c, thread=None):
        thread, n = thread or self.log.current, int(c.records)
        if n:
            if not thread:
                raise TraceError(f"{self.path}:{c.line + 1}: references of no thread: no thread has the lock (recording)")
            self._remember(thread, n)
            self.spill.add(thread, self._what[:n], self._pcs[:n])
            self._done += n
            c.records = 0

    def _remember(self, thread, n):
        """The first addresses of a thread."""
        addresses = self.threads[thread - 1].addresses
        if len(addresses) < FIRST_ADDRESSES:
            few = self._what[: min(n, FIRST_ADDRESSES)]
            addresses.extend((few[few & KIND_MASK != CALL] >> ADDRESS_SHIFT).tolist())

    def _credit(self, c):
        """Credit the counts since the last other line to the running thread."""
        if not self.log.current:
            return
        thread = self.threads[self.log.current - 1]
        for name in ("loads", "stores", "atomics", "instructions"):
            setattr(thread, name, getattr(thread, name) + int(c[name]))
            c[name] = 0

    def _malformed(self, c, raw, reason):
        return f"{self.path}:{c.line + 1}: {reason} (threads): {ascii(raw[:EXCERPT_BYTES].decode('latin-1'))}"

    # Instructions

    def _new_object(self):
        new = self.log.objects[-1]
        elf = None if VALGRINDS_OWN.search(new.path) else Elf.read(new.path, new.text) or self._in_folder(new.path, new.text)
        self.images.append(elf)

    def _in_folder(self, path, text_at):
        return Elf.read(os.path.join(self.folder, os.path.basename(path)), text_at) if self.folder else None

    def kind_of(self, pc, length=None):
        """What the instruction at `pc` is (elf.PLAIN, COMMUTES, ...); None: its bytes are not here."""
        for loaded, elf in zip(self.log.objects, self.images):
            if elf and (code := elf.at(pc - loaded.bias, LONGEST_INSTRUCTION)):
                return what_it_does(code, length)
        return None

    def _know(self, pc, length):
        """Enter an instruction that modifies."""
        if 2 * self._known_count >= len(self._known):
            old, self._known = self._known, np.zeros((2 * len(self._known), 2), np.int64)
            for row in old[old[:, 1] != references.NOTHING]:
                self._known[references.slot_of(self._known, row[0])] = row
        kind = self.kind_of(pc, length)
        self._known[references.slot_of(self._known, pc)] = pc, references.PLAIN if kind in (None, PLAIN) else LOCKED
        self._known_count += 1

    # What it amounts to

    def _finish(self):
        if not sum(thread.loads + thread.stores for thread in self.threads):
            raise TraceError(f"{self.path}: no data references in {self.lines} lines")
        log = self.log
        self._match_clones()
        notes = []
        if not log.ended:
            notes.append("The recording has no end: the program or the recorder was killed, or the file cut off.")
        objects = self._objects(notes)
        self.program = Program(
            command=log.command,
            objects=objects,
            threads=[self._thread(thread) for thread in self.threads],
            memory_calls=[self.memory_call(call) for call in self.calls if call.number in MEMORY],
            blocks=blocks_of(log.notes),
            process={"children": log.children, "exit": log.exit},
            notes=notes,
        )

    def memory_call(self, call, result=None):
        name = MEMORY[call.number][0]
        if result is None:
            result = call.result if call.result is not None else 0
        return MemoryCall(call.thread, name, tuple(call.arguments), result)

    def _match_clones(self):
        """Each thread's clone: the one whose stack is near its first references; else the first clone that has no thread yet."""
        clones = [call for call in self.calls if call.number == CLONE and call.arguments[0] & CLONE_VM and (call.result or 0) > 0]
        for thread in self.threads[1:]:
            able = [call for call in clones if call.begun < thread.begun]
            near = (call for a in thread.addresses for call in able if 0 <= call.arguments[1] - a < PAGE)
            thread.clone = next(near, able[0] if able else None)
            if thread.clone:
                clones.remove(thread.clone)

    def _thread(self, thread):
        counts = {name: getattr(thread, name) for name in ("loads", "stores", "atomics", "instructions")}
        parts = self.spill.parts_of(thread.number)
        if parts:
            moments = self.spill.moments()
            counts |= {"began": int(moments[parts[0]]), "ended": int(moments[parts[-1]]) + self.spill.count[parts[-1]]}
        clone = thread.clone
        if clone is None:
            return Thread(thread.number, (STACK_END - STACK_BYTES, STACK_END) if thread.number == 1 else (0, 0), **counts)
        return Thread(thread.number, self._stack(clone), clone.arguments[4], clone.thread, self.instruction_of(clone), **counts)

    def instruction_of(self, call):
        """Program counter of the instruction that made a call."""
        for number in self.spill.parts_of(call.thread):
            first = self.spill.first[number]
            if first <= call.at < first + self.spill.count[number]:
                return int(self.spill.part(number, call.at - first, 1)[1][0])
        return 0

    def _stack(self, clone):
        """The mapping that a clone's stack lies in."""
        end = clone.arguments[1]
        if not clone.arguments[0] & CLONE_CHILD_CLEARTID:  # Go's, whose stacks lie in its heap
            return end - SMALL_STACK, end
        for call in reversed([c for c in self.calls if c.number == MMAP and c.begun < clone.begun and (c.result or -1) > 0]):
            if call.result < end <= call.result + call.arguments[1]:
                return call.result, call.result + call.arguments[1]
        return end - SMALL_STACK, end

    def _objects(self, notes):
        """The program's objects, their mappings from program headers and calls."""
        found, missing = [], []
        for loaded, elf in zip(self.log.objects, self.images):
            if VALGRINDS_OWN.search(loaded.path):
                continue
            if elf:
                pages = [(*pages_of(s, loaded.bias), s) for s in elf.segments]
                mappings = [Mapping(start, end, s.offset & -PAGE, s.prot) for start, _, end, s in pages]
            else:
                mappings = [
                    Mapping(call.result, call.result + call.arguments[1], call.arguments[5], call.arguments[2])
                    for call in self.calls
                    if call.number == MMAP and loaded.mapped and call.file == loaded.mapped and (call.result or -1) >= 0
                ]
            if elf is None:
                missing.append(loaded.path)
            found.append(Object(loaded.path, loaded.bias, tuple(sorted(mappings)), elf.path if elf else None))
        if missing:
            notes.append(
                f"Not here, or not the file that was recorded: {', '.join(missing)}. Without it (--symbols DIR says where it is) nothing in it has a "
                "name, and its compare-exchanges are told as loads and stores."
            )
        return found


def pages_of(segment, bias):
    """(start, end of its file's pages, end of its memory) of a segment, whole pages."""
    start = segment.address + bias & -PAGE
    return start, *(-(-(segment.address + bias + size) // PAGE) * PAGE for size in (segment.stored, segment.size))


def reason_of(raw):
    """Why a reference is malformed, in the words of the plain grammar."""
    c = parse.new_cursor()
    text = np.frombuffer(raw + b"\n", np.uint8)
    error = -parse.lackey_line(c, text, 0)
    return parse.REASONS[error] if error > 0 else "the reference does not end below 2^47, where programs end"


def blocks_of(notes):
    """Heap blocks from the notes of allocations, frees and reallocations."""
    found, live = [], {}

    def free(address, moment):
        if address in live:
            found[live[address]] = found[live[address]]._replace(freed=moment)
            del live[address]

    for sign, numbers, thread, moment in notes:
        if sign in "-=":
            free(numbers[0], moment)
        if sign in "+=":
            address, size, *stack = numbers if sign == "+" else numbers[1:]
            free(address, moment)
            if address:
                live[address] = len(found)
                found.append(Block(address, size, tuple(stack), thread, moment))
    return found

"""The lines of a recording that are not references: threads, system calls, objects, heap blocks, the end.

recording.py gives every such line to `Log.line`, in order, and asks `Log.current` which thread makes the references after it.

    --P--   SCHED[T]:  acquired lock (...)                      whose they are; a new thread at (thread_wrapper...)
    SYSCALL[P,T](NR) sys_mmap ( ... ) --> [pre-success] Success(0x483a000)
    SYSCALL[P,T](NR) ... ) --> [async] ...                      may block: its result comes in a line of its own
    --P-- Reading syms from PATH, then --P--    svma A, avma B  an object and where it was loaded
    **P** heap + BLOCK BYTES CALLER                             of `hwmem record --heap`

T is Valgrind's slot, and slots are used again: a thread is an incarnation of a slot. **A SYSCALL line without a result is not finished**: what
Valgrind says until then is appended to it with no newline between, and the result comes later, on a line that begins with ` --> `, or was
there already and only the newline is late, as an empty line. So a line is cut at the first `--P-- `, and one unfinished call is kept for each
slot. A call that a signal interrupts has no result.

Sources: Valgrind's m_syswrap/syswrap-main.c, m_scheduler/scheduler.c, m_debuginfo/debuginfo.c; seen with 3.19.
"""

import re
from dataclasses import dataclass, field
from typing import NamedTuple

CLONE, FORK, VFORK, EXIT, EXIT_GROUP, FUTEX, EXECVE = 56, 57, 58, 60, 231, 202, 59
OPENAT, OPEN, CLOSE, DUP, DUP2, DUP3 = 257, 2, 3, 32, 33, 292
MMAP = 9
MEMORY = {MMAP: ("mmap", 6), 11: ("munmap", 2), 25: ("mremap", 4), 12: ("brk", 1), 10: ("mprotect", 3), 28: ("madvise", 3)}
CLONE_VM, CLONE_CHILD_CLEARTID = 0x100, 0x200000
MOST_THREADS = 1000
THREAD_END = -1  # a call's number: no system call, the thread is gone

CALL = re.compile(r"SYSCALL\[(\d+),(\d+)\]\((\d+)\) (.*)$", re.S)
RESULT = r"(?:(Success|Failure)\(0x([0-9a-f]+)\)|NoWriteResult) ?$"
FINISHED = re.compile(r"(?: --> \[pre-(?:success|fail)\] |\[sync\] --> )" + RESULT)
DONE = re.compile(r"\.\.\. \[async\] --> " + RESULT)
BLOCKS = re.compile(r" --> \[async\] \.\.\. ?$")
SCHED = re.compile(r"  SCHED\[(\d+)\]: ?(.*)$", re.S)
OBJECT = re.compile(r"Reading syms from (.*)$", re.S)
BIAS = re.compile(r"   svma 0x([0-9a-f]+), avma 0x([0-9a-f]+)$")
HEAP = re.compile(r"heap ([-+=])((?: (?:0x[0-9a-fA-F]+|\d+|\(nil\)))+)$")
PATH = re.compile(r"\( *(?:-?\d+, )?0x[0-9a-f]+\((.*)\), ", re.S)
CHILD = re.compile(r"(?:clone\(fork\)|fork): process \d+ created child \d+$")
EXIT_CODE = re.compile(r"Exit code: +(-?\d+)$")
SIGNAL = re.compile(r"Process terminating with default action of signal (\d+)")
STATUS = re.compile(r"exit_group\( *(-?\d+) *\)")
NUMBER = re.compile(r"-?\d+$|0x[0-9a-f]+$")
MARKS = {"=": "==", "-": "--", "*": "**"}
MOST_NUMBER = 1 << 64


class Refused(ValueError):
    """A line that is not understood; the message says why, and the caller adds the line number."""


class Loaded(NamedTuple):
    """An ELF file in the process. `bias`: to be added to its own addresses; `text`: where its .text begins, of its own; `mapped`: the name by
    which memory calls map it, None: Valgrind mapped it before the program began."""

    path: str
    bias: int
    text: int
    mapped: str | None


@dataclass
class Call:
    """A system call, or the end of a thread. `index`: its place in Log.calls, and in its thread's records (recording.py, `at`); `begun`,
    `done`: moments among all events; `result`: minus the errno where it failed, None: none was told."""

    index: int
    thread: int
    number: int
    arguments: tuple
    begun: int
    at: int = 0
    result: int | None = None
    done: int | None = None
    blocks: bool = False
    file: str | None = None  # of an mmap, the file's name


@dataclass
class Started:
    """A thread. `begun`: moment of its start; `clone`: the Call that made it; `addresses`: of its first references."""

    number: int
    slot: int
    begun: int
    ended: int | None = None
    clone: Call | None = None
    addresses: list = field(default_factory=list)
    loads: int = 0
    stores: int = 0
    atomics: int = 0
    instructions: int = 0


class Log:
    """What the lines so far have said. `current`: number of the thread that runs, 0: none."""

    def __init__(self):
        self.process = None  # its number, as text
        self.command, self.exit, self.children, self.ended = "", None, 0, False
        self.threads, self.calls, self.objects, self.notes = [], [], [], []  # notes: of heap blocks, (sign, numbers, thread, moment)
        self.current, self.moment, self.references = 0, 0, 0
        self.slots, self._pending, self._unfinished = {}, {}, {}
        self._files, self._reading, self._inherited = {}, None, False

    def line(self, text, references):
        """Take a line in, without its newline; the calls that it began, in order. `references`: data references before it. Raises Refused."""
        began = len(self.calls)
        self.references = references
        head, tail = self._cut(text)
        if head:
            self._head(head)
        if tail is not None:
            self._valgrind(tail)
        return self.calls[began:]

    def begins_in_mid_thread(self):
        """A reference before any thread has started: the log of a forked child, whose single thread is not announced by a line."""
        self._inherited = True
        self._start(0)

    def _cut(self, text):
        """(what stands before Valgrind's own words, its words or None)"""
        mark = f"--{self.process}-- " if self.process else "-- "
        at = text.find(mark) if self.process else -1
        if at < 0 and self.process and text.endswith(mark.rstrip()):
            at = len(text) - len(mark) + 1
        return (text, None) if at < 0 else (text[:at], text[at + len(mark) :])

    def _head(self, text):
        if text[:2] in ("==", "--", "**"):
            self._words(text)
        elif call := CALL.match(text):
            self._call(*call.groups())
        elif text.startswith(" --> "):
            self._more(text)
        elif not text.startswith("SCHEDSETJMP("):
            raise Refused("not a line of a recording of threads")

    def _words(self, text):
        """`==P== TEXT`, `**P** TEXT`, or `--P-- TEXT` of the first such line."""
        mark = text[:2]
        number, found, said = text[2:].partition(mark)
        if not found or not number.isascii() or not number.isdigit():
            raise Refused("Valgrind's own messages have no process number")
        if self.process is None:
            self.process = number
        if number != self.process:
            raise Refused(
                f"a line of process {number} in the log of {self.process}: two processes wrote it (hwmem record keeps them apart)"
            )
        said = said.removeprefix(" ")
        if mark == "**":
            self._heap(said)
        elif mark == "==":
            self._told(said)

    def _told(self, said):
        if said.startswith("Command: ") and not self.command:
            self.command = said[9:]
        elif found := EXIT_CODE.match(said):
            self.exit, self.ended = int(found[1]) if self.exit is None else self.exit, True
        elif found := SIGNAL.match(said):
            self.exit, self.ended = -int(found[1]), True

    def _heap(self, said):
        if found := HEAP.match(said):
            numbers = tuple(0 if word == "(nil)" else int(word, 0) for word in found[2].split())
            if len(numbers) < {"+": 3, "-": 1, "=": 4}[found[1]] or max(numbers) >= MOST_NUMBER:
                raise Refused("a note of a heap block lacks numbers")
            self.notes.append((found[1], numbers, self.current, self.references))

    def _valgrind(self, said):
        if found := SCHED.match(said):
            self._scheduler(int(found[1]), found[2].strip())
        elif found := OBJECT.match(said):
            self._reading = found[1]
        elif (found := BIAS.match(said)) and self._reading is not None:
            svma, avma = int(found[1], 16), int(found[2], 16)
            self.objects.append(Loaded(self._reading, avma - svma, svma, self._file_mapped() if self.threads else None))
            self._reading = None

    def _file_mapped(self):
        """The name of the file that the running thread maps, or has mapped last; "" where that is not known."""
        slot = next((slot for slot, thread in self.slots.items() if thread == self.current), None)
        thread, number, text = self._unfinished.get(slot, (0, 0, ""))
        if number == MMAP:
            return self._files.get(arguments_of(MMAP, text)[4], "")
        return next((call.file for call in reversed(self.calls) if call.number == MMAP and call.file), "")

    # Threads

    def _scheduler(self, slot, said):
        self.moment += 1
        if said.startswith("acquired lock (thread_wrapper"):
            self._start(slot)
        elif said.startswith("acquired lock"):
            self._adopt(slot)
            self.current = self._thread(slot)
            if "(async_signalhandler)" in said or "(sigvgkill_handler)" in said:
                self._pending.pop(slot, None)
        elif said.startswith("release lock in VG_(exit_thread)"):
            thread = self._thread(slot)
            del self.slots[slot]
            self.threads[thread - 1].ended = self.moment
            self._unfinished.pop(slot, None)
            self._pending.pop(slot, None)
            self._begin(thread, THREAD_END, ())
            self.current = 0
        elif said.startswith("releasing lock"):
            self._adopt(slot)
            self.current = 0
        elif not said.startswith(("entering VG_(scheduler)", "exiting VG_(scheduler)")):
            raise Refused("an unknown line of Valgrind's scheduler")

    def _start(self, slot):
        if slot in self.slots:
            raise Refused(f"a thread starts in slot {slot}, whose thread has not ended")
        if len(self.threads) == MOST_THREADS:
            raise Refused(f"more than {MOST_THREADS} threads")
        number = len(self.threads) + 1
        self.threads.append(Started(number, slot, self.moment))
        self.slots[slot] = number
        self.current = number

    def _thread(self, slot):
        if slot not in self.slots:
            raise Refused(f"no thread has started in slot {slot}")
        return self.slots[slot]

    def _adopt(self, slot):
        """The first line that names a slot identifies that of a forked child's single thread."""
        if self._inherited and slot not in self.slots and 0 in self.slots:
            self.slots[slot] = self.slots.pop(0)
            self.threads[self.slots[slot] - 1].slot = slot
            self._inherited = False

    # System calls

    def _call(self, process, slot, number, text):
        if self.process is None:
            self.process = process
        if process != self.process:
            raise Refused(f"a system call of process {process} in the log of {self.process}: two processes wrote it")
        if not self.threads:
            self.begins_in_mid_thread()
        slot, number = int(slot), int(number)
        self._adopt(slot)
        thread = self._thread(slot)
        self.moment += 1
        if done := DONE.match(text):
            call = self._pending.pop(slot, None)
            if call is None or call.number != number:
                raise Refused("the result of a system call that never began")
            self._finish(call, done)
            return
        self._unfinished[slot] = thread, number, text
        if number == EXIT_GROUP and (status := STATUS.match(text)):
            self.exit = int(status[1]) & 255  # lackey's own line says 0, whatever it is
        self._try(slot)

    def _more(self, text):
        """A line that begins with ` --> `: the rest of the call of the thread that runs."""
        slot = next((slot for slot, thread in self.slots.items() if thread == self.current), None)
        if slot in self._unfinished:
            thread, number, begun = self._unfinished[slot]
            self._unfinished[slot] = thread, number, begun + text
            self._try(slot)
        elif not self.threads:
            self.begins_in_mid_thread()  # the fork's result
        elif not self._inherited:
            raise Refused("the result of a system call that never began")

    def _try(self, slot):
        """The unfinished call of a slot, if its lines so far are whole, or it is one that has no result."""
        thread, number, text = self._unfinished[slot]
        result, blocks = FINISHED.search(text), BLOCKS.search(text)
        if not result and not blocks:
            return
        del self._unfinished[slot]
        body = text[: (result or blocks).start()]
        if CHILD.search(body):
            self.children += 1
            number = FORK  # whatever it is printed as
        call = self._begin(thread, number, arguments_of(number, body))
        if number in (OPENAT, OPEN) and (path := PATH.search(body)):
            call.file = path[1]
        if blocks:
            call.blocks = True
            self._pending[slot] = call
        else:
            self._finish(call, result)

    def _begin(self, thread, number, arguments):
        call = Call(len(self.calls), thread, number, arguments, self.moment)
        self.calls.append(call)
        return call

    def _finish(self, call, found):
        self.moment += 1
        value = int(found[2], 16) if found[2] else 0
        call.result = -value if found[1] == "Failure" else value
        call.done = self.moment
        if call.number in (OPENAT, OPEN) and call.result >= 0 and call.file is not None:
            self._files[call.result] = call.file
        elif call.number == CLOSE and call.arguments and call.result >= 0:
            self._files.pop(call.arguments[0], None)
        elif call.number == MMAP and call.result >= 0:
            call.file = self._files.get(call.arguments[4])


def arguments_of(number, body):
    """The numbers of a call that has a meaning here; of others none. Raises Refused where they are not as many as it has."""
    name, expected = MEMORY.get(number, ("clone", 5) if number == CLONE else ("futex", 5) if number == FUTEX else ("", 0))
    if number == CLOSE:
        name, expected = "close", 1
    if not expected:
        return ()
    start, end = body.find("("), body.rfind(")")
    words = [word.strip() for word in body[start + 1 : end].split(",")] if 0 <= start < end else []
    if number == CLONE and words:
        words[0] = f"0x{words[0]}"
    if len(words) < expected or not all(NUMBER.match(word) for word in words[:expected]):
        raise Refused(f"a call of {name} without its {expected} numbers")
    values = tuple(int(word, 16) if word.startswith("0x") else int(word) for word in words[:expected])
    if any(not -MOST_NUMBER < value < MOST_NUMBER for value in values):
        raise Refused(f"a call of {name} with a number of more than 64 bits")
    return values

"""Recordings of threads for tests: those of tests/oracles/programs, and logs made line by line.

tests/oracles/programs: the programs of tests/trace/programs under Valgrind 3.19 (x86-64, glibc 2.36), each with its binary; facts.json.gz was
made from the text, the symbol table and DWARF by readers that know nothing of hwmem: threads with lines by kind, memory calls with results, lines that
two threads use, with the bytes that each writes, and pages that stores made the program's own (at most, at the end). steps.json.gz comes from the
text of steps.c alone: pages of each of its mappings, call by call.
"""

import gzip
import json
import lzma
import pathlib

RECORDED = pathlib.Path(__file__).parents[1] / "oracles" / "programs"
SOURCES = pathlib.Path(__file__).with_name("programs")
PROGRAMS = ("counters", "queue", "memory")
STEPS = json.loads(gzip.decompress((RECORDED / "steps.json.gz").read_bytes()))["mappings"]
FACTS = json.loads(gzip.decompress((RECORDED / "facts.json.gz").read_bytes()))


def log_of(program):
    return RECORDED / f"{program}.lackey.xz"


def binaries(folder):
    """The recorded programs' files, unpacked."""
    for path in RECORDED.glob("*.elf.xz"):
        (folder / path.name.removesuffix(".elf.xz")).write_bytes(lzma.decompress(path.read_bytes()))
    return folder


class Writer:
    """A log, line by line. The program's memory is the heap from HEAP on, which brk made."""

    HEAP = 0x4035000

    def __init__(self):
        self.lines = ["==9== Command: ./made", "==9== "]
        self.running, self.pc = None, 0x109000
        self.start(1)
        self.call(1, 12, "sys_brk ( 0x0 )", self.HEAP)
        self.call(1, 12, f"sys_brk ( {self.HEAP + 0x100000:#x} )", self.HEAP + 0x100000)

    def add(self, *lines):
        self.lines += lines
        return self

    def start(self, slot):
        self.lines.append(f"--9--   SCHED[{slot}]:  acquired lock (thread_wrapper(starting new thread))")
        self.running = slot

    def run(self, slot):
        """The thread of `slot` goes on."""
        if self.running is not None:
            self.lines.append(f"--9--   SCHED[{self.running}]: releasing lock (VG_(scheduler):timeslice) -> VgTs_Yielding")
        self.lines.append(f"--9--   SCHED[{slot}]:  acquired lock (VG_(scheduler):timeslice)")
        self.running = slot

    def call(self, slot, number, text, result):
        self.lines.append(f"SYSCALL[9,{slot}]({number}) {text} --> [pre-success] Success({result:#x}) ")

    def clone(self, slot, stack, child):
        self.call(slot, 56, f"sys_clone ( 3d0f00, {stack:#x}, {stack + 16:#x}, {stack + 32:#x}, {stack + 64:#x} )", child)

    def end(self, slot):
        self.lines.append(f"--9--   SCHED[{slot}]: release lock in VG_(exit_thread)")
        self.running = None

    def refer(self, kind, offset, size=8, pc=None):
        """One reference, of an instruction of its own; `kind`: L, S, M, or A, an atomic. `offset`: in the heap, or an address beyond it."""
        address = offset if offset >= self.HEAP else self.HEAP + offset
        self.pc = pc or self.pc + 4
        self.lines.append(f"I  {self.pc:08x},4")
        for letter in {"A": "LM"}.get(kind, kind):
            self.lines.append(f" {letter} {address:08x},{size}")

    def text(self):
        return "\n".join([*self.lines, "==9== Exit code:       0", ""]).encode("latin-1")

    def save(self, folder):
        path = folder / "made.trace"
        path.write_bytes(self.text())
        return path

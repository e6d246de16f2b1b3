"""A program that fills 512 MiB, drops them, gives them back and fills them again, as those whose memory and page faults were recorded
(madvise.json.gz; returning.json.gz, by live/returning): objects of 1 KiB or 1 MiB, every page written, kept in a variable of 12 MiB that has been
touched before. Its process is the recorded one: two sizes of spans that hold garbage, and as many Ms as StackInuse and strace say."""

import collections
import ctypes

from hwmem import MachineConfig, params as P
from hwmem._jit import DOORS
from hwmem._jit.doors import NATIVE_DOOR
from hwmem.kernels import kernel, store64
from hwmem.machine.machine import RECORD
from goalloc.kernels import mallocgc, write_pointer
from goalloc.observe.symbols import symbols
from goalloc.programs.process import fill_process
from goalloc.runtime.collect import settle
from goalloc.runtime.runtime import Runtime

MIB, PAGE = 1 << 20, 4096
KEPT_BYTES = 12 * MIB
BYTES = {"small": 1 << 10, "large": 1 << 20}
FAULTS_MS = 2  # Ms that the recorded processes had whose faults were counted; those under strace had one or two more
HEAP = range(0xC0_0000_0000, 0xD0_0000_0000)


class Process(Runtime):
    """A Runtime that has begun as a process with so many Ms: a stack each for signals, and g0s for two of them at most (a third has
    a stack that a goroutine had before)."""

    def __init__(self, ms, **arguments):
        self.ms = ms
        super().__init__(**arguments)

    def _has_begun(self, collects):
        fill_process(self, self.go().address, stacks=self.ms * (32 << 10,) + min(self.ms - 1, 2) * (16 << 10,))


@kernel
def fill(m, t, keep, size, n):
    """`n` objects of `size` bytes, kept and every page of them written."""
    for i in range(n):
        x = mallocgc(m, t, size, 0)
        write_pointer(m, t, keep + 8 * i, x)
        for va in range((x + PAGE - 1) // PAGE * PAGE, x + size, PAGE):
            store64(m, t, va, 1)


@kernel
def drop(m, t, keep, n):
    for i in range(n):
        write_pointer(m, t, keep + 8 * i, 0)


class Doors:
    """What comes through a machine's doors from now on: `calls`, the memory calls of its programs as the recording has them (call, rights or
    advice, bytes), and `faults`, the addresses of page faults."""

    NAMES = {
        P.SYS_MMAP: ("mmap", {P.PROT_NONE: "PROT_NONE", P.PROT_READ | P.PROT_WRITE: "PROT_READ|PROT_WRITE"}),
        P.SYS_MADVISE: ("madvise", {P.MADV_DONTNEED: "MADV_DONTNEED", P.MADV_FREE: "MADV_FREE"}),
        P.SYS_MUNMAP: ("munmap", {}),
    }

    def __init__(self, machine):
        self.calls, self.faults, self.sys = [], [], machine.state.sys
        self._stubs = [self._before(machine, P.DOOR_SYSCALL, self._note_call), self._before(machine, P.DOOR_PAGE_FAULT, self._note_fault)]

    def _before(self, machine, number, note):
        door = NATIVE_DOOR(DOORS.compile(number, RECORD))

        def noted(result, exception, m, t, a, *others):
            note(a)
            return door(result, exception, m, t, a, *others)

        stub = NATIVE_DOOR(noted)
        machine.state.doors[number] = ctypes.cast(stub, ctypes.c_void_p).value
        return stub

    def _note_call(self, call):
        if call in self.NAMES:
            name, words = self.NAMES[call]
            self.calls.append((name, words.get(int(self.sys[2]), ""), int(self.sys[1])))

    def _note_fault(self, address):
        self.faults.append(int(address))

    def take(self):
        taken = self.calls, self.faults
        self.calls, self.faults = [], []
        return taken


class Returning:
    """`steps`: what was there after each step, as recorded; `calls` and `faults` of each step: Doors."""

    def __init__(self, kind, madvdontneed, ms=FAULTS_MS):
        config = MachineConfig().replace(cores=1, memory="1GiB")
        self.rt = Process(ms, config=config, gomaxprocs=1, collects=True, godebug=f"madvdontneed={madvdontneed}")
        self.size, self.steps, self.calls, self.faults = BYTES[kind], {}, {}, {}
        self.doors = Doors(self.rt.process.machine)
        self.keep = self.rt.globals(KEPT_BYTES // 16)
        self.rt.globals(KEPT_BYTES // 16)
        self.rt.process.touch(self.keep, KEPT_BYTES)
        self.minflt = self.rt.process.rusage().minflt
        self.note("start")

    def fill(self, nbytes):
        self.kept = nbytes // self.size
        self.rt._run(0, fill, self.keep, self.size, self.kept)

    def drop(self):
        self.rt._run(0, drop, self.keep, self.kept)

    def note(self, step):
        """The faults that reading MemStats makes are the next step's, as in the recorded programs. Reading smaps_rollup takes milliseconds."""
        rollup, minflt, stats = self.rt.process.smaps_rollup(), self.rt.process.rusage().minflt, self.rt.memstats()
        self.calls[step], self.faults[step] = self.doors.take()
        settle(self.rt)
        self.steps[step] = {
            "RssKB": rollup["Rss"] // 1024,
            "LazyFreeKB": rollup["LazyFree"] // 1024,
            "MinFlt_step": minflt - self.minflt,
            **{name: stats[name] for name in ("HeapSys", "HeapIdle", "HeapInuse", "HeapReleased", "NumGC", "Sys", "NextGC")},
        }
        self.minflt = minflt

    def give_back(self):
        rt = self.rt
        self.fill(512 * MIB), self.note("allocated_and_touched_512MiB")
        self.drop(), self.note("references_dropped")
        rt.gc(), self.note("after_runtime.GC")
        rt.free_os_memory(), self.note("after_FreeOSMemory")

    def run(self):
        rt = self.rt
        self.give_back()
        self.fill(512 * MIB), self.note("re_allocated_and_touched_512MiB")
        self.drop()
        rt.gc(), self.note("after_second_runtime.GC")
        self.fill(256 * MIB), self.note("re_allocated_256MiB_from_idle_not_released")
        return self.steps

    def places(self, step):
        """How many faults of a step were about what, as record_returning.py counts them."""
        about = {"heapArena": "heapArena", "summary": "summary", "pallocData": "pallocData", "central": "spanSet"}
        named = sorted((start, start + size, name) for name, start, size, _ in symbols(self.rt) if name.startswith(tuple(about)))
        found = collections.Counter()
        for address in self.faults[step]:
            inside = (about[key] for start, end, name in named if start <= address < end for key in about if name.startswith(key))
            found["heap" if address in HEAP else next(inside, "other")] += 1
        return dict(found)

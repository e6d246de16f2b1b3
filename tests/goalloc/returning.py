"""A program that fills 512 MiB, drops them, gives them back and fills them again, as the one whose memory and page faults were recorded
(madvise.json.gz): objects of 1 KiB or 1 MiB, every page written, kept in a variable of 12 MiB that has been touched before."""

import ctypes

from hwmem import MachineConfig, params as P
from hwmem._jit import DOORS
from hwmem._jit.doors import NATIVE_DOOR
from hwmem.kernels import kernel, store64
from hwmem.machine.machine import RECORD
import goalloc
from goalloc.kernels import mallocgc, write_pointer

MIB, PAGE = 1 << 20, 4096
KEPT_BYTES = 12 * MIB
BYTES = {"small": 1 << 10, "large": 1 << 20}


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


class SystemCalls:
    """The memory calls of a machine's programs from now on, in `rows` and as the recording has them: call, rights or advice, bytes."""

    NAMES = {
        P.SYS_MMAP: ("mmap", {P.PROT_NONE: "PROT_NONE", P.PROT_READ | P.PROT_WRITE: "PROT_READ|PROT_WRITE"}),
        P.SYS_MADVISE: ("madvise", {P.MADV_DONTNEED: "MADV_DONTNEED", P.MADV_FREE: "MADV_FREE"}),
        P.SYS_MUNMAP: ("munmap", {}),
    }

    def __init__(self, machine):
        self.rows, self.sys = [], machine.state.sys
        self._door = NATIVE_DOOR(DOORS.compile(P.DOOR_SYSCALL, RECORD))
        self._stub = NATIVE_DOOR(self._note)
        machine.state.doors[P.DOOR_SYSCALL] = ctypes.cast(self._stub, ctypes.c_void_p).value

    def _note(self, result, exception, m, t, call, *arguments):
        if call in self.NAMES:
            name, words = self.NAMES[call]
            self.rows.append((name, words.get(int(self.sys[2]), ""), int(self.sys[1])))
        return self._door(result, exception, m, t, call, *arguments)


class Returning:
    """`steps`: what was there after each step, as recorded; `calls`: the memory calls of each step."""

    def __init__(self, kind, madvdontneed):
        config = MachineConfig().replace(cores=1, memory="1GiB")
        self.rt = goalloc.Runtime(config=config, gomaxprocs=1, collects=True, godebug=f"madvdontneed={madvdontneed}")
        self.size, self.steps, self.calls = BYTES[kind], {}, {}
        self.system_calls = SystemCalls(self.rt.process.machine)
        self.keep = self.rt.globals(KEPT_BYTES // 16)
        self.rt.globals(KEPT_BYTES // 16)
        self.rt.process.touch(self.keep, KEPT_BYTES)
        self.faults = self.rt.process.rusage().minflt
        self.note("start")

    def fill(self, nbytes):
        self.kept = nbytes // self.size
        self.rt._run(0, fill, self.keep, self.size, self.kept)

    def drop(self):
        self.rt._run(0, drop, self.keep, self.kept)

    def note(self, step):
        rollup, faults, stats = self.rt.process.smaps_rollup(), self.rt.process.rusage().minflt, self.rt.memstats()
        self.steps[step] = {
            "RssKB": rollup["Rss"] // 1024,
            "LazyFreeKB": rollup["LazyFree"] // 1024,
            "MinFlt_step": faults - self.faults,
            **{name: stats[name] for name in ("HeapSys", "HeapIdle", "HeapInuse", "HeapReleased", "NumGC", "Sys", "NextGC")},
        }
        self.faults = faults
        self.calls[step], self.system_calls.rows = self.system_calls.rows, []

    def run(self):
        rt = self.rt
        self.fill(512 * MIB), self.note("allocated_and_touched_512MiB")
        self.drop(), self.note("references_dropped")
        rt.gc(), self.note("after_runtime.GC")
        rt.free_os_memory(), self.note("after_FreeOSMemory")
        self.fill(512 * MIB), self.note("re_allocated_and_touched_512MiB")
        self.drop()
        rt.gc(), self.note("after_second_runtime.GC")
        self.fill(256 * MIB), self.note("re_allocated_256MiB_from_idle_not_released")
        return self.steps

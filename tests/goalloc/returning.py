"""A program that fills 512 MiB, drops them, gives them back and fills them again, as the one whose system calls and memory were recorded
(madvise.json.gz): objects of 1 KiB or 1 MiB, every page written, kept in a variable of 12 MiB that has been touched before."""

from hwmem import MachineConfig
from hwmem.kernels import kernel, store64
import goalloc
from goalloc import params as P
from goalloc.kernels import mallocgc, write_pointer
from goalloc.pages.mgcscavenge_run import FORCE
from goalloc.pages.mpagealloc import SCAVENGE
from goalloc.programs.process import GLOBALS_BYTES
from goalloc.runtime.start import pages_call

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


class Returning:
    """`steps`: what was there after each step, as recorded."""

    def __init__(self, kind, madvdontneed):
        config = MachineConfig().replace(cores=1, memory="1GiB")
        self.rt = goalloc.Runtime(config=config, gomaxprocs=1, collects=True, godebug=f"madvdontneed={madvdontneed}")
        self.size, self.steps = BYTES[kind], {}
        self.keep = self.rt.globals(KEPT_BYTES // 8)
        self.rt.globals((GLOBALS_BYTES - KEPT_BYTES % 8) // 8)
        self.rt.process.touch(self.keep, KEPT_BYTES)
        self.faults = self.rt.process.rusage().minflt
        self.note("start")

    def fill(self, nbytes):
        self.kept = nbytes // self.size
        self.rt._run(0, fill, self.keep, self.size, self.kept)

    def drop(self):
        self.rt._run(0, drop, self.keep, self.kept)

    def free_os_memory(self):
        """debug.FreeOSMemory(); `calls`: how many madvise calls it was."""
        self.rt.gc()
        guest = self.rt.machine.state.process[self.rt.process.number].guest
        before = int(guest[P.SYS_CALLS])
        pages_call(self.rt, SCAVENGE, P.maxInt64, FORCE)
        self.calls = int(guest[P.SYS_CALLS]) - before

    def note(self, step):
        rollup, faults, stats = self.rt.process.smaps_rollup(), self.rt.process.rusage().minflt, self.rt.memstats()
        self.steps[step] = {
            "RssKB": rollup["Rss"] // 1024,
            "LazyFreeKB": rollup["LazyFree"] // 1024,
            "MinFlt_step": faults - self.faults,
            **{name: stats[name] for name in ("HeapSys", "HeapIdle", "HeapInuse", "HeapReleased", "NumGC", "Sys", "NextGC")},
        }
        self.faults = faults

    def run(self):
        rt = self.rt
        self.fill(512 * MIB), self.note("allocated_and_touched_512MiB")
        self.drop(), self.note("references_dropped")
        rt.gc(), self.note("after_runtime.GC")
        self.free_os_memory(), self.note("after_FreeOSMemory")
        self.fill(512 * MIB), self.note("re_allocated_and_touched_512MiB")
        self.drop()
        rt.gc(), self.note("after_second_runtime.GC")
        self.fill(256 * MIB), self.note("re_allocated_256MiB_from_idle_not_released")
        return self.steps

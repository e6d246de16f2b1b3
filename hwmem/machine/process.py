"""A process as Python sees it: an address space, the prompt's threads in it, and what Linux shows of it.

    Process ── Calls (calls.py)          mmap, munmap, mprotect, madvise, mremap, brk, ...
            ├─ Accesses (accesses.py)    load, store, read, write, atomics, fences, touch
            ├─ Segments (segments.py)    segment registers of a 32-bit process
            ├─ proc/                     maps, smaps, status, stat, pagemap: read without an access
            └─ fork, exit                here

Made by Machine.spawn and by fork. Arguments are checked here; a system call's failure is OSError with Linux's errno, a
bad access SegmentationFault. It gets a thread on a core with its first operation there.
"""

import errno
import os

import numpy as np

from hwmem import params as P
from hwmem.machine.lock import its_machine, one_at_a_time
from hwmem.machine.accesses import Accesses
from hwmem.machine.arguments import check_address, check_count, to_int64
from hwmem.machine.groups import Group
from hwmem.machine.calls import Calls, result_of
from hwmem.errors import MachineError
from hwmem.proc import maps, pagemap, smaps, status
from hwmem.machine.enter import enter
from hwmem.machine.segments import Segments
from hwmem.units import format_size


@one_at_a_time(its_machine)
class Process(Calls, Accesses, Segments):
    """An address space and the prompt's threads in it. Not made directly: Machine.spawn(), or fork()."""

    def __init__(self, machine, number, layout, parent=None):
        self.machine, self.number, self.layout, self.parent = machine, number, layout, parent
        self._threads = {}
        machine.processes.append(self)

    def __repr__(self):
        """Its mappings and resident memory; reading them makes no access on the machine."""
        if self._threads is None:
            return f"<Process {self.number}: exited>"
        record = self.machine.state.process[self.number]
        if record.killed:
            return f"<Process {self.number}: killed, out of memory>"
        resident = format_size(int(record.anon + record.file + record.shared) * P.PAGE)
        (layout,) = (name for name, number in P.LAYOUTS.items() if number == self.layout)
        return f"<Process {self.number}: {layout}, {int(record.vma_count)} mappings, {resident} in RAM>"

    @property
    def record(self):
        """What the machine keeps of it: a row of `process` (layout.PROCESS)."""
        self._alive()
        return self.machine.state.process[self.number]

    def thread_on(self, core):
        """The prompt's thread of this process on `core`. Raises MachineError once the OOM killer has taken the process."""
        if self.record.killed:
            raise MachineError(self.machine.obituary(self.number))
        core = self.machine.check_core(core)
        if core not in self._threads:
            self._threads[core] = self.machine.new_thread(self.number, core)
        return self._threads[core]

    def threads_on_all(self):
        """The prompt's threads of this process on every core, an int64 array."""
        return np.array([self.thread_on(c) for c in range(self.machine.config.cores)], dtype=np.int64)

    def thread_count(self):
        """Threads that can still run, the prompt's among them: at least one, for the first is there before it does anything."""
        m = self.machine.state
        threads = (m.thread[t] for t in range(m.threads))
        others = sum(t.process == self.number and t.state in (P.RUNNABLE, P.BLOCKED, P.SLEEPING) for t in threads)
        return max(len(self._threads) + others, 1)

    def fork(self):
        """A child with a copy of this memory, shared until one of both writes to it: a Process. fork(2)."""
        return Process(self.machine, self._call(P.SYS_FORK), self.layout, self)

    def exit(self):
        """The process ends: its memory goes back, its calls raise from now on."""
        self.record.killed = 0  # reaped: what the OOM killer left of it goes too
        for t in self._threads.values():
            self.machine.state.thread[t].fault_code = 0
        self._call(P.SYS_EXIT)
        for t in self._threads.values():
            self.machine.free_thread(t)
        self._threads = None
        self.machine.processes.remove(self)

    def join(self, group):
        """Belong to memory group `group` from now on; what it has stays charged where it was (cgroup.procs). Raises TypeError, ValueError."""
        if not isinstance(group, Group):
            raise TypeError(f"group: takes a Group (Machine.group), not {type(group).__name__}")
        if group.machine is not self.machine:
            raise ValueError("group: lives on another machine")
        self.record.group = group.number

    @property
    def oom_score_adj(self):
        """/proc/PID/oom_score_adj: how readily it is killed, -1000 (never) to 1000. An ordinary user's process may not lower it (OSError)."""
        return int(self.record.oom_adj)

    @oom_score_adj.setter
    def oom_score_adj(self, value):
        if not -1000 <= to_int64("oom_score_adj", value) <= 1000:
            raise ValueError(f"oom_score_adj: takes -1000 to 1000, not {value}")
        if value < self.record.oom_adj and not self.record.privileged:
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        self.record.oom_adj = int(value)

    # What Linux shows of it

    def maps(self):
        """Its mappings, by address: a list of Vma (start, end, prot, flags, offset, name, and smaps' figures in bytes)."""
        self._alive()
        return maps.vmas(self)

    def maps_text(self):
        """The text of /proc/PID/maps."""
        self._alive()
        return maps.maps_text(self)

    def smaps_text(self):
        """The text of /proc/PID/smaps."""
        self._alive()
        return smaps.smaps_text(self)

    def smaps_rollup(self):
        """The sums of smaps over all mappings: the kernel's names -> bytes."""
        self._alive()
        return smaps.smaps_rollup(self)

    def smaps_rollup_text(self):
        """The text of /proc/PID/smaps_rollup."""
        self._alive()
        return smaps.rollup_text(self)

    def status(self):
        """The memory figures of /proc/PID/status: the kernel's names -> bytes."""
        return status.status(self)

    def status_text(self):
        """/proc/PID/status, as far as the machine has it."""
        return status.status_text(self)

    def stat(self):
        """/proc/PID/stat as a named tuple: minflt, majflt, vsize (bytes), rss (pages), start_brk, ..."""
        return status.stat(self)

    def stat_text(self):
        """The text of /proc/PID/stat."""
        return status.stat_text(self)

    def statm_text(self):
        """The text of /proc/PID/statm."""
        return status.statm_text(self)

    def rusage(self):
        """getrusage(2): .minflt, .majflt, .nswap (pages in swap now), .maxrss (KiB)."""
        return status.rusage(self)

    def pagemap(self, address):
        """The state of the page at `address`: present, swapped, pfn, slot, dirty, exclusive, file, anon, zero, ..."""
        self._has_tables()
        return pagemap.page(self, check_address(address))

    def pagemap_words(self, address, n):
        """/proc/PID/pagemap's words for the pages of [address, address + n): a uint64 array."""
        self._has_tables()
        return pagemap.words(self, check_address(address), check_count(n))

    def pagemap_scan(self, start, end, required=0, any_of=0, inverted=0, returned=P.PAGE_IS_ANY, most=None):
        """ioctl PAGEMAP_SCAN: the pages of [start, end) in the requested categories PAGE_IS_*, as a list of Region (start,
        end, categories). `required`, `any_of`, `inverted`, `returned`: its category_mask, category_anyof_mask, category_inverted
        and return_mask; `most`: its max_pages. Raises ValueError."""
        self._has_tables()
        start, end = check_address(start), check_address(end)
        if start % P.PAGE or end < start:
            raise ValueError(f"start, end: {start:#x} to {end:#x} is no range that begins with a page")
        masks = [check_count(mask) for mask in (required, any_of, inverted, returned)]
        return pagemap.scan(self, start, end, masks, most if most is None else check_count(most))

    def physical(self, address):
        """Physical address of a virtual one. Raises ValueError if its page is not mapped."""
        if not self.machine.config.mmu:
            return check_address(address)
        page = self.pagemap(address)
        if not page.present:
            raise ValueError(f"address: {address:#x} is not mapped")
        return page.pfn * P.PAGE | address % P.PAGE

    def _alive(self):
        if self._threads is None:
            raise ValueError("this process has exited")

    def _has_tables(self):
        self._alive()
        if not self.machine.config.mmu:
            raise ValueError("a machine without an MMU has no page tables")


def spawn(machine, layout, privileged):
    """A new process, created by a thread of no process."""
    t = machine.new_thread(0)
    try:
        result = enter(machine.state, P.DOOR_SYSCALL, t, P.SYS_SPAWN, layout, 0)
        machine.raise_fault(t)
        process = Process(machine, result_of(result), layout)
        process.record.privileged = privileged
        return process
    finally:
        machine.free_thread(t)

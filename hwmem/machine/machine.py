"""The machine as Python sees it: build it, spawn processes, replay traces, read counters, check.

    Machine(config) ── state      the record (layout.MACHINE) that kernels take as `m`
                    ├─ spawn()    -> Process (process.py)
                    ├─ create_file(), file()    -> File (files.py)
                    ├─ replay()   a recorded trace or arrays (replay.py)
                    └─ counters(), line(), check()

Every call from Python runs on a chosen core as one step of a thread that belongs to the prompt, and ends with
that core's store buffer drained: at the prompt's pace the buffer is long empty by the next call.
"""

import threading

import numba

from hwmem.machine import files, groups
from hwmem import params as P
from hwmem._jit import DOORS
from hwmem.machine.lock import one_at_a_time
from hwmem.machine.arguments import to_int64
from hwmem.config.build import build
from hwmem.config.machine import MachineConfig
from hwmem.config.record import Integer
from hwmem.errors import Abort, BusError, Interrupted, MachineError, SegmentationFault
from hwmem.layout import MACHINE
from hwmem.libc.abort import MESSAGES
from hwmem.linux.exec import PROGRAM_PAGES
from hwmem.observe import check, counters
from hwmem.proc import memory
from hwmem.proc.status import COMM
from hwmem.machine.process import Process, spawn
from hwmem.machine.player import HIGHEST, Player
from hwmem.units import format_size

ROOT, USER = 0, 1000  # user ids
RECORD = numba.from_dtype(MACHINE)
USUAL_DOORS = (
    P.DOOR_MEMORY,
    P.DOOR_PAGE_FAULT,
    P.DOOR_HANDLE_FAULT,
    P.DOOR_SCHEDULE,
    P.DOOR_SYSCALL,
    P.DOOR_MAPPING,
    P.DOOR_SPAWN,
)  # few programs do without these
SEED = Integer(0, (1 << 63) - 1)
SEGV_CODES = {P.SEGV_MAPERR: "SEGV_MAPERR", P.SEGV_ACCERR: "SEGV_ACCERR", P.GENERAL_PROTECTION: "SI_KERNEL"}
BUS_CODES = {P.BUS_ADRERR: "BUS_ADRERR", P.BUS_ADRALN: "BUS_ADRALN", P.STACK_FAULT: "SI_KERNEL"}
OTHER_ENDS = {
    P.NO_MEMORY: "out of memory: no frame for the page at {:#x}, thread {}",
    P.BAD_SIZE: "an access at {:#x} by thread {} is not 1, 2, 4 or 8 bytes wide",
    P.BAD_THREAD: "there is no thread number {0:#x}, which thread {1} named",
}
TABLES = {
    P.FULL_FILES: f"{P.MAX_FILES} files and shared anonymous mappings",
    P.FULL_PROCESSES: f"{P.MAX_PROCESSES} processes",
    P.FULL_VMAS: f"{P.MAX_VMAS} mappings of all processes together",
}


@one_at_a_time(lambda machine: machine)
class Machine:
    """An emulated machine. `config`: MachineConfig or None (generic); `seed`: of everything random in it (an int).

    Raises TypeError or ValueError for other arguments, OSError where the host has no address space for it. `.state` is the
    record that kernels take.
    """

    def __init__(self, config=None, seed=0):
        if not isinstance(config, MachineConfig | None):
            raise TypeError(f"config: takes a MachineConfig, not {type(config).__name__}")
        self.config = config or MachineConfig()
        self.seed = SEED.check("seed", seed)
        self.state, self.pages = build(self.config, self.seed)
        DOORS.prepare(USUAL_DOORS, RECORD)
        self.state.doors[:] = DOORS.addresses(RECORD)
        self.processes, self.lock = [], threading.RLock()
        self._free_threads = []
        self.signals = dict(OTHER_ENDS)  # what ended a thread, in words; a language's runtime adds its own
        self.failures = {}  # by the same numbers: its own exceptions, of the words and the number
        self.groups = {}  # memory groups by name
        self.file_names = {}  # by number
        files.create(self, "/usr/bin/program", PROGRAM_PAGES * P.PAGE)  # exec.PROGRAM

    def __repr__(self):
        c = self.config
        many = "1 process" if len(self.processes) == 1 else f"{len(self.processes)} processes"
        return f"<Machine: {c.name}, {c.cores} cores, {format_size(c.memory)} of RAM, {many}>"

    def group(self, name, max=None, high=None, swap_max=None, oom_group=False, **others):
        """A new memory group with these limits (bytes, a size such as "64MiB", None: none): memory.max, memory.high,
        memory.swap.max, memory.oom.group of cgroup v2. Groups stand side by side. Raises TypeError, ValueError."""
        groups.refuse(name, others)
        return groups.create(self, name, (max, high, swap_max), oom_group)

    def spawn(self, layout="linux-x86_64", privileged=False, group=None):
        """A new process with a program's address space; `layout` "linux-x86_64" or "linux-i386". Raises OSError.

        It is an ordinary user's, or `privileged`, root's: then RLIMIT_MEMLOCK does not bind it, it may map below
        vm.mmap_min_addr, and the memory that overcommit mode 2 reserves for the administrator is its own too. `group`: the memory
        group that it belongs to.
        ValueError for another layout, and for linux-i386 where frame or slot numbers could be larger than its page-table
        entries of 4 bytes hold: with more than 4 GiB of RAM, or of swap.
        """
        if not isinstance(layout, str) or layout not in P.LAYOUTS:
            raise ValueError(f"layout: {layout!r} is none of {', '.join(P.LAYOUTS)}")
        if layout == "linux-i386" and max(self.config.memory, self.config.swap) > 4 << 30:
            raise ValueError("layout: linux-i386 reaches 4GiB of memory and 4GiB of swap, and this machine has more")
        process = spawn(self, P.LAYOUTS[layout], bool(privileged))
        if group is not None:
            process.join(group)
        return process

    def new_thread(self, number, core=0):
        """A thread of process `number` on `core`, not yet in a run queue; its number. Raises MachineError when full."""
        m = self.state
        if self._free_threads:
            t = self._free_threads.pop()
        elif m.threads < P.MAX_THREADS:
            t = int(m.threads)
            m.threads += 1
        else:
            raise MachineError(f"{P.MAX_THREADS} threads are all a machine has")
        thread = m.thread[t]
        thread.state, thread.core, thread.process, thread.next = P.FREE, core, number, 0
        thread.steps = thread.waits = thread.fault_code = 0
        thread.local[:] = 0
        return t

    def free_thread(self, t):
        """Release thread `t`; a later new_thread may get its number."""
        self.state.thread[t].state = P.FREE
        self._free_threads.append(t)

    def check_core(self, core):
        """`core` as an int in range; TypeError or ValueError otherwise."""
        if not 0 <= to_int64("core", core) < self.config.cores:
            raise ValueError(f"core: {core} is not one of the {self.config.cores} cores, 0 to {self.config.cores - 1}")
        return int(core)

    def raise_fault(self, t):
        """If a signal ended thread `t`, raise it as an exception; the thread may go on."""
        thread = self.state.thread[t]
        code, thread.fault_code = int(thread.fault_code), 0
        if code == 0:
            return
        thread.state = P.FREE
        address = int(thread.fault_address) & (1 << 64) - 1
        if code in SEGV_CODES:
            raise SegmentationFault(address, "write" if thread.fault_access else "read", SEGV_CODES[code], t)
        if code in BUS_CODES:
            raise BusError(address, "write" if thread.fault_access else "read", BUS_CODES[code], t)
        if code == P.TABLE_FULL:
            raise MachineError(f"the emulator holds {TABLES[address]}, and this would be one more")
        if code == P.ABORTED:
            raise Abort(MESSAGES[address], t)
        if code == P.NO_MEMORY and self.state.process[thread.process].killed:
            raise MachineError(self.obituary(int(thread.process)))
        words = self.signals[code].format(address, t, int(thread.fault_access))
        raise self.failures[code](words, code) if code in self.failures else MachineError(words)

    def obituary(self, number):
        """What the OOM killer took with process `number`, in the words of Linux's log (mm/oom_kill.c); its pid is /proc's."""
        total, anon, file, shared, tables = (int(pages) * P.PAGE // 1024 for pages in self.state.process[number].obituary)
        task = self.state.process[number]
        uid, cause = ROOT if task.privileged else USER, "Memory cgroup out of memory" if task.killed == 2 else "Out of memory"
        return (
            f"{cause}: Killed process {number + 1} ({COMM}) total-vm:{total}kB, anon-rss:{anon}kB, file-rss:{file}kB, "
            f"shmem-rss:{shared}kB, UID:{uid} pgtables:{tables}kB oom_score_adj:{int(task.oom_adj)}"
        )

    def replay(self, trace, core=None, process=None, progress=False):
        """Run a trace's accesses one after another, in order; returns the counters of the replay alone.

        `trace`: what open_trace returned, or (addresses, is_store[, sizes]) as arrays or scalars that fill; or a list of
        opened traces, trace n for core n, whose accesses come as the cores' clocks say.
        `core`: one core, or an array that gives each access its core; None: each thread of a trace has its own
        (machine/player.py), what has no threads core 0. `process`: whose memory it is; None: a new process whose one mapping
        is the whole address space and was there before (machine/replay.py). Raises TypeError, ValueError, SegmentationFault;
        after Ctrl-C Interrupted, a KeyboardInterrupt whose `result` is the counters so far.
        """
        owner, before = self._own(process), None
        end = HIGHEST if owner else self.stand_in_end
        owner = owner or self.stand_in()
        try:
            before = counters.raw(self)
            Player(self, owner, core, end=end).play(trace)
            return counters.named(self, counters.raw(self) - before)
        except KeyboardInterrupt:
            raise Interrupted(None if before is None else counters.named(self, counters.raw(self) - before)) from None
        finally:
            if process is None:
                owner.exit()

    def _own(self, process):
        """`process` if it is one of this machine's, or None; TypeError or ValueError otherwise."""
        if not isinstance(process, Process | None):
            raise TypeError(f"process: takes a Process, not {type(process).__name__}")
        if process and process.machine is not self:
            raise ValueError("process: lives on another machine")
        return process

    def stand_in(self):
        """A process for a trace's program: its whole address space is one mapping that existed before the run (machine/replay.py)."""
        process = self.spawn(privileged=True)
        if self.config.mmu:  # in two pieces: a mapping as long as the address space is refused
            for start, end in ((0, P.MMAP_MIN), (P.MMAP_MIN, P.TASK_END[0])):
                process.mmap(start, end - start, flags=P.MAP_PRIVATE | P.MAP_ANONYMOUS | P.MAP_FIXED | P.MAP_NORESERVE)
            v = int(process.record.first_vma) - 1
            while v >= 0:
                self.state.vma[v].vm_flags |= P.VM_EXISTED
                v = int(self.state.vma[v].next) - 1
        return process

    @property
    def stand_in_end(self):
        """Where a trace's references have ended in a stand-in."""
        return P.TASK_END[0] if self.config.mmu else HIGHEST

    def counters(self):
        """Nested dict of counts since the machine was made or reset; names in docs/counters.md."""
        return counters.named(self, counters.raw(self) - self._counter_base())

    def reset_counters(self):
        """Counts begin at zero again; clocks, caches and memory stay."""
        self._base = counters.raw(self)

    def _counter_base(self):
        return getattr(self, "_base", 0)

    def cycles(self, core):
        """Clock of a core, in cycles."""
        return int(self.state.core[self.check_core(core)].cycles)

    def line(self, address, process=None):
        """The holders of a virtual address's line: {"physical", "state": {core: letter}, "directory", "sharers", "dirty"}.

        `process`: whose address; None: the last one spawned. Raises ValueError if the page is not mapped.
        """
        owner = self._own(process) or (self.processes[-1] if self.processes else None)
        return check.line_holders(self, owner.physical(address) if owner else address)

    def create_file(self, name, data_or_size):
        """A new file with these bytes, or so many zeros ("64MiB"), on the disk; its number, which mmap takes as `fd`."""
        return files.create(self, name, data_or_size)

    def file(self, name):
        """The File of that name: its bytes as programs see them and as the disk has them, sync, truncate."""
        return files.File(self, name)

    def meminfo(self):
        """/proc/meminfo: the kernel's names -> bytes."""
        return memory.meminfo(self)

    def meminfo_text(self):
        """The text of /proc/meminfo."""
        return memory.meminfo_text(self)

    def vmstat(self):
        """/proc/vmstat: the kernel's names -> pages (nr_) and counts of events since the machine was made."""
        return memory.vmstat(self)

    def vmstat_text(self):
        """The text of /proc/vmstat."""
        return memory.vmstat_text(self)

    def buddyinfo(self):
        """/proc/buddyinfo: free blocks of each order, 0 to 10."""
        return memory.buddyinfo(self)

    def buddyinfo_text(self):
        """The text of /proc/buddyinfo."""
        return memory.buddyinfo_text(self)

    def unusable_index(self):
        """Of each order, the part of free memory that lies in blocks too small for it: 0 to 1."""
        return memory.unusable_index(self)

    def fragmentation_index(self):
        """Of each order, why no block can serve it: near 0 for want of memory, near 1 by fragmentation; -1: one can."""
        return memory.fragmentation_index(self)

    def check(self):
        """Raise MachineError, with the values, if any invariant of the machine is broken."""
        check.check_machine(self)

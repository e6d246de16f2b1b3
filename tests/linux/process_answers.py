"""The emulated kernel's answers to the scripts of oracles/linux/process_scripts.py, in the form of processes_oracle.c's."""

from hwmem import params as P
from hwmem.config.machine import MachineConfig
from hwmem.core.access import load8, store8
from hwmem.core.service import drain_all
from hwmem._jit import kernel
from hwmem.machine.enter import place_thread
from hwmem.machine.machine import Machine
from oracles.linux.process_scripts import FILE_PAGES

BASE, WINDOW, PROCESSES = 0x1000_0000_0000, 64 << 20, 4
FIGURES = (
    "rss",
    "pss",
    "pss_dirty",
    "shared_clean",
    "shared_dirty",
    "private_clean",
    "private_dirty",
    "referenced",
    "anonymous",
    "lazyfree",
    "anonhugepages",
    "locked",
)
SIGNALS = {P.SEGV_MAPERR: 256 * 11 + 1, P.SEGV_ACCERR: 256 * 11 + 2, P.BUS_ADRERR: 256 * 7 + 2}
RENAMED = {
    "lock": "mlock",
    "unlock": "munlock",
    "lockall": "mlockall",
    "unlockall": "munlockall",
    "unmap": "munmap",
    "protect": "mprotect",
    "advise": "madvise",
    "refs": "clear_refs",
    "sync": "msync",
}
NO_OFFSET = ("lockall", "unlockall", "refs")


@kernel
def touch(m, t, write, va, n):
    """One byte a page of [va, va + n), in order, until the thread is killed."""
    for here in range(va, va + n, P.PAGE):
        if write:
            store8(m, t, here, 1)
        else:
            load8(m, t, here)
        if m.thread[t].state == P.KILLED:
            break
    drain_all(m, m.thread[t].core)


class Processes:
    """Processes that a script runs in."""

    def __init__(self, memory="256MiB"):
        self.machine = Machine(MachineConfig().replace(cores=1, memory=memory, swap="0", thp="madvise"))
        self.alive = [self.machine.spawn(privileged=True)] + [None] * (PROCESSES - 1)
        self.fd = None

    def warm(self):
        """All of the file is in the page cache, and nothing of it has been used."""
        reader, self.fd = self.machine.spawn(), self.machine.create_file("mapped", FILE_PAGES * P.PAGE)
        a = reader.mmap(0, FILE_PAGES * P.PAGE, P.PROT_READ, P.MAP_SHARED, self.fd)
        reader.madvise(a, FILE_PAGES * P.PAGE, P.MADV_RANDOM)
        reader.touch(a, FILE_PAGES * P.PAGE, write=False)
        reader.exit()

    def answer(self, line):
        p, op, *numbers = line.split()
        process, numbers = self.alive[int(p)], [int(n) for n in numbers]
        answer = {"op": line, "ret": 0, "segv": -1, "sig": 0}
        if op in ("read", "write"):
            self.touch(answer, process, op == "write", *numbers)
        elif op == "fork":
            self.alive[numbers[0]] = process.fork()
        elif op == "exit":
            process.exit()
            self.alive[int(p)] = None
        else:
            try:
                self.call(process, op, numbers)
            except OSError as failure:
                answer["ret"] = -failure.errno
        return answer | {"processes": [shown(q) if q else [] for q in self.alive]}

    def call(self, process, op, numbers):
        if op not in NO_OFFSET:
            numbers[0] += BASE
        if op == "map":
            process.mmap(*numbers[:3], numbers[3] | P.MAP_FIXED)
        elif op == "file":
            process.mmap(*numbers[:3], numbers[3] | P.MAP_FIXED, self.fd, numbers[4] * P.PAGE)
        elif op == "move":
            process.mremap(*numbers[:4], BASE + numbers[4])
        else:
            getattr(process, RENAMED[op])(*numbers)

    def touch(self, answer, process, write, off, length):
        m, t = self.machine.state, process.thread_on(0)
        place_thread(m, t, 0)
        touch(m, t, write, BASE + off, length)
        thread = m.thread[t]
        if thread.fault_code:
            answer["segv"], answer["sig"] = int(thread.fault_address) - BASE, SIGNALS[int(thread.fault_code)]
        thread.fault_code, thread.state = 0, P.FREE


def shown(process):
    vmas = [v for v in process.maps() if BASE <= v.start < BASE + WINDOW]
    return [
        process.status()["VmLck"] >> 10,
        [[v.start - BASE, v.end - BASE, v.perms, v.vmflags, *(getattr(v, name) >> 10 for name in FIGURES)] for v in vmas],
    ]


def answer_script(lines):
    """The list of answers to the lines."""
    processes = Processes()
    if any(line.split()[1] == "file" for line in lines):
        processes.warm()
    answers = [processes.answer(line) for line in lines]
    processes.machine.check()
    return answers

"""The emulated kernel's answers to a script of memory calls, in the form in which the real one's are recorded.

`answer_script` is what tests/oracles/linux/linux_oracle.c is on a real kernel: a process, a window of 64 MiB at WINDOW in
it, one answer a line. The lines, offsets and lengths in bytes from the window's start:

    map OFF LEN PROT | unmap OFF LEN | protect OFF LEN PROT | advise OFF LEN ADVICE | mincore OFF LEN | remap OFF OLD NEW
    any LEN PROT                     mmap without an address; the answer's value is relative to the first such line's
    read OFF LEN | write OFF LEN | fill OFF LEN BYTE | sum OFF LEN      one byte a page, in order, up to the first bad page
    brk DELTA                        the break, relative to where it was at the start
    fork                             a child writes to every page of the window that lets it, and ends

    ret 0 or -errno; minflt, majflt of the accesses; segv: offset of the bad page, or -1; code 1 MAPERR, 2 ACCERR
    vmas    [start, end, rights, rss, anonymous, lazyfree, swap, anonhuge] of each VMA in the window, sizes in KiB
"""

from hwmem import params as P
from hwmem._jit import kernel
from hwmem.config.machine import MachineConfig
from hwmem.core.access import load8, store8
from hwmem.core.service import drain_all
from hwmem.machine.machine import Machine
from hwmem.machine.enter import place_thread

WINDOW, WINDOW_SIZE = 0x1000_0000_0000, 64 << 20
OUTSIDE = WINDOW_SIZE + (1 << 30)  # the harness reads there after a fork, to bring in its handler's pages: a bad access
LIBRARY_HEAP = P.PAGE  # the C library has taken some heap before the script starts
READ, WRITE, FILL, SUM = range(4)
PERFORMED = {"read": READ, "write": WRITE, "fill": FILL, "sum": SUM}
NUMBERS = {
    "map": 3,
    "any": 2,
    "unmap": 2,
    "protect": 3,
    "advise": 3,
    "mincore": 2,
    "remap": 3,
    "read": 2,
    "write": 2,
    "fill": 3,
    "sum": 2,
    "brk": 1,
    "fork": 0,
}
PRIVATE = P.MAP_PRIVATE | P.MAP_ANONYMOUS


@kernel
def perform(m, t, kind, va, n, byte):
    """One byte a page of [va, va + n), in order, until the thread is killed: the sum of what was read."""
    total = 0
    for here in range(va, va + n, P.PAGE):
        if kind == WRITE or kind == FILL:
            store8(m, t, here, byte)
        else:
            total += load8(m, t, here)
        if m.thread[t].state == P.KILLED:
            break
    drain_all(m, m.thread[t].core)
    return total


@kernel
def write_where_allowed(m, t, va, n):
    """A byte to every page of [va, va + n), SIGSEGV ignored."""
    for here in range(va, va + n, P.PAGE):
        store8(m, t, here, 1)
        m.thread[t].state = P.FREE
    m.thread[t].fault_code = 0
    drain_all(m, m.thread[t].core)


class Window:
    """A process that scripts run in."""

    def __init__(self, config):
        self.process = Machine(config).spawn()
        self.first_any = None
        self.start_brk = self.process.sbrk(LIBRARY_HEAP) + LIBRARY_HEAP
        self.calls = {
            "map": self.map,
            "any": self.any,
            "brk": self.brk,
            "mincore": self.mincore,
            "remap": self.remap,
            "fork": self.fork,
            "unmap": self.process.munmap,
            "protect": self.process.mprotect,
            "advise": self.process.madvise,
        }

    def answer(self, line, operation, numbers):
        """The answer to a line."""
        answer = {"op": line, "ret": 0, "minflt": 0, "majflt": 0, "segv": -1, "code": 0}
        if operation in PERFORMED:
            self.access(answer, operation, *numbers)
        else:
            self.call(answer, operation, *numbers)
        return answer | {"vmas": self.vmas()}

    def call(self, answer, operation, *numbers):
        if operation not in ("any", "brk", "fork"):
            numbers = (WINDOW + numbers[0], *numbers[1:])
        try:
            value = self.calls[operation](*numbers)
        except OSError as failure:
            answer["ret"], value = -failure.errno, 0
        if operation in ("any", "mincore"):
            answer["value"] = value
        elif operation == "brk":
            answer["value"] = self.process.brk(0) - self.start_brk
        elif operation == "fork":
            answer["segv"], answer["code"] = self.bad_access(READ, OUTSIDE, P.PAGE, 0)[1:]

    def access(self, answer, operation, offset, length, byte=1):
        before = self.process.rusage()
        total, answer["segv"], answer["code"] = self.bad_access(PERFORMED[operation], offset, length, byte)
        after = self.process.rusage()
        answer["minflt"], answer["majflt"] = after.minflt - before.minflt, after.majflt - before.majflt
        if operation == "sum":
            answer["value"] = total if answer["segv"] < 0 else -1

    def bad_access(self, kind, offset, length, byte):
        """Make the accesses: their sum, and offset and code of the bad one (-1, 0: none)."""
        m, t = self.process.machine.state, self.process.thread_on(0)
        place_thread(m, t, 0)
        total = int(perform(m, t, kind, WINDOW + offset, length, byte & 255))
        thread = m.thread[t]
        code, thread.fault_code, thread.state = int(thread.fault_code), 0, P.FREE
        return total, int(thread.fault_address) - WINDOW if code else -1, code

    def map(self, address, length, prot):
        self.process.mmap(address, length, prot, PRIVATE | P.MAP_FIXED)

    def any(self, length, prot):
        address = self.process.mmap(0, length, prot, PRIVATE)
        if self.first_any is None:
            self.first_any = address
        return address - self.first_any

    def mincore(self, address, length):
        return sum(self.process.mincore(address, length))

    def remap(self, address, old, new):
        self.process.mremap(address, old, new)

    def brk(self, delta):
        self.process.brk(self.start_brk + delta)

    def fork(self):
        child = self.process.fork()
        m, t = child.machine.state, child.thread_on(0)
        place_thread(m, t, 0)
        write_where_allowed(m, t, WINDOW, WINDOW_SIZE)
        child.exit()

    def vmas(self):
        return [
            [v.start - WINDOW, v.end - WINDOW, v.perms, *(n >> 10 for n in (v.rss, v.anonymous, v.lazyfree, v.swap, v.anonhugepages))]
            for v in self.process.maps()
            if WINDOW <= v.start < WINDOW + WINDOW_SIZE
        ]


def parse(line, number):
    """(operation, numbers) of a line. Raises ValueError that names the line's number."""
    operation, *words = line.split()
    if operation not in NUMBERS:
        raise ValueError(f"line {number}: {operation!r:.40} is none of {', '.join(NUMBERS)}")
    if len(words) != NUMBERS[operation]:
        raise ValueError(f"line {number}: {operation} takes {NUMBERS[operation]} numbers, got {len(words)}")
    try:
        numbers = [int(word) for word in words]
    except ValueError:
        raise ValueError(f"line {number}: {line!r:.60} holds what is no whole number") from None
    if not all(-(1 << 63) <= n < 1 << 63 for n in numbers):
        raise ValueError(f"line {number}: a number beyond 64 bits")
    return operation, numbers


def answer_script(lines, config=None):
    """The list of answers (dicts) to a script's lines; empty ones and comments (#) have none. `config`: MachineConfig, or
    None: one core, 256 MiB, 64 MiB of swap, thp "madvise". Raises ValueError for a malformed line."""
    parsed = [(line.strip(), *parse(line, k)) for k, line in enumerate(lines, 1) if line.strip() and not line.lstrip().startswith("#")]
    window = Window(config or MachineConfig().replace(cores=1, memory="256MiB", swap="64MiB", thp="madvise"))
    return [window.answer(*line) for line in parsed]

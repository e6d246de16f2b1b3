"""The memory of a recorded program: a process laid out as it was, and the recorded memory calls carried out in it.

    before the first reference     segments of program and loader, from their headers; the stack; where the heap begins
    a memory call                  at the recorded address, by the thread that made it, on its core; the result is compared
    a page that nothing explains   mapped where it is: an object whose file is not here, or what Valgrind itself mapped

The kernel's work for it costs cycles but does not go through the caches (as in any trace: machine/replay.py), so that the first-level
misses are the program's own. Files are in the page cache from the start: the first touch of their pages is a minor fault.
"""

from hwmem import params as P
from hwmem.errors import MachineError
from hwmem.machine.enter import enter
from hwmem.trace.log import MEMORY
from hwmem.trace.recording import STACK_END, pages_of

CALLS = {9: P.SYS_MMAP, 11: P.SYS_MUNMAP, 25: P.SYS_MREMAP, 12: P.SYS_BRK, 10: P.SYS_MPROTECT, 28: P.SYS_MADVISE}
MMAP, MREMAP, BRK = 9, 25, 12
FIRST_STACK = 33 * P.PAGE  # what execve sets up
READ_AHEAD = 64 << 20  # bytes of a file that are in the page cache before
NOT_HERE = P.MAP_32BIT | P.MAP_ABOVE4G | P.MAP_HUGETLB | P.MAP_HUGE_MASK << P.MAP_HUGE_SHIFT
PRIVATE = P.MAP_PRIVATE | P.MAP_FIXED
MOST_DIFFERENCES = 5  # that are told one by one


class Image:
    """The process of a recording on `machine`. `differences`: sentences on calls whose result was another; `unexplained`: pages that were mapped
    where a reference found none."""

    def __init__(self, machine, recording):
        self.machine, self.recording = machine, recording
        self.process = machine.spawn(privileged=True)
        self.differences, self.unexplained, self._brk = [], 0, 0
        self._files = {}
        record = self.process.record
        record.limit_stack = P.UNLIMITED
        self.process.munmap(0, P.TASK_END[0])
        self._make_files()
        for loaded, elf in self._mapped_before():
            self._map_segments(elf, loaded.bias)
        self.process.mmap(STACK_END - FIRST_STACK, FIRST_STACK, flags=PRIVATE | P.MAP_ANONYMOUS | P.MAP_GROWSDOWN)
        first = next((call for call in recording.calls if call.number == BRK and call.result is not None), None)
        record.start_brk = record.brk = self._brk = first.result if first else P.MMAP_MIN

    @property
    def anonymous(self):
        """Pages of RssAnon."""
        return int(self.process.record.anon)

    def _mapped_before(self):
        """The objects that Valgrind mapped, with their files."""
        both = zip(self.recording.log.objects, self.recording.images)
        return [(loaded, elf) for loaded, elf in both if elf and loaded.mapped is None]

    def _make_files(self):
        """The files that are mapped, as long as they are mapped, and in the page cache."""
        sizes = {}
        for call in self.recording.calls:
            if call.number == MMAP and (call.result or -1) > 0 and not call.arguments[3] & P.MAP_ANONYMOUS:
                name = self._name(call)
                sizes[name] = max(sizes.get(name, 0), call.arguments[1] + call.arguments[5])
        for _, elf in self._mapped_before():
            sizes[elf.path] = max((s.offset + s.stored for s in elf.segments), default=P.PAGE) + P.PAGE
        for name, size in sizes.items():
            self._file(name, size)

    def _name(self, call):
        return call.file or f"descriptor {call.arguments[4]}"

    def _file(self, name, size):
        try:
            number = self.machine.create_file(name, -(-size // P.PAGE) * P.PAGE)
        except (MachineError, ValueError):
            return  # longer than the emulated disk: its mappings are anonymous
        self._files[name] = number
        length = min(size, READ_AHEAD)
        address = self.process.mmap(0, length, prot=P.PROT_READ, flags=P.MAP_SHARED | P.MAP_POPULATE, fd=number)
        self.process.munmap(address, length)

    def _map_segments(self, elf, bias):
        """What execve does with an ELF file: its pages, and zeros to the end of each segment. Linux: fs/binfmt_elf.c."""
        number = self._files.get(elf.path)
        for segment in elf.segments:
            start, middle, end = pages_of(segment, bias)
            if middle > start and segment.stored:
                if number is None:
                    self.process.mmap(start, middle - start, prot=segment.prot, flags=PRIVATE | P.MAP_ANONYMOUS)
                else:
                    self.process.mmap(start, middle - start, segment.prot, PRIVATE, number, segment.offset & -P.PAGE)
            else:
                middle = start
            if end > middle:
                self.process.mmap(middle, end - middle, prot=segment.prot, flags=PRIVATE | P.MAP_ANONYMOUS)

    # While it runs

    def carry_out(self, call, thread, core):
        """A recorded memory call, made by the machine's `thread` on `core`; its result, as Linux has it."""
        if call.result is None or (call.result < 0 and call.number != BRK):
            return call.result or 0  # it was refused, and would be for reasons that are not here
        arguments, wanted = self._arguments(call), call.result
        m = self.machine.state
        m.sys[:] = [value - (1 << 64) if value >= 1 << 63 else value for value in arguments + [0] * (6 - len(arguments))]
        result = int(enter(m, P.DOOR_SYSCALL, thread, CALLS[call.number], 0, 0))
        self.machine.raise_fault(thread)
        if call.number == BRK:
            self._brk = result
        if result != wanted:
            self._differs(call, wanted, result)
        return result

    def _arguments(self, call):
        """What it is made with: at the address that it got."""
        a = list(call.arguments)
        if call.number == MMAP:
            a[0] = call.result
            flags = a[3] & ~NOT_HERE
            if not flags & (P.MAP_FIXED | P.MAP_FIXED_NOREPLACE):
                flags |= P.MAP_FIXED_NOREPLACE
            if not flags & P.MAP_ANONYMOUS:
                a[4] = self._files.get(self._name(call), -1)
                if a[4] < 0:
                    flags, a[5] = flags | P.MAP_ANONYMOUS, 0
            a[3] = flags | P.MAP_NORESERVE
        elif call.number == MREMAP and call.result != a[0]:
            a[3:] = [a[3] | P.MREMAP_MAYMOVE | P.MREMAP_FIXED, call.result]
        return a

    def _differs(self, call, wanted, result):
        name = MEMORY[call.number][0]
        words = ", ".join(f"{value:#x}" if value > 9 else str(value) for value in call.arguments)
        self.differences.append(f"{name}({words}) gave {said(wanted)}, and {said(result)} here")

    def add(self, start, size):
        """Memory that the program did not have, on pages that are there."""
        self.process.mmap(start, size, flags=PRIVATE | P.MAP_ANONYMOUS | P.MAP_POPULATE)

    def explain(self, address):
        """The page of `address` is there, as it must have been in the program."""
        self.unexplained += 1
        self.process.mmap(address & -P.PAGE, P.PAGE, flags=PRIVATE | P.MAP_ANONYMOUS | P.MAP_NORESERVE)

    def notes(self):
        told = [f"A memory call: {one}." for one in self.differences[:MOST_DIFFERENCES]]
        if len(self.differences) > MOST_DIFFERENCES:
            told.append(f"{len(self.differences) - MOST_DIFFERENCES} more memory calls gave another result than in the recording.")
        if self.unexplained:
            told.append(f"{self.unexplained} pages were touched that neither a file found here nor a memory call explains.")
        return told


def said(result):
    return f"errno {-result}" if -4096 < result < 0 else f"{result:#x}"

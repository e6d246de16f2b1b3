"""Files and their mappings for the tests, and a model of them: a dictionary of bytes that forks, copies and forgets as Linux does."""

import itertools
from collections import namedtuple

from hwmem import params as P

PAGE = 4096
RW, READ = P.PROT_READ | P.PROT_WRITE, P.PROT_READ
SHARED, PRIVATE = P.MAP_SHARED, P.MAP_PRIVATE
Faults = namedtuple("Faults", "minflt majflt")
_names = itertools.count()


def contents(pages):
    """What a test's file of `pages` holds: page k is full of the byte k + 1."""
    return b"".join(bytes([(k + 1) % 256]) * PAGE for k in range(pages))


class Disk:
    """Makes files with names of their own."""

    def __init__(self, machine):
        self.machine = machine

    def file(self, pages):
        name = f"file {next(_names)}"
        self.machine.create_file(name, contents(pages))
        return self.machine.file(name)


def map_file(process, address, fd, pages, flags=PRIVATE, prot=RW, first=0):
    return process.mmap(address, pages * PAGE, prot, flags | P.MAP_FIXED, fd, first * PAGE)


def faults(process, action):
    """Minor and major faults of what `action` does."""
    before = process.rusage()
    action()
    after = process.rusage()
    return Faults(after.minflt - before.minflt, after.majflt - before.majflt)


def runs(numbers):
    """Sorted numbers as [first, last] runs."""
    found = []
    for n in numbers:
        if found and found[-1][1] == n - 1:
            found[-1][1] = n
        else:
            found.append([n, n])
    return found


class Space:
    """Processes that map two files and shared memory, step by random step, each beside its model.

    A mapping's model: `pages` of a process is a dictionary from page number to what stands there: ("shared", store, index),
    or ("private", store, index, own bytes or None). A store is a list of bytearrays, one a page.
    """

    PAGES, BASE = 48, 0x2000_0000_0000

    def __init__(self, machine, random):
        self.machine, self.random, self.disk = machine, random, Disk(machine)
        self.files = [self.disk.file(n) for n in (20, 40)]
        self.stores = {f.number: [bytearray(contents(1 + k)[k * PAGE :]) for k in range(f.length // PAGE)] for f in self.files}
        self.processes = [(machine.spawn(), {}) for _ in range(2)]

    def step(self):
        process, pages = self.random.choice(self.processes)
        names = ["map", "map", "anon", "unmap", "msync", "dontneed", "fork", "exit", "sync"] + ["write"] * 12 + ["read"] * 12
        getattr(self, self.random.choice(names))(process, pages)

    def place(self):
        first = self.random.randrange(self.PAGES)
        return first, self.random.randint(1, min(12, self.PAGES - first))

    def map(self, process, pages):
        first, count = self.place()
        file, kind = self.random.choice(self.files), self.random.choice(["shared", "private"])
        store = self.stores[file.number]
        index = self.random.randrange(len(store))
        count = min(count, len(store) - index)
        map_file(process, self.BASE + first * PAGE, file.number, count, SHARED if kind == "shared" else PRIVATE, RW, index)
        for k in range(count):
            pages[first + k] = [kind, store, index + k, None]

    def anon(self, process, pages):
        first, count = self.place()
        process.mmap(self.BASE + first * PAGE, count * PAGE, RW, SHARED | P.MAP_ANONYMOUS | P.MAP_FIXED)
        store = [bytearray(PAGE) for _ in range(count)]
        for k in range(count):
            pages[first + k] = ["shared", store, k, None]

    def unmap(self, process, pages):
        first, count = self.place()
        process.munmap(self.BASE + first * PAGE, count * PAGE)
        for k in range(first, first + count):
            pages.pop(k, None)

    def dontneed(self, process, pages):
        first, count = self.place()
        if all(k in pages for k in range(first, first + count)):
            process.madvise(self.BASE + first * PAGE, count * PAGE, P.MADV_DONTNEED)
            for k in range(first, first + count):
                pages[k][3] = None

    def msync(self, process, pages):
        for k, (kind, store, index, _) in pages.items():
            if kind == "shared":
                process.msync(self.BASE + k * PAGE, PAGE)

    def sync(self, process, pages):
        file = self.random.choice(self.files)
        file.sync()
        assert file.on_disk() == b"".join(self.stores[file.number])

    def fork(self, process, pages):
        if len(self.processes) < 4:
            self.processes.append((process.fork(), {k: [*page[:3], page[3] and bytearray(page[3])] for k, page in pages.items()}))

    def exit(self, process, pages):
        if len(self.processes) > 2:
            process.exit()
            self.processes = [pair for pair in self.processes if pair[0] is not process]

    def write(self, process, pages):
        if not pages:
            return
        k = self.random.choice(list(pages))
        offset, data = self.random.randrange(PAGE - 8), self.random.randbytes(8)
        process.write(self.BASE + k * PAGE + offset, data)
        page = pages[k]
        if page[0] == "private" and page[3] is None:
            page[3] = bytearray(page[1][page[2]])
        (page[3] if page[0] == "private" else page[1][page[2]])[offset : offset + 8] = data

    def read(self, process, pages):
        if pages:
            self.compare(process, self.random.choice(list(pages)), pages)

    def compare(self, process, k, pages):
        kind, store, index, own = pages[k]
        expected = own if own is not None else store[index]
        assert process.read(self.BASE + k * PAGE, PAGE) == bytes(expected), (process.number, k, kind, index)

    def check(self):
        for process, pages in self.processes:
            for k in pages:
                self.compare(process, k, pages)
        for file in self.files:
            assert file.read() == b"".join(self.stores[file.number])
        self.machine.check()

    def end(self):
        self.check()
        for process, _ in self.processes:
            process.exit()

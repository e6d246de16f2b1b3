"""Files of the emulated machine, from Python: made with their bytes on the disk, then mapped by processes.

    fd = machine.create_file("data", b"..." or "64MiB")     the number that mmap takes
    f = machine.file("data")                                what is in it: as programs see it, and as the disk has it

A file is a run of the disk's pages (layout.FILE) and has a name only here. There is no read(2): programs map files, and
what a File reads is what read(2) would give, without an access of the machine. Number 0 is the program that processes run.
"""

import ctypes

import numpy as np

from hwmem import params as P
from hwmem.machine.lock import its_machine, one_at_a_time
from hwmem.machine.arguments import check_place
from hwmem.machine.calls import result_of
from hwmem.errors import MachineError
from hwmem.linux import shmem
from hwmem.linux.page_cache import find_page
from hwmem.machine.enter import enter
from hwmem.units import parse_size


has_number, take_number = (getattr(f, "py_func", f) for f in (shmem.has_number, shmem.take_number))  # too short to compile for Python


def create(machine, name, data_or_size):
    """A new file `name` with these bytes, or with so many zeros; its number. ValueError, MachineError when full."""
    if name in machine.file_names.values():
        raise ValueError(f"name: there is a file {name!r} already")
    data = b"" if isinstance(data_or_size, (int, str, np.integer)) else bytes(data_or_size)
    size = len(data) or (parse_size(data_or_size, "data_or_size") if isinstance(data_or_size, (int, str, np.integer)) else 0)
    m, pages = machine.state, -(-size // P.PAGE)
    if not has_number(m) or not has_room(machine, pages):
        raise MachineError(f"{name!r}, {size} bytes: the disk holds {P.MAX_FILES} files and {P.FILE_PAGES * P.PAGE} bytes of them")
    first = end_of_files(machine)
    reserve(machine, first + pages)
    number = take_number(m)
    f = m.file[number]
    f.first, f.pages, f.length, f.alive = first, pages, size, 1
    ctypes.memmove(int(m.disk.host + f.first * P.PAGE), data, len(data))
    machine.file_names[number] = name
    return number


def end_of_files(machine):
    """The first page of the disk that no file has."""
    m = machine.state
    files = (m.file[n] for n in machine.file_names)
    return max((int(f.first + f.pages) for f in files), default=int(m.swap.slots))


def has_room(machine, pages):
    return end_of_files(machine) + pages <= machine.state.swap.slots + P.FILE_PAGES


def reserve(machine, pages):
    """The host has address space for the first `pages` of the disk. Raises OSError."""
    disk = machine.pages.disk
    if pages * P.PAGE > disk.size:
        machine.state.disk.host = disk.grow(max(pages * P.PAGE, 2 * disk.size))
        machine.state.disk.pages = disk.size // P.PAGE


@one_at_a_time(its_machine)
class File:
    """A file by its name. Not made directly: Machine.file()."""

    def __init__(self, machine, name):
        numbers = [number for number, known in machine.file_names.items() if known == name]
        if not numbers:
            raise ValueError(f"name: there is no file {name!r}")
        self.machine, self.name, self.number = machine, name, numbers[0]

    @property
    def record(self):
        """What the machine keeps of it: a row of `file` (layout.linux.FILE)."""
        return self.machine.state.file[self.number]

    @property
    def length(self):
        """Bytes."""
        return int(self.record.length)

    def read(self, offset=0, n=None):
        """`n` bytes (to the end if None) from `offset` on, as programs see them: what the page cache has, else the disk.
        Raises TypeError or ValueError."""
        return self._bytes(offset, n, self._page)

    def on_disk(self, offset=0, n=None):
        """The same bytes as they would be found after a power failure."""
        return self._bytes(offset, n, self._disk_page)

    def cached(self):
        """Numbers of the pages that are in the page cache, in order."""
        return [i for i in range(-(-self.length // P.PAGE)) if find_page(self.machine.state, self.number, i) > 0]

    def dirty(self):
        """Numbers of the pages that differ from the disk, as far as Linux knows."""
        m = self.machine.state
        return [i for i in self.cached() if m.frame[find_page(m, self.number, i)].state & P.FRAME_DIRTY]

    def sync(self):
        """Write the dirty pages to the disk, and wait for it. fsync(2), made on core 0."""
        self._call(P.SYS_FSYNC, self.number)

    def truncate(self, length):
        """Make the file `length` bytes long: shorter, or longer by zeros. ftruncate(2), made on core 0."""
        length = parse_size(length, "length")
        self._make_room(-(-length // P.PAGE))
        self._call(P.SYS_FTRUNCATE, self.number, length)

    def _bytes(self, offset, n, page):
        offset = check_place("offset", offset)
        end = self.length if n is None else min(self.length, offset + check_place("n", n))
        data = b"".join(page(i) for i in range(offset // P.PAGE, -(-end // P.PAGE)))
        return data[offset % P.PAGE :][: max(end - offset, 0)]

    def _page(self, index):
        frame = find_page(self.machine.state, self.number, index)
        if frame <= 0:
            return self._disk_page(index)
        return ctypes.string_at(int(self.machine.state.ram_base) + int(frame) * P.PAGE, P.PAGE)

    def _disk_page(self, index):
        return ctypes.string_at(self._place() + index * P.PAGE, P.PAGE)

    def _place(self):
        """Where the host keeps the disk's bytes of it."""
        return int(self.machine.state.disk.host + self.record.first * P.PAGE)

    def _make_room(self, pages):
        """A run of at least `pages` on the disk: the file's own, longer if nothing follows, or a new one."""
        f, end = self.record, end_of_files(self.machine)
        if pages <= f.pages:
            return
        if f.first + f.pages == end:
            end = int(f.first)
        if end + pages > self.machine.state.swap.slots + P.FILE_PAGES:
            raise MachineError(f"{self.name!r}: the disk has no room for {pages * P.PAGE} bytes of it")
        reserve(self.machine, end + pages)
        old, used = self._place(), int(f.pages) * P.PAGE
        f.first, f.pages = end, pages
        ctypes.memmove(self._place(), old, used)

    def _call(self, call, *arguments):
        """A system call by a thread of no process."""
        m, t = self.machine.state, self.machine.new_thread(0)
        try:
            m.sys[: len(arguments)] = arguments
            result_of(enter(m, P.DOOR_SYSCALL, t, call, 0, 0))
        finally:
            self.machine.free_thread(t)

"""The ELF files of a program, each opened when the first address in it is asked for.

    Objects(program.objects) ── at(address) ── Loaded(path, bias, image, code, variables)

Programs have libraries in common, and one is replayed again and again: what was read of a file is kept while it stays as it is.

A file that is not there, is damaged, or is not the one that was recorded has no names, and `limits` says so once. The mappings tell
whether it is the one: each shows the file from some offset on, and a segment of the file must lie there and nowhere else.
"""

import os
import threading
import time
from bisect import bisect_right
from contextlib import contextmanager
from functools import lru_cache
from typing import NamedTuple

from hwmem.symbols.code import Code
from hwmem.symbols.dies import Units
from hwmem.symbols.elf import Image, Unreadable, damage
from hwmem.symbols.variables import Variables

PAGE, MOST_KEPT = 4096, 1 << 14
MOST_FILES, RECENT = 12, 2.0  # files kept; seconds
VALGRIND = "/valgrind/"  # its own objects, which are in the program's memory as well
MISSING = "names need pyelftools: pip install 'hwmem[symbols]'; addresses are shown instead"


class Kept(threading.local):
    """The files that were opened last: {(path, directories): (stamp, Image, Code or None)}. A thread's own: reading has a place in the file."""

    def __init__(self):
        self.files = {}

    def get(self, path, directories):
        """(Image, Code) of a file; no Code where it has no debugging information, or none that can be read. Raises Unreadable."""
        stamp, image, code = self.files.pop((path, directories), (None, None, None))
        if image is None or stamp != stamp_of(image.asked_for):
            image = Image(path, directories)
            stamp, code = stamp_of(image.asked_for), None
            if image.dwarf:
                try:
                    with damage("damaged"):
                        code = Code(Units(image.dwarf))
                except Unreadable as error:
                    image.limits.append(f"{path}: debugging information: {error}")
        if all(mark is None or mark.changed < time.time() - RECENT for mark in stamp):
            self.files[path, directories] = stamp, image, code
        while len(self.files) > MOST_FILES:
            del self.files[next(iter(self.files))]
        return image, code


class Mark(NamedTuple):
    """Of a file. `changed`: when, in seconds, to a clock's tick: what was written a moment ago may be written again and look the same."""

    device: int
    inode: int
    size: int
    changed: float


def stamp_of(paths):
    """What changes when one of the files does, comes, or goes: a Mark or None of each."""
    return [mark_of(path) for path in paths]


def mark_of(path):
    try:
        found = os.stat(path)
    except OSError:
        return None
    return Mark(found.st_dev, found.st_ino, found.st_size, found.st_ctime)


kept = Kept()


class Objects:
    """`objects`: trace.program.Object rows; `directories`: where else debugging information may lie. `limits`: sentences."""

    def __init__(self, objects, directories=()):
        self.limits = [] if available() else [MISSING]
        self.loaded = [Loaded(row, directories, self.limits) for row in objects]
        rows = sorted((start, end, one) for one in self.loaded for start, end in one.ranges())
        self.starts, self.rows = [row[0] for row in rows], rows

    def at(self, address):
        """The Loaded that has an address, or None. Behind its last page of the file lies what begins as zeros."""
        i = bisect_right(self.starts, address) - 1
        if i < 0:
            return None
        _, end, loaded = self.rows[i]
        return loaded if address < end or loaded.reaches(address) else None


def available():
    try:
        import elftools  # noqa: F401
    except ImportError:
        return False
    return True


class Loaded:
    """An object in the process. Addresses given to its methods are the process's."""

    def __init__(self, row, directories, limits):
        self.row, self.directories, self.limits = row, directories, limits
        self.path, self.bias, self.name = row.path, row.load_address, os.path.basename(row.path)
        self._image = self._code = self._variables = None
        self.opened = False
        self.variable = lru_cache(MOST_KEPT)(self.variable)  # asked again and again

    def __lt__(self, other):
        return self.path < other.path

    def ranges(self):
        """[(start, end)] of its pages."""
        if self.row.mappings:
            return [(m.start, m.end) for m in self.row.mappings]
        image = self.image
        return (
            [(start + self.bias & -PAGE, start + size + self.bias + PAGE - 1 & -PAGE) for start, size, *_ in image.segments]
            if image
            else []
        )

    def reaches(self, address):
        """Whether one of its segments has the address, on pages that show nothing of the file."""
        segments = self.image.segments if self.image else ()
        return any(start & -PAGE <= address - self.bias < (start + size + PAGE - 1 & -PAGE) for start, size, *_ in segments)

    @property
    def image(self):
        """The Image, or None."""
        if not self.opened:
            self.opened = True
            if available():
                self.open()
        return self._image

    def open(self):
        file = self.row.file
        if VALGRIND in self.path:
            return
        if file is None:
            self.limits.append(f"{self.path}: not found here, so that nothing in it has a name (--symbols DIR says where it is)")
            return
        try:
            image, code = kept.get(file, (*self.directories, os.path.dirname(file)))
            if not fits(image.segments, self.row.mappings, self.bias):
                raise Unreadable("not the file that was recorded: its segments lie elsewhere. Nothing in it has a name")
        except Unreadable as error:
            self.limits.append(f"{file}: {error}")
            return
        self._image = image
        self.limits += image.limits
        if code:
            self._code, self._variables = code, Variables(code)

    @contextmanager
    def noting(self, what):
        """Within this context damage becomes a limit, and the caller gets no name."""
        try:
            with damage("damaged"):
                yield
        except Unreadable as error:
            said = f"{self.row.file}: {what}: {error}"
            if said not in self.limits:
                self.limits.append(said)

    def frames(self, pc):
        """Frames (code.py) of an instruction, innermost first; [] if nothing is known."""
        if self.image is None:
            return []
        if self._code:
            with self.noting("line tables"):
                if found := self._code.frames(pc - self.bias):
                    return found
        return []

    def function(self, pc):
        """(name, start) of the symbol that an instruction lies in, or None."""
        found = self.image and self.image.functions.at(pc - self.bias)
        return (found[0], found[1] + self.bias) if found else None

    def symbol(self, address):
        """(name, start, size) of the symbol of the data at an address, or None."""
        found = self.image and self.image.objects.at(address - self.bias)
        return (found[0], found[1] + self.bias, found[2]) if found else None

    def section(self, address):
        """(name, start) of the section that has an address, or None."""
        found = self.image and self.image.section(address - self.bias)
        return (found[0], found[1] + self.bias) if found else None

    def variable(self, start):
        """The Variable that begins at an address of the process, its `start` the file's own; or None. The symbol table must say the same of
        it: debugging information has no checksum."""
        if self.image and self._variables:
            with self.noting("variables"):
                found = self._variables.beginning_at(start - self.bias)
                if found and not agrees(found, self.image.objects.beginning_at(start - self.bias)):
                    raise Unreadable(f"{found.name:.60} is something else in the symbol table")
                return found
        return None

    @property
    def code(self):
        """Its Code, or None."""
        return self._code if self.image else None


def agrees(variable, symbols):
    """Whether one of the [(name, bytes)] that the symbol table has at its place can be the variable."""
    last = variable.name.rpartition("::")[2]
    return any(last in name and size == variable.size for name, size in symbols)


def fits(segments, mappings, bias):
    """Whether every mapping shows what a segment has there."""
    return all(
        any(
            offset & -PAGE <= m.file_offset <= offset + filesz and m.start - m.file_offset == bias + start - offset
            for start, _, offset, filesz in segments
        )
        or m.start - m.file_offset == bias + min(start - offset for start, _, offset, _ in segments)
        for m in mappings
        if m.start != m.end and segments and (m.file_offset or m.prot & 4)
    )

"""One ELF file: its segments, its symbols, its debugging information, wherever that lies.

    Image("/usr/bin/prog") ── segments           where its bytes are mapped
                           ├─ functions, objects  .symtab or .dynsym, searched by address
                           └─ dwarf               its own, or a separate file's:
                                                    by build id       /usr/lib/debug/.build-id/ab/cdef.debug
                                                    by .gnu_debuglink  beside it, in .debug/, under /usr/lib/debug

The file may be anybody's. What cannot be read becomes a sentence in `limits`, and names from there are left out: a name that is
missing is better than one that is wrong. So a separate file counts only if its build id, or the link's checksum, is the right one.

Needs pyelftools (the extra `symbols`). Sources: System V ABI, gABI chapter 4; GDB's manual, "Separate Debug Files".
"""

import os
import stat
import zlib
from bisect import bisect_left, bisect_right
from contextlib import contextmanager

import numpy as np

DEBUG_ROOT = "/usr/lib/debug"
SYMBOL = np.dtype([("name", "<u4"), ("info", "u1"), ("other", "u1"), ("section", "<u2"), ("value", "<u8"), ("size", "<u8")])
OBJECT, FUNCTION, TLS, IFUNC = 1, 2, 6, 10  # kinds of symbols
UNDEFINED = 0
ALLOCATED, THREAD_LOCAL = 2, 0x400  # flags of sections
MOST_BYTES = 1 << 30  # of a section once it is unpacked
DEBUG_SECTIONS = (".debug_info", ".zdebug_info")
X86_64 = "EM_X86_64"


class Unreadable(Exception):
    """The file cannot be used; the message says why."""


class Image:
    """The file at `path`. `limits`: sentences on what of it could not be used; `asked_for`: paths on which it depends. Raises Unreadable."""

    def __init__(self, path, directories=()):
        self.path, self.limits, self.asked_for = path, [], (path,)
        with damage("no ELF file that can be read"):
            self.elf = opened(path)
            self.build_id = build_id(self.elf)
            self.segments = [(s["p_vaddr"], s["p_memsz"], s["p_offset"], s["p_filesz"]) for s in self.elf.iter_segments(type="PT_LOAD")]
            tls = next(self.elf.iter_segments(type="PT_TLS"), None)
            self.tls_bytes = -(-tls["p_memsz"] // max(tls["p_align"], 1)) * max(tls["p_align"], 1) if tls else 0
            self.sections = [(s.name, s["sh_addr"], s["sh_addr"] + s["sh_size"]) for s in self.elf.iter_sections() if is_loaded(s)]
        self.debug = self.with_debug(directories)
        self.functions, self.objects, self.thread_local = self.symbols((FUNCTION, IFUNC)), self.symbols((OBJECT,)), self.symbols((TLS,))
        self.dwarf = self.read_dwarf()

    def with_debug(self, directories):
        """The ELF file that has the debugging information: this one, a separate one, or None."""
        with damage("no ELF file that can be read"):
            if has_debug(self.elf):
                return self.elf
            link = self.elf.get_dwarf_link() if self.elf.has_dwarf_link() else None
        self.asked_for += tuple(separate_files(self.path, self.build_id, link, directories))
        for path in self.asked_for[1:]:
            if not os.path.exists(path) or same_file(path, self.path):
                continue
            try:
                with damage("no ELF file that can be read"):
                    found = opened(path)
                    fits = build_id(found) == self.build_id if self.build_id else link and checksum(path) == link.checksum
                    if fits and has_debug(found):
                        return found
                    if not fits:
                        self.limits.append(f"{path}: not the debugging information of {self.path}")
            except Unreadable as error:
                self.limits.append(f"{path}: {error}")
        return None

    def symbols(self, kinds):
        """A Symbols of the richest symbol table that there is."""
        for elf in (self.elf, self.debug):
            try:
                with damage("its symbol table is damaged"):
                    table = elf and (elf.get_section_by_name(".symtab") or (elf.get_section_by_name(".dynsym") if not self.debug else None))
                    if table:
                        return Symbols(table, kinds)
            except Unreadable as error:
                self.limits.append(f"{self.path}: {error}")
        with damage("its symbol table is damaged"):
            return Symbols(self.elf.get_section_by_name(".dynsym"), kinds)

    def section(self, address):
        """(name, start) of the section that is loaded at an address, or None."""
        return next(((name, start) for name, start, end in self.sections if start <= address < end), None)

    def bytes_at(self, address, size):
        """Bytes of the file that are loaded at an address; fewer where its segment ends."""
        for start, _, offset, filesz in self.segments:
            if start <= address < start + filesz:
                self.elf.stream.seek(offset + address - start)
                return self.elf.stream.read(min(size, start + filesz - address))
        return b""

    def read_dwarf(self):
        """pyelftools' DWARFInfo, or None."""
        if self.debug is None:
            return None
        try:
            with damage("its debugging information is damaged"):
                check_sizes(self.debug)
                folder = os.path.dirname(self.debug.stream.name)
                self.debug.stream_loader = lambda name: open(os.path.join(folder, name), "rb")
                return self.debug.get_dwarf_info(relocate_dwarf_sections=False)
        except Unreadable as error:
            self.limits.append(f"{self.debug.stream.name}: {error}")
            return None


class Symbols:
    """Symbols of some kinds by address. `.names` and `.starts` are parallel, the starts ascending."""

    def __init__(self, table, kinds):
        self.starts, self.ends, self.names = [], [], []
        if table is None:
            return
        rows = np.frombuffer(table.data()[: table["sh_size"] // SYMBOL.itemsize * SYMBOL.itemsize], SYMBOL)
        strings = table.stringtable.data()
        rows = rows[np.isin(rows["info"] & 15, kinds) & (rows["section"] != UNDEFINED) & (rows["size"] > 0)]
        rows = rows[rows["value"] + rows["size"] > rows["value"]]  # no variable goes on at address 0
        rows = rows[np.lexsort((rows["name"], rows["size"], rows["value"]))]
        self.starts = rows["value"].tolist()
        self.ends = (rows["value"] + rows["size"]).tolist()
        self.names = [
            strings[n : max(strings.find(b"\0", n), n)].decode("utf-8", "replace").partition("@")[0] for n in rows["name"].tolist()
        ]

    def at(self, address):
        """(name, start, size) of the innermost symbol that has the address, None if none has. Of aliases, the plainest name."""
        i = bisect_right(self.starts, address) - 1
        for k in range(i, max(i - 32, -1), -1):
            if address < self.ends[k]:
                start = self.starts[k]
                aliases = [
                    j
                    for j in range(max(k - 32, 0), min(k + 32, len(self.starts)))
                    if (self.starts[j], self.ends[j]) == (start, self.ends[k])
                ]
                best = min(aliases, key=lambda j: (len(self.names[j]) - len(self.names[j].lstrip("_")), len(self.names[j]), self.names[j]))
                return self.names[best], start, self.ends[k] - start
        return None

    def beginning_at(self, start):
        """[(name, bytes)] of all symbols that begin there."""
        first = bisect_left(self.starts, start)
        return [(self.names[i], self.ends[i] - start) for i in range(first, bisect_right(self.starts, start))]


@contextmanager
def damage(what):
    """Inside, whatever pyelftools, zlib or the host make of a damaged file is Unreadable, and `what` says what it is."""
    try:
        yield
    except Unreadable:
        raise
    except OSError as error:
        raise Unreadable(error.strerror or str(error)) from None
    except Exception as error:  # there are many words for damaged bytes
        said = str(error).splitlines()
        raise Unreadable(f"{what} ({said[0][:80] if said else type(error).__name__})") from None


def opened(path):
    """pyelftools' ELFFile of a file for x86-64. Raises Unreadable."""
    from elftools.elf.elffile import ELFFile

    if not stat.S_ISREG(os.stat(path).st_mode):
        raise Unreadable("no ordinary file")
    elf = ELFFile(open(path, "rb"))
    if elf["e_machine"] != X86_64 or elf.elfclass != 64:
        raise Unreadable("not a program for x86-64")
    return elf


def is_loaded(section):
    return section["sh_flags"] & ALLOCATED and not section["sh_flags"] & THREAD_LOCAL and section["sh_size"]


def has_debug(elf):
    return any(elf.get_section_by_name(name) for name in DEBUG_SECTIONS)


def build_id(elf):
    """Hexadecimal digits, or None."""
    note = elf.get_section_by_name(".note.gnu.build-id")
    return next((n["n_desc"] for n in note.iter_notes() if n["n_type"] == "NT_GNU_BUILD_ID"), None) if note else None


def separate_files(path, build_id, link, directories):
    """Where the debugging information of a file may be."""
    folder = os.path.dirname(os.path.abspath(path))
    names = [f"{os.path.basename(path)}.debug"]
    if build_id:
        by_id = os.path.join(".build-id", build_id[:2], f"{build_id[2:]}.debug")
        yield from (os.path.join(root, by_id) for root in (*directories, DEBUG_ROOT))
    if link:
        name = os.path.basename(os.fsdecode(link.filename))
        yield from (os.path.join(folder, name), os.path.join(folder, ".debug", name), os.path.join(DEBUG_ROOT, folder.lstrip("/"), name))
        names.insert(0, name)
    yield from (os.path.join(directory, name) for directory in directories for name in names)


def same_file(path, other):
    return os.path.exists(other) and os.path.samefile(path, other)


def checksum(path):
    """CRC-32 of a file, as .gnu_debuglink has it."""
    found = 0
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            found = zlib.crc32(chunk, found)
    return found


def check_sizes(elf):
    """No debugging section claims to be, or to unpack to, more than there can be of it. Raises Unreadable."""
    for section in elf.iter_sections():
        if section.name.startswith((".debug_", ".zdebug_")) and section.data_size > MOST_BYTES:
            raise Unreadable(f"{section.name} would be of {section.data_size:,} bytes")

"""Memory calls on the host's own kernel, and what its /proc says of them: the other side of test_proc.py."""

import ctypes
import os
import pathlib
import platform
import re
import subprocess
import sys

import pytest

OLDEST = (6, 17)
HEAD = re.compile(
    r"(?P<start>[0-9a-f]{8,})-(?P<end>[0-9a-f]{8,}) (?P<perms>[r-][w-][x-][ps]) (?P<offset>[0-9a-f]{8,}) "
    r"(?P<device>[0-9a-f]{2,}:[0-9a-f]{2}) (?P<inode>\d+) (?P<gap> *)(?P<name>.*)\n"
)
FIGURE = re.compile(r"(?P<name>\w+):(?P<gap> +)(?P<value>\d+)(?P<unit> kB)?\n")
FLAGS = re.compile(r"VmFlags: (?P<codes>([a-z]{2} )+)\n")


def need_linux():
    """Skip where the host's kernel is another one than the emulated, or older."""
    version = tuple(int(n) for n in platform.release().split("-")[0].split(".")[:2]) if sys.platform == "linux" else (0,)
    if version < OLDEST or platform.machine() != "x86_64":
        pytest.skip(
            f"compares with Linux 6.17 or later on x86-64, this is {platform.system()} {platform.release()} on {platform.machine()}"
        )


def lies_on_a_disk(folder):
    """Whether files there are of a file system whose pages are one by one dirty, and written back: not those of tmpfs."""
    kind = subprocess.run(["stat", "-f", "-c", "%T", folder], capture_output=True, text=True).stdout.strip()
    return kind in ("ext2/ext3", "xfs", "btrfs")


def read(name):
    return pathlib.Path("/proc", name).read_text()


def parse_smaps(text):
    """[(head's match, {name: value in the text's unit}, codes)] of a text in smaps' format; every line must fit."""
    entries = []
    for line in text.splitlines(keepends=True):
        if head := HEAD.fullmatch(line):
            entries.append((head, {}, []))
        elif flags := FLAGS.fullmatch(line):
            entries[-1][2].extend(flags["codes"].split())
        else:
            figure = FIGURE.fullmatch(line)
            assert figure, f"no line of smaps: {line!r}"
            entries[-1][1][figure["name"]] = int(figure["value"])
    return entries


def within(text, start, end):
    """Of a text in smaps' format the entries of mappings that begin in [start, end). This process has hundreds of others."""
    heads = [(int(head[1], 16), head.start()) for head in re.finditer(r"^([0-9a-f]+)-[0-9a-f]+ ", text, re.M)]
    places = [place for address, place in heads if start <= address < end]
    after = next((place for address, place in heads if address >= end), len(text))
    return text[places[0] : after] if places else ""


class HostMemory:
    """mmap and its relatives in this process, under Process's names; failures raise OSError."""

    def __init__(self):
        self.libc = ctypes.CDLL(None, use_errno=True)

    def _call(self, name, *arguments):
        function = getattr(self.libc, name)
        function.restype = ctypes.c_long if name in ("mmap", "mremap") else ctypes.c_int
        result = function(*(ctypes.c_long(a) for a in arguments))
        if result == -1:
            raise OSError(ctypes.get_errno(), name)
        return result

    def mmap(self, address, length, prot, flags):
        return self._call("mmap", address, length, prot, flags, -1, 0)

    def munmap(self, address, length):
        self._call("munmap", address, length)

    def mprotect(self, address, length, prot):
        self._call("mprotect", address, length, prot)

    def madvise(self, address, length, advice):
        self._call("madvise", address, length, advice)

    def mlock(self, address, length):
        self._call("mlock", address, length)

    def munlock(self, address, length):
        self._call("munlock", address, length)

    def msync(self, address, length, flags):
        self._call("msync", address, length, flags)

    def mremap(self, address, old, new, flags=0, new_address=0):
        return self._call("mremap", address, old, new, flags, new_address)

    def touch(self, address, n, write=True):
        for page in range(address, address + n, 4096):
            byte = ctypes.c_ubyte.from_address(page)
            if write:
                byte.value = 0
            else:
                byte.value  # noqa: B018  (the access is the point)

    def smaps_text(self):
        return read("self/smaps")

    def pagemap_words(self, address, n):
        with open("/proc/self/pagemap", "rb", buffering=0) as file:
            data = os.pread(file.fileno(), n // 4096 * 8, address // 4096 * 8)
        return [int.from_bytes(data[k : k + 8], "little") for k in range(0, len(data), 8)]


def huge_pages():
    return pathlib.Path("/sys/kernel/mm/transparent_hugepage/enabled").read_text()

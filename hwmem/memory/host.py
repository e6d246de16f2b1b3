"""The host's memory behind a machine: address space that is committed as it is touched, and given back with the machine.

    HostMemory(size, what)    `size` bytes of zeros at `.address`; grow() makes them more, perhaps elsewhere

A reservation costs only address space, of which a process has 128 TiB unless `ulimit -v` allows less. If the host refuses, the error says
how much was wanted, and a machine without references gives its memory back, without a step of Python's, in which a Ctrl-C would be lost. The
machine's record keeps what it holds addresses of (config/build.py).
"""

import contextlib
import ctypes
import errno
import gc
import mmap
import os

from hwmem.memory.ranges import permit
from hwmem.units import format_size

NORESERVE = 0x4000  # of the host's mmap(2), Linux


class Permitted:
    """As long as it lives, checked mode lets kernels reach a range (ranges.py)."""


class HostMemory:
    """Zeroed bytes of the host's, private to this process. `what` names their purpose in the error message. Raises OSError."""

    def __init__(self, size, what):
        self.what = what
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | NORESERVE
        self._pages = self._asked(size, lambda: mmap.mmap(-1, size, flags=flags))
        self._own()

    def grow(self, size):
        """At least `size` bytes; their address, which may be another. Raises OSError, and nothing is changed."""
        if size > self.size:
            self._asked(size, lambda: self._pages.resize(size))
            self._own()
        return self.address

    def use_huge_pages(self):
        """Where the host has pages of 2 MiB, it is asked for them. They are committed whole, and the first touch takes a twentieth of the time."""
        with contextlib.suppress(AttributeError, OSError):
            self._pages.madvise(mmap.MADV_HUGEPAGE)

    def _asked(self, size, request):
        """The host's answer; if it refuses, it is asked again after machines kept alive only by reference cycles are collected."""
        try:
            return request()
        except OSError:
            gc.collect()
        try:
            return request()
        except OSError:
            raise no_room(size, self.what) from None

    def _own(self):
        self.address, self.size, self._permitted = ctypes.addressof(ctypes.c_char.from_buffer(self._pages)), len(self._pages), Permitted()
        permit(self._permitted, self.address, self.size)


def no_room(size, what):
    """The OSError that says which memory the host refused."""
    return OSError(
        errno.ENOMEM,
        f"{what}: the host has no further {format_size(size)} of address space for this process "
        f"({os.strerror(errno.ENOMEM)}; ulimit -v says how much it may have)",
    )

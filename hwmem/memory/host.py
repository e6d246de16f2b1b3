"""The host's memory behind a machine: address space that is committed as it is touched, and given back with the machine.

    HostMemory(size, what)    `size` bytes of zeros at `.address`; grow() makes them more, perhaps elsewhere

What is reserved costs the host address space alone, of which a process has 128 TiB unless `ulimit -v` says less; so it is
said what was wanted where there is none, and no machine that nobody has any more still holds some. The machine's record keeps what it holds addresses of (config/build.py).
"""

import ctypes
import errno
import gc
import os
import weakref

from hwmem.memory.ranges import permit
from hwmem.units import format_size

PROT_READ_WRITE, PRIVATE_ANONYMOUS, NORESERVE, MAYMOVE = 3, 0x22, 0x4000, 1  # of the host (Linux)
FAILED = (1 << 64) - 1
_libc = ctypes.CDLL(None, use_errno=True)


def _function(name, *arguments):
    """A function of the C library that returns an address, or FAILED."""
    function = getattr(_libc, name)
    function.restype, function.argtypes = ctypes.c_size_t, arguments
    return function


_word, _int = ctypes.c_size_t, ctypes.c_int
_mmap = _function("mmap", _word, _word, _int, _int, _int, ctypes.c_long)
_mremap = _function("mremap", _word, _word, _word, _int)
_munmap = _function("munmap", _word, _word)


def asked(function, *arguments):
    """What the host answers; if it refuses, once more when machines that only refer to themselves are gone."""
    address = function(*arguments)
    if address == FAILED:
        gc.collect()
        address = function(*arguments)
    return address


class Permitted:
    """As long as it lives, checked mode lets kernels reach a range (ranges.py)."""


class HostMemory:
    """Zeroed bytes of the host's, private to this process. `what` they are for: what the refusal says. Raises OSError."""

    def __init__(self, size, what):
        self.what = what
        self._own(asked(_mmap, 0, size, PROT_READ_WRITE, PRIVATE_ANONYMOUS | NORESERVE, -1, 0), size)

    def grow(self, size):
        """At least `size` bytes; their address, which may be another. Raises OSError, and nothing is changed."""
        if size > self.size:
            self._own(asked(_mremap, self.address, self.size, size, MAYMOVE), size)
        return self.address

    def _own(self, address, size):
        if address == FAILED:
            raise no_room(size, self.what)
        if hasattr(self, "_release"):
            self._release.detach()
        self.address, self.size, self._permitted = address, size, Permitted()
        permit(self._permitted, address, size)
        self._release = weakref.finalize(self, _munmap, address, size)
        self._release.atexit = False  # a thread of the host's may still be in it


def no_room(size, what):
    """The OSError that says which memory the host does not give."""
    return OSError(
        errno.ENOMEM,
        f"{what}: the host has no further {format_size(size)} of address space for this process "
        f"({os.strerror(errno.ENOMEM)}; ulimit -v says how much it may have)",
    )

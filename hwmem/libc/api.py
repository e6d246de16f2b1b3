"""malloc as Python sees it: hwmem.libc.Malloc(process)."""

import errno
import operator
import os

import numpy as np

from hwmem import params as P
from hwmem.libc import layout as L
from hwmem.libc import malloc as calls
from hwmem.libc.options import OPTIONS
from hwmem.libc.statistics import FIELDS, mallinfo


class Malloc:
    """The C library's heap in a process: `process` of layout "linux-x86_64" on a machine with an MMU, else ValueError.

    Calls raise OSError (ENOMEM) without memory, hwmem.Abort with the library's words where it would abort, SegmentationFault
    where the program would get that. `core` is the core that makes the call; each core's is a thread of its own, with its
    own cache and arena, and the first to call has the main arena. Workload kernels call hwmem.libc.malloc.malloc(m, t, n)
    and free(m, t, mem) in a process for which a Malloc was made.
    """

    def __init__(self, process):
        self.process, self.machine = process, process.machine
        if not self.machine.config.mmu or process.layout != P.LINUX_X86_64:
            raise ValueError("process: takes one of layout linux-x86_64 on a machine with an MMU")
        m = self.machine.state
        if not m.process[process.number].libc:
            key = np.random.default_rng((self.machine.seed, process.number)).integers(1, 1 << 62)
            self._call(0, calls.LOAD, process.mmap(0, L.BYTES), int(key))

    def malloc(self, n, core=0):
        """The address of `n` bytes."""
        return self._memory(core, calls.MALLOC, count("n", n), 0)

    def calloc(self, n, each=1, core=0):
        """`n` times `each` bytes, zero."""
        return self._memory(core, calls.CALLOC, count("n", n), count("each", each))

    def realloc(self, address, n, core=0):
        """The bytes at `address` as `n` bytes, wherever they are then; with `n` 0 they are freed, and the answer is 0."""
        if n == 0 and address != 0:
            self.free(address, core)
            return 0
        return self._memory(core, calls.REALLOC, count("address", address), count("n", n))

    def memalign(self, alignment, n, core=0):
        """`n` bytes at a multiple of `alignment`."""
        return self._memory(core, calls.MEMALIGN, count("alignment", alignment), count("n", n))

    def free(self, address, core=0):
        self._call(core, calls.FREE, count("address", address), 0) if address else None

    def usable_size(self, address, core=0):
        """Bytes at `address` that belong to its user. malloc_usable_size(3)."""
        return self._call(core, calls.USABLE_SIZE, count("address", address), 0)

    def trim(self, pad=0, core=0):
        """Give back what is free, but `pad` bytes of the main arena's top; whether anything was. malloc_trim(3)."""
        return bool(self._call(core, calls.TRIM, count("pad", pad), 0))

    def mallopt(self, option, value, core=0):
        """Set a parameter of the library for this process; whether the library takes the value. mallopt(3).

        `option`: "M_MMAP_THRESHOLD", "M_MMAP_MAX", "M_TOP_PAD", "M_TRIM_THRESHOLD", "M_MXFAST", "M_ARENA_TEST" or
        "M_ARENA_MAX"; `value`: bytes or a count, an int of C: -2**31 to 2**31 - 1. M_TRIM_THRESHOLD of -1: nothing is trimmed.
        """
        if not isinstance(option, str) or option not in OPTIONS:
            raise ValueError(f"option: {option!r} is none of {', '.join(OPTIONS)}")
        if not -(1 << 31) <= integer("value", value) < 1 << 31:
            raise ValueError(f"value: takes -2**31 to 2**31 - 1, not {value}")
        return self._call(core, calls.OPTION, OPTIONS[option], int(value)) == 1

    def end_thread(self, core=0):
        """The thread of `core` has ended: its cache is freed."""
        self._call(core, calls.END_THREAD, 0, 0)

    def info(self, core=0):
        """mallinfo2's fields, a dict of bytes and counts. mallinfo(3)."""
        fields = np.zeros(len(FIELDS), np.int64)
        self.usable_size(0, core)  # the first call of all makes the heap
        self.process._run(core, mallinfo, fields)
        return dict(zip(FIELDS, fields.tolist()))

    def _call(self, core, operation, a, b):
        return self.process._enter(core, P.DOOR_LIBC, operation, a, b)

    def _memory(self, core, operation, a, b):
        address = self._call(core, operation, a, b)
        if address == 0:
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
        return address


def count(name, value):
    """A size or an address as an int of 0 to 2**63 - 1. Raises TypeError, ValueError."""
    value = integer(name, value)
    if not 0 <= value < 1 << 63:
        raise ValueError(f"{name}: takes 0 to 2**63 - 1, not {value}")
    return value


def integer(name, value):
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: takes an int, not {type(value).__name__}") from None

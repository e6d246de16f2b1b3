"""A process's system calls from the prompt: the memory calls, from Python.

The half of Process (process.py) that makes system calls: arguments are checked and put into `m.sys`, one door is entered,
and a negative result becomes OSError with Linux's errno. What the calls do is in linux/syscall.py and below.
"""

import errno
import os

import numpy as np

from hwmem import params as P
from hwmem._jit import kernel
from hwmem.machine.lock import its_machine, one_at_a_time
from hwmem.machine.arguments import to_int64
from hwmem.linux.call_numbers import NUMBERS
from hwmem.linux.madvise import is_resident
from hwmem.linux.vma_tree import find_vma

PROT_RW = P.PROT_READ | P.PROT_WRITE
LONG = 64 << 20  # bytes of a call that Ctrl-C may have to end
NO_CALL = -1
LIMITS = {"stack": "limit_stack", "as": "limit_space", "memlock": "limit_locked", "data": "limit_data"}


@kernel
def resident(m, p, va, vector):
    """mincore's byte for each page from `va` on, all of them mapped."""
    for i in range(len(vector)):
        here = va + i * P.PAGE
        vector[i] = is_resident(m, 0, find_vma(m, p, here), here)


@one_at_a_time(its_machine)
class Calls:
    """The memory system calls of a Process, made on core 0. Failures are OSError with Linux's errno."""

    def mmap(self, address, length, prot=PROT_RW, flags=P.MAP_PRIVATE | P.MAP_ANONYMOUS, fd=-1, offset=0):
        """Map `length` bytes: zeroed memory, or of the file `fd` from `offset` on. The address. mmap(2)."""
        if not self.machine.config.mmu:
            self._alive()
            return self._take_physical(length)
        return self._call(P.SYS_MMAP, address=address, length=length, prot=prot, flags=flags, fd=fd, offset=offset)

    def munmap(self, address, length):
        """Unmap the pages of [address, address + length). munmap(2)."""
        if self.machine.config.mmu:
            self._call(P.SYS_MUNMAP, address=address, length=length)

    def mprotect(self, address, length, prot):
        """Other rights for [address, address + length). mprotect(2)."""
        self._call(P.SYS_MPROTECT, address=address, length=length, prot=prot)

    def madvise(self, address, length, advice):
        """Say what the memory will be used for, or that it will not (MADV_*). madvise(2)."""
        self._call(P.SYS_MADVISE, address=address, length=length, advice=advice)

    def setrlimit(self, resource, limit):
        """RLIMIT_STACK, _AS, _MEMLOCK or _DATA ("stack", "as", "memlock", "data") in bytes; None: unlimited. setrlimit(2)."""
        if not isinstance(resource, str) or resource not in LIMITS:
            raise ValueError(f"resource: {resource!r} is none of {', '.join(LIMITS)}")
        if limit is not None and not 0 <= to_int64("limit", limit) < P.UNLIMITED:
            raise ValueError(f"limit: takes bytes from 0 up, or None, not {limit!r}")
        self.record[LIMITS[resource]] = P.UNLIMITED if limit is None else limit

    def mincore(self, address, length):
        """A byte a page of [address, address + length): 1 where no disk is needed. mincore(2)."""
        self._call(P.SYS_MINCORE, address=address, length=length, vector=0)
        vector = np.zeros(-(-length // P.PAGE), np.uint8)
        resident(self.machine.state, self.number, to_int64("address", address), vector)
        return vector.tobytes()

    def msync(self, address, length, flags=P.MS_SYNC):
        """Write what the range maps, shared, of files to the disk, and wait for it. msync(2)."""
        self._call(P.SYS_MSYNC, address=address, length=length, flags=flags)

    def fsync(self, fd):
        """Write the file's dirty pages to the disk, and wait for it. fsync(2)."""
        self._call(P.SYS_FSYNC, fd=fd)

    def pread(self, fd, address, length, offset):
        """Read whole pages of the file `fd` into [address, address + length), past the page cache; bytes read. pread(2), O_DIRECT."""
        return self._call(P.SYS_PREAD, fd=fd, address=address, length=length, offset=offset)

    def ftruncate(self, fd, length):
        """Make the file `length` bytes long, at most as long as it ever was. ftruncate(2)."""
        self._call(P.SYS_FTRUNCATE, fd=fd, length=length)

    def mremap(self, address, old, new, flags=0, new_address=0):
        """The mapping of `old` bytes at `address` becomes `new` bytes long, elsewhere if MREMAP_MAYMOVE allows and it must,
        at `new_address` with MREMAP_FIXED. Its address. mremap(2)."""
        return self._call(P.SYS_MREMAP, address=address, old=old, new=new, flags=flags, new_address=new_address)

    def brk(self, address):
        """Move the end of the heap; the end. 0 asks where it is. brk(2)."""
        end = self._call(P.SYS_BRK, address=address)
        if end < address % (1 << 64):
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
        return end

    def sbrk(self, increment):
        """Move the end of the heap by `increment` bytes; where it was. sbrk(3)."""
        end = self.brk(0)
        if to_int64("increment", increment):
            if not 0 <= end + increment < 1 << 64:
                raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
            self.brk(max(end + increment, 1))
        return end

    def mlock(self, address, length, flags=0):
        """Bring the pages in and keep them in RAM; with MLOCK_ONFAULT keep each from when it is touched. mlock(2), mlock2(2)."""
        if flags:
            self._call(P.SYS_MLOCK2, address=address, length=length, flags=flags)
        else:
            self._call(P.SYS_MLOCK, address=address, length=length)

    def mlockall(self, flags):
        """Keep every mapping there is (MCL_CURRENT), or is to come (MCL_FUTURE), in RAM. mlockall(2)."""
        self._call(P.SYS_MLOCKALL, flags=flags)

    def clear_refs(self, number):
        """Write `number` (CLEAR_REFS_*) to /proc/PID/clear_refs: forget what was referenced, or 4: written to, until now."""
        self._call(P.SYS_CLEAR_REFS, number=number)

    def munlockall(self):
        """Let every page be reclaimed again, and those of mappings to come. munlockall(2)."""
        self._call(P.SYS_MUNLOCKALL)

    def munlock(self, address, length):
        """Let the pages be reclaimed again. munlock(2)."""
        self._call(P.SYS_MUNLOCK, address=address, length=length)

    def syscall(self, number, *arguments):
        """The system call that programs of this layout know by `number` (call_numbers.py), with up to six arguments: its result.

        syscall(2). Raises OSError, ENOSYS for a number that is none; not for fork and _exit, which are methods.
        """
        call = NUMBERS[self.layout].get(to_int64("number", number), NO_CALL)
        if call in (P.SYS_FORK, P.SYS_EXIT):
            raise ValueError(f"number: {number} makes or ends a process; call fork() or exit()")
        if len(arguments) > len(self.machine.state.sys):
            raise ValueError(f"arguments: a system call takes up to six, not {len(arguments)}")
        return self._call(call, **{f"arguments[{k}]": value for k, value in enumerate(arguments)})

    def _call(self, call, **arguments):
        if not self.machine.config.mmu and call != P.SYS_EXIT:
            raise OSError(errno.ENOSYS, "not on a machine without an MMU")
        values = [to_int64(name, value) for name, value in arguments.items()]
        self.machine.state.sys[:] = values + [0] * (len(self.machine.state.sys) - len(values))
        return result_of(self._enter(0, P.DOOR_SYSCALL, call, 0, 0, arguments.get("length", 0) > LONG))

    def _take_physical(self, length):
        """Without an MMU memory is handed out upwards, page by page, and not taken back."""
        f = self.machine.state.frames
        pages = -(-to_int64("length", length) // P.PAGE)
        if pages <= 0:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        if f.fresh + pages > f.total:
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
        start = int(f.fresh) * P.PAGE
        f.fresh += pages
        f.used += pages
        return start


def result_of(result):
    """A system call's result, or its failure as OSError."""
    if -P.MOST_ERRNO <= result < 0:
        raise OSError(-int(result), os.strerror(-int(result)))
    return int(result)

"""A process as Python sees it: its memory calls, and loads and stores on a core of one's choice.

Made by Machine.spawn. Arguments are checked here; a system call's failure is OSError with Linux's errno, a bad
access SegmentationFault. Values of 8 bytes are signed (int64, as in kernels), smaller ones unsigned.
"""
import errno
import os

import numpy as np

from hwmem import params as P
from hwmem._jit import kernel
from hwmem.core.access import compare_exchange64, exchange64, fetch_add64, load, store
from hwmem.core.fence import lfence, mfence, sfence
from hwmem.core.service import drain_all
from hwmem.linux.page_table import find_leaf
from hwmem.prompt import enter, place_thread

SIZES = (1, 2, 4, 8)
FENCES = ("mfence", "sfence", "lfence")
ADD, EXCHANGE, COMPARE_EXCHANGE = range(3)
PROT_RW = P.PROT_READ | P.PROT_WRITE


@kernel
def one_atomic(m, t, operation, va, a, b):
    if operation == ADD:
        return fetch_add64(m, t, va, a)
    if operation == EXCHANGE:
        return exchange64(m, t, va, a)
    return compare_exchange64(m, t, va, a, b)


@kernel
def one_fence(m, t, which):
    if which == 0:
        mfence(m, t)
    elif which == 1:
        sfence(m, t)
    else:
        lfence(m, t)


@kernel
def load_all(m, t, addresses, size, values):
    for i in range(len(addresses)):
        values[i] = load(m, t, addresses[i], size)
        if m.thread[t].state == P.KILLED:
            return


@kernel
def copy_bytes(m, t, va, data, write):
    """Bytes to (`write`) or from emulated memory, by 8 where they are left."""
    i = 0
    while i < len(data) and m.thread[t].state != P.KILLED:
        size = 8 if len(data) - i >= 8 and va + i & 7 == 0 else 1
        value = 0
        if write:
            for k in range(size):
                value |= np.int64(data[i + k]) << 8 * k
            store(m, t, va + i, size, value)
        else:
            value = load(m, t, va + i, size)
            for k in range(size):
                data[i + k] = value >> 8 * k & 255
        i += size
    drain_all(m, m.thread[t].core)


@kernel
def touch_pages(m, t, va, n, write):
    """One access a page of [va, va + n)."""
    end = va + n
    while va < end and m.thread[t].state != P.KILLED:
        if write:
            store(m, t, va, 1, 0)
        else:
            load(m, t, va, 1)
        va = (va // P.PAGE + 1) * P.PAGE
    drain_all(m, m.thread[t].core)


class Process:
    """An address space and the prompt's threads in it. Not made directly: Machine.spawn()."""

    def __init__(self, machine, layout):
        self.machine, self.layout = machine, layout
        self._threads = {}
        t = machine.new_thread(0)
        try:
            self.number = self._result(enter(machine.state, P.DOOR_SYSCALL, t, 0, P.SYS_SPAWN, layout, 0))
        except OSError:
            machine.free_thread(t)
            raise
        machine.state.thread[t].process = self.number
        self._threads[0] = t

    def thread_on(self, core):
        """The prompt's thread of this process on `core`."""
        self._alive()
        core = self.machine.check_core(core)
        if core not in self._threads:
            self._threads[core] = self.machine.new_thread(self.number, core)
        return self._threads[core]

    def threads_on_all(self):
        """The prompt's threads of this process on every core, an int64 array."""
        return np.array([self.thread_on(c) for c in range(self.machine.config.cores)], dtype=np.int64)

    # System calls

    def mmap(self, address, length, prot=PROT_RW, flags=P.MAP_PRIVATE | P.MAP_ANONYMOUS, fd=-1, offset=0):
        """Map `length` bytes of zeroed memory; the address. mmap(2)."""
        if not self.machine.config.mmu:
            return self._take_physical(length)
        return self._call(P.SYS_MMAP, address, length, prot, flags)

    def munmap(self, address, length):
        """Unmap the pages of [address, address + length). munmap(2)."""
        if self.machine.config.mmu:
            self._call(P.SYS_MUNMAP, address, length)

    def exit(self):
        """The process ends: its memory goes back, its calls raise from now on."""
        self._call(P.SYS_EXIT)
        for t in self._threads.values():
            self.machine.free_thread(t)
        self._threads = None
        self.machine.processes.remove(self)

    # Accesses

    def load(self, address, size=8, core=0):
        """The `size` bytes (1, 2, 4, 8) at `address`, little-endian."""
        check_size(size)
        return self._enter(core, P.DOOR_MEMORY, check_address(address), size | P.LOAD << P.KIND_SHIFT, 0)

    def store(self, address, value, size=8, core=0):
        """Write the low `size` bytes of `value`."""
        check_size(size)
        self._enter(core, P.DOOR_MEMORY, check_address(address), size | P.STORE << P.KIND_SHIFT, to_int64(value))

    def read(self, address, n, core=0):
        """`n` bytes, by loads."""
        data = np.zeros(n, np.uint8)
        self._run(core, copy_bytes, check_address(address), data, False)
        return data.tobytes()

    def write(self, address, data, core=0):
        """Write bytes, by stores."""
        self._run(core, copy_bytes, check_address(address), np.frombuffer(bytes(data), np.uint8).copy(), True)

    def fetch_add(self, address, value, core=0):
        """Add atomically to the 8 bytes at `address`; the old value."""
        return self._run(core, one_atomic, ADD, check_address(address), to_int64(value), 0)

    def exchange(self, address, value, core=0):
        """Put `value` there atomically; the old value."""
        return self._run(core, one_atomic, EXCHANGE, check_address(address), to_int64(value), 0)

    def compare_exchange(self, address, old, new, core=0):
        """Put `new` there if it holds `old`, atomically; the value that was there."""
        return self._run(core, one_atomic, COMPARE_EXCHANGE, check_address(address), to_int64(old), to_int64(new))

    def fence(self, kind="mfence", core=0):
        """"mfence", "sfence" or "lfence"."""
        if kind not in FENCES:
            raise ValueError(f"kind: {kind!r} is none of {', '.join(FENCES)}")
        self._run(core, one_fence, FENCES.index(kind))

    def load_many(self, addresses, size=8, core=0):
        """Load from every address of an int64 array, in order, in one jitted loop; an int64 array of values."""
        check_size(size)
        addresses = np.ascontiguousarray(addresses, dtype=np.int64)
        values = np.zeros(len(addresses), np.int64)
        self._run(core, load_all, addresses, size, values)
        return values

    def touch(self, address, n, write=True, core=0):
        """One access a page of [address, address + n): a load, or a store of a zero byte at the first address of each."""
        self._run(core, touch_pages, check_address(address), n, bool(write))

    def physical(self, address):
        """Physical address of a virtual one. Raises ValueError if its page is not mapped."""
        if not self.machine.config.mmu:
            return check_address(address)
        entry = find_leaf(self.machine.state, self.number, check_address(address))
        if entry == 0:
            raise ValueError(f"address: {address:#x} is not mapped")
        return int(entry & P.PTE_FRAME | address & (P.PAGE - 1))

    # What stands behind them

    def _alive(self):
        if self._threads is None:
            raise ValueError("this process has exited")

    def _enter(self, core, door, a, b, d):
        t = self.thread_on(core)
        result = enter(self.machine.state, door, t, core, a, b, d)
        self.machine.raise_fault(t)
        return int(result)

    def _run(self, core, operation, *arguments):
        t = self.thread_on(core)
        place_thread(self.machine.state, t, core)
        result = operation(self.machine.state, t, *arguments)
        self.machine.raise_fault(t)
        return result if result is None else int(result)

    def _call(self, number, *arguments):
        m = self.machine.state
        m.sys[:len(arguments)] = [to_int64(a) for a in arguments]
        return self._result(self._enter(0, P.DOOR_SYSCALL, number, 0, 0))

    def _result(self, result):
        if -4096 < result < 0:
            raise OSError(-result, os.strerror(-result))
        return int(result)

    def _take_physical(self, length):
        """Without an MMU memory is handed out upwards, page by page, and not taken back."""
        f = self.machine.state.frames
        pages = -(-length // P.PAGE)
        if length <= 0:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        if f.fresh + pages > f.total:
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
        start = int(f.fresh) * P.PAGE
        f.fresh += pages
        f.used += pages
        return start


def check_size(size):
    if size not in SIZES:
        raise ValueError(f"size: {size!r} is none of 1, 2, 4, 8")


def check_address(address):
    if isinstance(address, bool) or not isinstance(address, (int, np.integer)):
        raise TypeError(f"address: takes an int, not {type(address).__name__}")
    return to_int64(address)


def to_int64(value):
    """An int of up to 64 bits as int64, modulo 2**64."""
    value = int(value)
    if not -(1 << 63) <= value < 1 << 64:
        raise ValueError(f"value: {value} does not fit 64 bits")
    return value - (1 << 64) if value >= 1 << 63 else value

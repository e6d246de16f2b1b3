"""A process's accesses from the prompt: loads, stores, atomics and fences, on any core.

The half of Process (process.py) that runs kernels of one access or many. Every call is one step of the prompt's thread on
that core and ends with the core's stores visible; a bad access raises SegmentationFault. Values of 8 bytes are signed
(int64, as in kernels), smaller ones unsigned.
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import kernel
from hwmem.machine.lock import its_machine, one_at_a_time
from hwmem.machine.arguments import check_address, check_bytes, check_count, check_size, int64_array, to_int64
from hwmem.core.access import compare_exchange64, exchange64, fetch_add64, load, store
from hwmem.core.fence import lfence, mfence, sfence
from hwmem.core.service import drain_all
from hwmem.machine.enter import enter, place_thread
from hwmem.machine.interrupt import run_interruptibly
from hwmem.sched.scheduler import is_over

FENCES = ("mfence", "sfence", "lfence")
ADD, EXCHANGE, COMPARE_EXCHANGE = range(3)
MANY = 1 << 16  # accesses in one call


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
        if m.thread[t].state == P.KILLED or is_over(m, t):
            return


@kernel
def copy_bytes(m, t, va, data, write):
    """Bytes to (`write`) or from emulated memory, by 8 where they are left."""
    i = 0
    while i < len(data) and m.thread[t].state != P.KILLED and not is_over(m, t):
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
    while n > 0 and m.thread[t].state != P.KILLED and not is_over(m, t):
        if write:
            store(m, t, va, 1, 0)
        else:
            load(m, t, va, 1)
        step = P.PAGE - (va & P.PAGE - 1)
        va += step
        n -= step
    drain_all(m, m.thread[t].core)


@one_at_a_time(its_machine)
class Accesses:
    """The accesses of a Process, which has `machine` and `thread_on(core)`."""

    def load(self, address, size=8, core=0):
        """The `size` bytes (1, 2, 4, 8) at `address`, little-endian."""
        return self._enter(core, P.DOOR_MEMORY, check_address(address), check_size(size) | P.LOAD << P.KIND_SHIFT, 0)

    def store(self, address, value, size=8, core=0):
        """Write the low `size` bytes of `value`."""
        self._enter(core, P.DOOR_MEMORY, check_address(address), check_size(size) | P.STORE << P.KIND_SHIFT, to_int64("value", value))

    def read(self, address, n, core=0):
        """`n` bytes, by loads."""
        try:
            data = np.zeros(check_count(n), np.uint8)
        except MemoryError:
            raise ValueError(f"n: {n} bytes are more than this host can hold") from None
        self._run(core, copy_bytes, check_address(address), data, False, work=len(data))
        return data.tobytes()

    def write(self, address, data, core=0):
        """Write bytes, by stores."""
        data = np.frombuffer(check_bytes(data), np.uint8).copy()
        self._run(core, copy_bytes, check_address(address), data, True, work=len(data))

    def fetch_add(self, address, value, core=0):
        """Add atomically to the 8 bytes at `address`; the old value."""
        return self._run(core, one_atomic, ADD, check_address(address), to_int64("value", value), 0)

    def exchange(self, address, value, core=0):
        """Put `value` there atomically; the old value."""
        return self._run(core, one_atomic, EXCHANGE, check_address(address), to_int64("value", value), 0)

    def compare_exchange(self, address, old, new, core=0):
        """Put `new` there if it holds `old`, atomically; the value that was there."""
        return self._run(core, one_atomic, COMPARE_EXCHANGE, check_address(address), to_int64("old", old), to_int64("new", new))

    def fence(self, kind="mfence", core=0):
        """ "mfence", "sfence" or "lfence"."""
        if kind not in FENCES:
            raise ValueError(f"kind: {kind!r} is none of {', '.join(FENCES)}")
        self._run(core, one_fence, FENCES.index(kind))

    def load_many(self, addresses, size=8, core=0):
        """Load from every address of an int64 array, in order, in one jitted loop; an int64 array of values."""
        addresses = int64_array("addresses", addresses)
        values = np.zeros(len(addresses), np.int64)
        self._run(core, load_all, addresses, check_size(size), values, work=len(values))
        return values

    def touch(self, address, n, write=True, core=0):
        """One access a page of [address, address + n): a load, or a store of a zero byte at the first address of each."""
        self._run(core, touch_pages, check_address(address), check_count(n), bool(write), work=n // P.PAGE)

    def _enter(self, core, door, a, b, d, long=False):
        """`long`: it may take so long that Ctrl-C must be able to end it."""
        t, m = self.thread_on(core), self.machine.state
        arguments = (m, door, t, a, b, d)
        result = run_interruptibly(m, enter, *arguments) if long else enter(*arguments)
        self.machine.raise_fault(t)
        return int(result)

    def _run(self, core, operation, *arguments, work=1):
        """`work`: how many accesses; many of them Ctrl-C can end."""
        t, m = self.thread_on(core), self.machine.state
        place_thread(m, t, int(core))
        result = operation(m, t, *arguments) if work < MANY else run_interruptibly(m, operation, m, t, *arguments)
        self.machine.raise_fault(t)
        return result if result is None else int(result)

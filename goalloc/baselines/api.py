"""An allocator as Python sees it: goalloc.baselines.Allocator(process, "tcmalloc")."""

import errno
import os
from typing import NamedTuple

import hwmem.params as H
from hwmem.libc.api import Malloc, count
from goalloc import params as P
from goalloc.baselines import system as S
from goalloc.baselines import walk, walk_jemalloc, walk_tcmalloc
from goalloc.baselines.freelist import BEST, FIRST, NEXT, SEGREGATED
from goalloc.baselines.jemalloc_layout import MUZZY
from goalloc.baselines.tcmalloc_layout import PER_CPU, PER_THREAD


class Kind(NamedTuple):
    """`door`: where its calls go; `policy`: of those that share one; `walk`: what checks it; `what`: it in a few words."""

    door: int
    policy: int
    walk: object
    what: str


KINDS = {
    "bump": Kind(P.DOOR_BUMP, 0, walk.bump, "a pointer that only moves on; nothing is used again"),
    "first-fit": Kind(P.DOOR_FREELIST, FIRST, walk.freelist, "one list of free blocks, boundary tags: the first that is large enough"),
    "next-fit": Kind(P.DOOR_FREELIST, NEXT, walk.freelist, "the same from where the last search ended"),
    "best-fit": Kind(P.DOOR_FREELIST, BEST, walk.freelist, "the same: the smallest that is large enough"),
    "segregated": Kind(P.DOOR_FREELIST, SEGREGATED, walk.freelist, "a list for each range of sizes"),
    "buddy": Kind(P.DOOR_BUDDY, 0, walk.buddy, "powers of two, halved and joined with their buddies"),
    "glibc": Kind(P.DOOR_GLIBC, 0, walk.glibc, "glibc 2.36: thread caches, bins, arenas"),
    "tcmalloc": Kind(P.DOOR_TCMALLOC, PER_CPU, walk_tcmalloc.tcmalloc, "Google's: a cache for each CPU, spans, hugepages"),
    "tcmalloc-threads": Kind(P.DOOR_TCMALLOC, PER_THREAD, walk_tcmalloc.tcmalloc, "the same with a cache for each thread"),
    "jemalloc": Kind(P.DOOR_JEMALLOC, 0, walk_jemalloc.jemalloc, "5.3: thread caches, arenas of slabs, pages that decay"),
    "jemalloc-muzzy": Kind(P.DOOR_JEMALLOC, MUZZY, walk_jemalloc.jemalloc, "the same, and pages are muzzy (MADV_FREE) for a while"),
}
NAMES = tuple(KINDS)


class Allocator:
    """The allocator `name` (NAMES) in `process`, of layout linux-x86_64 on a machine with an MMU, else ValueError.

    Calls raise OSError (ENOMEM) without memory. `core` is the core that makes the call; each core's is a thread of its own. Workload
    kernels call goalloc.baselines.malloc's functions in a process for which an Allocator was made. A process keeps its allocator forever.
    """

    def __init__(self, process, name):
        if name not in KINDS:
            raise ValueError(f"allocator: {name!r:.60} is none of {', '.join(NAMES)}")
        self.process, self.machine, self.name, self.kind = process, process.machine, name, KINDS[name]
        if not self.machine.config.mmu or process.layout != H.LINUX_X86_64:
            raise ValueError("process: takes one of layout linux-x86_64 on a machine with an MMU")
        guest = process.record.guest
        if guest[P.ALLOCATOR] or guest[P.G]:
            raise ValueError("process: has an allocator already")
        if name == "glibc":
            Malloc(process)
        place = process.mmap(0, S.BYTES)
        guest[P.DATA] = place + (S.DATA_SET - place // H.PAGE) % 16 * H.PAGE + S.DATA_SKEW
        guest[P.MILLISECOND] = int(self.machine.config.frequency_ghz * 1e6)
        guest[P.ALLOCATOR], guest[P.POLICY] = self.kind.door, self.kind.policy
        self._call(0, S.INIT, 0, 0)

    def malloc(self, n, core=0):
        """The address of `n` bytes."""
        return self._memory(core, S.MALLOC, count("n", n), 0)

    def free(self, address, core=0):
        if count("address", address):
            self._call(core, S.FREE, address, 0)

    def realloc(self, address, n, core=0):
        """The bytes at `address` (0: none) as `n` bytes, wherever they are then."""
        return self._memory(core, S.REALLOC, count("address", address), count("n", n))

    def usable_size(self, address, core=0):
        """Bytes at `address` that belong to its user."""
        return self._call(core, S.USABLE_SIZE, count("address", address), 0)

    def tick(self, everything=False, core=0):
        """Give back memory that has not been used for long; `everything`: all that can be."""
        self._call(core, S.TICK, int(everything), 0)

    def end_thread(self, core=0):
        """The thread of `core` makes no more calls."""
        self._call(core, S.END_THREAD, 0, 0)

    def check(self):
        """Raise MachineError if a structure is not as it must be; what the allocator holds, as `statistics` gives it."""
        return self.kind.walk(self)

    def statistics(self):
        """Bytes and counts: "mapped" (from the kernel), "blocks" and "used" (given to users, with what they lose in them), "free"
        (kept for later requests), "other" (headers and tables)."""
        return self.check()

    def _call(self, core, operation, a, b):
        return self.process._enter(core, self.kind.door, operation, a, b)

    def _memory(self, core, operation, a, b):
        address = self._call(core, operation, a, b)
        if address == 0:
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
        return address

"""Which thread and core make each access of a trace, block by block.

    one core            the core that is named, or the one thread's                        replay.replay_one_core
    a core an access    core=array: access i on core[i]                                    replay.replay_cores
    a core a thread     a trace with threads: each on its own core, in the trace's order   replay.replay_cores
    a core a trace      several traces: the smallest clock is next                         replay.replay_by_clock

Thread n of a trace runs on core n where that is free, else on the highest that is; when all are taken, threads share core
n % cores (and the prompt's one emulated thread there). Cycles that a trace says are computed before an access pass on its core's clock.
"""

import numpy as np

from hwmem.errors import SegmentationFault
from hwmem.machine.arguments import int64_array
from hwmem.machine.enter import place_thread
from hwmem.machine.interrupt import in_parts
from hwmem.machine.replay import as_arrays, forget_addresses, replay_by_clock, replay_cores, replay_one_core
from hwmem.machine.where import nobodys_places

SEVERAL_RECORDS = 1 << 16  # references of each of several traces in memory at a time
NOWHERE = np.zeros(0, np.int64)
HIGHEST = 2**63 - 1


class Player:
    """Plays traces on `machine` in the memory of `owner`, a Process. `core`: a core, an array of one a reference, or None.
    `places`: where.new_places(True), to be filled. `end`: where references have ended, in a process that has all below it."""

    def __init__(self, machine, owner, core=None, places=None, end=HIGHEST):
        self.machine, self.owner = machine, owner
        self.places = nobodys_places() if places is None else places
        self.core = core if core is None or isinstance(core, (int, np.integer)) else checked_cores(machine, core)
        if isinstance(self.core, (int, np.integer)):
            machine.check_core(self.core)
        self.end = end
        self.made = 0  # references
        self.counted = False  # whether it is known that there is a core for each
        self.core_of = {}  # thread of the trace -> its core

    def play(self, trace):
        """All of `trace`: an opened trace, several, or arrays (addresses, is_store[, sizes])."""
        try:
            self.play_all(trace)
        except SegmentationFault as fault:
            if self.end == HIGHEST:
                raise
            raise ValueError(
                f"addresses: {fault.address:#x} is not below {self.end:#x}, where user space ends; a machine without an MMU (mmu=False) replays it"
            ) from None
        finally:
            if not self.machine.config.mmu:
                forget_addresses(self.machine.state)

    def play_all(self, trace):
        if isinstance(trace, (tuple, list)) and trace and all(hasattr(one, "blocks") for one in trace):
            self.play_several(trace)
            return
        if isinstance(self.core, np.ndarray) and hasattr(trace, "blocks"):
            self.expect(sum(trace.counts[:2]))
            self.counted = True
        if hasattr(trace, "located"):
            for block, instruction in trace.located(instructions=self.places.on, end=self.end):
                self.play_block(*block, instruction)
        else:
            for block in blocks_of(trace):
                self.play_block(*block)
        if trailing := getattr(trace, "trailing", 0):
            self.machine.state.core[self.core_for(0)].cycles += trailing

    @property
    def cores(self):
        """The cores that the trace's threads have run on, in the threads' order."""
        if isinstance(self.core, np.ndarray):
            return sorted(set(self.core.tolist()))
        return [self.core_of[thread] for thread in sorted(self.core_of)] or [self.core_for(0)]

    def play_block(self, addresses, is_store, sizes, thread=None, compute=None, instruction=NOWHERE):
        addresses, is_store, sizes = as_arrays(addresses, is_store, sizes)
        n = len(addresses)
        cores = self.cores_for(thread, n)
        if isinstance(cores, int) and not self.places.on and (compute is None or not compute.any()):
            self.on_one_core(cores, addresses, is_store, sizes)
        else:
            compute, thread = (np.zeros(n, np.int32) if array is None else array for array in (compute, thread))
            cores = np.full(n, cores) if isinstance(cores, int) else cores
            threads, arrays = self.threads(), (addresses, is_store, sizes, compute, thread, instruction)
            for start, end in in_parts(n):
                replay_cores(self.machine.state, threads, cores[start:end], tuple(array[start:end] for array in arrays), self.places)
                self.raise_faults()
        self.made += n

    def on_one_core(self, core, addresses, is_store, sizes):
        t = self.owner.thread_on(core)
        place_thread(self.machine.state, t, core)
        for start, end in in_parts(len(addresses)):
            replay_one_core(self.machine.state, t, addresses[start:end], is_store[start:end], sizes[start:end])
            self.machine.raise_fault(t)

    def cores_for(self, thread, n):
        """The core of `n` references, or an array with the core of each."""
        if isinstance(self.core, np.ndarray):
            if not self.counted:
                self.expect(n)
            return self.core[self.made : self.made + n]
        if self.core is not None:
            return int(self.core)
        if thread is None or not n:
            return self.core_for(0)
        if thread.min() == thread.max():
            return self.core_for(int(thread[0]))
        names, first, which = np.unique(thread, return_index=True, return_inverse=True)
        cores = np.zeros(len(names), np.int64)
        for k in np.argsort(first):  # in the order in which they come up
            cores[k] = self.core_for(int(names[k]))
        return cores[which]

    def core_for(self, thread):
        """The core of a trace's thread."""
        if self.core is not None and not isinstance(self.core, np.ndarray):
            return int(self.core)
        if thread not in self.core_of:
            free = set(range(self.machine.config.cores)) - set(self.core_of.values())
            self.core_of[thread] = thread if thread in free else max(free) if free else thread % self.machine.config.cores
        return self.core_of[thread]

    def expect(self, n):
        """Check that there is a core for each of `n` references."""
        if len(self.core) != n:
            raise ValueError(f"core: takes one core, or an array of {n} cores, not shape {self.core.shape}")

    def threads(self):
        """The emulated thread of every core, in place there."""
        threads = self.owner.threads_on_all()
        for c, t in enumerate(threads):
            place_thread(self.machine.state, t, c)
        return threads

    def raise_faults(self):
        for t in self.owner.threads_on_all():
            self.machine.raise_fault(int(t))

    def play_several(self, traces):
        """Trace n on core n. Raises ValueError for more traces than cores, or cores that are named."""
        cores = self.machine.config.cores
        if self.core is not None:
            raise ValueError("core: several traces run on a core each; name none")
        if len(traces) > cores:
            raise ValueError(f"trace: {len(traces)} traces need as many cores, and the machine has {cores}")
        queue = Queue(traces, self.places.on, self.end)
        threads = self.threads()
        self.core_of = {n: n for n in range(len(traces))}
        while queue.fill():
            replay_by_clock(self.machine.state, threads, queue.at, queue.end, queue.arrays, self.places)
            self.raise_faults()
        for n, trace in enumerate(traces):
            self.machine.state.core[n].cycles += trace.trailing


class Queue:
    """The pending references of several traces: trace n's are at[n] to end[n] of the arrays; end[n] = -1: it is over."""

    def __init__(self, traces, located, end):
        self.sources = [trace.located(SEVERAL_RECORDS, bool(located), end) for trace in traces]
        n = len(traces) * SEVERAL_RECORDS
        self.arrays = (
            np.empty(n, np.int64),
            np.empty(n, np.bool_),
            np.empty(n, np.uint16),
            np.empty(n, np.int32),
            np.repeat(np.arange(len(traces), dtype=np.int32), SEVERAL_RECORDS),
            np.zeros(n if located else 0, np.int64),
        )
        self.at, self.end = np.zeros(len(traces), np.int64), np.zeros(len(traces), np.int64)

    def fill(self):
        """Read on where nothing is left; whether there is anything to replay."""
        for n in np.flatnonzero(self.at == self.end):
            block, instruction = next(self.sources[n], (None, None))
            if block is None:
                self.end[n] = -1
                continue
            if block.thread.any():
                raise ValueError("trace: several traces run on a core each, and one of them names cores itself")
            self.at[n] = n * SEVERAL_RECORDS
            self.end[n] = self.at[n] + len(block.addresses)
            for array, source in zip(self.arrays, (block.addresses, block.is_store, block.sizes, block.compute)):
                array[self.at[n] : self.end[n]] = source
            if len(instruction):
                self.arrays[-1][self.at[n] : self.end[n]] = instruction
        return bool((self.end >= 0).any())


def blocks_of(trace):
    """A trace, or arrays, as a sequence of what Player.play_block takes."""
    if hasattr(trace, "blocks"):
        return trace.blocks()
    if not isinstance(trace, (tuple, list)) or not 2 <= len(trace) <= 3:
        raise TypeError("trace: takes an opened trace, several, or arrays (addresses, is_store[, sizes])")
    return [(*trace, None)[:3]]


def checked_cores(machine, core):
    core = int64_array("core", core)
    if len(core) and not (0 <= core.min() and core.max() < machine.config.cores):
        raise ValueError(f"core: takes cores 0 to {machine.config.cores - 1}, got {core.min()} to {core.max()}")
    return core

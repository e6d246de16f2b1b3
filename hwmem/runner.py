"""hwmem.run: a workload on a machine of its own, from its name to its result.

    parameters settled ── machine, process ── setup ── clocks level, counters zero ── threads ── kernel ── Result
                                                       └─────────── the measured phase ────────────┘

The same name, configuration, parameters, seed and version give the same result to the last digit.
"""
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
from numba import typeof

from hwmem import comparison
from hwmem import params as P
from hwmem._jit import JIT_DISABLED, kernel
from hwmem.errors import MachineError
from hwmem.machine import Machine
from hwmem.programs import Space, find
from hwmem.programs.registry import as_values_sees
from hwmem.result import Result, symbol_at
from hwmem.sched.block import enqueue

BAR_PERIOD_SECONDS = 0.1


def run(name, config=None, seed=0, progress=False, cores=None, compare=False, **parameters):
    """Run the workload `name` (see hwmem.workloads()) and return its Result.

    `config`: MachineConfig, None: generic. `seed`: an int, of all that is random. `progress`: a bar on stderr.
    `cores`: numbers of the cores its threads run on, thread i on cores[i % len(cores)]; None: all, in order.
    `compare`: run it also as the workload's declaration says it should be compared (Result.comparison).
    Raises TypeError or ValueError, one line, for arguments that are wrong; SegmentationFault or MachineError if the
    program did not end well.
    """
    job = Job(name, config, seed, cores, parameters)
    result = job.run(progress)
    if compare:
        result.comparison = comparison.compare(job.workload, result, lambda other: Job(name, config, seed, cores, other).run(progress))
    return result


class Job:
    """A workload set up on a machine of its own, ready to go."""

    def __init__(self, name, config, seed, cores, parameters):
        self.workload = find(name)
        self.parameters = self.workload.settle(parameters)
        self.machine = Machine(config, seed)
        self.cores = self._checked(cores)
        self.space = Space(self.machine.spawn(), np.random.default_rng(seed), self.cores[0])
        frame = SimpleNamespace(**self.parameters)
        if self.workload.setup:
            self.workload.setup(frame, self.space)
        self.w = self.workload.argument(vars(frame))
        number = self.space.process.number
        self.threads = [self.machine.new_thread(number, self.cores[i % len(self.cores)])
                        for i in range(getattr(frame, "threads", 1))]

    def _checked(self, cores):
        if cores is None:
            return list(range(self.machine.config.cores))
        if not cores:
            raise ValueError("cores: takes at least one core")
        return [self.machine.check_core(c) for c in cores]

    def run(self, progress):
        """The measured phase, then what came of it."""
        machine, m = self.machine, self.machine.state
        self.compile()
        start = level_clocks(m)
        machine.reset_counters()
        for rank, t in enumerate(self.threads):
            start_thread(m, t, rank)
        began = time.perf_counter()
        if progress:
            with_bar(self.workload, m, self.w)
        else:
            self.workload.kernel(m, self.w)
        wall = time.perf_counter() - began
        self.check_end()
        cycles = max(machine.cycles(c) for c in self.cores) - start
        counters = machine.counters()
        values = self.workload.values(as_values_sees(self.w), self.space) if self.workload.values else {}
        return Result(workload=self.workload.name, parameters=self.parameters, seed=machine.seed, config=machine.config,
                      cores=[int(m.thread[t].core) for t in self.threads], operation=self.workload.operation,
                      cycles=cycles, wall_seconds=wall, counters=counters, values=plain(values), symbols=plain(self.space.symbols))

    def compile(self):
        """See that the kernel's machine code is there, so that its making is not measured."""
        if not JIT_DISABLED:
            self.workload.kernel.compile((typeof(self.machine.state), typeof(self.w)))

    def check_end(self):
        """Raise what ended a thread before its time."""
        m = self.machine.state
        for t in self.threads:
            self.machine.raise_fault(t)
        waiting = [f"thread {rank} waits at {symbol_at(self.space.symbols, int(m.thread[t].wait_address))}"
                   for rank, t in enumerate(self.threads) if m.thread[t].state == P.BLOCKED]
        if waiting:
            raise MachineError(f"deadlock: {', '.join(waiting)}")


@kernel
def start_thread(m, t, rank):
    """Thread `t` is ready to run; its first register holds its number."""
    m.thread[t].local[0] = rank
    m.thread[t].state = P.RUNNABLE
    enqueue(m, t)


def level_clocks(m):
    """All cores wait for the one that is furthest; that cycle."""
    start = max(int(m.core[c].cycles) for c in range(m.cores))
    for c in range(m.cores):
        m.core[c].idle_cycles += start - m.core[c].cycles
        m.core[c].cycles = start
    return start


def with_bar(workload, m, w):
    """Run the kernel in a thread of the host's, while a bar on stderr counts its accesses."""
    from tqdm import tqdm
    failures = []

    def work():
        try:
            workload.kernel(m, w)
        except BaseException as error:
            failures.append(error)

    worker = threading.Thread(target=work, daemon=True)
    before = accesses(m)
    with tqdm(desc=workload.name, unit=" accesses", unit_scale=True, delay=1.0, file=sys.stderr, leave=False) as bar:
        worker.start()
        while worker.is_alive():
            worker.join(BAR_PERIOD_SECONDS)
            bar.update(accesses(m) - before - bar.n)
    if failures:
        raise failures[0]


def accesses(m):
    return sum(int(m.core[c].loads + m.core[c].stores + m.core[c].atomics) for c in range(m.cores))


def plain(value):
    """A value as JSON has it: numpy's numbers and arrays become Python's."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value

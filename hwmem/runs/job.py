"""hwmem.run: a workload on a machine of its own, from its name to its result.

    parameters settled ── machine, process ── setup ── clocks level, counters zero ── threads ── kernel ── Result
                                                       └─────────── the measured phase ────────────┘

The same name, configuration, parameters, seed and version give the same result to the last digit.
"""

import sys
import time
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace

import numpy as np
from numba import typeof

from hwmem.runs import comparison, series
from hwmem import params as P
from hwmem._jit import JIT_DISABLED, kernel
from hwmem.machine.arguments import int64_array
from hwmem.config.record import Integer
from hwmem.ctrl_c import heard, none_lost
from hwmem.errors import Interrupted, MachineError, WorkloadError
from hwmem.machine.interrupt import in_time, is_left, run_aside, run_interruptibly
from hwmem.machine.machine import Machine
from hwmem.machine.player import Player
from hwmem.machine.where import new_places, tables
from hwmem.runs.watch import INTERRUPTED, UNWATCHED, Watch
from hwmem.programs import Space, find
from hwmem.programs.file import compiled
from hwmem.programs.registry import as_values_sees
from hwmem.proc.residency import residency
from hwmem.runs.result import Result, symbol_at
from hwmem.sched.block import enqueue

MAX_CYCLES = Integer(1, 10**18)
VALUES_SECONDS = 0.3  # for what an interrupted program has computed
RECORDING = "threads"  # the format
JSON_TYPES = frozenset((int, float, str, bool, type(None)))
TOP, KEPT = 10, 200  # rows of a table of where misses are: shown, and kept in the result
START_SPREAD_CYCLES = 1000  # no two threads of a real program start in the same cycle; what the seed decides


def run(
    name,
    config=None,
    seed=0,
    progress=False,
    cores=None,
    compare=False,
    c2c=None,
    classify=False,
    events=0,
    races=False,
    max_cycles=None,
    **parameters,
):
    """Run the workload `name` (see hwmem.workloads()) and return its Result.

    `config`: MachineConfig, None: generic, with the workload's own settings. `seed`: an int, for everything random.
    `progress`: a bar on stderr.
    `cores`: numbers of the cores its threads run on, thread i on cores[i % len(cores)]; None: all, in order.
    `compare`: also run the variants that the workload declares for comparison (Result.comparison).
    `c2c`: watch contended lines (Result.c2c()); None: if it has several threads. `classify`: count misses by cause.
    `events`: how many coherence requests to log (Result.events). `races`: look for data races (Result.races). Observing
    costs time on the host, and no cycle.
    `max_cycles`: where the program is stopped if it has not ended by then; the result's `stopped` says so.
    Raises TypeError or ValueError, one line, for wrong arguments; WorkloadError for a kernel that does not compile;
    SegmentationFault or MachineError if the program failed; after Ctrl-C Interrupted, a KeyboardInterrupt whose `result` has
    what was measured so far.
    """
    return Job(find(name), config, seed, cores, parameters).run(progress, compare, Watch(c2c, classify, events, races), max_cycles)


class Job:
    """A workload set up on a machine of its own, ready to go. Raises TypeError or ValueError for wrong arguments.

    `workload`: a Workload; `environment`: what its setup finds as space.environment, like a process's environment variables."""

    def __init__(self, workload, config=None, seed=0, cores=None, parameters=(), environment=None):
        self.workload, self.on, self.environment = workload, cores, dict(environment or {})
        self.parameters = self.workload.settle(dict(parameters))
        self.machine = Machine(self.workload.config() if config is None else config, seed)
        self.workload.check_machine(self.machine.config)
        self.seed = self.machine.seed
        self.cores = self._checked(cores)
        self.random = np.random.default_rng(self.seed)

    def set_up(self):
        """Prepare the program's variables in memory, its threads, and the kernel's machine code; unmeasured."""
        self.space = Space(self.machine.spawn(), self.random, self.cores[0], self.environment)
        frame = SimpleNamespace(**self.parameters)
        try:
            self.workload.setup(frame, self.space)
        except OSError as error:
            raise MachineError(f"{self.workload.name}: setup: {error.strerror}") from None
        try:
            self.w = self.workload.argument(vars(frame))
        except TypeError as error:
            written = self.workload.setup.__code__
            raise WorkloadError(f"{written.co_filename}:{written.co_firstlineno}: setup: {error}") from None
        number = self.space.process.number
        self.threads = [self.machine.new_thread(number, self.cores[i % len(self.cores)]) for i in range(getattr(frame, "threads", 1))]
        if not JIT_DISABLED:
            run_aside(compiled, self.workload.kernel, typeof(self.machine.state), typeof(self.w))

    def _checked(self, cores):
        if cores is None:
            return list(range(self.machine.config.cores))
        numbers = int64_array("cores", cores)
        if not len(numbers):
            raise ValueError("cores: takes at least one core")
        return [self.machine.check_core(c) for c in numbers]

    @none_lost()
    def run(self, progress=False, compare=False, watch=UNWATCHED, max_cycles=None):
        """The measured phase, and its result. Raises Interrupted. `progress`: a bar, or a function of the job that gives a context
        (cli/live.py)."""
        machine, m = self.machine, self.machine.state
        limit = P.NEVER if max_cycles is None else MAX_CYCLES.check("max_cycles", max_cycles)
        self.set_up()
        self.start = start = self.level_clocks()
        machine.reset_counters()
        watch.start(machine, self.threads)
        series.start(machine, self.space.process.number, self.space.probes, start)
        for rank, t in enumerate(self.threads):
            start_thread(m, t, rank)
        wall, stopped = self.measure(progress, min(start + limit, P.NEVER))
        watch.stop(machine)
        if stopped != INTERRUPTED:
            self.check_end(stopped)
        cores = [int(m.thread[t].core) for t in self.threads]
        cycles = max(map(machine.cycles, cores)) - start
        counters = machine.counters()
        over_time = series.stop(machine, self.threads[0], start + cycles, self.space.probes)
        values = self.computed(stopped)
        result = Result(
            workload=self.workload.name,
            parameters=self.parameters,
            seed=self.seed,
            config=machine.config,
            cores=cores,
            operation=self.workload.operation,
            cycles=cycles,
            wall_seconds=wall,
            counters=counters,
            values=plain(values),
            symbols=[list(symbol) for symbol in self.space.symbols],
            lines=watch.lines(machine, self.space.symbols, self.threads, stopped),
            events=watch.log(machine, self.threads),
            series=over_time,
            space=residency(self.space.process),
            start=start,
            races=watch.found_races(machine, self.threads),
            stopped=stopped,
        )
        if stopped == INTERRUPTED:
            raise Interrupted(result)
        if compare:
            self.compare(result, progress, max_cycles)
        return result

    def measure(self, progress, until):
        """Run the kernel up to the cycle `until`: the host's seconds, and why it was stopped or None."""
        m = self.machine.state
        m.stopped, m.until = 0, until
        began, stopped = time.perf_counter(), None
        try:
            with self.telling(progress) as tick:
                run_interruptibly(m, self.workload.kernel, m, self.w, tick=tick)
        except KeyboardInterrupt:
            heard.clear()
            if is_left(m):  # it goes on: nothing of it can be told
                raise
            stopped = INTERRUPTED
        finally:
            if not is_left(m):
                m.until = P.NEVER
        wall = time.perf_counter() - began
        if stopped is None and m.stopped:
            stopped = f"max_cycles: the program had not ended after {until - self.start:,} cycles"
        return wall, stopped or self.unfinished()

    def telling(self, progress):
        """A context that provides the function called while the kernel runs."""
        if callable(progress):
            return progress(self)
        return bar_of(self.workload.name, self.machine.state) if progress else nullcontext()

    def unfinished(self):
        """What to say of threads that could still run when the kernel returned, or None."""
        m = self.machine.state
        ranks = [str(rank) for rank, t in enumerate(self.threads) if m.thread[t].state in (P.RUNNABLE, P.SLEEPING)]
        if not ranks:
            return None
        return f"the kernel returned before {'threads' if len(ranks) > 1 else 'thread'} {', '.join(ranks)} had finished"

    def computed(self, stopped):
        """The program's values; none where it was stopped and they cannot be had, or not soon enough after Ctrl-C."""

        def values():
            with np.errstate(all="ignore") if stopped else nullcontext():  # what it has not come to is divided by as well
                return self.workload.values(as_values_sees(self.w), self.space)

        if stopped == INTERRUPTED:
            return in_time(VALUES_SECONDS, values, {})
        try:
            return values()
        except Exception:
            if stopped:
                return {}
            raise

    def compare(self, result, progress, max_cycles):
        """Complete the result with its variants, under one bar. Raises Interrupted, the result as it is without them."""
        from tqdm import tqdm

        def variant(parameters):
            made = self.again(parameters).run(max_cycles=max_cycles)
            bar.update()
            return made

        try:
            with tqdm(
                desc=f"{self.workload.name}: its variants (--alone: none)",
                total=comparison.variants(self.workload, self.parameters),
                unit="run",
                delay=1.0,
                file=sys.stderr,
                leave=False,
                disable=not progress,
            ) as bar:
                result.comparison = comparison.compare(self.workload, result, variant)
        except KeyboardInterrupt:
            result.stopped = f"{INTERRUPTED} while variants of it ran"
            raise Interrupted(result) from None

    def again(self, parameters):
        """The same job with other parameters."""
        return Job(self.workload, self.machine.config, self.seed, self.on, parameters, self.environment)

    def level_clocks(self):
        """All cores wait for the one that is furthest; returns that cycle. With several threads, they start one by one."""
        m = self.machine.state
        start = max(int(m.core[c].cycles) for c in range(m.cores))
        for c in range(m.cores):
            late = int(self.random.integers(START_SPREAD_CYCLES)) if len(self.threads) > 1 else 0
            m.core[c].idle_cycles += start + late - m.core[c].cycles
            m.core[c].cycles = start + late
        return start

    def check_end(self, stopped):
        """Raise the error that ended a thread early, or a child that others wait for; in a run that was `stopped` threads may wait."""
        m = self.machine.state
        for t in self.threads:
            self.machine.raise_fault(t)
        waiting = [
            f"thread {rank} waits at {symbol_at(self.space.symbols, int(m.thread[t].wait_address))}"
            for rank, t in enumerate(self.threads)
            if m.thread[t].state == P.BLOCKED
        ]
        if waiting and not stopped:
            for t in range(m.threads):
                self.machine.raise_fault(t)
            raise MachineError(f"deadlock: {', '.join(waiting)}")


@kernel
def start_thread(m, t, rank):
    """Thread `t` is ready to run; its first register holds its number."""
    m.thread[t].local[0] = rank
    m.thread[t].state = P.RUNNABLE
    enqueue(m, t)


@contextmanager
def bar_of(name, m):
    """A bar on stderr that counts the machine's accesses whenever what this gives is called."""
    from tqdm import tqdm

    with tqdm(desc=name, unit=" accesses", unit_scale=True, delay=1.0, file=sys.stderr, leave=False) as bar:
        before = accesses(m)
        yield lambda: bar.update(accesses(m) - before - bar.n)


def replay(traces, config=None, core=None, watch=None, top=TOP, wishes=None):
    """Run an opened trace, or a list of them, as Machine.replay does, on a machine of its own; a Result.

    `watch`: what else to look at (c2c=None: contended lines, if the traces are several or have cores); `top`: for how many lines, pages,
    ... the report shows where the misses are, 0: not collected; `wishes`: for a recording of threads, runs/recorded.Wishes. Raises
    TraceError for a malformed trace, ValueError for more traces than cores, Interrupted.
    """
    watch = watch or Watch()
    traces = list(traces) if isinstance(traces, (list, tuple)) else [traces]
    if any(trace.format == RECORDING for trace in traces):
        if len(traces) > 1 or core is not None:
            raise ValueError("a recording of threads is replayed alone, each thread on its core")
        from hwmem.runs.recorded import Wishes, replay_recording  # reads binaries and orders threads: no other run needs it

        return replay_recording(traces[0], config, watch if watch.c2c is not None else watch._replace(c2c=False), top, wishes or Wishes())
    machine, places = Machine(config), new_places(top > 0)
    player = Player(machine, machine.stand_in(), core, places, machine.stand_in_end)
    threads = player.threads().tolist()
    watch = watch if watch.c2c is not None else watch._replace(c2c=len(traces) > 1 or traces[0].format == "cores")
    wall, counters, stopped = watch.over(machine, threads, lambda: player.play(traces if len(traces) > 1 else traces[0]))
    threads = [threads[c] for c in dict.fromkeys(player.cores)]
    each = [counters["cores"][c] for c in player.cores]
    result = Result(
        workload="trace",
        parameters={"file": " ".join(str(t.path) for t in traces), "format": traces[0].format},
        seed=0,
        config=machine.config,
        cores=player.cores,
        operation="access",
        cycles=max(one["cycles"] for one in each),
        wall_seconds=wall,
        counters=counters,
        values={"operations": sum(one["loads"] + one["stores"] for one in each)},
        stopped=stopped,
        lines=watch.lines(machine, [], threads, stopped),
        events=watch.log(machine, threads),
        where={"top": top, **tables(places, max(top, KEPT))} if top else None,
    )
    if stopped:
        raise Interrupted(result)
    return result


def accesses(m):
    return sum(int(m.core[c].loads + m.core[c].stores + m.core[c].atomics) for c in range(m.cores))


def plain(value):
    """A value as JSON has it: numpy's numbers and arrays become Python's."""
    if isinstance(value, dict):
        return {str(k): v if type(v) in JSON_TYPES else plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):  # Go's programs have some ten thousand symbols
        return [v if type(v) in JSON_TYPES else plain(v) for v in value]
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value

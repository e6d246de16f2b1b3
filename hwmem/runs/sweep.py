"""A workload over a grid of settings: every combination on a machine of its own, on all cores of the host or of a cluster.

    sweep("false-sharing", over={"threads": range(1, 17), "preset": ["zen3", "skylake-sp"]})
        ── points, all checked before the first one runs ── joblib ── Sweep: rows, CSV, pandas, a plot

A name in `over` is "preset", "seed", a parameter of the workload, or else a setting of the machine ("l1d.size"). Machines share nothing
and kernels run without the interpreter's lock, so host threads do on one host; joblib's other backends, among them dask's for a
cluster, run the same points in other processes. A program that fails gives a row that says so, and the others continue. Ctrl-C ends all that
runs in this process, and what was measured before is kept.
"""

import sys
from collections.abc import Sized
from contextlib import contextmanager
from difflib import get_close_matches
from functools import cached_property, partial
from itertools import product
from typing import NamedTuple

from hwmem.config.machine import MachineConfig
from hwmem.config.record import Integer
from hwmem.errors import Interrupted, MachineError
from hwmem.programs import WORKLOADS, find
from hwmem.programs.file import blaming, workload_name
from hwmem.report.table import table
from hwmem.runs.frame import rows, to_pandas, write_csv
from hwmem.runs.job import Job

CONNECT_SECONDS = 10
MOST_STEPS = 100_000  # of one range, and of a grid
JOBS = Integer(1, 1 << 16)
INTERRUPTED = "interrupted"  # instead of a Result


class Program:
    """What a sweep runs. `name`: a workload's, or a Python file's; `over`: after Ctrl-C. Threads share it, so that they run the file once;
    another process makes one of the name for each point."""

    def __init__(self, name):
        self.name, self.over = name, False

    def __reduce__(self):
        return Program, (self.name,)

    @cached_property
    def workload(self):
        return find(workload_name(self.name, WORKLOADS))

    def end_if_over(self):
        """A run of an interrupted sweep ends as if it had been interrupted itself."""
        if self.over:
            raise KeyboardInterrupt


class Point(NamedTuple):
    """One combination. Strings and numbers only, so that it can travel to another host."""

    swept: dict  # what is different from point to point
    config: dict  # MachineConfig.to_dict()
    seed: int
    parameters: dict


class Sweep:
    """What came of a sweep. `rows`: a dict a point, in the order of the grid: what was swept, then Result's figures (frame.py, "run"), or
    "error"; `results`: the Results, None where the program failed."""

    def __init__(self, workload, over, points, outcomes):
        self.workload, self.over = workload, list(over)
        self.results = [None if isinstance(outcome, str) else outcome for outcome in outcomes]
        self.rows = [
            point.swept | ({"error": outcome} if isinstance(outcome, str) else rows(outcome, "run")[0] | point.swept)
            for point, outcome in zip(points, outcomes)
        ]

    def __str__(self):
        columns = [*self.over, "cycles", "cost"]
        if any("error" in row for row in self.rows):
            columns.append("error")
        return table(columns, [[row.get(name) for name in columns] for row in self.rows])

    def __repr__(self):
        return f"<hwmem.Sweep {self.workload} over {', '.join(self.over)}: {len(self.rows)} runs>"

    def to_pandas(self):
        """A DataFrame, a row a run. Raises ImportError where pandas is missing."""
        return to_pandas(self.rows)

    def to_csv(self, path):
        """A CSV file, a line a run. Raises OSError."""
        write_csv(self.rows, path)

    def plot(self, path=None, figure="cost"):
        """The figure (a name in rows) over the first thing that was swept, a line for each combination of the others; drawn into `path` (.png, .svg,
        .pdf) if given. Returns matplotlib's Axes. Raises ImportError where matplotlib is missing."""
        from hwmem.report import look
        from hwmem.report.plot import lines

        across, *others = self.over
        series = {}
        for row in self.rows:
            if row.get(figure) is not None:
                name = ", ".join(f"{other}={row[other]}" for other in others)
                series.setdefault(name, []).append((row[across], row[figure]))
        unit = "cycles an operation" if figure == "cost" else figure
        return look.figure([partial(lines, series=series, across=across, along=unit, title=self.workload)], path)

    def _repr_html_(self):
        """What a notebook shows of it: the picture, where matplotlib is installed, and the table."""
        from hwmem.report.notebook import inline, table

        columns = [*self.over, "cycles", "cost"]
        return inline(self.plot, f"{self.workload} by {self.over[0]}") + table(
            columns, [[row.get(name) for name in columns] for row in self.rows]
        )


def sweep(name, config=None, over=None, settings=(), jobs=None, cluster=None, progress=False, seed=0, **parameters):
    """Run the workload `name` (or a Python file that registers one) at every combination of `over`; a Sweep.

    `over`: {name: values}, see the file header. `settings`: changes of every machine, ["cores=16"], also of swept presets. `jobs`: at a time, None: one a core. `cluster`: address of a dask scheduler. `progress`: a bar on
    stderr. `seed`: of every run, if it is not swept. `parameters`: the same for all. Raises ValueError or TypeError before anything runs,
    ImportError where joblib is missing; after Ctrl-C Interrupted, a KeyboardInterrupt whose `result` is the Sweep so far: what has not ended is
    a row that says so.
    """
    if jobs is not None:
        JOBS.check("jobs", jobs)
    program = Program(name)
    workload = program.workload
    points = grid(workload, config, over or {}, settings, parameters, seed)
    try:
        return Sweep(workload.name, over, points, outcomes(program, points, jobs, cluster, progress))
    except Interrupted as interruption:
        measured = any(not isinstance(one, str) for one in interruption.result)
        raise Interrupted(Sweep(workload.name, over, points, interruption.result) if measured else None) from None


def grid(workload, config, over, settings, parameters, seed=0):
    """All Points, checked."""
    if not isinstance(over, dict) or not over:
        raise ValueError("over: takes {name: values}, such as {'threads': range(1, 5)}")
    count = 1
    for name, several in over.items():
        if not isinstance(several, Sized) or isinstance(several, str):
            raise TypeError(f"over: {name} takes a list of values, not {type(several).__name__}")
        if not several:
            raise ValueError(f"over: {name} has no values")
        count *= len(several)
    if count > MOST_STEPS:
        raise ValueError(f"over: {count:,} runs; a sweep takes at most {MOST_STEPS:,}")
    for name in over:
        check_name(workload, name)
    return [point(workload, config, dict(zip(over, combination)), settings, parameters, seed) for combination in product(*over.values())]


def check_name(workload, name):
    """Raises ValueError for a name that neither the workload nor a machine has."""
    known = [*workload.record.kinds(), "preset", "seed", *MachineConfig.kinds()]
    if name.partition(".")[0] not in known:
        close = get_close_matches(name, known, 1)
        raise ValueError(
            f"over: {name} is no parameter of {workload.name} and no setting of a machine"
            + (f"; did you mean {close[0]}?" if close else "")
        )


def point(workload, config, swept, settings, parameters, seed):
    own = workload.record.kinds()
    preset = swept.get("preset")
    base = MachineConfig.preset(preset) if preset is not None else config or MachineConfig()
    machine = workload.config(base) if config is None else base
    machine = machine.with_overrides(
        [*settings, *(f"{name}={value}" for name, value in swept.items() if name not in own and name not in ("preset", "seed"))]
    )
    workload.check_machine(machine)
    settled = workload.settle(parameters | {name: value for name, value in swept.items() if name in own})
    return Point(swept, machine.to_dict(), swept.get("seed", seed), settled)


def outcomes(program, points, jobs, cluster, progress):
    """A Result, or the text of what failed, for every point, in their order. Raises Interrupted with them, INTERRUPTED for what had not ended."""
    try:
        import joblib
    except ImportError:
        raise ImportError("a sweep needs joblib: pip install 'hwmem[sweep]'") from None
    from tqdm import tqdm

    found = [INTERRUPTED] * len(points)
    try:
        with (
            tqdm(total=len(points), desc="sweep", unit="run", disable=not progress, file=sys.stderr, leave=False) as bar,
            backend(joblib, cluster),
        ):
            parallel = joblib.Parallel(n_jobs=jobs or -1, prefer="threads", return_as="generator_unordered", batch_size=1)
            for index, outcome in parallel(joblib.delayed(run_point)(program, index, point) for index, point in enumerate(points)):
                found[index] = outcome
                bar.update()
    except KeyboardInterrupt:
        program.over = True
        raise Interrupted(found) from None
    return found


@contextmanager
def backend(joblib, cluster):
    """Inside, joblib runs on this host, or on a dask cluster."""
    if cluster is None:
        yield
        return
    try:
        from distributed import Client
    except ImportError:
        raise ImportError("a cluster needs dask: pip install 'hwmem[cluster]'") from None
    try:
        client = Client(cluster, timeout=CONNECT_SECONDS)
    except (OSError, ValueError) as error:
        raise ValueError(f"cluster: no dask scheduler answers at {cluster}: {error}".splitlines()[0]) from None
    with client, joblib.parallel_config(backend="dask"):
        yield


def run_point(program, index, point):
    """(index, its Result or what failed)"""

    @contextmanager
    def watched(job):
        yield program.end_if_over

    try:
        with blaming(program.name):  # here, for joblib brings no frames of another thread
            return index, Job(program.workload, MachineConfig.from_dict(point.config), point.seed, None, point.parameters).run(watched)
    except MachineError as error:
        return index, str(error)
    except KeyboardInterrupt:
        if program.over:  # a thread of joblib's, which does not know KeyboardInterrupt
            return index, INTERRUPTED
        raise


def values_of(text):
    """What a command line's "1..16", "1..64*2", "0.5,1" or "zen3,skylake-sp" stands for: a list. Raises ValueError."""
    found = []
    for piece in text.split(","):
        first, dots, rest = piece.partition("..")
        if not dots:
            found.append(number(piece.strip()))
            continue
        last, times, factor = rest.partition("*")
        try:
            low, high, factor = int(first), int(last), int(factor) if times else None
        except ValueError:
            raise ValueError(f"{piece!r:.40}: a range is FIRST..LAST, or FIRST..LAST*FACTOR, of integers") from None
        if low > high or (factor is not None and (factor < 2 or low < 1)):
            raise ValueError(f"{piece!r:.40}: a range ascends, by 1 or by a factor of 2 or more")
        if factor is None and high - low >= MOST_STEPS:
            raise ValueError(f"{piece!r:.40}: a range has at most {MOST_STEPS:,} values")
        while low <= high:
            found.append(low)
            low = low + 1 if factor is None else low * factor
    return found


def number(word):
    """A word as the number, true or false that it is, or itself."""
    if word in ("true", "false"):
        return word == "true"
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return word

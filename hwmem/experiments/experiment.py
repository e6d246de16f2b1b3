"""What an experiment is: a claim in one sentence, a few runs that measure it, their table, and a verdict that can fail.

    perform(experiment, lab) ── measure(lab) ── Table ── judge(table) ── Verdict        together an Outcome
                                    └ lab.run("false-sharing", stride=8)      a workload's run, noted as the command that repeats it

Nothing of a workload is repeated here: what a run computed and counted is read off its Result. What the user changes (--with, --set)
changes every run of the experiment, so that a sceptic can look for a machine on which the claim does not hold.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from hwmem.config.machine import MachineConfig
from hwmem.page.run import command
from hwmem.programs import find
from hwmem.runs.job import Job
from hwmem.runs.watch import Watch


class Unmeasured(ValueError):
    """An experiment cannot be run on this host; the message is the line that says what is missing."""


class Verdict(NamedTuple):
    holds: bool | None  # None: it was not measured
    says: str  # what was measured


@dataclass(frozen=True)
class Table:
    columns: tuple
    rows: list

    def column(self, name):
        return [row[self.columns.index(name)] for row in self.rows]

    def named(self):
        """A dict a row."""
        return [dict(zip(self.columns, row)) for row in self.rows]


@dataclass(frozen=True)
class Figure:
    """A picture of a table: its column `x` against `ys`. `shape`: bars, lines, spans (`ys` are where each begins and ends, in bytes), or "": bars
    where x is words, else lines; `along` with a "; " has the unit of each of `ys`, which then have a panel each."""

    x: str
    ys: tuple
    along: str
    log: bool = False  # the vertical axis
    by: str = ""  # a column: a line for each of its values, of the one column in `ys`
    shape: str = ""


@dataclass(frozen=True)
class Experiment:
    """`source`: (document, heading) that claims it; `within`: how far a figure may be off, such as "10 %", if the claim names figures;
    `tolerance`: the allowed error, and why; `workloads`: those that it runs, whose parameters --set may change; `options`: what else
    --set may change, {name: parameter(...)}, read by lab.option; `columns`: of its table, which `measure(lab)` fills."""

    name: str
    claim: str
    source: tuple
    columns: tuple
    measure: Callable
    judge: Callable
    tolerance: str
    within: str = ""
    workloads: tuple = ()
    options: dict = field(default_factory=dict)
    figure: Figure | None = None


@dataclass(frozen=True)
class Outcome:
    """`seed`, `changes`: ("--with", words) and ("--set", words) as they were given; `commands`: what repeats each run."""

    experiment: Experiment
    table: Table
    verdict: Verdict
    seed: int
    changes: tuple
    commands: tuple
    program: str

    @property
    def decided(self):
        """The verdict in words."""
        if not self.verdict.holds:
            return "does not hold" if self.verdict.holds is not None else "not measured"
        return f"holds within {self.experiment.within}" if self.experiment.within else "holds"

    def to_dict(self):
        one = self.experiment
        return {
            "experiment": one.name,
            "claim": one.claim,
            "source": list(one.source),
            "columns": list(self.table.columns),
            "rows": [list(row) for row in self.table.rows],
            "holds": self.verdict.holds,
            "verdict": self.decided,
            "says": self.verdict.says,
            "tolerance": one.tolerance,
            "seed": self.seed,
            "changes": {option: list(words) for option, words in self.changes},
            "commands": list(self.commands),
        }

    def plot(self, path=None):
        """The experiment's figure, drawn into `path` if given; matplotlib's Axes. Raises ImportError where matplotlib is missing,
        ValueError for an experiment without one."""
        from hwmem.report import look, pictures, plot

        figure = self.experiment.figure
        if figure is None or not self.table.rows:
            raise ValueError(f"{self.experiment.name}: nothing to draw")
        x, units = self.table.column(figure.x), figure.along.split("; ")
        labels = x if figure.by else pictures.named(x, [[cell for cell in row if cell != own] for row, own in zip(self.table.rows, x)])
        panels = [((name,), unit) for name, unit in zip(figure.ys, units)] if len(units) > 1 else [(figure.ys, figure.along)]
        words = any(isinstance(value, str) for value in x)
        shape = getattr(plot, figure.shape) if figure.shape else plot.bars if words else plot.lines
        painters = [
            partial(shape, series=self.series(names, labels), across=figure.x, along=unit, log=figure.log) for names, unit in panels
        ]
        return look.figure(painters, path, f"{self.experiment.name}: {self.decided}")

    def series(self, names, labels):
        """{name: [(x, y)]} of columns of the table, `labels` the x of each row; a line for each value of the column `by`, if the figure has one."""
        figure, rows = self.experiment.figure, self.table.named()
        if not figure.by:
            return {name: [(label, row[name]) for label, row in zip(labels, rows)] for name in names}
        values = dict.fromkeys(self.table.column(figure.by))
        return {
            f"{figure.by}: {value}" if isinstance(value, bool) else str(value): [
                (x, row[names[0]]) for x, row in zip(labels, rows) if row[figure.by] == value
            ]
            for value in values
        }

    def _repr_html_(self):
        """What a notebook shows of it: the claim, the verdict, the table, and the picture where there is one."""
        from hwmem.report.notebook import inline, paragraph, table

        said = [paragraph(f"{self.experiment.name}: {self.experiment.claim}"), table(self.table.columns, self.table.rows)]
        drawn = inline(self.plot, self.experiment.name) if self.experiment.figure else ""
        return "\n".join([*said, paragraph(f"{self.decided}: {self.verdict.says}"), drawn])


class Lab:
    """Where experiments are made. `base`: the MachineConfig that they begin with; `settings`: "ordering=sc", words of --with;
    `parameters`: "stride=64", words of --set; `tick`: called after each run. Raises ValueError for wrong words."""

    program = "hwmem"

    def __init__(self, seed=0, base=None, settings=(), parameters=(), tick=None):
        self.seed, self.base, self.settings = seed, base or MachineConfig(), list(settings)
        self.base.with_overrides(self.settings)  # raises
        self.words, self.tick = list(parameters), tick or (lambda: None)
        self.commands: list = []
        self._options: dict[str, Any] = {}

    def find(self, name):
        return find(name)

    def enter(self, experiment):
        """Before an experiment: its options, and whether all that is to be set is something of its."""
        self.commands, self._options = [], {name: declared.default for name, declared in experiment.options.items()}
        known = {name for workload in experiment.workloads for name in self.find(workload).record.kinds()} | set(experiment.options)
        for word in self.words:
            name, equals, text = (part.strip() for part in word.partition("="))
            if not equals or name not in known:
                raise ValueError(f"--set {word!r:.60}: {experiment.name} has {', '.join(sorted(known)) or 'nothing to set'}")
            if name in self._options:
                kind = experiment.options[name].metadata["kind"]
                self._options[name] = kind.check(f"{experiment.name}.{name}", kind.parse(text))

    def option(self, name):
        """What the experiment's own option is set to."""
        return self._options[name]

    def config(self, workload=None, **settings):
        """The machine of a run: what the workload wants, what the experiment sets, what the user changed."""
        base = workload.config(self.base) if workload else self.base
        return base.replace(**settings).with_overrides(self.settings)

    def changed(self, workload, parameters):
        """The parameters of a run with what the user changed of them."""
        kinds = workload.record.kinds()
        return parameters | workload.parse([word for word in self.words if word.partition("=")[0].strip() in kinds])

    def run(self, name, machine=None, **parameters):
        """A workload's Result, watched as the command watches it. `machine`: settings."""
        workload = self.find(name)
        job = Job(workload, self.config(workload, **(machine or {})), self.seed, None, self.changed(workload, parameters))
        return self.noted(job.run(watch=Watch()))

    def noted(self, result):
        self.commands.append(self.command(result))
        self.tick()
        return result

    def command(self, result):
        return command(result, self.program)


def verdict(*findings):
    """Of (whether, what was measured): the claim holds if all of them do; if not, what those that fail say."""
    failed = [says for holds, says in findings if not holds]
    return Verdict(not failed, "; ".join(failed or [says for _, says in findings]))


def near(measured, expected, part):
    """Whether a figure is within a fraction of the expected one."""
    return abs(measured - expected) <= part * abs(expected)


def perform(experiment, lab):
    """Make an experiment in a lab: its Outcome. Raises Unmeasured."""
    lab.enter(experiment)
    table = Table(experiment.columns, experiment.measure(lab))
    return outcome(experiment, lab, table, experiment.judge(table))


def perform_if_possible(experiment, lab):
    """The same, or an Outcome without rows if it cannot be run."""
    try:
        return perform(experiment, lab)
    except Unmeasured as why:
        return outcome(experiment, lab, Table(experiment.columns, []), Verdict(None, str(why)))


def outcome(experiment, lab, table, found):
    changes = tuple((option, tuple(words)) for option, words in (("--with", lab.settings), ("--set", lab.words)) if words)
    return Outcome(experiment, table, found, lab.seed, changes, tuple(dict.fromkeys(lab.commands)), lab.program)

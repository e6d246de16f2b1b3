"""What came of a run, and the one file that keeps it.

    Result ── .counters, .values, .c2c(), .events ...         as objects
          └─ save("r.hwm") ── result_file.py    one file

A file is written whole or not at all. One of an earlier version is read if what has come since has a value that means the same (`before` of
a setting, LATER); else it is refused with the name that it lacks. `load_result` needs no machine: reports start at once. The configuration is
inside in full, so a result can be run again wherever its version of hwmem is installed.
"""

import json
import os
from dataclasses import dataclass, field, replace

import numpy as np

from hwmem import __version__
from hwmem.config.machine import MachineConfig
from hwmem.config.record import Missing, Unknown
from hwmem.errors import ResultError
from hwmem.layout.observers import EVENT, SERIES_NAMES
from hwmem.params import LINE_SHIFT
from hwmem.runs import result_file
from hwmem.runs.frame import rows, to_pandas, write_csv
from hwmem.trace.program import Program

FORMAT = 1  # of the file; a change that older versions cannot read counts it up
KIND = "hwmem result"
TRIED_ROWS = 100  # of arrays
EVENT_NAMES = [name for name in EVENT.names if EVENT[name].shape == ()]  # not what fills up the record
ARRAYS = ("events", "series")  # fields that are no JSON
LATER = ("events", "series", "races", "stopped", "where", "program", "space", "start")  # fields that older results do not have


@dataclass(repr=False)
class Result:
    """One run. Everything but `wall_seconds` follows from workload, parameters, configuration, seed and version.

    `counters`: Machine.counters() of the measured phase, which begins when setup is done; `cycles`: how long that
    took on the core that took longest; `cores`: the core of each thread; `values`: what the program computed;
    `symbols`: (name, start, size, element) of its variables; `operation`: what one of values["operations"] is called;
    `comparison`: see comparison.py; `events`: array of coherence events, or None; `series`: the run over time, an array with a row a
    sample (runs/series.py), or None; `space`: the address space as the program left it, a dict a VMA (proc/residency.py), or None; `start`: the
    cycle of the machine's clocks, which events tell, at which the measured phase began; `races`: data races as dicts
    (observe/race_report.py), None if nobody looked; `where`: of a trace, "top" and the tables of machine/where.py, or None;
    `program`: of a recording with threads, the Program (trace/program.py), else None;
    `stopped`: why it ended before its time ("interrupted", ...), else None.
    """

    workload: str
    parameters: dict
    config: MachineConfig
    seed: int
    cores: list
    operation: str
    cycles: int
    wall_seconds: float
    counters: dict
    values: dict
    symbols: list = field(default_factory=list)
    lines: list = field(default_factory=list)
    comparison: dict | None = None
    events: np.ndarray | None = None
    series: np.ndarray | None = None
    space: list | None = None
    start: int | None = None
    races: list | None = None
    where: dict | None = None
    program: Program | None = None
    stopped: str | None = None
    version: str = __version__

    @property
    def seconds(self):
        """Emulated seconds of the measured phase."""
        return self.cycles / (self.config.frequency_ghz * 1e9)

    @property
    def gc(self):
        """The collections of a garbage-collected program, a dict each (goalloc); none for others."""
        return self.values.get("gc", [])

    @property
    def cost(self):
        """Cycles that an operation took the thread that made it, on average; None if the workload counts none."""
        operations = self.values.get("operations")
        return self.cycles * len(self.cores) / operations if operations else None

    def __repr__(self):
        return f"<hwmem.Result {self.workload}: {self.cycles:,} cycles on {self.config.name}, seed {self.seed}>"

    def __str__(self):
        """What the command prints."""
        from hwmem.report import report

        return report(self)

    def c2c(self):
        """Table of contended lines, the worst first: a list of dicts with the keys address, symbol, hitm, loads, stores,
        threads, offsets and sharing ("false" or "true"). Empty if the run did not watch lines."""
        return self.lines

    def symbol(self, address):
        """ "name[2]+8" of an address, or its hexadecimal digits."""
        return symbol_at(self.symbols, address)

    def physical_line(self, what):
        """The physical line (address >> 6) of a contended line that has `what`, a variable's name or an address, in it.
        Raises ValueError."""
        for row in self.lines:
            names = {offset["symbol"] for offset in row["offsets"]}
            if what in names or f"{row['address']:#x}" == what or what in {name.partition("[")[0] for name in names}:
                return row["physical"] >> LINE_SHIFT
        known = ", ".join(self.line_name(row["physical"] >> LINE_SHIFT) for row in self.lines[:5])
        raise ValueError(f"{what!r:.60} is on no contended line; there are {known or 'none'}")

    def line_name(self, line):
        """The variables of a physical line, if it was contended; else its address."""
        for row in self.lines:
            if row["physical"] >> LINE_SHIFT == line:
                return f"{row['symbol']} ({row['address']:#x})"
        return f"physical line {line << LINE_SHIFT:#x}"

    def _repr_html_(self):
        """What a notebook shows of it."""
        from hwmem.report.notebook import html

        return html(self)

    def to_pandas(self, table="cores"):
        """A DataFrame of one of frame.TABLES: "cores" (a row a core), "lines", "offsets", "events", "series", "space", "gc", "comparison",
        "run" (one row).
        Raises ImportError where pandas is missing, ValueError for another name."""
        return to_pandas(rows(self, table))

    def to_csv(self, path, table="cores"):
        """The same as a CSV file. Raises OSError."""
        write_csv(rows(self, table), path)

    def plot(self, path=None, what=None):
        """What there is to draw of it (report/pictures.py): "comparison", "figures", "memory", "pauses" or "mmu", None: all, one below the
        other; into `path` (.png, .svg or .pdf) if given. Returns matplotlib's Axes, the first ones. Raises ImportError where matplotlib is
        missing, ValueError for what there is not."""
        from hwmem.report.pictures import draw

        return draw(self, path, what)

    def to_dict(self):
        """All but the events and the series, as JSON has it."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__ if name not in ARRAYS}
        if self.stopped is None:
            del fields["stopped"]
        if self.program is None:
            del fields["program"]
        else:
            fields["program"] = self.program.to_dict()
        return {"kind": KIND, "format": FORMAT, **fields, "config": self.config.to_dict(), "seconds": self.seconds, "cost": self.cost}

    def save(self, path):
        """Write the file that load_result reads; an old one of that name stays until the new one is whole. Raises OSError."""
        result_file.write(path, self.to_dict(), {name: getattr(self, name) for name in ARRAYS})


def load_result(path):
    """The Result saved at `path`. Raises OSError if it cannot be read, ResultError, one line, if it is something else,
    TypeError for what is no path."""
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"path: takes a string or a path, not {type(path).__name__}")
    document, arrays = result_file.read(path, ARRAYS)
    if not isinstance(document, dict) or document.get("kind") != KIND:
        raise ResultError(f"{path}: not a result of hwmem")
    if document.get("format") != FORMAT:
        raise ResultError(
            f"{path}: format {document.get('format')}, written by hwmem {document.get('version')}; "
            f"hwmem {__version__} reads format {FORMAT}"
        )
    try:
        fields = {name: document[name] for name in Result.__dataclass_fields__ if name not in LATER}
        fields |= {"config": MachineConfig.build(MachineConfig.completed(document["config"])), **arrays}
        fields |= {name: document.get(name) for name in LATER if name not in ARRAYS}
        fields["program"] = fields["program"] and Program.from_dict(fields["program"])
        for name, field_of in Result.__dataclass_fields__.items():
            if not isinstance(fields[name], field_of.type):
                raise TypeError(f"{name} is {fields[name]!r:.40}")
        result = Result(**fields)
        try_out(result)
        return result
    except (Missing, KeyError) as error:
        raise of_another(path, document, "an earlier", error if isinstance(error, Missing) else f"{error} is missing") from None
    except Unknown as error:
        raise of_another(path, document, "a later", error) from None
    except Exception as error:  # whatever a hand-made document leads to
        raise ResultError(f"{path}: damaged: {result_file.first_line(error)}") from None


def of_another(path, document, which, why):
    """The ResultError for a document that has other names in it than those of today. (The version counts releases, not what is written between
    two of them.)"""
    version = result_file.first_line(document.get("version"))
    return ResultError(
        f"{path}: written by {which} hwmem ({version}; this is {__version__}), or damaged: {result_file.first_line(why)}; run it again with this one"
    )


def try_out(result):
    """Check that every report can be made of the result. Raises KeyError for a name that it lacks, and whatever else a report raises."""
    from hwmem.page import page

    counted, cores = result.counters["cores"], result.config.cores
    if len(counted) != cores or any(counts.keys() != counted[0].keys() for counts in counted):
        raise ValueError(f"counters are not those of {cores} cores")
    for name, columns in (("events", EVENT_NAMES), ("series", SERIES_NAMES)):
        array = getattr(result, name)
        for column in columns if array is not None else ():
            if column not in array.dtype.names:
                raise KeyError(f"{name}.{column}")
    if result.series is not None:
        names = result.series.dtype.names
        if names[: len(SERIES_NAMES)] != SERIES_NAMES or any(result.series.dtype[name] != np.int64 for name in names):
            raise ValueError("series.npy is not a run over time")
    for name, start, size, element in result.symbols:
        if not (isinstance(name, str) and start >= 0 and size >= 0 and element > 0):
            raise ValueError(f"symbol {name!r:.40}")
    page(replace(result, **{name: None if getattr(result, name) is None else getattr(result, name)[:TRIED_ROWS] for name in ARRAYS}))
    json.dumps(result.to_dict())


def symbol_at(symbols, address):
    """ "name[2]+8" of an address, by a list of (name, start, size, element); its hexadecimal digits if none has it."""
    for name, start, size, element in symbols:
        if start <= address < start + size:
            index, offset = divmod(address - start, element)
            part = f"[{index}]" if element < size else ""
            return f"{name}{part}+{offset}" if offset else name + part
    return f"{address:#x}"

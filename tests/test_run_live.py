"""The view of a run as it goes, and colour in a terminal: they say what is there, change nothing, and keep names harmless."""

import io
import re

import pytest

import hwmem
from hwmem.cli.cli import main
from hwmem.cli.colour import coloured, wanted
from hwmem.cli.live import View
from hwmem.programs import find
from hwmem.report import report
from hwmem.runs.job import Job
from hwmem.runs.watch import Watch

ESCAPES = re.compile("\x1b\\[[0-9;]*[A-Za-z]")


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    now = 0.0

    def __call__(self):
        self.now += 1.0
        return self.now


class Looking:
    """A `progress` that shows the run at its beginning and at its end on `stream`, once each."""

    def __init__(self, stream):
        self.stream = stream

    def __call__(self, job):
        self.view = View(job, self.stream, Clock())
        return self

    def __enter__(self):
        return self.view.tick

    def __exit__(self, *_):
        self.view.show(self.view.clock())
        self.shown = self.stream.getvalue()
        self.view.end()


def looked_at(stream, **parameters):
    parameters = {"iterations": 400, "threads": 4} | parameters
    looking = Looking(stream)
    job = Job(find("false-sharing"), parameters=parameters)
    result = job.run(progress=looking, watch=Watch(c2c=True))
    return looking, result


def test_the_table_has_the_runs_own_counts_at_its_end():
    looking, result = looked_at(Terminal())
    cores = result.counters["cores"]
    rows = {
        row[0]: row[1].split()[0] for row in (re.split(r"\s{2,}", line, maxsplit=1) for line in looking.shown.splitlines()) if len(row) == 2
    }
    assert rows["accesses"] == f"{sum(c['loads'] + c['stores'] for c in cores):,}"
    assert rows["L1D misses"] == f"{sum(c['l1d.misses'] for c in cores):,}"
    assert rows["HITM"] == f"{sum(c['interventions_hit_modified'] for c in cores):,}"
    assert f"counters[0]  {result.c2c()[0]['hitm']:,} HITM" in looking.shown


def test_a_terminal_is_left_as_it_was():
    looking, _ = looked_at(Terminal())
    lines = looking.shown.count("\n")
    assert looking.stream.getvalue() == looking.shown + f"\x1b[{lines}A\x1b[J"


def test_elsewhere_it_is_plain_lines():
    looking, _ = looked_at(io.StringIO())
    said = looking.stream.getvalue()
    assert "\x1b" not in said and all(line.startswith("hwmem: false-sharing ") for line in said.splitlines()) and "a second" in said


def test_looking_changes_nothing():
    (_, seen), unseen = looked_at(Terminal()), hwmem.run("false-sharing", c2c=True, iterations=400, threads=4)
    assert seen.to_dict() | {"wall_seconds": 0} == unseen.to_dict() | {"wall_seconds": 0}


def test_names_do_nothing_to_the_terminal(monkeypatch):
    looking, _ = looked_at(Terminal())
    view = looking.view
    monkeypatch.setattr(view, "hottest", lambda: [("\x1b]0;title\x07\x1b[2J", 9)])
    assert "\x1b" not in "".join(view.lines(1.0, view.figures(), {}))


def test_the_command_shows_it_and_prints_the_same_table(capsys):
    words = ["run", "false-sharing", "--set", "iterations=300", "--alone"]
    assert main(words) == 0
    plain = capsys.readouterr().out
    assert main([*words, "--live"]) == 0
    out, err = capsys.readouterr()
    assert out == plain and err.startswith("hwmem: false-sharing ")


@pytest.fixture(scope="module")
def shown():
    return report(hwmem.run("false-sharing", iterations=300, compare=True))


def test_colours_move_no_column(shown):
    text = coloured(shown)
    assert ESCAPES.sub("", text) == shown and text.count("\x1b[31mfalse\x1b[0m") == 1
    assert "\x1b[34m00000000\x1b[0m\x1b[31m11111111\x1b[0m\x1b[32m22222222\x1b[0m" in text
    assert all(line.count("\x1b[0m") * 2 == line.count("\x1b[") for line in text.splitlines()), "no colour leaves its line"


@pytest.mark.parametrize(
    "stream, settings, expected",
    [
        (Terminal(), {"TERM": "xterm"}, True),
        (Terminal(), {"TERM": "xterm", "NO_COLOR": ""}, True),
        (Terminal(), {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {"TERM": "xterm"}, False),
        (None, {"TERM": "xterm"}, False),
    ],
)
def test_colour_is_for_terminals_that_are_asked_for_it(stream, settings, expected, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert wanted(stream) is expected

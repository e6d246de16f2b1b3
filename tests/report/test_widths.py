"""Every table of every program that ships fits a screen of 80, 100 and 160 columns."""

import pytest

import goalloc
import hwmem
import hwmem.cli.cli
import goalloc.cli.cli
from goalloc.cli.report import SECTIONS as GO_SECTIONS
from goalloc.programs import PROGRAMS
from hwmem.programs import WORKLOADS
from hwmem.report import SECTIONS, report

SHIPPED = [name for name, w in WORKLOADS.items() if w.kernel.__module__.startswith("hwmem.")]
SMALL = {
    "iterations": 100,
    "points": 200,
    "repetitions": 20,
    "blocks": 5,
    "rounds": 20,
    "items": 200,
    "loads": 200,
    "n": 8,
    "pages": 16,
    "requests": 60,
    "calls": 10,
    "passes": 1,
    "objects": 60,
    "goroutines": 8,
    "nodes": 60,
    "depth": 4,
    "elements": 30,
    "keys": 60,
    "length": 20,
    "allocations": 200,
    "chunks": 50,
    "repeats": 2,
    "forks": 1,
    "slots": 60,
    "churn": 60,
    "count": 60,
    "garbage": 60,
    "cycles": 2,
}
SIZES = {
    "page-faults": {"pages": 512},
    "madvise-return": {"size": "1MiB"},
    "tlb-reach": {"largest": "256KiB"},
    "fork-storm": {"largest": "2MiB"},
    "memory-mountain": {"largest": "64KiB"},
    "stream": {"size": "64KiB"},
    "pointer-chase": {"size": "64KiB"},
    "treiber-stack": {"nodes": 8},
    "sleepers": {},
    "segments-pages": {"memory": "1MiB"},
}
WIDTHS = (80, 100, 160)


def small(described):
    return {
        name: min(value, described[name]["default"])
        for name, value in SMALL.items()
        if name in described and isinstance(described[name]["default"], int)
    }


def fits(text, width):
    return [line for line in text.splitlines() if len(line) > width] == []


@pytest.mark.parametrize("name", SHIPPED)
def test_the_tables_of_hwmems_programs_fit(name, monkeypatch):
    parameters = small(hwmem.workloads()[name]["parameters"]) | SIZES.get(name, {})
    result = hwmem.run(name, compare=True, events=50, classify=True, races=True, **parameters)
    for width in WIDTHS:
        monkeypatch.setenv("COLUMNS", str(width))
        for section in (None, *SECTIONS):
            assert fits(report(result, section), width), f"{section} at {width}:\n{report(result, section)}"


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_tables_of_gos_programs_fit(name, monkeypatch):
    parameters = small(goalloc.workloads()[name]["parameters"]) | SIZES.get(name, {})
    result = goalloc.run(name, compare=True, gomaxprocs=2, **parameters)
    for width in WIDTHS:
        monkeypatch.setenv("COLUMNS", str(width))
        assert fits(report(result), width), report(result)
        for section in shown(result):
            text = GO_SECTIONS[section](result)
            assert fits(text, width), f"{section} at {width}:\n{text}"


def shown(result):
    """The sections that there are of it: some programs collect nothing, and no samples were taken."""
    return [name for name in GO_SECTIONS if name != "profile" and (name not in ("gc", "scavenger") or "gc" in result.values)]


@pytest.mark.parametrize(
    "main, words",
    [
        *((hwmem.cli.cli.main, words) for words in (["list"], ["litmus", "--help"], ["run", "--help"], ["--help"], ["classroom"])),
        *((hwmem.cli.cli.main, ["list", name]) for name in SHIPPED),
        (goalloc.cli.cli.main, ["list"]),
        (goalloc.cli.cli.main, ["sizes"]),
        *((goalloc.cli.cli.main, ["list", name]) for name in PROGRAMS),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_lists_fit(main, words, monkeypatch, capsys):
    for width in WIDTHS:
        monkeypatch.setenv("COLUMNS", str(width))
        try:
            main(words)
        except SystemExit:
            pass
        out = capsys.readouterr().out
        assert fits(out, width), f"at {width}:\n{out}"

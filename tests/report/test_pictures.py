"""Pictures show the figures of what they are of, whatever its names are; the collector's part is what a slow model says."""

import contextlib
import io
import random
import sys
from xml.etree import ElementTree

import numpy as np
import pytest

from goalloc.experiments.claims import EXPERIMENTS as OF_GO
from hwmem.cli import cli
from hwmem.experiments.claims import EXPERIMENTS
from hwmem.experiments.experiment import Outcome, Table, Verdict
from hwmem.printable import printable
from hwmem.report import look, mutator, pictures, plot
from page.pages import HOSTILE, result

STOPPED, MARKING, PS = 5, 40, 4  # us


def collected(**changes):
    """A run of 1 ms with two collections, 5 us of pauses at each end of 40 us of marking by one P of four; an assist in the first."""
    gc = [
        {"at_ns": [at, at + 5_000, at + 45_000, at + 50_000], "pauses_ns": [5_000, 5_000]} for at in (100_000, 600_000)
    ]  # of clocks that begin with the run
    rows = [
        [0, "dedicated", 105_000, 145_000],
        [1, "assist", 110_000, 130_000],
        [2, "dedicated", 605_000, 645_000],
        [3, "sweep", 650_000, 700_000],
    ]
    values = {"operations": 1, "gc": gc, "turns": {"rows": rows, "lost": 0}}
    return result(cycles=3_000_000, cores=PS, values=values, **changes)


def test_what_the_program_has_is_known_at_every_moment():
    pieces = mutator.pieces(collected())
    assert pieces[0][0] == 0 and pieces[-1][1] == pytest.approx(1e-3) and all(a[1] == b[0] for a, b in zip(pieces, pieces[1:]))
    at = lambda us: next(part for begin, end, part in pieces if begin <= us / 1e6 < end)  # noqa: E731
    assert [at(us) for us in (50, 102, 107, 120, 140, 147, 300, 620, 675)] == [1, 0, 0.75, 0.5, 0.75, 0, 1, 0.75, 1], (
        "sweeping counts for nothing"
    )
    lost = collected()
    lost.values["turns"]["lost"] = 1
    assert mutator.pieces(lost) == [] and pictures.mmu(lost) == []


@pytest.mark.parametrize("case", range(20))
def test_the_least_window_is_that_of_trying_them_all(case):
    rng = random.Random(case)
    ticks, parts = sorted(rng.sample(range(1, 200), 9)), [rng.choice((0.0, 0.25, 0.5, 1.0)) for _ in range(10)]
    pieces = list(zip([0, *ticks], [*ticks, 200], parts))
    each = [part for begin, end, part in pieces for _ in range(end - begin)]  # of one tick after another
    windows = [1, 3, 17, 50, 199]
    slid = [min(sum(each[k : k + w]) / w for k in range(200 - w + 1)) for w in windows]
    assert mutator.least(pieces, windows) == pytest.approx(slid)


def drawn(axes):
    return axes.figure.axes


def test_a_result_has_the_pictures_for_which_it_has_the_figures(tmp_path):
    pytest.importorskip("matplotlib", reason="plots need matplotlib")
    r = collected()
    costs, slowdown, memory, pauses, mmu = drawn(r.plot(tmp_path / "all.png"))
    assert [line.get_ydata().tolist() for line in costs.lines] == [[6.0, 12.5], [6.0, 6.0]]
    assert slowdown.lines[0].get_ydata() == pytest.approx([1, 12.5 / 6])
    resident = memory.lines[0]
    assert resident.get_label() == "resident" and resident.get_ydata().tolist() == (r.series["anon"] * 4096).tolist()
    assert len(memory.patches) == 6 and sum(bar.get_height() for bar in pauses.patches) == 4
    xs, ys = mmu.lines[0].get_data()
    assert all(y == 0 for x, y in zip(xs, ys) if x <= 5e-6) and 0.94 < ys[-1] < 0.96, "all in all 45 of 1,000 us"
    assert (tmp_path / "all.png").read_bytes()[1:4] == b"PNG"
    assert [axes.get_ylabel() for axes in drawn(r.plot(what="pauses"))] == ["pauses"]


def test_what_is_not_there_is_not_drawn():
    pytest.importorskip("matplotlib", reason="plots need matplotlib")
    bare = result(samples=0, comparison=None)
    for what in (None, *pictures.NAMES):
        with pytest.raises(ValueError, match="nothing to draw"):
            bare.plot(what=what)
    with pytest.raises(ValueError, match="^picture: 'x' is none of comparison, figures"):
        bare.plot(what="x")


def test_a_grid_of_sizes_and_strides_is_a_mountain_with_its_numbers():
    pytest.importorskip("matplotlib", reason="plots need matplotlib")
    cells = [[6000.0, 6000.0, 6000.0, 6000.0], [4571.0, 3692.0, 3097.0, 140.3]]
    grid = {"title": "megabytes", "row": "size", "rows": ["16KiB", "1MiB"], "column": "stride", "columns": [1, 2, 3, 4], "cells": cells}
    axes, *_ = drawn(result(values={"grid": grid}).plot(what="figures"))
    assert np.array_equal(axes.images[0].get_array(), cells) and axes.texts[-1].get_text() == "140"
    mixed = grid | {
        "column": None,
        "columns": ["in order", "read", "at random", "read"],
        "rows": ["64KiB", "1MiB", "1.5MiB", "2MiB", "4MiB", "8MiB"],
        "cells": [[50.0, 0.5, 9.0, 1]] * 6,
    }
    cycles, parts = drawn(result(values={"grid": mixed}).plot(what="figures"))
    assert [line.get_label() for line in cycles.lines] == ["in order", "at random"]
    assert [line.get_label() for line in parts.lines] == ["in order: read", "at random: read"]


def test_a_table_of_sizes_words_and_parts_has_a_panel_for_each_unit():
    pytest.importorskip("matplotlib", reason="plots need matplotlib")
    grid = {
        "title": "memory given back",
        "row": "way",
        "rows": ["DONTNEED", "FREE", "FREE"],
        "column": None,
        "columns": ["how", "RSS", "after", "faults", "waste", "cycles"],
        "cells": [
            ["", "16,384K", "0K", 4096, "12.5%", None],
            ["idle", "2MiB", "512B", 0, "0.0%", 71.9],
            ["short", "1K", "1.5M", 3, "100.0%", 24.2],
        ],
    }
    sizes, counts, parts = drawn(result(values={"grid": grid}, samples=0, comparison=None).plot())
    heights = [[[bar.get_height() for bar in group] for group in axes.containers] for axes in (sizes, counts, parts)]
    assert heights == [[[16384, 2048, 1], [0, 0.5, 1536]], [[4096, 0, 3], [0, 71.9, 24.2]], [[0.125, 0, 1]]]
    assert [axes.get_ylabel() for axes in (sizes, counts, parts)] == ["KiB", "", "parts of one"]
    assert [label.get_text() for label in sizes.get_xticklabels()] == ["DONTNEED", "FREE, idle", "FREE, short"]


@pytest.mark.parametrize("name", ["fork-storm", "brk-mmap", "reordering", "allocator-sharing", "thread-caches"])
def test_rows_of_one_name_have_places_of_their_own(name):
    """Where rows have one x, a word beside it tells them apart: the column `by`, or any."""
    pytest.importorskip("matplotlib", reason="plots need matplotlib")
    one = (EXPERIMENTS if name in EXPERIMENTS else OF_GO)[name]
    rows = [
        [
            "same" if c == one.figure.x else f"way {k % 2}" if c == one.figure.by else f"word {k}" if c not in one.figure.ys else k + 1
            for c in one.columns
        ]
        for k in range(2)
    ]
    axes, *_ = drawn(Outcome(one, Table(one.columns, rows), Verdict(True, "so"), 0, (), (), "hwmem").plot())
    assert len(axes.containers) * len(axes.get_xticks()) == 2 * (1 if one.figure.by or one.figure.along.count("; ") else len(one.figure.ys))
    assert len({label.get_text() for label in axes.get_xticklabels()}) == len(axes.get_xticks())


@pytest.mark.parametrize("address", [int, hex], ids=["numbers", "text"])
def test_spans_lie_where_they_are_and_the_smallest_can_be_seen(address):
    pytest.importorskip("matplotlib", reason="plots need matplotlib")
    one = EXPERIMENTS["address-space"]
    rows = [["text", address(0x8048000), address(0x8050000), "-"], ["kernel space", address(0xC0000000), address(1 << 32), "-"]]
    (axes,) = drawn(Outcome(one, Table(one.columns, rows), Verdict(True, "so"), 0, (), (), "hwmem").plot())
    (text,), (kernel,) = axes.containers
    assert (kernel.get_x(), kernel.get_width()) == (0xC0000000, 1 << 30) and text.get_x() == 0x8048000 and text.get_width() > 1 << 23
    assert [label.get_text() for label in axes.get_yticklabels()] == ["text", "kernel space"]


@pytest.mark.parametrize("name", [*EXPERIMENTS, *OF_GO])
def test_every_experiments_figure_can_be_drawn(name):
    pytest.importorskip("matplotlib", reason="plots need matplotlib")
    one = (EXPERIMENTS if name in EXPERIMENTS else OF_GO)[name]
    if one.figure is None:
        return
    rows = [[f"way {k % 2}" if column == one.figure.by else k for column in one.columns] for k in range(1, 5)]
    panels = drawn(Outcome(one, Table(one.columns, rows), Verdict(True, "so"), 0, (), (), "hwmem").plot())
    expected = 2 if one.figure.by else len(one.figure.ys)
    shapes = {"": lambda axes: len(axes.lines), "bars": lambda axes: len(axes.containers), "spans": lambda axes: len(axes.containers) // 2}
    assert sum(map(shapes[one.figure.shape], panels)) == expected and len(panels) == 1 + one.figure.along.count("; ")


def test_names_are_no_markup_no_tex_and_no_commands(tmp_path):
    pytest.importorskip("matplotlib", reason="plots need matplotlib")
    for name in ("$\\frac{", "_hidden", "\n".join(HOSTILE)):
        grid = {"title": name, "row": name, "rows": [1, 2, name], "column": name, "columns": [name, "b"], "cells": [[1, 2]] * 3}
        axes = result(names=(name, name + "2"), comparison=grid).plot(tmp_path / "p.svg", "comparison")
        assert "\x1b" not in (tmp_path / "p.svg").read_text()
        for element in ElementTree.parse(tmp_path / "p.svg").iter():  # matplotlib tells texts in comments
            assert element.tag.rpartition("}")[2] != "script" and not any(a.startswith("on") for a in element.attrib)
        shown = axes.get_legend_handles_labels()[1][1].lstrip()
        assert shown[:20] == printable(f"{name}=b")[:20] and len(shown) <= 40, "as it is, and no longer than there is room for"


def test_a_picture_is_the_same_every_time(tmp_path):
    pytest.importorskip("matplotlib", reason="plots need matplotlib")
    for name in ("a.svg", "b.svg"):
        collected().plot(tmp_path / name, "mmu")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_colours_differ_for_who_sees_none():
    """Luminance alone tells neighbours apart, or the marker does."""
    assert len(set(look.COLOURS)) == len(look.COLOURS) == len(set(look.MARKERS))


@pytest.mark.parametrize("n, said", [(0, "0 B"), (1536, "1.5 KiB"), (1 << 20, "1 MiB"), (5 << 40, "5 TiB")], ids=str)
def test_bytes_are_told_as_people_do(n, said):
    assert plot.size(n) == said


def refused(words, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        assert cli.main(words) == 2
    (line,) = said.getvalue().splitlines()
    return line


@pytest.mark.parametrize(
    "words", [["run", "false-sharing"], ["experiment", "false-sharing"], ["report", "r.hwm"]], ids=lambda words: words[0]
)
def test_without_matplotlib_one_line_says_how_to_get_it_before_anything_runs(words, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert "pip install 'hwmem[plot]'" in refused([*words, "--plot", "f.png"], monkeypatch, tmp_path)
    r = collected()
    assert "<img" not in r._repr_html_() and "<table" in r._repr_html_()


@pytest.mark.parametrize("name, said", [("f.txt", "ends in .png, .svg or .pdf"), ("png", "ends in"), ("no/f.png", "No such file")])
def test_a_name_that_is_no_pictures_is_refused_before_anything_runs(name, said, monkeypatch, tmp_path):
    pytest.importorskip("matplotlib", reason="plots need matplotlib")
    assert said in refused(["run", "false-sharing", "--plot", name], monkeypatch, tmp_path)


def test_a_notebook_has_the_picture_inside():
    pytest.importorskip("matplotlib", reason="plots need matplotlib")
    shown = collected()._repr_html_()
    assert shown.count('<img alt="counters[0], drawn" src="data:image/svg+xml;base64,') == 1

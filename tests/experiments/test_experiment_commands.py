"""`hwmem experiments` and `hwmem experiment`: what is printed is what was measured, and what the shown commands measure again."""

import contextlib
import io
import json
import re
import shlex

import pytest

from hwmem.cli import warmup
from hwmem.cli.cli import main
from hwmem.experiments import page
from hwmem.experiments.claims import EXPERIMENTS
from hwmem.experiments.experiment import Lab, perform, perform_if_possible

SITE = re.compile(r'<script type="application/json" id="data">(.*?)</script>', re.S)
FAST = ("isolation", "address-space", "mmap-threshold")


def printed(*words):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert main(list(words)) == 0
    return out.getvalue()


def data(path):
    return json.loads(SITE.search(path.read_text())[1])


@pytest.fixture
def few(monkeypatch):
    """Three experiments that take no time."""
    monkeypatch.setattr("hwmem.experiments.claims.EXPERIMENTS", {name: EXPERIMENTS[name] for name in FAST})


def test_the_list_has_every_claim_under_its_document():
    text = printed("experiments")
    for one in EXPERIMENTS.values():
        assert re.search(rf"^{one.name} ", text, re.M) and text.count(f"\n{one.source[0]}\n") + text.startswith(one.source[0] + "\n") == 1
    assert [one["experiment"] for one in json.loads(printed("experiments", "--json"))] == list(EXPERIMENTS)


def test_an_experiment_prints_claim_table_verdict_and_tolerance():
    text = printed("experiment", "mmap-threshold")
    assert text.startswith("mmap-threshold: malloc takes blocks below 128 KiB")
    assert "\nholds within 24 bytes: " in text and "\ntolerance: 24 bytes" in text and "131,056  a mapping" in text
    found = json.loads(printed("experiment", "mmap-threshold", "--json"))
    assert found["holds"] is True and found["verdict"] == "holds within 24 bytes" and found["rows"][2][0] == 131_048


def test_the_shown_commands_measure_the_same_again():
    outcome = perform(EXPERIMENTS["ping-pong"], Lab(3, None, [], ["rounds=200"]))
    again = [json.loads(printed(*shlex.split(command)[1:], "--alone", "--json")) for command in outcome.commands]
    cycles = [one["cycles"] / one["values"]["operations"] for one in again[:2]]
    assert cycles == outcome.table.column("cycles a turn")[:2]


def test_a_page_has_the_table_and_the_command(tmp_path):
    path = tmp_path / "a.html"
    text = printed("experiment", "address-space", "--html", str(path))
    found = data(path)
    shown = next(block for section in found["sections"] for block in section["blocks"] if block["kind"] == "table")
    assert found["command"] == "hwmem experiment address-space --seed 0" and printed(*shlex.split(found["command"])[1:]) == text
    assert [row[0] for row in shown["rows"]] == ["text", "data", "heap", "mapping", "stack", "kernel space"]


def test_a_site_is_an_index_and_a_page_each_whose_commands_give_its_numbers(few, tmp_path):
    folder = tmp_path / "site"
    table = printed("experiments", "--all", "-o", str(folder))
    assert table.endswith("3 of 3 claims hold\n")
    assert sorted(path.name for path in folder.iterdir()) == sorted([*(f"{name}.html" for name in FAST), "index.html"])
    listed = [block for section in data(folder / "index.html")["sections"] for block in section["blocks"] if block["kind"] == "table"]
    assert sorted(row[0] for block in listed for row in block["rows"]) == sorted([name, f"{name}.html"] for name in FAST)
    for name in FAST:
        found = data(folder / f"{name}.html")
        again = json.loads(printed(*shlex.split(found["command"])[1:], "--json"))
        shown = next(block for section in found["sections"] for block in section["blocks"] if block["kind"] == "table")
        assert shown["rows"] == again["rows"] and found["links"][0] == ["all experiments", "index.html"]
        assert {to for _, to in found["links"]} <= {path.name for path in folder.iterdir()}
    assert len(json.loads(printed("experiments", "--all", "--json"))) == 3


def test_a_site_that_is_interrupted_has_what_was_measured_and_says_so(few, tmp_path, monkeypatch, capsys):
    made = []

    def perform(one, lab):
        if made:
            raise KeyboardInterrupt
        made.append(one)
        return perform_if_possible(one, lab)

    monkeypatch.setattr(page, "perform_if_possible", perform)
    folder = tmp_path / "site"
    assert main(["experiments", "--all", "-o", str(folder)]) == 130
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", f"hwmem: interrupted; what was measured so far is in {folder}\n")
    assert sorted(path.name for path in folder.iterdir()) == ["index.html", f"{FAST[0]}.html"]
    found = data(folder / "index.html")
    assert found["headline"] == "1 of 1 claims hold." and found["subtitle"] == "Interrupted: 2 of 3 claims were not measured"


def test_a_claim_that_does_not_hold_is_told_so_and_is_no_error():
    text = printed("experiment", "mmap-threshold", "--set", "threshold=65536")
    assert "\ndoes not hold: " in text and "seed 0 --set threshold=65536" in text


@pytest.mark.parametrize(
    "words, says",
    [
        (["experiment", "false-shring"], "did you mean false-sharing?"),
        (["experiment", "x"], "experiment 'x' does not exist; there are brk-mmap"),
        (["experiment", "false-sharing", "--set", "x=1"], "false-sharing has atomic"),
        (["experiment", "false-sharing", "--with", "x=1"], "x"),
        (["experiment", "false-sharing", "--preset", "x"], "preset"),
        (["experiment", "false-sharing", "--seed", "-1"], "seed"),
        (["experiment", "isolation", "--plot", "f.png"], "isolation: nothing to draw"),
        (["experiments", "-o", "site"], "take --all"),
        (["experiments", "--with", "cores=2"], "take --all"),
        (["experiments", "--all", "-o", "/dev/null/x"], "/dev/null"),
    ],
)
def test_wrong_words_are_one_line(words, says, capsys, tmp_path, monkeypatch):
    if "--plot" in words:
        pytest.importorskip("matplotlib", reason="plots need matplotlib")
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    told = [line for line in capsys.readouterr().err.splitlines() if ": compiling, once" not in line]
    assert len(told) == 1 and says in told[0]


@pytest.mark.parametrize("name", ["false-sharing", "madvise-return"])
def test_figures_are_drawn(name, tmp_path):
    pytest.importorskip("matplotlib", reason="plots need matplotlib")
    outcome = perform(EXPERIMENTS[name], Lab(0, None, [], ["iterations=200"] if name == "false-sharing" else ["size=1MiB"]))
    axes = outcome.plot(tmp_path / "f.svg")
    assert "<svg" in (tmp_path / "f.svg").read_text() and len(axes.get_legend().get_texts()) == len(outcome.experiment.figure.ys)
    assert "data:image/svg+xml;base64" in page.outcome_page(outcome)


def test_warming_up_makes_the_experiments_that_run_no_workload():
    steps = dict(warmup.experiments())
    assert set(steps) == {name for name, one in EXPERIMENTS.items() if not one.workloads} >= {"address-space", "isolation"}
    assert steps["address-space"]().verdict.holds

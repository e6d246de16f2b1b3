"""The front door keeps its word: its examples run, and what it shows is what the command prints."""
import pathlib
import re

import pytest

import hwmem
from hwmem.cli.cli import main

ROOT = pathlib.Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)


SHOWN = [text for _, text in FENCE.findall(README) if text.startswith("$ hwmem run ") and text.count("\n") > 5]


@pytest.mark.parametrize("shown", SHOWN, ids=lambda text: text.split()[3])
def test_the_output_shown_is_what_the_command_prints(shown, capsys):
    """All of it, but for what "..." stands for."""
    command, output = shown.split("\n", 1)
    assert main(command.split()[2:]) == 0
    rest = capsys.readouterr().out
    if "...\n" not in output:
        assert output == rest
    for piece in filter(None, output.split("...\n")):
        assert piece in rest
        rest = rest[rest.index(piece) + len(piece):]


def test_what_the_readme_says_of_its_table_stands_in_the_table():
    shown = next(text for text in SHOWN if "false-sharing" in text)
    slowdown = re.search(r"^ +4 .* ([\d.]+)x ", shown, re.M)[1]
    said = re.search(r"each increment costs ([\d.]+)\s+times as much", README)[1]
    assert said == slowdown and f"the program runs {slowdown} times as fast" in shown


def test_the_python_examples_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    example, own = [text for language, text in FENCE.findall(README) if language == "python"]
    exec(compile(example, "README.md", "exec"), {})
    assert "counters" in capsys.readouterr().out and hwmem.load_result("r.hwm").parameters["threads"] == 4
    pathlib.Path("tickets.py").write_text(own)
    assert main(["run", "tickets.py", "--set", "draws=50"]) == 0
    assert "tickets   true" in capsys.readouterr().out


def test_the_workload_that_the_documents_write_runs(tmp_path, capsys):
    text = (ROOT / "docs" / "workloads.md").read_text()
    (tmp_path / "doc.py").write_text(next(text for language, text in FENCE.findall(text) if language == "python").replace('"tickets", "threads', '"doc-tickets", "threads'))
    assert main(["run", str(tmp_path / "doc.py"), "--set", "draws=50"]) == 0


def test_every_workload_and_document_is_listed():
    table = (ROOT / "docs" / "workloads.md").read_text()
    for name, one in hwmem.workloads().items():
        assert name.startswith(("test-", "tickets", "doc-", "own")) or f"| `{name}` |" in table
    for document in (ROOT / "docs").glob("*.md"):
        assert f"](docs/{document.name})" in README

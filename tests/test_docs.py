"""README and docs keep their word: every block of code runs, and what is shown is what is printed (documents.py has the kinds)."""

import contextlib
import io
import pathlib
import re

import pytest
from documents import ANYTHING, KINDS, PAGES, UPDATE, blocks, commands, fill, replace, sessions, shows

import goalloc.cli.cli
from goalloc.programs import PROGRAMS
import hwmem
import hwmem.cli.cli
from hwmem.programs import WORKLOADS

MAINS = {"hwmem": hwmem.cli.cli, "goalloc": goalloc.cli.cli}
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HERE = pathlib.Path(__file__).resolve().parent
TASKS = [page for page in PAGES if page.parent.name == "tasks"]
ELSEWHERE = ("bench", "record")  # commands with parsers of their own, or whose words another program takes


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A folder with the files that the documents speak of, and a screen of 100 columns."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    fill(tmp_path)
    return tmp_path


def printed(words):
    """What a command of the project prints on stdout."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        status = MAINS[words[0]].main(words[1:])
    assert status == 0, f"{' '.join(words)}: exit status {status}"
    return out.getvalue()


def test_every_block_says_what_it_is():
    assert [str(block) for block in blocks() if block.kind not in KINDS] == []


@pytest.mark.parametrize("block", blocks("console"), ids=str)
def test_what_a_document_shows_is_what_the_command_prints(block, desk):
    text = block.text
    if "goalloc escape" in text:
        pytest.importorskip("tree_sitter_go", reason="needs pip install '.[escape]'")
    for command, shown in sessions(block.text):
        out = "".join(printed(words) for words in commands(command))
        if not shows(shown, out) and UPDATE and not ANYTHING.search(shown):
            text = text.replace(f"$ {command}\n{shown}", f"$ {command}\n{out}")
            continue
        if ANYTHING.search(shown):
            assert shows(shown, out), f"{command} prints:\n{out}"
        else:
            assert shown == out
    if text != block.text:
        replace(block, block.text, text)


@pytest.mark.parametrize("block", blocks("sh"), ids=str)
def test_commands_are_ones_that_can_be_typed(block):
    for line in block.text.splitlines():
        for words in commands(line.split(" > ")[0].split(" | ")[0]):
            if words[0] in MAINS and words[1] not in ELSEWHERE:
                if "--plot" in words:
                    pytest.importorskip("matplotlib", reason="plots need matplotlib")
                MAINS[words[0]].parser().parse_args(words[1:])


@pytest.mark.parametrize("page", [page for page in PAGES if any(b.page == page for b in blocks("python"))], ids=lambda page: page.name)
def test_the_python_of_a_document_runs_from_top_to_bottom(page, desk, capsys):
    names = {"__name__": "document"}
    said = ""
    for block in blocks("python", "output"):
        if block.page != page:
            continue
        if block.kind == "output":
            if not shows(block.text, said) and UPDATE:
                replace(block, block.text, said)
            else:
                assert shows(block.text, said)
            continue
        if "to_pandas" in block.text:
            pytest.importorskip("pandas", reason="frames need pandas")
        registered, programs = dict(WORKLOADS), dict(PROGRAMS)
        own = re.search(r"@(hwmem|goalloc)\.workload\(\s*\"(\w+)\".*?(\w+)=\1\.parameter\(1000", block.text, re.S)
        if own:  # a kernel is cached with its file
            pathlib.Path(f"{own[2]}.py").write_text(block.text)
            assert own[2] in printed([own[1], "run", f"{own[2]}.py", "--set", f"{own[3]}=50"])
        else:
            exec(compile("\n" * block.line + block.text, str(page), "exec"), names)
        said = capsys.readouterr().out
        for registry, before in ((WORKLOADS, registered), (PROGRAMS, programs)):
            registry.registered = before


@pytest.mark.parametrize("page", TASKS, ids=lambda page: page.stem)
def test_a_task_is_at_most_six_lines_to_type(page):
    typed = [line for block in blocks("sh", "python") if block.page == page for line in block.text.splitlines() if line.strip()]
    assert 1 <= len(typed) <= 6


def test_the_program_on_the_page_is_the_recorded_one():
    page = (HERE.parent / "docs" / "tasks" / "your-program.md").read_text()
    source = (HERE / "trace" / "data" / "counters" / "counters.c").read_text()
    assert page.split("```c\n")[1].split("```")[0] == source


@pytest.mark.parametrize("block", blocks("toml"), ids=str)
def test_a_configuration_that_is_shown_can_be_loaded(block, desk):
    hwmem.MachineConfig.load("box.toml")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" not in target:
            file, _, anchor = target.partition("#")
            there = page.parent / file if file else page
            assert there.exists(), f"{page.name}: {target}"
            if anchor:
                assert anchor in anchors(there), f"{page.name}: {target}"


def anchors(page):
    """The names that headings have as places to link to."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}

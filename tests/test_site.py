"""The documents as a site: every page has its place, what pages say of files, functions and tests is there. (That it
builds, and can be used: page/test_docs_site.py.)"""

import ast
import re

import pytest
from documents import ROOT

DOCS = ROOT / "docs"
CONFIG = DOCS / "site" / "mkdocs.yml"
PLACE = re.compile(r"`((?:hwmem|goalloc)/[\w/]+\.py)`(?: \(((?:`\w+`(?:, )?)+)\))?")
COMMAND = re.compile(r"`pytest ([^`]+)`")


def test_every_document_has_its_place_in_the_site():
    listed = re.findall(r": (\S+\.md)$", CONFIG.read_text(), re.M)
    assert sorted(listed) == sorted(str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")), "once each"


@pytest.mark.parametrize("file, names", PLACE.findall((DOCS / "tour.md").read_text()), ids=lambda value: value)
def test_what_the_tour_shows_is_there(file, names):
    there = {node.name for node in ast.walk(ast.parse((ROOT / file).read_text())) if isinstance(node, ast.FunctionDef)}
    assert set(re.findall(r"\w+", names)) <= there


def test_the_tour_has_something_to_show():
    assert len(PLACE.findall((DOCS / "tour.md").read_text())) > 20


FIDELITY = (DOCS / "fidelity.md").read_text()


@pytest.mark.parametrize("command", COMMAND.findall(FIDELITY), ids=str)
def test_what_a_row_of_fidelity_runs_is_there(command):
    words = command.split()
    if "-k" in words:
        assert words[-1] in (ROOT / words[0]).read_text()
        words = words[: words.index("-k")]
    for word in words:
        assert (ROOT / word).exists(), word


def test_everything_that_is_compared_with_something_real_has_a_row():
    named = {ROOT / word for command in COMMAND.findall(FIDELITY) for word in command.split()}
    real = {f for f in (ROOT / "tests").rglob("test_*.py") if re.search(r"mark\.(oracle|live)\b", f.read_text())}
    held = {f for f in real if f in named or f.parent in named}
    own = {ROOT / "tests" / name for name in ("experiments/test_claims.py", "page/test_docs_site.py")}  # of what is ours
    assert real - held - own == set()


COMPARISON = (DOCS / "comparison.md").read_text()


def test_each_statement_on_another_tool_has_its_source():
    said, _, sources = COMPARISON.partition("## Sources")
    cited = {int(n) for group in re.findall(r"\[([\d, ]+)\]", said) for n in group.split(",")}
    assert cited == {int(n) for n in re.findall(r"^(\d+)\. ", sources, re.M)}
    tools = [row for row in said.splitlines() if row.startswith("| ") and not row.startswith(("| tool", "| ---"))]
    assert len(tools) == 7 and all(re.search(r"\[\d", row) for row in tools)


def test_the_costs_of_the_comparison_are_those_of_the_benchmarks_run():
    """hwmem's, pycachesim's and cachegrind's columns of one `hwmem bench`, here as rows."""
    run = re.findall(r"^S\d .*", (DOCS / "benchmarks.md").read_text(), re.M)[:5]
    columns = list(zip(*(row.split()[-5:-1] for row in run)))
    rows = [tuple(row.split()[-6:-1]) for row in COMPARISON.splitlines() if row.startswith(("hwmem,", "pycachesim 0", "cachegrind ("))]
    assert rows == columns

"""The front door: what it says of its tables stands in them, and it names everything there is. (Its blocks run in test_docs.py.)"""

import pathlib
import re

from hwmem.programs import WORKLOADS

ROOT = pathlib.Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)


SHOWN = [text for _, text in FENCE.findall(README) if text.startswith("$ hwmem run ") and text.count("\n") > 5]


def test_what_the_readme_says_of_its_table_stands_in_the_table():
    shown = next(text for text in SHOWN if "false-sharing" in text)
    slowdown = re.search(r"^ +4 .* ([\d.]+)x ", shown, re.M)[1]
    said = re.search(r"each increment costs ([\d.]+)\s+times as much", README)[1]
    assert said == slowdown and f"the program runs {slowdown} times as fast" in shown


def test_every_workload_and_document_is_listed():
    table = (ROOT / "docs" / "workloads.md").read_text()
    for name, workload in WORKLOADS.items():
        assert not workload.kernel.__module__.startswith("hwmem.") or f"| `{name}` |" in table
    for document in (ROOT / "docs").glob("*.md"):
        assert f"`docs/{document.name}`" in README


def test_the_readme_has_no_link_that_a_package_index_cannot_follow():
    """And what it names instead is in the source distribution."""
    assert re.findall(r"\]\((?!https?://)[^)]*\)", README) == []
    for name in re.findall(r"`(docs/[\w/-]+\.md)`", README):
        assert (ROOT / name).is_file(), name
    for name in re.findall(r'src="([^"]+)"', README):
        assert (ROOT / name).is_file() and name.startswith("docs/"), name
    assert "docs" in (ROOT / "MANIFEST.in").read_text()


def test_the_first_screen_has_what_to_type_what_comes_of_it_and_the_page():
    first = README.partition("## Install")[0]
    assert first.count("```sh") >= 1 and "$ hwmem run false-sharing" in first and "docs/pictures/page.png" in first

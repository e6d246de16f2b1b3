"""Pages are whole, keep to themselves, stay small, and have no block for what is not there."""

import json
import re

import numpy as np
import pytest

import hwmem
from hwmem.page import comparison, document, page
from hwmem.page.blocks import MOST_ROWS, chart, panel, picture, section, table, tiles
from hwmem.page.coherence import MOMENTS
from hwmem.runs.difference import difference
from page.pages import DATA, HOSTILE, blocks_of, data_of, event_log, result, series


def kinds(text):
    return {block["kind"] for block in blocks_of(text)}


def test_a_page_of_everything_has_every_kind_of_block():
    assert kinds(page(result())) == {"tiles", "table", "lines", "matrix", "history", "bars", "chart", "listing"}


def test_what_was_not_watched_has_no_block():
    bare = result(lines=0, events=0, samples=0, comparison=None, space=None, races=None, symbols=[])
    assert kinds(page(bare)) == {"tiles", "table", "bars", "listing"}
    assert all(block for block in blocks_of(page(bare)))


def test_a_page_asks_nobody_for_anything():
    text = page(result())
    addresses = set(re.findall(r"https?://[^\"'\s]+", text))
    assert addresses == {"http://www.w3.org/2000/svg"}, "the name of SVG's elements alone"
    assert "default-src 'none'" in text and "unsafe-inline" not in text and "unsafe-eval" not in text
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|new Function", text)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_name_leaves_the_data(hostile):
    text = page(result(names=(hostile, hostile + "2")))
    shell = DATA.sub("", text)
    (title,) = re.findall("<title>(.*?)</title>", shell, re.S)
    assert not set("<>\x1b\u202e\ud800") & set(title) and hostile not in shell.replace(title, "")
    assert text.count("<script") == text.count("</script>") == 2
    (inside,) = DATA.findall(text)
    assert inside.isascii() and not set("<>&\x1b") & set(inside)
    data = json.loads(inside)
    kept = json.dumps(data, ensure_ascii=False)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", kept), "nothing that a reader's eyes would follow"


def test_the_figures_in_the_page_are_the_results():
    r = result()
    blocks = blocks_of(page(r))
    (lines,) = (b["lines"] for b in blocks if b["kind"] == "lines")
    assert [one["hitm"] for one in lines] == [row["hitm"] for row in r.c2c()] and lines[0]["bytes"] == r.c2c()[0]["bytes"]
    (matrix,) = (b for b in blocks if b["kind"] == "matrix")
    counted = np.zeros((4, 5), int)
    for _, _, core, answers, n, _ in matrix["cells"]:
        counted[core, answers] += n
    expected = np.zeros((4, 5), int)
    np.add.at(expected, (r.events["core"], r.events["responder"]), 1)
    assert (counted == expected).all() and sum(cell[5] for cell in matrix["cells"]) == r.events["latency"].sum()
    (chart_,) = (b for b in blocks if b["kind"] == "chart")
    assert chart_["x"][-1] == pytest.approx(r.series["cycle"][-1] / 3e9, rel=1e-5)
    resident = next(s for p in chart_["panels"] for s in p["series"] if s["name"] == "resident")
    assert resident["values"] == (r.series["anon"] * 4096).tolist()


def test_the_sentence_at_the_top_names_the_cost_and_the_cure():
    assert (
        data_of(page(result()))["headline"]
        == "False sharing costs 2.1x: counters[0..1] lie on one line; pad each thread's part to 64 bytes."
    )
    assert "stopped" in data_of(page(result(stopped="interrupted")))["headline"].lower()
    assert "no line was contended" in data_of(page(result(lines=0, comparison=None)))["headline"]


def test_the_command_in_the_page_is_one_that_makes_the_run_again():
    config = hwmem.MachineConfig.preset("zen3").replace(cores=8)
    command = data_of(page(result(names=("false-sharing",), config=config, cores=8)))["command"]
    from hwmem.cli.cli import parser

    words = command.split()
    arguments = parser().parse_args(words[1:])
    assert words[0] == "hwmem" and arguments.workload == "false-sharing" and arguments.set == ["threads=8", "stride=8"]
    assert hwmem.MachineConfig.preset(arguments.preset).with_overrides(arguments.changes) == config


@pytest.mark.slow
def test_the_largest_run_gives_a_page_of_less_than_5_megabytes_and_says_what_it_leaves_out():
    names = [f"mspan({k:#x}).allocCount" for k in range(2000)]
    r = result(names=names, cores=64, lines=900, samples=512, events=0)
    r.events = event_log(1 << 20, 64, 900)
    text = page(r)
    notes = " ".join(block.get("note", "") for block in blocks_of(text))
    assert len(text) < 5_000_000 and "of 900 contended lines" in notes and f"The first {MOMENTS} requests" in notes


def test_the_smallest_page_is_less_than_150_kilobytes():
    assert len(page(result(lines=0, events=0, samples=2, comparison=None))) < 150_000


def test_two_results_are_one_page():
    a, b = result(), result(cycles=121_500_000, seed=3, samples=30)
    text = comparison(a, b, difference(a, b), ("a.hwm", HOSTILE[0]))
    data = data_of(text)
    assert data["headline"].endswith("is 2.00 times as fast.") and HOSTILE[0] not in DATA.sub("", text)
    rows = {
        row[0]: row[1:] for s in data["sections"] if s["id"] in ("settings", "outcome") for block in s["blocks"] for row in block["rows"]
    }
    assert rows["seed"] == ["0", "3"] and rows["cycles"][:3] == [243_000_000, 121_500_000, 0.5] and rows["cycles"][3] < 0
    same = data_of(comparison(a, a, difference(a, a)))
    assert [s["id"] for s in same["sections"]][-1] == "same" and same["headline"] == "b takes as long as a."


def test_other_pages_are_made_of_the_same_blocks():
    made = document(
        "An experiment",
        [
            section(
                "a", "First", [tiles([]), table(["x", ("n", "int")], [[k, k] for k in range(MOST_ROWS + 5)]), picture("<svg/>", "a curve")]
            ),
            section("b", "Empty", [table(["x"], []), chart([0], [panel("p", "count", [("s", [1])])]), None]),
            None,
        ],
        headline="It holds.",
        links=[("index", "index.html")],
    )
    data = data_of(made)
    assert [s["id"] for s in data["sections"]] == ["a"] and data["links"] == [["index", "index.html"]]
    rows = data["sections"][0]["blocks"][0]
    assert len(rows["rows"]) == MOST_ROWS and f"The first {MOST_ROWS} of {MOST_ROWS + 5}" in rows["note"]


def test_a_series_that_is_no_table_of_numbers_is_damage(tmp_path):
    for wrong in (series(9).astype([(name, "f4") for name in series(1).dtype.names]), series(9)[["cycle", "vm"]]):
        result(series=wrong).save(tmp_path / "r.hwm")
        with pytest.raises(hwmem.errors.ResultError, match="damaged"):
            hwmem.load_result(tmp_path / "r.hwm")

"""A Go program's page: its arenas' map adds up to MemStats, and what it shows is what the result has."""

import pytest

import goalloc
from goalloc.cli.cli import main
from goalloc.cli.page import page
from goalloc.observe.pagemap import FREE_KINDS, KINDS, LARGE, MANUAL, POINTERS, RETURNED, SMALL
from page.pages import blocks_of, data_of, result as of_hwmem

PAGE = 8192


@pytest.fixture(scope="module")
def result():
    return goalloc.run("explicit-gc", gomaxprocs=2, objects=3000, size=64, cycles=3)


def test_the_arenas_pages_are_memstats_bytes(result):
    stats, pages = result.values["memstats"], dict.fromkeys(range(len(KINDS)), 0)
    for arena in result.values["arenas"]:
        for n, kind in arena["runs"]:
            pages[kind] += n
    assert sum(pages[kind] for kind in (SMALL, POINTERS, LARGE)) * PAGE == stats["HeapInuse"]
    assert sum(pages[kind] for kind in FREE_KINDS) * PAGE == stats["HeapIdle"] and pages[RETURNED] * PAGE == stats["HeapReleased"]
    assert pages[MANUAL] * PAGE >= stats["StackInuse"]


def test_the_page_has_the_collections_the_spans_and_the_arenas(result):
    text = page(result)
    blocks, data = blocks_of(text), data_of(text)
    tables = {block["caption"]: block for block in blocks if block["kind"] == "table"}
    assert len(tables["Collections"]["rows"]) == len(result.gc) == 3 and len(text) < 1_000_000
    of_64 = next(row for row in tables["Spans by size class"]["rows"] if row[0] == "64 bytes")
    size = next(row for row in result.values["sizes"] if row["size"] == 64)
    assert of_64[1:4] == [size["spans"], size["slots"], size["live"]] and of_64[4] == pytest.approx(size["live"] / size["slots"], rel=1e-5)
    (arenas,) = (block for block in blocks if block["kind"] == "pages")
    assert [area["runs"] for area in arenas["areas"]] == [arena["runs"] for arena in result.values["arenas"]]
    assert data["headline"].startswith("3 collections, the longest pause ") and data["command"].startswith("goalloc run explicit-gc ")


def test_marking_is_shaded_where_it_was(result):
    (chart,) = (block for block in blocks_of(page(result)) if block["kind"] == "chart")
    spans = [span for span in chart["spans"] if span[2] == "marking"]
    assert len(spans) == 3 and all(chart["x"][0] <= begin <= end <= chart["x"][-1] for begin, end, _ in spans)
    heap = next(p for p in chart["panels"] if p["title"] == "Go heap")
    live = next(s for s in heap["series"] if s["name"] == "live")["values"]
    assert max(live) >= 3000 * 64 and len(live) == len(chart["x"])


KINDS_OF_TIME = {"dedicated": "dedicated_ns", "fractional": "fractional_ns", "idle": "idle_ns", "assist": "assist_ns"}


@pytest.fixture(scope="module")
def busy():
    """Four Ps of which some mark, some assist, some sweep."""
    return goalloc.run("steady", gomaxprocs=4, slots=4096, size=1024, noscan=True, churn=4096)


def test_the_ps_turns_are_what_the_pacer_counts(busy):
    turns = busy.values["turns"]
    last = busy.gc[-1]["at_ns"][3]
    for kind, counted in KINDS_OF_TIME.items():
        own = sum(end - begin for _, one, begin, end in turns["rows"] if one == kind and begin < last)
        gaps = 2_000 * len(turns["rows"])  # between turns that are one
        assert abs(own - sum(c[counted] for c in busy.gc)) <= gaps + 5_000 * 4, kind  # a P keeps up to 5 us of assists to itself
    assert turns["lost"] == 0 and any(kind == "sweep" for _, kind, _, _ in turns["rows"])


def test_the_lanes_of_the_ps_do_not_overlap_and_lie_in_the_run(busy):
    text = page(busy)
    (chart,) = (block for block in blocks_of(text) if block["kind"] == "chart")
    (panel,) = (one for one in chart["panels"] if "lanes" in one)
    assert [name for name, _ in panel["lanes"]] == ["P 0", "P 1", "P 2", "P 3"]
    for _, pieces in panel["lanes"]:
        assert pieces == sorted(pieces) and pieces[-1][1] <= chart["x"][-1] * 1.001
        marking = [piece for piece in pieces if piece[2] != 5]
        assert all(a[1] <= b[0] + 1e-9 for a, b in zip(marking, marking[1:])), "a P does one thing at a time"
    (bars,) = (block for block in blocks_of(text) if block.get("of") == "P")
    for row in bars["rows"]:
        assert sum(row[1:]) == pytest.approx(1e9 * busy.seconds, rel=1e-6)


def test_a_result_that_is_no_go_programs_is_refused(tmp_path, capsys):
    of_hwmem().save(tmp_path / "r.hwm")
    assert main(["html", str(tmp_path / "r.hwm"), "-o", str(tmp_path / "r.html")]) == 2
    assert "is not a Go program's result; hwmem html shows it" in capsys.readouterr().err

"""A result as rows: what they add up to is what the result says."""

import csv

import pytest

import hwmem
from hwmem.runs.frame import TABLES, rows


@pytest.fixture(scope="module")
def result():
    return hwmem.run("false-sharing", threads=3, iterations=300, events=20, compare=True)


def test_the_cores_that_ran_have_a_row_each(result):
    own = rows(result, "cores")
    assert [row["core"] for row in own] == [0, 1, 2]
    assert [row["l1d.misses"] for row in own] == [c["l1d.misses"] for c in result.counters["cores"][:3]]


def test_one_row_says_all_of_a_run(result):
    (row,) = rows(result, "run")
    assert (row["workload"], row["threads"], row["cycles"], row["cost"]) == ("false-sharing", 3, result.cycles, result.cost)
    assert row["stores"] == sum(c["stores"] for c in result.counters["cores"])


def test_lines_offsets_events_and_comparison(result):
    line = result.c2c()[0]
    assert rows(result, "lines")[0]["hitm"] == line["hitm"] and "offsets" not in rows(result, "lines")[0]
    assert sum(row["stores"] for row in rows(result, "offsets") if row["address"] == line["address"]) == line["stores"]
    assert len(rows(result, "events")) == 20 and rows(result, "events")[0]["cycle"] == result.events[0]["cycle"]
    assert [row["cost"] for row in rows(result, "comparison")] == [cell for cells in result.comparison["cells"] for cell in cells]


@pytest.mark.parametrize("table", TABLES)
def test_every_table_is_a_file_and_a_frame(result, table, tmp_path):
    result.to_csv(tmp_path / "t.csv", table)
    with open(tmp_path / "t.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == len(rows(result, table))
    assert (len(rows(result, table)) > 0) == (table != "gc"), "nothing is collected here"
    pytest.importorskip("pandas", reason="frames need pandas")
    assert len(result.to_pandas(table)) == len(rows(result, table))


def test_another_table_is_refused_by_name(result):
    with pytest.raises(ValueError, match="^table: 'core' is none of cores, lines"):
        result.to_pandas("core")


def test_a_picture_of_the_comparison(result, tmp_path):
    pytest.importorskip("matplotlib", reason="plots need matplotlib")
    assert len(result.plot(tmp_path / "r.png").lines) == 2 and (tmp_path / "r.png").read_bytes()[1:4] == b"PNG"
    with pytest.raises(ValueError, match="run it with compare=True"):
        hwmem.run("false-sharing", threads=1, iterations=3).plot(what="comparison")

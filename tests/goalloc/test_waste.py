"""What memory is lost to, inside of objects and at the ends of spans: arithmetic with the real allocator's size classes."""

import math

import pytest
from recorded import oracle, scenarios

import goalloc
from goalloc.cli.cli import main
from goalloc.programs import run
from goalloc.sizeclasses import class_to_size

PAGE = 8192
N = 1000


def size_class(size):
    """The row of the recorded table in which an object of `size` bytes goes."""
    return next(row for row in oracle("sizes")["classes"][1:] if row["bytes_per_obj"] >= size)


def differences(rt, sizes, noscan=True):
    """{class: what its row has more}, after objects of these sizes."""
    before = rt.size_stats()
    rt.malloc_many(sizes, noscan=noscan)
    after = rt.size_stats()
    return {b["class"]: {key: a[key] - b[key] for key in b if key not in ("class", "size")} for b, a in zip(before, after)}


@pytest.mark.oracle
@pytest.mark.parametrize("noscan", [True, False])
@pytest.mark.parametrize("size", [16, 24, 520, 1025, 4104, 9480, 27272, 32768])
def test_objects_waste_what_their_slots_have_more_than_was_asked_for(runtime, size, noscan):
    rt, row = runtime(gomaxprocs=1), size_class(size)
    got = differences(rt, [size] * N, noscan)[row["class"]]
    assert (got["mallocs"], got["asked"]) == (N, N * size)
    whole = rt.size_stats()[row["class"]]
    objects = PAGE * (row["bytes_per_span"] // PAGE) // row["bytes_per_obj"]
    assert whole["tail"] == whole["spans"] * (row["bytes_per_span"] - objects * row["bytes_per_obj"])
    runtimes_own = whole["mallocs"] - N  # objects of the class that the runtime made when it started
    if runtimes_own == 0:
        assert whole["inside"] == N * (row["bytes_per_obj"] - size)
    assert whole["inside"] == whole["live"] * row["bytes_per_obj"] - round(whole["live"] * whole["asked"] / whole["mallocs"])


def test_every_request_lies_between_the_class_below_and_its_own(runtime):
    """Of a heap's own first objects too, the Ps, and of all but the blocks that tiny objects share."""
    rt = runtime(gomaxprocs=2)
    rt.malloc_many([24, 100, 1025, 2000, 30_000], noscan=False)
    rows = rt.size_stats()
    assert sum(row["mallocs"] > 0 for row in rows[1:]) >= 7
    for below, row in zip(rows[1:], rows[2:]):
        if row["size"] != 16:
            assert row["mallocs"] * (below["size"] + 1) <= row["asked"] <= row["mallocs"] * row["size"]


def test_tiny_objects_share_blocks_of_16_bytes(runtime):
    """Three of five bytes in each, and one byte of each block is lost."""
    got = differences(runtime(gomaxprocs=1), [5] * 3 * N)[2]
    assert got["asked"] == 15 * N and got["mallocs"] in (N, N + 1)


@pytest.mark.parametrize("size", [32769, 40_000, 1 << 20])
def test_large_objects_waste_the_end_of_their_last_page(runtime, size):
    rt = runtime(gomaxprocs=1)
    got, nbytes = differences(rt, [size] * 3)[0], math.ceil(size / PAGE) * PAGE
    assert (got["mallocs"], got["asked"], got["span bytes"], got["tail"]) == (3, 3 * size, 3 * nbytes, 0)
    assert got["inside"] == 3 * (nbytes - size)


def test_an_arenas_chunk_is_asked_for_whole(runtime):
    rt = runtime(gomaxprocs=1)
    before = rt.size_stats()[0]
    rt.arena().new(goalloc.struct("Pair", a=goalloc.int64, b=goalloc.int64))
    after = rt.size_stats()[0]
    assert after["asked"] - before["asked"] == after["span bytes"] - before["span bytes"] == 8 << 20


@pytest.mark.oracle
def test_of_what_was_there_before_nothing_is_lost_inside(runtime):
    rt = runtime(start=next(iter(scenarios().values())))
    assert any(row["mallocs"] for row in rt.size_stats())
    assert all(row["asked"] == row["mallocs"] * row["size"] and row["inside"] == 0 for row in rt.size_stats()[1:])


def test_bytes_of_the_spans_are_used_or_lost_to_one_thing():
    r = run("mixed-sizes", gomaxprocs=2, allocations=2000)
    rows, asked = r.values["sizes"], sum(row["asked"] for row in r.values["sizes"])
    for row in rows:
        lost = row["inside"] + row["free"] * row["size"] + row["tail"]
        assert 0 <= lost <= row["span bytes"] and row["inside"] >= 0
        if row["size"]:
            assert row["span bytes"] == (row["live"] + row["free"]) * row["size"] + row["tail"]
            assert row["asked"] <= row["mallocs"] * row["size"]
    assert asked == r.values["memstats"]["HeapAlloc"] - sum(row["inside"] for row in rows)  # nothing was freed
    assert r.values["inside_objects"] == sum(row["inside"] for row in rows)
    assert r.values["span_ends"] == sum(row["tail"] for row in rows)
    assert [row["size"] for row in rows] == list(class_to_size)


def test_the_report_shows_both(tmp_path, capsys):
    """127 of the 1,152 bytes of each of 7 objects; 128 of a span's 8,192 are left at its end."""
    kept = str(tmp_path / "r.hwm")
    assert main(["run", "alloc-storm", "--gomaxprocs", "1", "--set", "size=1025", "allocations=7000", "--alone", "-o", kept]) == 0
    assert "inside_objects=" in capsys.readouterr().out
    assert main(["report", kept, "spans"]) == 0
    head, row = (line.split() for line in capsys.readouterr().out.splitlines() if "1,152" in line or line.startswith("class"))
    cells = dict(zip(["class", "size", "asked", "mallocs", "frees", "live", "spans", "bytes", "share", "inside", "free", "ends"], row))
    assert head[-3:] == ["inside", "free", "ends"] and head[2] == "asked"
    assert (cells["asked"], cells["mallocs"], cells["spans"]) == ("1,025", "7,000", "1,000")
    assert cells["inside"] == f"{100 * 7 * 127 / PAGE:.1f}%" and cells["free"] == "0.0%" and cells["ends"] == f"{100 * 128 / PAGE:.1f}%"

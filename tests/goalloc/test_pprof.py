"""The heap profile's file says to the real `go tool pprof` what the records say."""

import pytest
from pprof import PPROF, top

from goalloc.observe.memprofile import scaleHeapSample
from goalloc import Runtime
from goalloc.observe.pprof import heap_profile, varint


def record(site, typ, size, allocs, frees, m=0):
    return dict(
        site=site, type=typ, size=size, m=m, AllocObjects=allocs, AllocBytes=allocs * size, FreeObjects=frees, FreeBytes=frees * size
    )


RECORDS = [
    record("main.parse", "Node", 48, 1000, 400),
    record("main.parse", "noscan", 1024, 10, 0),
    record("main.cache", "noscan", 4096, 64, 60, m=1),
    record("main.cache", "noscan", 4096, 36, 30, m=2),
    record("", "Leaf", 16, 50, 0),
]


live = pytest.mark.skipif(PPROF is None, reason="needs Go: pip install '.[go]'")


@pytest.mark.live
@live
def test_pprof_shows_what_is_in_use_and_what_was_allocated(tmp_path):
    path = tmp_path / "heap.pb.gz"
    path.write_bytes(heap_profile(RECORDS, 1))
    assert top(path) == {"main.parse": 600 * 48 + 10 * 1024, "main.cache": 10 * 4096, "Leaf": 800}
    assert top(path, "-alloc_space") == {"main.parse": 1000 * 48 + 10 * 1024, "main.cache": 100 * 4096, "Leaf": 800}
    assert top(path, "-inuse_objects") == {"main.parse": 610, "main.cache": 10, "Leaf": 50}


@pytest.mark.live
@live
def test_pprof_subtracts_a_profile_from_a_later_one(tmp_path):
    before, after = tmp_path / "before.pb.gz", tmp_path / "after.pb.gz"
    before.write_bytes(heap_profile(RECORDS[:2], 1))
    after.write_bytes(heap_profile(RECORDS, 1))
    assert {name: n for name, n in top(after, f"-base={before}").items() if n} == {"main.cache": 10 * 4096, "Leaf": 800}


@pytest.mark.live
@live
def test_samples_are_scaled_as_go_scales_them(tmp_path):
    path = tmp_path / "heap.pb.gz"
    path.write_bytes(heap_profile(RECORDS[2:4], 4096))
    assert top(path) == {"main.cache": scaleHeapSample(10, 10 * 4096, 4096)[1]}


def test_varints_are_protobufs():
    assert [varint(n).hex() for n in (0, 1, 127, 128, 300, -1)] == ["00", "01", "7f", "8001", "ac02", "ffffffffffffffffff01"]


def spend(rt, n):
    """The cycles that `n` mallocs take."""
    before = int(rt.machine.state.core[0].cycles)
    rt.malloc_many([64] * n)
    return int(rt.machine.state.core[0].cycles) - before


def spend_at_sites(rt):
    """{frames: cycles}, measured one by one."""
    outside = spend(rt, 10)
    with rt.call_site("main.serve"):
        serve = spend(rt, 50)
        with rt.call_site("main.parse"):
            parse = spend(rt, 200)
        serve += spend(rt, 5)
    with rt.call_site("main.parse"):
        alone = spend(rt, 20)
    return {(): outside, ("main.serve",): serve, ("main.parse", "main.serve"): parse, ("main.parse",): alone}


def test_every_cycle_is_charged_to_the_call_sites_that_are_entered():
    rt = Runtime(gomaxprocs=1)
    began = int(rt.machine.state.core[0].cycles)
    rt.cpu_profile()
    start = {r["frames"]: r["cycles"] for r in rt.cpu_profile()}
    measured = spend_at_sites(rt)
    records = rt.cpu_profile()
    assert {r["frames"]: r["cycles"] - start.get(r["frames"], 0) for r in records} == measured
    assert sum(measured.values()) == int(rt.machine.state.core[0].cycles) - began
    assert [r["cycles"] for r in records] == sorted((r["cycles"] for r in records), reverse=True)


@pytest.mark.live
@live
def test_pprof_shows_the_cycles_of_a_site_and_of_what_it_calls(tmp_path):
    rt = Runtime(gomaxprocs=1)
    spend_at_sites(rt)
    sums = {r["frames"]: r["cycles"] for r in rt.cpu_profile(tmp_path / "cpu.pb.gz")}
    flat = top(tmp_path / "cpu.pb.gz", "-sample_index=cycles")
    assert flat["main.parse"] == sums["main.parse", "main.serve"] + sums[("main.parse",)]
    assert flat["main.serve"] == sums[("main.serve",)]

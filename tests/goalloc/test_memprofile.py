"""The heap's profile: exact where every object is sampled, right on average where not; freed objects count where they were allocated."""

import math
import os

import numpy as np
import pytest

from goalloc import params as P
from goalloc.errors import FatalError
from goalloc.observe.inspect import Inspector
from goalloc.layout import heapArena, m_, mcache, mheap, mspan, p_, special, variables as V
from goalloc.observe.memprofile import scaleHeapSample, top
from goalloc.params import pageSize
from goalloc.heap.malloc_sample import FLUSH, FREE, NEXT_CYCLE
from goalloc.sizeclasses import class_to_size, size_class
from goalloc.types import int64, pointer, struct

Node, Leaf = struct("Node", left=pointer, right=pointer, key=int64), struct("Leaf", value=int64, next=int64)


def profile(rt, operation, a=0, b=0):
    rt.call(0, P.DOOR_PROFILE, operation, a, b)


def test_at_rate_1_every_object_is_counted_exactly(runtime):
    rt = runtime(gomaxprocs=2, godebug="memprofilerate=1")
    with rt.call_site("build"):
        for _ in range(30):
            rt.new(Node)
        rt.malloc_many(np.full(50, 100), core=1)
    rt.malloc_many(np.full(20, 40_000))
    rt.malloc_many(np.full(64, 4))  # sixteen tiny blocks: the pieces after the first are not asked about
    records = {(r["type"], r["size"], r["site"], r["m"]): (r["AllocObjects"], r["AllocBytes"]) for r in rt.mem_profile()}
    assert records == {
        ("Node", 24, "build", 0): (30, 720),
        ("noscan", 112, "build", 1): (50, 5600),
        ("noscan", 40960, "", 0): (20, 819_200),
        ("noscan", 16, "", 0): (16, 256),
    }
    assert [row[:4] for row in top(rt.mem_profile(), 1)[:2]] == [
        [819_200, pytest.approx(0.992, abs=1e-3), pytest.approx(0.992, abs=1e-3), 20],
        [5600, pytest.approx(0.0068, abs=1e-4), pytest.approx(0.9988, abs=1e-4), 50],
    ]
    rt.check()


def test_without_a_rate_there_is_no_profile_and_no_memory_for_it(runtime):
    rt = runtime(gomaxprocs=1)
    rt.malloc_many(np.full(1000, 64))
    assert rt.mem_profile() == [] and rt.memstats()["BuckHashSys"] == 0


def test_the_estimate_is_right_within_its_error(runtime):
    """n objects, each sampled with probability p: the estimate's standard deviation is sqrt((1 - p) / (n p)) of the truth."""
    rate = 4096
    rt = runtime(gomaxprocs=1, godebug=f"memprofilerate={rate}", seed=7)
    wanted = {16: 60_000, 200: 20_000, 2048: 4_000, 20_000: 300}
    for size, n in wanted.items():
        rt.malloc_many(np.full(n, size))
    rows = {row[5]: row for row in top(rt.mem_profile(), rate)}
    for size, n in wanted.items():
        taken = class_to_size[size_class(size)]
        p = 1 - math.exp(-taken / rate)
        nbytes, objects, samples = rows[taken][0], rows[taken][3], rows[taken][4]
        error = math.sqrt((1 - p) / (n * p))
        assert abs(nbytes / (n * taken) - 1) < 4 * error + 1e-3, (size, nbytes, error)
        assert abs(objects / n - 1) < 4 * error + 1e-3 and 0 < samples <= n


def test_the_same_seed_samples_the_same_and_another_one_others(runtime):
    def sampled(seed):
        rt = runtime(gomaxprocs=1, godebug="memprofilerate=2000", seed=seed)
        rt.malloc_many(np.full(500, 64))
        return rt.process.load(rt.process.load(rt.ps[0] + p_.mcache) + mcache.nextSample), rt.mem_profile()[0]["AllocObjects"]

    assert sampled(3) == sampled(3)
    assert len({sampled(seed) for seed in range(6)}) > 3


def wyrand(state):
    state = (state + 0xA0761D6478BD642F) % 2**64
    product = state * (state ^ 0xE7037ED1A0B428DB)
    return state, (product >> 64 ^ product) & 0xFFFFFFFF


def test_distances_are_those_of_the_real_generator(runtime):
    """Python's integers and logarithm instead: the distance to the next sample is -ln(q) times the rate, to the table's precision."""
    rt = runtime(gomaxprocs=1, godebug="memprofilerate=100000", seed=5)
    c, state = rt.process.load(rt.ps[0] + p_.mcache), V.m0 + m_.fastrand
    for _ in range(50):
        x, drawn = wyrand(Inspector(rt.process).word(state))
        rt.process.store(c + mcache.nextSample, 0)
        rt.mallocgc(16)
        assert Inspector(rt.process).word(state) == x
        distance = -math.log(((drawn << 26 >> 32) + 1) / 2**26) * 100_000
        assert rt.process.load(c + mcache.nextSample) == pytest.approx(distance, abs=60)  # 33 logarithms: 0.0005 off at most


def test_a_free_is_counted_where_the_object_was_allocated_and_shows_with_its_cycle(runtime):
    """An allocation shows at the second flush after it, a free at the first: what is published belongs to one moment."""
    rt = runtime(gomaxprocs=1, godebug="memprofilerate=1")
    a, b = rt.new(Node), rt.new(Leaf)
    rt.mallocgc(500)
    look = lambda: [(r["type"], r["AllocObjects"], r["FreeObjects"]) for r in rt.mem_profile(False)]  # noqa: E731
    profile(rt, NEXT_CYCLE)
    profile(rt, FLUSH)
    profile(rt, FREE, a, 24)
    profile(rt, NEXT_CYCLE)
    profile(rt, FLUSH)  # the second: the allocations, and the free after the first
    assert sorted(look()) == [("noscan", 1, 0), ("noscan", 1, 0)]
    assert {r["type"]: (r["AllocBytes"], r["FreeBytes"]) for r in rt.mem_profile()}["Node"] == (24, 24)
    profile(rt, FREE, b, 16)
    assert len(look()) == 2  # not yet published
    profile(rt, NEXT_CYCLE)
    assert len(look()) == 1
    profile(rt, FREE, a, 24)  # it has no sample any more
    rt.check()


def test_samples_lie_in_the_spans_lists_by_offset(runtime):
    rt = runtime(gomaxprocs=1, godebug="memprofilerate=1")
    addresses = [int(a) for a in rt.malloc_many(np.full(300, 48))]
    look = Inspector(rt.process)
    spans = {rt.span_of(a)["address"]: rt.span_of(a)["base"] for a in addresses}
    found = []
    for s, base in spans.items():
        offsets, link = [], look.word(s + mspan.specials)
        while link:
            offsets.append(look.word(link + special.offset, 2))
            assert look.word(link + special.kind, 1) == 2
            link = look.word(link)
        assert offsets == sorted(offsets)
        found += [base + offset for offset in offsets]
        arena = look.word(look.word(V.mheap_ + mheap.arenas) + (base + (1 << 47)) // (64 << 20) * 8)
        page = base // pageSize % 8192
        assert look.word(arena + heapArena.pageSpecials + page // 8, 1) >> page % 8 & 1
    assert sorted(found) == sorted(addresses)
    for a in addresses:
        profile(rt, FREE, a, 48)
    look = Inspector(rt.process)
    assert all(look.word(s + mspan.specials) == 0 for s in spans)
    with pytest.raises(FatalError, match="removespecial on invalid pointer"):
        profile(rt, FREE, 0xC0_0300_0000, 48)


def test_estimates_are_pprofs():
    assert scaleHeapSample(0, 0, 512) == (0, 0) and scaleHeapSample(3, 96, 1) == (3, 96)
    assert scaleHeapSample(10, 5120, 512) == (15, 8099)  # 10 / (1 - 1/e), 5120 / (1 - 1/e)


def test_the_command_prints_the_profile_after_the_run_and_keeps_it(capsys, tmp_path):
    from goalloc.cli.cli import main
    from goalloc.observe.pprof import heap_profile
    from hwmem.runs.result import load_result

    kept = str(tmp_path / "r.hwm")
    assert main(["run", "binary-trees", "--alone", "--gomaxprocs", "1", "--memprofile", "1", "-o", kept]) == 0
    table = capsys.readouterr().out.split("alloc_space")[1].splitlines()
    assert table[1].split()[:3] == ["flat", "flat%", "sum%"] and any(row.endswith("24  node") for row in table)
    assert main(["report", kept, "profile"]) == 0 and capsys.readouterr().out.split("alloc_space")[1].splitlines() == table
    file = tmp_path / "heap.pb.gz"
    file.write_bytes(b"of an earlier run")
    assert main(["report", kept, "profile", "-o", str(file)]) == 0
    stored = load_result(kept).values["memprofile"]
    assert file.read_bytes() == heap_profile(stored["records"], 1) and sorted(os.listdir(tmp_path)) == ["heap.pb.gz", "r.hwm"]
    assert main(["run", "binary-trees", "--memprofile", "-3"]) == 2
    assert "memprofile" in capsys.readouterr().err

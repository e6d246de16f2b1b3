"""runtime/metrics' names, kinds and histograms, and debug.ReadGCStats: beside the real ones, and tied to MemStats."""

import json
import math
import os
import pathlib
import random
import shutil
import subprocess

import pytest

from goalloc import params as P
from goalloc.observe.metrics import NOT_MODELLED, of_times

LIVE = pathlib.Path(__file__).parent / "live"
KINDS = {int: 1, float: 2, dict: 3}  # metrics.KindUint64, KindFloat64, KindFloat64Histogram


def recorded_index(ns):
    """Where timeHistogram.record counts: below 0 first, past 2^47 last; else by the highest bit and the two below it."""
    if ns < 0:
        return 0
    bits = max(ns.bit_length(), 8)
    bucket = bits - 8
    return 161 if bucket >= 40 else 1 + 4 * bucket + (ns >> max(bits, 9) - 3) % 4


def test_times_are_counted_where_the_runtime_counts_them():
    r = random.Random(7)
    edges = [x + d for bit in range(50) for part in range(4) for x in [(4 + part) << bit >> 2] for d in (-1, 0, 1)]
    for ns in edges + [r.randrange(1 << r.randrange(1, 52)) for _ in range(2000)] + [-1]:
        counts = of_times([ns])["counts"]
        assert counts.index(1) == recorded_index(ns) and sum(counts) == 1, ns


def test_pauses_are_those_of_memstats(runtime):
    rt = runtime(gomaxprocs=1)
    assert rt.gc_stats(3) == {"LastGC": 0, "NumGC": 0, "PauseTotal": 0, "Pause": [], "PauseEnd": [], "PauseQuantiles": [0, 0, 0]}
    for _ in range(260):
        rt.gc()
    stats, told, pauses = rt.memstats(), rt.gc_stats(5), rt.metrics()["/gc/pauses:seconds"]
    assert sum(pauses["counts"]) == 2 * stats["NumGC"] == 520
    least = sum(n * max(at, 0) for n, at in zip(pauses["counts"], pauses["buckets"]))
    most = sum(n * at for n, at in zip(pauses["counts"], pauses["buckets"][1:]) if n)
    assert least <= stats["PauseTotalNs"] / 1e9 <= most
    assert told["LastGC"] == stats["LastGC"] == told["PauseEnd"][0] == stats["PauseEnd"][(stats["NumGC"] + 255) % 256]
    assert told["Pause"][::-1] == stats["PauseNs"][4:] + stats["PauseNs"][:4] and sorted(told["PauseEnd"], reverse=True) == told["PauseEnd"]
    ordered = sorted(told["Pause"])
    assert told["PauseQuantiles"] == [ordered[0], ordered[64], ordered[128], ordered[192], ordered[-1]]
    assert told["PauseTotal"] == stats["PauseTotalNs"] > sum(told["Pause"])


def test_times_of_collections_are_unix_times_by_the_machines_clock(runtime):
    rt = runtime(gomaxprocs=1)
    rt.gc()
    at = rt.gc_cycles()[-1]["at_ns"][-1]
    assert rt.memstats()["LastGC"] - at == P.UNIX_NS == 1_691_452_800 * 10**9  # 2023-08-08 00:00:00 UTC
    core, ns = rt.machine.state.core[0], 5_000_000_000
    core.cycles += round(ns * rt.machine.config.frequency_ghz)
    before = rt.memstats()["LastGC"]
    rt.gc()
    assert ns < rt.memstats()["LastGC"] - before < ns + 10_000_000


def test_goroutines_are_counted_as_the_profile_does(runtime):
    rt = runtime(gomaxprocs=1)
    assert rt.metrics()["/sched/goroutines:goroutines"] == 1
    ones = [rt.go() for _ in range(7)]
    rt.gc()  # its own goroutines are the runtime's
    assert rt.metrics()["/sched/goroutines:goroutines"] == 8
    ones[0].exit()
    assert rt.metrics()["/sched/goroutines:goroutines"] == 7


@pytest.mark.live
@pytest.mark.skipif(not shutil.which("go"), reason="needs Go 1.21.13 (pip install '.[go]')")
def test_names_kinds_and_boundaries_are_the_real_ones(runtime, tmp_path):
    environment = {**os.environ, "GOPROXY": "off", "GOFLAGS": "-trimpath"}
    environment.setdefault("GOCACHE", f"{tmp_path}/cache")
    run = subprocess.run(["go", "run", "./metrics"], cwd=LIVE, env=environment, capture_output=True, text=True, check=True)
    real, rt = json.loads(run.stdout), runtime(gomaxprocs=1)
    for _ in range(4):
        rt.gc()
    ours = rt.metrics()
    modelled = {name for name in real["kinds"] if not name.startswith(NOT_MODELLED)}
    assert set(ours) == modelled and {name: KINDS[type(value)] for name, value in ours.items()} == {
        name: real["kinds"][name] for name in ours
    }
    assert {name for name in NOT_MODELLED if not any(of.startswith(name) for of in real["kinds"])} == set()
    pauses = ours["/gc/pauses:seconds"]
    assert pauses["buckets"] == [math.inf if at == "+Inf" else float(at) for at in real["buckets"]]
    assert len(pauses["counts"]) == real["counts"] and real["pauses"] == sum(pauses["counts"]) == 2 * real["cycles"]
    assert real["kept"] == 4 == len(rt.gc_stats()["Pause"]) and real["last"]
